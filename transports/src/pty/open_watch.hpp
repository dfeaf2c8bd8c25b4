#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>

#include <string>
#include <system_error>

#include "socket/socket_watch.hpp"

namespace sluice::pty {

// Tells when somebody opens a file.
class open_watch {
 public:
  using handler = void (*)(void* owner);

  // `told` is called outside any turn, and again as long as `stop` was not called.
  std::error_code start(loop& scheduler, const std::string& file, handler told, void* owner);
  void stop() noexcept;

 private:
  static void on_notice(void* self, int status, int events);

  descriptor inotify_;
  detail::socket_watch watch_;
  handler told_ = nullptr;
  void* owner_ = nullptr;
};

}  // namespace sluice::pty
