#pragma once

#include <cstddef>

#include <sluice/testing/allocation_counter.hpp>

// What stands between this program and its heap.
namespace sluice::testing {

struct allocation_hooks {
  allocation_counts total;
  std::size_t until_failure = 0;  // allocations, the one that fails included; 0: none is to fail
  bool has_failed = false;

  static allocation_hooks& of_this_thread() noexcept;
  // Every allocation is counted, not only those that stand on operator new.
  static bool cover_everything() noexcept;

  // True for the one that is to fail.
  bool fails() noexcept {
    if (until_failure == 0 || --until_failure != 0) return false;
    has_failed = true;
    return true;
  }
};

}  // namespace sluice::testing
