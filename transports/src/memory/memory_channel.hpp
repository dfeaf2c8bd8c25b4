#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <system_error>

#include <sluice/deferred_call.hpp>
#include <sluice/detail/local_ptr.hpp>
#include <sluice/memory.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/timer.hpp>

#include "memory_direction.hpp"

namespace sluice::memory {

class channel;

constexpr std::size_t index(side end) noexcept { return static_cast<std::size_t>(end); }
constexpr side other(side end) noexcept { return end == side::first ? side::second : side::first; }

}  // namespace sluice::memory

// What lies between the two ends. Outlives both, for the test's handle.
struct sluice::detail::memory_wire {
  explicit memory_wire(const memory::options& settings) : sent_by{memory::direction(settings), memory::direction(settings)} {}

  memory::direction& from(memory::side sender) noexcept { return sent_by[memory::index(sender)]; }
  memory::channel* at(memory::side end) const noexcept { return ends[memory::index(end)]; }
  // True for the one operation that is to fail.
  bool strikes() noexcept;

  memory::direction sent_by[2];
  memory::channel* ends[2] = {};  // null before it is made and once it gave back its handle
  bool gone[2] = {};              // it gave back its handle
  std::optional<std::size_t> operations_left;
  std::error_code strike_error;
  bool struck = false;
};

namespace sluice::memory {

using wire_ptr = sluice::detail::local_ptr<sluice::detail::memory_wire>;

// One end. Everything that it tells its engine it tells from `run`, which the scheduler calls.
class channel final : public stream_transport {
 public:
  channel(sluice::scheduler& owner, wire_ptr wire, side end);
  ~channel() override;

  bool can_write_eof() const override { return true; }
  // Something may have changed for this end: schedules `run` if there is anything to do now, or waits for what is on its way.
  void reconsider() noexcept;

 private:
  void start_reading() override { reconsider(); }
  void stop_reading() override {}  // a failure still arrives
  send_result send(std::span<const const_bytes> parts) override;
  void send_later(std::span<const const_bytes>) override { reconsider(); }
  std::error_code shutdown_output() override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  bool lingers() const override { return true; }
  void describe(info_query& query) const override;

  direction& out() const noexcept { return wire_->from(end_); }
  direction& in() const noexcept { return wire_->from(other(end_)); }
  bool peer_is_gone() const noexcept { return wire_->gone[index(other(end_))]; }
  void reconsider_peer();
  void bounce();
  void leave() noexcept;

  void run();
  bool tell_failure();
  void receive();
  bool can_receive() const noexcept { return in().readable() != 0 || (in().at_end() && !input_ended()); }
  bool can_send() const noexcept { return !out().stalled && (out().room() != 0 || out().send_error); }
  std::error_code send_failure() const noexcept;
  std::error_code reset_error() const noexcept;
  void end_output();

  wire_ptr wire_;
  side end_;
  bool failure_told_ = false;
  bool reset_at_release_ = false;
  deferred_call soon_;
  timer arrival_;
};

}  // namespace sluice::memory
