#include <sluice/testing/recording_datagram_protocol.hpp>

#include <algorithm>
#include <utility>

#include <sluice/testing/recording_protocol.hpp>

namespace sluice::testing {

// One running callback that no other may interrupt.
class recording_datagram_protocol::scope {
 public:
  explicit scope(unsigned& running) noexcept : running_(running) { ++running_; }
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  ~scope() { --running_; }

 private:
  unsigned& running_;
};

std::string recording_datagram_protocol::trace() const {
  std::string result;
  for (const std::string& line : events_) result += (result.empty() ? "" : ", ") + line;
  return result;
}

std::size_t recording_datagram_protocol::count(std::string_view line) const {
  return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), line));
}

void recording_datagram_protocol::forget() {
  events_.clear();
  received_.clear();
}

void recording_datagram_protocol::begin(callback which, std::string line) {
  std::string wrong;
  const bool is_flow = which == callback::pause || which == callback::resume;
  const bool is_closing = connection_ != nullptr && connection_->is_closing();
  if (const char* const why = grammar_.called(which)) wrong = why;
  if (!is_flow && running_ != 0) wrong = "L6 it interrupts another callback";
  if (is_closing && which == callback::data) wrong = "L12 the transport is closing";
  if (is_closing && which == callback::resume) wrong = "F8 the transport is closing";
  if (!wrong.empty()) {
    const std::string violation = line + " came after [" + trace() + "]: " + wrong;
    on_violation ? on_violation(violation) : callback_oracle::abort_with_message(violation);
  }
  events_.push_back(std::move(line));
}

void recording_datagram_protocol::connection_made(datagram_transport& made) {
  begin(callback::made, "made");
  const scope running(running_);
  connection_ = &made;
  if (on_made) on_made(made);
}

void recording_datagram_protocol::datagram_received(const_bytes data, const address& from) {
  begin(callback::data, "datagram " + std::to_string(data.size()));
  const scope running(running_);
  received_.push_back({std::string(as_text(data)), from});
  if (on_datagram) on_datagram(data, from);
}

void recording_datagram_protocol::error_received(std::error_code error) {
  begin(callback::data, std::string("error ") + error.category().name() + ':' + std::to_string(error.value()));
  const scope running(running_);
  last_error_ = error;
  ++errors_;
  if (on_error) on_error(error);
}

backpressure recording_datagram_protocol::pause_writing() {
  begin(callback::pause, "pause");
  return on_pause ? on_pause() : backpressure::hold_reading;
}

void recording_datagram_protocol::resume_writing() {
  begin(callback::resume, "resume");
  if (on_resume) on_resume();
}

shutdown_action recording_datagram_protocol::shutting_down() {
  begin(callback::shutting_down, "shutting down");
  const scope running(running_);
  return on_shutting_down ? on_shutting_down() : shutdown_action::close;
}

void recording_datagram_protocol::connection_lost(std::error_code reason) {
  begin(callback::lost, lost_line(reason));
  const scope running(running_);
  lost_reason_ = reason;
  struct forget_connection {
    datagram_transport*& pointer;
    ~forget_connection() { pointer = nullptr; }
  } const at_the_end{connection_};
  if (on_lost) on_lost(reason);
}

}  // namespace sluice::testing
