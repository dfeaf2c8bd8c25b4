#include "local_channel.hpp"

#include <sluice/error.hpp>
#include <sluice/local.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <typeinfo>
#include <utility>
#include <vector>

#include "socket/parts.hpp"

namespace sluice::local {
namespace {

using state = connection_machine::state;

// What a descriptor that waits counts for the marks: 64 of them reach the default high mark.
constexpr std::size_t worth_of_descriptor = 1024;
// Of one message, with room for what others may have asked the system to send along (credentials, labels).
constexpr std::size_t control_size = CMSG_SPACE(max_descriptors * sizeof(int)) + 256;

std::optional<peer_credentials> read_credentials([[maybe_unused]] int socket) {
#ifdef SO_PEERCRED
  struct ucred found {};
  socklen_t size = sizeof found;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &found, &size) == 0) return peer_credentials{found.pid, found.uid, found.gid};
#endif
  return std::nullopt;
}

ssize_t receive_message(int socket, msghdr& message) noexcept {
#ifdef MSG_CMSG_CLOEXEC
  return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
#else
  return ::recvmsg(socket, &message, 0);
#endif
}

descriptor adopt_received(int number) noexcept {
#ifndef MSG_CMSG_CLOEXEC
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
#endif
  return descriptor(number);
}

const char* what_is_wrong(std::span<const descriptor> passed, const_bytes data) noexcept {
  if (data.empty()) return "send_descriptors: without bytes; expected at least one, which the descriptors go with";
  if (passed.size() > max_descriptors) return "send_descriptors: too many descriptors; expected at most max_descriptors";
  const auto open = [](const descriptor& each) { return each.is_open(); };
  return std::all_of(passed.begin(), passed.end(), open) ? nullptr : "send_descriptors: one of the descriptors is not open";
}

}  // namespace

struct channel::passing {
  struct outgoing {
    std::uint64_t goes_with;  // the byte of the stream, counted from 0
    descriptor passed;
  };

  // Descriptors at the front that go with byte `at`.
  std::size_t due(std::uint64_t at) const noexcept {
    const auto later = std::find_if(queued.begin(), queued.end(), [at](const outgoing& each) { return each.goes_with > at; });
    return static_cast<std::size_t>(later - queued.begin());
  }
  // Bytes from `at` on that may go in one message with the first `count` descriptors.
  std::uint64_t reach(std::uint64_t at, std::size_t count) const noexcept {
    return count < queued.size() ? queued[count].goes_with - at : static_cast<std::uint64_t>(-1);
  }
  // Throws std::bad_alloc with nothing changed.
  void queue(std::uint64_t at, std::span<descriptor> passed) {
    if (const std::size_t needed = queued.size() + passed.size(); needed > queued.capacity()) queued.reserve(2 * needed);
    for (descriptor& each : passed) queued.push_back({at, std::move(each)});
  }
  // False if it has no room, or no memory to keep it.
  bool keep(descriptor fresh) noexcept {
    if (received.size() >= limit) return false;
    try {
      received.push_back(std::move(fresh));
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  void drop(std::size_t count) noexcept { queued.erase(queued.begin(), queued.begin() + static_cast<std::ptrdiff_t>(count)); }

  std::size_t limit = 0;             // of `received`
  std::vector<outgoing> queued;      // in the order of the stream
  std::vector<descriptor> received;  // that nobody has taken yet
};

channel::channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options, std::size_t receive_descriptors,
                 const detail::shared_tally& tally)
    : socket_channel(owner, std::move(socket), peer, options, tally), credentials_(read_credentials(this->socket())) {
  if (receive_descriptors == 0) return;
  passing_ = std::make_unique<passing>();
  passing_->limit = receive_descriptors;
}

channel::~channel() = default;

uv_poll_cb channel::on_event() const noexcept {
  return passing_ != nullptr && passing_->limit != 0 ? &channel::on_poll : socket_channel::on_event();
}

channel* channel::of(transport& which) noexcept { return typeid(which) == typeid(channel) ? static_cast<channel*>(&which) : nullptr; }

void channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"unix"}; });
  if (credentials_) query.answer<peer_credentials>([this] { return *credentials_; });
  socket_channel::describe(query);
}

std::error_code channel::send_descriptors(std::span<descriptor> passed, const_bytes data) {
  if (write(const_bytes()) == write_status::dropped) return errc::misuse;  // the wrong thread, which was reported
  if (const char* wrong = what_is_wrong(passed, data)) {
    scheduler().report_misuse(id(), wrong);
    return errc::misuse;
  }
  if (sends_file()) {
    write(data);  // is counted and reported
    return errc::misuse;
  }
  if (state() > state::peer_ended) {
    write(data);  // is counted, and after write_eof() reported
    return errc::closed;
  }
  try {
    if (passing_ == nullptr) passing_ = std::make_unique<passing>();
    passing_->queue(counters().bytes_sent + get_write_buffer_size(), passed);
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
  write(data);
  return {};
}

send_result channel::send(std::span<const const_bytes> parts) {
  if (passing_ == nullptr || passing_->queued.empty()) [[likely]]
    return socket_channel::send(parts);
  const send_result result = send_in_order(parts);
  if (result.failed()) passing_->queued.clear();
  return result;
}

// Descriptors go in a message that begins with their byte and ends before the byte of the next ones. A failure behind bytes that were taken
// is told at once: the system may tell it only once.
send_result channel::send_in_order(std::span<const const_bytes> parts) {
  const std::uint64_t begin = counters().bytes_sent;
  std::array<const_bytes, detail::most_parts> room;
  std::size_t taken = 0;
  for (;;) {
    const std::size_t descriptors = passing_->due(begin + taken);
    const auto now = detail::slice(parts, taken, passing_->reach(begin + taken, descriptors), room);
    if (now.empty()) return taken;
    const send_result result = descriptors == 0 ? socket_channel::send(now) : send_with_descriptors(now, descriptors);
    if (result.failed()) return result;
    taken += result.taken();
    if (!result.took(detail::total_of(now))) return taken;
  }
}

send_result channel::send_with_descriptors(std::span<const const_bytes> parts, std::size_t descriptors) {
  int numbers[max_descriptors];
  for (std::size_t i = 0; i < descriptors; ++i) numbers[i] = passing_->queued[i].passed.get();
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof numbers)]{};
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(descriptors * sizeof(int)));
  cmsghdr& header = *CMSG_FIRSTHDR(&message);
  header.cmsg_level = SOL_SOCKET;
  header.cmsg_type = SCM_RIGHTS;
  header.cmsg_len = static_cast<decltype(header.cmsg_len)>(CMSG_LEN(descriptors * sizeof(int)));
  std::memcpy(CMSG_DATA(&header), numbers, descriptors * sizeof(int));
  const send_result result = send_message(parts, message);
  if (result.taken() > 0) passing_->drop(descriptors);  // they went with the first byte
  return result;
}

std::size_t channel::queued_beside_bytes() const noexcept {
  return passing_ == nullptr ? 0 : passing_->queued.size() * worth_of_descriptor;
}

// Only asked where descriptors are received. While the end of a connection lingers, the system closes what comes.
ssize_t channel::receive(mutable_bytes room) {
  if (state() == state::lost) return socket_channel::receive(room);
  alignas(cmsghdr) std::byte control[control_size];
  iovec into{room.data(), room.size()};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = receive_message(socket(), message);
  if (n < 0 || (keep_received(message) && (message.msg_flags & MSG_CTRUNC) == 0)) return n;
  failed(errc::descriptors_lost);
  errno = EAGAIN;
  return -1;
}

// False if there is no room for all of them.
bool channel::keep_received(const msghdr& message) noexcept {
  bool kept = true;
  msghdr& whole = const_cast<msghdr&>(message);  // CMSG_NXTHDR asks for it
  for (cmsghdr* header = CMSG_FIRSTHDR(&whole); header != nullptr; header = CMSG_NXTHDR(&whole, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(header) + i * sizeof number, sizeof number);
      descriptor fresh = adopt_received(number);
      kept = kept && passing_->keep(std::move(fresh));
    }
  }
  return kept;
}

descriptor channel::take_descriptor() noexcept {
  if (passing_ == nullptr || passing_->received.empty()) return {};
  descriptor first = std::move(passing_->received.front());
  passing_->received.erase(passing_->received.begin());
  return first;
}

void channel::close_received() noexcept {
  if (passing_ != nullptr) passing_->received.clear();
}

void channel::start_reading() {
  if (state() == state::lost) close_received();  // what is read from now on is discarded
  socket_channel::start_reading();
}

progress channel::begin_close(close_kind kind) {
  if (passing_ != nullptr) passing_->queued.clear();  // where all was sent, nothing is left
  return socket_channel::begin_close(kind);
}

progress channel::release() {
  close_received();
  return socket_channel::release();
}

portable_channel::portable_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options,
                                   const detail::shared_tally& tally)
    : detail::portable_channel(owner, medium::unix_socket, std::move(socket), peer, options, tally),
      credentials_(read_credentials(this->socket())) {}

void portable_channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"unix"}; });
  if (credentials_) query.answer<peer_credentials>([this] { return *credentials_; });
  detail::portable_channel::describe(query);
}

std::unique_ptr<stream_transport> make_channel(loop& owner, descriptor socket, const address& peer, const shared_stream_options& options,
                                               std::size_t receive_descriptors, const detail::shared_tally& tally) {
  if (owner.portable_streams()) return std::make_unique<portable_channel>(owner, std::move(socket), peer, options, tally);
  return std::make_unique<channel>(owner, std::move(socket), peer, options, receive_descriptors, tally);
}

}  // namespace sluice::local
