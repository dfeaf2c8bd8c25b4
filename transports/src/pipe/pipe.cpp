#include <sluice/pipe.hpp>

#include <sluice/error.hpp>

#include <stdexcept>
#include <utility>

#include "polled_output.hpp"
#include "starting.hpp"

namespace sluice::pipe {
namespace {

using ways = connection_machine::ways;

result<transport&> adopt(loop& owner, descriptor watched, wanted use, ways has, protocol_ptr upper, const options& settings) {
  if (refusal wrong = prepare(watched.get(), use)) return {wrong.error, std::move(wrong.detail)};
  return start(owner, {"pipe", has, std::move(watched), {}}, std::move(upper), shared_stream_options::make(settings.stream));
}

}  // namespace

result<transport&> start(loop& owner, ends from, protocol_ptr upper, const shared_stream_options& options) {
  auto output = from.output ? std::make_unique<polled_output>(std::move(from.output)) : nullptr;
  polled_output* const elsewhere = output.get();
  auto made = std::make_unique<channel>(owner, channel::parts{from.kind, from.ways, std::move(from.watched), std::move(output)}, options);
  channel& self = *made;
  if (elsewhere != nullptr)
    if (const auto error = elsewhere->begin(owner, self.as_listener())) return {error, "watching the output: " + error.message()};
  transport& running = stream_transport::start(std::move(made), std::move(upper));
  if (running.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
  self.watch_reader();
  return running;
}

result<transport&> open_read(loop& owner, descriptor from, protocol_ptr upper, const options& settings) {
  return adopt(owner, std::move(from), wanted::input, ways::input_only, std::move(upper), settings);
}

result<transport&> open_write(loop& owner, descriptor to, protocol_ptr upper, const options& settings) {
  return adopt(owner, std::move(to), wanted::output, ways::output_only, std::move(upper), settings);
}

result<transport&> open(loop& owner, descriptor both, protocol_ptr upper, const options& settings) {
  return adopt(owner, std::move(both), wanted::both, ways::both, std::move(upper), settings);
}

result<transport&> open(loop& owner, descriptor from, descriptor to, protocol_ptr upper, const options& settings) {
  if (refusal wrong = prepare(from.get(), wanted::input)) return {wrong.error, std::move(wrong.detail)};
  if (refusal wrong = prepare(to.get(), wanted::output)) return {wrong.error, std::move(wrong.detail)};
  return start(owner, {"pipe", ways::both, std::move(from), std::move(to)}, std::move(upper), shared_stream_options::make(settings.stream));
}

}  // namespace sluice::pipe
