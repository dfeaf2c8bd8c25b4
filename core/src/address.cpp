#include <sluice/address.hpp>

#include <sluice/detail/address_access.hpp>
#include <sluice/error.hpp>

#include <net/if.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "text.hpp"

namespace sluice {
namespace {

using detail::address_access;

constexpr std::size_t name_limit = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view path_prefix = "unix:";
constexpr std::string_view abstract_prefix = "unix-abstract:";

/// An address, or why there is none: the middle of a sentence that begins with the quoted text.
struct reading {
  address value;
  const char* problem = nullptr;
  std::size_t name_size = 0;  // of a name that is too long, else 0

  std::error_code code() const noexcept {
    if (name_size != 0) return system_error(ENAMETOOLONG);
    return problem != nullptr ? make_error_code(errc::bad_address) : std::error_code();
  }
};

reading refuse(const char* problem) noexcept { return {address(), problem, 0}; }

address take(const reading& from, std::error_code& code) noexcept {
  code = from.code();
  return from.value;
}

address take_or_throw(const reading& from, const char* subject, std::string_view text) {
  if (!from.code()) return from.value;
  std::string message = subject + (' ' + detail::quote(text)) + ' ';
  if (from.name_size != 0)
    message +=
        "is too long: the limit of a Unix name is " + std::to_string(name_limit) + " bytes, this one has " + std::to_string(from.name_size);
  else
    message += from.problem;
  throw std::system_error(from.code(), message);
}

/// uv_inet_pton wants a terminated string; everything that does not fit into the longest address is none.
bool parse_ip(int family, std::string_view text, char* to) noexcept {
  char terminated[48];
  if (text.size() >= sizeof terminated || text.find('\0') != text.npos) return false;
  terminated[text.copy(terminated, text.size())] = '\0';
  return uv_inet_pton(family, terminated, to) == 0;
}

std::uint32_t parse_scope(std::string_view text) noexcept {
  if (const auto number = detail::parse_decimal(text, std::numeric_limits<std::uint32_t>::max()))
    return static_cast<std::uint32_t>(*number);
  char name[IF_NAMESIZE];
  if (text.size() >= sizeof name || text.find('\0') != text.npos) return 0;
  name[text.copy(name, text.size())] = '\0';
  return if_nametoindex(name);
}

reading read_v6(std::string_view host, std::uint16_t port) noexcept {
  const auto percent = host.find('%');
  char bytes[16];
  if (!parse_ip(AF_INET6, host.substr(0, percent), bytes)) return refuse("is not an IPv6 address; expected one such as ::1 or fe80::1%2");
  std::uint32_t scope = 0;
  if (percent != host.npos && (scope = parse_scope(host.substr(percent + 1))) == 0)
    return refuse("has a scope that is neither a number above 0 nor an interface of this machine");
  return {address_access::make(address_family::v6, {bytes, sizeof bytes}, port, scope), nullptr, 0};
}

reading read_host(std::string_view host, std::uint16_t port) noexcept {
  if (host.starts_with('[') || host.ends_with(']')) return refuse("has brackets; expected the host alone, such as ::1");
  const auto colons = std::count(host.begin(), host.end(), ':');
  if (colons == 1) return refuse("looks like a host and a port; expected the host alone, such as 127.0.0.1");
  if (colons > 1) return read_v6(host, port);
  char bytes[4];
  if (!parse_ip(AF_INET, host, bytes)) return refuse("is not a numeric host; expected one such as 127.0.0.1 or ::1");
  return {address_access::make(address_family::v4, {bytes, sizeof bytes}, port, 0), nullptr, 0};
}

reading read_path(std::string_view path) noexcept {
  if (path.empty()) return refuse("is empty; expected a path such as /run/x.sock");
  if (path.find('\0') != path.npos) return refuse("has a NUL byte in it; expected a path such as /run/x.sock, or an abstract name");
  if (path.size() > name_limit) return {address(), nullptr, path.size()};
  return {address_access::make(address_family::unix_path, path), nullptr, 0};
}

reading read_abstract(std::string_view name) noexcept {
  if (name.size() > name_limit) return {address(), nullptr, name.size()};
  return {address_access::make(address_family::unix_abstract, name), nullptr, 0};
}

reading read_encoded(std::string_view text, reading (*read)(std::string_view) noexcept) noexcept {
  if (text.starts_with("//")) {  // as an endpoint string has it: a host would follow
    text.remove_prefix(2);
    if (!text.starts_with('/')) return refuse("has a host where a path belongs; expected a form such as unix:/run/x.sock");
  }
  char name[name_limit];
  std::size_t size = 0;
  for (std::size_t at = 0; at < text.size(); ++size) {
    char c = 0;
    if (!detail::take_percent(text, at, c)) return refuse("has a bad percent escape; expected % and two hexadecimal digits");
    if (size < sizeof name) name[size] = c;
  }
  return size > sizeof name ? reading{address(), nullptr, size} : read({name, size});
}

reading read_host_and_port(std::string_view host, std::string_view port) noexcept {
  const auto number = detail::parse_decimal(port, 65535);
  if (!number) return refuse("has a port that is not a number from 0 to 65535");
  return read_host(host, static_cast<std::uint16_t>(*number));
}

reading read_bracketed(std::string_view text) noexcept {
  const auto close = text.find(']');
  if (close == text.npos) return refuse("has a '[' without ']'; expected a form such as [::1]:80");
  if (close + 1 == text.size() || text[close + 1] != ':') return refuse("has no port; expected a form such as [::1]:80");
  const auto host = text.substr(1, close - 1);
  if (host.find(':') == host.npos) return refuse("has brackets around what is not an IPv6 address; expected a form such as [::1]:80");
  return read_host_and_port(host, text.substr(close + 2));
}

reading read_text(std::string_view text) noexcept {
  if (text == path_prefix) return {address::unix_unnamed(), nullptr, 0};
  if (text.starts_with(path_prefix)) return read_encoded(text.substr(path_prefix.size()), read_path);
  if (text.starts_with(abstract_prefix)) return read_encoded(text.substr(abstract_prefix.size()), read_abstract);
  if (text.starts_with('[')) return read_bracketed(text);
  const auto colon = text.rfind(':');
  if (colon == text.npos) return refuse("is not an address; expected a form such as 127.0.0.1:80, [::1]:80 or unix:/run/x.sock");
  if (text.find(':') != colon) return refuse("has an IPv6 host without brackets; expected a form such as [::1]:80");
  return read_host_and_port(text.substr(0, colon), text.substr(colon + 1));
}

/// The four bytes of an IPv4 or IPv4-mapped address, else nothing.
std::string_view v4_part(address_family family, std::string_view bytes) noexcept {
  constexpr std::string_view mapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (family == address_family::v4) return bytes;
  return family == address_family::v6 && bytes.starts_with(mapped) ? bytes.substr(mapped.size()) : std::string_view();
}

/// A path that begins with "//" would read as a host.
void append_name(std::string& text, std::string_view prefix, std::string_view name) {
  text = prefix;
  if (name.starts_with("//")) {
    text += "%2F";
    name.remove_prefix(1);
  }
  detail::append_percent(text, name, "?#");
}

constexpr std::string_view v6_any("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
constexpr std::string_view v6_loopback("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);

}  // namespace

address::address(address_family family, std::string_view bytes, std::uint16_t port, std::uint32_t scope_id) noexcept
    : family_(family), length_(static_cast<std::uint8_t>(bytes.size())), port_(port), scope_id_(scope_id) {
  static_assert(sizeof(sockaddr_un::sun_path) <= std::tuple_size_v<decltype(bytes_)>);
  std::ranges::copy(as_bytes(bytes), bytes_.begin());
}

address::address(std::string_view host, std::uint16_t port) : address(take_or_throw(read_host(host, port), "address", host)) {}

address address::ip(std::string_view host, std::uint16_t port, std::error_code& code) noexcept { return take(read_host(host, port), code); }

address address::parse(std::string_view text) { return take_or_throw(read_text(text), "address", text); }

address address::parse(std::string_view text, std::error_code& code) noexcept { return take(read_text(text), code); }

address address::v4(std::span<const std::byte, 4> bytes, std::uint16_t port) noexcept { return {address_family::v4, as_text(bytes), port}; }

address address::v6(std::span<const std::byte, 16> bytes, std::uint16_t port, std::uint32_t scope_id) noexcept {
  return {address_family::v6, as_text(bytes), port, scope_id};
}

address address::any_v4(std::uint16_t port) noexcept { return {address_family::v4, v6_any.substr(0, 4), port}; }
address address::any_v6(std::uint16_t port) noexcept { return {address_family::v6, v6_any, port}; }
address address::loopback_v4(std::uint16_t port) noexcept { return {address_family::v4, {"\x7f\0\0\1", 4}, port}; }
address address::loopback_v6(std::uint16_t port) noexcept { return {address_family::v6, v6_loopback, port}; }

address address::unix_path(std::string_view path) { return take_or_throw(read_path(path), "Unix path", path); }

address address::unix_path(std::string_view path, std::error_code& code) noexcept { return take(read_path(path), code); }

address address::unix_abstract(std::string_view name) { return take_or_throw(read_abstract(name), "Unix abstract name", name); }

address address::unix_abstract(std::string_view name, std::error_code& code) noexcept { return take(read_abstract(name), code); }

address address::unix_unnamed() noexcept { return {address_family::unix_unnamed, {}}; }

std::size_t address::max_unix_name() noexcept { return name_limit; }

bool address::is_unix() const noexcept {
  return family_ == address_family::unix_path || family_ == address_family::unix_abstract || family_ == address_family::unix_unnamed;
}

bool address::is_loopback() const noexcept {
  if (const auto v4 = v4_part(family_, bytes()); !v4.empty()) return v4[0] == 127;
  return is_v6() && bytes() == v6_loopback;
}

bool address::is_multicast() const noexcept {
  if (const auto v4 = v4_part(family_, bytes()); !v4.empty()) return (v4[0] & '\xf0') == '\xe0';
  return is_v6() && bytes()[0] == '\xff';
}

bool address::is_unspecified() const noexcept {
  if (const auto v4 = v4_part(family_, bytes()); !v4.empty()) return v4 == v6_any.substr(0, 4);
  return is_v6() && bytes() == v6_any;
}

address address::unmapped() const noexcept {
  const auto v4 = v4_part(family_, bytes());
  return v4.empty() ? *this : address(address_family::v4, v4, port_);
}

std::string address::host() const {
  if (!is_ip()) return {};
  char text[48];
  uv_inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  std::string host = text;
  if (scope_id_ != 0) host += '%' + std::to_string(scope_id_);
  return host;
}

const_bytes address::ip_bytes() const noexcept { return is_ip() ? as_bytes(bytes()) : const_bytes(); }

std::string_view address::path() const noexcept { return family_ == address_family::unix_path ? bytes() : std::string_view(); }

std::string_view address::abstract_name() const noexcept { return family_ == address_family::unix_abstract ? bytes() : std::string_view(); }

address address::with_port(std::uint16_t port) const noexcept {
  address copy = *this;
  if (is_ip()) copy.port_ = port;
  return copy;
}

std::string address::to_string() const {
  std::string text;
  switch (family_) {
    case address_family::none: break;
    case address_family::v4: text = host() + ':' + std::to_string(port_); break;
    case address_family::v6: text = '[' + host() + "]:" + std::to_string(port_); break;
    case address_family::unix_path: append_name(text, path_prefix, bytes()); break;
    case address_family::unix_abstract: append_name(text, abstract_prefix, bytes()); break;
    case address_family::unix_unnamed: text = path_prefix; break;
  }
  return text;
}

}  // namespace sluice

std::size_t std::hash<sluice::address>::operator()(const sluice::address& value) const noexcept {
  const auto rest = static_cast<std::uint64_t>(value.family_) << 56 | static_cast<std::uint64_t>(value.scope_id_) << 16 | value.port_;
  return std::hash<std::string_view>()(value.bytes()) ^ static_cast<std::size_t>(rest * 0x9e3779b97f4a7c15U);
}
