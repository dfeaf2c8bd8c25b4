#include <sluice/stream_transport.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

// What a channel may do and none of ours does: report input that nobody wants, take its time to say goodbye and to give its handle back, send
// by itself what was queued.

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::lost_line;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_buffered_protocol;
using sluice::testing::recording_protocol;
using state = connection_machine::state;

namespace {

class channel_by_hand final : public stream_transport {
 public:
  explicit channel_by_hand(sluice::scheduler& owner) : stream_transport(owner) {}

  using stream_transport::closed;
  using stream_transport::failed;
  using stream_transport::output_drained;
  using stream_transport::ready_to_send;
  using stream_transport::receive_buffer;
  using stream_transport::received;
  using stream_transport::received_eof;
  using stream_transport::released;

  // As a channel that reads into the engine's memory.
  void read(std::string_view text) {
    const mutable_bytes room = receive_buffer();
    REQUIRE(room.size() >= text.size());
    std::memcpy(room.data(), text.data(), text.size());
    received(text.size());
  }

  std::error_code send_error;
  std::size_t takes = 0;  // bytes that `send` takes
  std::string sent;
  std::string waiting;  // what `send_later` showed
  int asked = 0;        // calls of it
  std::vector<close_kind> goodbyes;
  progress goodbye = progress::done;
  progress handle = progress::done;
  bool keeps_descriptor = false;

 private:
  void start_reading() override {}
  void stop_reading() override {}
  send_result send(std::span<const const_bytes> parts) override {
    if (send_error) return send_error;
    std::size_t taken = 0;
    for (const const_bytes part : parts) {
      const std::string_view text = as_text(part.first(std::min(part.size(), takes)));
      sent += text;
      takes -= text.size();
      taken += text.size();
    }
    return taken;
  }
  void send_later(std::span<const const_bytes> newly_queued) override {
    ++asked;
    for (const const_bytes part : newly_queued) waiting += as_text(part);
  }
  progress begin_close(close_kind kind) override {
    goodbyes.push_back(kind);
    return goodbye;
  }
  progress release() override { return handle; }
  bool lingers() const override { return keeps_descriptor; }
};

template <typename Recorder>
struct bench {
  bench() { static_cast<void>(stream_transport::start(std::move(made), borrow(upper))); }

  Recorder upper;
  manual_scheduler scheduler;
  std::unique_ptr<channel_by_hand> made = std::make_unique<channel_by_hand>(scheduler);
  channel_by_hand& channel = *made;
};

template <typename Recorder>
void keeps_unwanted_input() {
  bench<Recorder> one;
  one.channel.read("first ");
  one.channel.pause_reading();
  one.channel.read("second ");
  one.channel.received(as_bytes("third "));
  one.channel.received_eof();
  one.scheduler.run_until_idle();
  CHECK(one.upper.trace() == "made, data 6");
  one.channel.resume_reading();
  one.channel.received(as_bytes("fourth"));
  one.scheduler.run_until_idle();
  CHECK(one.upper.received() == "first second third fourth");
  CHECK(one.upper.trace() == "made, data 25, eof, lost");
  CHECK(one.upper.count("eof") == 1);
}

// More than one turn delivers.
template <typename Recorder>
void keeps_much_input() {
  bench<Recorder> one;
  std::string text(300'000, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  one.channel.pause_reading();
  one.channel.received(as_bytes(text));
  one.channel.resume_reading();
  CHECK(one.scheduler.run_until_idle() >= 3);
  CHECK(one.upper.received() == text);
  one.channel.abort();
  one.scheduler.run_until_idle();
}

}  // namespace

TEST_CASE("R4 input that a channel reports although reading is held is kept, and comes in order when it goes on") {
  keeps_unwanted_input<recording_protocol>();
  keeps_unwanted_input<recording_buffered_protocol>();
}

TEST_CASE("R10 more held input than 128 KiB is delivered in several turns") {
  keeps_much_input<recording_protocol>();
  keeps_much_input<recording_buffered_protocol>();
}

TEST_CASE("R10 no read brings more than max_receive") {
  bench<recording_protocol> one;
  const auto room = [&one] { return one.channel.receive_buffer().size(); };
  const std::size_t whole = room();
  stream_options settings = one.channel.options();
  settings.max_receive = 1000;
  CHECK_FALSE(one.channel.set_options(settings));
  CHECK(room() == 1000);
  one.channel.read(std::string(1000, 'x'));
  settings.max_receive = 0;
  CHECK_FALSE(one.channel.set_options(settings));
  CHECK(room() == whole);
  one.channel.read("more");
  CHECK(one.upper.received() == std::string(1000, 'x').append("more"));
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("the counters of a transport say what passed through it") {
  bench<recording_protocol> one;
  one.channel.read("five!");
  one.channel.received(as_bytes("seven!!"));
  CHECK(one.channel.counters().bytes_received == 12);
  CHECK(one.channel.counters().receives == 2);
  one.channel.takes = 3;
  one.channel.write("ten bytes.");
  CHECK(one.channel.counters().bytes_sent == 3);
  CHECK(one.channel.counters().sends == 1);
  one.channel.output_drained(7);
  CHECK(one.channel.counters().bytes_sent == 10);
  CHECK(one.channel.counters().sends == 2);
  one.channel.takes = 4;
  {
    const auto turn = one.scheduler.cork();
    one.channel.write("six...");
  }
  CHECK(one.channel.counters().bytes_sent == 14);
  CHECK(one.channel.counters().sends == 3);
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("what a channel sends by itself is shown to it once, in order, and drains as it says") {
  bench<recording_protocol> one;
  one.upper.on_pause = [] { return backpressure::handled; };
  one.channel.set_write_buffer_limits({.high = 10, .low = 4});
  one.channel.takes = 2;
  CHECK(one.channel.write("abcdef") == write_status::accepted);
  CHECK(one.channel.write(std::string(40'000, 'g')) == write_status::above_high_mark);
  CHECK(one.channel.sent == "ab");
  CHECK(one.channel.waiting == "cdef" + std::string(40'000, 'g'));
  one.channel.output_drained(39'999);
  CHECK(one.channel.get_write_buffer_size() == 5);
  CHECK(one.upper.trace() == "made, pause");
  one.channel.output_drained(1);
  CHECK(one.upper.trace() == "made, pause, resume");
  one.channel.close();
  CHECK(one.channel.goodbyes.empty());
  one.channel.output_drained(100);  // more than there is
  CHECK(one.channel.goodbyes == std::vector{close_kind::graceful});
  one.scheduler.run_until_idle();
  CHECK(one.upper.trace() == "made, pause, resume, lost");
}

TEST_CASE("R10 no more than 256 KiB leave in one turn, and the rest is asked for again") {
  bench<recording_protocol> one;
  const std::string text(1'000'000, 'x');
  one.channel.write(text);
  CHECK(one.channel.asked > 0);
  one.channel.takes = text.size();
  one.channel.ready_to_send();
  CHECK(one.channel.sent.size() >= 256 * 1024);
  CHECK(one.channel.sent.size() < 600 * 1024);
  for (int turns = 0; one.channel.sent.size() != text.size(); ++turns) {
    REQUIRE(turns < 4);
    one.channel.asked = 0;
    one.channel.ready_to_send();
    CHECK(one.channel.asked == (one.channel.get_write_buffer_size() == 0 ? 0 : 1));
  }
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("V6 an upgrade without a layer, and a switch to no protocol, are misuse and change nothing") {
  recording_protocol next;
  bench<recording_protocol> one;
  std::vector<std::string> reports;
  one.scheduler.on_error([&](const error_event& event) { reports.push_back(describe(event)); });
  CHECK(one.channel.upgrade(nullptr, borrow(next)) == errc::misuse);
  CHECK(one.channel.set_protocol(nullptr) == errc::misuse);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].find("upgrade: the layer is null") != std::string::npos);
  CHECK(reports[1].find("set_protocol: the protocol is null") != std::string::npos);
  one.channel.read("goes on");
  CHECK(one.upper.trace() == "made, data 7");
  CHECK(next.trace().empty());
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("V2 a switch takes effect as soon as the callback that asked for it returns, for the next bytes of the same turn too") {
  recording_protocol next;
  bench<recording_protocol> one;
  one.upper.on_data = [&](const_bytes data) { one.channel.set_protocol(borrow(next), data.subspan(3)); };
  const auto turn = one.scheduler.cork();
  one.channel.received(as_bytes("one"));
  CHECK(next.trace() == "made");
  one.channel.received(as_bytes("two"));
  CHECK(next.trace() == "made, data 3");
  CHECK(one.upper.trace() == "made, data 3");
  one.channel.abort();
}

TEST_CASE("V1 a replaced protocol lives to the end of the turn, whatever else happens in it") {
  struct giving_up final : protocol {
    giving_up(bool& flag, protocol& heir) : gone(flag), next(heir) {}
    ~giving_up() override { gone = true; }
    void connection_made(transport& made) override { at = &made; }
    void data_received(const_bytes) override { at->set_protocol(borrow(next)); }
    bool& gone;
    protocol& next;
    transport* at = nullptr;
  };
  recording_protocol last;
  bench<recording_protocol> one;
  bool gone = false;
  one.channel.set_protocol(std::make_unique<giving_up>(gone, last));
  one.scheduler.run_until_idle();
  {
    const auto turn = one.scheduler.cork();
    one.channel.received(as_bytes("x"));
    one.channel.received(as_bytes("y"));
    CHECK(last.trace() == "made, data 1");
    CHECK_FALSE(gone);
  }
  CHECK(gone);
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("V6 what arrives between a switch outside of a callback and the turn in which it takes effect is the next protocol's") {
  recording_protocol next;
  bench<recording_protocol> one;
  one.channel.set_protocol(borrow(next), as_bytes("left over "));
  one.channel.read("and new");
  CHECK(one.upper.trace() == "made");
  CHECK(next.trace().empty());
  one.scheduler.run_until_idle();
  CHECK(one.upper.trace() == "made");
  CHECK(next.received() == "left over and new");
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("L9 a goodbye and a handle that take their time are waited for") {
  bench<recording_protocol> one;
  one.channel.goodbye = one.channel.handle = progress::pending;
  one.channel.close();
  one.scheduler.advance(29s);
  CHECK(one.upper.trace() == "made");
  CHECK(one.channel.state() == state::closing);
  one.channel.closed();
  one.channel.closed();
  one.scheduler.run_until_idle();
  CHECK(one.upper.trace() == "made, lost");
  CHECK(one.scheduler.open_transports() == 1);
  one.channel.released();
  CHECK(one.scheduler.open_transports() == 0);
}

TEST_CASE("C4 a goodbye that is never said has the close timeout, and is followed by a hard one") {
  bench<recording_protocol> one;
  one.channel.goodbye = progress::pending;
  one.channel.close();
  one.scheduler.advance(31s);
  CHECK(one.upper.trace() == "made, " + lost_line(errc::timed_out));
}

TEST_CASE("C8 no deadline of an open connection counts while a goodbye is being said, or after a write failed") {
  stream_options deadlines;
  deadlines.lifetime = 1s;
  deadlines.close_timeout = 20s;
  for (int round = 0; round < 4; ++round) {
    const bool by_failure = round % 2 != 0;
    CAPTURE(round);
    if (round == 2) deadlines.idle_timeout = deadlines.first_byte_timeout = 1s;
    bench<recording_protocol> one;
    one.channel.goodbye = progress::pending;
    CHECK_FALSE(one.channel.set_options(deadlines));
    one.channel.send_error = by_failure ? system_error(EPIPE) : std::error_code();
    if (by_failure)
      CHECK(one.channel.write("x") == write_status::dropped);
    else
      one.channel.close();
    one.scheduler.advance(19'999ms);
    CHECK(one.upper.trace() == "made");
    one.scheduler.advance(1ms);
    CHECK(one.upper.trace() == "made, " + lost_line(by_failure ? system_error(EPIPE) : make_error_code(errc::timed_out)));
  }
}

TEST_CASE("W10 a gather write of very many parts that is taken in part is queued whole") {
  bench<recording_protocol> one;
  std::string text;
  std::vector<const_bytes> parts;
  for (int i = 0; i < 400; ++i) text += static_cast<char>('a' + i % 26);
  for (int i = 0; i < 400; ++i) parts.push_back(as_bytes(text).subspan(static_cast<std::size_t>(i), 1));
  for (const std::size_t takes : std::initializer_list<std::size_t>{0, 100, 128, 200}) {
    one.channel.takes = takes;
    CHECK(one.channel.writev(parts) == write_status::accepted);
    CHECK(one.channel.sent + one.channel.waiting == text);
    one.channel.output_drained(one.channel.get_write_buffer_size());
    one.channel.sent.clear();
    one.channel.waiting.clear();
  }
  one.channel.abort();
  one.scheduler.run_until_idle();
}

TEST_CASE("C2 an abort or a reset cuts a goodbye short, and the channel is told which it is") {
  for (const close_kind kind : {close_kind::abort, close_kind::reset}) {
    bench<recording_protocol> one;
    std::vector<close_kind> goodbyes;
    one.upper.on_lost = [&](std::error_code) { goodbyes = one.channel.goodbyes; };
    one.channel.goodbye = progress::pending;
    one.channel.close();
    kind == close_kind::abort ? one.channel.abort() : one.channel.reset();
    one.scheduler.run_until_idle();
    CHECK(goodbyes == std::vector{close_kind::graceful, kind});
    CHECK(one.upper.trace() == "made, " + lost_line(errc::aborted));
  }
}

TEST_CASE("C6 a lingering end discards 256 KiB and not a byte more, and ends with the peer's end or a failure") {
  const auto open_after = [](auto&& brings) {
    bench<recording_protocol> one;
    one.channel.keeps_descriptor = true;
    one.channel.close();
    one.scheduler.run_until_idle();
    CHECK(one.upper.trace() == "made, lost");
    CHECK(one.scheduler.open_transports() == 1);
    brings(one.channel);
    return one.scheduler.open_transports();
  };
  const std::string block(64 * 1024, 'x');
  CHECK(open_after([](channel_by_hand&) {}) == 1);
  CHECK(open_after([&](channel_by_hand& channel) {
          for (int i = 0; i < 3; ++i) channel.read(block);
          channel.read(block.substr(1));
        }) == 1);
  CHECK(open_after([&](channel_by_hand& channel) {
          for (int i = 0; i < 4; ++i) channel.read(block);
        }) == 0);
  CHECK(open_after([](channel_by_hand& channel) { channel.received_eof(); }) == 0);
  CHECK(open_after([](channel_by_hand& channel) { channel.failed(errc::aborted); }) == 0);
}

TEST_CASE("L10 L18 the protocol of a lingering end is gone, and the end itself when a shutdown has waited long enough") {
  bench<recording_protocol> one;
  struct mortal final : protocol {
    explicit mortal(bool& flag) : gone(flag) {}
    ~mortal() override { gone = true; }
    void data_received(const_bytes) override {}
    bool& gone;
  };
  bool gone = false, over = false;
  stream_options patient;
  patient.linger = 1h;
  CHECK_FALSE(one.channel.set_options(patient));
  one.channel.keeps_descriptor = true;
  one.channel.set_protocol(std::make_unique<mortal>(gone));
  one.channel.close();
  one.scheduler.run_until_idle();
  CHECK(gone);
  CHECK(one.scheduler.open_transports() == 1);
  shutdown(one.scheduler, 10s, [&](const shutdown_report& report) {
    over = true;
    CHECK(report.aborted.empty());
  });
  one.scheduler.advance(9s);
  CHECK_FALSE(over);
  one.scheduler.advance(1s);
  CHECK(over);
  CHECK(one.scheduler.open_transports() == 0);
}

TEST_CASE("a start without a channel or a protocol is refused") {
  manual_scheduler scheduler;
  recording_protocol upper;
  CHECK_THROWS_AS(stream_transport::start(nullptr, borrow(upper)), std::invalid_argument);
  CHECK_THROWS_AS(stream_transport::start(std::make_unique<channel_by_hand>(scheduler), nullptr), std::invalid_argument);
  CHECK(scheduler.open_transports() == 0);
}
