#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/datagram_transport.hpp>
#include <sluice/testing/callback_oracle.hpp>

namespace sluice::testing {

/// A datagram protocol that writes down what happens to it, as `recording_protocol` does for streams. Hand it over with `borrow`.
///
/// Each callback adds a line when it begins: "made", "datagram 5", "error uv:111", "pause", "resume", "shutting down", "lost sluice:1".
/// Then the reaction runs, if one is set; what it throws goes on to the engine.
class recording_datagram_protocol : public datagram_protocol {
 public:
  struct datagram {
    std::string data;
    address from;
  };

  // Reactions; unset ones do what the defaults of `datagram_protocol` do.
  std::function<void(datagram_transport&)> on_made;
  std::function<void(const_bytes, const address&)> on_datagram;
  std::function<void(std::error_code)> on_error;
  std::function<backpressure()> on_pause;
  std::function<void()> on_resume;
  std::function<shutdown_action()> on_shutting_down;
  std::function<void(std::error_code)> on_lost;

  const std::vector<std::string>& events() const noexcept { return events_; }
  /// The events in one line.
  std::string trace() const;
  /// A line of the test's own, in order with the callbacks.
  void note(std::string_view line) { events_.emplace_back(line); }
  std::size_t count(std::string_view line) const;
  /// Forgets events and datagrams, not where the transport stands.
  void forget();

  const std::vector<datagram>& received() const noexcept { return received_; }
  /// The last error, and how many there were.
  std::error_code last_error() const noexcept { return last_error_; }
  std::size_t errors() const noexcept { return errors_; }

  /// Between `connection_made` and the end of `connection_lost`, else null.
  datagram_transport* connection() const noexcept { return connection_; }
  bool is_lost() const noexcept { return grammar_.current() == callback_grammar::state::lost; }
  std::error_code lost_reason() const noexcept { return lost_reason_; }

  /// Breaches of the contract go here; unset, the first one aborts the process.
  std::function<void(const std::string&)> on_violation;

  void connection_made(datagram_transport& made) override;
  void datagram_received(const_bytes data, const address& from) override;
  void error_received(std::error_code error) override;
  backpressure pause_writing() override;
  void resume_writing() override;
  shutdown_action shutting_down() override;
  void connection_lost(std::error_code reason) override;

 private:
  class scope;
  void begin(callback which, std::string line);

  std::vector<std::string> events_;
  std::vector<datagram> received_;
  datagram_transport* connection_ = nullptr;
  std::error_code last_error_;
  std::size_t errors_ = 0;
  std::error_code lost_reason_;
  callback_grammar grammar_;
  unsigned running_ = 0;  // callbacks other than those of flow control
};

}  // namespace sluice::testing
