#include <sluice/testing/allocation_counter.hpp>

#include <cerrno>
#include <cstdlib>

// The features.h of glibc is behind every standard header; a sanitizer says so in one of two ways.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SLUICE_COUNTS_ALLOCATIONS 1
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#undef SLUICE_COUNTS_ALLOCATIONS
#endif
#endif
#endif

namespace sluice::testing {
namespace {

constinit thread_local allocation_counts total;

}  // namespace

allocation_counts allocation_counter::thread_total() noexcept { return total; }

#ifdef SLUICE_COUNTS_ALLOCATIONS

bool allocation_counter::available() noexcept { return true; }

namespace {

void* counted(void* result, std::size_t size) noexcept {
  ++total.allocations;
  total.bytes += size;
  return result;
}

}  // namespace

#else

bool allocation_counter::available() noexcept { return false; }

#endif

}  // namespace sluice::testing

#ifdef SLUICE_COUNTS_ALLOCATIONS

// What glibc's own allocator is called beside its public names, which a program may define anew for itself and all libraries that it loads.
extern "C" {
void* library_malloc(std::size_t size) asm("__libc_malloc");
void* library_calloc(std::size_t count, std::size_t size) asm("__libc_calloc");
void* library_realloc(void* old, std::size_t size) asm("__libc_realloc");
void* library_memalign(std::size_t alignment, std::size_t size) asm("__libc_memalign");
void library_free(void* old) asm("__libc_free");

using sluice::testing::counted;
using sluice::testing::total;

void* malloc(std::size_t size) noexcept { return counted(library_malloc(size), size); }

void* calloc(std::size_t count, std::size_t size) noexcept { return counted(library_calloc(count, size), count * size); }

void* realloc(void* old, std::size_t size) noexcept {
  if (old != nullptr) ++total.frees;
  return counted(library_realloc(old, size), size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept { return counted(library_memalign(alignment, size), size); }

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return counted(library_memalign(alignment, size), size); }

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void* const memory = counted(library_memalign(alignment, size), size);
  if (memory == nullptr) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void* old) noexcept {
  if (old != nullptr) ++total.frees;
  library_free(old);
}
}

#endif
