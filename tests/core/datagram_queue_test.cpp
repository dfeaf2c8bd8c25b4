#include <sluice/detail/datagram_queue.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using detail::chunk_pool;
using detail::datagram_queue;

namespace {

std::string text_of(std::size_t n) {
  std::string result(n, '\0');
  for (std::size_t i = 0; i < n; ++i) result[i] = static_cast<char>(i * 7 + n);
  return result;
}

struct site {
  ~site() { queue.clear(pool); }
  void append(std::size_t n, const address& peer) { queue.append(pool, as_bytes(text_of(n)), peer); }

  chunk_pool pool;
  datagram_queue queue;
  std::vector<std::byte> room = std::vector<std::byte>(65535);
};

}  // namespace

TEST_CASE("D8 a queue gives datagrams of all sizes and addresses back as they were") {
  site here;
  const address peers[] = {{"127.0.0.1", 7},
                           {"fe80::1%3", 8},
                           address::unix_path(std::string(100, 'p')),
                           address::unix_abstract(std::string("a\0b", 3)),
                           address::unix_unnamed(),
                           {}};
  const std::size_t sizes[] = {0, 1, 64, 1400, 16'000, 16'384, 40'000, 65'535, 0, 3};
  std::size_t total = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    here.append(sizes[i % 10], peers[i % 6]);
    total += sizes[i % 10];
  }
  CHECK(here.queue.count() == 60);
  CHECK(here.queue.bytes() == total);
  for (std::size_t i = 0; i < 60; ++i) {
    const auto next = here.queue.take(here.pool, here.room);
    CHECK(next.peer == peers[i % 6]);
    CHECK(as_text(next.data) == text_of(sizes[i % 10]));
  }
  CHECK(here.queue.empty());
  CHECK(here.queue.bytes() == 0);
  CHECK(here.pool.bytes_in_use() == 0);
}

TEST_CASE("D8 a look ahead sees the same datagrams, joins those in two chunks, and takes nothing away") {
  site here;
  for (std::size_t n = 1; n <= 40; ++n) here.append(n * 500, {"127.0.0.1", static_cast<std::uint16_t>(n)});
  datagram_queue::place at;
  std::size_t n = 1;
  bool any_joined = false;
  for (; !here.queue.is_end(at); ++n) {
    const auto next = here.queue.next(at, here.room);
    CHECK(next.peer.port() == n);
    CHECK(as_text(next.data) == text_of(n * 500));
    CHECK((next.data.data() == here.room.data()) == next.joined);
    any_joined |= next.joined;
  }
  CHECK(n == 41);
  CHECK(any_joined);
  here.queue.consume(here.pool, 39);
  CHECK(here.queue.count() == 1);
  CHECK(here.queue.bytes() == 40 * 500);
}
