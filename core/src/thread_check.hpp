#pragma once

#include <sluice/scheduler.hpp>

namespace sluice {

#ifdef NDEBUG
inline constexpr bool thread_checks = false;
#else
inline constexpr bool thread_checks = true;
#endif

// True, and reported, if `call` was made from another thread than the scheduler's; costs nothing where this build does not check.
inline bool scheduler::wrong_thread(const char* call) const noexcept { return thread_checks && is_wrong_thread(call); }

}  // namespace sluice
