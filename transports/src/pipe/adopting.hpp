#pragma once

#include <sluice/descriptor.hpp>

#include <string>
#include <system_error>

namespace sluice::pipe {

enum class wanted {
  input,
  output,
  both
};

struct refusal {
  std::error_code error;
  std::string detail = {};
  explicit operator bool() const noexcept { return static_cast<bool>(error); }
};

// Whether the system can tell when `descriptor` is ready. It cannot for regular files and /dev/null, say.
bool is_pollable(int descriptor) noexcept;

// Checks that `descriptor` is a stream that can be polled and is open in the way that is wanted, and makes it non-blocking and
// close-on-exec.
refusal prepare(int descriptor, wanted use);

}  // namespace sluice::pipe
