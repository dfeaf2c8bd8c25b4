// Seeded faults: see storm_test.cpp. `--seed=17` replays one seed; `--seeds=1000` runs as many from 1 on; the rest is doctest's.
#define DOCTEST_CONFIG_IMPLEMENT
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <doctest/doctest.h>

#include "fault_sweep.hpp"

namespace {

sweep_range wanted;

bool read_number(std::string_view argument, std::string_view name, std::uint32_t& value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), value);
  if (error == std::errc() && end == argument.data() + argument.size()) return true;
  std::fprintf(stderr, "\"%.*s\" is not a value for %.*s; expected a number\n", static_cast<int>(argument.size()), argument.data(),
               static_cast<int>(name.size()), name.data());
  std::exit(2);
}

}  // namespace

const sweep_range& wanted_seeds() noexcept { return wanted; }

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    read_number(arguments[i], "--seeds=", wanted.count);
    if (read_number(arguments[i], "--seed=", wanted.first)) wanted.count = 1;
  }
  return doctest::Context(count, arguments).run();
}
