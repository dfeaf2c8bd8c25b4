#include <sluice/network.hpp>

#include <algorithm>

#include <sluice/error.hpp>

#include "text.hpp"

namespace sluice {
namespace {

constexpr unsigned v4_bits = 32;
constexpr unsigned v6_bits = 128;
unsigned bit_count(const_bytes bytes) noexcept { return static_cast<unsigned>(bytes.size() * 8); }

bool same_start(const_bytes a, const_bytes b, unsigned bits) noexcept {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == std::byte(0);
}

void clear_behind(std::array<std::byte, 16>& bytes, unsigned bits) noexcept {
  const std::size_t whole = bits / 8;
  if (bits % 8 != 0) bytes[whole] &= std::byte(0xff) << (8 - bits % 8);
  for (std::size_t i = (bits + 7) / 8; i < bytes.size(); ++i) bytes[i] = std::byte(0);
}

}  // namespace

// A network, or why there is none: the middle of a sentence that begins with the quoted text.
struct network_reading {
  network value;
  std::string_view problem;
  network meant = {};  // where bits behind the prefix are set

  static network_reading make(const address& base, unsigned prefix) noexcept;
  static network_reading parse(std::string_view text) noexcept;

  network take_or_throw(std::string_view text) const {
    if (problem.empty()) return value;
    std::string message = "network " + detail::quote(text) + ' ' + std::string(problem);
    if (!meant.empty()) message += meant.to_string();
    throw std::system_error(errc::bad_address, message);
  }
};

network_reading network_reading::make(const address& base, unsigned prefix) noexcept {
  const const_bytes bytes = base.ip_bytes();
  if (bytes.empty()) return {{}, "is not a block of IP addresses; expected one such as 10.0.0.0/8 or 2001:db8::/32"};
  if (base.unmapped() != base) return {{}, "is IPv4 inside IPv6; expected it in the form of IPv4, such as 10.0.0.0/8"};
  if (prefix > bit_count(bytes))
    return {{},
            base.is_v4() ? "has a prefix longer than an IPv4 address; expected one from 0 to 32"
                         : "has a prefix longer than an IPv6 address; expected one from 0 to 128"};
  network made;
  made.bits_ = static_cast<std::uint8_t>(bit_count(bytes));
  made.prefix_ = static_cast<std::uint8_t>(prefix);
  std::ranges::copy(bytes, made.bytes_.begin());
  clear_behind(made.bytes_, prefix);
  if (std::equal(bytes.begin(), bytes.end(), made.bytes_.begin())) return {made, {}};
  return {{}, "has bits behind its prefix; expected ", made};
}

network_reading network_reading::parse(std::string_view text) noexcept {
  const auto slash = text.find('/');
  std::error_code code;
  const address base = address::ip(text.substr(0, slash), 0, code);
  if (code || base.scope_id() != 0) return make({}, 0);
  if (slash == text.npos) return make(base, base.is_v4() ? v4_bits : v6_bits);
  const auto prefix = detail::parse_decimal(text.substr(slash + 1), 999);
  if (!prefix) return {{}, "has no number behind the slash; expected one such as 10.0.0.0/8 or 2001:db8::/32"};
  return make(base, static_cast<unsigned>(*prefix));
}

network::network(const address& base, unsigned prefix)
    : network(network_reading::make(base, prefix).take_or_throw(base.host() + '/' + std::to_string(prefix))) {}

network network::parse(std::string_view text) { return network_reading::parse(text).take_or_throw(text); }

network network::parse(std::string_view text, std::error_code& code) noexcept {
  const network_reading found = network_reading::parse(text);
  code = found.problem.empty() ? std::error_code() : make_error_code(errc::bad_address);
  return found.value;
}

bool network::contains(const address& one) const noexcept {
  const address plain = one.unmapped();
  const const_bytes bytes = plain.ip_bytes();
  return !empty() && bit_count(bytes) == bits_ && same_start(bytes, bytes_, prefix_);
}

address network::base() const noexcept {
  if (empty()) return {};
  return bits_ == v4_bits ? address::v4(std::span(bytes_).first<4>(), 0) : address::v6(bytes_, 0);
}

std::string network::to_string() const { return empty() ? std::string() : base().host() + '/' + std::to_string(prefix_); }

bool contains(const std::vector<network>& networks, const address& one) noexcept {
  return std::ranges::any_of(networks, [&](const network& each) { return each.contains(one); });
}

}  // namespace sluice
