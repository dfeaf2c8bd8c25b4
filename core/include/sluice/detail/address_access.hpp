#pragma once

#include <sluice/address.hpp>

namespace sluice::detail {

/// Makes addresses from what the kernel gave, without the checks that a user's text gets: a peer may have bound a path that fills sun_path to
/// the last byte, one more than `address::unix_path` takes.
struct address_access {
  static address make(address_family family, std::string_view bytes, std::uint16_t port = 0, std::uint32_t scope_id = 0) noexcept {
    return {family, bytes, port, scope_id};
  }
  /// The host or name in the form that `make` takes, whatever the family.
  static std::string_view bytes(const address& of) noexcept { return of.bytes(); }
};

}  // namespace sluice::detail
