#include "message_batch.hpp"

#include <sluice/detail/socket_address.hpp>
#include <sluice/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::detail {

message_batch::message_batch(loop&) : memory_(std::make_unique_for_overwrite<std::byte[]>(memory_size)) {
  for (std::size_t i = 0; i < most; ++i) {
    in_[i] = {};
    in_[i].msg_hdr.msg_name = &in_names_[i];
    in_[i].msg_hdr.msg_iov = in_parts_[i].data();
    out_[i] = {};
    out_[i].msg_hdr.msg_iov = &out_parts_[i];
    out_[i].msg_hdr.msg_iovlen = 1;
  }
}

void message_batch::prepare_for(std::size_t longest) noexcept {
  longest_ = longest;
  const std::size_t head = std::min(longest, short_slot);
  for (std::size_t i = 0; i < most; ++i) {
    in_parts_[i][0] = {short_at(i), head};
    in_parts_[i][1] = {long_at(i) + short_slot, longest - head};
    in_[i].msg_hdr.msg_iovlen = longest > short_slot ? 2 : 1;
  }
}

int message_batch::receive(int socket, std::size_t longest) noexcept {
  received_ = 0;
  if (longest != longest_) prepare_for(longest);
  for (message& each : in_) each.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
  const int count = receive_messages(socket, in_.data(), most);
  if (count <= 0) return count;
  received_ = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < received_; ++i) take_in(i);
  return count;
}

void message_batch::take_in(std::size_t i) noexcept {
  const msghdr& header = in_[i].msg_hdr;
  const std::size_t size = in_[i].msg_len;
  std::byte* begin = short_at(i);
  if (size > short_slot) [[unlikely]] {
    begin = long_at(i);
    std::memcpy(begin, short_at(i), short_slot);
  }
  incoming_[i].data = {begin, size};
  incoming_[i].truncated = (header.msg_flags & MSG_TRUNC) != 0;
  incoming_[i].from = from_sockaddr(static_cast<const sockaddr*>(header.msg_name), header.msg_namelen);
}

void message_batch::prepare_to_send(std::size_t i, const outgoing_datagram& each, const address* peer) noexcept {
  out_parts_[i] = {const_cast<std::byte*>(each.data.data()), each.data.size()};
  msghdr& header = out_[i].msg_hdr;
  const address* const to = each.to != nullptr ? each.to : peer;
  header.msg_name = to != nullptr ? &out_names_[i] : nullptr;
  header.msg_namelen = to != nullptr ? to_sockaddr(*to, out_names_[i]) : 0;
}

datagrams_sent message_batch::send(int socket, std::span<const outgoing_datagram> batch, const address* peer) noexcept {
  for (std::size_t i = 0; i < batch.size(); ++i) prepare_to_send(i, batch[i], peer);
  std::size_t taken = 0;
  while (taken < batch.size()) {
    const int count = send_messages(socket, &out_[taken], static_cast<unsigned>(batch.size() - taken));
    if (count > 0) {
      taken += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return {taken, system_error(errno)};
    }
  }
  return {taken, {}};
}

#ifdef __linux__

int message_batch::receive_messages(int socket, message* messages, unsigned count) noexcept {
  return ::recvmmsg(socket, messages, count, MSG_DONTWAIT, nullptr);
}

int message_batch::send_messages(int socket, message* messages, unsigned count) noexcept {
  return ::sendmmsg(socket, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

#else

int message_batch::receive_messages(int socket, message* messages, unsigned count) noexcept {
  unsigned done = 0;
  for (; done < count; ++done) {
    const ssize_t size = ::recvmsg(socket, &messages[done].msg_hdr, MSG_DONTWAIT);
    if (size < 0) break;
    messages[done].msg_len = static_cast<unsigned>(size);
  }
  return done == 0 ? -1 : static_cast<int>(done);
}

int message_batch::send_messages(int socket, message* messages, unsigned count) noexcept {
  unsigned done = 0;
  while (done < count && ::sendmsg(socket, &messages[done].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) ++done;
  return done == 0 ? -1 : static_cast<int>(done);
}

#endif

}  // namespace sluice::detail
