#pragma once

#include <sluice/process.hpp>

#include <sys/types.h>

#include <string>
#include <system_error>
#include <vector>

namespace sluice::process {

// A descriptor of this process and the number that the child has it under.
struct mapped_descriptor {
  int here;
  int in_child;
};

struct started_child {
  pid_t number = -1;
  std::error_code error = {};
  std::string detail = {};
};

// Runs the program of `wanted` in a new process, whose descriptors are exactly `descriptors`, and waits until it has begun or failed to.
// Where `has_terminal`, descriptor 0 is the terminal that controls its session. May throw std::bad_alloc.
started_child start_child(const options& wanted, const std::vector<mapped_descriptor>& descriptors, bool has_terminal);

}  // namespace sluice::process
