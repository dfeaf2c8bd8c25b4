#include <sluice/capture/queue.hpp>

#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <stdexcept>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "capture_kit.hpp"

using namespace sluice;
using namespace sluice::capture;
using namespace capture_kit;
using namespace std::chrono_literals;
using testing::manual_scheduler;

TEST_CASE("records come out as they went in, with the time at which they did") {
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  records.add(made(event::received, "one"));
  scheduler.advance(1500ns);
  record lost = made(event::lost, {}, 7);
  lost.note = "why";
  lost.lines = line::carrier | line::ring;
  records.add(lost);
  CHECK(records.size() != 0);
  CHECK(drain(records) == lines{"00.000000000 1 received 3: 6f 6e 65 |one|", "00.000001500 7 lost: why [DCD RI]"});
  CHECK(records.size() == 0);
  CHECK(drain(records) == lines{});
  CHECK(records.counters().records == 2);
  CHECK(records.counters().bytes == 3);
}

TEST_CASE("copies are one and the same queue") {
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  queue copy = records;
  copy.add(made(event::sent, "x"));
  CHECK(without_times(drain(records)) == lines{"1 sent 1: 78 |x|"});
}

TEST_CASE("while a batch is out the other half is filled, and there is no second batch") {
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  records.add(made(event::sent, "a"));
  auto first = records.take();
  REQUIRE(first);
  records.add(made(event::sent, "b"));
  CHECK(!records.take());
  CHECK(without_times(lines_of(*first)) == lines{"1 sent 1: 61 |a|"});
  records.give_back(std::move(*first));
  CHECK(without_times(drain(records)) == lines{"1 sent 1: 62 |b|"});
}

TEST_CASE("what does not fit is dropped, counted, and told in its place") {
  manual_scheduler scheduler;
  queue_options options = from_zero();
  options.capacity = 8192;
  queue records(scheduler, options);
  const std::string large(3000, 'x');
  records.add(made(event::received, large));
  records.add(made(event::received, large));
  records.add(made(event::sent, large));
  CHECK(records.counters().full.records == 2);
  CHECK(records.counters().full.bytes == 6000);
  const lines first = without_times(drain(records));
  REQUIRE(first.size() == 2);
  CHECK(first[1] == "0 dropped 2 records 6000 bytes missing");
  records.add(made(event::sent, "y"));
  CHECK(without_times(drain(records)) == lines{"1 sent 1: 79 |y|"});
  CHECK(records.counters().records == 2);
}

TEST_CASE("a small record behind dropped ones comes behind the word about them") {
  manual_scheduler scheduler;
  queue_options options = from_zero();
  options.capacity = 8192;
  queue records(scheduler, options);
  records.add(made(event::received, std::string(3000, 'x')));
  records.add(made(event::received, std::string(3000, 'x')));
  records.add(made(event::input_ended));
  const lines all = without_times(drain(records));
  REQUIRE(all.size() == 3);
  CHECK(all[1] == "0 dropped 1 records 3000 bytes missing");
  CHECK(all[2] == "1 input ended");
}

TEST_CASE("there is always room for the word about what was dropped") {
  for (std::size_t size = 3900; size < 4096; ++size) {
    manual_scheduler scheduler;
    queue_options options = from_zero();
    options.capacity = 8192;
    queue records(scheduler, options);
    records.add(made(event::received, std::string(size, 'x')));
    records.add(made(event::received, std::string(4096, 'x')));
    const lines all = without_times(drain(records));
    const bool fitted = records.counters().records == 1;
    REQUIRE(all.size() == (fitted ? 2 : 1));
    CHECK(all.back() ==
          (fitted ? "0 dropped 1 records 4096 bytes missing" : "0 dropped 2 records " + std::to_string(size + 4096) + " bytes missing"));
  }
}

TEST_CASE("parts are joined, and more than 64 KiB become several records") {
  manual_scheduler scheduler;
  queue records(scheduler, from_zero());
  const std::string first(50'000, 'a');
  const std::string second(50'000, 'b');
  const const_bytes parts[] = {as_bytes(first), {}, as_bytes(second)};
  records.add(made(event::sent), parts, 90'000);
  auto taken = records.take();
  REQUIRE(taken);
  std::string all;
  std::vector<std::size_t> sizes;
  while (const auto each = taken->next()) {
    all.append(as_text(each->data));
    sizes.push_back(each->data.size());
  }
  CHECK(sizes == std::vector<std::size_t>{65536, 90'000 - 65536});
  CHECK(all == first + second.substr(0, 40'000));
}

TEST_CASE("with a limit the rest of the data is left out, counted and told") {
  manual_scheduler scheduler;
  queue_options options = from_zero();
  options.max_data = 4;
  queue records(scheduler, options);
  records.add(made(event::received, "abcdefg"));
  records.add(made(event::received, "abcd"));
  CHECK(without_times(drain(records)) == lines{"1 received 4: 61 62 63 64 |abcd| 3 bytes missing", "1 received 4: 61 62 63 64 |abcd|"});
  CHECK(records.counters().cut.records == 1);
  CHECK(records.counters().cut.bytes == 3);
}

TEST_CASE("the listener hears of each record, and half of a half is urgent") {
  manual_scheduler scheduler;
  queue_options options = from_zero();
  options.capacity = 8192;
  queue records(scheduler, options);
  int told = 0;
  records.on_records([&] { ++told; });
  records.add(made(event::sent, std::string(1000, 'x')));
  CHECK(told == 1);
  CHECK(!records.is_urgent());
  records.add(made(event::sent, std::string(1000, 'x')));
  CHECK(told == 2);
  CHECK(records.is_urgent());
  records.add(made(event::sent, std::string(4000, 'x')));
  CHECK(told == 3);
  records.on_records({});
  records.add(made(event::sent));
  CHECK(told == 3);
}

TEST_CASE("the time can come from another clock, and the date is that at which the queue was made") {
  manual_scheduler scheduler;
  scheduler.advance(5s);
  queue_options options = from_zero();
  options.clock = [] { return time_point(7s); };
  queue other(scheduler, options);
  other.add(made(event::input_ended));
  CHECK(drain(other) == lines{"07.000000000 1 input ended"});

  const auto before = std::chrono::system_clock::now();
  queue today(scheduler);
  today.add(made(event::input_ended));
  auto taken = today.take();
  REQUIRE(taken);
  const std::chrono::system_clock::time_point at(std::chrono::duration_cast<std::chrono::system_clock::duration>(taken->next()->time));
  CHECK(at >= before);
  CHECK(at <= std::chrono::system_clock::now());
}

TEST_CASE("adding, taking and giving back take nothing from the heap" * doctest::skip(!testing::allocation_counter::available())) {
  manual_scheduler scheduler;
  queue_options options = from_zero();
  options.capacity = 16384;
  queue records(scheduler, options);
  const std::string data(1000, 'x');
  const testing::allocation_counter heap;
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 10; ++j) records.add(made(event::received, data));
    auto taken = records.take();
    records.give_back(std::move(*taken));
  }
  CHECK(heap.counts().allocations == 0);
  CHECK(records.counters().full.records > 0);
}

TEST_CASE("a queue that is too small is refused") {
  manual_scheduler scheduler;
  queue_options options;
  options.capacity = 4095;
  CHECK_THROWS_AS(queue(scheduler, options), std::invalid_argument);
}
