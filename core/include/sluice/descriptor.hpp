#pragma once

#include <utility>

namespace sluice {

/// Owns a file descriptor of the operating system: closes it when destroyed, unless it was released.
///
/// Functions that take over a descriptor take one by value; those that hand one out return one. -1, or any negative number, is none.
class descriptor {
 public:
  descriptor() noexcept = default;
  /// Takes over `number`.
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    const int taken = other.release();
    close();
    number_ = taken;
    return *this;
  }
  ~descriptor() { close(); }

  int get() const noexcept { return number_; }
  bool is_open() const noexcept { return number_ >= 0; }
  explicit operator bool() const noexcept { return is_open(); }
  /// The number, which is the caller's to close from now on.
  int release() noexcept { return std::exchange(number_, -1); }
  /// Does nothing if there is none. Errors of the system's close are not told: the descriptor is gone all the same.
  void close() noexcept {
    if (is_open()) close_number(release());
  }

 private:
  static void close_number(int number) noexcept;

  int number_ = -1;
};

}  // namespace sluice
