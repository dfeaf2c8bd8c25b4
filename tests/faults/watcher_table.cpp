#include "watcher_table.hpp"

#include <sluice/descriptor.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <uv.h>

#include <stdexcept>

namespace faults {

void grow_watcher_table(sluice::loop& owner) {
  constexpr int high_number = 500;
  const sluice::descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sluice::descriptor high(::fcntl(socket.get(), F_DUPFD_CLOEXEC, high_number));
  if (!high) throw std::runtime_error("no descriptor above 500");
  auto* const watch = new uv_poll_t;
  uv_poll_init(owner.native_handle(), watch, high.get());
  uv_poll_start(watch, UV_READABLE, [](uv_poll_t*, int, int) {});
  uv_close(reinterpret_cast<uv_handle_t*>(watch), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  uv_run(owner.native_handle(), UV_RUN_NOWAIT);
}

}  // namespace faults
