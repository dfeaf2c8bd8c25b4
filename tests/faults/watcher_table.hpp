#pragma once

#include <sluice/loop.hpp>

namespace faults {

// libuv ends the process where `uv__io_start` cannot grow the loop's table of watchers (`maybe_resize`), which is as long as the highest
// descriptor that was ever watched: a sweep over allocations lets it grow beforehand.
void grow_watcher_table(sluice::loop& owner);

}  // namespace faults
