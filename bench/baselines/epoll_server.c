// What a server costs that does nothing but what it must, by epoll and nothing else: the reference of every ratio.
//
// One receive buffer for all connections, one recv per event, and a send straight from it. What the kernel does not take is copied and
// waits; meanwhile that connection is not read.

#include "common.h"
#include "sockets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  most_events = 1024,
  sends_per_event = 2
};

struct connection {
  int socket;
  struct baseline_unsent unsent;
};

static int poller;
static enum baseline_mode mode;
static char buffer[baseline_buffer_size];

static void watch(struct connection* which, int operation, uint32_t events) {
  baseline_watch(poller, operation, which->socket, events, which);
}

static void end(struct connection* which) {
  close(which->socket);
  free(which->unsent.data);
  free(which);
}

static void readable(struct connection* from) {
  const ssize_t n = recv(from->socket, buffer, sizeof buffer, 0);
  if (n < 0 && baseline_is_temporary(errno)) return;
  if (n <= 0) {
    end(from);
    return;
  }
  if (mode != baseline_echo) return;
  const ssize_t sent = baseline_send(from->socket, buffer, (size_t)n);
  if (sent < 0) {
    end(from);
  } else if (sent < n) {
    baseline_keep(&from->unsent, buffer + sent, (size_t)(n - sent));
    watch(from, EPOLL_CTL_MOD, EPOLLOUT);
  }
}

static void send_the_rest(struct connection* to) {
  if (baseline_send_kept(to->socket, &to->unsent) < 0)
    end(to);
  else if (to->unsent.data == NULL)
    watch(to, EPOLL_CTL_MOD, EPOLLIN);
}

// A little for each connection, then the next one's turn.
static void send_zeros(struct connection* to) {
  for (int i = 0; i < sends_per_event; ++i) {
    const ssize_t sent = baseline_send(to->socket, buffer, sizeof buffer);
    if (sent < 0) {
      end(to);
      return;
    }
    if ((size_t)sent < sizeof buffer) return;
  }
}

static void accept_all(int listener) {
  for (int socket; (socket = baseline_accept(listener)) >= 0;) {
    struct connection* made = calloc(1, sizeof *made);
    if (made == NULL) baseline_fail("calloc");
    made->socket = socket;
    watch(made, EPOLL_CTL_ADD, mode == baseline_source ? EPOLLOUT : EPOLLIN);
  }
}

static void serve(struct connection* which) {
  if (mode == baseline_source)
    send_zeros(which);
  else if (which->unsent.data != NULL)
    send_the_rest(which);
  else
    readable(which);
}

int main(int argc, char** argv) {
  const struct baseline_options options = baseline_parse(argc, argv);
  mode = options.mode;
  if (baseline_is_udp(options.endpoint)) epoll_datagrams(baseline_bind(options.endpoint));
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) baseline_fail("epoll_create1");
  struct connection listener = {.socket = baseline_listen(options.endpoint)};
  watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
  for (;;) {
    static struct epoll_event events[most_events];
    const int ready = epoll_wait(poller, events, most_events, -1);
    if (ready < 0 && errno != EINTR) baseline_fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.ptr == &listener)
        accept_all(listener.socket);
      else
        serve(events[i].data.ptr);
    }
  }
}
