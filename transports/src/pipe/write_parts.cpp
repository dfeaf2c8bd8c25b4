#include "write_parts.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "descriptor/descriptor_channel.hpp"
#include "socket/parts.hpp"

namespace sluice::pipe {

send_result write_parts(int descriptor, std::span<const const_bytes> parts) noexcept {
  ssize_t n = 0;
  if (parts.size() == 1) {
    n = ::write(descriptor, parts[0].data(), parts[0].size());
  } else {
    iovec vectors[detail::most_parts];
    int count = 0;
    for (const const_bytes part : parts) vectors[count++] = {const_cast<std::byte*>(part.data()), part.size()};
    n = ::writev(descriptor, vectors, count);
  }
  return n >= 0 ? send_result(static_cast<std::size_t>(n)) : detail::send_failed(errno);
}

}  // namespace sluice::pipe
