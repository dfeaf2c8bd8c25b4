#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>

#include <sluice/address.hpp>
#include <sluice/bytes.hpp>

namespace sluice {
class transport;
}

/// What a proxy says in front of a connection that it hands on: whose it is. "The PROXY protocol, versions 1 & 2", W. Tarreau, HAProxy's
/// doc/proxy-protocol.txt; sections below are its.
namespace sluice::proxy_protocol {

enum class version : std::uint8_t {
  v1 = 1,  ///< A line of text (section 2.1).
  v2 = 2   ///< Binary (section 2.2).
};

enum class command : std::uint8_t {
  local,  ///< The proxy speaks for itself, to see whether the server is well: the addresses of the connection are the real ones.
  proxy   ///< The connection is somebody else's.
};

/// What the proxy received.
enum class carrier : std::uint8_t {
  unspecified,  ///< Something without addresses that can be written down: UNKNOWN, AF_UNSPEC. Those of the connection are all there are.
  stream,
  datagram
};

/// Types of TLVs (section 2.2); there are others, and 0xE0 to 0xEF are for applications.
enum class tlv_type : std::uint8_t {
  alpn = 0x01,       ///< The protocol that ALPN chose, as it goes over the wire.
  authority = 0x02,  ///< The host name that the client asked for, by SNI for example.
  crc32c = 0x03,     ///< Checksum of the header; the decoder has checked it.
  padding = 0x04,    ///< Means nothing.
  unique_id = 0x05,  ///< At most 128 bytes that name the connection.
  ssl = 0x20,        ///< See `tls_facts`.
  netns = 0x30       ///< The network namespace.
};

/// TLVs of a header of version 2, additions of a type, a length and a value, in the order in which they stand there: a range of `tlv`. A view: valid as
/// long as the bytes are.
class tlv_list {
 public:
  struct tlv {
    tlv_type type;
    const_bytes value;
  };

  class iterator {
   public:
    using value_type = tlv;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = tlv;
    using pointer = void;

    iterator() noexcept = default;
    explicit iterator(const_bytes rest) noexcept : rest_(whole(rest)) {}
    tlv operator*() const noexcept;
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept;
    friend bool operator==(const iterator& left, const iterator& right) noexcept { return left.rest_.size() == right.rest_.size(); }

   private:
    static const_bytes whole(const_bytes rest) noexcept;
    std::size_t size() const noexcept;

    const_bytes rest_;  // begins with one that is all there, or is empty
  };

  tlv_list() noexcept = default;
  /// What is in front of the first one that is cut off.
  explicit tlv_list(const_bytes bytes) noexcept : bytes_(bytes) {}

  iterator begin() const noexcept { return iterator(bytes_); }
  iterator end() const noexcept { return {}; }
  bool empty() const noexcept { return begin() == end(); }
  const_bytes bytes() const noexcept { return bytes_; }
  /// The value of the first of a type.
  std::optional<const_bytes> find(tlv_type type) const noexcept;
  /// None is cut off.
  bool is_whole() const noexcept;

 private:
  const_bytes bytes_;
};

/// What the proxy knows of the client's TLS, by `tlv_type::ssl`.
struct tls_facts {
  bool uses_tls = false;
  bool showed_certificate = false;             ///< In this connection.
  bool showed_certificate_in_session = false;  ///< In this one, or the one that this one resumed.
  std::uint32_t verification = 0;              ///< 0: the certificate was verified.
  tlv_list details;                            ///< Sub-types 0x21 version, 0x22 common name, 0x23 cipher, 0x24 signature, 0x25 key.

  /// Nothing if the value is too short.
  static std::optional<tls_facts> read(const_bytes value) noexcept;
};

/// One header. `transport::info<proxy_protocol::header>()` of a connection behind a `receiver` answers with what the proxy said, whose
/// `tlvs` are valid until that transport is gone; and `info<peer_address>()` and `info<local_address>()` with the addresses in it.
struct header {
  version format = version::v2;
  proxy_protocol::command command = proxy_protocol::command::proxy;
  proxy_protocol::carrier carrier = proxy_protocol::carrier::unspecified;
  address source;       ///< The client. Empty if `carrier` is unspecified.
  address destination;  ///< Where the client connected to. Empty if `carrier` is unspecified.
  tlv_list tlvs;        ///< Version 2 only.
};

/// Answer of `transport::info`, behind a `receiver` that was sent a header: the address that the connection itself has.
struct proxy_address {
  address value;
};

/// What a proxy tells its server about a connection that it has accepted: source and destination are the peer and this end, as `info` knows
/// them, so what another proxy said of it is handed on. `carrier` is unspecified where there are no addresses.
header header_of_client(const transport& accepted, version format = version::v2);

struct encoding {
  /// Version 2: adds a CRC32c.
  bool checksum = false;
};

/// Appends the bytes of `one` to `out`. If one address is IPv4 and the other IPv6, the former is written inside IPv6. What version 1 has no
/// words for (Unix sockets, datagrams, LOCAL) is UNKNOWN there, and its TLVs are left out. `errc::header_too_long`, with `out` as it was,
/// if the TLVs do not fit 65535 bytes; throws `std::bad_alloc`.
std::error_code write_header(std::string& out, const header& one, encoding how = {});

/// Appends one TLV, to build what `header::tlvs` shows; `errc::header_too_long` if the value has more than 65535 bytes.
std::error_code write_tlv(std::string& out, tlv_type type, const_bytes value);

}  // namespace sluice::proxy_protocol
