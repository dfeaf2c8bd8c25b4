// What TLS costs a server that does nothing but what it must, by epoll and OpenSSL: epoll_tls tls://ADDRESS:PORT CERTIFICATE KEY echoes.
//
// All connections share one buffer for what comes, one for what goes, and a BIO between them and OpenSSL: one recv brings many records, and
// one send takes the answers to all of them. OpenSSL holds no buffers for a connection at rest.

#include "common.h"
#include "sockets.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  most_events = 1024,
  shared_size = 512 * 1024,
  plain_size = 64 * 1024
};

struct connection {
  int socket;
  SSL* tls;
  struct baseline_unsent unsent;
};

static int poller;
static char incoming[shared_size];
static size_t incoming_at, incoming_end;
static char* outgoing;
static size_t outgoing_size, outgoing_room;

static _Noreturn void fail_with_tls(const char* what) {
  char why[256];
  ERR_error_string_n(ERR_get_error(), why, sizeof why);
  fprintf(stderr, "epoll_tls: %s: %s\n", what, why);
  exit(1);
}

static int take_incoming(BIO* bio, char* into, size_t room, size_t* taken) {
  const size_t left = incoming_end - incoming_at;
  BIO_clear_retry_flags(bio);
  *taken = left < room ? left : room;
  if (*taken == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(into, incoming + incoming_at, *taken);
  incoming_at += *taken;
  return 1;
}

static int put_outgoing(BIO* bio, const char* data, size_t size, size_t* put) {
  BIO_clear_retry_flags(bio);
  if (outgoing_room - outgoing_size < size) {
    outgoing_room = 2 * (outgoing_size + size);
    outgoing = realloc(outgoing, outgoing_room);
    if (outgoing == NULL) baseline_fail("realloc");
  }
  memcpy(outgoing + outgoing_size, data, size);
  outgoing_size += size;
  *put = size;
  return 1;
}

static long control(BIO* bio, int command, long number, void* pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO* make_shared_bio(void) {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shared buffers");
  if (method == NULL || BIO_meth_set_read_ex(method, take_incoming) != 1 || BIO_meth_set_write_ex(method, put_outgoing) != 1 ||
      BIO_meth_set_ctrl(method, control) != 1)
    fail_with_tls("BIO_meth_new");
  BIO* made = BIO_new(method);
  if (made == NULL) fail_with_tls("BIO_new");
  BIO_set_init(made, 1);
  return made;
}

static SSL_CTX* make_context(const char* certificate, const char* key) {
  SSL_CTX* made = SSL_CTX_new(TLS_server_method());
  if (made == NULL) fail_with_tls("SSL_CTX_new");
  SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);  // tickets are enough to come back
  if (SSL_CTX_use_certificate_chain_file(made, certificate) != 1) fail_with_tls(certificate);
  if (SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1) fail_with_tls(key);
  return made;
}

static void end(struct connection* which) {
  SSL_free(which->tls);
  close(which->socket);
  free(which->unsent.data);
  free(which);
}

// Answers all that came. 0: the connection has ended.
static int echo(struct connection* with) {
  static char plain[plain_size];
  size_t size = 0, written = 0;
  while (SSL_read_ex(with->tls, plain, sizeof plain, &size) == 1)
    if (SSL_write_ex(with->tls, plain, size, &written) != 1) return 0;
  const int why = SSL_get_error(with->tls, 0);
  if (why == SSL_ERROR_ZERO_RETURN) SSL_shutdown(with->tls);
  return why == SSL_ERROR_WANT_READ;
}

static void readable(struct connection* from) {
  const ssize_t n = recv(from->socket, incoming, sizeof incoming, 0);
  if (n < 0 && baseline_is_temporary(errno)) return;
  if (n <= 0) {
    end(from);
    return;
  }
  incoming_at = outgoing_size = 0;
  incoming_end = (size_t)n;
  const int goes_on = echo(from);
  ERR_clear_error();
  const ssize_t sent = outgoing_size == 0 ? 0 : baseline_send(from->socket, outgoing, outgoing_size);
  if (!goes_on || sent < 0) {
    end(from);
  } else if ((size_t)sent < outgoing_size) {
    baseline_keep(&from->unsent, outgoing + sent, outgoing_size - (size_t)sent);
    baseline_watch(poller, EPOLL_CTL_MOD, from->socket, EPOLLOUT, from);
  }
}

static void send_the_rest(struct connection* to) {
  if (baseline_send_kept(to->socket, &to->unsent) < 0)
    end(to);
  else if (to->unsent.data == NULL)
    baseline_watch(poller, EPOLL_CTL_MOD, to->socket, EPOLLIN, to);
}

static void accept_all(int listener, SSL_CTX* context, BIO* shared) {
  for (int socket; (socket = baseline_accept(listener)) >= 0;) {
    struct connection* made = calloc(1, sizeof *made);
    if (made == NULL) baseline_fail("calloc");
    made->socket = socket;
    made->tls = SSL_new(context);
    if (made->tls == NULL) fail_with_tls("SSL_new");
    BIO_up_ref(shared);
    BIO_up_ref(shared);
    SSL_set0_rbio(made->tls, shared);
    SSL_set0_wbio(made->tls, shared);
    SSL_set_accept_state(made->tls);
    baseline_watch(poller, EPOLL_CTL_ADD, socket, EPOLLIN, made);
  }
}

int main(int argc, char** argv) {
  if (argc != 4 || strncmp(argv[1], "tls://", strlen("tls://")) != 0) {
    fprintf(stderr, "usage: epoll_tls tls://ADDRESS:PORT CERTIFICATE KEY\n");
    return 2;
  }
  SSL_CTX* context = make_context(argv[2], argv[3]);
  BIO* shared = make_shared_bio();
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) baseline_fail("epoll_create1");
  struct connection listener = {.socket = baseline_listen_tcp(argv[1], "tls://")};
  baseline_watch(poller, EPOLL_CTL_ADD, listener.socket, EPOLLIN, &listener);
  for (;;) {
    static struct epoll_event events[most_events];
    const int ready = epoll_wait(poller, events, most_events, -1);
    if (ready < 0 && errno != EINTR) baseline_fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      struct connection* which = events[i].data.ptr;
      if (which == &listener)
        accept_all(listener.socket, context, shared);
      else if (which->unsent.data != NULL)
        send_the_rest(which);
      else
        readable(which);
    }
  }
}
