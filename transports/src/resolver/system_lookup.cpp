#include <sluice/resolver.hpp>

#include <sluice/detail/socket_address.hpp>
#include <sluice/error.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sluice {
namespace {

int native(ip_family family) noexcept {
  switch (family) {
    case ip_family::any: return AF_UNSPEC;
    case ip_family::v4: return AF_INET;
    case ip_family::v6: return AF_INET6;
  }
  return AF_UNSPEC;
}

std::error_code from_native(int code, int errno_value) noexcept {
  switch (code) {
    case 0: return {};
    case EAI_NONAME: return resolver_errc::unknown_name;
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
    case EAI_FAMILY: return resolver_errc::no_address;
    case EAI_AGAIN: return resolver_errc::try_again;
    case EAI_FAIL: return resolver_errc::server_failed;
    case EAI_MEMORY: return system_error(ENOMEM);
    case EAI_SYSTEM: return system_error(errno_value != 0 ? errno_value : EIO);
    default: return resolver_errc::failed;
  }
}

}  // namespace

std::vector<address> system_lookup(const std::string& host, ip_family family, std::error_code& error) {
  addrinfo wanted{};
  wanted.ai_family = native(family);
  wanted.ai_socktype = SOCK_STREAM;  // else each address comes once for each kind of socket
  addrinfo* first = nullptr;
  errno = 0;
  error = from_native(::getaddrinfo(host.c_str(), nullptr, &wanted, &first), errno);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
  std::vector<address> found;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    const address one = detail::from_sockaddr(each->ai_addr, each->ai_addrlen);
    if (one.is_ip() && std::find(found.begin(), found.end(), one) == found.end()) found.push_back(one);
  }
  if (!error && found.empty()) error = resolver_errc::no_address;
  return found;
}

}  // namespace sluice
