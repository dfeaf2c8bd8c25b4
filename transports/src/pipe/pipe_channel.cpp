#include "pipe_channel.hpp"

#include <sluice/error.hpp>
#include <sluice/info.hpp>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "socket/socket.hpp"
#include "write_parts.hpp"

namespace sluice::pipe {
namespace {

bool is_socket(int descriptor) noexcept {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

channel::channel(loop& owner, parts made_of, const shared_stream_options& options)
    : descriptor_channel(owner, std::move(made_of.watched), options),
      parts_(std::move(made_of)),
      is_socket_(is_socket(number())),
      is_terminal_(::isatty(number()) == 1) {
  if (parts_.output != nullptr) send_elsewhere();
  if (parts_.input != nullptr) parts_.input->begin(*this);
}

channel::~channel() = default;

void channel::watch_reader() {
  if (only_writes() && is_open() && !is_closing()) watch_what_is_wanted();
}

// Where there is no way out, it is over from the beginning, and to end it once more does nothing (rule P3).
bool channel::can_write_eof() const { return parts_.output != nullptr || is_socket_ || parts_.ways != connection_machine::ways::both; }

void channel::start_reading() { parts_.input != nullptr ? parts_.input->start() : descriptor_channel::start_reading(); }

void channel::stop_reading() { parts_.input != nullptr ? parts_.input->stop() : descriptor_channel::stop_reading(); }

ssize_t channel::receive(mutable_bytes room) {
  const ssize_t n = ::read(number(), room.data(), room.size());
  return n < 0 && errno == EIO && is_terminal_ ? 0 : n;  // the other side of a pseudo-terminal has gone (rule P4)
}

send_result channel::send(std::span<const const_bytes> pieces) {
  return parts_.output != nullptr ? parts_.output->send(pieces) : write_parts(number(), pieces);
}

void channel::send_later(std::span<const const_bytes> newly_queued) {
  parts_.output != nullptr ? parts_.output->wait() : descriptor_channel::send_later(newly_queued);
}

std::error_code channel::shutdown_output() {
  if (parts_.output != nullptr) {
    parts_.output->end();
    return {};
  }
  return ::shutdown(number(), SHUT_WR) == 0 ? std::error_code() : system_error(errno);
}

progress channel::begin_close(close_kind kind) {
  const progress others = parts_.companion != nullptr ? parts_.companion->ends(kind, input_ended()) : progress::done;
  switch (kind) {
    case close_kind::graceful:
      if (parts_.output != nullptr && parts_.output->end() == progress::pending) return progress::pending;
      if (is_socket_ && parts_.ways != connection_machine::ways::input_only) ::shutdown(number(), SHUT_WR);
      break;
    case close_kind::abort:
    case close_kind::reset:
      if (parts_.output != nullptr) parts_.output->drop();
      break;
  }
  return others;
}

progress channel::release() {
  parts_.input.reset();
  parts_.output.reset();
  parts_.companion.reset();
  return descriptor_channel::release();
}

// What can be read comes first (rule L13); then what waits to be sent tells the error, or there is none to tell.
void channel::broken() {
  read_to_the_end();
  if (!is_open() || (is_socket_ && failed_by_error())) return;
  if (has_queued_output() && parts_.output == nullptr) ready_to_send();
  if (is_open() && !failed_by_error()) watch_what_is_wanted();
}

// A pipe without a reader, or a terminal without another side, that has taken all that was written: an orderly end (rule P2). The rest of a
// file was not taken, though nothing of it need be queued.
bool channel::failed_by_error() {
  const int error = is_socket_ ? detail::pending_error(number()) : 0;
  if (error != 0)
    failed(system_error(error));
  else if (only_writes() && sends_file())
    failed(system_error(EPIPE));
  else if (only_writes())
    closed();
  return error != 0 || only_writes();
}

bool channel::is_at_end() {
  int waiting = 0;
  return ::ioctl(number(), FIONREAD, &waiting) == 0 && waiting == 0;
}

void channel::describe(info_query& query) const {
  query.answer<transport_kind>([this] { return transport_kind{parts_.kind}; });
  if (parts_.companion != nullptr) parts_.companion->describe(query);
  if (parts_.input != nullptr) query.answer<native_descriptor>([this] { return native_descriptor{parts_.input->number()}; });
  descriptor_channel::describe(query);
}

}  // namespace sluice::pipe
