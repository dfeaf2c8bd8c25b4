#include "stream_connector.hpp"

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <uv.h>

#include <new>
#include <utility>

#include "socket.hpp"

namespace sluice::detail {
namespace {

result<transport&> failure(const address& to, std::error_code error) {
  return {error, "connecting to " + to.to_string() + ": " + error.message()};
}

}  // namespace

stream_connector::stream_connector(loop& owner, request wanted)
    : resource(owner), loop_(owner), request_(std::move(wanted)), timer_(owner, [this] { step(); }) {
  if (scheduler_ended()) {
    in_progress_ = false;
    return;
  }
  begin();
  if (error_) timer_.start(duration::zero());
}

stream_connector::~stream_connector() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void stream_connector::detach(std::unique_ptr<connecting::attempt> self) noexcept {
  if (in_progress_) self_ = std::move(self);
}

void stream_connector::scheduler_ends() noexcept {
  in_progress_ = false;
  watch_.close();
  socket_.close();
  timer_.stop();
  const auto last = std::move(self_);
}

void stream_connector::begin() {
  error_ = request_.refused;
  if (!error_) socket_ = open_stream_socket(request_.to, error_);
  if (error_) return;
  error_ = begin_connect(socket_.get(), request_.to);
  if (error_) return;
  const auto on_event = [](void* owner, int, int) { static_cast<stream_connector*>(owner)->writable(); };
  error_ = watch_.start(loop_, socket_.get(), UV_WRITABLE, on_event, this);
  if (!error_ && request_.timeout.count() > 0) timer_.start(request_.timeout);
}

void stream_connector::writable() {
  const int error = pending_error(socket_.get());
  const cork_guard turn(loop_);
  error == 0 ? succeed() : fail(system_error(error));
}

void stream_connector::step() { fail(error_ ? error_ : make_error_code(errc::timed_out)); }

void stream_connector::fail(std::error_code error) {
  watch_.close();
  socket_.close();
  const request wanted = std::move(request_);
  finish(failure(wanted.to, error), wanted.done);
}

// The factory and `connection_made` may destroy this attempt: then it has nothing more to say, and what they run from must outlive it.
void stream_connector::succeed() {
  watch_.close();
  const request wanted = std::move(request_);
  bool destroyed = false;
  destroyed_ = &destroyed;
  const result<transport&> outcome = make_connection(wanted, destroyed);
  if (destroyed) return;
  destroyed_ = nullptr;
  finish(outcome, wanted.done);
}

result<transport&> stream_connector::make_connection(const request& wanted, const bool& destroyed) {
  protocol_ptr upper = make_protocol(loop_, wanted.factory);
  if (destroyed) return make_error_code(errc::cancelled);
  descriptor socket = std::move(socket_);
  in_progress_ = false;
  if (upper == nullptr) return failure(wanted.to, errc::factory_failed);
  try {
    transport& made = stream_transport::start(wanted.channels(std::move(socket), wanted.to), std::move(upper));
    if (made.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
    return made;
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
}

// The handler may destroy this attempt.
void stream_connector::finish(const result<transport&>& outcome, const connect_handler& done) {
  in_progress_ = false;
  timer_.stop();
  const auto last = std::move(self_);
  if (done == nullptr) return;
  unique_function call = [&] { done(outcome); };
  loop_.run_turn(call, error_source::scheduled, "connect completion");
}

}  // namespace sluice::detail
