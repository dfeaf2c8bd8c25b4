#pragma once

#include <sluice/bytes.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace sluice {

namespace detail {
struct address_access;
}

/// What an `address` holds.
enum class address_family : std::uint8_t {
  none,           ///< Nothing: default-constructed, or a peer that has no address (a memory link, a pipe).
  v4,             ///< An IPv4 address and a port.
  v6,             ///< An IPv6 address, a port and a scope.
  unix_path,      ///< A Unix socket that has a place in the file system.
  unix_abstract,  ///< A Unix socket with a name outside the file system (Linux).
  unix_unnamed    ///< A Unix socket that was never bound: most clients.
};

/// One end of a connection or the source of a datagram, as a value: compares, orders, hashes and copies like an integer, and never allocates.
/// Holds numbers and names as the kernel knows them; a host name such as "localhost" is not an address, and nothing here asks a resolver.
///
/// Throwing members throw `std::system_error` with a message that quotes the text and says what would be right; the overloads with a
/// `std::error_code&` return an empty address instead, and clear the code on success. Codes: `errc::bad_address`, and ENAMETOOLONG
/// (`std::errc::filename_too_long`) for a Unix name above `max_unix_name()`.
class address {
 public:
  /// Empty: `family()` is `none`, `to_string()` is "".
  address() noexcept = default;

  /// A numeric IPv4 or IPv6 host, without brackets: `{"127.0.0.1", 80}`, `{"::1", 80}`. An IPv6 host may name its scope by number or by
  /// interface: "fe80::1%2", "fe80::1%eth0" (the interface must exist now).
  address(std::string_view host, std::uint16_t port);
  static address ip(std::string_view host, std::uint16_t port, std::error_code& code) noexcept;

  /// The inverse of `to_string()`: "127.0.0.1:80", "[::1]:80", "unix:/run/x.sock", "unix-abstract:name", "unix:" (unnamed). Unix names are
  /// percent-decoded, as in an endpoint string.
  static address parse(std::string_view text);
  static address parse(std::string_view text, std::error_code& code) noexcept;

  /// IP addresses from bytes in network order, as they stand in a packet.
  static address v4(std::span<const std::byte, 4> bytes, std::uint16_t port) noexcept;
  static address v6(std::span<const std::byte, 16> bytes, std::uint16_t port, std::uint32_t scope_id = 0) noexcept;

  /// 0.0.0.0 and ::, to listen on every interface.
  static address any_v4(std::uint16_t port) noexcept;
  static address any_v6(std::uint16_t port) noexcept;
  /// 127.0.0.1 and ::1.
  static address loopback_v4(std::uint16_t port) noexcept;
  static address loopback_v6(std::uint16_t port) noexcept;

  /// A path, relative ones included; refused when empty, when it holds a NUL byte, or when longer than `max_unix_name()`.
  static address unix_path(std::string_view path);
  static address unix_path(std::string_view path, std::error_code& code) noexcept;
  /// A name without the leading NUL that marks it in the socket API. Every byte counts, NULs included (rule P6 of docs/contract.md).
  static address unix_abstract(std::string_view name);
  static address unix_abstract(std::string_view name, std::error_code& code) noexcept;
  static address unix_unnamed() noexcept;
  /// The limit of the platform for both kinds of names, in bytes: 107 on Linux.
  static std::size_t max_unix_name() noexcept;

  address_family family() const noexcept { return family_; }
  bool empty() const noexcept { return family_ == address_family::none; }
  bool is_v4() const noexcept { return family_ == address_family::v4; }
  bool is_v6() const noexcept { return family_ == address_family::v6; }
  bool is_ip() const noexcept { return is_v4() || is_v6(); }
  bool is_unix() const noexcept;

  /// These three look through an IPv4-mapped IPv6 address (::ffff:127.0.0.1 is a loopback) and are false for everything that is not IP.
  bool is_loopback() const noexcept;
  bool is_multicast() const noexcept;
  bool is_unspecified() const noexcept;

  /// The numeric host without brackets, with the scope if there is one: `address(a.host(), a.port()) == a`. Empty unless `is_ip()`.
  std::string host() const;
  /// 0 unless `is_ip()`.
  std::uint16_t port() const noexcept { return port_; }
  /// 0 unless the address is IPv6 and has one.
  std::uint32_t scope_id() const noexcept { return scope_id_; }
  /// 4 or 16 bytes in network order, none unless `is_ip()`. Valid as long as this object is, and unchanged.
  const_bytes ip_bytes() const noexcept;
  /// The path of a `unix_path`, else empty. Valid as long as this object is, and unchanged.
  std::string_view path() const noexcept;
  /// The name of a `unix_abstract`, else empty; may hold any byte. Valid as long as this object is, and unchanged.
  std::string_view abstract_name() const noexcept;

  /// 10.1.2.3 for ::ffff:10.1.2.3, as a socket for both families reports an IPv4 peer; any other address comes back as it is.
  address unmapped() const noexcept;

  /// The same host at another port; an address that is not IP comes back as it is.
  address with_port(std::uint16_t port) const noexcept;

  /// What `parse` reads. Bytes of Unix names that are not printable ASCII, and `%`, `?` and `#`, are percent-encoded, so that the text can
  /// stand in a log line and in an endpoint string.
  std::string to_string() const;

  /// Orders by family first, then by the bytes of the host or name, then by port.
  friend auto operator<=>(const address&, const address&) noexcept = default;
  friend bool operator==(const address&, const address&) noexcept = default;

 private:
  friend struct detail::address_access;
  friend struct std::hash<address>;

  address(address_family family, std::string_view bytes, std::uint16_t port = 0, std::uint32_t scope_id = 0) noexcept;
  std::string_view bytes() const noexcept { return as_text({bytes_.data(), length_}); }

  address_family family_ = address_family::none;
  std::array<std::byte, 108> bytes_{};  // zero after length_, so that comparing all of it compares the value
  std::uint8_t length_ = 0;
  std::uint16_t port_ = 0;
  std::uint32_t scope_id_ = 0;
};

}  // namespace sluice

template <>
struct std::hash<sluice::address> {
  std::size_t operator()(const sluice::address& value) const noexcept;
};
