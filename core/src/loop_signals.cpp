#include <csignal>

#include <string>
#include <system_error>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>

#include "loop_impl.hpp"
#include "thread_check.hpp"

namespace sluice {

void loop::on_signal(int number, std::function<void()> handler) {
  if (wrong_thread("loop::on_signal")) return;
  const std::error_code error = impl_->watch(number, std::move(handler));
  if (!error) return;
  throw std::system_error(error, "loop::on_signal: signal " + std::to_string(number) +
                                     ": expected a handler, and the number of a signal that can be caught, such as SIGTERM (15)");
}

void loop::on_signal(int number, std::function<void()> handler, std::error_code& error) {
  error = wrong_thread("loop::on_signal") ? make_error_code(errc::misuse) : impl_->watch(number, std::move(handler));
}

bool loop::remove_signal(int number) { return !wrong_thread("loop::remove_signal") && impl_->unwatch(number); }

std::error_code loop::impl::watch(int number, std::function<void()> handler) {
  if (closing) return errc::closed;
  if (!handler) return system_error(EINVAL);
  auto shared = std::make_shared<const std::function<void()>>(std::move(handler));
  if (const auto found = signals_.find(number); found != signals_.end()) {
    found->second->handler = std::move(shared);
    return {};
  }
  auto fresh = std::make_unique<signal_watch>();
  signal_watch& watch = *fresh;
  const auto at = signals_.emplace(number, std::move(fresh)).first;
  watch.home = this;
  watch.handler = std::move(shared);
  if (const int result = uv_signal_init(&uv, &watch.handle)) {
    signals_.erase(at);
    return system_error(-result);
  }
  watch.handle.data = &watch;
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch.handle));
  const auto on_signal = [](uv_signal_t* handle, int) {
    const auto& arrived = *static_cast<signal_watch*>(handle->data);
    arrived.home->run_handler(arrived);
  };
  const int result = uv_signal_start(&watch.handle, on_signal, number);
  if (result != 0) unwatch(number);
  return system_error(-result);
}

bool loop::impl::unwatch(int number) noexcept {
  const auto found = signals_.find(number);
  if (found == signals_.end()) return false;
  signal_watch* const watch = found->second.release();  // the handle's until it is closed
  signals_.erase(found);
  uv_signal_stop(&watch->handle);
  if (number == SIGPIPE) ignore_sigpipe();
  watch->handler = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->handle), [](uv_handle_t* handle) { delete static_cast<signal_watch*>(handle->data); });
  return true;
}

void loop::impl::run_handler(const signal_watch& watch) noexcept {
  ++signals_handled;
  const std::string what = "the handler of signal " + std::to_string(watch.handle.signum);
  detail::unique_function call([handler = watch.handler] { (*handler)(); });
  owner.run_turn(call, error_source::scheduled, what);
}

// Nothing of ours raises it, but another library of the process, or standard output, may (rule G2).
void loop::impl::ignore_sigpipe() noexcept {
  struct sigaction now {};
  if (sigaction(SIGPIPE, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) return;
  now.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &now, nullptr);
}

}  // namespace sluice
