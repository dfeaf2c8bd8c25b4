#include <sluice/proxy_protocol/sender.hpp>

#include <string>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using namespace sluice::proxy_protocol;
using namespace std::string_literals;
using testing::recording_protocol;

namespace {

// A connection that is open, and a sender that is about to be put on it.
struct site {
  site() : made(memory::pair(scheduler, borrow(plain), borrow(server))) {
    scheduler.on_error([this](const error_event&) { ++reports; });
  }
  ~site() {
    scheduler.for_each_transport([](transport& open) { open.abort(); });
    scheduler.run_until_idle();
  }
  void put_sender() { made.first.upgrade(std::make_unique<sender>(scheduler, protocol_ptr(), version::v2), borrow(client)); }

  recording_protocol plain, client, server;
  testing::manual_scheduler scheduler;
  memory::connection made;
  int reports = 0;
};

}  // namespace

TEST_CASE("the header goes before the first byte of the protocol, in one send with it") {
  recording_protocol client, server;
  testing::manual_scheduler scheduler;
  client.on_made = [](transport& made) { made.write("hello"); };
  const auto made = memory::pair(scheduler, std::make_unique<sender>(scheduler, borrow(client), "PROXY UNKNOWN\r\n"s), borrow(server));
  scheduler.run_until_idle();
  CHECK(server.events() == std::vector<std::string>{"made", "data 20"});
  CHECK(server.received() == "PROXY UNKNOWN\r\nhello");
  made.second.write("answer");
  scheduler.run_until_idle();
  CHECK(client.received() == "answer");
  made.second.close();
  scheduler.run_until_idle();
  CHECK(client.trace() == "made, data 6, eof, lost");
}

TEST_CASE("without a header of its own it sends the addresses of the connection, this end being the source") {
  recording_protocol client, server;
  sluice::loop loop;
  tcp::server listening(loop, [&] { return borrow(server); });
  const address at = listening.listen({"127.0.0.1", 0});
  std::string own;
  client.on_made = [&](transport& made) {
    own = std::to_string(made.info<local_address>()->value.port());
    made.close();
  };
  server.on_lost = [&](std::error_code) { listening.close(); };
  const connecting attempt = tcp::connect(loop, at,
                                          wrap<sender>(
                                              loop, [&] { return borrow(client); }, version::v1));
  loop.run();
  CHECK(server.received() == "PROXY TCP4 127.0.0.1 127.0.0.1 " + own + " " + std::to_string(at.port()) + "\r\n");
}

TEST_CASE("a connection without addresses is of an unspecified kind") {
  recording_protocol client, server;
  testing::manual_scheduler scheduler;
  const auto made = memory::pair(scheduler, std::make_unique<sender>(scheduler, borrow(client), version::v1), borrow(server));
  scheduler.run_until_idle();
  CHECK(server.received() == "PROXY UNKNOWN\r\n");
  made.first.abort();
  scheduler.run_until_idle();
}

TEST_CASE("a header that there is no memory for ends the connection with that, and the protocol above is not made") {
  site here;
  here.put_sender();
  {
    const testing::allocation_failure failure(0);  // the header's bytes are the first that need memory
    here.scheduler.run_until_idle();
    CHECK(failure.struck());
  }
  CHECK(here.plain.trace() == "made, " + testing::lost_line(make_error_code(std::errc::not_enough_memory)));
  CHECK(here.client.events().empty());
  CHECK(here.server.received().empty());
  CHECK(here.server.is_lost());
  CHECK(here.scheduler.open_transports() == 0);
  CHECK(here.reports == 0);
}

TEST_CASE("a header that cannot be sent any more is the end of the connection for the protocol above, which is made by then") {
  site here;
  here.made.link.fail_sends(memory::side::first, make_error_code(std::errc::connection_reset));
  here.put_sender();
  here.made.second.abort();
  here.scheduler.run_until_idle();
  CHECK(here.plain.trace() == "made");
  CHECK(here.client.trace() == "made, " + testing::lost_line(make_error_code(std::errc::connection_reset)));
  CHECK(here.server.received().empty());
}

TEST_CASE("V4 on a connection that is closing no header is sent, and the protocol above is made for its end") {
  site here;
  here.made.first.close();
  here.put_sender();
  here.scheduler.run_until_idle();
  CHECK(here.plain.trace() == "made");
  CHECK(here.client.trace() == "made, lost");
  CHECK(here.server.received().empty());
  CHECK(here.reports == 0);
}
