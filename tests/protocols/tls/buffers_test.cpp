#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <openssl/crypto.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;
using namespace std::chrono_literals;

// How much of what a connection holds, and hands down, there is at a time.

namespace {

// Bytes that OpenSSL holds, all of them by this one thread.
class counted {
 public:
  static bool install() { return CRYPTO_set_mem_functions(take, resize, give) == 1; }
  static std::size_t held() { return total; }

 private:
  struct alignas(std::max_align_t) header {
    std::size_t bytes;
  };

  static void* take(std::size_t bytes, const char*, int) { return note(std::malloc(sizeof(header) + bytes), bytes); }
  static void* resize(void* from, std::size_t bytes, const char*, int) {
    if (from == nullptr) return note(std::malloc(sizeof(header) + bytes), bytes);
    header* const old = static_cast<header*>(from) - 1;
    const std::size_t before = old->bytes;
    void* const made = std::realloc(old, sizeof(header) + bytes);
    if (made != nullptr) total -= before;
    return note(made, bytes);
  }
  static void give(void* from, const char*, int) {
    if (from == nullptr) return;
    header* const old = static_cast<header*>(from) - 1;
    total -= old->bytes;
    std::free(old);
  }
  static void* note(void* made, std::size_t bytes) {
    if (made == nullptr) return nullptr;
    total += bytes;
    return ::new (made) header{bytes} + 1;
  }

  static inline std::size_t total = 0;
};

const bool is_counted = counted::install();

constexpr std::size_t record = 16 * 1024;
constexpr std::size_t overhead = 22;  // of a record, with TLS 1.3

// What the server's writes cost beside their plaintext.
struct expense {
  explicit expense(tls_pair& of) : pair(of), before(of.made->first.counters().bytes_sent) {}
  std::size_t records_of(std::size_t bytes) {
    pair.server.connection()->write(std::string(bytes, 's'));
    pair.run();
    const std::uint64_t after = pair.made->first.counters().bytes_sent;
    return (after - std::exchange(before, after) - bytes) / overhead;
  }
  tls_pair& pair;
  std::uint64_t before;
};

}  // namespace

TEST_CASE("a connection that is busy keeps OpenSSL's buffers, and a silent one gives them back") {
  REQUIRE(is_counted);
  for (const tls::protocol_version version : {tls::protocol_version::tls1_2, tls::protocol_version::tls1_3}) {
    CAPTURE(tls::to_string(version));
    tls_pair pair;
    pair.client_options.max_version = version;
    pair.connect();
    pair.server.on_data = [&](const_bytes data) { pair.server.connection()->write(data); };
    const std::string message(1024, 'm');
    const auto exchange = [&](int times) {
      for (int i = 0; i < times; ++i) {
        pair.client.connection()->write(message);
        pair.run();
      }
    };
    exchange(1);
    const std::size_t at_rest = counted::held();
    exchange(20);
    CHECK(counted::held() > at_rest + 4 * record);  // two at each end
    for (int i = 0; i < 10; ++i) {
      pair.scheduler.advance(500ms);
      exchange(1);
    }
    CHECK(counted::held() > at_rest + 4 * record);
    pair.scheduler.advance(2s);
    CHECK(counted::held() <= at_rest);
    CHECK(pair.scheduler.next_timer() == time_point::max());
    pair.client.forget();
    exchange(20);
    CHECK(pair.client.received().size() == 20 * message.size());
    pair.scheduler.advance(2s);
    CHECK(counted::held() <= at_rest);
  }
}

TEST_CASE("a connection that says a word now and then never holds OpenSSL's buffers") {
  REQUIRE(is_counted);
  tls_pair pair;
  pair.connect();
  pair.client.connection()->write("word");
  pair.run();
  const std::size_t at_rest = counted::held();
  for (int i = 0; i < 10; ++i) {
    pair.client.connection()->write("word");
    pair.run();
    CHECK(counted::held() == at_rest);
  }
}

TEST_CASE("small records come first again after a pause of two seconds") {
  tls_pair pair;
  pair.server_options.small_records_first = 4000;
  pair.connect();
  expense sent(pair);
  CHECK(sent.records_of(10'000) == 4);  // 3 of 1350 bytes, and the rest
  CHECK(sent.records_of(10'000) == 1);
  pair.scheduler.advance(900ms);
  CHECK(sent.records_of(10'000) == 1);
  pair.scheduler.advance(2s);
  CHECK(sent.records_of(10'000) == 4);
  CHECK(sent.records_of(10'000) == 1);
}

TEST_CASE("T10 of one huge write that the peer does not read no more is encrypted than the transport below takes") {
  constexpr std::size_t batch = 144 * 1024;  // goes down in one piece
  tls_pair pair;
  pair.connect();
  pair.made->link.stall(memory::side::first);
  const std::size_t high = pair.made->first.get_write_buffer_limits().high;
  const std::size_t size = 8'000'000;
  SUBCASE("in one part") { pair.server.connection()->write(std::string(size, 'x')); }
  SUBCASE("in many parts") {
    const std::string part(size / 1000, 'x');
    const std::vector<const_bytes> parts(1000, as_bytes(part));
    pair.server.connection()->writev(parts);
  }
  pair.run();
  CHECK(pair.made->first.get_write_buffer_size() <= high + batch);
  CHECK(pair.server.connection()->get_write_buffer_size() >= size - high - batch);
  CHECK(pair.server.count("pause") == 1);
  pair.made->link.stall(memory::side::first, false);
  pair.run();
  CHECK(pair.client.received().size() == size);
  CHECK(pair.server.count("resume") == 1);
}
