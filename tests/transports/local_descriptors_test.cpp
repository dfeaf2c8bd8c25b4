#include <sluice/local.hpp>

#include <random>

#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/memory.hpp>

#include "descriptor_kit.hpp"

using namespace descriptor_kit;

namespace {

// Bytes and descriptors in a random mixture, to a receiver that pauses. A '#' in the stream stands for one descriptor.
class random_traffic : whole_site {
 public:
  explicit random_traffic(std::uint32_t seed) : random_(seed) {
    near.on_pause = [] { return backpressure::handled; };
    far.on_data = [this](const_bytes data) { check(data); };
  }

  void run() {
    for (int turn = 0; turn < 30; ++turn) {
      scheduler.call_soon([this] {
        for (std::size_t n = below(6); n != 0; --n) write_something();
      });
      if (below(3) == 0) write_something();
      pass();
      receiver->resume_reading();
    }
    pauses_ = false;
    run_until(scheduler, [this] { return far.received().size() == sent_bytes_; });
  }
  bool arrived_in_order() {
    return wrong_ == 0 && received_ == sent_ && far.received().size() == sent_bytes_ && !local::take_descriptor(*receiver);
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  void write_something() {
    std::vector<descriptor> files;
    for (std::size_t n = below(4); n != 0; --n) files.push_back(numbered_file(++sent_));
    const std::string text = std::string(files.size(), '#') + std::string(1 + below(below(8) == 0 ? 60'000 : 50), '.');
    sent_bytes_ += text.size();
    CHECK_FALSE(local::send_descriptors(*sender, files, as_bytes(text)));
  }

  void check(const_bytes data) {
    for (const char each : as_text(data))
      if (each == '#' && number_of(local::take_descriptor(*receiver).get()) != ++received_) ++wrong_;
    if (pauses_ && below(8) == 0) receiver->pause_reading();
  }

  std::mt19937 random_;
  bool pauses_ = true;
  int sent_ = 0;  // descriptors
  int received_ = 0;
  int wrong_ = 0;
  std::size_t sent_bytes_ = 0;
};

}  // namespace

TEST_CASE("P7 descriptors arrive before the bytes that they were sent with, several at a time, in order and close-on-exec") {
  const descriptor_balance balance;
  whole_site here;
  std::vector<int> before;
  here.far.on_data = [&](const_bytes) { before = take_all(*here.receiver); };
  std::vector<descriptor> files = numbered_files({7, 8, 9});
  CHECK_FALSE(local::send_descriptors(*here.sender, files, as_bytes("three")));
  for (const descriptor& each : files) CHECK_FALSE(each.is_open());
  CHECK(run_until(here.scheduler, [&] { return here.far.received() == "three"; }));
  CHECK(before == std::vector{7, 8, 9});
  CHECK_FALSE(local::take_descriptor(*here.receiver));
}

TEST_CASE("P7 what arrives is the thing itself") {
  const descriptor_balance balance;
  whole_site here;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  descriptor writing(ends[1]), reading(ends[0]);
  CHECK_FALSE(local::send_descriptors(*here.sender, {&writing, 1}, as_bytes("x")));
  CHECK(run_until(here.scheduler, [&] { return here.far.received() == "x"; }));
  {
    const descriptor passed = local::take_descriptor(*here.receiver);
    CHECK(::write(passed.get(), "through", 7) == 7);
  }
  std::array<char, 16> text{};
  CHECK(::read(reading.get(), text.data(), text.size()) == 7);
  CHECK(::read(reading.get(), text.data(), text.size()) == 0);  // no other end is open
}

TEST_CASE("P7 each group of descriptors goes with its byte, also where many writes leave at once") {
  const descriptor_balance balance;
  half_site here;
  const auto write_all = [&] {
    here.connection->write("before ");
    CHECK_FALSE(send_numbered(*here.connection, {1, 2}, "with "));
    here.connection->write("between ");
    CHECK_FALSE(send_numbered(*here.connection, {3}, "a"));
    CHECK_FALSE(send_numbered(*here.connection, {4}, "b"));
    CHECK_FALSE(send_numbered(*here.connection, {}, "c"));
    here.connection->write(" after");
  };
  const auto check_all = [&] {
    // The system ends a read behind the first message that brings descriptors, so all but the first begin with their byte.
    CHECK(receive_message(here.peer) == message{"before with between ", {1, 2}});
    CHECK(receive_message(here.peer) == message{"a", {3}});
    CHECK(receive_message(here.peer) == message{"bc after", {4}});
  };
  SUBCASE("in one turn") {
    here.scheduler.call_soon(write_all);
    here.pass();
    CHECK(here.connection->counters().sends == 1);
    check_all();
  }
  SUBCASE("in one turn, behind a full queue") {
    const std::size_t before = here.fill();
    const std::size_t queued = here.connection->get_write_buffer_size();
    here.scheduler.call_soon(write_all);
    here.pass();
    CHECK(here.peer.receive(before).size() == before);
    for (std::size_t rest = queued; rest != 0;) {
      CHECK(run_until(here.scheduler, [&] { return here.connection->get_write_buffer_size() == 0; }));
      rest -= here.peer.receive(rest).size();
    }
    check_all();
  }
}

TEST_CASE("P7 descriptors wait for their place in the stream, through short writes and a full queue") {
  const descriptor_balance balance;
  half_site here;
  const int small = 4096;
  REQUIRE(::setsockopt(here.connection->info<native_descriptor>()->value, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
  here.near.on_pause = [] { return backpressure::handled; };
  std::string sent;
  std::vector<std::pair<std::size_t, int>> places;
  for (int i = 0; i < 40; ++i) {
    const std::string text = numbered(static_cast<std::size_t>(1 + i * 997 % 9000));
    if (i % 3 == 0) {
      places.emplace_back(sent.size(), i);
      CHECK_FALSE(send_numbered(*here.connection, {i}, text));
    } else {
      here.connection->write(text);
    }
    sent += text;
  }
  CHECK(here.connection->get_write_buffer_size() > 100'000);
  std::string received;
  std::size_t found = 0;
  while (received.size() < sent.size()) {
    here.pass();
    if ((wait_for(here.peer.get(), POLLIN | POLLOUT) & POLLIN) == 0) continue;
    const message got = receive_message(here.peer);
    for (const int number : got.numbers) {
      REQUIRE(found < places.size());
      CHECK(number == places[found].second);
      CHECK(places[found].first < received.size() + got.text.size());
      CHECK(places[found].first >= received.size());
      ++found;
    }
    received += got.text;
  }
  CHECK(found == places.size());
  CHECK((received == sent));
}

TEST_CASE("P7 whatever is written when, each descriptor is there when its byte is delivered, and not lost") {
  const descriptor_balance balance;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    random_traffic traffic(seed);
    traffic.run();
    CHECK(traffic.arrived_in_order());
  }
}

TEST_CASE("P7 a call without bytes, with too many descriptors or with one that is not open is misuse, and does nothing") {
  const descriptor_balance balance;
  half_site here;
  std::vector<descriptor> files = numbered_files({1});
  CHECK(local::send_descriptors(*here.connection, files, {}) == errc::misuse);
  files.emplace_back();
  CHECK(local::send_descriptors(*here.connection, files, as_bytes("x")) == errc::misuse);
  std::vector<descriptor> many;
  for (std::size_t i = 0; i <= local::max_descriptors; ++i) many.emplace_back(::fcntl(files[0].get(), F_DUPFD_CLOEXEC, 0));
  CHECK(local::send_descriptors(*here.connection, many, as_bytes("x")) == errc::misuse);
  CHECK(here.reports.size() == 3);
  CHECK(here.connection->counters().bytes_sent == 0);
  CHECK(files[0].is_open());
  many.pop_back();
  CHECK_FALSE(local::send_descriptors(*here.connection, many, as_bytes("x")));
  CHECK(receive_message(here.peer) == message{"x", std::vector<int>(local::max_descriptors, 1)});
}

TEST_CASE("P7 only a Unix socket itself passes descriptors") {
  const descriptor_balance balance;
  site here;
  std::vector<descriptor> files = numbered_files({1});
  const auto [first, second, link] = memory::pair(here.scheduler, borrow(here.near), borrow(here.far));
  CHECK(local::send_descriptors(first, files, as_bytes("x")) == errc::not_supported);
  CHECK_FALSE(local::take_descriptor(first));
  here.end_all();
  half_site below;
  recording_protocol upper;
  CHECK_FALSE(below.connection->set_protocol(std::make_unique<layer>(below.scheduler, borrow(upper))));
  CHECK(run_until(below.scheduler, [&] { return upper.connection() != nullptr; }));
  CHECK(local::send_descriptors(*upper.connection(), files, as_bytes("x")) == errc::not_supported);
  CHECK(files[0].is_open());
  CHECK(upper.connection()->counters().bytes_sent == 0);
  below.end_all();
}

TEST_CASE("P7 on a transport that takes no more output the descriptors stay the caller's") {
  const descriptor_balance balance;
  half_site here;
  std::vector<descriptor> files = numbered_files({1});
  SUBCASE("closed") { here.connection->close(); }
  SUBCASE("its output ended") { here.connection->write_eof(); }
  CHECK(local::send_descriptors(*here.connection, files, as_bytes("x")) == errc::closed);
  CHECK(files[0].is_open());
  CHECK(here.scheduler.counters().dropped_writes == 1);
  CHECK(receive_message(here.peer) == message{});
}

TEST_CASE("P7 close delivers descriptors that wait; what never left is closed when the connection ends in another way") {
  const descriptor_balance balance;
  half_site here;
  std::size_t total = here.fill();
  total += here.connection->get_write_buffer_size() + 4;
  const int open_before = open_descriptors();
  CHECK_FALSE(send_numbered(*here.connection, {1, 2}, "last"));
  CHECK(open_descriptors() == open_before + 2);
  SUBCASE("close") {
    here.connection->close();
    std::size_t arrived = 0;
    message got;
    while (arrived < total) {
      here.pass();
      got = receive_message(here.peer);
      arrived += got.text.size();
    }
    CHECK(got.numbers == std::vector{1, 2});
    CHECK(got.text.ends_with("last"));
    CHECK(run_until(here.scheduler, [&] { return here.near.is_lost(); }));
  }
  SUBCASE("abort") {
    here.connection->abort();
    CHECK(open_descriptors() == open_before);
    CHECK(here.run_until_closed());
  }
  SUBCASE("abort of what waits for the end of the turn") {
    here.scheduler.call_soon([&] {
      CHECK_FALSE(send_numbered(*here.connection, {3}, "x"));
      here.connection->abort();
    });
    CHECK(here.run_until_closed());
  }
  SUBCASE("the peer is gone") {
    here.peer.close();
    CHECK(here.run_until_closed());
    CHECK(here.near.lost_reason());
  }
}

TEST_CASE("P7 many descriptors pause writing, and writing is resumed when they have left") {
  const descriptor_balance balance;
  half_site here;
  here.connection->set_write_buffer_limits({.high = 40'000, .low = 10'000});
  here.near.on_pause = [] { return backpressure::handled; };
  while (here.connection->get_write_buffer_size() == 0) here.connection->write(std::string(1000, 'f'));
  CHECK(here.near.count("pause") == 0);
  int sent = 0;
  while (here.near.count("pause") == 0) CHECK_FALSE(send_numbered(*here.connection, {++sent}, "x"));
  CHECK(sent > 20);
  CHECK(sent <= 40);
  int arrived = 0;
  while (here.near.count("resume") == 0) {
    arrived += static_cast<int>(receive_message(here.peer).numbers.size());
    here.pass();
  }
  while (arrived < sent) {
    arrived += static_cast<int>(receive_message(here.peer).numbers.size());
    here.pass();
  }
  CHECK(here.near.count("pause") == 1);
}
