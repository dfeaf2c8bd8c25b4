// Preloaded into a server, it counts the calls that the server makes to the heap and, through the C library, to the system. The counts
// are in a file that CALL_COUNTS names, mapped into memory, so that whoever measures reads them at any moment without disturbing anybody.
//
// The file is a table of `most_counts` entries, each a name (NUL-padded) and a 64-bit number. `heap_bytes` is what is in use, with the
// allocator's own header of each block.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// What a server with connections may call, by the names of the C library.
// clang-format off
#define SYSTEM_CALLS(X)                                                                  \
  X(read) X(readv) X(recv) X(recvfrom) X(recvmsg)                                        \
  X(write) X(writev) X(send) X(sendto) X(sendmsg)                                        \
  X(epoll_wait) X(epoll_pwait) X(epoll_ctl) X(poll) X(ppoll)                             \
  X(accept) X(accept4) X(close) X(shutdown)                                              \
  X(getsockname) X(getpeername) X(getsockopt) X(setsockopt)                              \
  X(ioctl) X(fcntl) X(fcntl64) X(syscall)
// clang-format on

#define NUMBER(name) name##_calls,
#define NAME(name) {#name, 0},

enum {
  allocations,
  frees,
  heap_bytes,
  SYSTEM_CALLS(NUMBER)
};
enum {
  name_size = 24,
  most_counts = 64
};

struct count {
  char name[name_size];
  _Atomic(uint64_t) value;
};

static struct count before_start[most_counts] = {{"allocations", 0}, {"frees", 0}, {"heap_bytes", 0}, SYSTEM_CALLS(NAME)};
static struct count* counts = before_start;

static void add(unsigned which, uint64_t amount) { atomic_fetch_add_explicit(&counts[which].value, amount, memory_order_relaxed); }

static _Noreturn void give_up(const char* why) {
  fprintf(stderr, "call_counter: %s: %s\n", why, strerror(errno));
  _exit(1);
}

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("CALL_COUNTS");
  const int file = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof before_start) != 0) give_up("CALL_COUNTS must name a file that can be written");
  struct count* shared = mmap(NULL, sizeof before_start, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared == MAP_FAILED) give_up("mmap");
  close(file);
  memcpy(shared, before_start, sizeof before_start);
  counts = shared;
}

// The heap. The C library has its own functions under these names too.

void* heap_malloc(size_t size) __asm__("__libc_malloc");
void* heap_calloc(size_t number, size_t size) __asm__("__libc_calloc");
void* heap_realloc(void* block, size_t size) __asm__("__libc_realloc");
void* heap_memalign(size_t alignment, size_t size) __asm__("__libc_memalign");
void heap_free(void* block) __asm__("__libc_free");

static uint64_t size_of(void* block) { return block == NULL ? 0 : malloc_usable_size(block) + sizeof(size_t); }

static void* allocated(void* block) {
  add(allocations, 1);
  add(heap_bytes, size_of(block));
  return block;
}

void* malloc(size_t size) { return allocated(heap_malloc(size)); }
void* calloc(size_t number, size_t size) { return allocated(heap_calloc(number, size)); }
void* memalign(size_t alignment, size_t size) { return allocated(heap_memalign(alignment, size)); }
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block == NULL ? ENOMEM : 0;
}

void* realloc(void* block, size_t size) {
  const uint64_t before = size_of(block);
  void* moved = allocated(heap_realloc(block, size));
  if (moved != NULL || size == 0) add(heap_bytes, -before);
  return moved;
}

void free(void* block) {
  if (block == NULL) return;
  add(frees, 1);
  add(heap_bytes, -size_of(block));
  heap_free(block);
}

// The system. None of these calls takes more than seven words, and each word travels where it would without us, whatever its type; so one
// form does for all of them, and the declarations of the C library are not in the way.

typedef long any_call(long, long, long, long, long, long, long);

static any_call* find(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == NULL) give_up(name);
  any_call* result = NULL;
  memcpy(&result, &found, sizeof result);  // C has no cast from the one to the other
  return result;
}

#define COUNT(name)                                                             \
  any_call counted_##name __asm__(#name);                                       \
  long counted_##name(long a, long b, long c, long d, long e, long f, long g) { \
    static any_call* next;                                                      \
    if (next == NULL) next = find(#name);                                       \
    add(name##_calls, 1);                                                       \
    return next(a, b, c, d, e, f, g);                                           \
  }

SYSTEM_CALLS(COUNT)
