#include <sluice/testing/datagram_conformance.hpp>

#include <optional>
#include <utility>

#include <sluice/testing/manual_scheduler.hpp>

#include "datagram_trial.hpp"

namespace sluice::testing {
namespace {

using outcome = conformance_result::outcome;

/// A case that needs something that not every medium has; one that is not listed runs over every transport.
struct exception_row {
  std::string_view cases;  // the beginning of their names
  bool datagram_capabilities::*needs;
  std::string_view reason;
};

constexpr std::string_view no_backpressure = "the medium drops what nobody reads, instead of making the sender wait";

constexpr exception_row exceptions[] = {
    {"D4", &datagram_capabilities::truncation, "the fixture cannot open a far end that takes little"},
    {"D5 that nobody takes", &datagram_capabilities::bounce, "the medium does not tell that nobody took a datagram"},
    {"D8", &datagram_capabilities::backpressure, no_backpressure},
    {"D9 close sends what is queued", &datagram_capabilities::backpressure, no_backpressure},
    {"D9 abort drops", &datagram_capabilities::backpressure, no_backpressure},
    {"C4", &datagram_capabilities::backpressure, no_backpressure},
    {"F10 F12", nullptr, {}},
    {"F", &datagram_capabilities::backpressure, no_backpressure},
};

std::string_view excuse(std::string_view name, const datagram_capabilities& has) {
  for (const exception_row& row : exceptions)
    if (name.starts_with(row.cases)) return row.needs == nullptr || has.*row.needs ? std::string_view() : row.reason;
  return {};
}

void run_guarded(const std::function<void()>& function, std::vector<std::string>& failures) {
  try {
    function();
  } catch (const trial_failed& failure) {
    failures.push_back(failure.why);
  } catch (const std::exception& error) {
    failures.push_back(std::string("an exception came out of the scheduler: ") + error.what());
  }
}

conformance_result run_case(const datagram_case& each, const datagram_transport_under_test& subject) {
  if (const std::string_view why = excuse(each.name, subject.has); !why.empty())
    return {std::string(each.name), outcome::not_applicable, std::string(why)};
  std::vector<std::string> failures;
  datagram_trial bench(subject, failures);
  run_guarded([&] { each.run(bench); }, failures);
  run_guarded([&] { bench.tear_down(); }, failures);
  std::string detail;
  for (const std::string& failure : failures) detail += (detail.empty() ? "" : "; ") + failure;
  return {std::string(each.name), failures.empty() ? outcome::passed : outcome::failed, std::move(detail)};
}

class memory_fixture final : public datagram_fixture {
 public:
  explicit memory_fixture(memory::datagram_link_options settings) : settings_(std::move(settings)) {}

  manual_scheduler& scheduler() override { return scheduler_; }
  bool run_until(const std::function<bool()>& done) override { return scheduler_.run_until(done); }
  void open(datagram_protocol_ptr near, datagram_protocol_ptr far, const plan& how) override {
    settings_.connected = how.connected;
    settings_.largest = how.far_takes;
    settings_.transport = how.near;
    memory::datagram_pair(scheduler_, std::move(near), std::move(far), settings_);
  }
  address elsewhere() override { return {"127.0.0.9", 9}; }

 private:
  memory::datagram_link_options settings_;
  manual_scheduler scheduler_;
};

}  // namespace

datagram_fixture::~datagram_fixture() = default;

datagram_transport_under_test over_memory_datagrams(const memory::datagram_link_options& settings) {
  return {"memory datagrams", {}, [settings] { return std::make_unique<memory_fixture>(settings); }};
}

conformance_report run_datagram_conformance(const datagram_transport_under_test& subject, const conformance_options& options) {
  conformance_report report{subject.name, {}};
  for (const auto cases : {datagram_traffic_cases(), datagram_flow_cases(), datagram_life_cases()})
    for (const datagram_case& each : cases)
      if (each.name.starts_with(options.only)) report.results.push_back(run_case(each, subject));
  return report;
}

}  // namespace sluice::testing
