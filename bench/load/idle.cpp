#include <vector>

#include "pattern.hpp"
#include "workload.hpp"

namespace load {
namespace {

constexpr std::size_t connections_per_probe = 64;  // fewer than wait in any backlog
constexpr std::size_t messages_of_warm_up = 100;

void exchange(const socket_handle& with, const pattern& bytes, std::size_t connection, std::uint64_t position,
              std::vector<std::byte>& buffer) {
  with.send_all(bytes.at(connection, position, buffer.size()));
  with.receive_all(buffer);
  bytes.check(connection, position, buffer);
}

}  // namespace

// A server accepts in order, so one that has echoed on a connection has accepted all that came before it.
std::uint64_t run_idle(target& server, const plan& wanted, const std::function<void(const char*)>& told) {
  const pattern bytes(wanted.size);
  std::vector<std::byte> buffer(wanted.size);
  const auto probe = [&](std::size_t messages) {
    const socket_handle made = server.connect();
    for (std::size_t i = 0; i < messages; ++i) exchange(made, bytes, wanted.connections, i * wanted.size, buffer);
  };

  probe(messages_of_warm_up);
  probe(1);
  told("warm");
  std::vector<socket_handle> sockets;
  while (sockets.size() < wanted.connections) {
    sockets.push_back(server.connect());
    if (sockets.size() % connections_per_probe == 0 || sockets.size() == wanted.connections) probe(1);
  }
  told("silent");
  for (std::size_t i = 0; i < sockets.size(); ++i) exchange(sockets[i], bytes, i, 0, buffer);
  told("used");
  return sockets.size();
}

}  // namespace load
