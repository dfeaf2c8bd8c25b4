#pragma once

#include <mutex>
#include <vector>

#include <sluice/detail/unique_function.hpp>

struct uv_async_s;

namespace sluice::detail {

// What other threads want done in a loop's thread. Shared by the loop and by whoever may outlive it.
class mailbox {
 public:
  struct entry {
    unique_function function;
    const char* what;  // names it in the report of an exception
  };

  explicit mailbox(uv_async_s& wake) noexcept : wake_(&wake) {}

  // Any thread. False, with nothing taken, once it is closed.
  bool post(unique_function& function, const char* what);

  // The loop's thread from here on. Moves what is waiting to `batch`, which must be empty and whose memory is used again.
  void take(std::vector<entry>& batch) noexcept;
  bool empty() const noexcept;
  // Never wakes the loop again, and gives back what is waiting.
  std::vector<entry> close() noexcept;

 private:
  mutable std::mutex mutex_;
  std::vector<entry> waiting_;
  uv_async_s* wake_;  // null: closed
};

}  // namespace sluice::detail
