#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>

#include "output_end.hpp"
#include "socket/socket_watch.hpp"

namespace sluice::pipe {

// Writes to a non-blocking descriptor.
class polled_output final : public output_end {
 public:
  explicit polled_output(descriptor to) noexcept;
  // To be called first; `told` owns this object from now on. May throw std::bad_alloc.
  std::error_code begin(loop& scheduler, listener& told);

  send_result send(std::span<const const_bytes> parts) override;
  void wait() override;
  progress end() override;
  void drop() noexcept override;

 private:
  static void on_event(void* self, int status, int events);

  listener* told_ = nullptr;
  descriptor to_;
  detail::socket_watch watch_;  // made once and paused: one for each wait would come from the heap
  bool waiting_ = false;
};

}  // namespace sluice::pipe
