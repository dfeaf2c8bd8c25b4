#include "transport_name.hpp"

#include <sluice/info.hpp>
#include <sluice/transport.hpp>

namespace sluice::detail {

std::string name_of(const transport& named) {
  std::string name = std::to_string(named.id());
  const auto kind = named.info<transport_kind>();
  if (!kind) return name;
  name += " (" + kind->value;
  if (const auto peer = named.info<peer_address>()) name += ' ' + peer->value.to_string();
  return name + ')';
}

}  // namespace sluice::detail
