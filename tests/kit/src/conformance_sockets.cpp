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

#include "loop_driver.hpp"

// Fixtures on a real loop.

namespace sluice::testing {
namespace {

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
  socket_fixture(address at, bool near_accepts, const loop_options& options)
      : driver_(options), near_accepts_(near_accepts), server_(driver_.loop(), accepted_.factory(), settings()) {
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

std::string name_of(const char* medium, near_side side, const loop_options& options) {
  std::string name = medium;
  if (options.portable_streams) name += " by libuv";
  return name.append(accepts(side) ? ", the accepting end" : ", the connecting end");
}

}  // namespace

transport_under_test over_tcp(near_side side, const loop_options& options) {
  const capabilities has{.hangup = !options.portable_streams,
                         .vigilance = !options.portable_streams,
                         .listener = true,
                         .completion = !accepts(side),
                         .addresses = true,
                         .no_delay = true};
  return {name_of("tcp", side, options), has,
          [side, options] { return std::make_unique<tcp_fixture>(address::loopback_v4(0), accepts(side), options); }};
}

transport_under_test over_local(near_side side, const loop_options& options) {
  const capabilities has{.reset = false,
                         .hangup = !options.portable_streams,
                         .vigilance = !options.portable_streams,
                         .listener = true,
                         .completion = !accepts(side),
                         .addresses = true,
                         .credentials = true};
  return {name_of("unix", side, options), has,
          [side, options] { return std::make_unique<local_fixture>(fresh_abstract_name(), accepts(side), options); }};
}

}  // namespace sluice::testing
