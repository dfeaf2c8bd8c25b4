#pragma once

#include <uv.h>

#include <functional>
#include <vector>

#include <sluice/loop.hpp>

namespace sluice::testing {

inline constexpr unsigned deadline_ms = 20'000;  // far more than any case takes

/// Runs a loop until a condition holds that is asked before and after each wait for events, so that waiting costs no processor time.
class loop_driver {
 public:
  explicit loop_driver(const loop_options& options = {}) : loop_(options) {
    uv_prepare_init(loop_.native_handle(), &before_wait_);
    uv_check_init(loop_.native_handle(), &after_wait_);
    uv_timer_init(loop_.native_handle(), &deadline_);
    before_wait_.data = after_wait_.data = deadline_.data = this;
  }
  loop_driver(const loop_driver&) = delete;
  loop_driver& operator=(const loop_driver&) = delete;
  ~loop_driver() {
    for (uv_handle_t* handle : handles()) uv_close(handle, nullptr);
    uv_run(loop_.native_handle(), UV_RUN_NOWAIT);
  }

  sluice::loop& loop() { return loop_; }

  bool run_until(const std::function<bool()>& done) {
    if (done()) return true;
    done_ = &done;
    result_ = false;
    uv_prepare_start(&before_wait_, [](uv_prepare_t* handle) { static_cast<loop_driver*>(handle->data)->ask(); });
    uv_check_start(&after_wait_, [](uv_check_t* handle) { static_cast<loop_driver*>(handle->data)->ask(); });
    uv_timer_start(
        &deadline_, [](uv_timer_t* handle) { static_cast<loop_driver*>(handle->data)->loop_.stop(); }, deadline_ms, 0);
    loop_.run();
    uv_prepare_stop(&before_wait_);
    uv_check_stop(&after_wait_);
    uv_timer_stop(&deadline_);
    return result_ || done();
  }

 private:
  std::vector<uv_handle_t*> handles() {
    return {reinterpret_cast<uv_handle_t*>(&before_wait_), reinterpret_cast<uv_handle_t*>(&after_wait_),
            reinterpret_cast<uv_handle_t*>(&deadline_)};
  }

  void ask() {
    if (result_ || !(*done_)()) return;
    result_ = true;
    loop_.stop();
  }

  sluice::loop loop_;
  uv_prepare_t before_wait_{};
  uv_check_t after_wait_{};
  uv_timer_t deadline_{};
  const std::function<bool()>* done_ = nullptr;
  bool result_ = false;
};

}  // namespace sluice::testing
