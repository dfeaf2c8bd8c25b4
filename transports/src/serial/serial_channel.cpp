#include "serial_channel.hpp"

#include <sluice/detail/time_span.hpp>
#include <sluice/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "socket/parts.hpp"

namespace sluice::serial {
namespace {

constexpr std::size_t most_per_event = 64 * 1024;  // further bytes wait for the next event, so that others have a turn (rule R10)
constexpr std::size_t most_per_read = 4095;        // what a terminal of Linux gives at once: less means that no more is there
constexpr duration dsr_interval = std::chrono::milliseconds(10);

// What a call on a device says that is not there any more.
bool means_gone(std::error_code error) noexcept {
  return error == std::errc::io_error || error == std::errc::no_such_device || error == std::errc::no_such_device_or_address ||
         error == std::errc::bad_file_descriptor;
}

}  // namespace

channel::channel(sluice::scheduler& owner, std::unique_ptr<device> line, opened found, const serial::options& wanted)
    : stream_transport(owner, stream_options_for(wanted, found.line)),
      device_(std::move(line)),
      found_(std::move(found)),
      wanted_(wanted),
      asked_(wanted.line),
      chosen_close_timeout_(options().close_timeout),
      retry_(owner, [this] { try_again(); }),
      break_(owner, [this] { end_break(); }),
      next_turn_(owner,
                 [this] {
                   if (wants_input() && device_ != nullptr && !failure_) read_more();
                 }),
      received_at_(owner.now()) {
  if (makes_packets(wanted_)) {
    packet_ = std::make_unique<packet_collector>(wanted_.packet_size);
    packet_end_.emplace(owner, [this] { packet_is_over(); });
  }
  if (paces()) pace_.emplace(owner, [this] { try_again(); });
  if (const auto counters = device_->counters()) counters_at_opening_ = *counters;
  found_.line = with_ours(found_.line, asked_);
  device_->set_listener(this);
  make_bus();
  make_marks();
}

void channel::start_reading() {
  if (asked_.flow == flow::dtr_dsr) device_->set_lines(line_level::on, line_level::keep);
  if (marks_ && !marks_->is_empty()) next_turn_.schedule();
  watch_what_is_wanted();
}

// A pause that ends before more input arrives costs no system call.
void channel::stop_reading() {
  if (asked_.flow == flow::dtr_dsr) device_->set_lines(line_level::off, line_level::keep);
}

void channel::watch_what_is_wanted() {
  const bool output = has_queued_output() && sendable() != 0 && block_ == output_block::reason::driver;
  const unsigned wanted = (wants_input() ? unsigned(interest::input) : 0) | (output ? unsigned(interest::output) : 0);
  device_->watch(static_cast<interest>(wanted));
}

void channel::ready(interest what) {
  if ((unsigned(what) & unsigned(interest::input)) != 0) read_more();
  if ((unsigned(what) & unsigned(interest::output)) != 0 && has_queued_output()) ready_to_send();
  if (!failure_) watch_what_is_wanted();
}

void channel::gone(std::error_code why) { device_failed(why, "hang-up"); }

void channel::read_more() {
  std::size_t budget = most_per_event;
  if (marks_) deliver_marked();
  while (wants_input() && budget != 0 && (asked_.mark_errors ? read_marked(budget) : read_once(budget))) {
  }
}

bool channel::read_marked(std::size_t& budget) {
  const io_result got = device_->read(marks_->room());
  if (got.error) device_failed(got.error, "read");
  if (got.error || got.bytes == 0) return false;
  received_at_ = detail::read_clock(scheduler());
  marks_->filled(got.bytes);
  deliver_marked();
  budget -= std::min(budget, got.bytes);
  return got.bytes >= most_per_read;
}

// A pause in the middle leaves the rest for later, so that errors stay in their places.
void channel::deliver_marked() {
  while (wants_input() && !marks_->is_empty()) {
    const marked_reader::item found = marks_->next();
    switch (found.what) {
      case marked_reader::kind::nothing: break;
      case marked_reader::kind::data: received(found.data); break;
      case marked_reader::kind::event: tell_input_error({found.error, found.byte}); break;
    }
  }
}

void channel::tell_input_error(const input_error& found) {
  if (!input_error_told_) return;
  detail::unique_function call = [told = input_error_told_, found] { told(found); };
  scheduler().run_turn(call, error_source::callback, "input error subscriber");
}

// False if no more is there.
bool channel::read_once(std::size_t& budget) {
  const mutable_bytes room = packet_ ? packet_->room() : receive_buffer();
  if (room.empty()) return false;
  const io_result got = device_->read(room);
  if (got.error) device_failed(got.error, "read");
  if (got.error || got.bytes == 0) return false;
  received_at_ = detail::read_clock(scheduler());
  packet_ ? collect(got.bytes) : received(got.bytes);
  budget -= std::min(budget, got.bytes);
  return got.bytes >= std::min(room.size(), most_per_read);
}

void channel::collect(std::size_t n) {
  if (packet_->is_empty()) packet_ends_by_ = after_last_byte(wanted_.packet_time);
  packet_->add(n);
  if (packet_->is_full()) return deliver_packet();
  packet_end_->start_at(std::min(packet_ends_by_, after_last_byte(wanted_.silence)));
}

// 0 is never.
time_point channel::after_last_byte(std::chrono::nanoseconds span) const noexcept {
  return span.count() <= 0 ? time_point::max() : detail::later(received_at_, detail::bounded(span));
}

void channel::deliver_packet() {
  packet_end_->stop();
  if (!packet_->is_empty()) received(packet_->take());
}

// Bytes may have come that this program has not read yet, because it was late itself: they were no silence.
void channel::packet_is_over() {
  if (wants_input() && !packet_->is_empty()) {
    const time_point before = received_at_;
    read_more();
    if (received_at_ != before && received_at_ < packet_ends_by_) return;
  }
  if (!packet_->is_empty()) deliver_packet();
}

// --- output

std::uint64_t channel::sendable() const noexcept {
  if (breaking_) return 0;
  const std::uint64_t limit = waits_ ? waits_->limit() : std::numeric_limits<std::uint64_t>::max();
  return limit - std::min(limit, counters().bytes_sent);
}

bool channel::waits_for_dsr() {
  if (asked_.flow != flow::dtr_dsr) return false;
  const auto lines = device_->lines();
  return lines && !lines->dsr;
}

send_result channel::send(std::span<const const_bytes> parts) {
  block_ = output_block::reason::driver;
  std::uint64_t most = sendable();
  if (most == 0) return {};
  if (waits_for_dsr()) {
    block_ = output_block::reason::dsr;
    return {};
  }
  if (paces()) {
    block_ = output_block::reason::paced;
    if (detail::read_clock(scheduler()) < idle_at_ + wanted_.byte_pause) return {};
    most = 1;
  }
  if (bus_ && !bus_->wants_to_send()) {
    block_ = output_block::reason::bus;
    return {};
  }
  std::array<const_bytes, detail::most_parts> room;
  const io_result sent = device_->write(most == std::numeric_limits<std::uint64_t>::max() ? parts : detail::slice(parts, 0, most, room));
  if (sent.error) return note_failure(sent.error, "write");
  if (sent.bytes == 0) block_ = output_block::reason::driver;  // which is full: it is the one to wait for, and no clock
  took(sent.bytes);
  return sent.bytes;
}

// The line needs its time for what the driver took, and has perhaps not begun.
void channel::took(std::size_t bytes) {
  if (bytes == 0) return;
  blocked_ = false;
  const time_point now = paces() ? detail::read_clock(scheduler()) : scheduler().now();
  idle_at_ = std::max(idle_at_, now) + wire_time(found_.line, bytes);
}

void channel::send_later(std::span<const const_bytes>) {
  if (!std::exchange(blocked_, true)) blocked_since_ = scheduler().now();
  switch (block_) {
    case output_block::reason::paced: pace_->start_at(idle_at_ + wanted_.byte_pause); break;
    case output_block::reason::dsr: retry_.start(dsr_interval); break;
    case output_block::reason::bus:  // which goes on by itself
    case output_block::reason::driver:
    case output_block::reason::cts: break;
  }
  watch_what_is_wanted();
}

void channel::try_again() {
  if (has_queued_output()) ready_to_send();
}

std::optional<output_block> channel::blocked() const {
  if (!blocked_ || !has_queued_output()) return std::nullopt;
  output_block found{block_, blocked_since_};
  if (block_ == output_block::reason::driver && asked_.flow == flow::rts_cts)
    if (const auto lines = device_->lines(); lines && !lines->cts) found.why = output_block::reason::cts;
  return found;
}

// --- the end

// What the system said first is what counts.
std::error_code channel::note_failure(std::error_code error, const char* where) noexcept {
  if (!failure_) failure_ = failure{error, where};
  return means_gone(error) ? make_error_code(errc::device_gone) : error;
}

// What was received before is delivered before (rule L13).
void channel::device_failed(std::error_code error, const char* where) {
  const std::error_code reason = note_failure(error, where);
  if (packet_ && wants_input()) deliver_packet();
  failed(reason);
}

// All output is with the driver. The engine's deadline, `options::close_timeout`, ends the waiting for a line that takes nothing.
progress channel::begin_close(close_kind kind) {
  cancel_waits();
  if (line_watch_) line_watch_->stop();
  switch (kind) {
    case close_kind::graceful:
      if (failure_ || left_before(counters().bytes_sent).bytes == 0) return progress::done;
      waits().add(counters().bytes_sent, time_point::max(), [this](std::error_code error, std::size_t) {
        if (error != sluice::errc::cancelled) closed();
      });
      return progress::pending;
    case close_kind::abort:
    case close_kind::reset: break;
  }
  return progress::done;
}

void channel::cancel_waits() noexcept {
  retry_.stop();
  if (pace_) pace_->stop();
  if (packet_end_) packet_end_->stop();
  if (std::exchange(breaking_, false)) end_break();
  if (waits_) waits_->cancel();
}

progress channel::release() {
  cancel_waits();
  bus_.reset();
  packet_end_.reset();
  pace_.reset();
  device_->close([this] { released(); });
  return progress::pending;
}

void channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"serial"}; });
  query.answer<settings>([this] { return found_.line; });
  query.answer<line_speed>([this] { return speed_of(found_.line); });
  query.answer<port_name>([this] { return port_name{device_->name()}; });
  query.answer<native_descriptor>([this] { return native_descriptor{device_->native_handle()}; });
  query.answer<reserved_bytes>([this]() -> std::optional<reserved_bytes> {
    std::string kept = reserved_on(asked_, wanted_.force_xon_xoff);
    return kept.empty() ? std::nullopt : std::optional(reserved_bytes{std::move(kept)});
  });
  if (failure_) query.answer<failure>([this] { return *failure_; });
  query.answer<port_access>([this] { return port_access{const_cast<channel*>(this)}; });
}

}  // namespace sluice::serial
