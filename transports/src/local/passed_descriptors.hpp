#pragma once

#include <sluice/activation.hpp>

#include <vector>

#include <sys/types.h>

namespace sluice::detail {

// The variables of the protocol; null where one is not set.
struct activation_variables {
  const char* pid;
  const char* count;
  const char* names;
};
// What they pass to process `self`, taken or not. Throws as `activation::passed`.
std::vector<activation::passed_descriptor> parse_passed(const activation_variables& variables, pid_t self);

// Takes a descriptor by its number, whether or not it was passed; false if that was done before.
bool claim_descriptor(int number);

}  // namespace sluice::detail
