#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/process.hpp>

#include <array>
#include <string>
#include <system_error>
#include <vector>

#include "pipe/starting.hpp"
#include "start_child.hpp"

namespace sluice::process {

// What a child's standard descriptors are made of: our ends of the pipes, and what the child gets.
struct child_pipes {
  std::array<descriptor, 3> ours;      // by the child's number; none where there is no pipe
  std::array<descriptor, 3> theirs;    // to be closed here once the child runs
  bool is_terminal = false;            // then `ours[0]` is the master
  std::vector<mapped_descriptor> map;  // of the child, those of `options::pass` included
};

struct opened_pipes {
  child_pipes pipes;
  std::error_code error = {};
  std::string detail = {};
};

opened_pipes open_pipes(const options& wanted);

std::error_code set_terminal_size(int master, const terminal_size& size) noexcept;

}  // namespace sluice::process
