#include "inherited_sockets.hpp"

#include <algorithm>
#include <utility>

#include "socket.hpp"

namespace sluice::detail {

descriptor inherited_sockets::take(const address& at) {
  for (const pool& each : pools_) {
    const auto found = std::ranges::find_if(*each, [&](const descriptor& socket) { return bound_address(socket.get()) == at; });
    if (found == each->end()) continue;
    descriptor taken = std::move(*found);
    each->erase(found);
    return taken;
  }
  return {};
}

}  // namespace sluice::detail
