#pragma once

#include <cstddef>
#include <functional>

namespace sluice::testing {

/// Runs `scenario(n)` with n = 0, 1, 2, … until it returns false: once for each place where it can fail. A scenario makes everything anew,
/// lets the operation after the first `n` fail (see `memory::link::fail_after`), checks that everything ended well, and returns whether the
/// failure struck. The run without a failure is the last.
///
///     failure_sweep([](std::size_t n) { …; made.link.fail_after(n, error); …; return made.link.struck(); });
///
/// Returns the number of failures that struck. `std::runtime_error` after `limit` of them: the scenario probably never returns false.
std::size_t failure_sweep(const std::function<bool(std::size_t operations)>& scenario, std::size_t limit = 10'000);

}  // namespace sluice::testing
