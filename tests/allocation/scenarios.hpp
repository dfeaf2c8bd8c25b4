#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "system_calls.hpp"

// What one scenario took from the heap and from the system, between its warm-up and its end.
struct cost {
  std::size_t allocations = 0;
  system_calls calls;
};

struct scenario {
  std::string name;  // as in budgets.txt
  std::function<cost()> run;
};

// All of them, each with a thousand messages, connections or events.
std::vector<scenario> all_scenarios();
