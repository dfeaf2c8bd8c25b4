// The machine of a child process: each byte of the input is one event. Whatever the order, the end is told once, not before the child is
// reaped and the pipes are closed, and can always be brought about.

#include <sluice/process_machine.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

using namespace sluice;

namespace {

using state = process_machine::state;
using action = process_machine::action;

void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", rule);
  std::abort();
}

// Follows the machine from outside.
class walk {
 public:
  void step(unsigned event, bool argument) {
    const bool was_closing = machine_.is_closing();
    const bool had_child = machine_.has_child();
    count(feed(event, argument));
    require(!was_closing || machine_.is_closing(), "closing is for ever");
    require(had_child || machine_.current() == state::lost || !machine_.has_child() || event == 0,
            "a child that was reaped does not come back");
  }

  // What a process that is closed in whatever state comes to.
  void end() {
    step(0, true);
    step(3, false);
    step(1, false);
    step(2, false);
    step(4, false);
    require(machine_.current() == state::lost, "each process can be brought to its end");
    require(losses_ == 1, "connection_lost is delivered exactly once");
    require(posts_ <= 1, "one finish is posted");
    require(kills_ <= 1, "a child is killed once");
  }

 private:
  action feed(unsigned event, bool argument) {
    switch (event) {
      case 0:
        if (machine_.current() == state::starting) has_pipes_ = argument;
        return machine_.made(argument);
      case 1:
        if (machine_.has_child()) reaped_ = true;
        return machine_.child_exited();
      case 2:
        if (machine_.current() != state::starting) has_pipes_ = false;
        return machine_.last_pipe_lost();
      case 3: return machine_.close();
      case 4: return machine_.finish();
      case 5: ended_by_loop_ = machine_.current() != state::starting; return machine_.scheduler_ends();
      default: return action::none;
    }
  }

  void count(action then) {
    switch (then) {
      case action::none:
      case action::close_pipes: return;
      case action::end_child:
        ++kills_;
        require(!reaped_, "who is killed was not reaped");
        return;
      case action::post_finish:
        ++posts_;
        require(reaped_ && !has_pipes_, "the end waits for the child and the pipes");
        return;
      case action::deliver_lost:
        ++losses_;
        require(posts_ == 1 || ended_by_loop_, "the end is posted first");
        return;
    }
  }

  process_machine machine_;
  bool has_pipes_ = false;
  bool reaped_ = false;
  bool ended_by_loop_ = false;
  int kills_ = 0;
  int posts_ = 0;
  int losses_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  walk process;
  for (const std::uint8_t byte : std::span(data, size)) process.step(byte & 0x0fU, (byte & 0x10U) != 0);
  process.end();
  return 0;
}
