// What the baselines share: their command line and the socket they listen on.
#pragma once

#include <netinet/in.h>

enum baseline_mode {
  baseline_echo,
  baseline_sink,   // takes and drops
  baseline_source  // sends zeros without end
};

enum {
  baseline_buffer_size = 64 * 1024
};

struct baseline_options {
  const char* endpoint;  // tcp://ADDRESS:PORT or udp://ADDRESS:PORT with a numeric IPv4 address, or unix:PATH
  enum baseline_mode mode;
};

// Reads `ENDPOINT [--mode echo|sink|source]`; ends the program with status 2 and a message where it is anything else.
struct baseline_options baseline_parse(int argc, char** argv);

// A socket that is bound to `endpoint` and listens, non-blocking; says on standard output where. Ends the program with status 1 and a
// message where that is not possible. What it accepts on TCP sends without delay, as it inherits that.
int baseline_listen(const char* endpoint);
// The same at an address that stands behind `scheme`, which says what is spoken over TCP.
int baseline_listen_tcp(const char* endpoint, const char* scheme);

// As above, a socket for datagrams at `udp://ADDRESS:PORT`.
int baseline_bind(const char* endpoint);
int baseline_is_udp(const char* endpoint);

// Echo datagrams on such a socket, and do not return.
_Noreturn void epoll_datagrams(int socket);
_Noreturn void uv_datagrams(int socket);

// The address in `endpoint`, which begins with `scheme`; ends the program with status 2 where it has none.
struct sockaddr_in baseline_address(const char* endpoint, const char* scheme);

// Ends the program with status 1: `what` and why, by errno.
_Noreturn void baseline_fail(const char* what);
