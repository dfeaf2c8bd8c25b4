#include <sluice/tcp.hpp>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include "socket_kit.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;
using sluice::testing::lost_line;
using sluice::testing::recording_protocol;

// What happens on a connection, and what the system makes of it: ends, resets, urgent bytes, unread input, bulk.

namespace {

using lines = std::vector<std::string>;

const auto connection_reset = lost_line(system_error(ECONNRESET));
const auto aborted = lost_line(errc::aborted);

// An accepted connection whose peer is a plain socket.
struct accepted {
  explicit accepted(const stream_options& options = {})
      : server(
            scheduler, [this] { return borrow(end); }, settings_with(options)) {
    scheduler.on_error([](const error_event& event) { FAIL_CHECK(describe(event)); });
    peer = raw_socket::connected_to(server.listen(address::loopback_v4(0)));
    run_until(scheduler, [this] { return end.connection() != nullptr; });
    server.close();
  }

  static tcp::options settings_with(const stream_options& stream) {
    tcp::options settings;
    settings.stream = stream;
    return settings;
  }

  transport& connection() { return *end.connection(); }
  int native() { return connection().info<native_descriptor>()->value; }
  bool run_until_lost() {
    return run_until(scheduler, [this] { return end.is_lost(); });
  }
  bool run_until_closed() {
    return run_until(scheduler, [this] { return scheduler.open_transports() == 0; });
  }
  bool run_until_received(std::size_t size) {
    return run_until(scheduler, [this, size] { return end.received().size() == size; });
  }
  bool run_until_noted(std::string_view line) {
    return run_until(scheduler, [this, line] { return end.count(line) != 0; });
  }
  // What is ready now is done; nothing more comes.
  void settle() { iterations_during(scheduler, 10ms); }
  bool is_quiet() { return iterations_during(scheduler, 50ms) < 10; }
  void keep_open() {
    end.on_eof = [] { return eof::keep_open; };
  }

  recording_protocol end;
  raw_socket peer;
  loop scheduler;
  tcp::server server;
};

void resize(int socket, int option, int size) { CHECK(::setsockopt(socket, SOL_SOCKET, option, &size, sizeof size) == 0); }

}  // namespace

TEST_CASE("the peer's end comes behind its last byte, and is answered by one of ours") {
  const descriptor_balance balance;
  accepted here;
  here.peer.send("all of it");
  here.peer.end_output();
  here.end.on_data = [&](const_bytes data) { here.connection().write(data); };
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 9, eof, lost");
  CHECK(here.peer.receive_all() == "all of it");
  CHECK(here.peer.error() == 0);
}

TEST_CASE("E2 a connection kept open by eof_received is written to until it is closed") {
  const descriptor_balance balance;
  accepted here;
  here.keep_open();
  here.peer.end_output();
  CHECK(here.run_until_noted("eof"));
  CHECK(here.is_quiet());
  here.connection().write("still ");
  here.connection().write("here");
  CHECK(here.peer.receive(10) == "still here");
  here.connection().close();
  CHECK(here.run_until_closed());
  CHECK(here.peer.receive_all().empty());
  CHECK(here.end.trace() == "made, eof, lost");
}

TEST_CASE("E3 the end of our output is the last that the peer gets, and input goes on") {
  const descriptor_balance balance;
  accepted here;
  here.connection().write("last words");
  CHECK_FALSE(here.connection().write_eof());
  CHECK(here.peer.receive_all() == "last words");
  here.peer.send("answer");
  CHECK(here.run_until_received(6));
  here.peer.close();
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 6, eof, lost");  // E6: by itself
}

TEST_CASE("L13 a reset ends the connection behind the data that came before it") {
  const descriptor_balance balance;
  accepted here;
  here.peer.send("before the end");
  here.peer.reset();
  wait_for(here.native(), POLLERR);
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 14, " + connection_reset);
}

TEST_CASE("L13 a reset ends the connection behind more data than one read brings") {
  const descriptor_balance balance;
  accepted here;
  const std::string text = numbered(400'000);
  resize(here.native(), SO_RCVBUF, 1 << 20);
  here.peer.send(text);
  here.end.on_data = [&](const_bytes) {
    if (here.peer.get() < 0) return;
    int unsent = 1;
    while (unsent != 0) REQUIRE(::ioctl(here.peer.get(), TIOCOUTQ, &unsent) == 0);
    here.peer.reset();
    wait_for(here.native(), POLLERR);
  };
  CHECK(here.run_until_closed());
  CHECK((here.end.received() == text));
  CHECK(here.end.trace() == "made, data 400000, " + connection_reset);
}

TEST_CASE("R7 a reset is noticed at once while reading is paused") {
  const descriptor_balance balance;
  accepted here;
  here.connection().pause_reading();
  SUBCASE("with nothing to read") {}
  SUBCASE("with unread input") { here.peer.send("never read"); }
  SUBCASE("with unread input that was noticed") {
    here.peer.send("never read");
    here.settle();
  }
  here.peer.reset();
  CHECK(here.run_until_closed());
  CHECK(here.end.events() == lines{"made", connection_reset});
}

TEST_CASE("R7 a reset is noticed at once while output waits and reading is paused") {
  const descriptor_balance balance;
  accepted here;
  here.connection().pause_reading();
  here.connection().write(std::string(8'000'000, 'x'));
  CHECK(here.connection().get_write_buffer_size() > 0);
  here.peer.reset();
  CHECK(here.run_until_closed());
  CHECK(here.end.events() == lines{"made", "pause", connection_reset});
}

TEST_CASE("R7 a reset is noticed at once on a half-closed connection") {
  const descriptor_balance balance;
  accepted here;
  SUBCASE("whose input has ended") {
    here.keep_open();
    here.peer.end_output();
    CHECK(here.run_until_noted("eof"));
    here.peer.reset();
    CHECK(here.run_until_closed());
    CHECK(here.end.events() == lines{"made", "eof", lost_line(system_error(EPIPE))});  // as Linux calls a reset behind an end
  }
  SUBCASE("whose output has ended") {
    here.connection().write_eof();
    here.settle();
    here.peer.reset();
    CHECK(here.run_until_closed());
    CHECK(here.end.events() == lines{"made", connection_reset});
  }
  SUBCASE("whose output has ended, and which is paused") {
    here.connection().write_eof();
    here.connection().pause_reading();
    here.settle();
    here.peer.reset();
    CHECK(here.run_until_closed());
    CHECK(here.end.events() == lines{"made", connection_reset});
  }
}

TEST_CASE("R7 an end of input does not spin while reading is paused, and is delivered when it goes on") {
  const descriptor_balance balance;
  accepted here;
  here.connection().pause_reading();
  std::string trace = "made, eof, lost";
  SUBCASE("alone") {}
  SUBCASE("behind unread input") {
    here.peer.send("unread");
    trace = "made, data 6, eof, lost";
  }
  SUBCASE("behind unread input that was noticed") {
    here.peer.send("unread");
    here.settle();
    trace = "made, data 6, eof, lost";
  }
  here.peer.end_output();
  wait_for(here.native(), POLLRDHUP);
  CHECK(here.is_quiet());
  CHECK(here.end.events() == lines{"made"});
  here.connection().resume_reading();
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == trace);
}

TEST_CASE("E11 a connection that ended both ways while it is paused does not spin, and is resumed as any other") {
  const descriptor_balance balance;
  accepted here;
  here.connection().pause_reading();
  here.peer.send("unread");
  here.connection().write_eof();
  here.peer.end_output();
  wait_for(here.native(), POLLHUP);
  CHECK(here.is_quiet());
  CHECK(here.end.events() == lines{"made"});
  here.connection().resume_reading();
  here.connection().pause_reading();
  here.settle();
  CHECK(here.is_quiet());
  here.connection().resume_reading();
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 6, eof, lost");
}

TEST_CASE("E11 waiting to write does not spin on an end of input") {
  const descriptor_balance balance;
  accepted here;
  here.keep_open();
  here.end.on_pause = [] { return backpressure::handled; };
  here.connection().write(std::string(8'000'000, 'x'));
  here.peer.end_output();
  CHECK(here.run_until_noted("eof"));
  CHECK(here.connection().get_write_buffer_size() > 0);
  CHECK(here.is_quiet());
  here.connection().abort();
  CHECK(here.run_until_closed());
  CHECK(here.end.events() == lines{"made", "pause", "eof", aborted});
}

TEST_CASE("R10 with max_receive a pause in the first callback leaves the rest to the system") {
  accepted here({.max_receive = 1000});
  here.end.on_data = [&](const_bytes data) {
    CHECK(data.size() <= 1000);
    here.connection().pause_reading();
  };
  here.peer.send(std::string(5000, 'x'));
  CHECK(here.run_until_received(1000));
  here.settle();
  CHECK(here.connection().counters().bytes_received == 1000);
  here.end.on_data = [](const_bytes data) { CHECK(data.size() <= 1000); };
  here.connection().resume_reading();
  CHECK(here.run_until_received(5000));
  here.connection().close();
  CHECK(here.run_until_closed());
}

TEST_CASE("an urgent byte, which no protocol is told of, neither spins nor stops a connection") {
  const descriptor_balance balance;
  accepted here;
  std::string text = "before after";
  SUBCASE("while reading") {
    here.peer.send("before ");
    here.peer.send_urgent('!');
    wait_for(here.native(), POLLPRI);
    CHECK(here.run_until_received(7));
  }
  SUBCASE("while paused") {
    here.connection().pause_reading();
    here.settle();
    here.peer.send("before ");
    here.peer.send_urgent('!');
    wait_for(here.native(), POLLPRI);
  }
  SUBCASE("several, while paused") {
    here.connection().pause_reading();
    here.peer.send("before ");
    here.settle();
    for (int i = 0; i < 3; ++i) {
      here.peer.send_urgent('!');
      wait_for(here.native(), POLLPRI);
      CHECK(here.is_quiet());
    }
    text = "before !!after";  // the earlier ones are no longer urgent
  }
  CHECK(here.is_quiet());
  here.peer.send("after");
  here.connection().resume_reading();
  CHECK(here.run_until_received(text.size()));
  CHECK(here.end.received() == text);
  here.connection().pause_reading();
  here.settle();
  here.peer.reset();  // is still heard
  CHECK(here.run_until_closed());
  CHECK(here.end.lost_reason() == std::errc::connection_reset);
}

TEST_CASE("W7 a write to a peer that is gone drops what follows; what it had sent is read, then the error is told once") {
  const descriptor_balance balance;
  accepted here;
  here.peer.send("last words");
  here.peer.reset();
  wait_for(here.native(), POLLERR);
  CHECK(here.connection().write("into the void") == write_status::dropped);
  CHECK(here.connection().is_closing());
  CHECK(here.connection().write("again") == write_status::dropped);
  CHECK(here.end.events() == lines{"made"});
  CHECK(here.run_until_closed());
  CHECK(here.end.trace() == "made, data 10, " + connection_reset);
}

TEST_CASE("W7 a failed write ends a connection at once that is not reading") {
  const descriptor_balance balance;
  accepted here;
  std::string before = "made, ";
  SUBCASE("because it is paused") { here.connection().pause_reading(); }
  SUBCASE("because its input has ended") {
    here.keep_open();
    here.peer.end_output();
    CHECK(here.run_until_noted("eof"));
    before += "eof, ";
  }
  here.peer.reset();
  wait_for(here.native(), POLLERR);
  CHECK(here.connection().write("into the void") == write_status::dropped);
  CHECK(here.run_until_closed());
  CHECK(here.end.lost_reason() == condition::peer_gone);
  CHECK(here.end.trace() == before + lost_line(here.end.lost_reason()));
}

TEST_CASE("C6 the tail of the output reaches a peer whose own output was never read, if there is time to linger") {
  const descriptor_balance balance;
  for (const bool lingers : {true, false}) {
    CAPTURE(lingers);
    accepted here({.linger = lingers ? 1h : 0h});
    const std::string tail = numbered(1'000'000);
    resize(here.native(), SO_SNDBUF, 4'000'000);
    here.connection().pause_reading();
    here.peer.send("nobody reads this");
    wait_for(here.native(), POLLIN);
    here.connection().write(tail);
    CHECK(here.connection().get_write_buffer_size() == 0);
    here.connection().close();
    CHECK(here.run_until_lost());
    CHECK(here.end.events().back() == "lost");
    CHECK(here.scheduler.open_transports() == (lingers ? 1 : 0));
    const std::string received = here.peer.receive_all();
    CHECK((received == tail) == lingers);
    CHECK((here.peer.error() == 0) == lingers);
    here.peer.close();
    CHECK(here.run_until_closed());
  }
}

TEST_CASE("C6 lingering ends with its time, with a flood, and with a reset") {
  const descriptor_balance balance;
  SUBCASE("time") {
    accepted here({.linger = 20ms});
    here.connection().close();
    CHECK(here.run_until_lost());
    CHECK(here.run_until_closed());
    CHECK(here.peer.receive_all().empty());
  }
  SUBCASE("flood") {
    accepted here({.linger = 1h});
    here.connection().close();
    CHECK(here.run_until_lost());
    const std::string block(64 * 1024, 'x');
    std::size_t sent = 0;
    CHECK(run_until(here.scheduler, [&] {
      const ssize_t n = ::send(here.peer.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      sent += n > 0 ? static_cast<std::size_t>(n) : 0;
      return here.scheduler.open_transports() == 0;
    }));
    CHECK(sent >= 256 * 1024);
  }
  SUBCASE("reset") {
    accepted here({.linger = 1h});
    here.connection().close();
    CHECK(here.run_until_lost());
    here.peer.reset();
    CHECK(here.run_until_closed());
    CHECK(here.end.events() == lines{"made", "lost"});
  }
}

TEST_CASE("C5 reset is a reset for the peer, abort an end") {
  const descriptor_balance balance;
  for (const bool reset : {true, false}) {
    CAPTURE(reset);
    accepted here;
    reset ? here.connection().reset() : here.connection().abort();
    CHECK(here.run_until_closed());
    CHECK(here.peer.receive_all().empty());
    CHECK(here.peer.error() == (reset ? ECONNRESET : 0));
    CHECK(here.end.events() == lines{"made", aborted});
  }
}

TEST_CASE("C4 a close that the peer does not let through is cut off at its deadline") {
  const descriptor_balance balance;
  accepted here({.close_timeout = 20ms});
  here.connection().write(std::string(8'000'000, 'x'));
  here.connection().close();
  CHECK(here.run_until_closed());
  CHECK(here.end.events() == lines{"made", "pause", lost_line(errc::timed_out)});
}

TEST_CASE("F17 an echo holds back a client that sends without reading, and loses nothing") {
  const descriptor_balance balance;
  accepted here;
  here.end.on_data = [&](const_bytes data) { here.connection().write(data); };
  const std::string block = numbered(64 * 1024);
  std::string sent;
  const auto send_until_full = [&] {
    for (ssize_t n = 1; n > 0;) {
      n = ::send(here.peer.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) sent += block.substr(0, static_cast<std::size_t>(n));
    }
  };
  CHECK(run_until(here.scheduler, [&] {
    send_until_full();
    return here.end.count("pause") == 1;
  }));
  send_until_full();
  CHECK(here.is_quiet());
  CHECK(here.connection().get_write_buffer_size() < 512 * 1024);
  here.peer.end_output();
  std::string echoed;
  std::thread reader([&] { echoed = here.peer.receive_all(); });
  CHECK(here.run_until_closed());
  reader.join();
  CHECK((echoed == sent));
  CHECK_FALSE(here.end.lost_reason());
}

TEST_CASE("bulk goes both ways at once through small buffers and slow readers, byte for byte") {
  const descriptor_balance balance;
  recording_protocol one, other;
  loop scheduler;
  tcp::server server(scheduler, [&] { return borrow(other); });
  std::string texts[] = {numbered(3'000'000), numbered(2'500'000)};
  std::reverse(texts[1].begin(), texts[1].end());
  const auto set_up = [&](recording_protocol& end, const std::string& text) {
    end.on_made = [&](transport& made) {
      resize(made.info<native_descriptor>()->value, SO_RCVBUF, 32'000);
      resize(made.info<native_descriptor>()->value, SO_SNDBUF, 32'000);
      made.write(text);
      made.write_eof();
    };
    end.on_pause = [] { return backpressure::handled; };
    end.on_data = [&](const_bytes) {  // slow: takes a break after each piece
      if (end.received().size() % 3 != 0) return;
      end.connection()->pause_reading();
      scheduler.call_soon([&end, still = transport_ref(*end.connection())] {
        if (still) end.connection()->resume_reading();
      });
    };
  };
  set_up(one, texts[0]);
  set_up(other, texts[1]);
  const connecting attempt = tcp::connect(scheduler, server.listen(address::loopback_v4(0)), [&] { return borrow(one); });
  CHECK(run_until(scheduler, [&] { return one.is_lost() && other.is_lost(); }));
  CHECK((one.received() == texts[1]));
  CHECK((other.received() == texts[0]));
  CHECK_FALSE(one.lost_reason());
  CHECK_FALSE(other.lost_reason());
  server.close();
  scheduler.run();
}
