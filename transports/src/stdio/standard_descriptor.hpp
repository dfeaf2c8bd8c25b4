#pragma once

#include <sluice/descriptor.hpp>

#include <system_error>

namespace sluice::stdio {

// One of the process's standard descriptors while a transport has it: remembers how it was found, and puts it back into that state at its
// own end or at the end of the process, whichever is first.
class standard_descriptor {
 public:
  // 0 or 1.
  explicit standard_descriptor(int number) noexcept : number_(number) {}
  standard_descriptor(const standard_descriptor&) = delete;
  standard_descriptor& operator=(const standard_descriptor&) = delete;
  ~standard_descriptor() { give_back(); }

  // Remembers; false if another one has it.
  bool claim();
  // Of a terminal; does nothing elsewhere.
  std::error_code make_raw() noexcept;
  // A descriptor of our own for the same thing.
  descriptor duplicate() const noexcept;
  // What stands on the other side sees the end, where there is one.
  void give_back() noexcept;

 private:
  int number_;
  bool claimed_ = false;
};

}  // namespace sluice::stdio
