#include "socket_file.hpp"

#include <sluice/descriptor.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "socket/socket.hpp"

namespace sluice::local {

std::optional<file_identity> socket_file_at(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return std::nullopt;
  return file_identity{found.st_dev, found.st_ino};
}

void remove_if(const file_identity& file, const std::string& path) {
  if (socket_file_at(path) == file) ::unlink(path.c_str());
}

bool is_stale(const address& at, int type) {
  std::error_code error;
  const descriptor probe =
      type == SOCK_STREAM ? sluice::detail::open_stream_socket(at, error) : sluice::detail::open_datagram_socket(at, error);
  return !error && sluice::detail::begin_connect(probe.get(), at) == std::errc::connection_refused;
}

}  // namespace sluice::local
