#include "target.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>

namespace load {
namespace {

constexpr std::uint32_t source_addresses = 64;

sockaddr_in parse_tcp(std::string_view text) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  const std::size_t colon = text.rfind(':');
  const std::string host(text.substr(0, colon));
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.begin(), port.end(), number);
  if (error != std::errc() || end != port.end() || inet_pton(AF_INET, host.c_str(), &result.sin_addr) != 1)
    throw std::invalid_argument(std::string(text) + " is not a numeric IPv4 address and a port");
  result.sin_port = htons(number);
  return result;
}

sockaddr_un parse_unix(std::string_view path) {
  sockaddr_un result{};
  result.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof result.sun_path)
    throw std::invalid_argument("unix:" + std::string(path) + ": the path must have 1 to " + std::to_string(sizeof result.sun_path - 1) +
                                " bytes");
  std::copy(path.begin(), path.end(), result.sun_path);
  return result;
}

}  // namespace

void fail(const std::string& what) { throw std::system_error(errno, std::system_category(), what); }

socket_handle::~socket_handle() {
  if (number_ >= 0) ::close(number_);
}

void socket_handle::send_all(std::span<const std::byte> data) const {
  while (!data.empty()) {
    const ssize_t n = ::send(number_, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) fail("send");
    if (n > 0) data = data.subspan(static_cast<std::size_t>(n));
  }
}

void socket_handle::make_non_blocking() const {
  if (::fcntl(number_, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
}

target::target(const std::string& endpoint) {
  const auto keep = [this](const auto& parsed) {
    std::memcpy(&address_, &parsed, sizeof parsed);
    length_ = sizeof parsed;
  };
  constexpr std::string_view tcp = "tcp://";
  constexpr std::string_view tls = "tls://";
  constexpr std::string_view udp = "udp://";
  constexpr std::string_view local = "unix:";
  const std::string_view text = endpoint;
  if (text.starts_with(udp)) type_ = SOCK_DGRAM;
  if (text.starts_with(tls)) tls_ = make_tls_client();
  if (text.starts_with(tcp) || text.starts_with(tls) || text.starts_with(udp))
    keep(parse_tcp(text.substr(0, text.find('?')).substr(tcp.size())));
  else if (text.starts_with(local))
    keep(parse_unix(text.substr(local.size())));
  else
    throw std::invalid_argument(endpoint + " is none of tcp://ADDRESS:PORT, tls://ADDRESS:PORT, udp://ADDRESS:PORT, unix:PATH");
}

socket_handle target::open() const {
  socket_handle result(::socket(address_.ss_family, type_ | SOCK_CLOEXEC, 0));
  if (result.get() < 0) fail("socket");
  return result;
}

void target::take_turn(const socket_handle& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto& server = reinterpret_cast<const sockaddr_in&>(address_);
  if (ntohl(server.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) return;
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn_++ % source_addresses);
  ::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) fail("bind");
}

socket_handle target::connect() {
  socket_handle result = open();
  if (address_.ss_family == AF_INET && type_ == SOCK_STREAM) take_turn(result);
  if (::connect(result.get(), reinterpret_cast<const sockaddr*>(&address_), length_) != 0) fail("connect");
  return result;
}

}  // namespace load
