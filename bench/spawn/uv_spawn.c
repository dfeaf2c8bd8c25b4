/* Starts children on plain libuv, one after the other: each echoes a message, is told that there is no more, and is reaped.
 *
 * usage: uv_spawn COUNT [PROGRAM]; prints how many there were and how many nanoseconds they took. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
  message_size = 32
};

static uv_loop_t* loop;
static const char* program = "cat";
static unsigned long left;
static uv_process_t process;
static uv_pipe_t input, output;
static uv_write_t written;
static char message[message_size], room[65536];
static size_t received;
static int open_handles;

static void start(void);

static void check(int status, const char* what) {
  if (status >= 0) return;
  fprintf(stderr, "uv_spawn: %s: %s\n", what, uv_strerror(status));
  exit(1);
}

static void on_close(uv_handle_t* handle) {
  (void)handle;
  if (--open_handles > 0) return;
  if (received != message_size) check(UV_EPROTO, "what came back");
  if (--left > 0) start();
}

static void on_ended(uv_process_t* ended, int64_t status, int signal) {
  if (status != 0 || signal != 0) {
    fprintf(stderr, "uv_spawn: %s ended with exit code %lld, signal %d\n", program, (long long)status, signal);
    exit(1);
  }
  uv_close((uv_handle_t*)ended, on_close);
}

static void on_alloc(uv_handle_t* handle, size_t wanted, uv_buf_t* into) {
  (void)handle, (void)wanted;
  *into = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* into) {
  (void)into;
  if (size == UV_EOF) {
    uv_close((uv_handle_t*)stream, on_close);
    return;
  }
  check((int)size, "read");
  received += (size_t)size;
  if (received == message_size) uv_close((uv_handle_t*)&input, on_close);
}

static void on_written(uv_write_t* request, int status) {
  (void)request;
  if (status != UV_EPIPE) check(status, "write"); /* a child that did not read: on_ended says how it ended */
}

static void start(void) {
  char* arguments[] = {(char*)program, NULL};
  uv_stdio_container_t streams[] = {{UV_CREATE_PIPE | UV_READABLE_PIPE, {(uv_stream_t*)&input}},
                                    {UV_CREATE_PIPE | UV_WRITABLE_PIPE, {(uv_stream_t*)&output}},
                                    {UV_INHERIT_FD, {.fd = 2}}};
  uv_process_options_t options = {.exit_cb = on_ended, .file = program, .args = arguments, .stdio_count = 3, .stdio = streams};
  uv_buf_t what = uv_buf_init(message, message_size);
  received = 0;
  open_handles = 3;
  check(uv_pipe_init(loop, &input, 0), "pipe");
  check(uv_pipe_init(loop, &output, 0), "pipe");
  check(uv_spawn(loop, &process, &options), program);
  check(uv_read_start((uv_stream_t*)&output, on_alloc, on_read), "read");
  check(uv_write(&written, (uv_stream_t*)&input, &what, 1, on_written), "write");
}

int main(int argc, char** argv) {
  char* end = NULL;
  unsigned long count = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
  if (argc < 2 || argc > 3 || *end != '\0' || count == 0) {
    fprintf(stderr, "usage: uv_spawn COUNT [PROGRAM]\n");
    return 2;
  }
  if (argc == 3) program = argv[2];
  memset(message, 'x', sizeof message);
  signal(SIGPIPE, SIG_IGN); /* libuv writes to pipes without a care for it */
  loop = uv_default_loop();
  left = count;
  uint64_t begin = uv_hrtime();
  start();
  uv_run(loop, UV_RUN_DEFAULT);
  printf("{\"messages\": %lu, \"nanoseconds\": %llu}\n", count, (unsigned long long)(uv_hrtime() - begin));
  return 0;
}
