#pragma once

#include <cstdint>

namespace sluice {
class scheduler;
}

namespace sluice::detail {

// Something that belongs to a user and holds handles of a scheduler: a server, a connection attempt. The scheduler tells it when it ends
// first, so that neither order of destruction leaves a handle behind.
class resource {
 public:
  explicit resource(scheduler& owner) noexcept;
  resource(const resource&) = delete;
  resource& operator=(const resource&) = delete;

  // The scheduler is being destroyed: give the handles back; the scheduler must not be used afterwards.
  virtual void scheduler_ends() noexcept = 0;
  // A shutdown begins: start nothing new, and end what was started and is no transport yet. May call user code.
  virtual void shut_down() {}
  // The memory budget is used up, or is no longer: bring no new connections meanwhile.
  virtual void memory_short(bool) {}

 protected:
  virtual ~resource();
  // It is being destroyed, was before this object was made, or is gone.
  bool scheduler_ended() const noexcept { return owner_ == nullptr; }

 private:
  friend class sluice::scheduler;
  scheduler* owner_ = nullptr;  // null once it ended
  resource* previous_ = nullptr;
  resource* next_ = nullptr;
  std::uint32_t round_ = 0;  // the last walk over all resources that has been here
};

}  // namespace sluice::detail
