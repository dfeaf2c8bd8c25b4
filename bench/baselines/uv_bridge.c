// A bridge as one would write it with plain uv_poll: uv_bridge FIRST ENDPOINT joins each client of ENDPOINT, one at a time, to FIRST, a
// terminal or tcp://ADDRESS:PORT. What one side does not take at once waits, and the other is not read meanwhile.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

#include "common.h"

struct side {
  uv_poll_t poll;
  struct side* other;
  int descriptor;
  int events;
  size_t begin, end;  // what was read here and the other side has not taken
  char data[baseline_buffer_size];
};

static const char* first;
static struct side sides[2];
static int open_sides;
static int listener;
static uv_poll_t watch;

static void on_ready(uv_poll_t* poll, int status, int events);
static void on_client(uv_poll_t* poll, int status, int events);

static void closed(uv_handle_t* handle) {
  close(((struct side*)handle->data)->descriptor);
  if (--open_sides == 0) uv_poll_start(&watch, UV_READABLE, on_client);
}

static void end(void) {
  for (int i = 0; i < 2; ++i)
    if (!uv_is_closing((uv_handle_t*)&sides[i].poll)) uv_close((uv_handle_t*)&sides[i].poll, closed);
}

static void want(struct side* which) {
  const int events = (which->begin == which->end ? UV_READABLE : 0) | (which->other->begin != which->other->end ? UV_WRITABLE : 0);
  if (events == which->events) return;
  which->events = events;
  events == 0 ? uv_poll_stop(&which->poll) : uv_poll_start(&which->poll, events, on_ready);
}

// False once there is nothing to be done any more.
static int pass_on(struct side* from) {
  while (from->begin != from->end) {
    const ssize_t n = write(from->other->descriptor, from->data + from->begin, from->end - from->begin);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    from->begin += (size_t)n;
  }
  return 1;
}

static int take(struct side* from) {
  const ssize_t n = read(from->descriptor, from->data, sizeof from->data);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  from->begin = 0;
  from->end = (size_t)n;
  return n > 0 && pass_on(from);
}

static void on_ready(uv_poll_t* poll, int status, int events) {
  struct side* which = poll->data;
  int goes_on = status == 0;
  if (goes_on && (events & UV_WRITABLE) != 0) goes_on = pass_on(which->other);
  if (goes_on && (events & UV_READABLE) != 0 && which->begin == which->end) goes_on = take(which);
  if (!goes_on) {
    end();
    return;
  }
  want(which);
  want(which->other);
}

static int open_terminal(void) {
  const int made = open(first, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  struct termios raw;
  if (made < 0 || tcgetattr(made, &raw) != 0) baseline_fail(first);
  cfmakeraw(&raw);
  tcsetattr(made, TCSANOW, &raw);
  return made;
}

static int open_first(void) {
  if (strncmp(first, "tcp://", strlen("tcp://")) != 0) return open_terminal();
  const struct sockaddr_in at = baseline_address(first, "tcp://");
  const int on = 1;
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0 || connect(made, (const struct sockaddr*)&at, sizeof at) != 0) baseline_fail(first);
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(made, F_SETFL, O_NONBLOCK);
  return made;
}

static void on_client(uv_poll_t* poll, int status, int events) {
  (void)status;
  (void)events;
  const int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;
  uv_poll_stop(poll);  // the next one waits
  sides[0].descriptor = open_first();
  sides[1].descriptor = client;
  open_sides = 2;
  for (int i = 0; i < 2; ++i) {
    struct side* each = &sides[i];
    each->other = &sides[1 - i];
    each->begin = each->end = 0;
    each->events = UV_READABLE;
    if (uv_poll_init(uv_default_loop(), &each->poll, each->descriptor) != 0) baseline_fail("uv_poll_init");
    each->poll.data = each;
    uv_poll_start(&each->poll, UV_READABLE, on_ready);
  }
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: uv_bridge TERMINAL|tcp://ADDRESS:PORT ENDPOINT\n");
    return 2;
  }
  first = argv[1];
  listener = baseline_listen(argv[2]);
  uv_poll_init(uv_default_loop(), &watch, listener);
  uv_poll_start(&watch, UV_READABLE, on_client);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  baseline_fail("uv_run");
}
