#include <sluice/capture/tap.hpp>

#include <new>
#include <optional>
#include <string>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/info.hpp>

namespace sluice::capture {
namespace {

// Its answer to a question that layers pass down, too.
struct tap_access {
  tap* value;
};

}  // namespace

// What `upgrade` will put above it is not known when it asks, and may need every byte.
tap::tap(sluice::scheduler& owner, const queue& into) : layer(owner), records_(into), upper_needs_every_byte_(true) {}

tap::tap(sluice::scheduler& owner, protocol_ptr upper, const queue& into)
    : tap(owner, std::move(upper), into, upper != nullptr && upper->needs_every_byte()) {}

// The two references are only bound, and nothing is moved, before the last argument was asked for.
tap::tap(sluice::scheduler& owner, protocol_ptr&& upper, const queue& into, bool needs_every_byte)
    : layer(owner, std::move(upper)), records_(into), upper_needs_every_byte_(needs_every_byte) {}

// A switch below took it out of the stack; else `connection_lost` was here before.
tap::~tap() { tell_lost(errc::cancelled); }

bool tap::needs_every_byte() const noexcept { return is_established() ? protocol_needs_every_byte() : upper_needs_every_byte_; }

record tap::about(event what) const noexcept {
  record made;
  made.what = what;
  made.connection = id();
  made.lines = lines_;
  return made;
}

void tap::note(event what, const_bytes data, std::string_view words) noexcept {
  record made = about(what);
  made.data = data;
  made.note = words;
  records_.add(made);
}

void tap::set_lines(std::uint8_t lines) noexcept {
  lines_ = lines;
  note(event::lines_changed);
}

void tap::connection_made(transport& below) {
  const auto kind = below.info<transport_kind>();
  connected_ = true;
  note(event::connected, {}, kind ? std::string_view(kind->value) : std::string_view());
  layer::connection_made(below);
}

void tap::data_received(const_bytes data) {
  note(event::received, data);
  layer::data_received(data);
}

eof tap::eof_received() {
  note(event::input_ended);
  return layer::eof_received();
}

// What is being sent is recorded in front of what that led to.
backpressure tap::pause_writing() {
  if (sending_)
    paused_while_sending_ = true;
  else
    note(event::writing_paused);
  return layer::pause_writing();
}

void tap::resume_writing() {
  note(event::writing_resumed);
  layer::resume_writing();
}

void tap::connection_lost(std::error_code reason) {
  tell_lost(reason);
  layer::connection_lost(reason);
}

void tap::tell_lost(std::error_code reason) noexcept {
  if (!std::exchange(connected_, false)) return;
  try {
    const std::string why = reason ? sluice::describe(reason) : std::string();
    note(event::lost, {}, why);
  } catch (const std::bad_alloc&) {
    note(event::lost, {}, reason.category().name());
  }
}

void tap::start_reading() {
  if (std::exchange(reading_paused_, false)) note(event::reading_resumed);
  layer::start_reading();
}

// Also called at the end of input and of the connection, where it is no pause.
void tap::stop_reading() {
  const bool is_pause = connected_ && !is_closing() && !input_ended();
  if (is_pause && !std::exchange(reading_paused_, true)) note(event::reading_paused);
  layer::stop_reading();
}

send_result tap::send(std::span<const const_bytes> parts) {
  sending_ = true;
  const send_result result = layer::send(parts);
  sending_ = false;
  if (result.taken() != 0) records_.add(about(event::sent), parts, result.taken());
  if (std::exchange(paused_while_sending_, false)) note(event::writing_paused);
  return result;
}

std::error_code tap::shutdown_output() {
  const std::error_code error = layer::shutdown_output();
  if (!error) note(event::output_ended);
  return error;
}

void tap::describe(info_query& query) const {
  query.answer<tap_access>([this] { return tap_access{const_cast<tap*>(this)}; });
  layer::describe(query);
}

tap* find_tap(const transport& of) noexcept {
  const auto found = of.info<tap_access>();
  return found ? found->value : nullptr;
}

}  // namespace sluice::capture
