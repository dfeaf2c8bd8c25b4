#include "software_bus.hpp"

#include <utility>

namespace sluice::serial {
namespace {

constexpr duration poll_interval = std::chrono::milliseconds(1);

}  // namespace

software_bus::software_bus(scheduler& owner, device& line, const rs485_settings& how, std::function<bool()> has_left,
                           std::function<void()> go)
    : line_(line), how_(how), has_left_(std::move(has_left)), go_(std::move(go)), timer_(owner, [this] { time_passed(); }) {
  set_rts(how_.rts_after_send);
}

software_bus::~software_bus() {
  if (machine_.current() != bus_turn_machine::state::receiving) set_rts(how_.rts_after_send);
}

// A device that is gone says so where it is written to.
void software_bus::set_rts(bool on) { line_.set_lines(line_level::keep, on ? line_level::on : line_level::off); }

bool software_bus::wants_to_send() {
  perform(machine_.output_wanted());
  return machine_.may_send();
}

void software_bus::perform(action then) {
  switch (then) {
    case action::none: break;
    case action::switch_to_send:
      set_rts(how_.rts_on_send);
      timer_.start(how_.delay_before_send);
      if (how_.delay_before_send.count() == 0) perform(machine_.switched());
      break;
    case action::send: timer_.start(poll_interval); break;
    case action::wait_behind_output: timer_.start(how_.delay_after_send); break;
    case action::switch_to_receive: set_rts(how_.rts_after_send); break;
  }
}

void software_bus::time_passed() {
  switch (machine_.current()) {
    case bus_turn_machine::state::receiving: break;
    case bus_turn_machine::state::switching:
      perform(machine_.switched());
      go_();
      break;
    case bus_turn_machine::state::sending:
      if (!has_left_())
        timer_.start(poll_interval);
      else
        perform(machine_.output_gone());
      break;
    case bus_turn_machine::state::leaving: perform(machine_.waited()); break;
  }
}

}  // namespace sluice::serial
