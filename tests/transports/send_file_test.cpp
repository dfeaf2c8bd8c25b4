#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/layer.hpp>
#include <sluice/local.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/testing/transport_conformance.hpp>

using namespace sluice;
using namespace sluice::testing;

// `transport::send_file` over media that take a file from its descriptor and over media for which it is read.

namespace {

std::string random_text(std::size_t size) {
  std::mt19937 random(7);
  std::string text(size, 'x');
  for (char& each : text) each = static_cast<char>('a' + random() % 26);
  return text;
}

descriptor file_of(std::string_view text) {
  char name[] = "/tmp/sluice-send-file-XXXXXX";
  descriptor file(::mkostemp(name, O_CLOEXEC));
  ::unlink(name);
  REQUIRE(::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return file;
}

descriptor same(const descriptor& file) { return descriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)); }

std::unique_ptr<layer> pass_through(scheduler& owner, protocol_ptr upper) { return std::make_unique<layer>(owner, std::move(upper)); }

std::vector<transport_under_test> media() {
  return {over_tcp(), over_local(), over_pipe(), over_memory(), with_layer("layer over tcp", over_tcp(), pass_through), over_process()};
}

struct site {
  recording_protocol near;
  recording_protocol far;
  std::optional<std::error_code> ended;
  std::uint64_t taken = 0;
  std::unique_ptr<transport_fixture> place;

  explicit site(const transport_under_test& medium) : place(medium.make()) {
    place->scheduler().set_misuse(misuse_action::report);
    place->scheduler().on_error([this](const error_event& event) {
      if (event.source == error_source::misuse) near.note("misuse");
    });
    place->connect(borrow(near), borrow(far));
    REQUIRE(until([this] { return near.connection() != nullptr && far.connection() != nullptr; }));
  }

  bool until(const std::function<bool()>& done) { return place->run_until(done); }
  bool has_ended() {
    return until([this] { return ended.has_value(); });
  }
  bool arrives(std::size_t size) {
    return until([this, size] { return far.received().size() >= size; });
  }
  send_file_handler note() {
    return [this](std::error_code error, std::uint64_t bytes) {
      CHECK_FALSE(ended.has_value());
      ended = error;
      taken = bytes;
      near.note("told");
    };
  }
  transport& sender() { return *near.connection(); }
};

void over_each(const std::function<void(const transport_under_test&)>& test) {
  for (const transport_under_test& medium : media()) {
    CAPTURE(medium.name);
    test(medium);
  }
}

}  // namespace

TEST_CASE("H2 a file goes between what was written before and after it, and its descriptor does not move") {
  const std::string text = random_text(1'000'000);
  over_each([&](const transport_under_test& medium) {
    site here(medium);
    const descriptor file = file_of(text);
    here.sender().write("before ");
    CHECK_FALSE(here.sender().send_file(same(file), 10, 900'000, here.note()));
    CHECK(here.has_ended());
    CHECK(*here.ended == std::error_code());
    CHECK(here.taken == 900'000);
    here.sender().write(" behind");
    CHECK(here.arrives(900'014));
    CHECK(here.far.received() == std::string("before ").append(text, 10, 900'000).append(" behind"));
    CHECK(::lseek(file.get(), 0, SEEK_CUR) == 0);
  });
}

TEST_CASE("H1 flow control speaks of the file: writing is paused while it is sent, and refused, and bounded memory holds it") {
  const std::string text = random_text(8'000'000);
  over_each([&](const transport_under_test& medium) {
    site here(medium);
    here.far.connection()->pause_reading();
    here.near.on_pause = [] { return backpressure::handled; };
    CHECK_FALSE(here.sender().send_file(file_of(text), 0, to_the_end, here.note()));
    CHECK(here.near.count("pause") == 1);
    CHECK(here.sender().get_write_buffer_size() > 0);
    CHECK(here.sender().write("x") == write_status::dropped);
    CHECK(here.sender().write("y") == write_status::dropped);
    CHECK(here.near.count("misuse") == 1);
    CHECK(here.sender().send_file(file_of("z"), 0, 1, {}) == errc::misuse);
    CHECK(here.place->scheduler().memory_in_use() < 512 * 1024);
    here.far.connection()->resume_reading();
    CHECK(here.arrives(text.size()));
    CHECK(here.has_ended());
    CHECK(here.near.count("resume") == 1);
    CHECK(here.sender().write("!") == write_status::accepted);
    CHECK(here.arrives(text.size() + 1));
    CHECK(here.far.received() == std::string(text).append("!"));
  });
}

TEST_CASE("H2 close and write_eof end the output behind the file") {
  const std::string text = random_text(600'000);
  const auto end_by = [&](const transport_under_test& medium, const std::function<void(transport&)>& end) {
    site here(medium);
    CHECK_FALSE(here.sender().send_file(file_of(text), 0, to_the_end, here.note()));
    end(here.sender());
    CHECK(here.sender().send_file(file_of("z"), 0, 1, {}) == errc::closed);
    CHECK(here.until([&] { return here.near.is_lost() && here.far.is_lost(); }));
    CHECK(here.near.lost_reason() == std::error_code());
    CHECK(here.far.received() == text);
    CHECK(here.ended == std::error_code());
  };
  over_each([&](const transport_under_test& medium) {
    end_by(medium, [](transport& sender) { sender.close(); });
    end_by(medium, [](transport& sender) { sender.write_eof(); });
  });
}

TEST_CASE("H1 the end of the connection is told with the bytes that were taken, before connection_lost") {
  const std::string text = random_text(8'000'000);
  const auto end_by = [&](const transport_under_test& medium, bool us) {
    site here(medium);
    here.far.connection()->pause_reading();
    CHECK_FALSE(here.sender().send_file(file_of(text), 0, to_the_end, here.note()));
    us ? here.sender().abort() : here.far.connection()->abort();
    CHECK(here.until([&] { return here.near.is_lost(); }));
    REQUIRE(here.ended.has_value());
    CHECK(*here.ended);
    CHECK(here.taken < text.size());
    CHECK(here.near.events().at(here.near.events().size() - 2) == "told");
  };
  over_each([&](const transport_under_test& medium) {
    end_by(medium, true);
    end_by(medium, false);
  });
}

TEST_CASE("H1 a range that is not in the file is refused; a file that shrinks meanwhile ends the connection") {
  over_each([&](const transport_under_test& medium) {
    site here(medium);
    CHECK(here.sender().send_file(file_of("four"), 0, 5, here.note()) == errc::file_too_short);
    CHECK(here.sender().send_file(file_of("four"), 5, to_the_end, here.note()) == errc::file_too_short);
    CHECK(here.sender().send_file(descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)), 0, 1, here.note()) == errc::not_a_file);
    CHECK(here.sender().send_file(descriptor(), 0, 1, here.note()) == std::errc::bad_file_descriptor);
    CHECK_FALSE(here.sender().send_file(file_of("four"), 4, to_the_end, here.note()));
    CHECK(here.has_ended());
    CHECK(here.taken == 0);
    here.ended.reset();
    here.far.connection()->pause_reading();
    const descriptor file = file_of(random_text(8'000'000));
    CHECK_FALSE(here.sender().send_file(same(file), 0, to_the_end, here.note()));
    REQUIRE(::ftruncate(file.get(), 0) == 0);
    here.far.connection()->resume_reading();
    CHECK(here.until([&] { return here.near.is_lost(); }));
    CHECK(here.near.lost_reason() == errc::file_too_short);
    CHECK(*here.ended == errc::file_too_short);
  });
}

TEST_CASE("H1 files one after the other, each begun when the one before it was told of") {
  over_each([&](const transport_under_test& medium) {
    site here(medium);
    const std::string text = random_text(100'000);
    const descriptor file = file_of(text);
    int left = 20;
    std::function<void(std::error_code, std::uint64_t)> next = [&](std::error_code error, std::uint64_t) {
      CHECK_FALSE(error);
      if (--left > 0) CHECK_FALSE(here.sender().send_file(same(file), 0, to_the_end, next));
    };
    CHECK_FALSE(here.sender().send_file(same(file), 0, to_the_end, next));
    CHECK(here.arrives(20 * text.size()));
    CHECK(here.until([&] { return left == 0; }));
  });
}

TEST_CASE("H1 the loop may end while a file is read") {
  over_each([&](const transport_under_test& medium) {
    site here(medium);
    here.far.connection()->pause_reading();
    CHECK_FALSE(here.sender().send_file(file_of(random_text(4'000'000)), 0, to_the_end, here.note()));
    here.place.reset();
    REQUIRE(here.ended.has_value());
    CHECK(*here.ended == errc::aborted);
  });
}

TEST_CASE("H1 a file does not count for max_write_buffer, however little that is, nor for the marks, however high they are") {
  const std::string text = random_text(1'000'000);
  over_each([&](const transport_under_test& medium) {
    site here(medium);
    stream_options options = here.sender().options();
    options.max_write_buffer = 8192;
    CHECK_FALSE(here.sender().set_options(options));
    CHECK_FALSE(here.sender().set_write_buffer_limits({.high = static_cast<std::size_t>(-1), .low = 100'000}));
    here.far.connection()->pause_reading();
    CHECK_FALSE(here.sender().send_file(file_of(text), 0, to_the_end, here.note()));
    CHECK(here.near.count("pause") == 1);
    here.far.connection()->resume_reading();
    CHECK(here.arrives(text.size()));
    CHECK(here.has_ended());
    CHECK(*here.ended == std::error_code());
    CHECK(here.far.received() == text);
  });
}

TEST_CASE("H1 descriptors are not passed while a file is sent") {
  site here(over_local());
  here.far.connection()->pause_reading();
  CHECK_FALSE(here.sender().send_file(file_of(random_text(4'000'000)), 0, to_the_end, here.note()));
  descriptor passed = file_of("x");
  CHECK(local::send_descriptors(here.sender(), {&passed, 1}, as_bytes("x")) == errc::misuse);
  CHECK(passed.is_open());
  CHECK(here.near.count("misuse") == 1);
}
