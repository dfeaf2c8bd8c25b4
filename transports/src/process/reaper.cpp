#include "reaper.hpp"

#include <sys/wait.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <new>
#include <thread>
#include <utility>

namespace sluice::process {
namespace {

enum class found {
  running,
  ended
};

// A child that somebody else has reaped has ended, nobody knows how.
found look_at(pid_t child, exit_status& status) noexcept {
  int told = 0;
  pid_t outcome = 0;
  do outcome = ::waitpid(child, &told, WNOHANG);
  while (outcome < 0 && errno == EINTR);
  if (outcome == 0) return found::running;
  if (outcome < 0)
    status = {.code = -1};
  else if (WIFSIGNALED(told))
    status = {.code = 0, .signal = WTERMSIG(told)};
  else
    status = {.code = WEXITSTATUS(told)};
  return found::ended;
}

}  // namespace

reaper::reaper(loop& owner) : resource(owner), loop_(owner) {}

reaper::~reaper() = default;

bool reaper::prepare() {
  if (scheduler_ended()) return false;
  if (children_.size() == children_.capacity()) children_.reserve(2 * children_.size() + 8);
  if (signal_ != nullptr) return true;
  auto made = std::make_unique<uv_signal_t>();
  if (uv_signal_init(loop_.native_handle(), made.get()) != 0) return false;
  signal_ = made.release();
  signal_->data = this;
  uv_signal_start(
      signal_, [](uv_signal_t* handle, int) { static_cast<reaper*>(handle->data)->reap_all(); }, SIGCHLD);
  keep_loop(false);
  return true;
}

void reaper::watch(pid_t child, watcher& told) noexcept {
  children_.push_back({child, &told, nullptr});
  keep_loop(true);
}

void reaper::keep_loop(bool wanted) noexcept {
  if (signal_ == nullptr) return;
  const auto handle = reinterpret_cast<uv_handle_t*>(signal_);
  wanted ? uv_ref(handle) : uv_unref(handle);
}

bool reaper::try_to_reap(pid_t child, exit_status& status) noexcept {
  if (look_at(child, status) == found::running) return false;
  std::erase_if(children_, [child](const entry& each) { return each.child == child; });
  keep_loop(!children_.empty());
  return true;
}

reaper::entry* reaper::find(pid_t child) noexcept {
  const auto at = std::ranges::find(children_, child, &entry::child);
  return at == children_.end() ? nullptr : &*at;
}

void reaper::kill(pid_t child) noexcept {
  entry* const there = find(child);
  if (there == nullptr) return;
  there->told = nullptr;
  ::kill(child, SIGKILL);
}

// Where there is no memory for a deadline, there is no patience.
void reaper::leave(pid_t child, duration patience) noexcept {
  entry* const there = find(child);
  if (there == nullptr) return;
  there->told = nullptr;
  try {
    there->deadline = std::make_unique<timer>(loop_, [this, child] { kill(child); });
    there->deadline->start(patience);
  } catch (const std::bad_alloc&) {
    kill(child);
  }
}

// One signal may stand for several children. Watchers may start others.
void reaper::reap_all() noexcept {
  for (std::size_t i = 0; i < children_.size();) {
    exit_status status;
    if (look_at(children_[i].child, status) == found::running) {
      ++i;
      continue;
    }
    watcher* const told = children_[i].told;
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
    if (told != nullptr) told->child_exited(status);
  }
  keep_loop(!children_.empty());
}

// Whoever was killed is gone within a moment, unless the system holds it; then it is left.
void reaper::scheduler_ends() noexcept {
  constexpr std::chrono::milliseconds patience(1000);
  for (const entry& each : children_) ::kill(each.child, SIGKILL);
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const entry& each : children_) {
    exit_status status;
    while (look_at(each.child, status) == found::running && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  for (const entry& each : std::exchange(children_, {}))
    if (each.told != nullptr) each.told->loop_ends();
  if (signal_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(signal_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_signal_t*>(handle); });
}

}  // namespace sluice::process
