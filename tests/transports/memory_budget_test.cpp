#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/detail/resource.hpp>
#include <sluice/error.hpp>
#include <sluice/memory.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

constexpr std::size_t budget = 1024 * 1024;

// What a server is to the budget.
class accepting final : public detail::resource {
 public:
  using resource::resource;
  ~accepting() override = default;
  void scheduler_ends() noexcept override {}
  void memory_short(bool on) override { is_held = on; }
  bool is_held = false;
};

struct link_with_output {
  link_with_output(scheduler& owner, std::size_t queued) : made(memory::pair(owner, borrow(writer), borrow(reader), small())) {
    made.link.stall(memory::side::first);
    writer.on_pause = [] { return backpressure::handled; };
    made.first.write(std::string(queued, 'x'));
  }
  static memory::options small() {
    memory::options settings;
    settings.capacity = 4096;
    return settings;
  }
  bool is_held() const {
    return (dynamic_cast<stream_transport&>(made.first).holds() & static_cast<std::uint8_t>(hold::memory_budget)) != 0;
  }
  void drain() { made.link.stall(memory::side::first, false); }

  recording_protocol writer, reader;
  memory::connection made;
};

struct site {
  site() {
    scheduler.on_error([this](const error_event& event) {
      if (event.source == error_source::memory) reports.push_back(describe(event));
    });
    scheduler.set_memory_budget(budget);
  }
  ~site() {
    for (const auto& each : links)
      if (each->writer.connection() != nullptr) each->made.first.abort();
    scheduler.run_until_idle();
  }
  link_with_output& add(std::size_t queued) {
    links.push_back(std::make_unique<link_with_output>(scheduler, queued));
    scheduler.run_until_idle();
    return *links.back();
  }

  std::vector<std::string> reports;
  std::vector<std::unique_ptr<link_with_output>> links;
  manual_scheduler scheduler;
  accepting server{scheduler};
};

}  // namespace

TEST_CASE("R12 below the budget nothing is held and nothing is said") {
  site here;
  here.add(900'000);
  CHECK(here.scheduler.memory_in_use() >= 900'000);
  CHECK_FALSE(here.scheduler.memory_is_short());
  CHECK_FALSE(here.server.is_held);
  CHECK(here.reports.empty());
}

TEST_CASE("R12 over the budget accepting is paused first, then the reading of the largest, and all is taken back") {
  site here;
  link_with_output& small = here.add(200'000);
  link_with_output& large = here.add(900'000);
  CHECK(here.scheduler.memory_is_short());
  CHECK(here.server.is_held);
  CHECK_FALSE(large.is_held());
  REQUIRE(here.reports.size() == 1);
  CHECK(here.reports[0].find("bytes are in use; accepting is paused: the memory budget is exceeded") != std::string::npos);

  large.made.first.write(std::string(100'000, 'x'));
  here.scheduler.run_until_idle();
  CHECK(large.is_held());
  CHECK_FALSE(small.is_held());
  CHECK(large.made.first.is_reading());  // says nothing of the engine's own holds
  REQUIRE(here.reports.size() == 2);
  CHECK(here.reports[1] ==
        "sluice: transport 3: memory: reading is held, as 1000000 bytes wait in this connection: the memory budget is exceeded");

  large.made.second.write("kept for later");
  here.scheduler.run_until_idle();
  CHECK(large.writer.received().empty());
  small.made.first.write(std::string(100'000, 'x'));
  here.scheduler.run_until_idle();
  CHECK(small.is_held());

  large.drain();
  here.scheduler.run_until_idle();
  CHECK_FALSE(here.scheduler.memory_is_short());
  CHECK_FALSE(here.server.is_held);
  CHECK_FALSE(large.is_held());
  CHECK_FALSE(small.is_held());
  CHECK(large.writer.received() == "kept for later");
  CHECK(here.scheduler.counters().memory_episodes == 1);
  CHECK(here.scheduler.counters().memory_holds == 2);
}

TEST_CASE("R12 many equal connections are held in one step") {
  site here;
  for (int i = 0; i < 70; ++i) here.add(16'000);
  CHECK(here.server.is_held);
  const std::uint64_t reported = here.scheduler.counters().errors_reported;
  CHECK(reported >= 1);
  int held = 0;
  for (const auto& each : here.links) held += each->is_held() ? 1 : 0;
  CHECK(held >= 60);
}

TEST_CASE("R12 kept input counts, and its connection is let go when the budget is taken away") {
  site here;
  link_with_output& reader = here.add(0);
  reader.made.first.pause_reading();
  link_with_output& large = here.add(1'100'000);
  large.made.first.write(std::string(100'000, 'x'));
  here.scheduler.run_until_idle();
  CHECK(large.is_held());
  here.scheduler.set_memory_budget(0);
  here.scheduler.run_until_idle();
  CHECK_FALSE(large.is_held());
  CHECK_FALSE(here.server.is_held);
  CHECK(here.scheduler.get_memory_budget() == 0);
}

TEST_CASE("R12 a connection that ends gives its memory back to the budget") {
  site here;
  link_with_output& large = here.add(1'200'000);
  CHECK(here.server.is_held);
  large.made.first.abort();
  here.scheduler.run_until_idle();
  CHECK_FALSE(here.server.is_held);
  CHECK(here.scheduler.memory_in_use() == 0);
}

TEST_CASE("R12 a budget of a few bytes is exceeded by the first chunk, and taken back with the last") {
  for (const std::size_t bytes : std::initializer_list<std::size_t>{1, 2, 3, 4, 16384}) {
    CAPTURE(bytes);
    site here;
    here.scheduler.set_memory_budget(bytes);
    link_with_output& one = here.add(100'000);
    CHECK(here.scheduler.memory_is_short());
    CHECK(here.server.is_held);
    one.drain();
    here.scheduler.run_until_idle();
    CHECK(here.scheduler.memory_in_use() == 0);
    CHECK_FALSE(here.scheduler.memory_is_short());
    CHECK_FALSE(here.server.is_held);
  }
}
