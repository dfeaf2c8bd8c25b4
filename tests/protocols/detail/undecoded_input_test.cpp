#include <sluice/detail/undecoded_input.hpp>

#include <random>
#include <string>

#include <doctest/doctest.h>
#include <sluice/testing/allocation_counter.hpp>

using sluice::as_bytes;
using sluice::as_text;
using sluice::detail::undecoded_input;

TEST_CASE("a chunk without anything in front of it is shown where it is") {
  const std::string chunk = "abcdef";
  undecoded_input input;
  CHECK(input.empty());
  input.receive(as_bytes(chunk));
  CHECK(input.window().data() == as_bytes(chunk).data());
  input.consume(2);
  CHECK(input.window().data() == as_bytes(chunk).data() + 2);
  CHECK(!input.widen(100));
  CHECK(input.unread().data() == as_bytes(chunk).data() + 2);
}

TEST_CASE("of a chunk behind an incomplete message only the first part is joined to it") {
  undecoded_input input;
  input.receive(as_bytes("ab"));
  input.settle(false);
  const std::string chunk(10'000, 'x');
  input.receive(as_bytes(chunk));
  CHECK(as_text(input.window()) == "ab");
  CHECK(input.widen(0));
  CHECK(input.window().size() == 2 + 512);
  CHECK(input.widen(1000));
  CHECK(input.window().size() == 1028);
  input.consume(1002);
  CHECK(input.window().data() == as_bytes(chunk).data() + 1000);
  CHECK(input.window().size() == 9000);
}

TEST_CASE("what was shown stays where it is until more is asked for") {
  undecoded_input input;
  input.receive(as_bytes("message|"));
  input.settle(true);
  input.receive(as_bytes("second|"));
  const auto shown = input.window();
  input.consume(8);
  CHECK(as_text(input.unread()) == "second|");
  CHECK(as_text(shown) == "message|second|");
}

TEST_CASE("storage of up to 64 KiB is kept for the next incomplete message") {
  const std::string chunk(1000, 'x');
  undecoded_input input;
  input.receive(as_bytes(chunk));
  input.settle(false);
  const auto* place = input.window().data();
  input.consume(1000);
  input.settle(false);
  input.receive(as_bytes(chunk));
  input.settle(false);
  CHECK(input.window().data() == place);
}

TEST_CASE("storage above 64 KiB is given back as soon as it is empty") {
  if (!sluice::testing::allocation_counter::available()) return;
  const std::string chunk(100'000, 'x');
  undecoded_input input;
  input.receive(as_bytes(chunk));
  input.settle(false);
  const sluice::testing::allocation_counter counter;
  input.consume(chunk.size());
  CHECK(counter.counts().frees == 0);
  input.settle(false);
  CHECK(counter.counts().frees == 1);
}

TEST_CASE("whatever is received, shown and consumed, the bytes come out once and in order") {
  std::mt19937 random(7);
  const auto up_to = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n)(random); };
  for (int round = 0; round < 200; ++round) {
    undecoded_input input;
    std::string expected;
    char next = 0;
    for (int turn = 0; turn < 20; ++turn) {
      std::string chunk;
      for (auto size = up_to(3000); size > 0; --size) chunk.push_back(next++);
      expected += chunk;
      input.receive(as_bytes(chunk));
      for (auto steps = up_to(6); steps > 0; --steps) {
        if (up_to(1) == 0) input.widen(up_to(4000));
        const auto taken = up_to(input.window().size());
        REQUIRE(as_text(input.window().first(taken)) == expected.substr(0, taken));
        input.consume(taken);
        expected.erase(0, taken);
      }
      if (up_to(3) == 0) REQUIRE(as_text(input.unread()) == expected);
      input.settle(up_to(1) == 0);
      REQUIRE(as_text(input.unread()) == expected);
      REQUIRE(input.empty() == expected.empty());
    }
  }
}
