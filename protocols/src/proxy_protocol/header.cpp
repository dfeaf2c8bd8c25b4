#include <sluice/proxy_protocol/header.hpp>

#include <sluice/info.hpp>
#include <sluice/transport.hpp>

#include "proxy_protocol/wire.hpp"

namespace sluice::proxy_protocol {

const_bytes tlv_list::iterator::whole(const_bytes rest) noexcept {
  const bool is_there = rest.size() >= detail::tlv_head && rest.size() - detail::tlv_head >= detail::number_at(rest, 1);
  return is_there ? rest : const_bytes();
}

std::size_t tlv_list::iterator::size() const noexcept { return detail::tlv_head + detail::number_at(rest_, 1); }

tlv_list::tlv tlv_list::iterator::operator*() const noexcept {
  return {static_cast<tlv_type>(rest_[0]), rest_.first(size()).subspan(detail::tlv_head)};
}

tlv_list::iterator& tlv_list::iterator::operator++() noexcept {
  rest_ = whole(rest_.subspan(size()));
  return *this;
}

tlv_list::iterator tlv_list::iterator::operator++(int) noexcept {
  const iterator before = *this;
  ++*this;
  return before;
}

std::optional<const_bytes> tlv_list::find(tlv_type type) const noexcept {
  for (const tlv each : *this)
    if (each.type == type) return each.value;
  return std::nullopt;
}

bool tlv_list::is_whole() const noexcept {
  std::size_t size = 0;
  for (const tlv each : *this) size += detail::tlv_head + each.value.size();
  return size == bytes_.size();
}

std::optional<tls_facts> tls_facts::read(const_bytes value) noexcept {
  constexpr std::size_t head = 5;
  if (value.size() < head) return std::nullopt;
  const auto client = std::to_integer<unsigned>(value[0]);
  tls_facts made;
  made.uses_tls = (client & 1) != 0;
  made.showed_certificate = (client & 2) != 0;
  made.showed_certificate_in_session = (client & 4) != 0;
  made.verification = std::uint32_t{detail::number_at(value, 1)} << 16 | detail::number_at(value, 3);
  made.details = tlv_list(value.subspan(head));
  return made;
}

header header_of_client(const transport& accepted, version format) {
  header made;
  made.format = format;
  const auto peer = accepted.info<peer_address>();
  const auto local = accepted.info<local_address>();
  if (!peer || !local || peer->value.empty() || local->value.empty()) return made;
  made.carrier = carrier::stream;
  made.source = peer->value;
  made.destination = local->value;
  return made;
}

}  // namespace sluice::proxy_protocol
