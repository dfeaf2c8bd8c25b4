#include "stream_server.hpp"

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <utility>

#include "socket.hpp"

namespace sluice::detail {
namespace {

constexpr int most_accepts_per_event = 64;    // bounded, so that a storm of connections does not starve those that exist (rule S9)
constexpr int most_accepts_at_close = 65536;  // more than any backlog holds
constexpr auto retry_after = std::chrono::seconds(1);

bool is_shortage(int error) noexcept { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

struct stream_server::listener {
  stream_server& server;
  descriptor socket;
  address bound;
  std::function<void()> at_close;
  socket_watch watch = {};

  bool is_open() const noexcept { return socket.is_open(); }
  void close() {
    watch.close();
    socket.close();
    if (const auto last = std::exchange(at_close, {})) last();
  }
};

stream_server::stream_server(loop& owner, protocol_factory factory, channel_factory channels)
    : resource(owner), loop_(owner), factory_(std::move(factory)), channels_(std::move(channels)), retry_(owner, [this] {
        resume_accepting();
      }) {}

stream_server::~stream_server() { stop_listening(); }

void stream_server::dispose(std::unique_ptr<stream_server> server) {
  server->close();
  loop& owner = server->loop_;
  if (server->accepting_) owner.call_soon([last = std::move(server)] {});
}

std::error_code stream_server::listen(descriptor socket, int backlog, std::function<void()> at_close) {
  if (scheduler_ended()) return errc::closed;
  if (::listen(socket.get(), backlog) != 0) return system_error(errno);
  const int number = socket.get();
  auto made = std::unique_ptr<listener>(new listener{*this, std::move(socket), bound_address(number), std::move(at_close)});
  const auto on_event = [](void* owner, int, int) {
    auto& from = *static_cast<listener*>(owner);
    from.server.accept_some(from, most_accepts_per_event);
  };
  if (const auto error = made->watch.start(loop_, number, UV_READABLE, on_event, made.get())) return error;
  listeners_.push_back(std::move(made));
  return {};
}

// Clients that the system has already accepted for us are served, unless we are in the middle of accepting one (rules S2, L16).
void stream_server::close() {
  if (!accepting_)
    for (std::size_t i = 0; i < listeners_.size(); ++i) accept_some(*listeners_[i], most_accepts_at_close);
  stop_listening();
}

void stream_server::stop_listening() {
  retry_.stop();
  for (auto& each : std::exchange(listeners_, {})) {
    each->close();
    closed_.push_back(std::move(each));
  }
  if (!accepting_) closed_.clear();
}

void stream_server::scheduler_ends() noexcept { stop_listening(); }

std::vector<address> stream_server::sockets() const {
  std::vector<address> result;
  for (const auto& each : listeners_) result.push_back(each->bound);
  return result;
}

void stream_server::accept_some(listener& from, int most) {
  accepting_ = true;
  for (int i = 0; i < most && from.is_open() && accept_one(from); ++i) continue;
  accepting_ = false;
  closed_.clear();
}

bool stream_server::accept_one(listener& from) {
  address peer;
  descriptor socket = accept_socket(from.socket.get(), peer);
  if (!socket.is_open()) return accept_failed(errno);
  out_of_resources_ = false;
  make_connection(std::move(socket), peer);
  return true;
}

// True: try the next one (rule S11).
bool stream_server::accept_failed(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return false;
  ++counters_.accept_errors;
  if (!is_shortage(error)) return true;
  pause_accepting(error);
  return false;
}

// Reported once per episode, and no spinning on the listener meanwhile (rule S10).
void stream_server::pause_accepting(int error) {
  for (const auto& each : listeners_) each->watch.pause();
  retry_.start(retry_after);
  if (std::exchange(out_of_resources_, true)) return;
  ++counters_.accept_pauses;
  loop_.report({error_source::accept, 0, system_error(error), nullptr, "accepting is paused; it is tried again every second"});
}

void stream_server::resume_accepting() {
  for (const auto& each : listeners_) each->watch.resume();
}

void stream_server::make_connection(descriptor socket, const address& peer) {
  const cork_guard turn(loop_);
  protocol_ptr upper = make_protocol(loop_, factory_);
  if (!is_serving()) return;  // a listener closed by the factory takes no more (rule L16)
  if (upper == nullptr) {
    ++counters_.factory_failures;
    return;
  }
  try {
    stream_transport::start(channels_(std::move(socket), peer), std::move(upper));
    ++counters_.accepted;
  } catch (const std::bad_alloc&) {
    ++counters_.accept_errors;
    loop_.report(
        {error_source::accept, 0, make_error_code(std::errc::not_enough_memory), std::current_exception(), "a connection was closed"});
  }
}

}  // namespace sluice::detail
