#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace sluice::tls {

/// Versions of TLS that there still are.
enum class protocol_version : std::uint8_t {
  tls1_2,
  tls1_3
};

/// "TLS 1.2", "TLS 1.3".
const char* to_string(protocol_version value) noexcept;

/// What stands in one certificate. Text is printable: other bytes are escaped.
struct certificate {
  std::string subject;                                 ///< "CN=example.org,O=Example", the most specific part first.
  std::string issuer;                                  ///< As `subject`, of who signed it.
  std::string serial;                                  ///< Hexadecimal.
  std::vector<std::string> names;                      ///< Host names and IP addresses that it is for, from the subject alternative name.
  std::chrono::system_clock::time_point not_before{};  ///< The first second of its validity.
  std::chrono::system_clock::time_point not_after{};   ///< The last one.
  std::string sha256;                                  ///< Of the whole certificate, 64 hexadecimal digits; what `trust::pinned` takes.
  std::vector<std::byte> der;                          ///< The certificate itself.
};

/// What was agreed on: `transport.info<tls::session>()`, from `connection_made` of the protocol above the layer until its `connection_lost`
/// has returned. Made anew by each call.
struct session {
  protocol_version version = protocol_version::tls1_3;
  std::string cipher;       ///< "TLS_AES_256_GCM_SHA384".
  std::string alpn;         ///< The protocol that was chosen; empty if none was.
  std::string server_name;  ///< The host name that the client asked for; empty if it named none, as for an IP address.
  /// The peer's certificate, then those that it sent along. Empty if it sent none. After a resumption only the first is known.
  std::vector<certificate> peer_chain;
  bool resumed = false;   ///< The keys come from an earlier connection; the peer is who it was then, not more than 7 days ago.
  bool verified = false;  ///< The peer's certificate was sent and verified, here or on the earlier connection.
  /// Why it does not hold: one of `errc`. Only seen with `common_options::check_decides`; empty if nobody looked.
  std::error_code verify_error;
  std::string verify_detail;  ///< The same for a person: *the certificate of CN=example.org expired on 2026-11-01 …*.
};

}  // namespace sluice::tls
