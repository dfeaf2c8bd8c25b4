#include <sluice/proxy_protocol/receiver.hpp>

#include <algorithm>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/proxy_protocol/error.hpp>

#include "proxy_protocol/wire.hpp"

namespace sluice::proxy_protocol {
namespace {

constexpr std::size_t least_limit = detail::fixed_size + detail::addresses_size(detail::family::local);

}  // namespace

receiver::receiver(sluice::scheduler& owner, protocol_ptr upper, std::shared_ptr<const receiver_options> options)
    : layer(owner, std::move(upper)),
      options_(std::move(options)),
      decoder_(options_->limits),
      deadline_(owner, [this] { give_up(sluice::errc::timed_out, close_kind::abort); }) {}

receiver::~receiver() = default;

void receiver::connection_made(transport& below) {
  attach(below);
  was_paused_ = !below.is_reading();
  if (comes_from_proxy())
    begin();
  else if (options_->others == others::serve)
    pass({});
  else
    give_up(errc::untrusted_source, close_kind::abort);
}

bool receiver::comes_from_proxy() const {
  const auto peer = lower().info<peer_address>();
  if (!peer || !peer->value.is_ip()) return options_->trust_without_ip;
  return contains(options_->trusted, peer->value);
}

void receiver::begin() {
  lower().resume_reading();  // the pause is the upper protocol's
  deadline_.start(options_->timeout);
}

void receiver::data_received(const_bytes data) {
  if (is_established()) [[likely]] {
    received(data);
    return;
  }
  if (told_) return;
  try {
    take_header(data);
  } catch (const std::bad_alloc&) {
    give_up(make_error_code(std::errc::not_enough_memory), close_kind::abort);
  }
}

// Only the header is kept, as it came; what is behind it in the same read goes up from where it is.
void receiver::take_header(const_bytes data) {
  const std::size_t before = bytes_.size();
  const std::size_t most = std::max(options_->limits.max_size, detail::longest_line);
  if (before != 0) bytes_.append(as_text(data.first(std::min(data.size(), most - before))));
  const auto answer = decoder_.decode(before == 0 ? data : as_bytes(bytes_));
  switch (answer.status) {
    case framing::decode_status::need_more:
      if (before == 0) bytes_ = as_text(data);
      return;
    case framing::decode_status::error: give_up(answer.error, close_kind::abort); return;
    case framing::decode_status::message: break;
  }
  const const_bytes behind = data.subspan(answer.consumed - before);
  if (before == 0) bytes_ = as_text(data.first(answer.consumed));
  bytes_.resize(answer.consumed);
  pass(behind);
}

void receiver::pass(const_bytes behind_header) {
  deadline_.stop();
  established(was_paused_);
  if (!behind_header.empty()) received(behind_header);
}

eof receiver::eof_received() {
  if (is_established()) return layer::eof_received();
  give_up(errc::header_cut, close_kind::graceful);
  return eof::keep_open;
}

void receiver::connection_lost(std::error_code reason) {
  deadline_.stop();
  if (!is_established()) {
    if (!reason) reason = errc::header_cut;
    tell_failure(reason);
  }
  layer::connection_lost(reason);
}

void receiver::give_up(std::error_code error, close_kind how) {
  deadline_.stop();
  tell_failure(error);
  fail(error, how);
}

void receiver::tell_failure(std::error_code error) noexcept {
  if (std::exchange(told_, true) || !options_->on_failure) return;
  try {
    const std::string text = describe_failure(error);
    sluice::detail::unique_function tell = [&] { options_->on_failure(id(), error, text); };
    scheduler().run_turn(tell, error_source::callback, "proxy_protocol: on_failure");
  } catch (const std::bad_alloc&) {
    return;  // the connection ends as it would have
  }
}

std::string receiver::describe_failure(std::error_code error) const {
  std::string text;
  if (const auto peer = lower().info<peer_address>(); peer && !peer->value.empty()) text.append(peer->value.to_string()).append(": ");
  if (error != sluice::errc::timed_out) return text.append(error.message());
  return text.append("the PROXY header did not come within ").append(std::to_string(options_->timeout.count())).append(" ms");
}

// Read again for each question, which costs less than to keep it with every connection.
void receiver::describe(info_query& query) const {
  if (is_established() && !bytes_.empty()) {
    const header said = header_decoder(options_->limits).decode(as_bytes(bytes_)).message;
    query.answer<header>([&] { return said; });
    query.answer<proxy_address>([this]() -> std::optional<proxy_address> {
      const auto own = info_query::ask<peer_address>([this](info_query& below) { layer::describe(below); });
      return own ? std::optional(proxy_address{own->value}) : std::nullopt;
    });
    if (!said.source.empty()) {
      query.answer<peer_address>([&] { return peer_address{said.source}; });
      query.answer<local_address>([&] { return local_address{said.destination}; });
    }
  }
  if (!query.answered()) layer::describe(query);
}

protocol_factory receive(scheduler& owner, protocol_factory upper, receiver_options options) {
  if (options.trusted.empty() && !options.trust_without_ip)
    throw std::invalid_argument("proxy_protocol: no proxy is trusted; expected networks in receiver_options::trusted");
  if (options.timeout.count() <= 0) throw std::invalid_argument("proxy_protocol: receiver_options::timeout must be above 0");
  if (options.limits.max_size < least_limit)
    throw std::invalid_argument("proxy_protocol: header_limits::max_size must be at least " + std::to_string(least_limit));
  return wrap<receiver>(owner, std::move(upper), std::make_shared<const receiver_options>(std::move(options)));
}

}  // namespace sluice::proxy_protocol
