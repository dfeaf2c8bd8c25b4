#pragma once

#include <cstddef>

namespace sluice::testing {

/// Lets one allocation of the calling thread fail: the one after the next `n`. With `failure_sweep`, each of them in turn:
///
///     failure_sweep([](std::size_t n) { …; const allocation_failure failure(n); …; return failure.struck(); });
///
/// A program that uses this class has its calls of malloc and their kin replaced, as `allocation_counter` describes. Where that is not possible
/// (a sanitizer owns the heap, or the C library is not glibc) `operator new` is replaced instead, and only what stands on that fails. One
/// at a time in each thread.
class allocation_failure {
 public:
  explicit allocation_failure(std::size_t n) noexcept;
  allocation_failure(const allocation_failure&) = delete;
  allocation_failure& operator=(const allocation_failure&) = delete;
  /// From now on nothing fails any more.
  ~allocation_failure();

  /// It has failed.
  bool struck() const noexcept;
};

}  // namespace sluice::testing
