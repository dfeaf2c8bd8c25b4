#include "serial_opening.hpp"

#include <sluice/detail/make_protocol.hpp>
#include <sluice/detail/unique_function.hpp>
#include <sluice/error.hpp>
#include <sluice/stream_transport.hpp>

#include <new>
#include <stdexcept>
#include <utility>

#include "serial_channel.hpp"

namespace sluice::serial {
namespace {

using namespace std::chrono_literals;

std::string find_fault_of(const options& wanted) {
  if (wanted.packet_size == 0) return "packets of 0 bytes; expected at least 1";
  if (wanted.silence < 0ns || wanted.packet_time < 0ns || wanted.byte_pause < 0ns) return "a negative time; expected 0 or more";
  if (makes_packets(wanted) && wanted.line.mark_errors) return "packets together with marks of errors; expected one of them";
  if (wanted.stream.write_buffer.low > wanted.stream.write_buffer.high) return "a low mark above the high one";
  return find_fault(wanted.line);
}

}  // namespace

opening::opening(scheduler& owner, std::unique_ptr<device> line, protocol_factory factory, connect_handler done, const options& wanted)
    : resource(owner),
      owner_(owner),
      device_(std::move(line)),
      factory_(std::move(factory)),
      done_(std::move(done)),
      options_(wanted),
      deadline_(owner, [this] { time_is_over(); }) {
  if (scheduler_ended()) device_.reset();
}

// An attempt that nobody waits for any more.
opening::~opening() {
  *self_in_handlers_ = nullptr;
  if (destroyed_ != nullptr) *destroyed_ = true;
  if (device_ != nullptr && !is_closing_) device_->close({});
}

void opening::begin() {
  if (!in_progress()) return;
  if (const std::string fault = find_fault_of(options_); !fault.empty()) return close_and_fail(errc::bad_settings, fault);
  if (options_.open_timeout.count() > 0) deadline_.start(options_.open_timeout);
  device_->open(options_, [self = self_in_handlers_](const result<opened>& outcome) {
    if (*self != nullptr) (*self)->opened_device(outcome);
  });
}

void opening::detach(std::unique_ptr<connecting::attempt> self) noexcept {
  if (in_progress()) self_ = std::move(self);
}

void opening::scheduler_ends() noexcept {
  *self_in_handlers_ = nullptr;
  deadline_.stop();
  if (device_ != nullptr && !is_closing_) device_->close({});
  device_.reset();
  const auto last = std::move(self_);
}

void opening::shut_down() {
  if (in_progress()) close_and_fail(sluice::errc::cancelled, "this program is shutting down");
}

void opening::time_is_over() { close_and_fail(sluice::errc::timed_out, "the driver did not open it in time"); }

void opening::opened_device(const result<opened>& outcome) {
  if (!outcome) return finish({outcome.error(), "opening " + outcome.detail()});
  const std::string deviation = describe_deviation(options_.line, outcome->line);
  if (!deviation.empty() && options_.strict && !outcome->pretends)
    return close_and_fail(errc::settings_refused, "the driver " + outcome->driver + " took other settings: " + deviation);
  succeed(*outcome);
}

// The line is free again when the handler is told, so that it may try anew.
void opening::close_and_fail(std::error_code error, const std::string& why) {
  if (std::exchange(is_closing_, true)) return;
  deadline_.stop();
  device_->close([self = self_in_handlers_, error, text = "opening " + device_->name() + ": " + why] {
    if (*self != nullptr) (*self)->finish({error, text});
  });
}

// The factory and `connection_made` may destroy this object.
void opening::succeed(const opened& found) {
  deadline_.stop();
  bool destroyed = false;
  destroyed_ = &destroyed;
  const protocol_factory factory = factory_;
  protocol_ptr upper = sluice::detail::make_protocol(owner_, factory);
  if (destroyed) return;
  if (upper == nullptr) {
    destroyed_ = nullptr;
    return close_and_fail(sluice::errc::factory_failed, make_error_code(sluice::errc::factory_failed).message());
  }
  if (upper->needs_every_byte() && !reserved_on(options_.line, options_.force_xon_xoff).empty()) {
    destroyed_ = nullptr;
    return close_and_fail(sluice::errc::bytes_reserved, why_not_every_byte());
  }
  const result<transport&> outcome = make_transport(std::move(upper), std::move(device_), found);
  if (destroyed) return;
  destroyed_ = nullptr;
  finish(outcome);
}

result<transport&> opening::make_transport(protocol_ptr upper, std::unique_ptr<device> line, const opened& found) {
  try {
    transport& made = stream_transport::start(std::make_unique<channel>(owner_, std::move(line), found, options_), std::move(upper));
    if (made.closing_reason() == sluice::errc::protocol_threw) return make_error_code(sluice::errc::protocol_threw);  // rule X2
    return made;
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
}

// The handler may destroy this object.
void opening::finish(const result<transport&>& outcome) {
  deadline_.stop();
  device_.reset();
  const auto last = std::move(self_);
  const connect_handler done = std::move(done_);
  if (done == nullptr) return;
  sluice::detail::unique_function call = [&] { done(outcome); };
  owner_.run_turn(call, error_source::scheduled, "connect completion");
}

connecting open(scheduler& owner, std::unique_ptr<device> line, protocol_factory factory, connect_handler done, const options& settings) {
  if (line == nullptr) throw std::invalid_argument("serial::open: no device");
  auto attempt = std::make_unique<opening>(owner, std::move(line), std::move(factory), std::move(done), settings);
  attempt->begin();
  return connecting(std::move(attempt));
}

}  // namespace sluice::serial
