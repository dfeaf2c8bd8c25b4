// The machine that says when to connect again, driven by any events in any order, and followed with nothing but its actions.

#include <sluice/reconnect_machine.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace {

using namespace sluice;
using namespace std::chrono_literals;
using machine = reconnect_machine;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

constexpr machine::settings limits{.shortest = 10ms,
                                   .longest = 200ms,
                                   .settled = 300ms,
                                   .attempts = 12,
                                   .total = 900ms,
                                   .after_orderly_end = machine::orderly_end::finish};

class walk {
 public:
  explicit walk(std::uint64_t seed) : machine_(limits, seed) {}

  // The clock goes on by the high bits; what happens then is in the low ones.
  void step(std::uint8_t byte) {
    now_ += (byte >> 3U) * 7ms;
    switch (byte & 7U) {
      case 0: follow(machine_.start(now_)); break;
      case 1:
        if (doing_ == activity::attempt) {
          doing_ = activity::connection;
          made_ = now_;
        }
        follow(machine_.made(now_));
        break;
      case 2: follow(machine_.failed(now_), doing_ == activity::attempt); break;
      case 3: lose(false); break;
      case 4: lose(true); break;
      case 5: follow(machine_.pause_over(), doing_ == activity::pause); break;
      case 6: follow(machine_.retry_now(), doing_ == activity::pause); break;
      case 7: follow(machine_.stop(), doing_ != activity::nothing); break;
    }
    require(machine_.is_active() == (doing_ != activity::nothing), "it is active as long as something is under way");
    require(machine_.attempts() <= limits.attempts, "no series has more attempts than it may have");
  }

 private:
  enum class activity {
    nothing,
    attempt,
    connection,
    pause
  };

  void lose(bool in_good_order) {
    const bool settled = doing_ == activity::connection && now_ - made_ >= limits.settled;
    const machine::action then = machine_.lost(now_, in_good_order);
    require(!settled || in_good_order || then == machine::action::wait, "after a connection that lasted there is another attempt");
    follow(then, doing_ == activity::connection);
  }

  void follow(machine::action then, bool expected) {
    require(expected == (then != machine::action::none), "each end has its consequence, and nothing else has one");
    follow(then);
  }

  void follow(machine::action then) {
    switch (then) {
      case machine::action::none: break;
      case machine::action::connect:
        require(doing_ == activity::nothing || doing_ == activity::pause, "one attempt at a time, and none beside a connection");
        doing_ = activity::attempt;
        break;
      case machine::action::wait:
        require(machine_.pause() >= 0ns && machine_.pause() <= limits.longest, "a pause is at most the longest");
        doing_ = activity::pause;
        break;
      case machine::action::give_up:
      case machine::action::finish:
      case machine::action::cancel: doing_ = activity::nothing; break;
    }
  }

  machine machine_;
  time_point now_{};
  time_point made_{};
  activity doing_ = activity::nothing;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size);
  walk followed(size);
  for (const std::uint8_t byte : input) followed.step(byte);
  return 0;
}
