#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  backlog = 1024
};

_Noreturn void baseline_fail(const char* what) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  exit(1);
}

static _Noreturn void usage(const char* problem, const char* argument) {
  fprintf(stderr, "%s: %s%s\n", program_invocation_short_name, problem, argument);
  fprintf(stderr, "usage: %s tcp://ADDRESS:PORT|udp://ADDRESS:PORT|unix:PATH [--mode echo|sink|source]\n", program_invocation_short_name);
  exit(2);
}

static enum baseline_mode parse_mode(const char* name) {
  if (strcmp(name, "echo") == 0) return baseline_echo;
  if (strcmp(name, "sink") == 0) return baseline_sink;
  if (strcmp(name, "source") == 0) return baseline_source;
  usage("no such mode: ", name);
}

struct baseline_options baseline_parse(int argc, char** argv) {
  struct baseline_options result = {NULL, baseline_echo};
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--mode") == 0) {
      if (++i == argc) usage("--mode wants a name", "");
      result.mode = parse_mode(argv[i]);
    } else if (result.endpoint == NULL) {
      result.endpoint = argv[i];
    } else {
      usage("one endpoint only, not also ", argv[i]);
    }
  }
  if (result.endpoint == NULL) usage("an endpoint is missing", "");
  return result;
}

struct sockaddr_in baseline_address(const char* endpoint, const char* scheme) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  char host[INET_ADDRSTRLEN];
  unsigned port = 0;
  char rest = 0;
  const char* where = endpoint + strlen(scheme);
  if (sscanf(where, "%15[0-9.]:%5u%c", host, &port, &rest) != 2 || inet_pton(AF_INET, host, &at.sin_addr) != 1 || port > 65535)
    usage("no numeric IPv4 address and a port: ", endpoint);
  at.sin_port = htons((uint16_t)port);
  return at;
}

static void say_where(int socket, const char* scheme) {
  struct sockaddr_in at;
  socklen_t length = sizeof at;
  char host[INET_ADDRSTRLEN];
  if (getsockname(socket, (struct sockaddr*)&at, &length) != 0) baseline_fail("getsockname");
  printf("listening on %s%s:%d\n", scheme, inet_ntop(AF_INET, &at.sin_addr, host, sizeof host), ntohs(at.sin_port));
  fflush(stdout);
}

int baseline_listen_tcp(const char* endpoint, const char* scheme) {
  const struct sockaddr_in at = baseline_address(endpoint, scheme);
  const int on = 1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) baseline_fail("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, (const struct sockaddr*)&at, sizeof at) != 0 || listen(listener, backlog) != 0) baseline_fail(endpoint);
  say_where(listener, scheme);
  return listener;
}

static int listen_unix(const char* endpoint) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  const char* path = endpoint + strlen("unix:");
  if (strlen(path) >= sizeof at.sun_path) usage("a path that is too long for a Unix socket: ", path);
  memcpy(at.sun_path, path, strlen(path));

  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) baseline_fail("socket");
  if (bind(listener, (struct sockaddr*)&at, sizeof at) != 0 || listen(listener, backlog) != 0) baseline_fail(endpoint);
  printf("listening on %s\n", endpoint);
  return listener;
}

int baseline_listen(const char* endpoint) {
  int listener = -1;
  if (strncmp(endpoint, "tcp://", strlen("tcp://")) == 0)
    listener = baseline_listen_tcp(endpoint, "tcp://");
  else if (strncmp(endpoint, "unix:", strlen("unix:")) == 0)
    listener = listen_unix(endpoint);
  else
    usage("neither tcp:// nor udp:// nor unix: ", endpoint);
  fflush(stdout);
  return listener;
}

int baseline_is_udp(const char* endpoint) { return strncmp(endpoint, "udp://", strlen("udp://")) == 0; }

int baseline_bind(const char* endpoint) {
  const struct sockaddr_in at = baseline_address(endpoint, "udp://");
  const int made = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) baseline_fail("socket");
  if (bind(made, (const struct sockaddr*)&at, sizeof at) != 0) baseline_fail(endpoint);
  say_where(made, "udp://");
  return made;
}
