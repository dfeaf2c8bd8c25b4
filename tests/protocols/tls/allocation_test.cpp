#include <sluice/tls/layer.hpp>

#include <doctest/doctest.h>

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sluice/testing/allocation_counter.hpp>

#include "tls_pair.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

// OpenSSL's memory comes from a block of its own that nobody counts, and is never given back: what is counted is ours.
class apart {
 public:
  static bool install() { return CRYPTO_set_mem_functions(take, resize, give) == 1; }

 private:
  static constexpr std::size_t size = 64 * 1024 * 1024;
  struct header {
    std::size_t bytes;
    std::size_t unused;
  };

  static void* take(std::size_t bytes, const char*, int) {
    static char* const block = static_cast<char*>(std::malloc(size));
    static std::size_t used = 0;
    const std::size_t whole = sizeof(header) + (bytes + 15) / 16 * 16;
    if (block == nullptr || size - used < whole) return nullptr;
    auto* const made = ::new (block + used) header{bytes, 0};
    used += whole;
    return made + 1;
  }
  static void* resize(void* from, std::size_t bytes, const char* file, int line) {
    void* const to = take(bytes, file, line);
    if (from != nullptr && to != nullptr) std::memcpy(to, from, std::min(bytes, (static_cast<header*>(from) - 1)->bytes));
    return to;
  }
  static void give(void*, const char*, int) {}
};

const bool is_apart = apart::install();

class bouncer final : public protocol {
 public:
  std::size_t left = 0;

 private:
  void connection_made(transport& made) override { transport_ = &made; }
  void data_received(const_bytes data) override {
    if (left == 0) return;
    --left;
    transport_->write(data);
  }

  transport* transport_ = nullptr;
};

}  // namespace

TEST_CASE("a message over TLS costs no allocation but OpenSSL's own") {
  REQUIRE(is_apart);
  if (!allocation_counter::available()) return;
  tls_pair pair;
  pair.make_contexts();
  bouncer server, client;
  const auto made = memory::pair(pair.scheduler, std::make_unique<tls::layer>(pair.scheduler, borrow(server), pair.server_context),
                                 std::make_unique<tls::layer>(pair.scheduler, borrow(client), pair.client_context,
                                                              tls::connection_options{.server_name = "localhost"}));
  pair.run();
  transport* near = nullptr;
  pair.scheduler.for_each_transport([&](transport& each) {
    if (near == nullptr && each.info<tls::session>()) near = &each;
  });
  REQUIRE(near != nullptr);
  const std::string message(1024, 'm');
  const auto bounce = [&](std::size_t times) {
    server.left = client.left = times;
    const allocation_counter counter;
    near->write(message);
    pair.run();
    return counter.counts().allocations;
  };
  bounce(100);
  CHECK(bounce(200) == bounce(1));
}
