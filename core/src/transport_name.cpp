#include "transport_name.hpp"

#include <sluice/info.hpp>

namespace sluice::detail {

std::string name_of(const tenant& named) {
  const auto describe = [&named](info_query& query) { named.describe(query); };
  std::string name = std::to_string(named.id());
  const auto kind = info_query::ask<transport_kind>(describe);
  if (!kind) return name;
  name += " (" + kind->value;
  if (const auto peer = info_query::ask<peer_address>(describe)) name += ' ' + peer->value.to_string();
  return name + ')';
}

}  // namespace sluice::detail
