#include <sluice/serial/port_watch.hpp>

#include <sluice/descriptor.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/error.hpp>
#include <sluice/timer.hpp>

#include <sys/inotify.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include "socket/socket_watch.hpp"

namespace sluice::serial {
namespace {

constexpr std::uint32_t what_matters = IN_CREATE | IN_DELETE | IN_MOVE | IN_ATTRIB | IN_ONLYDIR;
constexpr auto settle_time = std::chrono::milliseconds(10);  // changes come in groups
constexpr std::size_t notice_bytes = 4096;
constexpr int most_reads = 16;

const port* find(const std::vector<port>& among, const std::string& path) {
  const auto found = std::ranges::find(among, path, &port::path);
  return found == among.end() ? nullptr : &*found;
}

}  // namespace

class port_watch::impl final : public sluice::detail::resource, public std::enable_shared_from_this<impl> {
 public:
  impl(loop& owner, handler on_change, port_watch_options options)
      : resource(owner), loop_(owner), on_change_(std::move(on_change)), options_(std::move(options)), next_look_(owner, [this] {
          look();
        }) {}

  void start() {
    if (options_.notify) begin_to_listen();
    look();
  }

  void close() noexcept {
    closed_ = true;
    next_look_.stop();
    job_.abandon();
    watch_.close();
    inotify_.close();
  }

  const std::vector<port>& ports() const noexcept { return ports_; }
  std::error_code error() const noexcept { return error_; }
  std::uint64_t looks() const noexcept { return looks_; }
  bool is_notified() const noexcept { return notified_; }

 private:
  void scheduler_ends() noexcept override { close(); }

  void begin_to_listen() {
    inotify_ = descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify_.is_open()) return;
    const auto on_notice = [](void* self, int status, int) { static_cast<impl*>(self)->noticed(status); };
    if (!watch_.start(loop_, inotify_.get(), UV_READABLE, on_notice, this)) listen_in_folders();
  }

  // Folders that are there already are watched on. Those below appear with the first link: the one above tells of it.
  void listen_in_folders() noexcept {
    notified_ = listen_in("");
    for (const char* folder : {"/serial", "/serial/by-id", "/serial/by-path"}) listen_in(folder);
  }

  bool listen_in(const char* folder) noexcept {
    return ::inotify_add_watch(inotify_.get(), (options_.where.dev + folder).c_str(), what_matters) >= 0;
  }

  void noticed(int status) {
    if (status != 0) {
      watch_.close();
      notified_ = false;
    }
    alignas(inotify_event) std::array<char, notice_bytes> notices;
    for (int i = 0; i<most_reads&& ::read(inotify_.get(), notices.data(), notices.size())> 0; ++i) continue;
    look_soon();
  }

  void look_soon() {
    if (looking_)
      look_again_ = true;
    else if (!next_look_.is_running() || !notified_)
      next_look_.start(settle_time);
  }

  // Watched before it is listed, so that nothing falls between.
  void look() {
    looking_ = true;
    look_again_ = false;
    if (inotify_.is_open() && options_.notify) listen_in_folders();
    job_ = loop_.run_in_executor([where = options_.where] { return list_ports(where); },
                                 [self = weak_from_this()](job_result<result<std::vector<port>>> listed) {
                                   if (const auto there = self.lock()) there->looked(listed.get());
                                 });
  }

  void looked(result<std::vector<port>> listed) {
    looking_ = false;
    ++looks_;
    error_ = listed.error();
    if (look_again_)
      next_look_.start(settle_time);
    else if (!notified_)
      next_look_.start(options_.poll_interval);
    if (listed) tell(std::exchange(ports_, *std::move(listed)));
  }

  // `ports_` may not be another one before all is told: a look ends in a turn of its own.
  void tell(const std::vector<port>& before) {
    for (const port& each : before)
      if (find(ports_, each.path) == nullptr) tell(port_change::removed, each);
    for (const port& each : ports_) {
      const port* const was = find(before, each.path);
      if (was == nullptr || *was != each) tell(was == nullptr ? port_change::added : port_change::changed, each);
    }
  }

  void tell(port_change what, const port& which) {
    if (closed_) return;
    sluice::detail::unique_function call([this, what, &which] { on_change_({what, which}); });
    loop_.run_turn(call, error_source::callback, "port_watch");
  }

  loop& loop_;
  handler on_change_;
  port_watch_options options_;
  descriptor inotify_;
  sluice::detail::socket_watch watch_;
  timer next_look_;
  executor_job job_;
  std::vector<port> ports_;
  std::error_code error_;
  std::uint64_t looks_ = 0;
  bool notified_ = false;
  bool looking_ = false;
  bool look_again_ = false;
  bool closed_ = false;
};

port_watch::port_watch(loop& owner, handler on_change, port_watch_options options) {
  if (!on_change) throw std::invalid_argument("port_watch: the handler is empty");
  if (options.poll_interval < std::chrono::milliseconds(1)) throw std::invalid_argument("port_watch: the interval is below 1 ms");
  impl_ = std::make_shared<impl>(owner, std::move(on_change), std::move(options));
  impl_->start();
}

port_watch::~port_watch() { impl_->close(); }

const std::vector<port>& port_watch::ports() const noexcept { return impl_->ports(); }
std::error_code port_watch::error() const noexcept { return impl_->error(); }
std::uint64_t port_watch::looks() const noexcept { return impl_->looks(); }
bool port_watch::is_notified() const noexcept { return impl_->is_notified(); }

}  // namespace sluice::serial
