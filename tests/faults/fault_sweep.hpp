#pragma once

#include <cstdint>

// What the command line asks for.
struct sweep_range {
  std::uint32_t first = 1;
  std::uint32_t count = 200;
};
const sweep_range& wanted_seeds() noexcept;
