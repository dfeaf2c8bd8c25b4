#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "target.hpp"
#include "window.hpp"

namespace load {

/// What is asked of a server, in a closed loop: as much is under way as the plan says, and never more.
struct plan {
  std::size_t connections = 50;
  std::size_t size = 1024;  // bytes of a message
  std::size_t depth = 1;    // messages under way on each connection
};

class workload {
 public:
  virtual ~workload() = default;

  /// Goes on until `until`, and adds up what went through. A limit in time leaves messages under way, which the next phase finds.
  virtual void run(const limit& until, result& into, histogram& latencies) = 0;
};

/// Sends messages and checks every byte that comes back.
std::unique_ptr<workload> make_echo(target& server, const plan& wanted);
/// Sends datagrams, `depth` under way on each socket, and checks every byte that comes back; one that does not within 100 ms is lost, and
/// another takes its place. They have at least 8 bytes. Limits in time count what came back.
std::unique_ptr<workload> make_datagrams(target& server, const plan& wanted);
/// Sends without end, in messages. Limits in time only.
std::unique_ptr<workload> make_sink(target& server, const plan& wanted);
/// Receives without end and checks that it is zeros; a message is a unit to count in.
std::unique_ptr<workload> make_source(target& server, const plan& wanted);
/// Connects, has one message echoed, and ends the connection: `connections` at a time. Each of them counts as one message.
std::unique_ptr<workload> make_connect(target& server, const plan& wanted);

/// Through TLS: connects, shakes hands, says goodbye and waits for the server's end, `connections` at a time. Each of them counts as one
/// message, and its latency ends with the handshake.
std::unique_ptr<workload> make_handshake(target& server, const plan& wanted);
/// The same, where each comes back with the ticket of one connection before; throws if the server does not take it.
std::unique_ptr<workload> make_resume(target& server, const plan& wanted);

/// Opens connections that are silent and then lets one message through each, calling `told` when the server is warm ("warm"), when it has
/// accepted all ("silent") and after the messages ("used"). Returns how many messages those were.
std::uint64_t run_idle(target& server, const plan& wanted, const std::function<void(const char*)>& told);
/// The same without any message, to servers that do not echo, through TLS: it ends with "silent". Returns how many connections those were.
std::uint64_t run_silent(target& server, const plan& wanted, const std::function<void(const char*)>& told);

}  // namespace load
