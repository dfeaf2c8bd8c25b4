#include <sluice/proxy_protocol/schemes.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <doctest/doctest.h>
#include <sluice/info.hpp>
#include <sluice/loop.hpp>
#include <sluice/proxy_protocol/error.hpp>
#include <sluice/proxy_protocol/header.hpp>
#include <sluice/schemes.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using testing::recording_protocol;

namespace {

struct site {
  explicit site(proxy_protocol::header_source source = {}) {
    proxy_protocol::add_options(table, std::move(source), [this](std::uint64_t, std::error_code error, std::string_view detail) {
      failure = error;
      text = detail;
    });
  }

  // What the server's protocol was told, after a client said "hello".
  std::string exchange(const std::string& listen_options, const std::string& connect_options) {
    const auto listening = table.listen(loop, "tcp://127.0.0.1:0" + listen_options, [this] { return borrow(server); });
    const std::string to = "tcp://127.0.0.1:" + std::to_string(listening->sockets().front().port());
    std::string told;
    server.on_data = [&](const_bytes) {
      const auto said = server.connection()->info<proxy_protocol::header>();
      told = said ? said->source.host() : "no header";
      server.connection()->close();
    };
    client.on_made = [](transport& made) { made.write("hello"); };
    client.on_lost = [&](std::error_code) { listening->close(); };
    const connecting attempt = table.connect(loop, to + connect_options, [this] { return borrow(client); }, {});
    loop.run();
    return told;
  }
  std::string refusal(const std::string& at) {
    try {
      table.listen(loop, at, [this] { return borrow(server); });
    } catch (const bad_endpoint& error) {
      return error.what();
    }
    return "nothing";
  }

  std::error_code failure;
  std::string text;
  recording_protocol server, client;
  sluice::loop loop;
  scheme_table table = transport_schemes();
};

}  // namespace

TEST_CASE("an option of the endpoint takes headers off, and one sends them") {
  for (const char* const format : {"v1", "v2"}) {
    site here;
    CHECK(here.exchange("?proxy_protocol=10.0.0.0/8,127.0.0.1", std::string("?send_proxy_protocol=") + format) == "127.0.0.1");
    CHECK(here.server.received() == "hello");
  }
}

TEST_CASE("a program that connects for others says for whom, or nothing where it connects for itself") {
  for (const char* const format : {"v1", "v2"}) {
    const std::string sends = std::string("?send_proxy_protocol=") + format;
    site others([](proxy_protocol::version asked) {
      proxy_protocol::header made;
      made.format = asked;
      made.carrier = proxy_protocol::carrier::stream;
      made.source = address::parse("192.0.2.1:8080");
      made.destination = address::parse("192.0.2.2:443");
      return std::optional(made);
    });
    CHECK(others.exchange("?proxy_protocol=127.0.0.1", sends) == "192.0.2.1");
    CHECK(others.server.received() == "hello");
    site itself([](proxy_protocol::version) { return std::optional<proxy_protocol::header>(); });
    CHECK(itself.exchange("?proxy_protocol=127.0.0.1", sends) == "127.0.0.1");
  }
}

TEST_CASE("a header that is too long is refused where the connection would begin") {
  std::string tlvs;
  REQUIRE_FALSE(write_tlv(tlvs, proxy_protocol::tlv_type::padding, as_bytes(std::string(65'000, 'p'))));
  REQUIRE_FALSE(write_tlv(tlvs, proxy_protocol::tlv_type::padding, as_bytes(std::string(1'000, 'p'))));
  site here([&tlvs](proxy_protocol::version) {
    proxy_protocol::header made;
    made.tlvs = proxy_protocol::tlv_list(as_bytes(tlvs));
    return std::optional(made);
  });
  std::error_code refused;
  try {
    here.table.connect(here.loop, "tcp://127.0.0.1:1?send_proxy_protocol=v2", [] { return protocol_ptr(); }).cancel();
  } catch (const std::system_error& error) {
    refused = error.code();
  }
  CHECK(refused == proxy_protocol::errc::header_too_long);
}

TEST_CASE("without the option nothing is put in, and from elsewhere nothing is believed") {
  CHECK(site().exchange("", "") == "no header");
  CHECK(site().exchange("?proxy_protocol=10.0.0.0/8&proxy_protocol_others=serve", "") == "no header");
  site refusing;
  CHECK(refusing.exchange("?proxy_protocol=10.0.0.0/8", "") == "");
  CHECK(refusing.server.events().empty());
  CHECK(refusing.failure == proxy_protocol::errc::untrusted_source);
  CHECK(refusing.text.starts_with("127.0.0.1:"));
}

TEST_CASE("a header that is refused is told to the program") {
  site here;
  CHECK(here.exchange("?proxy_protocol=127.0.0.1", "") == "");
  CHECK(here.failure == proxy_protocol::errc::no_header);
  CHECK(here.text.starts_with("127.0.0.1:"));
}

TEST_CASE("what is wrong with the options is said with its place") {
  site here;
  CHECK(here.refusal("tcp://127.0.0.1:0?proxy_protocol=10.0.0.1/8") ==
        "endpoint \"tcp://127.0.0.1:0?proxy_protocol=10.0.0.1/8\": \"10.0.0.1/8\" at 33 is not a value for proxy_protocol; "
        "expected networks of proxies such as 10.0.0.0/8,192.0.2.7, or unix, separated by commas");
  CHECK(here.refusal("tcp://127.0.0.1:0?proxy_protocol=").find("there is no value for proxy_protocol") != std::string::npos);
  CHECK(here.refusal("tcp://127.0.0.1:0?proxy_protocol_others=serve").find("no proxy is trusted") != std::string::npos);
  CHECK(here.refusal("tcp://127.0.0.1:0?proxy_protocol=unix&proxy=1").find("proxy") != std::string::npos);
}
