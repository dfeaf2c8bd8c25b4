#include <sluice/hand_over.hpp>

#include <sluice/detail/hand_over_machine.hpp>
#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/schemes.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/tcp.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "server_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;

namespace {

const address any_port = address::loopback_v4(0);

// Which socket it is, whoever has it open by whatever number.
ino_t identity(int socket) {
  struct stat found {};
  REQUIRE(::fstat(socket, &found) == 0);
  return found.st_ino;
}

std::string greeting_of(std::size_t sockets) {
  std::string text = "sluice hand_over 1\n";
  while (sockets-- != 0) text += "socket\n";
  return text + "all\n";
}

// A process that offers its servers; its successors are raw sockets of the test.
struct offering_site : server_site {
  offering_site(const offering_site&) = delete;
  explicit offering_site(hand_over::options settings = {}) {
    offer.emplace(
        scheduler, meeting_place, [this] { ++handed_over; }, settings);
    offer->add(web);
    offer->add(admin);
  }
  ~offering_site() {
    offer.reset();
    web.close();
    admin.close();
    end_all();
  }

  // One that was told of all sockets.
  raw_socket successor() {
    raw_socket made = raw_socket::connected_to(meeting_place);
    wait_for_input(made);
    CHECK(made.receive(greeting_of(3).size()) == greeting_of(3));
    return made;
  }
  bool wait_for_input(const raw_socket& at) {
    return run_until(scheduler, [&] {
      pollfd one{at.get(), POLLIN, 0};
      return ::poll(&one, 1, 0) == 1;
    });
  }
  std::string answer_to(raw_socket& from, const char* words) {
    from.send(words);
    CHECK(wait_for_input(from));
    run_until(scheduler, [&] { return scheduler.open_transports() == 0; });
    return from.receive_all();
  }
  // The successor, as if it were another process: `work` on a thread of its own while this loop runs.
  template <typename Work>
  void while_running(Work work) {
    std::atomic<bool> done = false;
    const loop::remote way_in(scheduler);
    std::thread other([&] {
      work();
      done = true;
      way_in.post([] {});
    });
    run_until(scheduler, [&] { return done.load(); });
    other.join();
  }
  template <typename Work>
  void on_its_thread(Work work) {
    scheduler.submit(std::move(work)).get();
  }
  bool serves() {
    const std::size_t before = made();
    const raw_socket client = raw_socket::connected_to(web.sockets().front());
    return run_until_made(before + 1);
  }
  bool has_been_told(std::size_t errors_in_all, const std::string& problem) {
    return run_until(scheduler, [&] { return errors.size() == errors_in_all; }) &&
           errors.back().find(problem + "; this process goes on serving") != std::string::npos;
  }

  temporary_folder folder;
  address meeting_place = address::unix_path(folder / "next");
  tcp::server web{scheduler, factory()};
  local::server admin{scheduler, factory()};
  address web_at = web.listen(any_port);
  address admin_at = admin.listen(address::unix_path(folder / "admin"));
  int handed_over = 0;
  std::optional<hand_over::offer> offer;
};

// A predecessor that says `words` and closes, passing `with` along with the first byte.
struct scripted_predecessor {
  explicit scripted_predecessor(std::string words, descriptor with = {}, bool closes = true)
      : thread_([this, words = std::move(words), with = std::move(with), closes] {
          raw_socket peer = door.accept();
          send(peer, words, with.get());
          if (!closes) peer.receive_all();
        }) {}
  ~scripted_predecessor() { thread_.join(); }

  temporary_folder folder;
  address meeting_place = address::unix_path(folder / "next");
  raw_socket door = raw_socket::listening_at(meeting_place);

 private:
  static void send(const raw_socket& to, const std::string& words, int with) {
    if (with < 0) return to.send(words);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{const_cast<char*>(words.data()), words.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    std::memcpy(CMSG_DATA(header), &with, sizeof with);
    ::sendmsg(to.get(), &message, MSG_NOSIGNAL);
  }

  std::thread thread_;
};

struct failure {
  std::error_code code;
  std::string story;
};

failure failure_of_taking(const address& from, duration patience) {
  loop scheduler;
  try {
    hand_over::take(scheduler, from, patience);
    return {};
  } catch (const std::system_error& error) {
    return {error.code(), error.what()};
  }
}

const std::string first_words = "sluice hand_over 1\n";

}  // namespace

TEST_CASE("S2 whoever says that it is ready gets the waiting clients: the sockets pass, and nobody is refused") {
  const descriptor_balance balance;
  offering_site here;
  const ino_t socket = identity(here.web.descriptors().front());
  here.while_running([&] {
    loop next;
    hand_over::succession before = hand_over::take(next, here.meeting_place);
    CHECK(before.has_predecessor());
    CHECK(before.sockets() == std::vector{here.web_at, here.admin_at, here.meeting_place});
    tcp::server web(next, [] { return nullptr; });
    CHECK(web.listen(here.web_at) == here.web_at);
    CHECK(identity(web.descriptors().front()) == socket);
    CHECK(before.sockets() == std::vector{here.admin_at, here.meeting_place});
    CHECK(here.handed_over == 0);
    before.ready();
    CHECK_FALSE(before.has_predecessor());
    CHECK(before.sockets().empty());
    const raw_socket waiting = raw_socket::connected_to(here.web_at);             // there is a queue
    CHECK_THROWS_AS(raw_socket::connected_to(here.admin_at), std::system_error);  // given up: nobody has taken it
    web.close(waiting_clients::refuse);
  });
  CHECK(run_until(here.scheduler, [&] { return here.handed_over == 1; }));
  CHECK(here.web.sockets().empty());
  CHECK(here.admin.sockets().empty());
  CHECK(here.errors.empty());
}

TEST_CASE("S13 the file of a Unix socket goes to the successor, with its own options, and is removed by it") {
  const descriptor_balance balance;
  offering_site here;
  here.while_running([&] {
    loop next;
    hand_over::succession before = hand_over::take(next, here.meeting_place);
    hand_over::offer offer(next, here.meeting_place, {});
    const auto admin = listen(next, here.admin_at.to_string() + "?mode=0640", [] { return nullptr; });
    before.ready();
    CHECK((std::filesystem::status(here.admin_at.path()).permissions() & std::filesystem::perms::all) == std::filesystem::perms(0640));
    CHECK((std::filesystem::status(here.meeting_place.path()).permissions() & std::filesystem::perms::all) == std::filesystem::perms(0600));
    const raw_socket waiting = raw_socket::connected_to(here.admin_at);
    CHECK(std::filesystem::is_socket(here.admin_at.path()));
    admin->close(waiting_clients::refuse);
    offer.close();
  });
  CHECK_FALSE(std::filesystem::exists(here.admin_at.path()));
  CHECK_FALSE(std::filesystem::exists(here.meeting_place.path()));
}

TEST_CASE("S12 a socket that was taken over gets the options of its new server") {
  offering_site here;
  here.while_running([&] {
    loop next;
    hand_over::succession before = hand_over::take(next, here.meeting_place);
    const auto web = listen(next, "tcp://" + here.web_at.to_string() + "?nodelay=off&backlog=7", [] { return nullptr; });
    int nodelay = -1;
    socklen_t size = sizeof nodelay;
    ::getsockopt(web->descriptors().front(), IPPROTO_TCP, TCP_NODELAY, &nodelay, &size);
    CHECK(nodelay == 0);
  });
}

TEST_CASE("S2 a successor that dies before it is ready changes nothing, and the next one is served") {
  const descriptor_balance balance;
  offering_site here;
  here.successor().close();
  CHECK(here.has_been_told(1, "the successor ended before it was ready"));
  here.successor().reset();
  CHECK(here.has_been_told(2, "the successor ended before it was ready"));
  CHECK(here.serves());
  raw_socket last = here.successor();
  CHECK(here.answer_to(last, "ready\n") == "closed\n");
  CHECK(here.handed_over == 1);
  CHECK(std::filesystem::is_socket(here.admin_at.path()));  // whoever has the socket has the file
  CHECK(std::filesystem::is_socket(here.meeting_place.path()));
}

TEST_CASE("S2 a successor that says something else than ready is cut off and reported") {
  const descriptor_balance balance;
  offering_site here;
  std::size_t reports = 0;
  for (const char* words : {"steady\n", "ready\nsteady\n", "closed\n", "\n", "a line that is too long for any word of this language"}) {
    raw_socket successor = here.successor();
    CHECK(here.answer_to(successor, words).empty());
    CHECK(here.has_been_told(++reports, "the successor says something unknown"));
  }
  CHECK(here.handed_over == 0);
  CHECK(here.serves());
}

TEST_CASE("S2 a successor that does not become ready in time is told that it comes too late") {
  const descriptor_balance balance;
  offering_site here({.ready_timeout = 30ms});
  raw_socket late = here.successor();
  CHECK(here.has_been_told(1, "the successor does not become ready"));
  run_until(here.scheduler, [&] { return here.scheduler.open_transports() == 0; });
  CHECK(late.receive_all() == "withdrawn\n");
  CHECK(here.serves());
}

TEST_CASE("S2 a ready_timeout beyond all bounds does not cut a successor off") {
  const descriptor_balance balance;
  offering_site here({.ready_timeout = std::chrono::milliseconds::max()});
  raw_socket next = here.successor();
  CHECK(here.answer_to(next, "ready\n") == "closed\n");
  CHECK(here.errors.empty());
  CHECK(here.handed_over == 1);
}

TEST_CASE("S2 an offer that is taken back is refused to the successor that has not said ready, who hears of it") {
  const descriptor_balance balance;
  offering_site here;
  here.while_running([&] {
    loop next;
    hand_over::succession before = hand_over::take(next, here.meeting_place);
    here.on_its_thread([&] { here.offer.reset(); });
    std::error_code error;
    before.ready(5s, error);
    CHECK(error == errc::cancelled);
  });
  CHECK(here.errors.empty());
  CHECK(here.serves());
  CHECK_FALSE(std::filesystem::exists(here.meeting_place.path()));
}

TEST_CASE("S2 a predecessor that shuts down while its successor prepares has left") {
  const descriptor_balance balance;
  offering_site here;
  here.while_running([&] {
    loop next;
    hand_over::succession before = hand_over::take(next, here.meeting_place);
    here.on_its_thread([&] { shutdown(here.scheduler, 5s); });
    before.ready();
    CHECK_FALSE(before.has_predecessor());
  });
  CHECK(here.errors.empty());
  CHECK(here.handed_over == 0);
}

TEST_CASE("S2 a second successor waits until the first has failed") {
  const descriptor_balance balance;
  offering_site here;
  raw_socket first = here.successor();
  const raw_socket second = raw_socket::connected_to(here.meeting_place);
  here.settle();
  pollfd silent{second.get(), POLLIN, 0};
  CHECK(::poll(&silent, 1, 0) == 0);
  first.close();
  CHECK(here.wait_for_input(second));
}

TEST_CASE("S12 what cannot be offered is refused at once") {
  server_site here;
  temporary_folder folder;
  const auto offer_at = [&](const address& at, hand_over::options settings = {}) { hand_over::offer(here.scheduler, at, {}, settings); };
  CHECK_THROWS_WITH_AS(offer_at(any_port), doctest::Contains("offering at 127.0.0.1:0, which is no socket file"), std::system_error);
  CHECK_THROWS_AS(offer_at(address::unix_abstract("x")), std::system_error);
  CHECK_THROWS_WITH_AS(offer_at(address::unix_path(folder / "x/y")), doctest::Contains("its folder is missing"), std::system_error);
  CHECK_THROWS_WITH_AS(offer_at(address::unix_path(folder / "x"), {.ready_timeout = 0ms}),
                       doctest::Contains("ready_timeout is 0 ms; expected more than 0"), std::invalid_argument);
  tcp::options idle;
  idle.start_serving = false;
  tcp::server bound(here.scheduler, here.factory(), idle);
  bound.listen(any_port);
  hand_over::offer offer(here.scheduler, address::unix_path(folder / "x"), {});
  CHECK_THROWS_WITH_AS(offer.add(bound), doctest::Contains("offering descriptor "), std::system_error);
}

TEST_CASE("S2 where nobody offers anything there is nobody to succeed") {
  const descriptor_balance balance;
  temporary_folder folder;
  const address at = address::unix_path(folder / "next");
  loop scheduler;
  for (int i = 0; i < 2; ++i) {
    hand_over::succession none = hand_over::take(scheduler, at);
    CHECK_FALSE(none.has_predecessor());
    CHECK(none.sockets().empty());
    none.ready();
    if (i == 0) raw_socket::bound_to(at);  // a file that nobody listens at
  }
}

TEST_CASE("S2 what goes wrong on the way to the predecessor is told with the whole story") {
  const descriptor_balance balance;
  const auto check = [](std::error_code code, const char* problem, std::string words, descriptor with = {}) {
    scripted_predecessor there(std::move(words), std::move(with));
    const failure met = failure_of_taking(there.meeting_place, 5s);
    CHECK(met.code == code);
    CHECK(met.story.starts_with("taking over from " + there.meeting_place.to_string() + ": " + problem));
  };
  const char* nonsense = "the process there says what no predecessor says";
  for (const char* words : {"HTTP/1.1 400 Bad Request\r\n", "sluice hand_over 2\n", "all\n", "sluice hand_over 1\nready\n"})
    check(errc::malformed_message, nonsense, words);
  const char* ended = "the process there ended before it had passed all its sockets";
  for (const char* words : {"", "sluice hand_over 1\n", "sluice hand_over 1\nwithdrawn\n"}) check(errc::truncated, ended, words);
  check(errc::cancelled, "it has taken its offer back", first_words + "all\nwithdrawn\n");
  const char* no_socket = "what it passes is no listening stream socket";
  check(system_error(EBADF), no_socket, first_words + "socket\n");
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const descriptor other_end(ends[1]);
  check(system_error(ENOTSOCK), no_socket, first_words + "socket\nall\n", descriptor(ends[0]));
  check(system_error(EINVAL), no_socket, first_words + "socket\nall\n", descriptor(raw_socket::bound_to(any_port).release()));
}

TEST_CASE("S2 a predecessor that says nothing is waited for as long as the successor has patience") {
  const descriptor_balance balance;
  scripted_predecessor there(first_words, {}, false);
  const failure met = failure_of_taking(there.meeting_place, 30ms);
  CHECK(met.code == errc::timed_out);
  CHECK(met.story.find("the process there does not answer in time") != met.story.npos);
}

TEST_CASE("S2 a predecessor that does not answer to ready is an error of ready, one that is gone is not") {
  const descriptor_balance balance;
  const auto telling = [](const std::string& answer, bool closes) {
    scripted_predecessor there(first_words + "all\n" + answer, {}, closes);
    loop scheduler;
    hand_over::succession before = hand_over::take(scheduler, there.meeting_place);
    std::error_code error;
    before.ready(30ms, error);
    return error;
  };
  CHECK(telling("", false) == errc::timed_out);
  CHECK_FALSE(telling("", true));  // it is gone
}

TEST_CASE("S2 the words of a hand-over are found however they are cut") {
  using detail::hand_over_word;
  const std::string text = first_words + "socket\nall\nready\nclosed\nwithdrawn\nno\n" + std::string(24, 'x') + '\n';
  const std::vector expected = {hand_over_word::greeting, hand_over_word::socket,  hand_over_word::all,
                                hand_over_word::ready,    hand_over_word::closed,  hand_over_word::withdrawn,
                                hand_over_word::unknown,  hand_over_word::unknown, hand_over_word::unknown};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    detail::hand_over_reader reader;
    std::vector<hand_over_word> found;
    for (std::size_t at = 0; at < text.size(); at += piece)
      for (const_bytes rest = as_bytes(std::string_view(text).substr(at, piece)); const auto word = reader.next(rest);)
        found.push_back(*word);
    CHECK(found == expected);
  }
}
