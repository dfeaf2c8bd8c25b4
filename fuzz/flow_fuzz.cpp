// A coupling and a fan-out over links in memory, driven by any schedule of events. Oracle: every byte that was written is delivered in order, or
// is accounted for; nothing waits without a bound; and everything comes to its end.

#include <sluice/couple.hpp>
#include <sluice/fan_out.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <span>
#include <string>

namespace {

using namespace sluice;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

const memory::options narrow{.capacity = 64, .window = 32, .max_send = 48, .max_receive = 40};

// `n` bytes of a stream whose every byte tells its place.
std::string next_bytes(std::size_t& written, std::size_t n) {
  std::string bytes(n, '\0');
  for (char& each : bytes) each = static_cast<char>(written++ * 7);
  return bytes;
}

bool is_beginning_of_stream(const std::string& received) {
  std::size_t at = 0;
  return next_bytes(at, received.size()) == received;
}

// Two ends outside, and a coupling between them.
class coupling_walk {
 public:
  coupling_walk() {
    for (std::size_t side : {0U, 1U}) {
      outside_[side].on_pause = [] { return backpressure::handled; };
      outside_[side].on_eof = [] { return eof::keep_open; };
      links_.push_back(memory::pair(scheduler_, borrow(outside_[side]), std::move(side == 0 ? halves_.first : halves_.second), narrow));
    }
    for (transport* const end : {halves_.joint.first(), halves_.joint.second()}) end->set_write_buffer_limits({.high = 100, .low = 20});
  }

  void step(std::uint8_t byte) {
    const std::size_t side = byte & 1U;
    transport* const end = outside_[side].connection();
    memory::link& link = links_[side].link;
    switch ((byte >> 1U) & 7U) {
      case 0:
      case 1:
        if (end != nullptr && !ended_[side]) accept(side, *end, byte >> 4U);
        break;
      case 2: link.stall(memory::side::second, (byte & 16U) != 0); break;
      case 3: scheduler_.run_one_batch(); break;
      case 4: scheduler_.run_until_idle(); break;
      case 5: end_output(side, end); break;
      case 6:
        if (transport* const inside = side == 0 ? halves_.joint.first() : halves_.joint.second())
          (byte & 16U) != 0 ? inside->pause_reading() : inside->resume_reading();
        break;
      case 7: break_something(side, end, byte >> 4U); break;
    }
    for (const transport* inside : {halves_.joint.first(), halves_.joint.second()})
      require(inside == nullptr || inside->get_write_buffer_size() <= 100 + 40, "what waits is bounded by the mark and one read");
  }

  void end() {
    for (std::size_t side : {0U, 1U}) {
      links_[side].link.stall(memory::side::second, false);
      if (transport* const inside = side == 0 ? halves_.joint.first() : halves_.joint.second()) inside->resume_reading();
    }
    scheduler_.run_until_idle();
    for (std::size_t side : {0U, 1U}) end_output(side, outside_[side].connection());
    scheduler_.advance(std::chrono::hours(1));
    require(!halves_.joint.is_open() && outside_[0].is_lost() && outside_[1].is_lost(), "everything comes to its end");
    for (std::size_t side : {0U, 1U}) {
      const std::string& got = outside_[1 - side].received();
      require(is_beginning_of_stream(got), "bytes arrive in order, each once");
      require(broken_ || got.size() == written_[side], "where nothing breaks nothing is lost");
    }
  }

 private:
  void accept(std::size_t side, transport& end, std::size_t size) {
    std::size_t written = written_[side];
    if (end.write(next_bytes(written, size * 9 + 1)) != write_status::dropped) written_[side] = written;
  }
  void end_output(std::size_t side, transport* end) {
    if (end != nullptr) end->write_eof();
    ended_[side] = true;
  }
  void break_something(std::size_t side, transport* end, unsigned how) {
    if (end == nullptr || how > 5) return;
    broken_ = true;
    if (how < 2) end->reset();
    if (how == 2) end->abort();
    if (how == 3) links_[side].link.fail_sends(memory::side::second, std::make_error_code(std::errc::broken_pipe));
    if (how == 4) halves_.joint.abort();
    if (how == 5) links_[side].link.reset();
  }

  std::array<recording_protocol, 2> outside_;
  manual_scheduler scheduler_;
  coupled_protocols halves_ = make_coupling(scheduler_);
  std::deque<memory::connection> links_;
  std::array<std::size_t, 2> written_{};
  std::array<bool, 2> ended_{};
  bool broken_ = false;
};

struct reader {
  explicit reader(fan_out& hub, const sink_options& settings) : sink(hub, settings) {}
  fan_out::sink sink;
  recording_protocol far;
};

// A source and a few sinks of each policy, which come and go.
class fan_out_walk {
 public:
  void step(std::uint8_t byte) {
    reader* const one = readers_.empty() ? nullptr : &readers_[(byte >> 3U) % readers_.size()];
    switch (byte & 7U) {
      case 0:
      case 1: write((byte >> 3U) * 3U + 1U); break;
      case 2:
        if (readers_.size() < 8) add(static_cast<overflow>((byte >> 3U) & 3U));
        break;
      case 3: scheduler_.run_one_batch(); break;
      case 4: scheduler_.run_until_idle(); break;
      case 5:
        if (one != nullptr) one->sink.leave();
        break;
      case 6:
        if (one != nullptr && one->far.connection() != nullptr) one->far.connection()->pause_reading();
        break;
      case 7:
        if (one != nullptr && one->far.connection() != nullptr)
          (byte & 64U) != 0 ? one->far.connection()->reset() : one->far.connection()->resume_reading();
        break;
    }
    for (const reader& each : readers_) check(each);
  }

  void end() {
    for (reader& each : readers_)
      if (each.far.connection() != nullptr) each.far.connection()->resume_reading();
    scheduler_.run_until_idle();
    require(!hub_.is_blocked(), "nothing holds the source for ever");
    hub_.close_sinks();
    scheduler_.run_until_idle();
    for (reader& each : readers_)
      if (each.far.connection() != nullptr) each.far.connection()->close();
    scheduler_.advance(std::chrono::hours(1));
    for (const reader& each : readers_) require(each.far.is_lost(), "everything comes to its end");
  }

 private:
  void add(overflow policy) {
    reader& made = readers_.emplace_back(hub_, sink_options{policy, 200});
    memory::pair(scheduler_, borrow(made.sink), borrow(made.far), narrow);
  }
  void write(std::size_t size) {
    if (hub_.is_blocked()) return;  // as a source does that is held
    const std::string message(size, 'x');
    hub_.write(as_bytes(message));
  }
  static void check(const reader& each) {
    const fan_out_counters& counted = each.sink.counters();
    require(each.sink.waiting_bytes() <= 200 + 94 + 94, "what waits for a sink is bounded by its limit and one message");
    require(each.far.received().size() <= counted.sent.bytes, "no byte arrives that was not sent");
  }

  manual_scheduler scheduler_;
  fan_out hub_{scheduler_};
  std::deque<reader> readers_;
};

template <typename Walk>
void follow(std::span<const std::uint8_t> input) {
  Walk walk;
  for (const std::uint8_t byte : input) walk.step(byte);
  walk.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size < 4096 ? size : 4096);
  follow<coupling_walk>(input);
  follow<fan_out_walk>(input);
  return 0;
}
