#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/error.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/testing/transport_conformance.hpp>
#include <sluice/timer.hpp>

// What a conformance case works with: one fixture, one connection, and ways to drive and to judge it.

namespace sluice::testing {

/// Thrown by a case that cannot go on.
struct trial_failed {
  std::string why;
};

/// A report to the error hook, kept.
struct reported_error {
  error_source source;
  std::error_code code;
  std::string text;  // as `describe` words it
};

/// `n` bytes of a stream whose every byte tells its place, from `offset` on.
std::string pattern(std::size_t n, std::size_t offset = 0);

/// Changes some settings and keeps the others.
void change_options(transport& end, const std::function<void(stream_options&)>& change);

/// A protocol that is owned by its transport; tells what became of it.
class mortal final : public protocol {
 public:
  struct fate {
    bool made = false;
    bool lost = false;
    bool destroyed = false;
    bool destroyed_inside = false;  // of its connection_lost
    bool throws = false;            // its connection_lost does
    transport* connection = nullptr;
    std::function<void(const_bytes)> on_data;
    std::function<void()> on_destroyed;
  };

  explicit mortal(fate& outcome) : outcome_(outcome) {}
  ~mortal() override;
  void connection_made(transport& made) override;
  void data_received(const_bytes data) override;
  void connection_lost(std::error_code) override;

 private:
  fate& outcome_;
  bool inside_ = false;
};

class trial {
 public:
  trial(const transport_under_test& subject, std::vector<std::string>& failures);
  ~trial();
  trial(const trial&) = delete;
  trial& operator=(const trial&) = delete;

  // The near end is under test, the far end is its peer. Both are lent to their transports and outlive them.
  recording_protocol near;
  recording_buffered_protocol buffered_near;
  recording_protocol far;

  /// Makes the connection and waits until both ends are made.
  void connect() { connect(borrow(near), near); }
  void connect_buffered() { connect(borrow(buffered_near), buffered_near); }
  void connect(protocol_ptr upper, const recorder& record);
  /// Without waiting.
  void begin_connection(protocol_ptr upper);
  /// A further recorder, which lives as long as the trial.
  recording_protocol& another();
  recording_buffered_protocol& another_buffered();
  /// What a `mortal` writes into.
  mortal::fate& fate() { return fates_.emplace_back(); }

  /// The transport of the near end; the case fails if it is gone.
  transport& near_end() { return end_of(near, "near"); }
  transport& buffered_end() { return end_of(buffered_near, "near"); }
  transport& far_end() { return end_of(far, "far"); }
  sluice::scheduler& scheduler() { return fixture_->scheduler(); }
  transport_fixture& fixture() { return *fixture_; }
  const capabilities& has() const { return subject_.has; }
  const transport_under_test& subject() const { return subject_; }

  /// Runs until `done()`; the case fails if it does not come to that.
  void wait(std::string_view for_what, const std::function<bool()>& done);
  void wait_lost(const recorder& end) {
    wait("connection_lost", [&end] { return end.is_lost(); });
  }
  void wait_received(const recorder& end, std::size_t bytes) {
    wait(std::to_string(bytes) + " bytes", [&end, bytes] { return end.received().size() >= bytes; });
  }
  void wait_event(const recorder& end, std::string_view line) {
    wait(line, [&end, line, seen = std::size_t{0}]() mutable {
      for (; seen < end.events().size(); ++seen)
        if (end.events()[seen] == line) return true;
      return false;
    });
  }
  /// Until what is on its way has arrived: many turns, and a little time.
  void settle();
  void pass(std::chrono::milliseconds time);
  /// Nothing happens for a while: neither may the processor be busy.
  void check_idle();
  /// Runs `function` as a turn of its own.
  void in_turn(const std::function<void()>& function);

  /// Notes a failure unless `holds`; the case goes on.
  bool check(bool holds, std::string_view what);
  /// Ends the case unless `holds`.
  void require(bool holds, std::string_view what);
  void check_trace(const recorder& end, std::string_view expected);
  void check_size(std::size_t actual, std::size_t expected, std::string_view what);
  void check_reason(const recorder& end, std::error_code expected);
  /// `received` is the beginning of the pattern, `bytes` long.
  void check_pattern(std::string_view received, std::size_t bytes);

  /// Writes to the near end, the next bytes of the pattern, and counts those that were accepted.
  write_status write_pattern(std::size_t n);
  std::size_t accepted() const { return accepted_; }
  /// Stops the far end's reading, lifts the near end's marks and writes until the medium takes no more. Returns what is queued then: at least
  /// `wanted` bytes, of which a socket may still take some when it grows its buffers.
  std::size_t fill(std::size_t wanted = 500'000);
  /// Sets both marks of the near end.
  void set_marks(std::size_t low, std::size_t high);
  /// Lets the far end read everything that was accepted, and checks it.
  void drain();
  /// What the far end sent before it went can be read, and writing to it fails: returns right after the first write that failed. The near
  /// end must not be reading.
  void break_output(std::string_view last_words);

  /// The reports to the error hook that no case has asked for fail it at its end. Takes them all.
  std::vector<reported_error> take_reports();
  /// Takes them and checks that it is one, of this source.
  void expect_report(error_source source, std::string_view text_part = {});

  /// The far or near end was replaced on purpose: no `connection_lost` is expected.
  void forgive(recorder& end) { forgiven_.push_back(&end); }
  /// Ends the fixture with everything that is open.
  void destroy_fixture();
  /// Hooks off, both ends aborted, everything given back and nothing left over. Called by the runner after each case.
  void tear_down();

 private:
  transport& end_of(const recorder& end, std::string_view which);
  void watch(recorder& end, std::string_view which);
  void check_ended(recorder& end, std::string_view which);
  void let_turns_pass();
  void collect_reports();
  void unhook();

  const transport_under_test& subject_;
  std::vector<std::string>& failures_;
  std::vector<reported_error> reports_;
  std::deque<recording_protocol> others_;
  std::deque<recording_buffered_protocol> other_buffered_;
  std::deque<mortal::fate> fates_;
  std::vector<const recorder*> forgiven_;
  std::unique_ptr<transport_fixture> fixture_;
  std::size_t accepted_ = 0;
};

/// One case: its name, which begins with the id of a rule, and what it does.
struct conformance_case {
  std::string_view name;
  void (*run)(trial&);
};

class case_list {
 public:
  void add(std::span<const conformance_case> more) { cases_.insert(cases_.end(), more.begin(), more.end()); }
  const std::vector<conformance_case>& all() const { return cases_; }

 private:
  std::vector<conformance_case> cases_;
};

// One function per area of the contract, or part of one.
void add_lifecycle_cases(case_list& cases);
void add_ending_cases(case_list& cases);
void add_reading_cases(case_list& cases);
void add_writing_cases(case_list& cases);
void add_file_cases(case_list& cases);
void add_flow_control_cases(case_list& cases);
void add_half_close_cases(case_list& cases);
void add_closing_cases(case_list& cases);
void add_exception_cases(case_list& cases);
void add_buffered_cases(case_list& cases);
void add_switching_cases(case_list& cases);
void add_upgrade_cases(case_list& cases);
void add_info_cases(case_list& cases);

/// Why `name` does not apply to a medium that has no more than `has`; empty if it does.
std::string_view excuse(std::string_view name, const capabilities& has);

}  // namespace sluice::testing
