#include <sluice/udp.hpp>

#include <sluice/error.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <climits>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include "socket/socket.hpp"
#include "udp_channel.hpp"
#include "udp_options.hpp"

namespace sluice::udp {
namespace {

// What was queued before the socket was connected came from anybody (rule D6).
void drain(int socket) noexcept {
  char byte = 0;
  while (::recv(socket, &byte, 1, MSG_DONTWAIT) >= 0) continue;
}

std::error_code connect_socket(int socket, const address& to, const options& settings) {
  if (!settings.local.empty())
    if (const auto error = sluice::detail::bind_socket(socket, settings.local)) return error;
  if (settings.broadcast) return {};
  if (const auto error = sluice::detail::begin_connect(socket, to)) return error;
  drain(socket);
  return {};
}

// One call of open or connect.
struct opening {
  loop& owner;
  const address& family_of;
  const options& settings;
  descriptor socket = {};

  std::error_code make() {
    if (const char* const wrong = what_is_wrong_with(settings)) throw std::invalid_argument(std::string("udp::options: ") + wrong);
    std::error_code error;
    if (!family_of.is_ip()) return errc::bad_address;
    socket = sluice::detail::open_datagram_socket(family_of, error);
    return error ? error : apply(socket.get(), family_of.is_v6(), settings);
  }

  datagram_transport* start(const address& peer, datagram_protocol_ptr upper, std::error_code& error) {
    if (upper == nullptr) throw std::invalid_argument("sluice: a datagram transport starts with a protocol, not null");
    channel::setup made;
    made.socket = std::move(socket);
    made.peer = peer;
    made.receives_from_all = !peer.empty() && settings.broadcast;
    made.max_datagram = settings.max_datagram;
    made.options = settings.datagrams;
    auto opened = std::make_unique<channel>(owner, std::move(made), family_of.is_v6(), settings.ipv6_only);
    if ((error = opened->prepare())) return nullptr;
    return &datagram_transport::start(std::move(opened), std::move(upper));
  }
};

[[noreturn]] void raise(const char* what, const address& where, std::error_code error) {
  throw std::system_error(error, std::string(what) + " udp " + where.to_string());
}

}  // namespace

bool channel::can_send_to(const address& to) const noexcept {
  if (to.port() == 0) return false;
  return is_v6_ ? to.is_v6() && !(ipv6_only_ && to.unmapped().is_v4()) : to.is_v4();
}

void channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"udp"}; });
  datagram_socket::describe(query);
}

datagram_transport* open(loop& owner, const address& at, datagram_protocol_ptr upper, const options& settings, std::error_code& error) {
  opening now{owner, at, settings};
  if ((error = now.make())) return nullptr;
  if ((error = sluice::detail::bind_socket(now.socket.get(), at))) return nullptr;
  return now.start({}, std::move(upper), error);
}

datagram_transport& open(loop& owner, const address& at, datagram_protocol_ptr upper, const options& settings) {
  std::error_code error;
  datagram_transport* const opened = open(owner, at, std::move(upper), settings, error);
  if (opened == nullptr) raise("opening", at, error);
  return *opened;
}

datagram_transport* connect(loop& owner, const address& to, datagram_protocol_ptr upper, const options& settings, std::error_code& error) {
  opening now{owner, to, settings};
  if ((error = now.make())) return nullptr;
  const bool other_family = !settings.local.empty() && settings.local.family() != to.family();
  error = other_family || to.port() == 0 ? make_error_code(errc::bad_address) : connect_socket(now.socket.get(), to, settings);
  return error ? nullptr : now.start(to, std::move(upper), error);
}

datagram_transport& connect(loop& owner, const address& to, datagram_protocol_ptr upper, const options& settings) {
  std::error_code error;
  datagram_transport* const opened = connect(owner, to, std::move(upper), settings, error);
  if (opened == nullptr) raise("connecting to", to, error);
  return *opened;
}

}  // namespace sluice::udp
