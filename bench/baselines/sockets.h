// What the baselines on epoll do with a connection. In a header, so that it costs them no calls.
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common.h"

// What the kernel did not take.
struct baseline_unsent {
  char* data;  // NULL: nothing waits
  size_t size;
  size_t at;
};

static inline void baseline_watch(int poller, int operation, int socket, uint32_t events, void* with) {
  struct epoll_event interest = {.events = events, .data.ptr = with};
  if (epoll_ctl(poller, operation, socket, &interest) != 0) baseline_fail("epoll_ctl");
}

static inline int baseline_is_temporary(int error) { return error == EAGAIN || error == EINTR; }

// Takes what the kernel does: 0 if that is nothing now, -1 if nothing ever again.
static inline ssize_t baseline_send(int to, const char* data, size_t size) {
  const ssize_t n = send(to, data, size, MSG_NOSIGNAL);
  return n < 0 && baseline_is_temporary(errno) ? 0 : n;
}

static inline void baseline_keep(struct baseline_unsent* in, const char* data, size_t size) {
  in->data = malloc(size);
  if (in->data == NULL) baseline_fail("malloc");
  memcpy(in->data, data, size);
  in->size = size;
  in->at = 0;
}

// As `baseline_send`, with what was kept; nothing waits any more once all is gone.
static inline ssize_t baseline_send_kept(int to, struct baseline_unsent* kept) {
  const ssize_t sent = baseline_send(to, kept->data + kept->at, kept->size - kept->at);
  if (sent < 0) return sent;
  kept->at += (size_t)sent;
  if (kept->at == kept->size) {
    free(kept->data);
    kept->data = NULL;
  }
  return sent;
}

// The next connection that waits, or -1 if none does.
static inline int baseline_accept(int listener) {
  for (;;) {
    const int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) return socket;
    if (errno == EAGAIN) return -1;
    if (errno != EINTR && errno != ECONNABORTED) baseline_fail("accept4");
  }
}
