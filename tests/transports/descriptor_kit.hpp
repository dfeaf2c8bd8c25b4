#pragma once

#include <sluice/local.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/testing/recording_protocol.hpp>

#include "socket_kit.hpp"

// What the tests of passing descriptors over Unix sockets share.
namespace descriptor_kit {

using namespace sluice;
using namespace socket_kit;
using testing::recorder;
using testing::recording_protocol;

// A descriptor that can be told from others on whatever way it came: a file in memory of `number` bytes.
inline descriptor numbered_file(int number) {
  descriptor made(::memfd_create("sluice", MFD_CLOEXEC));
  REQUIRE(::ftruncate(made.get(), number) == 0);
  return made;
}

inline int number_of(int file) {
  struct stat found {};
  return ::fstat(file, &found) == 0 ? static_cast<int>(found.st_size) : -1;
}

inline std::vector<descriptor> numbered_files(std::initializer_list<int> numbers) {
  std::vector<descriptor> made;
  for (const int each : numbers) made.push_back(numbered_file(each));
  return made;
}

inline std::error_code send_numbered(transport& over, std::initializer_list<int> numbers, std::string_view text) {
  std::vector<descriptor> files = numbered_files(numbers);
  return local::send_descriptors(over, files, as_bytes(text));
}

// One message of the system, as a program without this library gets it.
struct message {
  std::string text;
  std::vector<int> numbers;
  friend bool operator==(const message&, const message&) = default;
};

inline message receive_message(const raw_socket& from) {
  message got;
  wait_for(from.get(), POLLIN);
  got.text.resize(1 << 20);
  iovec into{got.text.data(), got.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(local::max_descriptors * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &into;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(from.get(), &header, MSG_CMSG_CLOEXEC);
  REQUIRE(n >= 0);
  got.text.resize(static_cast<std::size_t>(n));
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    for (std::size_t at = CMSG_LEN(0); at < each->cmsg_len; at += sizeof(int)) {
      int number = -1;
      std::memcpy(&number, reinterpret_cast<const char*>(each) + at, sizeof number);
      got.numbers.push_back(number_of(descriptor(number).get()));
    }
  }
  return got;
}

inline void send_message(const raw_socket& to, std::string_view text, const std::vector<descriptor>& files) {
  iovec from{const_cast<char*>(text.data()), text.size()};
  std::vector<char> control(CMSG_SPACE(files.size() * sizeof(int)));
  msghdr header{};
  header.msg_iov = &from;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr& rights = *CMSG_FIRSTHDR(&header);
  rights.cmsg_level = SOL_SOCKET;
  rights.cmsg_type = SCM_RIGHTS;
  rights.cmsg_len = CMSG_LEN(files.size() * sizeof(int));
  for (std::size_t i = 0; i < files.size(); ++i) {
    const int number = files[i].get();
    std::memcpy(CMSG_DATA(&rights) + i * sizeof number, &number, sizeof number);
  }
  REQUIRE(::sendmsg(to.get(), &header, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

inline std::array<descriptor, 2> socket_pair() {
  int made[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made) == 0);
  return {descriptor(made[0]), descriptor(made[1])};
}

// Takes all that wait; their numbers.
inline std::vector<int> take_all(transport& from) {
  std::vector<int> numbers;
  while (const descriptor each = local::take_descriptor(from)) {
    CHECK(::fcntl(each.get(), F_GETFD) == FD_CLOEXEC);
    numbers.push_back(number_of(each.get()));
  }
  return numbers;
}

inline const local::options receiving{.receive_descriptors = 300};

// A connection of the library.
struct site {
  site() {
    scheduler.on_error([this](const error_event& event) { reports.push_back(describe(event)); });
  }
  ~site() {
    if (scheduler.open_transports() != 0) end_all();
  }

  transport& adopt(descriptor socket, recorder& end, protocol_ptr upper, const local::options& settings = receiving) {
    const result<transport&> made = local::adopt(scheduler, std::move(socket), std::move(upper), settings);
    REQUIRE(made);
    CHECK(end.connection() == &*made);
    return *made;
  }
  bool run_until_closed() {
    return run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }
  void end_all() {
    scheduler.for_each_transport([](transport& each) { each.abort(); });
    run_until_closed();
  }
  // Lets the loop do what it can without waiting.
  void pass() {
    for (int i = 0; i < 3; ++i) {
      scheduler.call_soon([this] { scheduler.stop(); });
      scheduler.run();
    }
  }

  std::vector<std::string> reports;
  recording_protocol near, far;
  loop scheduler;
};

// One end is the library's, the other a plain socket.
struct half_site : site {
  explicit half_site(const local::options& settings = receiving) {
    auto [mine, its] = socket_pair();
    peer = raw_socket(its.release());
    connection = &adopt(std::move(mine), near, borrow(near), settings);
  }
  // Writes until the system takes no more; as many bytes as it took.
  std::size_t fill() {
    const std::string block(100'000, 'f');
    near.on_pause = [] { return backpressure::handled; };
    while (connection->get_write_buffer_size() == 0) connection->write(block);
    return connection->counters().bytes_sent;
  }

  raw_socket peer;
  transport* connection = nullptr;
};

struct whole_site : site {
  whole_site() {
    auto [mine, its] = socket_pair();
    sender = &adopt(std::move(mine), near, borrow(near));
    receiver = &adopt(std::move(its), far, borrow(far));
  }
  transport* sender = nullptr;
  transport* receiver = nullptr;
};

}  // namespace descriptor_kit
