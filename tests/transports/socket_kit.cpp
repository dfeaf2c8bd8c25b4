#include "socket_kit.hpp"

#include <sluice/detail/socket_address.hpp>
#include <sluice/timer.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <doctest/doctest.h>

using namespace sluice;

namespace socket_kit {
namespace {

constexpr auto patience = std::chrono::seconds(30);

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// Asks `done` each time that the loop is about to wait for events, and stops it.
struct question {
  uv_prepare_t handle{};
  const std::function<bool()>* done = nullptr;
  loop* asked = nullptr;

  static void ask(uv_prepare_t* handle) {
    const auto& self = *static_cast<question*>(handle->data);
    if ((*self.done)()) self.asked->stop();
  }
  static void forget(uv_handle_t* handle) { delete static_cast<question*>(handle->data); }
};

class asking {
 public:
  asking(loop& owner, const std::function<bool()>& done) : question_(new question) {
    uv_prepare_init(owner.native_handle(), &question_->handle);
    question_->handle.data = question_;
    question_->done = &done;
    question_->asked = &owner;
    uv_prepare_start(&question_->handle, &question::ask);
    uv_unref(reinterpret_cast<uv_handle_t*>(&question_->handle));
  }
  asking(const asking&) = delete;
  asking& operator=(const asking&) = delete;
  ~asking() { uv_close(reinterpret_cast<uv_handle_t*>(&question_->handle), &question::forget); }

 private:
  question* question_;
};

raw_socket new_socket(const address& family_of, int type = SOCK_STREAM) {
  sockaddr_storage storage{};
  if (detail::to_sockaddr(family_of, storage) == 0) throw std::invalid_argument("no address");
  raw_socket made(::socket(storage.ss_family, type | SOCK_CLOEXEC, 0));
  if (made.get() < 0) fail("socket");
  const timeval limit{patience.count(), 0};
  ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return made;
}

}  // namespace

bool run_until(loop& owner, const std::function<bool()>& done) {
  if (done()) return true;
  const asking each_iteration(owner, done);
  timer too_late(owner, [&] { owner.stop(); });
  too_late.start(patience);
  owner.run();
  const bool came = done();
  CHECK_MESSAGE(came, "what the test waits for did not come");
  return came;
}

std::uint64_t iterations_during(loop& owner, std::chrono::milliseconds span) {
  const std::uint64_t before = owner.counters().iterations;
  timer over(owner, [&] { owner.stop(); });
  over.start(span);
  owner.run();
  return owner.counters().iterations - before;
}

short wait_for(int descriptor, short events) {
  pollfd asked{descriptor, events, 0};
  const int found = ::poll(&asked, 1, static_cast<int>(std::chrono::milliseconds(patience).count()));
  CHECK_MESSAGE(found == 1, "what the test waits for did not come");
  return asked.revents;
}

int open_descriptors() {
  int count = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) count += static_cast<int>(!each.path().empty());
  return count;
}

descriptor_balance::descriptor_balance() {
  static const auto first = std::make_unique<loop>();  // libuv keeps a few for the whole process
  start_ = open_descriptors();
}

descriptor_balance::~descriptor_balance() { CHECK(open_descriptors() == start_); }

raw_socket::raw_socket(raw_socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), error_(std::exchange(other.error_, 0)) {}

raw_socket& raw_socket::operator=(raw_socket&& other) noexcept {
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  error_ = std::exchange(other.error_, 0);
  return *this;
}

raw_socket raw_socket::bound_to(const address& at) {
  raw_socket made = new_socket(at);
  sockaddr_storage storage{};
  const socklen_t size = detail::to_sockaddr(at, storage);
  if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) fail("bind");
  return made;
}

raw_socket raw_socket::listening_at(const address& at, int backlog) {
  raw_socket made = bound_to(at);
  if (::listen(made.get(), backlog) != 0) fail("listen");
  return made;
}

raw_socket raw_socket::connected_to(const address& to) {
  raw_socket made = new_socket(to);
  sockaddr_storage storage{};
  const socklen_t size = detail::to_sockaddr(to, storage);
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) fail("connect");
  return made;
}

raw_socket raw_socket::accept() const {
  raw_socket made(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
  if (made.get() < 0) fail("accept");
  return made;
}

address raw_socket::local_address() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &size) != 0) fail("getsockname");
  return detail::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size);
}

void raw_socket::send(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t n = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0) fail("send");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void raw_socket::send_urgent(char byte) const {
  if (::send(descriptor_, &byte, 1, MSG_OOB | MSG_NOSIGNAL) != 1) fail("send");
}

std::string raw_socket::receive(std::size_t n) {
  std::string text(n, '\0');
  std::size_t got = 0;
  error_ = 0;
  while (got < n) {
    const ssize_t now = ::recv(descriptor_, text.data() + got, n - got, 0);
    if (now <= 0) {
      error_ = now < 0 ? errno : 0;
      CHECK_MESSAGE(error_ != EAGAIN, "what the test waits for did not come");
      break;
    }
    got += static_cast<std::size_t>(now);
  }
  text.resize(got);
  return text;
}

std::string raw_socket::receive_all() {
  constexpr std::size_t step = 65536;
  std::string text;
  for (;;) {
    const std::string more = receive(step);
    text += more;
    if (more.size() < step) return text;
  }
}

void raw_socket::end_output() const {
  if (::shutdown(descriptor_, SHUT_WR) != 0) fail("shutdown");
}

void raw_socket::reset() {
  const linger at_once{1, 0};
  if (::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0) fail("setsockopt");
  close();
}

void raw_socket::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

raw_datagrams::raw_datagrams(const address& at) : socket_(new_socket(at, SOCK_DGRAM)) {
  if (at.family() == address_family::unix_unnamed) return;
  sockaddr_storage storage{};
  const socklen_t size = detail::to_sockaddr(at, storage);
  if (::bind(get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) fail("bind");
}

void raw_datagrams::send_to(std::string_view text, const address& to) const {
  sockaddr_storage storage{};
  const socklen_t size = detail::to_sockaddr(to, storage);
  if (::sendto(get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&storage), size) < 0) fail("sendto");
}

raw_datagrams::datagram raw_datagrams::receive() const {
  std::string text(65536, '\0');
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  const ssize_t n = ::recvfrom(get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&storage), &size);
  CHECK_MESSAGE(n >= 0, "what the test waits for did not come");
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return {text, detail::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), size)};
}

bool raw_datagrams::is_empty() const {
  char byte = 0;
  return ::recv(get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

temporary_folder::temporary_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "sluice-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail("mkdtemp");
  path_ = name;
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string numbered(std::size_t size) {
  std::string text;
  text.reserve(size + 8);
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

}  // namespace socket_kit
