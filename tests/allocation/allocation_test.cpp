#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <doctest/doctest.h>
#include <sluice/testing/allocation_counter.hpp>

#include "scenarios.hpp"

using sluice::testing::allocation_counter;

namespace {

// The columns of a line of budgets.txt behind the scenario's name; "*" is a number that depends on how the system cuts the bytes.
struct budget {
  std::string allocations, receives, sends, controls;
};

std::map<std::string, budget> read_budgets() {
  std::map<std::string, budget> budgets;
  std::ifstream file(BUDGETS);
  REQUIRE_MESSAGE(file, "cannot read " BUDGETS);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream columns(line);
    std::string name;
    budget each;
    columns >> name >> each.allocations >> each.receives >> each.sends >> each.controls;
    CHECK_MESSAGE(columns, "not a line of budgets: ", line);
    CHECK_MESSAGE(budgets.emplace(name, each).second, "two budgets for ", name);
  }
  return budgets;
}

void compare(const char* what, const std::string& expected, std::size_t found) {
  if (expected == "*") return;
  CHECK_MESSAGE(expected == std::to_string(found), what, ": budgets.txt says ", expected, ", it took ", found,
                "; a rise has to go, a fall has to be explained and written down");
}

}  // namespace

TEST_CASE("each scenario takes from the heap and from the system exactly what budgets.txt says" *
          doctest::skip(!allocation_counter::available())) {
  auto budgets = read_budgets();
  for (const scenario& each : all_scenarios()) {
    CAPTURE(each.name);
    const auto found = budgets.find(each.name);
    if (found == budgets.end()) {
      FAIL_CHECK("no line in budgets.txt");
      continue;
    }
    const cost spent = each.run();
    compare("allocations", found->second.allocations, spent.allocations);
    compare("receives", found->second.receives, spent.calls.receives);
    compare("sends", found->second.sends, spent.calls.sends);
    compare("changes of interest", found->second.controls, spent.calls.controls);
    budgets.erase(found);
  }
  for (const auto& left : budgets) FAIL_CHECK("no scenario is called ", left.first);
}

TEST_CASE("without a count of the heap nothing is checked, and the run says so" * doctest::skip(allocation_counter::available())) {
  MESSAGE("skipped: a sanitizer or another C library stands in front of the heap");
}
