#include "mailbox.hpp"

#include <uv.h>

#include <utility>

namespace sluice::detail {

bool mailbox::post(unique_function& function, const char* what) {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) return false;
  waiting_.push_back({std::move(function), what});
  if (waiting_.size() == 1) uv_async_send(wake_);  // under the lock, so that the handle is not closed meanwhile
  return true;
}

void mailbox::take(std::vector<entry>& batch) noexcept {
  const std::lock_guard lock(mutex_);
  waiting_.swap(batch);
}

bool mailbox::empty() const noexcept {
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

std::vector<mailbox::entry> mailbox::close() noexcept {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  return std::exchange(waiting_, {});
}

}  // namespace sluice::detail
