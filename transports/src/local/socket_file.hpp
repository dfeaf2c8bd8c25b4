#pragma once

#include <sluice/address.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <system_error>

namespace sluice::local {

// Which file it is, whatever its name.
struct file_identity {
  dev_t device;
  ino_t inode;
  friend bool operator==(const file_identity&, const file_identity&) = default;
};

// Nothing if no socket is there.
std::optional<file_identity> socket_file_at(const std::string& path);

// Removes what is at `path` if it is still that file.
void remove_if(const file_identity& file, const std::string& path);

// A socket file that nobody has open: a socket of `type` is refused there. Any other answer may come from somebody.
bool is_stale(const address& at, int type);

}  // namespace sluice::local
