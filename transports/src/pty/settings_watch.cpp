#include "settings_watch.hpp"

#include <chrono>
#include <utility>

#include "serial/terminal_settings.hpp"

namespace sluice::pty {
namespace {

constexpr auto settling = std::chrono::milliseconds(10);

std::error_code ask_for_notices(int master, serial::terminal_state& state, bool on) noexcept {
  if (const std::error_code error = serial::read_terminal(master, state)) return error;
  if (serial::tells_changes(state) == on) return {};
  serial::tell_changes(on, state);
  return serial::write_terminal(master, state);
}

}  // namespace

result<serial::settings> settings_of(int master) {
  serial::terminal_state state;
  if (const std::error_code error = serial::read_terminal(master, state)) return error;
  return serial::decode(state);
}

std::error_code settings_watch::subscribe(settings_handler told) {
  serial::terminal_state state;
  if (const std::error_code error = ask_for_notices(master_, state, told != nullptr)) return error;
  stop();
  last_ = serial::decode(state);
  told_ = std::move(told);
  return {};
}

void settings_watch::stop() noexcept {
  settled_.stop();
  told_ = nullptr;
}

void settings_watch::noticed() {
  if (told_ && !settled_.is_running()) settled_.start(settling);
}

// The subscriber may replace itself, and close the terminal.
void settings_watch::look() {
  serial::terminal_state state;
  if (ask_for_notices(master_, state, true)) return;  // the terminal is gone, which the channel hears as well
  const serial::settings now = serial::decode(state);
  if (std::exchange(last_, now) == now) return;
  const settings_handler told = told_;
  told(now);
}

}  // namespace sluice::pty
