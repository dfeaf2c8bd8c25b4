#include <sluice/proxy_protocol/sender.hpp>

#include <string>

#include <doctest/doctest.h>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using namespace sluice::proxy_protocol;
using namespace std::string_literals;
using testing::recording_protocol;

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
