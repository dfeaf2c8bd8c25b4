#pragma once

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

 protected:
  virtual ~resource();
  // It is being destroyed, was before this object was made, or is gone.
  bool scheduler_ended() const noexcept { return owner_ == nullptr; }

 private:
  friend class sluice::scheduler;
  scheduler* owner_ = nullptr;  // null once it ended
  resource* previous_ = nullptr;
  resource* next_ = nullptr;
};

}  // namespace sluice::detail
