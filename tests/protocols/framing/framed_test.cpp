#include <sluice/framing/framed.hpp>

#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/framing/length_prefix.hpp>
#include <sluice/framing/line.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/handshaking_layer.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using framing::framed;
using framing::line_decoder;
using memory::side;
using testing::manual_scheduler;
using testing::recording_protocol;
using events = std::vector<std::string>;

namespace {

// Writes down its lines and what else it is told, and does with a line what the test wants.
class line_protocol final : public framed<line_decoder> {
 public:
  std::function<void(std::string_view)> on_line;
  std::function<void()> on_made;
  eof answer_to_end = eof::close;
  events log;

  using framed_base::pause_messages;
  using framed_base::resume_messages;
  using framed_base::take_unread;
  using framed_base::transport;

  void connection_made(sluice::transport& made) override {
    framed::connection_made(made);
    if (on_made) on_made();
  }
  void connection_lost(std::error_code reason) override { log.push_back(testing::lost_line(reason)); }
  void echo() {
    on_line = [this](std::string_view line) { answer(line); };
  }
  void answer(std::string_view line) {
    const const_bytes parts[] = {as_bytes(line), as_bytes("\n")};
    transport().writev(parts);
  }

 private:
  void message_received(const_bytes line) override {
    log.emplace_back(as_text(line));
    if (on_line) on_line(as_text(line));
  }
  void framing_failed(std::error_code error) override {
    log.push_back(std::string("failed ").append(describe(error)));
    framed::framing_failed(error);
  }
  eof messages_ended() override {
    log.emplace_back("end");
    return answer_to_end;
  }
};

struct fixture {
  explicit fixture(const memory::options& settings = {}) {
    scheduler.on_error([this](const error_event& event) { errors.emplace_back(event.what); });
    link.emplace(memory::pair(scheduler, borrow(client), borrow(server), settings));
    client.on_eof = [] { return eof::keep_open; };
  }
  ~fixture() {
    if (!client.is_lost()) link->first.abort();
    scheduler.run_until_idle();
  }

  void send(std::string_view text) {
    link->first.write(text);
    scheduler.run_until_idle();
  }
  void end_input() {
    link->first.write_eof();
    scheduler.run_until_idle();
  }

  recording_protocol client, next;
  line_protocol server;
  events errors;
  manual_scheduler scheduler;
  std::optional<memory::connection> link;
};

std::string numbered_lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text.append(std::to_string(i)).append("\n");
  return text;
}

}  // namespace

TEST_CASE("messages arrive whole and in order, however the bytes are cut") {
  fixture f;
  SUBCASE("in one piece") {}
  SUBCASE("byte by byte") { f.link->link.limit_receives(side::second, {1}); }
  SUBCASE("in odd pieces") { f.link->link.limit_receives(side::second, {3, 1, 5}); }
  f.send("one\ntwo\r\n\nfour\nrest");
  CHECK(f.server.log == events{"one", "two", "", "four"});
}

TEST_CASE("a message of many chunks is joined, and the next ones follow it") {
  fixture f;
  const std::string large(50'000, 'x');
  f.send(std::string(large).append("\nsmall\n"));
  CHECK(f.server.log == events{large, "small"});
}

TEST_CASE("L12 after close or abort in a message no further message is delivered") {
  fixture f;
  events expected = {"one", "lost"};
  SUBCASE("close") {
    f.server.on_line = [&](auto) { f.server.transport().close(); };
  }
  SUBCASE("abort") {
    f.server.on_line = [&](auto) { f.server.transport().abort(); };
    expected.back() = "lost sluice:1";
  }
  f.send("one\ntwo\nthree\n");
  CHECK(f.server.log == expected);
}

TEST_CASE("L13 messages that came before a failed write was noticed are delivered") {
  fixture f;
  f.server.on_line = [&](auto) {
    f.server.transport().write("answer");
    f.server.transport().flush();
  };
  f.link->link.fail_sends(side::second, system_error(EPIPE));
  f.link->first.write("one\ntwo\nthree\n");
  f.end_input();
  CHECK(f.server.log == events{"one", "two", "three", "lost uv:32"});
}

TEST_CASE("R4 messages that were received already are held by pause_messages and come first") {
  fixture f;
  f.server.on_line = [&](auto line) {
    if (line == "two") f.server.pause_messages();
  };
  f.send("one\ntwo\nthree\nfo");
  f.send("ur\nfive\n");
  CHECK(f.server.log == events{"one", "two"});
  CHECK(!f.server.transport().is_reading());
  f.server.resume_messages();
  CHECK(f.server.log.size() == 2);
  f.scheduler.run_until_idle();
  CHECK(f.server.log == events{"one", "two", "three", "four", "five"});
}

TEST_CASE("R5 a pause that ends inside the same message changes nothing") {
  fixture f;
  int depth = 0;
  f.server.on_line = [&](auto) {
    CHECK(++depth == 1);
    f.server.pause_messages();
    f.server.pause_messages();
    f.server.resume_messages();
    --depth;
  };
  f.send("one\ntwo\n");
  f.send("three\n");
  CHECK(f.server.log == events{"one", "two", "three"});
}

TEST_CASE("a pause at each message delivers one message per resume") {
  fixture f;
  f.server.on_line = [&](auto) { f.server.pause_messages(); };
  f.send(numbered_lines(5));
  for (std::size_t seen = 1; seen < 5; ++seen) {
    CHECK(f.server.log.size() == seen);
    f.server.resume_messages();
    f.scheduler.run_until_idle();
  }
  CHECK(f.server.log == events{"0", "1", "2", "3", "4"});
}

TEST_CASE("R3 pause_messages in connection_made is honoured") {
  recording_protocol client;
  line_protocol server;
  manual_scheduler scheduler;
  server.on_made = [&] { server.pause_messages(); };
  auto made = memory::pair(scheduler, borrow(client), borrow(server));
  made.first.write("one\n");
  scheduler.run_until_idle();
  CHECK(server.log.empty());
  server.resume_messages();
  scheduler.run_until_idle();
  CHECK(server.log == events{"one"});
  made.first.abort();
  scheduler.run_until_idle();
}

TEST_CASE("F17 a peer that pipelines and does not read is held inside one chunk, and gets every answer once it reads") {
  fixture f({.capacity = 4096, .window = 2048});
  f.server.on_line = [&](std::string_view line) { f.server.answer(std::string(1000, 'a').append(line)); };
  f.server.transport().set_write_buffer_limits({.high = 8000, .low = 2000});
  f.link->first.pause_reading();
  f.send(numbered_lines(300));
  CHECK(f.server.log.size() < 40);
  CHECK(f.server.transport().get_write_buffer_size() < 40'000);
  f.link->first.resume_reading();
  f.scheduler.run_until_idle();
  CHECK(f.server.log.size() == 300);
  CHECK(f.client.received().size() == 300 * 1001 + numbered_lines(300).size() - 300);
}

TEST_CASE("an end of input waits until the messages that were held have been answered") {
  fixture f({.capacity = 4096, .window = 2048});
  f.server.on_line = [&](std::string_view line) { f.server.answer(std::string(1000, 'a').append(line)); };
  f.server.transport().set_write_buffer_limits({.high = 3000, .low = 1000});
  f.link->first.pause_reading();
  f.send(numbered_lines(50));
  f.end_input();
  CHECK(f.server.log.size() < 20);
  f.link->first.resume_reading();
  f.scheduler.run_until_idle();
  REQUIRE(f.server.log.size() == 52);
  CHECK(f.server.log[50] == "end");
  CHECK(f.server.log[51] == "lost");
  CHECK(f.client.received().size() == 50 * 1001 + numbered_lines(50).size() - 50);
}

TEST_CASE("V2 a switch takes the rest along: the next protocol gets it before later bytes, and no further message is delivered") {
  fixture f;
  f.server.on_line = [&](std::string_view line) {
    if (line != "switch") return;
    const auto rest = f.server.take_unread();
    CHECK(line == "switch");
    CHECK(!f.server.transport().set_protocol(borrow(f.next), rest));
  };
  SUBCASE("in one piece") { f.send("one\nswitch\nraw\nbytes"); }
  SUBCASE("in pieces") {
    f.link->link.limit_receives(side::second, {4});
    f.send("one\nswitch\nraw\nbytes");
  }
  SUBCASE("after a pause") {
    f.server.on_made = nullptr;
    f.server.pause_messages();
    f.send("one\nswitch\nraw");
    f.server.resume_messages();
    f.link->first.write("\nbytes");
    f.scheduler.run_until_idle();
  }
  f.send("later");
  CHECK(f.server.log == events{"one", "switch"});
  CHECK(f.next.received() == "raw\nbyteslater");
}

TEST_CASE("V5 a layer that is put below gets the bytes of its handshake from the rest") {
  fixture f;
  f.server.on_line = [&](auto) {
    auto layer = std::make_unique<testing::handshaking_layer>(f.scheduler);
    CHECK(!f.server.transport().upgrade(std::move(layer), borrow(f.next), f.server.take_unread()));
  };
  f.send("STARTTLS\nhello\nsecret");
  CHECK(f.next.received() == "secret");
  CHECK(f.server.log == events{"STARTTLS"});
}

TEST_CASE("bytes that break the rules are reported once, earlier answers arrive, and the connection closes") {
  fixture f;
  f.server.echo();
  f.send(std::string("one\n").append(70'000, 'x').append("\nthree\n"));
  f.send("four\n");
  CHECK(f.server.log == events{"one", "failed sluice:15 a message exceeds its size limit", "lost"});
  CHECK(f.client.received() == "one\n");
}

TEST_CASE("an end of input inside a message is truncated, one behind a message is an end") {
  fixture f;
  SUBCASE("inside") {
    f.send("one\ntw");
    f.end_input();
    CHECK(f.server.log == events{"one", "failed sluice:5 the peer ended without the end that its protocol requires", "lost"});
  }
  SUBCASE("behind") {
    f.send("one\n");
    f.end_input();
    CHECK(f.server.log == events{"one", "end", "lost"});
  }
  SUBCASE("behind, and kept open") {
    f.server.answer_to_end = eof::keep_open;
    f.send("one\n");
    f.end_input();
    CHECK(f.server.log == events{"one", "end"});
    f.server.answer("late");
    f.scheduler.run_until_idle();
    CHECK(f.client.received() == "late\n");
  }
}

TEST_CASE("X1 an exception of a message aborts the connection and is reported") {
  fixture f;
  f.server.on_line = [&](std::string_view line) {
    if (line == "throw") throw std::runtime_error("test");
    if (line == "pause") f.server.pause_messages();
  };
  SUBCASE("from a chunk") {
    f.send("one\nthrow\ntwo\n");
    CHECK(f.server.log == events{"one", "throw", "lost sluice:3"});
  }
  SUBCASE("from what a pause kept") {
    f.send("pause\nthrow\ntwo\n");
    f.server.resume_messages();
    f.scheduler.run_until_idle();
    CHECK(f.server.log == events{"pause", "throw", "lost sluice:1"});
  }
  CHECK(f.errors.size() == 1);
}

TEST_CASE("a resume is forgotten when the connection ends first") {
  fixture f;
  f.server.on_line = [&](auto) { f.server.pause_messages(); };
  f.send("one\ntwo\n");
  f.server.resume_messages();
  SUBCASE("closed") { f.server.transport().close(); }
  SUBCASE("aborted") { f.server.transport().abort(); }
  f.scheduler.run_until_idle();
  CHECK(f.server.log.size() == 2);
  CHECK(f.server.log[0] == "one");
}

TEST_CASE("a resume is forgotten when the protocol is destroyed first") {
  recording_protocol client, next;
  manual_scheduler scheduler;
  auto owned = std::make_unique<line_protocol>();
  auto& server = *owned;
  auto made = memory::pair(scheduler, borrow(client), std::move(owned));
  int lines = 0;
  server.on_line = [&](auto) {
    if (++lines == 1) server.pause_messages();
  };
  made.first.write("one\ntwo\n");
  scheduler.run_until_idle();
  made.second.set_protocol(borrow(next));
  server.resume_messages();
  scheduler.run_until_idle();
  made.first.write("three\n");
  scheduler.run_until_idle();
  CHECK(lines <= 2);
  CHECK(next.received() == "three\n");
  made.first.abort();
  scheduler.run_until_idle();
}

TEST_CASE("an override of connection_made that forgets the one it overrides is told so") {
  struct forgetful final : framed<line_decoder> {
    void connection_made(sluice::transport&) override {}
    void message_received(const_bytes) override {}
  };
  recording_protocol client;
  std::string what;
  manual_scheduler scheduler;
  scheduler.on_error([&](const error_event& event) {
    try {
      std::rethrow_exception(event.exception);
    } catch (const std::logic_error& error) {
      what = error.what();
    }
  });
  auto made = memory::pair(scheduler, borrow(client), std::make_unique<forgetful>());
  made.first.write("x\n");
  scheduler.run_until_idle();
  CHECK(what == "framed: an override of connection_made must call framed::connection_made");
}

TEST_CASE("messages cost no allocation in the steady state, whole, in pieces or held") {
  struct echo final : framed<line_decoder> {
    void message_received(const_bytes line) override {
      const const_bytes parts[] = {line, as_bytes("\n")};
      transport().writev(parts);
    }
  };
  struct counting final : protocol {
    std::size_t bytes = 0;
    void data_received(const_bytes data) override { bytes += data.size(); }
  };
  if (!testing::allocation_counter::available()) return;
  counting client;
  manual_scheduler scheduler;
  auto made = memory::pair(scheduler, borrow(client), std::make_unique<echo>(), {.capacity = 4096});
  made.second.set_write_buffer_limits({.high = 4096, .low = 1024});
  std::string lines;
  while (lines.size() < 20'000) lines.append(lines.size() % 300, 'x').append("\n");
  const auto round = [&] {
    made.first.write(lines);
    scheduler.run_until_idle();
  };
  round();
  round();
  const testing::allocation_counter counter;
  for (int i = 0; i < 20; ++i) round();
  CHECK(counter.counts().allocations == 0);
  CHECK(client.bytes == 22 * lines.size());
  made.first.abort();
  scheduler.run_until_idle();
}

TEST_CASE("SL7 a protocol needs every byte if its messages are no text") {
  class frames final : public framed<framing::length_prefix_decoder> {
    void message_received(const_bytes) override {}
  };
  CHECK(frames().needs_every_byte());
  CHECK_FALSE(line_protocol().needs_every_byte());
}
