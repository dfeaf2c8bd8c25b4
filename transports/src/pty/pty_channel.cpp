#include "pty_channel.hpp"

#include <sluice/error.hpp>
#include <sluice/info.hpp>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "pipe/write_parts.hpp"

namespace sluice::pty {
namespace {

constexpr auto look_interval = std::chrono::milliseconds(5);
constexpr int most_notices = 4;  // in front of the bytes of one read

bool is_ready(int descriptor, short event) noexcept {
  pollfd now{descriptor, event, 0};
  return ::poll(&now, 1, 0) > 0 && (now.revents & event) != 0;
}

}  // namespace

channel::channel(loop& owner, terminal made, const pty::options& settings)
    : descriptor_channel(owner, made.take_master(), shared_stream_options::make(settings.stream)),
      path_(made.path()),
      held_(made.take_held()),
      on_hangup_(settings.on_hangup),
      look_(owner, [this] { look_after_reader(); }) {}

channel::~channel() = default;

std::error_code channel::prepare() {
  switch (on_hangup_) {
    case hangup::keep: break;
    case hangup::end:
      return watch_.start(
          static_cast<loop&>(scheduler()), path_, [](void* self) { static_cast<channel*>(self)->opened(); }, this);
  }
  return {};
}

std::error_code channel::export_as(const std::string& link) {
  if (const auto error = link_.make(link, path_)) return error;
  link_path_ = link;
  return {};
}

// From now on the system tells when the last one closes it, also if that has happened already.
void channel::opened() {
  watch_.stop();
  held_.close();
}

// Each read brings one byte in front that says whether it is data (TIOCPKT).
ssize_t channel::receive(mutable_bytes room) {
  unsigned char what = 0;
  iovec parts[] = {{&what, 1}, {room.data(), room.size()}};
  for (int i = 0; i < most_notices; ++i) {
    const ssize_t n = ::readv(number(), parts, 2);
    if (n < 0) return errno == EIO ? hung_up() : n;
    if (n > 1) return n - 1;
    heard(what);
  }
  errno = EAGAIN;
  return -1;
}

// Nobody has it open any more.
ssize_t channel::hung_up() noexcept {
  gone_ = true;
  return 0;
}

// A read of one byte takes a notice and no data.
bool channel::take_urgent() {
  unsigned char notice = 0;
  const ssize_t n = ::read(number(), &notice, 1);
  if (n == 1) heard(notice);
  return n >= 0;
}

void channel::heard(unsigned char notice) {
  if (settings_ && (notice & TIOCPKT_IOCTL) != 0) settings_->noticed();
}

std::error_code channel::watch_settings(settings_handler told) {
  if (is_closing()) return make_error_code(errc::closed);
  if (!settings_) settings_ = std::make_unique<settings_watch>(scheduler(), number());
  return settings_->subscribe(std::move(told));
}

// The system takes bytes for nobody, until its buffers are full.
send_result channel::send(std::span<const const_bytes> parts) {
  if (gone_) return system_error(EPIPE);
  return pipe::write_parts(number(), parts);
}

// Nobody has it open. What was written before comes first (rule L13); then what waits to be sent tells that it cannot be.
void channel::broken() {
  gone_ = true;
  read_to_the_end();
  if (is_open() && has_queued_output()) ready_to_send();
  if (is_open()) watch_what_is_wanted();
}

bool channel::failed_by_error() {
  gone_ = true;
  return false;
}

bool channel::is_at_end() {
  int waiting = 0;
  return ::ioctl(number(), FIONREAD, &waiting) == 0 && waiting == 0;
}

// Without a descriptor of our own on the other side, the system tells when the last program closes it.
progress channel::begin_close(close_kind kind) {
  if (settings_) settings_->stop();
  link_.remove();
  watch_.stop();
  held_.close();
  switch (kind) {
    case close_kind::graceful:
      if (has_unread_output()) look_.start(look_interval);
      break;
    case close_kind::abort:
    case close_kind::reset: look_.stop(); break;
  }
  return progress::done;
}

// A program has it open and has not read all: bytes wait on the other side, which has to be opened to see them.
bool channel::has_unread_output() const noexcept {
  if (is_ready(number(), POLLHUP)) return false;
  const descriptor other = terminal::other_side_of(number());
  return other.is_open() && is_ready(other.get(), POLLIN);
}

void channel::look_after_reader() {
  if (state() != connection_machine::state::lost || has_unread_output())
    look_.start(look_interval);
  else
    received_eof();  // enough of lingering
}

progress channel::release() {
  link_.remove();
  watch_.stop();
  look_.stop();
  held_.close();
  return descriptor_channel::release();
}

void channel::describe(info_query& query) const {
  query.answer<transport_kind>([] { return transport_kind{"pty"}; });
  query.answer<name>([this] { return name{path_, link_path_}; });
  query.answer<terminal_access>([this] { return terminal_access{const_cast<channel*>(this)}; });
  query.answer<serial::settings>([this]() -> std::optional<serial::settings> {
    const auto now = settings_of(number());
    return now ? std::optional(*now) : std::nullopt;
  });
  descriptor_channel::describe(query);
}

}  // namespace sluice::pty
