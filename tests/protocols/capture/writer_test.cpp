#include <sluice/capture/writer.hpp>

#include <sluice/capture/pcapng_encoder.hpp>
#include <sluice/capture/reader.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/error.hpp>
#include <sluice/loop.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "capture_kit.hpp"

using namespace sluice;
using namespace sluice::capture;
using namespace capture_kit;
using namespace std::chrono_literals;
using testing::manual_scheduler;

namespace {

struct site {
  folder place;
  manual_scheduler scheduler;
  queue records{scheduler, from_zero()};

  writer_options text(std::string_view name = "line.txt") {
    writer_options options;
    options.path = place / name;
    options.format = file_format::text;
    return options;
  }
  std::string content(std::string_view name = "line.txt") const { return content_of(place / name); }
  void record_lines(int count, std::chrono::nanoseconds apart = 1s) {
    for (int i = 0; i < count; ++i) {
      records.add(made(event::sent, "x"));
      scheduler.advance(apart);
    }
  }
};

std::string line_at(int second) { return "1970-01-01 00:00:0" + std::to_string(second) + ".000000000 1 sent 1: 78 |x|\n"; }

}  // namespace

TEST_CASE("what is recorded is in the file after the delay, and not before") {
  site here;
  writer out(here.scheduler, here.records, here.text());
  CHECK(here.content() == "");
  here.records.add(made(event::sent, "x"));
  here.scheduler.advance(199ms);
  CHECK(here.content() == "");
  here.records.add(made(event::input_ended));
  here.scheduler.advance(1ms);
  CHECK(here.content() == line_at(0) + "1970-01-01 00:00:00.199000000 1 input ended\n");
  here.records.add(made(event::sent, "x"));
  here.scheduler.advance(200ms);
  CHECK(out.counters().records == 3);
  CHECK(out.counters().bytes == here.content().size());
  CHECK(out.counters().files == 1);
}

TEST_CASE("what was recorded before the writer was made is written, too") {
  site here;
  here.records.add(made(event::sent, "x"));
  writer out(here.scheduler, here.records, here.text());
  here.scheduler.advance(200ms);
  CHECK(here.content() == line_at(0));
}

TEST_CASE("a queue that fills is written at once") {
  site here;
  queue_options small = from_zero();
  small.capacity = 8192;
  queue records(here.scheduler, small);
  writer out(here.scheduler, records, here.text());
  records.add(made(event::sent, "x"));
  records.add(made(event::sent, std::string(2500, 'x')));
  here.scheduler.advance(0ms);
  CHECK(out.counters().records == 2);
}

TEST_CASE("a pcapng file is one from its beginning on, and can be read") {
  site here;
  writer out(here.scheduler, here.records, {.path = here.place / "line.pcapng"});
  std::string head;
  pcapng_encoder().begin(head);
  CHECK(here.content("line.pcapng") == head);
  here.record_lines(2);
  const std::string file = here.content("line.pcapng");
  reader from;
  std::size_t at = 0;
  lines found;
  for (;;) {
    const auto got = from.decode(as_bytes(file).subspan(at));
    at += got.consumed;
    if (got.status != framing::decode_status::message) break;
    found.push_back(line_of(got.message));
  }
  CHECK(found == lines{"00.000000000 1 sent 1: 78 |x|", "01.000000000 1 sent 1: 78 |x|"});
  CHECK(at == file.size());
}

TEST_CASE("flush writes at once, and tells when that is done") {
  site here;
  writer out(here.scheduler, here.records, here.text());
  here.records.add(made(event::sent, "x"));
  std::vector<std::error_code> told;
  out.flush([&](std::error_code error) {
    told.push_back(error);
    CHECK(here.content() == line_at(0));
  });
  CHECK(told.empty());
  here.scheduler.run_until_idle();
  here.scheduler.advance(0ms);
  CHECK(told == std::vector<std::error_code>{{}});
  out.flush([&](std::error_code error) { told.push_back(error); });
  here.scheduler.advance(0ms);
  CHECK(told.size() == 2);
}

TEST_CASE("close writes what is left and no more") {
  site here;
  writer out(here.scheduler, here.records, here.text());
  here.records.add(made(event::sent, "x"));
  bool closed = false;
  out.close([&](std::error_code error) { closed = !error; });
  CHECK(!out.is_open());
  here.scheduler.advance(0ms);
  CHECK(closed);
  here.records.add(made(event::sent, "y"));
  here.scheduler.advance(1s);
  CHECK(here.content() == line_at(0));
  CHECK(here.records.size() != 0);
  bool again = false;
  out.close([&](std::error_code) { again = true; });
  here.scheduler.advance(0ms);
  CHECK(again);
}

TEST_CASE("the destructor writes what is left") {
  site here;
  {
    const writer out(here.scheduler, here.records, here.text());
    here.records.add(made(event::sent, "x"));
  }
  CHECK(here.content() == line_at(0));
}

TEST_CASE("no file grows beyond the size, and as many older ones are kept as were asked for") {
  site here;
  writer_options options = here.text();
  options.max_size = 2 * line_at(0).size();
  options.keep = 2;
  writer out(here.scheduler, here.records, options);
  here.record_lines(9);
  CHECK(here.place.names() == lines{"line.1.txt", "line.2.txt", "line.txt"});
  CHECK(here.content() == line_at(8));
  CHECK(here.content("line.1.txt") == line_at(6) + line_at(7));
  CHECK(here.content("line.2.txt") == line_at(4) + line_at(5));
  CHECK(out.counters().files == 5);
  CHECK(out.counters().records == 9);
}

TEST_CASE("files are changed in the middle of a batch, too, and a record that is too long for any has one of its own") {
  site here;
  writer_options options = here.text();
  options.max_size = 2 * line_at(0).size();
  options.keep = 9;
  writer out(here.scheduler, here.records, options);
  here.record_lines(3, 0s);
  here.records.add(made(event::sent, std::string(1000, 'x')));
  here.record_lines(1, 0s);
  here.scheduler.advance(200ms);
  CHECK(here.place.names() == lines{"line.1.txt", "line.2.txt", "line.3.txt", "line.txt"});
  CHECK(here.content("line.3.txt") == line_at(0) + line_at(0));
  CHECK(here.content("line.2.txt") == line_at(0));
  CHECK(here.content("line.1.txt").size() > 4000);
  CHECK(here.content() == line_at(0));
}

TEST_CASE("each file of a series can be read alone") {
  site here;
  writer_options options{.path = here.place / "line.pcapng", .max_size = 300, .keep = 3};
  writer out(here.scheduler, here.records, options);
  here.record_lines(9);
  CHECK(here.place.names() == lines{"line.1.pcapng", "line.2.pcapng", "line.pcapng"});
  for (const std::string& name : here.place.names()) {
    CAPTURE(name);
    const std::string file = here.content(name);
    CHECK(file.size() <= 300);
    CHECK(reader().decode(as_bytes(file)).status == framing::decode_status::message);
  }
}

TEST_CASE("without older files the one file begins anew") {
  site here;
  writer_options options = here.text();
  options.max_size = 2 * line_at(0).size();
  writer out(here.scheduler, here.records, options);
  here.record_lines(3);
  CHECK(here.place.names() == lines{"line.txt"});
  CHECK(here.content() == line_at(2));
}

TEST_CASE("a file has records of no longer than the age") {
  site here;
  writer_options options = here.text();
  options.max_age = 2s;
  options.keep = 5;
  writer out(here.scheduler, here.records, options);
  here.record_lines(5);
  CHECK(here.content("line.2.txt") == line_at(0) + line_at(1));
  CHECK(here.content("line.1.txt") == line_at(2) + line_at(3));
  CHECK(here.content() == line_at(4));
}

TEST_CASE("a file that is there is replaced, or becomes an older one where those are kept") {
  site here;
  std::ofstream(here.place / "line.txt") << "from before";
  { const writer out(here.scheduler, here.records, here.text()); }
  CHECK(here.content() == "");
  std::ofstream(here.place / "line.txt") << "from before";
  writer_options options = here.text();
  options.keep = 1;
  { const writer out(here.scheduler, here.records, options); }
  CHECK(here.content() == "");
  CHECK(here.content("line.1.txt") == "from before");
}

TEST_CASE("the number of an older file stands in front of what a file is called by its kind") {
  CHECK(older_file("a.pcapng", 1) == "a.1.pcapng");
  CHECK(older_file("/x.d/a", 12) == "/x.d/a.12");
  CHECK(older_file("/x.d/a.b.txt", 3) == "/x.d/a.b.3.txt");
  CHECK(older_file("/x/.hidden", 2) == "/x/.hidden.2");
}

TEST_CASE("a file that cannot be opened is an error at once") {
  site here;
  CHECK_THROWS_WITH_AS(writer(here.scheduler, here.records, here.text("no/line.txt")), doctest::Contains("no/line.txt"), std::system_error);
  CHECK_THROWS_AS(writer(here.scheduler, here.records, {}), std::invalid_argument);
  writer_options many = here.text();
  many.keep = 10'001;
  CHECK_THROWS_AS(writer(here.scheduler, here.records, many), std::invalid_argument);
  here.records.add(made(event::sent, "x"));  // and nobody listens any more
  here.scheduler.advance(1s);
  CHECK(here.records.size() != 0);
}

TEST_CASE("a disk that is full ends the writing, once, and another writer can go on") {
  site here;
  std::vector<std::string> told;
  writer_options options = here.text();
  options.path = "/dev/full";
  options.on_failure = [&](std::error_code error, std::string_view detail) {
    CHECK(error == std::errc::no_space_on_device);
    told.emplace_back(detail);
  };
  {
    writer out(here.scheduler, here.records, options);
    here.record_lines(3);
    REQUIRE(told.size() == 1);
    CHECK(told[0].starts_with("/dev/full: "));
    CHECK(!out.is_open());
    CHECK(out.counters().not_written == 1);
    CHECK(out.counters().records == 0);
    std::error_code flushed;
    out.flush([&](std::error_code error) { flushed = error; });
    here.scheduler.advance(0ms);
    CHECK(flushed == std::errc::no_space_on_device);
  }
  CHECK(told.size() == 1);
  writer next(here.scheduler, here.records, here.text());
  here.scheduler.advance(200ms);
  CHECK(here.content() == line_at(1) + line_at(2));
}

TEST_CASE("a failure that the destructor finds is told, too, and all that is lost is counted") {
  site here;
  int told = 0;
  writer_options options = here.text();
  options.path = "/dev/full";
  options.on_failure = [&](std::error_code, std::string_view) { ++told; };
  auto out = std::make_unique<writer>(here.scheduler, here.records, options);
  here.records.add(made(event::sent, "x"));
  out.reset();
  CHECK(told == 1);

  std::error_code closed;
  out = std::make_unique<writer>(here.scheduler, here.records, options);
  for (int i = 0; i < 7; ++i) here.records.add(made(event::sent, std::string(60'000, 'x')));
  out->close([&](std::error_code error) { closed = error; });
  here.scheduler.advance(0ms);
  CHECK(closed == std::errc::no_space_on_device);
  CHECK(out->counters().not_written == 7);
  CHECK(told == 2);
}

TEST_CASE("on a loop another thread writes, in order, and the loop ends when all is written") {
  const folder place;
  loop owner;
  queue records(owner, from_zero());
  writer_options options;
  options.path = place / "line.txt";
  options.format = file_format::text;
  options.delay = 0ms;
  writer out(owner, records, options);
  int rounds = 0;
  int flushes = 0;
  std::function<void()> round = [&] {
    for (int i = 0; i < 10; ++i) records.add(made(event::sent, std::to_string(rounds * 10 + i)));
    out.flush([&](std::error_code error) {
      CHECK(!error);
      ++flushes;
    });
    if (++rounds < 50) owner.call_soon([&] { round(); });
  };
  owner.call_soon([&] { round(); });
  owner.run();
  CHECK(flushes == 50);
  CHECK(out.counters().records == 500);
  const std::string content = content_of(options.path);
  std::size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = content.find("|" + std::to_string(i) + "|", at);
    REQUIRE(at != content.npos);
  }
}

TEST_CASE("the destructor waits for the thread that writes, and writes the rest itself") {
  const folder place;
  loop owner;
  queue records(owner, from_zero());
  writer_options options;
  options.path = place / "line.txt";
  options.format = file_format::text;
  std::optional<writer> out(std::in_place, owner, records, options);
  records.add(made(event::sent, "x"));
  out->flush();
  owner.call_soon([&] {  // behind the timer of the flush, or before it
    records.add(made(event::sent, "y"));
    out.reset();
    owner.stop();
  });
  owner.run();
  const std::string content = content_of(options.path);
  CHECK(content.find("|x|") < content.find("|y|"));
  CHECK(content.find("|y|") != content.npos);
}

TEST_CASE("the loop does not wait for a file that takes nothing, and the destructor does") {
  const folder place;
  writer_options options;
  options.path = place / "line.txt";
  options.format = file_format::text;
  REQUIRE(::mkfifo(options.path.c_str(), 0600) == 0);
  const descriptor reading(::open(options.path.c_str(), O_RDONLY | O_NONBLOCK));
  loop owner;
  queue records(owner, from_zero());
  std::optional<writer> out(std::in_place, owner, records, options);
  for (int i = 0; i < 4; ++i) records.add(made(event::sent, std::string(60'000, 'x')));  // more than fits into a pipe
  out->flush();
  std::string content;
  timer behind(owner, [&] {
    pollfd begun{reading.get(), POLLIN, 0};
    CHECK(::poll(&begun, 1, -1) == 1);  // the other thread is at it, and cannot come to an end
    records.add(made(event::sent, "y"));
    ::fcntl(reading.get(), F_SETFL, 0);
    std::thread reader([&] {
      char buffer[4096];
      for (ssize_t n = 0; (n = ::read(reading.get(), buffer, sizeof buffer)) > 0;) content.append(buffer, static_cast<std::size_t>(n));
    });
    out.reset();
    reader.join();
  });
  behind.start(0ms);
  owner.run();
  std::size_t lines = 0;
  for (std::size_t at = content.find(" sent 60000:"); at != content.npos; at = content.find(" sent 60000:", at + 1)) ++lines;
  CHECK(lines == 4);
  CHECK(std::count(content.begin(), content.end(), '\n') == 5);
  CHECK(content.ends_with(" 1 sent 1: 79 |y|\n"));
}

TEST_CASE("a writer may be destroyed while its work is under way") {
  const folder place;
  loop owner;
  queue records(owner, from_zero());
  for (int i = 0; i < 20; ++i) {
    writer_options options;
    options.path = place / "line.txt";
    options.format = file_format::text;
    options.delay = 0ms;
    std::optional<writer> out(std::in_place, owner, records, options);
    records.add(made(event::sent, "x"));
    bool told = false;
    timer last(owner, [&] {
      records.add(made(event::sent, "y"));
      out.reset();
      told = true;
    });
    out->flush();
    last.start(0ms);  // behind the one that gives the work away
    owner.run();
    CHECK(told);
    const std::string content = content_of(options.path);
    CHECK(content.find("|x|") < content.find("|y|"));
    CHECK(content.find("|y|") != content.npos);
  }
}

TEST_CASE("a handler that is told of the end may destroy the writer") {
  site here;
  std::unique_ptr<writer> out;
  writer_options options = here.text();
  options.path = "/dev/full";
  options.on_failure = [&](std::error_code, std::string_view) { out.reset(); };
  out = std::make_unique<writer>(here.scheduler, here.records, options);
  here.record_lines(1);
  CHECK(out == nullptr);
  out = std::make_unique<writer>(here.scheduler, here.records, here.text());
  out->close([&](std::error_code) { out.reset(); });
  here.scheduler.advance(0ms);
  CHECK(out == nullptr);
}
