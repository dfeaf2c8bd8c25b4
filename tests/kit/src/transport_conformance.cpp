#include <sluice/testing/transport_conformance.hpp>

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <stdexcept>
#include <utility>

#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include "conformance_trial.hpp"

namespace sluice::testing {
namespace {

using outcome = conformance_result::outcome;

const case_list& all_cases() {
  static const case_list cases = [] {
    case_list list;
    add_lifecycle_cases(list);
    add_ending_cases(list);
    add_reading_cases(list);
    add_writing_cases(list);
    add_file_cases(list);
    add_flow_control_cases(list);
    add_half_close_cases(list);
    add_closing_cases(list);
    add_exception_cases(list);
    add_buffered_cases(list);
    add_switching_cases(list);
    add_upgrade_cases(list);
    add_info_cases(list);
    return list;
  }();
  return cases;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string result;
  for (const std::string& line : lines) result += (result.empty() ? "" : "; ") + line;
  return result;
}

void run_guarded(const std::function<void()>& function, std::vector<std::string>& failures) {
  try {
    function();
  } catch (const trial_failed& failure) {
    failures.push_back(failure.why);
  } catch (const std::exception& error) {
    failures.push_back(std::string("an exception came out of the scheduler: ") + error.what());
  } catch (...) {
    failures.emplace_back("an exception came out of the scheduler");
  }
}

conformance_result run_case(const conformance_case& each, const transport_under_test& subject) {
  if (const std::string_view why = excuse(each.name, subject.has); !why.empty())
    return {std::string(each.name), outcome::not_applicable, std::string(why)};
  std::vector<std::string> failures;
  trial bench(subject, failures);
  run_guarded([&] { each.run(bench); }, failures);
  run_guarded([&] { bench.tear_down(); }, failures);
  return {std::string(each.name), failures.empty() ? outcome::passed : outcome::failed, joined(failures)};
}

class manual_fixture final : public transport_fixture {
 public:
  explicit manual_fixture(pair_maker connect) : connect_(std::move(connect)) {}

  manual_scheduler& scheduler() override { return scheduler_; }
  bool run_until(const std::function<bool()>& done) override { return scheduler_.run_until(done); }
  void connect(protocol_ptr near, protocol_ptr far) override { connect_(scheduler_, std::move(near), std::move(far)); }

 private:
  pair_maker connect_;
  manual_scheduler scheduler_;
};

class memory_fixture final : public transport_fixture {
 public:
  explicit memory_fixture(const memory::options& settings) : settings_(settings) {}

  manual_scheduler& scheduler() override { return scheduler_; }
  bool run_until(const std::function<bool()>& done) override { return scheduler_.run_until(done); }
  void connect(protocol_ptr near, protocol_ptr far) override {
    link_ = memory::pair(scheduler_, std::move(near), std::move(far), settings_).link;
  }
  bool fail_writes() override {
    link_->fail_sends(memory::side::first, system_error(EPIPE));
    return true;
  }

 private:
  memory::options settings_;
  manual_scheduler scheduler_;
  std::optional<memory::link> link_;
};

class layered_fixture final : public transport_fixture {
 public:
  layered_fixture(std::unique_ptr<transport_fixture> below, layer_maker near, layer_maker far)
      : below_(std::move(below)), near_(std::move(near)), far_(std::move(far)) {}

  sluice::scheduler& scheduler() override { return below_->scheduler(); }
  bool run_until(const std::function<bool()>& done) override { return below_->run_until(done); }
  bool fail_writes() override { return below_->fail_writes(); }
  void connect(protocol_ptr near, protocol_ptr far) override { below_->connect(wrap(near_, std::move(near)), wrap(far_, std::move(far))); }

 private:
  protocol_ptr wrap(const layer_maker& make, protocol_ptr upper) {
    if (!make) return upper;
    return make(scheduler(), std::move(upper));
  }

  std::unique_ptr<transport_fixture> below_;
  layer_maker near_;
  layer_maker far_;
};

}  // namespace

transport_fixture::~transport_fixture() = default;
bool transport_fixture::fail_writes() { return false; }
void transport_fixture::listen(protocol_factory) { throw std::logic_error("this fixture has no listener"); }
void transport_fixture::dial(protocol_ptr) { throw std::logic_error("this fixture has no listener"); }
void transport_fixture::stop_listening() { throw std::logic_error("this fixture has no listener"); }

transport_under_test over_manual_scheduler(std::string name, capabilities has, pair_maker connect) {
  return {std::move(name), has, [connect = std::move(connect)] { return std::make_unique<manual_fixture>(connect); }};
}

transport_under_test over_memory(const memory::options& settings) {
  return {"memory", {}, [settings] { return std::make_unique<memory_fixture>(settings); }};
}

transport_under_test with_layer(std::string name, transport_under_test below, layer_maker near, layer_maker far) {
  capabilities has = below.has;
  has.is_layer = true;
  has.hangup = has.listener = has.completion = false;
  return {std::move(name), has, [below = std::move(below), near = std::move(near), far = std::move(far)] {
            return std::make_unique<layered_fixture>(below.make(), near, far);
          }};
}

std::size_t conformance_report::count(conformance_result::outcome what) const {
  return static_cast<std::size_t>(std::ranges::count(results, what, &conformance_result::what));
}

bool conformance_report::passed() const { return count(outcome::failed) == 0 && count(outcome::passed) != 0; }

std::vector<std::string> conformance_report::failures() const {
  std::vector<std::string> names;
  for (const conformance_result& each : results)
    if (each.what == outcome::failed) names.push_back(each.name);
  return names;
}

std::ostream& operator<<(std::ostream& out, const conformance_report& report) {
  const auto list = [&](outcome what, const char* label) {
    for (const conformance_result& each : report.results)
      if (each.what == what) out << label << each.name << "\n    " << each.detail << '\n';
  };
  list(outcome::failed, "FAILED ");
  list(outcome::not_applicable, "not applicable: ");
  return out << report.transport << ": " << report.count(outcome::passed) << " passed, " << report.count(outcome::failed) << " failed, "
             << report.count(outcome::not_applicable) << " not applicable\n";
}

conformance_report run_conformance(const transport_under_test& subject, const conformance_options& options) {
  conformance_report report{subject.name, {}};
  for (const conformance_case& each : all_cases().all())
    if (each.name.starts_with(options.only)) report.results.push_back(run_case(each, subject));
  return report;
}

}  // namespace sluice::testing
