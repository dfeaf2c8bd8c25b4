// What is at the other end of a serial line: a pseudo-terminal that brings back what is sent to it or, with `--feed BYTES`, sends zeros at
// the pace of 115,200 baud, so many at a time. Prints `listening on PATH`.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

enum {
  bytes_per_second = 11520
};

static char buffer[baseline_buffer_size];

static int open_master(void) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) baseline_fail("posix_openpt");
  const char* name = ptsname(master);
  const int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);  // kept, so that a bridge may come and go
  if (slave < 0) baseline_fail(name);
  struct termios raw;
  tcgetattr(slave, &raw);
  cfmakeraw(&raw);
  tcsetattr(slave, TCSANOW, &raw);
  printf("listening on %s\n", name);
  fflush(stdout);
  return master;
}

static _Noreturn void echo(int master) {
  for (;;) {
    const ssize_t size = read(master, buffer, sizeof buffer);
    if (size <= 0) baseline_fail("read");
    for (ssize_t done = 0; done < size;) {
      const ssize_t n = write(master, buffer + done, (size_t)(size - done));
      if (n < 0) baseline_fail("write");
      done += n;
    }
  }
}

static _Noreturn void feed(int master, long clump) {
  const long gap = clump * 1000000000L / bytes_per_second;
  struct timespec next;
  fcntl(master, F_SETFL, O_NONBLOCK);  // what a full line does not take is lost, as on a real one
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (;;) {
    next.tv_nsec += gap;
    next.tv_sec += next.tv_nsec / 1000000000L;
    next.tv_nsec %= 1000000000L;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    if (write(master, buffer, (size_t)clump) == 0) baseline_fail("write");
  }
}

int main(int argc, char** argv) {
  const long clump = argc == 3 && strcmp(argv[1], "--feed") == 0 ? atol(argv[2]) : 0;
  if (argc != 1 && (clump < 1 || clump > (long)sizeof buffer)) {
    fprintf(stderr, "usage: pty_device [--feed BYTES]\n");
    return 2;
  }
  const int master = open_master();
  if (clump == 0) echo(master);
  feed(master, clump);
}
