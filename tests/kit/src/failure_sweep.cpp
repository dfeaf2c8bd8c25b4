#include <sluice/testing/failure_sweep.hpp>

#include <stdexcept>
#include <string>

namespace sluice::testing {

std::size_t failure_sweep(const std::function<bool(std::size_t operations)>& scenario, std::size_t limit) {
  for (std::size_t n = 0; n <= limit; ++n)
    if (!scenario(n)) return n;
  throw std::runtime_error("failure_sweep: the scenario still fails after " + std::to_string(limit) +
                           " operations; it should return false once it ran without a failure");
}

}  // namespace sluice::testing
