#include <sluice/error.hpp>
#include <sluice/serial.hpp>

#include <utility>

#include "serial_channel.hpp"

namespace sluice::serial {
namespace {

std::error_code closed() noexcept { return make_error_code(sluice::errc::closed); }

device* usable(const channel* which) noexcept { return which == nullptr ? nullptr : which->usable_device(); }

}  // namespace

line_control control(const transport& of) noexcept {
  const auto access = of.info<port_access>();
  return line_control(access ? access->value : nullptr);
}

void line_control::configure(const settings& wanted, apply when, std::function<void(result<settings>)> done) const {
  if (usable(channel_) != nullptr)
    channel_->configure(wanted, when, std::move(done));
  else if (channel_ != nullptr && done)
    channel_->scheduler().call_soon([done = std::move(done)] { done(closed()); });
}

void line_control::drain(duration deadline, std::function<void(std::error_code, std::size_t left)> done) const {
  if (usable(channel_) != nullptr)
    channel_->drain(deadline, std::move(done));
  else if (channel_ != nullptr && done)
    channel_->scheduler().call_soon([done = std::move(done)] { done(closed(), 0); });
}

std::error_code line_control::discard(direction which) const { return usable(channel_) == nullptr ? closed() : channel_->discard(which); }

void line_control::send_break(duration length, std::function<void(std::error_code)> done) const {
  if (usable(channel_) != nullptr)
    channel_->send_break(length, std::move(done));
  else if (channel_ != nullptr && done)
    channel_->scheduler().call_soon([done = std::move(done)] { done(closed()); });
}

std::error_code line_control::set_break(bool on) const {
  device* const line = usable(channel_);
  return line == nullptr ? closed() : line->set_break(on);
}

result<modem_lines> line_control::lines() const {
  device* const line = usable(channel_);
  return line == nullptr ? closed() : line->lines();
}

std::error_code line_control::set_lines(line_level dtr, line_level rts) const {
  device* const line = usable(channel_);
  return line == nullptr ? closed() : line->set_lines(dtr, rts);
}

std::error_code line_control::on_lines(std::function<void(const lines_changed&)> told, std::chrono::milliseconds interval) const {
  return usable(channel_) == nullptr ? closed() : channel_->watch_lines(std::move(told), interval);
}

result<line_counters> line_control::counters() const { return usable(channel_) == nullptr ? closed() : channel_->counters_since_opening(); }

void line_control::on_input_errors(std::function<void(const input_error&)> told) const {
  if (channel_ != nullptr) channel_->watch_input(std::move(told));
}

marked_input_counters line_control::input_errors() const {
  return channel_ == nullptr ? marked_input_counters() : channel_->input_errors();
}

std::optional<output_block> line_control::blocked() const { return usable(channel_) == nullptr ? std::nullopt : channel_->blocked(); }

time_point line_control::last_received() const { return channel_ == nullptr ? time_point() : channel_->last_received(); }

opened line_control::found() const { return channel_ == nullptr ? opened() : channel_->found(); }

}  // namespace sluice::serial
