#pragma once

#include <sluice/address.hpp>

namespace sluice::local {

// An unnamed address would let the system choose a name, and nobody would know.
inline bool names_a_place(const address& at) noexcept {
  return at.family() == address_family::unix_path || at.family() == address_family::unix_abstract;
}

}  // namespace sluice::local
