#pragma once

#include <cstddef>

namespace sluice::testing {

/// Calls of the heap by one thread.
struct allocation_counts {
  std::size_t allocations = 0;  ///< `malloc`, `calloc`, the aligned ones, and what stands on them: `operator new`, containers, libraries.
  std::size_t frees = 0;        ///< `free` of something.
  std::size_t bytes = 0;        ///< Asked for, in all allocations; freed ones are not taken off.

  friend allocation_counts operator-(allocation_counts a, allocation_counts b) noexcept {
    return {a.allocations - b.allocations, a.frees - b.frees, a.bytes - b.bytes};
  }
  friend bool operator==(const allocation_counts&, const allocation_counts&) = default;
};

/// Counts what its thread asks of the heap from construction on, without a tool around the process:
///
///     const allocation_counter counter;
///     …
///     CHECK(counter.counts().allocations == 0);
///
/// A program that uses this class has its calls of malloc, realloc, free and their kin replaced by ones that count and go on to the C
/// library; a `realloc` is one allocation and, unless it was of null, one free. Where that is not possible (a sanitizer owns the heap, or
/// the C library is not glibc) `available()` is false and all counts stay 0: skip the check then. Counters may be nested.
class allocation_counter {
 public:
  allocation_counter() noexcept : start_(thread_total()) {}

  static bool available() noexcept;
  /// Since construction, in the calling thread.
  allocation_counts counts() const noexcept { return thread_total() - start_; }

 private:
  static allocation_counts thread_total() noexcept;

  allocation_counts start_;
};

}  // namespace sluice::testing
