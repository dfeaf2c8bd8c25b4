#include <sluice/detail/hand_over_machine.hpp>

#include <utility>

namespace sluice::detail {
namespace {

constexpr hand_over_word words[] = {hand_over_word::greeting, hand_over_word::socket, hand_over_word::all,
                                    hand_over_word::ready,    hand_over_word::closed, hand_over_word::withdrawn};

hand_over_word word_of(std::string_view line) noexcept {
  for (const hand_over_word each : words)
    if (line == line_of(each)) return each;
  return hand_over_word::unknown;
}

}  // namespace

std::string_view line_of(hand_over_word word) noexcept {
  switch (word) {
    case hand_over_word::greeting: return "sluice hand_over 1\n";
    case hand_over_word::socket: return "socket\n";
    case hand_over_word::all: return "all\n";
    case hand_over_word::ready: return "ready\n";
    case hand_over_word::closed: return "closed\n";
    case hand_over_word::withdrawn: return "withdrawn\n";
    case hand_over_word::unknown: break;
  }
  return "unknown\n";
}

std::optional<hand_over_word> hand_over_reader::next(const_bytes& bytes) noexcept {
  for (std::size_t used = 0; used < bytes.size();) {
    const char byte = static_cast<char>(bytes[used++]);
    line_[size_++] = byte;
    if (byte != '\n' && size_ < line_.size()) continue;
    bytes = bytes.subspan(used);
    return word_of({line_.data(), std::exchange(size_, 0)});
  }
  bytes = {};
  return std::nullopt;
}

succession_machine::action succession_machine::heard(hand_over_word word) noexcept {
  switch (state_) {
    case state::connected: return heard_while_connected(word);
    case state::receiving: return heard_while_receiving(word);
    case state::preparing:
    case state::telling: return heard_at_the_end(word);
    case state::over: break;
  }
  return action::none;
}

succession_machine::action succession_machine::heard_while_connected(hand_over_word word) noexcept {
  if (word == hand_over_word::greeting) return go_on(state::receiving, action::none);
  return end(action::report_nonsense);
}

succession_machine::action succession_machine::heard_while_receiving(hand_over_word word) noexcept {
  if (word == hand_over_word::socket) return action::take_socket;
  if (word == hand_over_word::all) return go_on(state::preparing, action::prepare);
  return end(word == hand_over_word::withdrawn ? action::give_up : action::report_nonsense);
}

succession_machine::action succession_machine::heard_at_the_end(hand_over_word word) noexcept {
  if (word == hand_over_word::withdrawn) return end(action::stand_beside);
  return end(word == hand_over_word::closed && state_ == state::telling ? action::stand_alone : action::report_nonsense);
}

succession_machine::action succession_machine::predecessor_ended() noexcept {
  switch (state_) {
    case state::connected:
    case state::receiving: return end(action::give_up);
    case state::preparing:
    case state::telling: return end(action::stand_alone);
    case state::over: break;
  }
  return action::none;
}

}  // namespace sluice::detail
