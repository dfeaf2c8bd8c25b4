#include <sluice/detail/socket_address.hpp>

#include <sluice/detail/address_access.hpp>

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace sluice::detail {
namespace {

constexpr socklen_t name_offset = offsetof(sockaddr_un, sun_path);

template <class Native>
bool copy_out(Native& to, const sockaddr* from, socklen_t length) noexcept {
  if (length < sizeof to) return false;
  std::memcpy(&to, from, sizeof to);
  return true;
}

address from_v4(const sockaddr* from, socklen_t length) noexcept {
  sockaddr_in native;
  if (!copy_out(native, from, length)) return {};
  return address::v4(std::as_bytes(std::span<const in_addr, 1>(&native.sin_addr, 1)), ntohs(native.sin_port));
}

address from_v6(const sockaddr* from, socklen_t length) noexcept {
  sockaddr_in6 native;
  if (!copy_out(native, from, length)) return {};
  return address::v6(std::as_bytes(std::span<const in6_addr, 1>(&native.sin6_addr, 1)), ntohs(native.sin6_port), native.sin6_scope_id);
}

address from_unix(const sockaddr* from, socklen_t length) noexcept {
  sockaddr_un native;
  length = std::min(length, static_cast<socklen_t>(sizeof native));
  if (length <= name_offset) return address::unix_unnamed();
  std::memcpy(&native, from, length);
  const std::string_view name(native.sun_path, length - name_offset);
  if (name.front() != '\0') return address_access::make(address_family::unix_path, name.substr(0, name.find('\0')));
#ifdef __linux__
  return address_access::make(address_family::unix_abstract, name.substr(1));
#else
  return address::unix_unnamed();  // elsewhere an unnamed socket comes back as a path of NULs
#endif
}

template <class Native>
socklen_t copy_in(sockaddr_storage& to, const Native& native) noexcept {
  std::memcpy(&to, &native, sizeof native);
  return sizeof native;
}

socklen_t to_v4(const address& from, sockaddr_storage& to) noexcept {
  sockaddr_in native{};
  native.sin_family = AF_INET;
  native.sin_port = htons(from.port());
  std::memcpy(&native.sin_addr, from.ip_bytes().data(), sizeof native.sin_addr);
  return copy_in(to, native);
}

socklen_t to_v6(const address& from, sockaddr_storage& to) noexcept {
  sockaddr_in6 native{};
  native.sin6_family = AF_INET6;
  native.sin6_port = htons(from.port());
  native.sin6_scope_id = from.scope_id();
  std::memcpy(&native.sin6_addr, from.ip_bytes().data(), sizeof native.sin6_addr);
  return copy_in(to, native);
}

/// `before` NULs mark an abstract name, one NUL after a path is what other programs expect where there is room for it.
socklen_t to_unix(std::string_view name, std::size_t before, std::size_t after, sockaddr_storage& to) noexcept {
  sockaddr_un native{};
  native.sun_family = AF_UNIX;
  name.copy(native.sun_path + before, sizeof native.sun_path - before);
  const auto length = name_offset + std::min(before + name.size() + after, sizeof native.sun_path);
  std::memcpy(&to, &native, length);
  return static_cast<socklen_t>(length);
}

}  // namespace

address from_sockaddr(const sockaddr* from, socklen_t length) noexcept {
  sa_family_t family{};
  if (from == nullptr || length < offsetof(sockaddr, sa_family) + sizeof family) return {};
  std::memcpy(&family, reinterpret_cast<const char*>(from) + offsetof(sockaddr, sa_family), sizeof family);
  if (family == AF_INET) return from_v4(from, length);
  if (family == AF_INET6) return from_v6(from, length);
  if (family == AF_UNIX) return from_unix(from, length);
  return {};
}

socklen_t to_sockaddr(const address& from, sockaddr_storage& to) noexcept {
  switch (from.family()) {
    case address_family::none: return 0;
    case address_family::v4: return to_v4(from, to);
    case address_family::v6: return to_v6(from, to);
    case address_family::unix_path: return to_unix(from.path(), 0, 1, to);
    case address_family::unix_abstract: return to_unix(from.abstract_name(), 1, 0, to);
    case address_family::unix_unnamed: return to_unix({}, 0, 0, to);
  }
  return 0;
}

}  // namespace sluice::detail
