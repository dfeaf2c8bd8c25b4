#include <sluice/testing/allocation_failure.hpp>

#include "allocation_hooks.hpp"

namespace sluice::testing {

allocation_failure::allocation_failure(std::size_t n) noexcept {
  allocation_hooks& hooks = allocation_hooks::of_this_thread();
  hooks.has_failed = false;
  hooks.until_failure = n + 1;
}

allocation_failure::~allocation_failure() { allocation_hooks::of_this_thread().until_failure = 0; }

bool allocation_failure::struck() const noexcept { return allocation_hooks::of_this_thread().has_failed; }

}  // namespace sluice::testing
