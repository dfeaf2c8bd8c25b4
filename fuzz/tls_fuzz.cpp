// tls::layer in either role over an in-memory link in virtual time. The peer is a stranger whose bytes are the input, or TLS of ours through a
// wire that changes, drops and doubles bytes as the input says. Held against it: the order of the callbacks, that bytes are either those that were
// sent or none, that output is bounded, and that nothing is left in the end, neither a transport nor an error of OpenSSL's.

#include <sluice/memory.hpp>
#include <sluice/testing/checked_protocol.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/tls/layer.hpp>

#include <openssl/err.h>

#include <algorithm>
#include <memory>
#include <string>

#include "certificates.hpp"
#include "decoder_oracle.hpp"
#include "schedule.hpp"

using namespace sluice;

namespace {

constexpr std::string_view said = "what one end says to the other, as often as it may";

// Says its text once, and holds what it hears against the same text.
class talker final : public protocol {
 public:
  explicit talker(transport*& place) : place_(place) {}

 private:
  void connection_made(transport& made) override {
    place_ = &made;
    made.write(said);
  }
  void data_received(const_bytes data) override {
    for (const std::byte each : data) {
      oracle::require(heard_ < said.size() && static_cast<char>(each) == said[heard_], "no byte arrives that was not sent");
      ++heard_;
    }
  }
  void connection_lost(std::error_code) override { place_ = nullptr; }

  transport*& place_;
  std::size_t heard_ = 0;
};

class stranger final : public protocol {
  void data_received(const_bytes) override {}
};

// A wire that does damage: below the layer under test, in what comes in.
class damage final : public sluice::layer {
 public:
  damage(sluice::scheduler& owner, protocol_ptr upper, schedule& steps) : layer(owner, std::move(upper)), steps_(steps) {}

 private:
  void data_received(const_bytes data) override {
    std::string bytes(as_text(data));
    const std::uint8_t what = steps_.next();
    const std::size_t where = bytes.size() * steps_.next() / 256;
    switch (what % 6) {
      case 1: bytes[where] = static_cast<char>(bytes[where] ^ (steps_.next() | 1)); break;
      case 2: bytes.erase(where, 1); break;
      case 3: bytes.insert(where, bytes.substr(where, 16)); break;
      case 4: bytes.resize(where); break;
      default: break;
    }
    received(as_bytes(bytes));
  }

  schedule& steps_;
};

struct contexts {
  tls::context server;
  tls::context client;
};

const contexts& all_contexts(bool old) {
  static const auto make = [](tls::protocol_version version) {
    certificates::authority authority("a fuzzer");
    const certificates::made own = authority.issue();
    tls::server_options server;
    server.min_version = server.max_version = version;
    server.identities.emplace_back();
    server.identities[0].chain_pem = own.certificate;
    server.identities[0].key_pem = own.key;
    tls::client_options client;
    client.resume = false;
    client.servers.ca_pem = authority.certificate();
    return contexts{tls::context::server(server), tls::context::client(client)};
  };
  static const contexts of_1_2 = make(tls::protocol_version::tls1_2);
  static const contexts of_1_3 = make(tls::protocol_version::tls1_3);
  return old ? of_1_2 : of_1_3;
}

void perform(std::uint8_t step, schedule& steps, testing::manual_scheduler& scheduler, memory::connection& link, transport* near) {
  switch (step % 8) {
    case 0:
      if (near != nullptr) near->pause_reading();
      return;
    case 1:
      if (near != nullptr) near->resume_reading();
      return;
    case 2: scheduler.advance(std::chrono::milliseconds(steps.next() * 50)); return;
    case 3: link.link.limit_sends(memory::side::second, {static_cast<std::size_t>(steps.next()) + 1}); return;
    case 4:
      if (near != nullptr && near->can_write_eof()) near->write_eof();
      return;
    case 5:
      if (near != nullptr) near->close();
      return;
    default: link.second.write(steps.piece(std::size_t{1} + steps.next())); return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  schedule steps(data, size);
  const std::uint8_t kind = steps.next();
  const contexts& all = all_contexts((kind & 4) != 0);
  const bool near_serves = (kind & 1) != 0;
  const bool knows_tls = (kind & 2) != 0;
  tls::connection_options asking;
  asking.server_name = "localhost";
  transport* near = nullptr;
  transport* far = nullptr;
  {
    testing::manual_scheduler scheduler;
    const auto end = [&](bool serves, transport*& place) -> protocol_ptr {
      protocol_ptr upper = testing::checked([&] { return std::make_unique<talker>(place); })();
      if (serves) return std::make_unique<tls::layer>(scheduler, std::move(upper), all.server);
      return std::make_unique<tls::layer>(scheduler, std::move(upper), all.client, asking);
    };
    protocol_ptr peer = std::make_unique<stranger>();
    if (knows_tls) peer = end(!near_serves, far);
    auto link = memory::pair(scheduler, std::make_unique<damage>(scheduler, end(near_serves, near), steps), std::move(peer));
    const auto both_open = [&] { return link.link.is_open(memory::side::first) && link.link.is_open(memory::side::second); };
    scheduler.run_until_idle();
    while (!steps.is_over() && both_open()) {
      perform(steps.next(), steps, scheduler, link, near);
      scheduler.run_until_idle();
      if (both_open()) oracle::require(link.first.get_write_buffer_size() < 256 * 1024, "unsent records are bounded");
    }
    if (link.link.is_open(memory::side::second)) link.second.close();
    scheduler.run_until_idle();
    if (near != nullptr) near->abort();
    scheduler.advance(std::chrono::minutes(2));
    oracle::require(scheduler.open_transports() == 0, "both ends are gone in the end");
    oracle::require(ERR_peek_error() == 0, "OpenSSL's error queue is empty");
  }
  return 0;
}
