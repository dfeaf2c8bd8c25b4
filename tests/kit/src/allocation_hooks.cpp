#include "allocation_hooks.hpp"

#include <cerrno>
#include <cstdlib>
#include <new>

// The features.h of glibc is behind every standard header; a sanitizer says so in one of two ways.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SLUICE_REPLACES_MALLOC 1
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#undef SLUICE_REPLACES_MALLOC
#endif
#endif
#endif

namespace sluice::testing {
namespace {

constinit thread_local allocation_hooks mine;

}  // namespace

allocation_hooks& allocation_hooks::of_this_thread() noexcept { return mine; }

#ifdef SLUICE_REPLACES_MALLOC

bool allocation_hooks::cover_everything() noexcept { return true; }

namespace {

template <typename Allocate>
void* counted(std::size_t size, Allocate allocate) noexcept {
  if (mine.fails()) {
    errno = ENOMEM;
    return nullptr;
  }
  ++mine.total.allocations;
  mine.total.bytes += size;
  return allocate();
}

}  // namespace

#else

bool allocation_hooks::cover_everything() noexcept { return false; }

#endif

}  // namespace sluice::testing

using sluice::testing::mine;

#ifdef SLUICE_REPLACES_MALLOC

// What glibc's own allocator is called beside its public names, which a program may define anew for itself and all libraries that it loads.
extern "C" {
void* library_malloc(std::size_t size) asm("__libc_malloc");
void* library_calloc(std::size_t count, std::size_t size) asm("__libc_calloc");
void* library_realloc(void* old, std::size_t size) asm("__libc_realloc");
void* library_memalign(std::size_t alignment, std::size_t size) asm("__libc_memalign");
void library_free(void* old) asm("__libc_free");

using sluice::testing::counted;

void* malloc(std::size_t size) noexcept {
  return counted(size, [=] { return library_malloc(size); });
}

void* calloc(std::size_t count, std::size_t size) noexcept {
  return counted(count * size, [=] { return library_calloc(count, size); });
}

void* realloc(void* old, std::size_t size) noexcept {
  return counted(size, [=] {
    if (old != nullptr) ++mine.total.frees;
    return library_realloc(old, size);
  });
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return counted(size, [=] { return library_memalign(alignment, size); });
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void* const memory = memalign(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void* old) noexcept {
  if (old != nullptr) ++mine.total.frees;
  library_free(old);
}
}

#else

void* operator new(std::size_t size) {
  void* const memory = mine.fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return mine.fails() ? nullptr : std::malloc(size == 0 ? 1 : size); }

void operator delete(void* old) noexcept { std::free(old); }
void operator delete(void* old, std::size_t) noexcept { std::free(old); }
void operator delete(void* old, const std::nothrow_t&) noexcept { std::free(old); }

#endif
