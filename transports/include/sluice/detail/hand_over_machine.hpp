#pragma once

#include <sluice/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::detail {

// What the two processes of a hand-over say to each other, each word on a line of its own.
enum class hand_over_word : std::uint8_t {
  greeting,   // predecessor: this is a hand-over, in this version of the language
  socket,     // predecessor: a listening socket comes with this line
  all,        // predecessor: no more sockets
  ready,      // successor: clients are served here
  closed,     // predecessor: it accepts nobody any more
  withdrawn,  // predecessor: it goes on serving
  unknown     // neither of them
};

// With the end of the line.
std::string_view line_of(hand_over_word word) noexcept;

// Finds the words in what arrives, however it is cut. A line that is too long for a word is unknown as soon as that is clear.
class hand_over_reader {
 public:
  // The next word in `bytes`, which is shortened by what was used; nothing if its line goes on in what comes later.
  std::optional<hand_over_word> next(const_bytes& bytes) noexcept;

 private:
  std::array<char, 24> line_{};
  std::size_t size_ = 0;
};

// The way of a successor, from its connection to the predecessor until it stands alone. A pure value.
class succession_machine {
 public:
  enum class state : std::uint8_t {
    connected,  // nothing has been said
    receiving,  // sockets come
    preparing,  // all are here; the predecessor waits
    telling,    // the predecessor knows that we are ready
    over
  };
  // What to do next.
  enum class action : std::uint8_t {
    none,
    take_socket,
    prepare,         // everything is here
    stand_alone,     // the predecessor has left
    stand_beside,    // the predecessor goes on serving
    give_up,         // the predecessor ended on the way
    report_nonsense  // it speaks another language
  };

  state current() const noexcept { return state_; }

  action heard(hand_over_word word) noexcept;
  action predecessor_ended() noexcept;
  // Legal while `preparing`.
  void said_ready() noexcept { state_ = state::telling; }

 private:
  action end(action with) noexcept {
    state_ = state::over;
    return with;
  }
  action go_on(state to, action with) noexcept {
    state_ = to;
    return with;
  }
  action heard_while_connected(hand_over_word word) noexcept;
  action heard_while_receiving(hand_over_word word) noexcept;
  action heard_at_the_end(hand_over_word word) noexcept;

  state state_ = state::connected;
};

}  // namespace sluice::detail
