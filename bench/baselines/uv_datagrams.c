// Echoes datagrams with plain libuv, which receives in batches and sends one at a time.
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#include "common.h"

enum {
  batch = 20,  // what libuv receives at most in one call
  longest = 64 * 1024
};

static void check(int status, const char* what) {
  if (status >= 0) return;
  errno = -status;
  baseline_fail(what);
}

static void give_buffer(uv_handle_t* handle, size_t wanted, uv_buf_t* buffer) {
  static char memory[batch * longest];
  (void)handle;
  (void)wanted;
  *buffer = uv_buf_init(memory, sizeof memory);
}

static void received(uv_udp_t* socket, ssize_t size, const uv_buf_t* data, const struct sockaddr* from, unsigned flags) {
  if (size < 0 || from == NULL || (flags & UV_UDP_MMSG_FREE) != 0) return;
  const uv_buf_t answer = uv_buf_init(data->base, (unsigned)size);
  uv_udp_try_send(socket, &answer, 1, from);  // one that is refused is lost
}

_Noreturn void uv_datagrams(int socket) {
  uv_loop_t* loop = uv_default_loop();
  uv_udp_t handle;
  check(uv_udp_init_ex(loop, &handle, AF_UNSPEC | UV_UDP_RECVMMSG), "uv_udp_init_ex");
  check(uv_udp_open(&handle, socket), "uv_udp_open");
  check(uv_udp_recv_start(&handle, give_buffer, received), "uv_udp_recv_start");
  uv_run(loop, UV_RUN_DEFAULT);
  baseline_fail("uv_run");
}
