#include "stream_connector.hpp"

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <new>
#include <utility>

#include "connect_report.hpp"

namespace sluice::detail {

using pacing = happy_eyeballs_machine::pacing;

stream_connector::stream_connector(loop& owner, request wanted)
    : resource(owner),
      loop_(owner),
      request_(std::move(wanted)),
      machine_(request_.attempt_delay.count() > 0 ? pacing::staggered : pacing::sequential),
      began_(owner.now()),
      deadline_(owner, [this] { run([this] { time_is_over(); }); }),
      delay_(owner, [this] { run([this] { perform(machine_.delay_passed()); }); }) {
  in_progress_ = !scheduler_ended();
  if (in_progress_ && request_.timeout.count() > 0) deadline_.start(request_.timeout);
}

// What an event leads to is a turn. Want of memory ends the whole with that error, not without a word.
template <typename Step>
void stream_connector::run(const Step& step) {
  unique_function guarded = [&, this] {
    try {
      step();
    } catch (const std::bad_alloc&) {
      let_go();
      const request wanted = std::move(request_);
      finish(make_error_code(std::errc::not_enough_memory), wanted.done);
    }
  };
  loop_.run_turn(guarded, error_source::scheduled, "connecting");
}

stream_connector::~stream_connector() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void stream_connector::detach(std::unique_ptr<connecting::attempt> self) noexcept {
  if (in_progress_) self_ = std::move(self);
}

void stream_connector::scheduler_ends() noexcept {
  in_progress_ = false;
  let_go();
  const auto last = std::move(self_);
}

void stream_connector::shut_down() {
  if (error_) return;
  try {
    refuse(errc::cancelled, "this program is shutting down");
  } catch (const std::bad_alloc&) {
    refuse(errc::cancelled);
  }
}

void stream_connector::let_go() noexcept {
  query_.cancel();
  under_way_.clear();
  deadline_.stop();
  delay_.stop();
}

void stream_connector::refuse(std::error_code error, std::string why) {
  if (!in_progress_) return;
  error_ = error;
  why_ = why.empty() ? error.message() : std::move(why);
  deadline_.start(duration::zero());
}

void stream_connector::connect_to(const address& to) {
  if (!in_progress_ || error_) return;
  if (!is_candidate(to)) return refuse(errc::bad_address, "the two addresses are of different families");
  addresses_ = {to};
  perform(machine_.resolved(1));
}

void stream_connector::connect_to(const name_request& name) {
  if (!in_progress_ || error_) return;
  const auto handler = [this, port = name.port, count = name.first_family_count](const auto& found) {
    run([&, this] { resolved(found, port, count); });
  };
  query_ = name.names.resolve(name.host, handler, name.family);
  if (!query_.in_progress()) refuse(errc::closed, "the resolver's loop has ended");
}

void stream_connector::resolved(const result<std::vector<address>>& found, std::uint16_t port, unsigned first_family_count) {
  if (!found) {
    error_ = found.error();
    why_ = found.detail();
    return perform(machine_.not_resolved());
  }
  for (const address& each : *found)
    if (is_candidate(each)) addresses_.push_back(each.port() == 0 ? each.with_port(port) : each);
  addresses_ = interleave_families(addresses_, first_family_count);
  if (addresses_.empty()) {
    error_ = errc::bad_address;
    why_ = "the name has no address of that family, only";
    for (const address& each : *found) why_ += ' ' + each.host();
  }
  perform(machine_.resolved(addresses_.size()));
}

bool stream_connector::is_candidate(const address& to) const noexcept {
  return request_.local.empty() || request_.local.family() == to.family();
}

void stream_connector::perform(action then) {
  switch (then) {
    case action::none: break;
    case action::begin:
      delay_.stop();
      begin_next();
      break;
    case action::begin_and_wait:
      delay_.start(request_.attempt_delay);
      begin_next();
      break;
    case action::take: break;  // by `succeed`, which has asked
    case action::give_up: fail(); break;
  }
}

void stream_connector::begin_next() {
  socket_attempt::listener& told = *this;
  try {
    under_way_.push_back(std::make_unique<socket_attempt>(loop_, addresses_[machine_.begun() - 1], request_.local, told));
  } catch (const std::bad_alloc&) {
    refuse(make_error_code(std::errc::not_enough_memory));
  }
}

void stream_connector::attempt_ended(socket_attempt& ended, std::error_code error) {
  run([&, this] { error ? attempt_failed(ended, error) : succeed(ended); });
}

void stream_connector::attempt_failed(const socket_attempt& ended, std::error_code error) {
  failed_.push_back(record_of(ended, error));
  std::erase_if(under_way_, [&](const auto& each) { return each.get() == &ended; });
  if (tell({failed_.back()})) perform(machine_.attempt_failed());
}

// Also for what is to fail in this turn, because it was refused in another.
void stream_connector::time_is_over() {
  if (!error_) {
    error_ = errc::timed_out;
    why_ = describe_timeout(addresses_, machine_.begun(), failed_, request_.target);
  }
  std::vector<connect_attempt> cut_off;
  for (const auto& each : under_way_) cut_off.push_back(record_of(*each, error_));
  let_go();
  if (tell(cut_off)) perform(machine_.deadline_passed());
}

connect_attempt stream_connector::record_of(const socket_attempt& ended, std::error_code error) const {
  return {ended.to(), error, ended.began() - began_, loop_.now() - ended.began()};
}

// False: the observer has destroyed this object.
bool stream_connector::tell(const std::vector<connect_attempt>& ended) {
  const connect_observer observer = request_.observer;  // must outlive this object
  if (observer == nullptr) return true;
  bool destroyed = false;
  destroyed_ = &destroyed;
  for (const connect_attempt& each : ended) {
    unique_function call = [&] { observer(each); };
    loop_.run_turn(call, error_source::scheduled, "connect observer");
    if (destroyed) return false;
  }
  destroyed_ = nullptr;
  return true;
}

// The observer, the factory and `connection_made` may destroy this object: then it has nothing more to say, and what they run from must
// outlive it.
void stream_connector::succeed(socket_attempt& winner) {
  if (machine_.attempt_succeeded() != action::take) return;
  std::vector<connect_attempt> ended{record_of(winner, {})};
  for (const auto& each : under_way_)
    if (each.get() != &winner) ended.push_back(record_of(*each, errc::cancelled));
  descriptor socket = winner.take();
  let_go();
  const address peer = ended.front().to;
  if (!tell(ended)) return;
  const request wanted = std::move(request_);
  bool destroyed = false;
  destroyed_ = &destroyed;
  const result<transport&> outcome = make_connection(wanted, std::move(socket), peer, destroyed);
  if (destroyed) return;
  destroyed_ = nullptr;
  finish(outcome, wanted.done);
}

result<transport&> stream_connector::make_connection(const request& wanted, descriptor socket, const address& peer, const bool& destroyed) {
  protocol_ptr upper = make_protocol(loop_, wanted.factory);
  if (destroyed) return make_error_code(errc::cancelled);
  in_progress_ = false;
  try {
    if (upper == nullptr)
      return {errc::factory_failed, "connecting to " + wanted.target + ": " + make_error_code(errc::factory_failed).message()};
    transport& made = stream_transport::start(wanted.channels(std::move(socket), peer), std::move(upper));
    if (made.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
    return made;
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
}

void stream_connector::fail() {
  let_go();
  const address& from = request_.local;
  std::string text = "connecting to " + request_.target;
  if (!from.empty()) text += " from " + (from.is_ip() && from.port() == 0 ? from.host() : from.to_string());
  text += ": " + (error_ ? why_ : describe_failures(failed_, request_.target));
  const request wanted = std::move(request_);
  finish({error_ ? error_ : common_error(failed_), std::move(text)}, wanted.done);
}

// The handler may destroy this object.
void stream_connector::finish(const result<transport&>& outcome, const connect_handler& done) {
  in_progress_ = false;
  deadline_.stop();  // started again if a callback has begun a shutdown
  const auto last = std::move(self_);
  if (done == nullptr) return;
  unique_function call = [&] { done(outcome); };
  loop_.run_turn(call, error_source::scheduled, "connect completion");
}

}  // namespace sluice::detail
