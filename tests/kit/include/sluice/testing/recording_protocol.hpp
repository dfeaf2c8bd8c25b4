#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/protocol.hpp>
#include <sluice/testing/callback_oracle.hpp>
#include <sluice/transport.hpp>

namespace sluice::testing {

/// "lost" for an orderly end, else "lost " and the category and number of `reason`, as in "lost sluice:1": the line that a recorder writes.
std::string lost_line(std::error_code reason);

/// What the recording protocols have in common: the record, the reactions, and the oracle that checks the order of callbacks.
///
/// Each callback adds a line when it begins: "made", "data 5", "eof", "pause", "resume", "shutting down", "lost sluice:1". Then the
/// reaction runs, if one is set; what it throws goes on to the engine.
class recorder {
 public:
  // Reactions; unset ones do what the defaults of `protocol` do.
  std::function<void(transport&)> on_made;
  std::function<void(const_bytes)> on_data;
  std::function<eof()> on_eof;
  std::function<backpressure()> on_pause;
  std::function<void()> on_resume;
  std::function<shutdown_action()> on_shutting_down;
  std::function<void(std::error_code)> on_lost;

  const std::vector<std::string>& events() const noexcept { return events_; }
  /// The events in one line, with neighbouring data added up: "made, data 12, eof, lost". Two runs that differ only in how the bytes were
  /// cut have the same trace.
  std::string trace() const;
  /// A line of the test's own, in order with the callbacks.
  void note(std::string_view line) { events_.emplace_back(line); }
  std::size_t count(std::string_view line) const;

  /// All bytes that arrived.
  const std::string& received() const noexcept { return received_; }
  /// Forgets events and bytes, not where the connection stands.
  void forget();

  /// Between `connection_made` and the end of `connection_lost`, else null.
  transport* connection() const noexcept { return connection_; }
  bool is_lost() const noexcept { return oracle_.grammar().current() == callback_grammar::state::lost; }
  /// The argument of `connection_lost`; empty before.
  std::error_code lost_reason() const noexcept { return lost_reason_; }

  /// Breaches of the contract go to its handler, which aborts the process unless another is set.
  callback_oracle& oracle() noexcept { return oracle_; }

 protected:
  recorder() = default;
  ~recorder() = default;

  void record_made(transport& made);
  void record_data(const_bytes data);
  eof record_eof();
  backpressure record_pause();
  void record_resume();
  shutdown_action record_shutting_down();
  void record_lost(std::error_code reason);

 private:
  std::vector<std::string> events_;
  std::string received_;
  transport* connection_ = nullptr;
  std::error_code lost_reason_;
  callback_oracle oracle_;
};

/// A protocol that writes down what happens to it. Hand it over with `borrow`, so that the record outlives the connection.
class recording_protocol : public protocol, public recorder {
 public:
  void connection_made(transport& made) override { record_made(made); }
  void data_received(const_bytes data) override { record_data(data); }
  eof eof_received() override { return record_eof(); }
  backpressure pause_writing() override { return record_pause(); }
  void resume_writing() override { record_resume(); }
  shutdown_action shutting_down() override { return record_shutting_down(); }
  void connection_lost(std::error_code reason) override { record_lost(reason); }
};

/// As `recording_protocol`, reading into memory of its own; also checks that each buffer is filled at most once and never beyond its end
/// (rule B2).
class recording_buffered_protocol : public buffered_protocol, public recorder {
 public:
  /// Memory for the next bytes; unset: `buffer_size` bytes.
  std::function<mutable_bytes(std::size_t hint)> on_get_buffer;
  std::size_t buffer_size = 4096;

  std::size_t buffers_given() const noexcept { return buffers_given_; }

  void connection_made(transport& made) override { record_made(made); }
  mutable_bytes get_buffer(std::size_t hint) override;
  void buffer_updated(std::size_t n) override;
  eof eof_received() override { return record_eof(); }
  backpressure pause_writing() override { return record_pause(); }
  void resume_writing() override { record_resume(); }
  shutdown_action shutting_down() override { return record_shutting_down(); }
  void connection_lost(std::error_code reason) override { record_lost(reason); }

 private:
  std::vector<std::byte> memory_;
  mutable_bytes given_;
  std::size_t buffers_given_ = 0;
};

}  // namespace sluice::testing
