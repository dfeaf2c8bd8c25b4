#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/address.hpp>

namespace sluice {

/// A block of IP addresses, as a value: all that share their first bits.
///
/// IPv4 addresses inside IPv6 (::ffff:10.1.2.3), as a socket for both families reports them, belong to the networks of IPv4.
class network {
 public:
  /// Holds no address; `to_string()` is "".
  network() noexcept = default;

  /// The addresses whose first `prefix` bits are those of `base`, whose port and scope do not matter. Throws `std::system_error`
  /// (`errc::bad_address`) if `base` is not IP or is IPv4 inside IPv6, if the prefix is longer than the address, or if bits of `base` behind
  /// it are set.
  network(const address& base, unsigned prefix);

  /// "10.0.0.0/8", "2001:db8::/32", or a lone address for itself: "192.0.2.7". Throws `std::system_error` with a message that quotes the
  /// text and says what would be right, or sets `code` to `errc::bad_address` and returns an empty network.
  static network parse(std::string_view text);
  static network parse(std::string_view text, std::error_code& code) noexcept;

  bool empty() const noexcept { return bits_ == 0; }
  /// False for everything that is not IP.
  bool contains(const address& one) const noexcept;

  /// The lowest address, with port 0.
  address base() const noexcept;
  /// How many bits the addresses share: at most 32 or 128.
  unsigned prefix() const noexcept { return prefix_; }
  /// What `parse` reads.
  std::string to_string() const;

  friend auto operator<=>(const network&, const network&) noexcept = default;
  friend bool operator==(const network&, const network&) noexcept = default;

 private:
  friend struct network_reading;

  std::uint8_t bits_ = 0;    // of an address of the family; 0: empty
  std::uint8_t prefix_ = 0;  // at most bits_
  std::array<std::byte, 16> bytes_{};
};

/// True if one of `networks` contains `one`.
bool contains(const std::vector<network>& networks, const address& one) noexcept;

}  // namespace sluice
