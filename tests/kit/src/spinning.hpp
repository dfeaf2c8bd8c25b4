#pragma once

#include <chrono>
#include <ctime>

namespace sluice::testing {

// Whether this thread computes while `pass`, which lets time go by, has nothing for it to do. One look in several may be wrong: a busy machine
// charges a thread with the time of others now and then.
template <typename Pass>
bool spins(Pass pass) {
  const auto seconds_so_far = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
  };
  for (int look = 0; look < 4; ++look) {
    const double before = seconds_so_far();
    pass(std::chrono::milliseconds(40));
    if (seconds_so_far() - before < 0.02) return false;
  }
  return true;
}

}  // namespace sluice::testing
