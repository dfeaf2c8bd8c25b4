#include <uv.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sluice/info.hpp>
#include <sluice/local.hpp>
#include <sluice/loop.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/transport_conformance.hpp>

// Fixtures on a real loop.

namespace sluice::testing {
namespace {

constexpr unsigned deadline_ms = 20'000;  // far more than any case takes

/// Runs a loop until a condition holds that is asked before and after each wait for events, so that waiting costs no processor time.
class loop_driver {
 public:
  loop_driver() {
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

// The cases fill connections again and again; the system's buffers of some megabytes would make that slow.
void shrink_buffers(transport& end) {
  const int size = 64 * 1024;
  const int descriptor = end.info<native_descriptor>().value_or(native_descriptor{}).value;
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) setsockopt(descriptor, SOL_SOCKET, option, &size, sizeof size);
}

/// Protocols in the order in which connections will want them.
class protocol_queue {
 public:
  void add(protocol_ptr next) { waiting_->push_back(std::move(next)); }
  protocol_factory factory() const {
    return [waiting = waiting_]() -> protocol_ptr {
      if (waiting->empty()) return nullptr;
      protocol_ptr next = std::move(waiting->front());
      waiting->pop_front();
      return next;
    };
  }

 private:
  std::shared_ptr<std::deque<protocol_ptr>> waiting_ = std::make_shared<std::deque<protocol_ptr>>();
};

template <typename Settings>
using connect_function = connecting (*)(loop&, const address&, protocol_factory, connect_handler, const Settings&);

/// The near end connects, or accepts if `near_accepts`.
template <typename Server, typename Settings, connect_function<Settings> Connect>
class socket_fixture final : public transport_fixture {
 public:
  socket_fixture(address at, bool near_accepts) : near_accepts_(near_accepts), server_(driver_.loop(), accepted_.factory(), settings()) {
    address_ = server_.listen(at);
  }

  sluice::scheduler& scheduler() override { return driver_.loop(); }
  bool run_until(const std::function<bool()>& done) override { return driver_.run_until(done); }

  void connect(protocol_ptr near, protocol_ptr far) override {
    accepted_.add(std::move(near_accepts_ ? near : far));
    dial_to(address_, std::move(near_accepts_ ? far : near));
  }
  std::optional<std::error_code> completion() const override { return completion_; }

  void listen(protocol_factory accepted) override {
    server_.close();
    listener_ = std::make_unique<Server>(driver_.loop(), std::move(accepted));
    listening_at_ = listener_->listen(address_.is_ip() ? address_.with_port(0) : address_);
  }
  void dial(protocol_ptr from) override { dial_to(listening_at_, std::move(from)); }
  void stop_listening() override { listener_->close(); }

 private:
  // Lingering ends soon, so that a case takes milliseconds; the cases that are about it set a time of their own.
  static Settings settings() {
    Settings result;
    result.stream.linger = std::chrono::milliseconds(2);
    return result;
  }

  void dial_to(const address& to, protocol_ptr from) {
    protocol_queue one;
    one.add(std::move(from));
    const auto done = [this](const result<transport&>& made) {
      completion_ = made.error();
      driver_.loop().for_each_transport(shrink_buffers);
    };
    attempts_.push_back(Connect(driver_.loop(), to, one.factory(), done, settings()));
  }

  loop_driver driver_;
  protocol_queue accepted_;
  bool near_accepts_;
  Server server_;
  address address_;
  std::unique_ptr<Server> listener_;
  address listening_at_;
  std::vector<connecting> attempts_;
  std::optional<std::error_code> completion_;
};

using tcp_fixture = socket_fixture<tcp::server, tcp::options, &tcp::connect>;
using local_fixture = socket_fixture<local::server, local::options, &local::connect>;

address fresh_abstract_name() {
  static std::atomic<unsigned> count{0};
  return address::unix_abstract("sluice-conformance-" + std::to_string(getpid()) + '-' + std::to_string(++count));
}

constexpr bool accepts(near_side side) { return side == near_side::accepts; }

std::string name_of(const char* medium, near_side side) {
  return std::string(medium) + (accepts(side) ? ", the accepting end" : ", the connecting end");
}

}  // namespace

transport_under_test over_tcp(near_side side) {
  const capabilities has{.hangup = true, .listener = true, .completion = !accepts(side), .addresses = true, .no_delay = true};
  return {name_of("tcp", side), has, [side] { return std::make_unique<tcp_fixture>(address::loopback_v4(0), accepts(side)); }};
}

transport_under_test over_local(near_side side) {
  const capabilities has{
      .reset = false, .hangup = true, .listener = true, .completion = !accepts(side), .addresses = true, .credentials = true};
  return {name_of("unix", side), has, [side] { return std::make_unique<local_fixture>(fresh_abstract_name(), accepts(side)); }};
}

}  // namespace sluice::testing
