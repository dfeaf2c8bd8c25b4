#include "conformance_trial.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include <sluice/stream_transport.hpp>

#include "spinning.hpp"

namespace sluice::testing {
namespace {

constexpr std::size_t block = 8 * 1024;
constexpr std::size_t largest_medium = 64 * 1024 * 1024;
constexpr int turns_to_settle = 24;

char pattern_at(std::size_t place) { return static_cast<char>('!' + (place + place / 89 + place / 7919) % 89); }

void take_turns(scheduler& owner, const std::shared_ptr<int>& left) {
  owner.call_soon([&owner, left] {
    if (--*left > 0) take_turns(owner, left);
  });
}

}  // namespace

std::string pattern(std::size_t n, std::size_t offset) {
  std::string result(n, '\0');
  for (std::size_t i = 0; i < n; ++i) result[i] = pattern_at(offset + i);
  return result;
}

void change_options(transport& end, const std::function<void(stream_options&)>& change) {
  stream_options settings = end.options();
  change(settings);
  end.set_options(settings);
}

mortal::~mortal() {
  outcome_.destroyed = true;
  outcome_.destroyed_inside = inside_;
  if (outcome_.on_destroyed) outcome_.on_destroyed();
}

void mortal::connection_made(transport& made) {
  outcome_.made = true;
  outcome_.connection = &made;
}

void mortal::data_received(const_bytes data) {
  if (outcome_.on_data) outcome_.on_data(data);
}

void mortal::connection_lost(std::error_code) {
  inside_ = true;
  outcome_.lost = true;
  if (outcome_.throws) throw std::runtime_error("thrown by connection_lost");
  inside_ = false;
}

trial::trial(const transport_under_test& subject, std::vector<std::string>& failures)
    : subject_(subject), failures_(failures), fixture_(subject.make()) {
  watch(near, "the near end");
  watch(buffered_near, "the near end");
  watch(far, "the far end");
  collect_reports();
}

trial::~trial() = default;

void trial::collect_reports() {
  scheduler().on_error([this](const error_event& event) { reports_.push_back({event.source, event.code, describe(event)}); });
}

void trial::watch(recorder& end, std::string_view which) {
  end.oracle().on_violation(
      [this, which = std::string(which)](const std::string& violation) { failures_.push_back(which + ": " + violation); });
}

recording_protocol& trial::another() {
  watch(others_.emplace_back(), "another protocol");
  return others_.back();
}

recording_buffered_protocol& trial::another_buffered() {
  watch(other_buffered_.emplace_back(), "another protocol");
  return other_buffered_.back();
}

void trial::begin_connection(protocol_ptr upper) { fixture_->connect(std::move(upper), borrow(far)); }

void trial::connect(protocol_ptr upper, const recorder& record) {
  begin_connection(std::move(upper));
  wait("connection_made on both ends", [&] { return record.count("made") != 0 && far.count("made") != 0; });
}

transport& trial::end_of(const recorder& end, std::string_view which) {
  if (end.connection() == nullptr) throw trial_failed{"the " + std::string(which) + " end is gone too soon; it saw: " + end.trace()};
  return *end.connection();
}

void trial::wait(std::string_view for_what, const std::function<bool()>& done) {
  if (fixture_->run_until(done)) return;
  throw trial_failed{"waited in vain for " + std::string(for_what) + "; near saw: " + near.trace() + buffered_near.trace() +
                     "; far saw: " + far.trace()};
}

void trial::let_turns_pass() {
  const auto left = std::make_shared<int>(turns_to_settle);  // outlives this call if the wait fails
  take_turns(scheduler(), left);
  wait("a few turns", [left] { return *left == 0; });
}

void trial::settle() {
  for (int round = 0; round < 2; ++round) {
    let_turns_pass();
    if (round == 0) pass(std::chrono::milliseconds(1));
  }
}

void trial::pass(std::chrono::milliseconds time) {
  bool over = false;
  timer clock(scheduler(), [&over] { over = true; });
  clock.start(time);
  wait("a timer", [&over] { return over; });
}

void trial::check_idle() {
  settle();
  check(!spins([this](std::chrono::milliseconds time) { pass(time); }), "the scheduler spins although there is nothing to do");
}

void trial::in_turn(const std::function<void()>& function) {
  const auto ran = std::make_shared<bool>(false);
  scheduler().call_soon([function, ran] {
    *ran = true;
    function();
  });
  wait("a posted function", [ran] { return *ran; });
}

bool trial::check(bool holds, std::string_view what) {
  if (!holds) failures_.emplace_back(what);
  return holds;
}

void trial::require(bool holds, std::string_view what) {
  if (!holds) throw trial_failed{std::string(what)};
}

void trial::check_trace(const recorder& end, std::string_view expected) {
  const std::string actual = end.trace();
  check(actual == expected, "expected the callbacks [" + std::string(expected) + "], got [" + actual + "]");
}

void trial::check_size(std::size_t actual, std::size_t expected, std::string_view what) {
  check(actual == expected, std::string(what) + ": expected " + std::to_string(expected) + ", got " + std::to_string(actual));
}

void trial::check_reason(const recorder& end, std::error_code expected) {
  check(end.is_lost(), "expected connection_lost, got [" + end.trace() + "]");
  const std::error_code actual = end.lost_reason();
  check(actual == expected, "expected the reason " + sluice::describe(expected) + ", got " + sluice::describe(actual));
}

void trial::check_pattern(std::string_view received, std::size_t bytes) {
  check_size(received.size(), bytes, "bytes that arrived");
  const std::string expected = pattern(std::min(received.size(), bytes));
  const auto differs = std::mismatch(expected.begin(), expected.end(), received.begin()).first - expected.begin();
  check(static_cast<std::size_t>(differs) == expected.size(), "the stream is wrong from byte " + std::to_string(differs) + " on");
}

write_status trial::write_pattern(std::size_t n) {
  const std::string bytes = pattern(n, accepted_);
  accepted_ += n;  // before the call, which may call back and write more
  const write_status status = near_end().write(bytes);
  if (status == write_status::dropped) accepted_ -= n;
  return status;
}

std::size_t trial::fill(std::size_t wanted) {
  far_end().pause_reading();
  settle();
  set_marks(0, std::numeric_limits<std::size_t>::max());
  for (std::size_t before = 0; accepted_ < largest_medium;) {
    if (near_end().get_write_buffer_size() < wanted) {
      require(write_pattern(block) != write_status::dropped, "a write was dropped while filling");
      continue;
    }
    settle();
    const std::size_t queued = near_end().get_write_buffer_size();
    if (queued >= wanted && queued == before) return queued;
    before = queued;
  }
  throw trial_failed{"the medium is not bounded: it took " + std::to_string(accepted_) + " bytes that nobody read"};
}

void trial::set_marks(std::size_t low, std::size_t high) {
  require(!near_end().set_write_buffer_limits({.high = high, .low = low}), "set_write_buffer_limits failed");
}

void trial::drain() {
  far_end().resume_reading();
  wait_received(far, accepted_);
  check_pattern(far.received(), accepted_);
}

void trial::break_output(std::string_view last_words) {
  scheduler().for_each_transport(
      [](transport& open) { change_options(open, [](stream_options& settings) { settings.linger = std::chrono::milliseconds(0); }); });
  settle();  // what layers say to each other behind their handshake is read, or closing would be a reset
  far_end().write(last_words);
  far_end().close();
  wait_lost(far);
  settle();
  fixture_->fail_writes();
  near_end().resume_reading();
  for (int tries = 0; tries < 64; ++tries)
    if (near_end().write("x") == write_status::dropped) return;
  throw trial_failed{"writing goes on after the peer is gone"};
}

std::vector<reported_error> trial::take_reports() { return std::exchange(reports_, {}); }

void trial::expect_report(error_source source, std::string_view text_part) {
  const std::vector<reported_error> taken = take_reports();
  if (!check(taken.size() == 1, "expected one report to the error hook, got " + std::to_string(taken.size()))) return;
  check(taken[0].source == source, "the error hook got another kind of report: " + taken[0].text);
  check(taken[0].text.find(text_part) != std::string::npos,
        "the report should say \"" + std::string(text_part) + "\" and says \"" + taken[0].text + '"');
}

void trial::destroy_fixture() { fixture_.reset(); }

// What a case captured is gone once it has returned.
void trial::unhook() {
  const auto clear = [](recorder& end) {
    end.on_made = nullptr;
    end.on_data = nullptr;
    end.on_eof = nullptr;
    end.on_pause = nullptr;
    end.on_resume = nullptr;
    end.on_shutting_down = nullptr;
    end.on_lost = nullptr;
  };
  clear(near);
  clear(buffered_near);
  clear(far);
  std::for_each(others_.begin(), others_.end(), clear);
  std::for_each(other_buffered_.begin(), other_buffered_.end(), clear);
  buffered_near.on_get_buffer = nullptr;
  for (mortal::fate& fate : fates_) {
    fate.on_data = nullptr;
    fate.on_destroyed = nullptr;
  }
  if (fixture_ != nullptr) collect_reports();
  for (recording_buffered_protocol& other : other_buffered_) other.on_get_buffer = nullptr;
}

void trial::tear_down() {
  unhook();
  if (fixture_ != nullptr) {
    scheduler().for_each_transport([](transport& open) { open.abort(); });
    check(fixture_->run_until([this] { return scheduler().open_transports() == 0; }), "L9 a handle was not given back");
    let_turns_pass();
  }
  destroy_fixture();
  check_ended(near, "the near end");
  check_ended(buffered_near, "the near end");
  check_ended(far, "the far end");
  for (recording_protocol& other : others_) check_ended(other, "another protocol");
  for (recording_buffered_protocol& other : other_buffered_) check_ended(other, "another protocol");
  for (const reported_error& left : take_reports()) check(false, "the error hook got a report that nobody expected: " + left.text);
}

void trial::check_ended(recorder& end, std::string_view which) {
  if (std::ranges::find(forgiven_, &end) != forgiven_.end()) return;
  check(end.count("made") == 0 || end.is_lost(), std::string(which) + ": L3 connection_lost never came; it saw: " + end.trace());
}

}  // namespace sluice::testing
