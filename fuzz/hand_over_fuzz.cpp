// What two processes of a hand-over say to each other: however the bytes are cut, they are the same words, and a successor that hears them
// does nothing out of turn.

#include <sluice/detail/hand_over_machine.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

using namespace sluice;
using namespace sluice::detail;

namespace {

using state = succession_machine::state;
using action = succession_machine::action;

void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", rule);
  std::abort();
}

std::vector<hand_over_word> words_in(const_bytes bytes, std::size_t piece) {
  hand_over_reader reader;
  std::vector<hand_over_word> words;
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(piece, bytes.size())))
    for (const_bytes rest = bytes.first(std::min(piece, bytes.size())); const auto word = reader.next(rest);) words.push_back(*word);
  return words;
}

void check_step(state before, action then, state after) {
  require(before != state::over || (then == action::none && after == state::over), "the end is for ever");
  switch (then) {
    case action::none: break;
    case action::take_socket:
      require(before == state::receiving && after == state::receiving, "sockets come when they are expected");
      break;
    case action::prepare: require(before == state::receiving && after == state::preparing, "preparing follows receiving"); break;
    case action::stand_alone: require(before >= state::preparing && after == state::over, "nobody stands alone unprepared"); break;
    case action::stand_beside: require(before >= state::preparing && after == state::over, "withdrawn is the end"); break;
    case action::give_up: require(before <= state::receiving && after == state::over, "giving up is for the unprepared"); break;
    case action::report_nonsense: require(after == state::over, "nonsense is the end"); break;
  }
}

void check_successor(const std::vector<hand_over_word>& words, bool is_quick) {
  succession_machine machine;
  for (const hand_over_word each : words) {
    if (is_quick && machine.current() == state::preparing) machine.said_ready();
    const state before = machine.current();
    const action then = machine.heard(each);
    check_step(before, then, machine.current());
  }
  const state before = machine.current();
  const action last = machine.predecessor_ended();
  check_step(before, last, machine.current());
  require(machine.current() == state::over, "the end of the predecessor is the end of the hand-over");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer gives the name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const const_bytes bytes = as_bytes(std::string_view(reinterpret_cast<const char*>(data), size));
  const auto words = words_in(bytes, size + 1);
  require(words == words_in(bytes, 1) && words == words_in(bytes, 7), "the same bytes are the same words, however they are cut");
  check_successor(words, false);
  check_successor(words, true);
  return 0;
}
