#include <sluice/detail/socket_address.hpp>

#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::string_literals;

namespace {

/// To the socket interface and back.
address round_trip(const address& value) {
  sockaddr_storage storage;
  const auto length = detail::to_sockaddr(value, storage);
  return detail::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

/// What the kernel says the name of a socket is that was bound to `value`.
address bound(const address& value, int family) {
  sockaddr_storage storage;
  const int fd = socket(family, SOCK_STREAM, 0);
  REQUIRE(fd >= 0);
  const auto length = detail::to_sockaddr(value, storage);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&storage), length) == 0);
  socklen_t actual = sizeof storage;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &actual) == 0);
  close(fd);
  return detail::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), actual);
}

}  // namespace

TEST_CASE("every kind of address survives the way to the socket interface and back") {
  const address values[] = {{"192.0.2.7", 65535},
                            {"2001:db8::1", 80},
                            {"fe80::1%7", 80},
                            address::unix_path("/run/x.sock"),
                            address::unix_path(std::string(address::max_unix_name(), 'p')),
                            address::unix_abstract("\0a\0"s),
                            address::unix_abstract(std::string(address::max_unix_name(), '\0')),
                            address::unix_abstract(""),
                            address::unix_unnamed()};
  for (const auto& value : values) {
    CAPTURE(value.to_string());
    CHECK(round_trip(value) == value);
  }
}

TEST_CASE("an empty address gives no length and is given for what cannot be read") {
  sockaddr_storage storage{};
  const auto* const native = reinterpret_cast<const sockaddr*>(&storage);
  CHECK(detail::to_sockaddr(address(), storage) == 0);
  CHECK(detail::from_sockaddr(nullptr, 16).empty());
  CHECK(detail::from_sockaddr(native, 0).empty());
  CHECK(detail::from_sockaddr(native, sizeof storage).empty());
  storage.ss_family = AF_INET;
  CHECK(detail::from_sockaddr(native, sizeof(sockaddr_in) - 1).empty());
  CHECK_FALSE(detail::from_sockaddr(native, sizeof(sockaddr_in)).empty());
  storage.ss_family = AF_INET6;
  CHECK(detail::from_sockaddr(native, sizeof(sockaddr_in6) - 1).empty());
}

TEST_CASE("port and address are in network order at the socket interface") {
  sockaddr_storage storage;
  CHECK(detail::to_sockaddr({"1.2.3.4", 0x1234}, storage) == sizeof(sockaddr_in));
  sockaddr_in native;
  std::memcpy(&native, &storage, sizeof native);
  CHECK(native.sin_family == AF_INET);
  CHECK(native.sin_port == htons(0x1234));
  CHECK(native.sin_addr.s_addr == htonl(0x01020304));
}

TEST_CASE("P6 an abstract name is given to the kernel with its exact length and comes back whole") {
  const auto value = address::unix_abstract("\0sluice-test\0"s + std::to_string(getpid()) + "\0\0"s);
  CHECK(bound(value, AF_UNIX) == value);
}

TEST_CASE("a path that a peer bound without a terminating NUL is kept whole, and so is the address made of it") {
  sockaddr_un native{};
  native.sun_family = AF_UNIX;
  std::memset(native.sun_path, 'p', sizeof native.sun_path);
  const auto value = detail::from_sockaddr(reinterpret_cast<const sockaddr*>(&native), sizeof native);
  CHECK(value.path() == std::string(sizeof native.sun_path, 'p'));
  CHECK(round_trip(value) == value);
}

TEST_CASE("a path ends at its NUL, whatever length the kernel reports behind it") {
  sockaddr_un native{};
  native.sun_family = AF_UNIX;
  std::strcpy(native.sun_path, "/x");
  CHECK(detail::from_sockaddr(reinterpret_cast<const sockaddr*>(&native), sizeof native) == address::unix_path("/x"));
}

TEST_CASE("port 0 comes back as the port that the system chose") {
  const auto value = bound(address::loopback_v4(0), AF_INET);
  CHECK(value.is_loopback());
  CHECK(value.port() != 0);
}
