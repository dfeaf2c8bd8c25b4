#include "datagram_trial.hpp"

#include <utility>

#include "spinning.hpp"

namespace sluice::testing {
namespace {

void take_turns(scheduler& owner, const std::shared_ptr<int>& left) {
  owner.call_soon([&owner, left] {
    if (--*left > 0) take_turns(owner, left);
  });
}

std::string numbered(std::size_t number) { return "datagram number " + std::to_string(number); }

}  // namespace

datagram_trial::datagram_trial(const datagram_transport_under_test& subject, std::vector<std::string>& failures)
    : failures_(failures), fixture_(subject.make()) {
  watch(near, "the near end");
  watch(far, "the far end");
  scheduler().on_error([this](const error_event& event) { reports_.push_back({event.source, event.code, describe(event)}); });
}

datagram_trial::~datagram_trial() = default;

void datagram_trial::watch(recording_datagram_protocol& end, std::string_view which) {
  end.on_violation = [this, which = std::string(which)](const std::string& violation) { failures_.push_back(which + ": " + violation); };
}

void datagram_trial::open(datagram_protocol_ptr upper, const datagram_fixture::plan& how) {
  fixture_->open(std::move(upper), borrow(far), how);
  far_address_ = far_end().info<local_address>()->value;
  if (near.connection() != nullptr) near_address_ = near_end().info<local_address>()->value;
}

datagram_transport& datagram_trial::end_of(const recording_datagram_protocol& end, std::string_view which) {
  if (end.connection() == nullptr) throw trial_failed{"the " + std::string(which) + " end is gone too soon; it saw: " + end.trace()};
  return *end.connection();
}

void datagram_trial::send_numbered(std::size_t first, std::size_t n) {
  for (std::size_t i = first; i < first + n; ++i) require(send(numbered(i)) != send_status::dropped, "a datagram was dropped");
}

std::size_t datagram_trial::fill(std::size_t high) {
  far_end().pause_reading();
  settle();
  require(!near_end().set_write_buffer_limits({.high = high, .low = 0}), "set_write_buffer_limits failed");
  for (std::size_t sent = 0; sent < 100'000;) {
    send_numbered(sent++, 1);
    if (near_end().get_write_buffer_size() != 0) return sent;
  }
  throw trial_failed{"the medium is not bounded"};
}

void datagram_trial::check_numbered(std::size_t n) {
  wait_received(far, n);
  settle();
  if (!check(far.received().size() == n, "expected " + std::to_string(n) + " datagrams, got " + std::to_string(far.received().size())))
    return;
  for (std::size_t i = 0; i < n; ++i)
    if (!check(far.received()[i].data == numbered(i), "datagram " + std::to_string(i) + " is \"" + far.received()[i].data + '"')) return;
}

void datagram_trial::wait(std::string_view for_what, const std::function<bool()>& done) {
  if (fixture_->run_until(done)) return;
  throw trial_failed{"waited in vain for " + std::string(for_what) + "; near saw: " + near.trace() + "; far saw: " + far.trace()};
}

void datagram_trial::wait_received(const recording_datagram_protocol& end, std::size_t datagrams) {
  wait(std::to_string(datagrams) + " datagrams", [&end, datagrams] { return end.received().size() >= datagrams; });
}

void datagram_trial::wait_lost(const recording_datagram_protocol& end) {
  wait("connection_lost", [&end] { return end.is_lost(); });
}

void datagram_trial::settle() {
  const auto left = std::make_shared<int>(24);
  take_turns(scheduler(), left);
  wait("a few turns", [left] { return *left == 0; });
  pass(std::chrono::milliseconds(2));
}

void datagram_trial::pass(std::chrono::milliseconds time) {
  bool over = false;
  timer clock(scheduler(), [&over] { over = true; });
  clock.start(time);
  wait("a timer", [&over] { return over; });
}

void datagram_trial::check_idle() {
  settle();
  check(!spins([this](std::chrono::milliseconds time) { pass(time); }), "the scheduler spins although there is nothing to do");
}

void datagram_trial::in_turn(const std::function<void()>& function) {
  bool ran = false;
  scheduler().call_soon([&] {
    ran = true;
    function();
  });
  wait("a posted function", [&ran] { return ran; });
}

bool datagram_trial::check(bool holds, std::string_view what) {
  if (!holds) failures_.emplace_back(what);
  return holds;
}

void datagram_trial::require(bool holds, std::string_view what) {
  if (!holds) throw trial_failed{std::string(what)};
}

void datagram_trial::check_trace(const recording_datagram_protocol& end, std::string_view expected) {
  check(end.trace() == expected, "expected the callbacks [" + std::string(expected) + "], got [" + end.trace() + "]");
}

void datagram_trial::check_reason(const recording_datagram_protocol& end, std::error_code expected) {
  check(end.is_lost(), "expected connection_lost, got [" + end.trace() + "]");
  check(end.lost_reason() == expected,
        "expected the reason " + sluice::describe(expected) + ", got " + sluice::describe(end.lost_reason()));
}

std::vector<reported_error> datagram_trial::take_reports() { return std::exchange(reports_, {}); }

void datagram_trial::expect_report(error_source source, std::string_view text_part) {
  const std::vector<reported_error> taken = take_reports();
  if (!check(taken.size() == 1, "expected one report to the error hook, got " + std::to_string(taken.size()))) return;
  check(taken[0].source == source, "the error hook got another kind of report: " + taken[0].text);
  check(taken[0].text.find(text_part) != std::string::npos, "the report should say \"" + std::string(text_part) + "\": " + taken[0].text);
}

void datagram_trial::tear_down() {
  for (recording_datagram_protocol* end : {&near, &far}) {
    end->on_made = nullptr;
    end->on_datagram = nullptr;
    end->on_error = nullptr;
    end->on_pause = nullptr;
    end->on_resume = nullptr;
    end->on_shutting_down = nullptr;
    end->on_lost = nullptr;
  }
  if (fixture_ != nullptr) {
    scheduler().for_each_datagram_transport([](datagram_transport& open) { open.abort(); });
    check(fixture_->run_until([this] { return scheduler().open_transports() == 0; }), "L9 a handle was not given back");
    check(scheduler().memory_in_use() == 0, "L10 memory of a queue was not given back");
  }
  destroy_fixture();
  check_ended(near, "the near end");
  check_ended(far, "the far end");
  for (const reported_error& left : take_reports()) check(false, "the error hook got a report that nobody expected: " + left.text);
}

void datagram_trial::check_ended(const recording_datagram_protocol& end, std::string_view which) {
  check(end.count("made") == 0 || end.is_lost(), std::string(which) + ": L3 connection_lost never came; it saw: " + end.trace());
}

}  // namespace sluice::testing
