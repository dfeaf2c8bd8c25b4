#include <vector>

#include "link.hpp"
#include "pattern.hpp"
#include "workload.hpp"

namespace load {
namespace {

constexpr std::size_t connections_per_probe = 64;  // fewer than wait in any backlog
constexpr std::size_t messages_of_warm_up = 100;

void exchange(link& with, const pattern& bytes, std::size_t connection, std::uint64_t position, std::vector<std::byte>& buffer) {
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
    link made(server);
    for (std::size_t i = 0; i < messages; ++i) exchange(made, bytes, wanted.connections, i * wanted.size, buffer);
  };

  probe(messages_of_warm_up);
  probe(1);
  told("warm");
  std::vector<link> links;
  while (links.size() < wanted.connections) {
    links.emplace_back(server);
    if (links.size() % connections_per_probe == 0 || links.size() == wanted.connections) probe(1);
  }
  told("silent");
  for (std::size_t i = 0; i < links.size(); ++i) exchange(links[i], bytes, i, 0, buffer);
  told("used");
  return links.size();
}

// Without messages it is the handshake that says that a connection was accepted.
std::uint64_t run_silent(target& server, const plan& wanted, const std::function<void(const char*)>& told) {
  for (std::size_t i = 0; i < messages_of_warm_up; ++i) link made(server);
  told("warm");
  std::vector<link> links;
  while (links.size() < wanted.connections) links.emplace_back(server);
  told("silent");
  return links.size();
}

}  // namespace load
