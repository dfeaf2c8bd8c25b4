#pragma once

#include <sluice/connecting.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/loop.hpp>
#include <sluice/result.hpp>
#include <sluice/timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace sluice::detail {

// Connecting to what is opened and not waited for: in a later turn, and again and again where it is not there yet.
class posted_start final : public connecting::attempt, private resource {
 public:
  // Makes the transport, or says that it is not to be had; nothing: not yet.
  using try_function = std::function<std::optional<result<transport&>>()>;

  // `timeout` 0 is for ever.
  posted_start(loop& owner, try_function tried, connect_handler done, std::chrono::milliseconds timeout);
  ~posted_start() override;

  bool in_progress() const noexcept override { return in_progress_; }
  void detach(std::unique_ptr<connecting::attempt> self) noexcept override;

 private:
  void scheduler_ends() noexcept override;
  void shut_down() override;
  void try_now();
  void finish(const result<transport&>& outcome);

  loop& loop_;
  try_function try_;
  connect_handler done_;
  std::optional<time_point> deadline_;
  std::chrono::milliseconds pause_{1};
  timer next_;
  bool in_progress_;
  bool cancelled_ = false;                     // by a shutdown
  bool* destroyed_ = nullptr;                  // set by the destructor, where somebody has to know
  std::unique_ptr<connecting::attempt> self_;  // when nobody else owns it
};

}  // namespace sluice::detail
