#include <sluice/proxy_protocol/receiver.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/proxy_protocol/error.hpp>
#include <sluice/proxy_protocol/sender.hpp>
#include <sluice/tcp.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "rendered.hpp"

using namespace sluice;
using namespace sluice::proxy_protocol;
using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::recording_protocol;

namespace {

const std::string line = "PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\n";

// A server behind a proxy at one end of a link in memory; the test is the proxy.
struct site {
  site() {
    options.trust_without_ip = true;
    options.on_failure = [this](std::uint64_t, std::error_code error, std::string_view detail) {
      failures.push_back(error);
      text = detail;
    };
  }
  ~site() {
    scheduler.for_each_transport([](transport& open) { open.abort(); }), scheduler.advance(2min);
  }

  void begin() {
    const auto factory = receive(
        scheduler, [this] { return borrow(server); }, options);
    made.emplace(memory::pair(scheduler, factory(), borrow(proxy), link));
  }
  void say(std::string_view bytes) {
    made->second.write(bytes);
    scheduler.run_until_idle();
  }

  receiver_options options;
  memory::options link;
  std::vector<std::error_code> failures;
  std::string text;
  recording_protocol server, proxy;
  testing::manual_scheduler scheduler;
  std::optional<memory::connection> made;
};

std::string told(const transport& from) {
  const auto said = from.info<header>();
  return said ? header_renderer()(*said) : "nothing";
}

}  // namespace

TEST_CASE("the protocol hears of the connection when the header is there, and gets what follows it") {
  site here;
  here.begin();
  here.scheduler.run_until_idle();
  CHECK(here.server.events().empty());
  here.say(line + "hello");
  CHECK(here.server.trace() == "made, data 5");
  CHECK(here.server.received() == "hello");
  here.say(" again");
  CHECK(here.server.received() == "hello again");
  here.server.connection()->write("answer");
  here.scheduler.run_until_idle();
  CHECK(here.proxy.received() == "answer");
  CHECK(here.failures.empty());
  CHECK(here.scheduler.next_timer() == time_point::max());
}

TEST_CASE("a header that comes byte by byte is the same header, and nothing of the stream is lost") {
  for (const std::size_t most : {1U, 2U, 7U, 16U, 40U}) {
    CAPTURE(most);
    site here;
    here.link.max_receive = most;
    here.begin();
    here.say(line + "PROXY is no header here");
    CHECK(here.server.received() == "PROXY is no header here");
    CHECK(told(*here.server.connection()) == "v1 192.0.2.1:8080 to 10.0.0.2:443");
  }
}

TEST_CASE("I1 I3 the addresses are the client's, and the header says the rest until the transport is gone") {
  site here;
  std::string tlvs;
  CHECK(!write_tlv(tlvs, tlv_type::authority, as_bytes("example.org"s)));
  header sent;
  sent.carrier = carrier::stream;
  sent.source = {"2001:db8::1", 8080};
  sent.destination = {"2001:db8::2", 443};
  sent.tlvs = tlv_list(as_bytes(tlvs));
  std::string bytes;
  CHECK(!write_header(bytes, sent, {.checksum = true}));
  here.begin();
  here.say(bytes);
  const transport& made = *here.server.connection();
  CHECK(made.info<peer_address>()->value == sent.source);
  CHECK(made.info<local_address>()->value == sent.destination);
  CHECK(as_text(*made.info<header>()->tlvs.find(tlv_type::authority)) == "example.org");
  CHECK(!made.info<proxy_address>());  // a link in memory has none
  CHECK(made.info<transport_kind>()->value == "memory");
  std::string at_end;
  here.server.on_lost = [&](std::error_code) { at_end = here.server.connection()->info<peer_address>()->value.to_string(); };
  here.proxy.connection()->abort();
  here.scheduler.run_until_idle();
  CHECK(at_end == "[2001:db8::1]:8080");
}

TEST_CASE("a proxy that speaks for itself, or that names nobody, leaves the connection its own addresses") {
  for (const std::string& each : {"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"s, "PROXY UNKNOWN\r\n"s}) {
    site here;
    here.begin();
    here.say(each + "well?");
    CHECK(here.server.received() == "well?");
    CHECK(here.server.connection()->info<header>());
    CHECK(!here.server.connection()->info<peer_address>());
  }
}

TEST_CASE("what is no header ends the connection, and the program hears why") {
  site here;
  here.begin();
  here.say("GET / HTTP/1.1\r\n\r\n");
  CHECK(here.server.events().empty());
  CHECK(here.proxy.is_lost());
  CHECK(here.failures == std::vector<std::error_code>{proxy_protocol::errc::no_header});
  CHECK(here.text == make_error_code(proxy_protocol::errc::no_header).message());
  CHECK(here.scheduler.open_transports() == 0);
}

TEST_CASE("T1 a header that does not come in time ends the connection") {
  site here;
  here.options.timeout = 3s;
  here.begin();
  here.say("PROXY TCP4 ");
  here.scheduler.advance(2999ms);
  CHECK(!here.proxy.is_lost());
  here.scheduler.advance(1ms);
  CHECK(here.proxy.is_lost());
  CHECK(here.server.events().empty());
  CHECK(here.failures == std::vector<std::error_code>{sluice::errc::timed_out});
  CHECK(here.text == "the PROXY header did not come within 3000 ms");
}

TEST_CASE("a connection that ends or breaks before its header makes no connection above") {
  site here;
  here.begin();
  here.say("PROXY");
  SUBCASE("it ends") {
    here.proxy.connection()->close();
    here.scheduler.run_until_idle();
    CHECK(here.failures == std::vector<std::error_code>{proxy_protocol::errc::header_cut});
  }
  SUBCASE("it breaks") {
    here.made->link.reset();
    here.scheduler.run_until_idle();
    CHECK(here.failures.size() == 1);
    CHECK(here.failures[0] == condition::peer_gone);
  }
  CHECK(here.server.events().empty());
  CHECK(here.scheduler.open_transports() == 0);
}

TEST_CASE("R3 a protocol that pauses when it is made gets what follows the header when it resumes") {
  site here;
  here.server.on_made = [](transport& made) { made.pause_reading(); };
  here.begin();
  here.say(line + "hello");
  CHECK(here.server.trace() == "made");
  here.server.connection()->resume_reading();
  here.scheduler.run_until_idle();
  CHECK(here.server.received() == "hello");
}

TEST_CASE("E1 an end of input behind the header is the protocol's") {
  site here;
  here.begin();
  here.say(line);
  here.proxy.connection()->write_eof();
  here.scheduler.run_until_idle();
  CHECK(here.server.trace() == "made, eof, lost");
}

TEST_CASE("connections from elsewhere are refused or served, and their bytes are never taken for a header") {
  for (const bool serve : {false, true}) {
    CAPTURE(serve);
    recording_protocol server, client;
    std::vector<std::error_code> failures;
    sluice::loop loop;
    receiver_options options;
    options.trusted = {network::parse("10.0.0.0/8"), network::parse("2001:db8::/32")};
    options.others = serve ? others::serve : others::refuse;
    options.on_failure = [&](std::uint64_t, std::error_code error, std::string_view) { failures.push_back(error); };
    tcp::server listening(loop, receive(
                                    loop, [&] { return borrow(server); }, options));
    const address at = listening.listen({"127.0.0.1", 0});
    client.on_made = [&](transport& made) { made.write(line), made.write_eof(); };
    client.on_lost = [&](std::error_code) { listening.close(); };
    const connecting attempt = tcp::connect(loop, at, [&] { return borrow(client); });
    loop.run();
    CHECK(server.received() == (serve ? line : ""));
    CHECK(failures == (serve ? std::vector<std::error_code>{} : std::vector<std::error_code>{proxy_protocol::errc::untrusted_source}));
  }
}

TEST_CASE("over TCP the proxy is known by its own address, and the client by the header that the other layer sent") {
  recording_protocol server, client;
  std::string peer, proxy, local, kind;
  sluice::loop loop;
  tcp::server listening(loop, receive(loop, [&] { return borrow(server); }, {.trusted = {network::parse("127.0.0.1")}}));
  const address at = listening.listen({"127.0.0.1", 0});
  std::string bytes;
  header sent;
  sent.carrier = carrier::stream;
  sent.source = {"192.0.2.1", 8080};
  sent.destination = {"10.0.0.2", 443};
  CHECK(!write_header(bytes, sent));
  server.on_data = [&](const_bytes) {
    transport& made = *server.connection();
    peer = made.info<peer_address>()->value.to_string();
    local = made.info<local_address>()->value.to_string();
    proxy = made.info<proxy_address>()->value.host();
    const header onward = header_of_client(made);
    CHECK(onward.source == sent.source);
    CHECK(onward.destination == sent.destination);
    made.close();
  };
  client.on_made = [](transport& made) { made.write("hello"); };
  client.on_lost = [&](std::error_code) { listening.close(); };
  const connecting attempt = tcp::connect(loop, at,
                                          wrap<sender>(
                                              loop, [&] { return borrow(client); }, bytes));
  loop.run();
  CHECK(server.received() == "hello");
  CHECK(peer == "192.0.2.1:8080");
  CHECK(local == "10.0.0.2:443");
  CHECK(proxy == "127.0.0.1");
}

TEST_CASE("options that make no sense are refused") {
  testing::manual_scheduler scheduler;
  const auto refused = [&](receiver_options options) {
    CHECK_THROWS_AS(receive(scheduler, {}, std::move(options)), std::invalid_argument);
  };
  refused({});
  refused({.trust_without_ip = true, .timeout = 0s});
  refused({.trust_without_ip = true, .limits = {.max_size = 100}});
}

TEST_CASE("nothing is allocated for what passes behind the header") {
  if (!testing::allocation_counter::available()) return;
  struct counting final : protocol {
    std::size_t bytes = 0;
    void data_received(const_bytes data) override { bytes += data.size(); }
  };
  counting server;
  recording_protocol proxy;
  testing::manual_scheduler scheduler;
  const auto factory = receive(scheduler, [&] { return borrow(server); }, {.trust_without_ip = true});
  const auto made = memory::pair(scheduler, factory(), borrow(proxy));
  const std::string message(1024, 'm');
  const auto pass = [&](int times) {
    const testing::allocation_counter counter;
    for (int i = 0; i < times; ++i) {
      made.second.write(message);
      scheduler.run_until_idle();
    }
    return counter.counts().allocations;
  };
  made.second.write(line);
  pass(10);
  CHECK(pass(100) == 0);
  CHECK(server.bytes == 110 * message.size());
  made.first.abort();
  scheduler.run_until_idle();
}
