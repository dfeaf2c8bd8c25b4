#include <sluice/testing/allocation_counter.hpp>

#include "allocation_hooks.hpp"

namespace sluice::testing {

bool allocation_counter::available() noexcept { return allocation_hooks::cover_everything(); }

allocation_counts allocation_counter::thread_total() noexcept { return allocation_hooks::of_this_thread().total; }

}  // namespace sluice::testing
