#include "posix_serial.hpp"

#include <sluice/error.hpp>
#include <sluice/serial.hpp>
#include <sluice/serial/ports.hpp>

#include <linux/serial.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <thread>
#include <utility>

#include "socket/parts.hpp"

namespace sluice::serial {
namespace {

std::error_code result_of(int call) noexcept { return call == 0 ? std::error_code() : system_error(errno); }

io_result moved(ssize_t n) noexcept {
  if (n >= 0) return {static_cast<std::size_t>(n)};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {};
  return {0, system_error(errno)};
}

int queue_selector(direction which) noexcept {
  switch (which) {
    case direction::input: return TCIFLUSH;
    case direction::output: return TCOFLUSH;
    case direction::both: return TCIOFLUSH;
  }
  return TCIOFLUSH;
}

// Looked up at each opening: a device that was plugged in again may have another name.
result<system_line> open_named(const std::string& name, const open_settings& wanted) {
  if (!name.starts_with("usb:")) return system_line::open(name, wanted);
  const auto path = find_port(name);
  if (!path) return {path.error(), path.detail()};
  return system_line::open(*path, wanted);
}

// A thread could not be made, or there is no memory.
result<system_line> failure_of(const job_result<result<system_line>>& opened) {
  try {
    std::rethrow_exception(opened.exception());
  } catch (const std::system_error& error) {
    return {error.code(), std::string("opening the line on a thread of its own: ") + error.what()};
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
}

// The loop ends, and takes no more work. Nothing waits for this thread, and it touches nothing of the loop.
void close_behind(const std::shared_ptr<system_line>& line) {
  try {
    std::thread([line] { line->close(); }).detach();
  } catch (const std::system_error&) {
    line->close();
  }
}

}  // namespace

connecting open(loop& owner, const std::string& path, protocol_factory factory, connect_handler done, const options& settings) {
  return open(static_cast<scheduler&>(owner), std::make_unique<posix_serial>(owner, path), std::move(factory), std::move(done), settings);
}

posix_serial::~posix_serial() { opening_.abandon(); }

// What is given up closes itself on the thread that opened it.
void posix_serial::open(const open_settings& wanted, open_handler done) {
  opening_ = loop_.run_in_thread([name = path_, wanted] { return open_named(name, wanted); },
                                 [this, done = std::move(done)](job_result<result<system_line>> finished) {
                                   result<system_line> made = finished ? finished.get() : failure_of(finished);
                                   if (!made) return done({made.error(), made.detail()});
                                   line_ = std::move(*made);
                                   done(line_.found());
                                 });
}

void posix_serial::close(std::function<void()> done) {
  opening_.abandon();
  watch_.close();
  listener_ = nullptr;
  const auto line = std::make_shared<system_line>(std::move(line_));
  const auto closing = loop_.run_in_thread([line] { line->close(); },
                                           [done = std::move(done)](const job_result<void>&) {
                                             if (done) done();
                                           });
  if (!closing && line->get() >= 0) close_behind(line);
}

void posix_serial::watch(interest what) {
  if (watches_ && what == watched_) return;
  watched_ = what;
  int events = UV_DISCONNECT;
  if (what == interest::input || what == interest::both) events |= UV_READABLE;
  if (what == interest::output || what == interest::both) events |= UV_WRITABLE;
  if (std::exchange(watches_, true)) return watch_.change(events);
  if (const std::error_code error = watch_.start(loop_, line_.get(), events, &posix_serial::on_event, this))
    loop_.call_soon([this, error] { tell_gone(error); });
}

void posix_serial::on_event(void* of, int status, int events) {
  auto& self = *static_cast<posix_serial*>(of);
  if (status != 0 || (events & UV_DISCONNECT) != 0) return self.tell_gone(system_error(EIO));
  const bool in = (events & UV_READABLE) != 0;
  const bool out = (events & UV_WRITABLE) != 0;
  if (in || out) self.listener_->ready(in ? out ? interest::both : interest::input : interest::output);
}

// The watch goes first: a line that hung up would wake us for ever.
void posix_serial::tell_gone(std::error_code why) {
  watch_.close();
  if (device_listener* const told = std::exchange(listener_, nullptr)) told->gone(why);
}

io_result posix_serial::read(mutable_bytes into) {
  const ssize_t n = ::read(line_.get(), into.data(), into.size());
  return n == 0 ? read_nothing() : moved(n);
}

// A line that hung up reads as nothing, and so does an idle one that another program has told not to wait for a byte.
io_result posix_serial::read_nothing() {
  terminal_state state;
  if (read_terminal(line_.get(), state) || waits_for_a_byte(state)) return {0, system_error(EIO)};
  wait_for_a_byte(state);
  return {0, write_terminal(line_.get(), state)};
}

io_result posix_serial::write(std::span<const const_bytes> parts) {
  if (parts.size() == 1) return moved(::write(line_.get(), parts[0].data(), parts[0].size()));
  iovec vectors[detail::most_parts];
  const std::size_t count = std::min(parts.size(), detail::most_parts);
  for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<std::byte*>(parts[i].data()), parts[i].size()};
  return moved(::writev(line_.get(), vectors, static_cast<int>(count)));
}

result<output_state> posix_serial::output() {
  int queued = 0;
  if (::ioctl(line_.get(), TIOCOUTQ, &queued) != 0) return system_error(errno);
  unsigned status = TIOCSER_TEMT;
  if (::ioctl(line_.get(), TIOCSERGETLSR, &status) != 0) status = TIOCSER_TEMT;  // not every driver tells
  return output_state{static_cast<std::size_t>(std::max(queued, 0)), (status & TIOCSER_TEMT) != 0};
}

std::error_code posix_serial::discard(direction which) { return result_of(::ioctl(line_.get(), TCFLSH, queue_selector(which))); }

std::error_code posix_serial::set_break(bool on) { return result_of(::ioctl(line_.get(), on ? TIOCSBRK : TIOCCBRK)); }

result<modem_lines> posix_serial::lines() {
  int bits = 0;
  if (::ioctl(line_.get(), TIOCMGET, &bits) != 0) return system_error(errno);
  const auto is_on = [bits](int bit) { return (bits & bit) != 0; };
  return modem_lines{is_on(TIOCM_DTR), is_on(TIOCM_RTS), is_on(TIOCM_CTS), is_on(TIOCM_DSR), is_on(TIOCM_RNG), is_on(TIOCM_CAR)};
}

std::error_code posix_serial::set_lines(line_level dtr, line_level rts) {
  int on = 0;
  int off = 0;
  if (dtr != line_level::keep) (dtr == line_level::on ? on : off) |= TIOCM_DTR;
  if (rts != line_level::keep) (rts == line_level::on ? on : off) |= TIOCM_RTS;
  if (on != 0 && ::ioctl(line_.get(), TIOCMBIS, &on) != 0) return system_error(errno);
  if (off != 0 && ::ioctl(line_.get(), TIOCMBIC, &off) != 0) return system_error(errno);
  return {};
}

result<line_counters> posix_serial::counters() {
  serial_icounter_struct now{};
  if (::ioctl(line_.get(), TIOCGICOUNT, &now) != 0) return system_error(errno);
  const auto number = [](int value) { return static_cast<std::uint32_t>(value); };
  return line_counters{number(now.cts),   number(now.dsr),    number(now.rng),     number(now.dcd),         number(now.rx), number(now.tx),
                       number(now.frame), number(now.parity), number(now.overrun), number(now.buf_overrun), number(now.brk)};
}

}  // namespace sluice::serial
