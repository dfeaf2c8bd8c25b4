#pragma once

#include <array>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>

#include <sluice/tls/session.hpp>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

certificate describe(X509& one);

// Host names and IP addresses of the subject alternative name.
std::vector<std::string> names_of(X509& one);

// Seconds since 1970; 0 for what is no time.
std::time_t time_of(const ASN1_TIME& when) noexcept;

using fingerprint = std::array<unsigned char, 32>;
// False if it cannot be computed.
bool fingerprint_of(X509& one, fingerprint& into) noexcept;

// For messages: what anybody can put into a name, without what a terminal would obey.
std::string printable(std::string_view text);

// "2026-11-26 14:37:01 UTC".
std::string date_text(std::chrono::system_clock::time_point when);

// Lower case hexadecimal.
std::string hexadecimal(const unsigned char* bytes, std::size_t count);

// Whether a certificate for `pattern` is one for `name`: the same, or "*." and one label more. Letters of either case are the same.
bool name_matches(std::string_view pattern, std::string_view name) noexcept;

// An IPv4 or IPv6 address in its usual spelling, without a scope.
bool is_ip_address(const std::string& text) noexcept;

// Something that a certificate can be for and that can be asked for: a host name (RFC 1123, section 2.1, with underscores), or an IP address.
bool is_server_name(const std::string& text) noexcept;

}  // namespace sluice::tls::detail
