#include "open_watch.hpp"

#include <sluice/error.hpp>

#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

namespace sluice::pty {

std::error_code open_watch::start(loop& scheduler, const std::string& file, handler told, void* owner) {
  told_ = told;
  owner_ = owner;
  inotify_ = descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_ || ::inotify_add_watch(inotify_.get(), file.c_str(), IN_OPEN) < 0) return system_error(errno);
  return watch_.start(scheduler, inotify_.get(), UV_READABLE, &open_watch::on_notice, this);
}

void open_watch::stop() noexcept {
  watch_.close();
  inotify_.close();
}

void open_watch::on_notice(void* self, int, int) {
  auto& here = *static_cast<open_watch*>(self);
  alignas(inotify_event) char notices[512];
  while (::read(here.inotify_.get(), notices, sizeof notices) > 0) continue;
  here.told_(here.owner_);
}

}  // namespace sluice::pty
