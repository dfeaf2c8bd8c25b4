#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/memory.hpp>
#include <sluice/testing/handshaking_layer.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

// Two ends that do anything at any time, from inside and outside of callbacks, over a link that does its worst. The callback oracle of the
// recorders watches the grammar; here it is the bytes that are counted.

using namespace sluice;
using namespace std::chrono_literals;
using memory::side;
using sluice::testing::handshake_script;
using sluice::testing::handshaking_layer;
using sluice::testing::manual_scheduler;
using sluice::testing::recorder;
using sluice::testing::recording_buffered_protocol;
using sluice::testing::recording_protocol;

namespace {

// The same numbers from the same seed with every standard library, unlike the distributions of <random>.
class dice {
 public:
  explicit dice(std::uint32_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::size_t any_of(std::initializer_list<std::size_t> values) { return values.begin()[below(values.size())]; }

 private:
  std::mt19937 engine_;
};

// The byte that a side sends at a place, so that the receiver knows each byte by its place.
char byte_at(std::size_t place, char side_name) {
  return static_cast<char>('!' + (place * 7 + place / 89 + static_cast<unsigned char>(side_name)) % 90);
}

// One end: what it sent, whether it broke off, and which recorders have stood on it, one after the other.
class walker {
 public:
  walker(dice& random, char name, std::size_t most) : random_(random), name_(name), most_(most) { add_recorder(); }

  protocol_ptr top() { return borrow(*protocols_.back()); }
  transport* connection() const { return current_ == nullptr ? nullptr : current_->connection(); }
  char name() const { return name_; }

  void act() {
    transport* const at = connection();
    if (at == nullptr) return;
    random_.one_in(2) ? write(*at) : act_rarely(*at);
  }

  std::string received() const {
    std::string all;
    for (const recorder* each : recorders_) all += each->received();
    return all;
  }
  bool was_made() const { return current_ != nullptr; }
  bool saw_the_end() const {
    return std::any_of(recorders_.begin(), recorders_.end(), [](const recorder* each) { return each->count("eof") != 0; });
  }
  std::size_t times_lost() const {
    return static_cast<std::size_t>(
        std::count_if(recorders_.begin(), recorders_.end(), [](const recorder* each) { return each->is_lost(); }));
  }
  std::size_t sent() const { return sent_; }
  // Neither this end nor an error broke the connection off.
  bool ended_gently() const {
    const auto failed = [](const recorder* each) { return static_cast<bool>(each->lost_reason()); };
    return !broke_off_ && std::none_of(recorders_.begin(), recorders_.end(), failed);
  }
  std::string trace() const {
    std::string all;
    for (const recorder* each : recorders_) all += std::string(1, name_) + ": " + each->trace() + '\n';
    return all;
  }

 private:
  void act_rarely(transport& at) {
    switch (random_.below(10)) {
      case 0: at.pause_reading(); return;
      case 1:
      case 2: at.resume_reading(); return;
      case 3: at.flush(); return;
      case 4: at.set_write_buffer_limits({.high = random_.any_of({0, 10, 1000, 65536}), .low = {}}); return;
      case 5:
        if (random_.one_in(4)) at.write_eof();
        return;
      case 6:
        if (random_.one_in(6)) at.close();
        return;
      case 7:
        if (random_.one_in(12)) break_off(at);
        return;
      case 8:
        if (random_.one_in(3)) change_protocol(at);
        return;
      default: random_.one_in(4) ? at.shut_down() : act_on_a_layer(at); return;
    }
  }

  // Any transport of either end, which may be a layer in its handshake, does what its own protocol did not ask for.
  void act_on_a_layer(transport& at) {
    std::vector<transport*> all;
    at.scheduler().for_each_transport([&](transport& each) { all.push_back(&each); });
    transport& chosen = *all[random_.below(all.size())];
    switch (random_.below(40)) {
      case 0: chosen.close(); return;
      case 1: chosen.abort(); return;
      case 2: chosen.reset(); return;
      case 3: chosen.shut_down(); return;
      case 4: chosen.set_options(chosen.options()); return;
      default: chosen.flush(); return;
    }
  }

  void act_within() {
    while (random_.one_in(3)) act();
    if (!random_.one_in(200)) return;
    broke_off_ = true;
    throw std::runtime_error("planted");
  }

  void add_recorder() {
    if (random_.one_in(3)) {
      auto made = std::make_unique<recording_buffered_protocol>();
      made->buffer_size = random_.any_of({1, 70, 9000});
      adopt(std::move(made));
    } else {
      adopt(std::make_unique<recording_protocol>());
    }
  }

  template <typename Recording>
  void adopt(std::unique_ptr<Recording> made) {
    recorder* const it = made.get();
    protocols_.push_back(std::move(made));
    recorders_.push_back(it);
    it->on_made = [this, it](transport&) {
      current_ = it;
      act_within();
    };
    it->on_data = [this](const_bytes) { act_within(); };
    it->on_eof = [this] {
      act_within();
      return random_.one_in(2) ? eof::close : eof::keep_open;
    };
    it->on_pause = [this] { return random_.one_in(2) ? backpressure::handled : backpressure::hold_reading; };
    it->on_resume = [this] {
      if (random_.one_in(2)) act();
    };
    it->on_lost = [this](std::error_code) { act(); };
  }

  void write(transport& at) {
    const std::size_t size = std::min(most_, random_.any_of({0, 1, 5, 100, 3000, 20'000, 150'000}));
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = byte_at(sent_ + i, name_);
    const const_bytes parts[] = {as_bytes(text).first(size / 3), {}, as_bytes(text).subspan(size / 3)};
    const write_status status = random_.one_in(3) ? at.writev(parts) : at.write(text);
    if (status != write_status::dropped) sent_ += size;
  }

  void break_off(transport& at) {
    if (!at.is_closing()) broke_off_ = true;
    random_.one_in(2) ? at.abort() : at.reset();
  }

  void change_protocol(transport& at) {
    if (doomed_) return;
    add_recorder();
    const std::error_code refused = random_.one_in(3) ? at.upgrade(some_layer(at.scheduler()), top()) : at.set_protocol(top());
    if (!refused) return;
    protocols_.pop_back();
    recorders_.pop_back();
  }

  // Mute, so that no byte of its own disturbs the count.
  std::unique_ptr<layer> some_layer(scheduler& owner) {
    using ending = handshake_script::ending;
    if (random_.one_in(2)) return std::make_unique<layer>(owner);
    handshake_script script{.greeting = "", .expected = ""};
    if (!random_.one_in(3)) return std::make_unique<handshaking_layer>(owner, script);
    script.end = random_.one_in(3) ? ending::hang : random_.one_in(2) ? ending::fail : ending::die;
    script.timeout = 2ms;
    doomed_ = true;
    return std::make_unique<handshaking_layer>(owner, script);
  }

  dice& random_;
  char name_;
  std::size_t most_;  // bytes of one write
  std::vector<std::unique_ptr<protocol>> protocols_;
  std::vector<recorder*> recorders_;  // the same, as what they have in common
  recorder* current_ = nullptr;
  std::size_t sent_ = 0;
  bool doomed_ = false;  // by a handshake that swallows what comes and will fail
  bool broke_off_ = false;
};

class walk {
 public:
  explicit walk(std::uint32_t seed) : random_(seed) {
    scheduler_.on_error([](const error_event& event) {
      if (event.source == error_source::leak) FAIL_CHECK(describe(event));
    });
    const bool handshake = random_.one_in(4);
    protocol_ptr first = under_layers(a_, handshake, false);
    protocol_ptr second = under_layers(b_, handshake, true);
    const memory::options settings{
        .capacity = capacity_, .window = random_.any_of({0, 50, 65536}), .latency = static_cast<std::int64_t>(random_.below(2)) * 1ms};
    link_.push_back(memory::pair(scheduler_, std::move(first), std::move(second), settings).link);
  }

  void run() {
    for (int step = 0; step < 60; ++step) {
      (random_.one_in(2) ? a_ : b_).act();
      if (random_.one_in(4)) disturb(link_[0]);
      if (random_.one_in(2)) scheduler_.run_one_batch();
      if (random_.one_in(4)) scheduler_.advance(1ms);
    }
    link_[0].cut(false);
    link_[0].stall(side::first, false);
    link_[0].stall(side::second, false);
    settle(1s);
    for (const walker* each : {&a_, &b_})
      if (transport* at = each->connection()) at->close();
    settle(1min);
  }

  void check() const {
    CAPTURE(a_.trace());
    CAPTURE(b_.trace());
    REQUIRE(scheduler_.open_transports() == 0);
    CHECK(a_.times_lost() == a_.was_made());
    CHECK(b_.times_lost() == b_.was_made());
    check_bytes(a_, b_);
    check_bytes(b_, a_);
  }

 private:
  protocol_ptr under_layers(walker& end, bool handshake, bool second) {
    protocol_ptr top = end.top();
    for (std::size_t n = random_.below(3); n != 0; --n) top = std::make_unique<layer>(scheduler_, std::move(top));
    if (handshake) top = std::make_unique<handshaking_layer>(scheduler_, std::move(top), handshake_script{.greets_second = second});
    return top;
  }

  void disturb(memory::link& link) {
    const side which = random_.one_in(2) ? side::first : side::second;
    switch (random_.below(6)) {
      case 0: link.stall(which, random_.one_in(2)); return;
      case 1: link.cut(random_.one_in(2)); return;
      case 2: link.limit_sends(which, {1 + random_.below(9), 0, 100 + random_.below(5000)}); return;
      case 3: link.limit_receives(which, {1 + random_.below(5), 1 + random_.below(70'000)}); return;
      case 4: link.set_latency(which, static_cast<std::int64_t>(random_.below(3)) * 1ms); return;
      default:
        if (random_.one_in(40)) link.reset();
        return;
    }
  }

  void settle(duration step) {
    for (int i = 0; i < 3; ++i) {
      for (const walker* each : {&a_, &b_})
        if (transport* at = each->connection()) at->resume_reading();
      scheduler_.advance(step);
    }
  }

  static void check_bytes(const walker& from, const walker& to) {
    const std::string arrived = to.received();
    CHECK(arrived.size() <= from.sent());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < arrived.size(); ++i) wrong += arrived[i] != byte_at(i, from.name());
    CHECK(wrong == 0);
    if (to.saw_the_end() && from.ended_gently()) CHECK(arrived.size() == from.sent());
  }

  dice random_;
  std::size_t capacity_ = random_.any_of({1, 100, 5000, 65536});
  walker a_{random_, 'a', 30 * capacity_};
  walker b_{random_, 'b', 30 * capacity_};
  manual_scheduler scheduler_;
  std::vector<memory::link> link_;
};

}  // namespace

TEST_CASE("no byte is lost, doubled or changed on a connection that ends gently, whatever is called when") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    walk one(seed);
    one.run();
    one.check();
  }
}
