#include <sluice/testing/transport_conformance.hpp>

#include <sluice/end_watch.hpp>
#include <sluice/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

// The kit is itself tested: over a transport with one planted fault, it must name the rule that the fault breaks.

using namespace sluice;
using namespace sluice::testing;

namespace {

enum class fault {
  none,
  second_lost,
  no_lost,
  data_before_made,
  data_after_lost,
  second_eof,
  eof_before_data,
  empty_data,
  lost_byte,
  swapped_bytes,
  resume_without_pause,
  second_pause,
  lost_inside_close,
  lost_inside_abort,
  reason_lost,
  exception_swallowed,
  pause_ignored,
  always_reading,
  never_closing,
  empty_queue,
  late_write_accepted,
  abort_that_flushes,
  empty_write_told,
  marks_forgotten,
  eof_refused,
  switch_refused
};

/// A transport that passes everything on to another one, but for its fault.
class faulty_transport final : public transport {
 public:
  faulty_transport(fault planted, protocol& upper) : fault_(planted), upper_(upper) {}
  void attach(transport& below) { below_ = &below; }

  write_status write(const_bytes data) override {
    const write_status status = below_->write(data);
    if (fault_ == fault::late_write_accepted) return write_status::accepted;
    if (fault_ == fault::empty_write_told && data.empty()) return write_status::dropped;
    return status;
  }
  write_status writev(std::span<const const_bytes> parts) override { return below_->writev(parts); }
  std::error_code send_file(descriptor file, std::uint64_t offset, std::uint64_t count, send_file_handler done) override {
    return below_->send_file(std::move(file), offset, count, std::move(done));
  }
  std::error_code write_eof() override { return fault_ == fault::eof_refused ? make_error_code(errc::not_supported) : below_->write_eof(); }
  bool can_write_eof() const override { return below_->can_write_eof(); }
  void flush() override { below_->flush(); }
  void close() override {
    below_->close();
    if (fault_ == fault::lost_inside_close) upper_.connection_lost({});
  }
  void abort() override {
    if (fault_ == fault::abort_that_flushes) return below_->close();
    below_->abort();
    if (fault_ == fault::lost_inside_abort) upper_.connection_lost(errc::aborted);
  }
  void reset() override { below_->reset(); }
  void shut_down() override { below_->shut_down(); }
  bool is_closing() const override { return fault_ != fault::never_closing && below_->is_closing(); }
  std::error_code closing_reason() const override { return below_->closing_reason(); }
  void pause_reading() override {
    if (fault_ != fault::pause_ignored) below_->pause_reading();
  }
  void resume_reading() override { below_->resume_reading(); }
  void hold_for_sink(bool on) override { below_->hold_for_sink(on); }
  bool is_reading() const override { return fault_ == fault::always_reading || below_->is_reading(); }
  std::error_code set_write_buffer_limits(write_buffer_limits limits) override { return below_->set_write_buffer_limits(limits); }
  watermarks get_write_buffer_limits() const override {
    return fault_ == fault::marks_forgotten ? watermarks{} : below_->get_write_buffer_limits();
  }
  std::size_t get_write_buffer_size() const override { return fault_ == fault::empty_queue ? 0 : below_->get_write_buffer_size(); }
  std::error_code set_options(const stream_options& options) override { return below_->set_options(options); }
  const stream_options& options() const override { return below_->options(); }
  std::error_code set_protocol(protocol_ptr next, const_bytes unread) override {
    return fault_ == fault::switch_refused ? make_error_code(errc::closed) : below_->set_protocol(std::move(next), unread);
  }
  std::error_code upgrade(std::unique_ptr<layer> between, protocol_ptr next, const_bytes unread) override {
    return below_->upgrade(std::move(between), std::move(next), unread);
  }
  sluice::scheduler& scheduler() const override { return below_->scheduler(); }
  const stream_counters& counters() const override { return below_->counters(); }
  std::uint64_t id() const override { return below_->id(); }

 private:
  std::uint32_t slot() const noexcept override { return 0; }
  void describe(info_query&) const override {}
  void add(end_watch& added) override { added.start(*below_); }

  fault fault_;
  protocol& upper_;
  transport* below_ = nullptr;
};

/// Stands between a transport and a protocol, and makes its fault.
class faulty_protocol final : public protocol {
 public:
  faulty_protocol(fault planted, protocol_ptr upper) : fault_(planted), upper_(std::move(upper)), transport_(planted, *upper_) {}

  void connection_made(transport& made) override {
    transport_.attach(made);
    if (fault_ == fault::data_before_made) upper_->data_received(as_bytes("?"));
    upper_->connection_made(transport_);
    if (fault_ == fault::resume_without_pause) upper_->resume_writing();
  }
  void data_received(const_bytes data) override {
    if (fault_ == fault::empty_data) upper_->data_received({});
    if (fault_ == fault::eof_before_data && data.size() == 7) upper_->eof_received();
    if (fault_ == fault::lost_byte && data.size() > 1) data = data.first(data.size() - 1);
    if (fault_ == fault::swapped_bytes && data.size() > 3) {
      upper_->data_received(data.subspan(2));
      data = data.first(2);
    }
    try {
      upper_->data_received(data);
    } catch (...) {
      if (fault_ != fault::exception_swallowed) throw;
    }
  }
  eof eof_received() override {
    const eof answer = upper_->eof_received();
    if (fault_ == fault::second_eof) upper_->eof_received();
    return answer;
  }
  backpressure pause_writing() override {
    const backpressure answer = upper_->pause_writing();
    if (fault_ == fault::second_pause) upper_->pause_writing();
    return answer;
  }
  void resume_writing() override { upper_->resume_writing(); }
  shutdown_action shutting_down() override { return upper_->shutting_down(); }
  void connection_lost(std::error_code reason) override {
    if (fault_ == fault::no_lost) return;
    upper_->connection_lost(fault_ == fault::reason_lost ? std::error_code() : reason);
    if (fault_ == fault::second_lost) upper_->connection_lost(reason);
    if (fault_ == fault::data_after_lost) upper_->data_received(as_bytes("late"));
  }

 private:
  fault fault_;
  protocol_ptr upper_;
  faulty_transport transport_;
};

/// Memory with the fault on its near end.
class faulty_fixture final : public transport_fixture {
 public:
  explicit faulty_fixture(fault planted) : fault_(planted), below_(over_memory().make()) {}

  sluice::scheduler& scheduler() override { return below_->scheduler(); }
  bool run_until(const std::function<bool()>& done) override { return below_->run_until(done); }
  bool fail_writes() override { return below_->fail_writes(); }
  void connect(protocol_ptr near, protocol_ptr far) override {
    below_->connect(std::make_unique<faulty_protocol>(fault_, std::move(near)), std::move(far));
  }

 private:
  fault fault_;
  std::unique_ptr<transport_fixture> below_;
};

transport_under_test with_fault(fault planted) {
  return {"a transport with a fault", {}, [planted] { return std::make_unique<faulty_fixture>(planted); }};
}

// Whether a case whose name begins with `rule` fails over a transport with `planted`.
bool is_caught(fault planted, const std::string& rule) {
  const conformance_report report = run_conformance(with_fault(planted), {rule});
  REQUIRE_FALSE(report.results.empty());
  return report.count(conformance_result::outcome::failed) != 0;
}

struct planted_fault {
  fault what;
  const char* rule;
};

constexpr planted_fault planted_faults[] = {
    {fault::second_lost, "L3 "},
    {fault::no_lost, "L3 "},
    {fault::data_before_made, "L1 "},
    {fault::data_after_lost, "L1 "},
    {fault::second_eof, "L7 "},
    {fault::eof_before_data, "L1 "},
    {fault::empty_data, "R9 "},
    {fault::lost_byte, "L13 "},
    {fault::swapped_bytes, "R4 "},
    {fault::resume_without_pause, "F5 "},
    {fault::second_pause, "F5 "},
    {fault::lost_inside_close, "L5 "},
    {fault::lost_inside_abort, "L5 "},
    {fault::reason_lost, "C2 "},
    {fault::exception_swallowed, "X1 an exception of data_received"},
    {fault::pause_ignored, "R4 "},
    {fault::always_reading, "R6 "},
    {fault::never_closing, "C3 "},
    {fault::empty_queue, "F10 "},
    {fault::late_write_accepted, "W5 "},
    {fault::abort_that_flushes, "C2 "},
    {fault::empty_write_told, "W2 "},
    {fault::marks_forgotten, "F11 "},
    {fault::eof_refused, "E3 "},
    {fault::switch_refused, "V1 the old protocol"},
};

}  // namespace

TEST_CASE("each planted fault is caught and named by the rule that it breaks") {
  for (const planted_fault& each : planted_faults) {
    CAPTURE(static_cast<int>(each.what));
    CAPTURE(each.rule);
    CHECK_FALSE(is_caught(fault::none, each.rule));
    CHECK(is_caught(each.what, each.rule));
  }
}

TEST_CASE("a report names what failed, what does not apply and why, and counts") {
  const conformance_report report = run_conformance(with_fault(fault::second_lost), {"L1"});
  CHECK_FALSE(report.passed());
  const std::vector<std::string> names = report.failures();
  CHECK(std::ranges::any_of(names, [](const std::string& name) { return name.starts_with("L1 nothing comes after connection_lost"); }));

  std::ostringstream text;
  text << report;
  CHECK(text.str().find("FAILED L1 nothing comes after connection_lost") != std::string::npos);
  CHECK(text.str().find("L3 a second time") != std::string::npos);
  CHECK(text.str().find("not applicable: L15 a factory that throws") != std::string::npos);
  CHECK(text.str().find("the fixture has no listener") != std::string::npos);
  CHECK(text.str().find("a transport with a fault: ") != std::string::npos);
}

TEST_CASE("a report that ran nothing has not passed") { CHECK_FALSE(run_conformance(over_memory(), {"no such rule"}).passed()); }
