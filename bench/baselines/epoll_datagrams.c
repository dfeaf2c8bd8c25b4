// Echoes datagrams with epoll, recvmmsg and sendmmsg: what the system allows.
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common.h"

enum {
  batch = 64,
  longest = 2048
};

static char memory[batch][longest];
static struct sockaddr_in names[batch];
static struct iovec parts[batch];
static struct mmsghdr messages[batch];

static void send_back(int socket, int count) {
  for (int i = 0; i < count; ++i) parts[i].iov_len = messages[i].msg_len;
  for (int sent = 0; sent < count;) {
    const int now = sendmmsg(socket, messages + sent, (unsigned)(count - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (now <= 0) return;  // the rest is lost
    sent += now;
  }
}

static void echo_all(int socket) {
  int count = batch;
  while (count == batch) {
    for (int i = 0; i < batch; ++i) {
      parts[i] = (struct iovec){memory[i], longest};
      messages[i].msg_hdr.msg_namelen = sizeof names[i];
    }
    count = recvmmsg(socket, messages, batch, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) baseline_fail("recvmmsg");
    send_back(socket, count);
  }
}

_Noreturn void epoll_datagrams(int socket) {
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event readable = {.events = EPOLLIN};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, socket, &readable) != 0) baseline_fail("epoll");
  for (int i = 0; i < batch; ++i) messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_iov = &parts[i], .msg_iovlen = 1};
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(poller, &event, 1, -1) < 0 && errno != EINTR) baseline_fail("epoll_wait");
    echo_all(socket);
  }
}
