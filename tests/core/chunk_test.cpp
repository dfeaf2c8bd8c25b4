#include <sluice/detail/chunk.hpp>

#include <array>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::detail;

namespace {

constexpr std::size_t capacity = chunk::capacity;

// Text that shows where it was cut wrongly.
std::string pattern(std::size_t size, unsigned seed = 0) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 26 + seed) % 26);
  return text;
}

std::string content(const chunk_queue& queue, std::size_t skip = 0) {
  std::array<const_bytes, 512> parts;
  std::string text;
  for (std::size_t i = 0, count = queue.gather(parts, skip); i < count; ++i) {
    CHECK_FALSE(parts[i].empty());
    text += as_text(parts[i]);
  }
  return text;
}

struct queue_with_pool {
  ~queue_with_pool() { queue.clear(pool); }
  void append(const std::string& text) { queue.append(pool, as_bytes(text)); }

  chunk_pool pool;
  chunk_queue queue;
};

}  // namespace

TEST_CASE("a queue gives back what was appended, in order, across chunks") {
  queue_with_pool one;
  std::string expected;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, capacity - 1, std::size_t{1}, capacity, 3 * capacity + 5, std::size_t{7}}) {
    const std::string text = pattern(size, static_cast<unsigned>(expected.size()));
    one.append(text);
    expected += text;
    CHECK(one.queue.size() == expected.size());
    CHECK(one.queue.empty() == expected.empty());
    CHECK(content(one.queue) == expected);
  }
  for (const std::size_t skip : {std::size_t{1}, capacity - 1, capacity, capacity + 1, expected.size() - 1, expected.size()})
    CHECK(content(one.queue, skip) == expected.substr(skip));
}

TEST_CASE("consuming frees whole chunks at once and leaves the rest as it was") {
  queue_with_pool one;
  const std::string text = pattern(3 * capacity);
  one.append(text);
  one.queue.consume(one.pool, 0);
  CHECK(content(one.queue) == text);
  one.queue.consume(one.pool, capacity - 1);
  CHECK(one.pool.free_chunks() == 0);
  CHECK(as_text(one.queue.front()) == text.substr(capacity - 1, 1));
  one.queue.consume(one.pool, 1);
  CHECK(one.pool.free_chunks() == 1);
  CHECK(content(one.queue) == text.substr(capacity));
  one.queue.consume(one.pool, 2 * capacity);
  CHECK(one.pool.free_chunks() == 3);
  CHECK(one.queue.empty());
  CHECK(one.queue.front().empty());
  one.append("again");
  CHECK(content(one.queue) == "again");
  CHECK(one.pool.free_chunks() == 2);
}

TEST_CASE("gather gives no more parts than there is room for") {
  queue_with_pool one;
  one.append(pattern(4 * capacity));
  std::array<const_bytes, 2> two;
  CHECK(one.queue.gather(two) == 2);
  CHECK(one.queue.gather(two, 3 * capacity + 1) == 1);
  CHECK(one.queue.gather({}) == 0);
}

TEST_CASE("gather_from gives what was appended since a place, and no byte twice") {
  queue_with_pool one;
  const_bytes parts[8];
  auto from_the_start = one.queue.end();
  CHECK(one.queue.gather_from(from_the_start, parts) == 0);
  one.append("abc");
  auto behind_abc = one.queue.end();
  one.append("def");
  one.append(std::string(2 * capacity, 'x'));
  REQUIRE(one.queue.gather_from(behind_abc, parts) == 3);
  CHECK(as_text(parts[0]).substr(0, 4) == "defx");
  CHECK(parts[0].size() + parts[1].size() + parts[2].size() == 2 * capacity + 3);
  CHECK(one.queue.gather_from(behind_abc, parts) == 0);
  REQUIRE(one.queue.gather_from(from_the_start, std::span(parts, 1)) == 1);
  CHECK(as_text(parts[0]).substr(0, 7) == "abcdefx");
  CHECK(one.queue.gather_from(from_the_start, parts) == 2);
}

TEST_CASE("splicing moves everything behind what is here, and both queues go on working") {
  queue_with_pool one;
  chunk_queue other;
  one.queue.splice(other);
  CHECK(one.queue.empty());
  other.append(one.pool, as_bytes("tail"));
  one.queue.splice(other);
  CHECK(content(one.queue) == "tail");
  CHECK(other.empty());
  other.append(one.pool, as_bytes(pattern(capacity + 1)));
  one.queue.splice(other);
  one.append("end");
  CHECK(content(one.queue) == "tail" + pattern(capacity + 1) + "end");
  other.append(one.pool, as_bytes("fresh"));
  CHECK(content(other) == "fresh");
  other.clear(one.pool);
}

TEST_CASE("a pool keeps a bounded number of chunks and hands them out again") {
  chunk_pool pool;
  std::vector<chunk*> taken;
  for (std::size_t i = 0; i < chunk_pool::keep + 3; ++i) taken.push_back(pool.take());
  CHECK(pool.free_chunks() == 0);
  chunk* const last = taken[chunk_pool::keep - 1];
  for (chunk* one : taken) pool.give(one);
  CHECK(pool.free_chunks() == chunk_pool::keep);
  chunk* const again = pool.take();
  CHECK(again == last);
  CHECK(again->used().empty());
  CHECK(again->room() == capacity);
  pool.give(again);
}

TEST_CASE("a queue agrees with a string after any sequence of append, consume and splice") {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    queue_with_pool one;
    std::string model;
    for (int step = 0; step < 60; ++step) {
      const std::string text = pattern(random() % (random() % 4 == 0 ? 3 * capacity : 300), static_cast<unsigned>(random() % 26));
      switch (random() % 3) {
        case 0: one.append(text); break;
        case 1: {
          chunk_queue other;
          other.append(one.pool, as_bytes(text));
          one.queue.splice(other);
          break;
        }
        default: {
          const std::size_t n = model.empty() ? 0 : random() % (model.size() + 1);
          one.queue.consume(one.pool, n);
          model.erase(0, n);
          continue;
        }
      }
      model += text;
      REQUIRE(one.queue.size() == model.size());
    }
    CHECK(content(one.queue) == model);
  }
}
