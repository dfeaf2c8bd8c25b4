// The same by libuv's streams, as its own guide would do it: one receive buffer for all connections, uv_try_write straight from it, and
// uv_write for a copy of what the kernel does not take; meanwhile that connection is not read.

#include "common.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct connection {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
};

struct pending_write {
  uv_write_t request;
  char data[];
};

static enum baseline_mode mode;
static char buffer[baseline_buffer_size];

static void check(int result, const char* what) {
  if (result == 0) return;
  fprintf(stderr, "uv_server: %s: %s\n", what, uv_strerror(result));
  exit(1);
}

static void ended(uv_handle_t* handle) { free(handle); }

static void end(uv_stream_t* which) {
  if (!uv_is_closing((uv_handle_t*)which)) uv_close((uv_handle_t*)which, ended);
}

static void give_buffer(uv_handle_t* handle, size_t suggested, uv_buf_t* result) {
  (void)handle;
  (void)suggested;
  *result = uv_buf_init(buffer, sizeof buffer);
}

static void received(uv_stream_t* from, ssize_t n, const uv_buf_t* data);

static void rest_written(uv_write_t* request, int status) {
  uv_stream_t* to = request->handle;
  free(request->data);
  if (status != 0)
    end(to);
  else if (!uv_is_closing((uv_handle_t*)to))
    check(uv_read_start(to, give_buffer, received), "uv_read_start");
}

static void write_later(uv_stream_t* to, const char* data, size_t size) {
  struct pending_write* made = malloc(sizeof *made + size);
  if (made == NULL) check(UV_ENOMEM, "malloc");
  memcpy(made->data, data, size);
  made->request.data = made;
  const uv_buf_t rest = uv_buf_init(made->data, (unsigned)size);
  uv_read_stop(to);
  if (uv_write(&made->request, to, &rest, 1, rest_written) == 0) return;
  free(made);
  end(to);
}

static void received(uv_stream_t* from, ssize_t n, const uv_buf_t* data) {
  if (n < 0) {
    end(from);
    return;
  }
  if (n == 0 || mode != baseline_echo) return;
  const uv_buf_t all = uv_buf_init(data->base, (unsigned)n);
  int written = uv_try_write(from, &all, 1);
  if (written == UV_EAGAIN) written = 0;
  if (written < 0)
    end(from);
  else if (written < n)
    write_later(from, data->base + written, (size_t)(n - written));
}

static void send_zeros(uv_stream_t* to);

static void zeros_written(uv_write_t* request, int status) {
  uv_stream_t* to = request->handle;
  free(request);
  if (status != 0)
    end(to);
  else if (!uv_is_closing((uv_handle_t*)to))
    send_zeros(to);
}

static void send_zeros(uv_stream_t* to) {
  uv_write_t* request = malloc(sizeof *request);
  if (request == NULL) check(UV_ENOMEM, "malloc");
  const uv_buf_t zeros = uv_buf_init(buffer, sizeof buffer);
  if (uv_write(request, to, &zeros, 1, zeros_written) == 0) return;
  free(request);
  end(to);
}

static void accept_one(uv_stream_t* listener, int status) {
  check(status, "accept");
  const int is_pipe = listener->type == UV_NAMED_PIPE;
  struct connection* made = malloc(is_pipe ? sizeof(uv_pipe_t) : sizeof(uv_tcp_t));
  if (made == NULL) check(UV_ENOMEM, "malloc");
  if (is_pipe)
    check(uv_pipe_init(listener->loop, &made->pipe, 0), "uv_pipe_init");
  else
    check(uv_tcp_init(listener->loop, &made->tcp), "uv_tcp_init");
  check(uv_accept(listener, &made->stream), "uv_accept");
  if (mode == baseline_source)
    send_zeros(&made->stream);
  else
    check(uv_read_start(&made->stream, give_buffer, received), "uv_read_start");
}

int main(int argc, char** argv) {
  const struct baseline_options options = baseline_parse(argc, argv);
  mode = options.mode;
  signal(SIGPIPE, SIG_IGN);  // libuv writes without MSG_NOSIGNAL
  if (baseline_is_udp(options.endpoint)) uv_datagrams(baseline_bind(options.endpoint));
  uv_loop_t* loop = uv_default_loop();
  const int socket = baseline_listen(options.endpoint);
  struct connection listener;
  if (strncmp(options.endpoint, "unix:", strlen("unix:")) == 0) {
    check(uv_pipe_init(loop, &listener.pipe, 0), "uv_pipe_init");
    check(uv_pipe_open(&listener.pipe, socket), "uv_pipe_open");
  } else {
    check(uv_tcp_init(loop, &listener.tcp), "uv_tcp_init");
    check(uv_tcp_open(&listener.tcp, socket), "uv_tcp_open");
  }
  check(uv_listen(&listener.stream, 1024, accept_one), "uv_listen");
  return uv_run(loop, UV_RUN_DEFAULT);
}
