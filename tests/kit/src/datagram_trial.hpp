#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/error.hpp>
#include <sluice/testing/datagram_conformance.hpp>
#include <sluice/testing/recording_datagram_protocol.hpp>

#include "conformance_trial.hpp"

// What a case about datagrams works with: one fixture, two ends, and ways to drive and to judge them.

namespace sluice::testing {

class datagram_trial {
 public:
  datagram_trial(const datagram_transport_under_test& subject, std::vector<std::string>& failures);
  ~datagram_trial();
  datagram_trial(const datagram_trial&) = delete;
  datagram_trial& operator=(const datagram_trial&) = delete;

  // The near end is under test. Both are lent to their transports and outlive them.
  recording_datagram_protocol near;
  recording_datagram_protocol far;

  void open(const datagram_fixture::plan& how = {}) { open(borrow(near), how); }
  void open(datagram_protocol_ptr upper, const datagram_fixture::plan& how = {});

  datagram_transport& near_end() { return end_of(near, "near"); }
  datagram_transport& far_end() { return end_of(far, "far"); }
  /// The addresses of the two ends; they stay when an end is gone.
  const address& near_address() const { return near_address_; }
  const address& far_address() const { return far_address_; }
  sluice::scheduler& scheduler() { return fixture_->scheduler(); }
  datagram_fixture& fixture() { return *fixture_; }

  send_status send(std::string_view text) { return near_end().send_to(text, far_address_); }
  /// `n` numbered datagrams, from the `first` on.
  void send_numbered(std::size_t first, std::size_t n);
  /// Sends numbered datagrams to a far end that does not read until at least one waits in the near end's queue; how many were sent. `high`
  /// becomes the mark before, the low one 0.
  std::size_t fill(std::size_t high = 1'000'000);
  /// The far end got exactly the datagrams 0 to `n`, in order.
  void check_numbered(std::size_t n);

  void wait(std::string_view for_what, const std::function<bool()>& done);
  void wait_received(const recording_datagram_protocol& end, std::size_t datagrams);
  void wait_lost(const recording_datagram_protocol& end);
  /// Many turns, and a little time.
  void settle();
  /// Nothing happens for a while: neither may the processor be busy.
  void check_idle();
  void in_turn(const std::function<void()>& function);

  bool check(bool holds, std::string_view what);
  void require(bool holds, std::string_view what);
  void check_trace(const recording_datagram_protocol& end, std::string_view expected);
  void check_reason(const recording_datagram_protocol& end, std::error_code expected);

  std::vector<reported_error> take_reports();
  void expect_report(error_source source, std::string_view text_part = {});
  void destroy_fixture() { fixture_.reset(); }
  /// Called by the runner after each case.
  void tear_down();

 private:
  datagram_transport& end_of(const recording_datagram_protocol& end, std::string_view which);
  void watch(recording_datagram_protocol& end, std::string_view which);
  void check_ended(const recording_datagram_protocol& end, std::string_view which);
  void pass(std::chrono::milliseconds time);

  std::vector<std::string>& failures_;
  std::vector<reported_error> reports_;
  std::unique_ptr<datagram_fixture> fixture_;
  address near_address_;
  address far_address_;
};

struct datagram_case {
  std::string_view name;  // begins with the id of a rule
  void (*run)(datagram_trial&);
};

std::span<const datagram_case> datagram_traffic_cases();
std::span<const datagram_case> datagram_flow_cases();
std::span<const datagram_case> datagram_life_cases();

}  // namespace sluice::testing
