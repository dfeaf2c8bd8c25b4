#include <sluice/local.hpp>
#include <sluice/tcp.hpp>
#include <sluice/timer.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <string>

using namespace sluice;
using namespace std::chrono_literals;

namespace {

struct log {
  std::string text;
  loop* owner;
};

// Reads nothing and reports the end of input at once.
class paused final : public protocol {
 public:
  explicit paused(log& out) : log_(out) {}

 private:
  void connection_made(transport& transport) override {
    stream_options options;
    options.report_hangup_while_paused = true;
    transport.set_options(options);
    transport.pause_reading();
    transport_ = &transport;
    log_.text += "made;";
  }
  void data_received(const_bytes data) override { log_.text += std::string(as_text(data)) + ';'; }
  eof eof_received() override {
    log_.text += "eof;";
    return eof::close;
  }
  void connection_lost(std::error_code reason) override {
    log_.text += reason ? "lost with an error;" : "lost;";
    log_.owner->stop();
  }

  log& log_;
  transport* transport_ = nullptr;
};

// Says one thing, perhaps nothing, and hangs up.
class caller final : public protocol {
 public:
  explicit caller(std::string words) : words_(std::move(words)) {}

 private:
  void connection_made(transport& transport) override {
    transport.write(words_);
    transport.close();
  }
  void data_received(const_bytes) override {}

  std::string words_;
};

template <typename Server, typename Connect>
std::string what_a_paused_protocol_hears(const address& at, Connect connect, const std::string& words, bool resume) {
  loop loop;
  log heard{"", &loop};
  Server server(loop, [&] { return std::make_unique<paused>(heard); });
  const address bound = server.listen(at);
  connect(loop, bound, [&] { return std::make_unique<caller>(words); }, connect_handler{}, {}).detach();
  timer go_on(loop, [&] { loop.for_each_transport([](transport& each) { each.resume_reading(); }); });
  if (resume) go_on.start(200ms);  // not to wait for anything: it shows that nothing came before
  timer give_up(loop, [&] { loop.stop(); });
  give_up.start(10s);
  loop.run();
  return heard.text;
}

constexpr connecting (*connect_tcp)(loop&, const address&, protocol_factory, connect_handler, const tcp::options&) = tcp::connect;

}  // namespace

TEST_CASE("R7 with report_hangup_while_paused the peer's end is delivered during a pause, if nothing came before it") {
  const address tcp_address("127.0.0.1", 0);
  const address unix_address = address::unix_abstract("sluice hangup test " + std::to_string(::getpid()));
  CHECK(what_a_paused_protocol_hears<tcp::server>(tcp_address, connect_tcp, "", false) == "made;eof;lost;");
  CHECK(what_a_paused_protocol_hears<local::server>(unix_address, local::connect, "", false) == "made;eof;lost;");
}

TEST_CASE("R7 an end behind unread bytes waits for them, also with report_hangup_while_paused") {
  CHECK(what_a_paused_protocol_hears<tcp::server>(address("127.0.0.1", 0), connect_tcp, "bye", true) == "made;bye;eof;lost;");
}
