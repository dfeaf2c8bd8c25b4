#include <sluice/testing/handshaking_layer.hpp>

#include <algorithm>
#include <utility>

#include <sluice/error.hpp>

namespace sluice::testing {

using ending = handshake_script::ending;

handshaking_layer::handshaking_layer(sluice::scheduler& owner, handshake_script script)
    : layer(owner), script_(std::move(script)), timeout_(owner, [this] { fail(errc::timed_out); }) {}

handshaking_layer::handshaking_layer(sluice::scheduler& owner, protocol_ptr upper, handshake_script script)
    : layer(owner, std::move(upper)), script_(std::move(script)), timeout_(owner, [this] { fail(errc::timed_out); }) {}

void handshaking_layer::connection_made(transport& below) {
  attach(below);
  if (script_.end == ending::die) {
    below.write(script_.greeting.substr(0, script_.greeting.size() / 2));
    below.flush();
    below.abort();
    return;
  }
  if (!script_.greets_second) below.write(script_.greeting);
  if (script_.timeout.count() > 0) timeout_.start(script_.timeout);
  if (script_.expected.empty()) greeting_complete({});
}

void handshaking_layer::data_received(const_bytes data) {
  if (is_established()) {
    layer::data_received(data);
    return;
  }
  if (script_.end == ending::hang) return;
  const std::size_t n = match(data);
  if (heard_ == script_.expected.size())
    greeting_complete(data.subspan(n));
  else if (n != data.size())
    fail(errc::handshake_failed);
}

// How many bytes of `data` go on with the peer's greeting.
std::size_t handshaking_layer::match(const_bytes data) {
  const std::string_view text = as_text(data);
  const std::string_view missing = std::string_view(script_.expected).substr(heard_);
  const auto [in_text, in_missing] = std::mismatch(text.begin(), text.end(), missing.begin(), missing.end());
  const auto n = static_cast<std::size_t>(in_text - text.begin());
  heard_ += n;
  return n;
}

void handshaking_layer::greeting_complete(const_bytes rest) {
  timeout_.stop();
  if (script_.end == ending::fail) {
    fail(errc::handshake_failed);
    return;
  }
  if (script_.end == ending::hang) return;
  if (script_.greets_second) lower().write(script_.greeting);
  established();
  if (!rest.empty()) layer::data_received(rest);
}

eof handshaking_layer::eof_received() {
  if (is_established()) return layer::eof_received();
  fail(errc::truncated);
  return eof::close;
}

void handshaking_layer::connection_lost(std::error_code reason) {
  timeout_.stop();
  layer::connection_lost(reason);
}

}  // namespace sluice::testing
