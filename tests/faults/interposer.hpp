#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Stands between this program, with libuv and the library in it, and the system: every call below asks the plan of its thread what is to
// become of it. Other threads, and this one without a plan, get the system's own answers.
namespace faults {

enum class call : std::uint8_t {
  receive,          // recv
  receive_message,  // recvmsg
  send,
  send_message,
  accept,  // accept4
  connect,
  make_socket,
  get_option,
  set_option,
  end_output,  // shutdown
  wait,        // epoll_wait, epoll_pwait
  wake         // read and write of what libuv wakes a loop with
};
inline constexpr std::size_t call_count = static_cast<std::size_t>(call::wake) + 1;

const char* to_string(call which) noexcept;

// What becomes of one call.
struct fault {
  int error = 0;         // the call fails with it; 0: it does not
  std::size_t most = 0;  // bytes that it moves at most; 0: as many as it likes
  explicit operator bool() const noexcept { return error != 0 || most != 0; }
};

// Whether `error` leaves everything as it was, and the library has to try again. Others end the connection or the attempt to make one.
bool is_transient(call which, int error) noexcept;

class plan {
 public:
  plan() = default;
  plan(const plan&) = delete;
  plan& operator=(const plan&) = delete;
  virtual ~plan() = default;
  // `descriptor`: what is asked about, -1 if the call makes a new one. `bytes`: what it would move, 0 if none.
  virtual fault decide(call which, int descriptor, std::size_t bytes) = 0;
};

// In force for the calling thread while this object lives. Nothing is watched any more afterwards.
class in_force {
 public:
  explicit in_force(plan& active) noexcept;
  in_force(const in_force&) = delete;
  in_force& operator=(const in_force&) = delete;
  ~in_force();
};

// The first errors that were the answer to a question about one descriptor; 0: none yet.
struct strike {
  int error = 0;       // that ends it
  int soft_error = 0;  // that the library may ignore: of an option, or of the end of output
  bool has_struck() const noexcept { return error != 0 || soft_error != 0; }
};

// Strikes on `descriptor` are noted in `log` until the number is given to another socket.
void watch(int descriptor, strike& log) noexcept;

// Clocks of this thread go on by `span` at once.
void skip_time(std::chrono::milliseconds span) noexcept;

}  // namespace faults
