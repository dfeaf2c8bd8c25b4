#pragma once

#include <sluice/datagram_transport.hpp>
#include <sluice/detail/attachment.hpp>
#include <sluice/loop.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace sluice::detail {

// Memory for one batch of datagrams in either direction, and the calls of the system that move one. All datagram sockets of a loop share
// it: a batch lives for one turn.
//
// Nearly all datagrams are short, so each is received into a slot of 2 KiB, close to its neighbours: few pages and few cache lines for a
// batch. What is longer overflows into a slot of its own in memory that is not touched before, where the beginning is put in front of it.
class message_batch final : public attachment {
 public:
  explicit message_batch(loop& owner);

  // Receives what waits, up to a batch, of datagrams of up to `longest` bytes. How many came; -1 with errno set if none did.
  int receive(int socket, std::size_t longest) noexcept;
  // What the last call received, valid until the next one.
  std::span<const incoming_datagram> received() const noexcept { return {incoming_.data(), received_}; }
  // In which all of it lies.
  const_bytes memory() const noexcept { return {memory_.get(), memory_size}; }

  // Sends from the front of `batch`; what has no address goes to `peer` or, if that is null, to whom the socket is connected to.
  datagrams_sent send(int socket, std::span<const outgoing_datagram> batch, const address* peer) noexcept;

 private:
  static constexpr std::size_t most = datagram_transport::most_per_batch;
  static constexpr std::size_t short_slot = 2048;
  static constexpr std::size_t long_slot = 64 * 1024;
  static constexpr std::size_t memory_size = most * (short_slot + long_slot);

#ifdef __linux__
  using message = mmsghdr;
#else
  struct message {
    msghdr msg_hdr;
    unsigned msg_len;
  };
#endif

  static int receive_messages(int socket, message* messages, unsigned count) noexcept;
  static int send_messages(int socket, message* messages, unsigned count) noexcept;

  std::byte* short_at(std::size_t i) const noexcept { return memory_.get() + i * short_slot; }
  std::byte* long_at(std::size_t i) const noexcept { return memory_.get() + most * short_slot + i * long_slot; }
  void prepare_for(std::size_t longest) noexcept;
  void take_in(std::size_t i) noexcept;
  void prepare_to_send(std::size_t i, const outgoing_datagram& each, const address* peer) noexcept;

  std::unique_ptr<std::byte[]> memory_;
  std::size_t longest_ = 0;  // what the slots are prepared for
  std::size_t received_ = 0;
  std::array<message, most> in_;
  std::array<std::array<iovec, 2>, most> in_parts_;
  std::array<sockaddr_storage, most> in_names_;
  std::array<incoming_datagram, most> incoming_;
  std::array<message, most> out_;
  std::array<iovec, most> out_parts_;
  std::array<sockaddr_storage, most> out_names_;
};

}  // namespace sluice::detail
