#include <sluice/detail/compact_address.hpp>

#include <sluice/detail/address_access.hpp>

#include <cstring>
#include <utility>

namespace sluice::detail {

compact_address::compact_address(const address& from) : scope_id_(from.scope_id()), port_(from.port()), family_(from.family()) {
  const auto bytes = address_access::bytes(from);
  length_ = static_cast<std::uint8_t>(bytes.size());
  if (!has_name()) [[likely]] {
    std::memcpy(content_.ip.data(), bytes.data(), content_.ip.size());  // an address holds more than that, zeros behind its length
    return;
  }
  content_.name = new char[length_];
  bytes.copy(content_.name, length_);
}

compact_address& compact_address::operator=(compact_address&& other) noexcept {
  compact_address taken(std::move(other));
  swap(taken);
  return *this;
}

address compact_address::expand() const noexcept {
  const auto* const bytes = has_name() ? content_.name : reinterpret_cast<const char*>(content_.ip.data());
  return address_access::make(family_, {bytes, length_}, port_, scope_id_);
}

void compact_address::swap(compact_address& other) noexcept {
  std::swap(content_, other.content_);
  std::swap(scope_id_, other.scope_id_);
  std::swap(port_, other.port_);
  std::swap(family_, other.family_);
  std::swap(length_, other.length_);
}

void compact_address::release() noexcept {
  if (has_name()) delete[] content_.name;
}

}  // namespace sluice::detail
