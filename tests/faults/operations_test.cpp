#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/layer.hpp>
#include <sluice/local.hpp>
#include <sluice/resolver.hpp>
#include <sluice/shutdown.hpp>
#include <sluice/tcp.hpp>
#include <sluice/timer.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/testing/allocation_failure.hpp>
#include <sluice/testing/callback_oracle.hpp>
#include <sluice/testing/failure_sweep.hpp>

#include "../transports/socket_kit.hpp"
#include "interposer.hpp"
#include "watcher_table.hpp"

using namespace sluice;
using namespace std::chrono_literals;
using sluice::testing::allocation_failure;
using sluice::testing::callback;
using sluice::testing::callback_oracle;
using sluice::testing::failure_sweep;

namespace {

// Asks nothing of the heap by itself.
class end final : public protocol {
 public:
  void connection_made(transport& made) override {
    const callback_oracle::scope running(oracle_, callback::made, &made);
    connection = &made;
    ++times_made;
  }
  void data_received(const_bytes data) override {
    const callback_oracle::scope running(oracle_, callback::data, connection, data.size());
    received += data.size();
    if (on_data != nullptr) on_data(*connection);
  }
  eof eof_received() override {
    const callback_oracle::scope running(oracle_, callback::eof, connection);
    return eof::close;
  }
  backpressure pause_writing() override {
    const callback_oracle::scope running(oracle_, callback::pause, connection);
    return backpressure::handled;
  }
  void resume_writing() override { const callback_oracle::scope running(oracle_, callback::resume, connection); }
  void connection_lost(std::error_code why) override {
    const callback_oracle::scope running(oracle_, callback::lost, connection);
    reason = why;
    connection = nullptr;
    ++times_lost;
  }

  transport* connection = nullptr;
  void (*on_data)(transport&) = nullptr;
  std::size_t received = 0;
  int times_made = 0;
  int times_lost = 0;
  std::error_code reason;

 private:
  callback_oracle oracle_;
};

class no_descriptors final : public faults::plan {
 public:
  faults::fault decide(faults::call which, int, std::size_t) override { return {.error = which == faults::call::accept ? EMFILE : 0}; }
};

// Two connections in one loop: what is done to the first may end it, and the second has to notice nothing.
struct site {
  site() {
    scheduler.on_error([this](const error_event&) { ++reports; });
    faults::grow_watcher_table(scheduler);
    connect(first, second);
    connect(other, another);
    full.start(1h);
  }
  void connect(end& one, end& two) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    REQUIRE(local::adopt(scheduler, descriptor(pair[0]), borrow(one), {.receive_descriptors = 4}));
    REQUIRE(local::adopt(scheduler, descriptor(pair[1]), borrow(two), {.receive_descriptors = 4}));
  }
  // Lets the loop do what it can without waiting.
  void pass() {
    for (int i = 0; i < 8; ++i) {
      try {
        scheduler.call_soon([this] { scheduler.stop(); });
      } catch (const std::bad_alloc&) {
        continue;  // it was this one
      }
      scheduler.run();
    }
  }

  int reports = 0;
  end first, second, next, other, another;
  loop scheduler;
  timer full{scheduler, [] {}};  // so that the next one needs more room
  std::vector<std::unique_ptr<timer>> timers;
  std::unique_ptr<server> listening;
  socket_kit::raw_socket client;
  no_descriptors shortage;
  std::optional<faults::in_force> short_now;
};

struct operation {
  const char* name;
  bool may_throw;  // bad_alloc, having done nothing
  void (*run)(site&);
  bool ends_all = false;
};

const std::string bulk(600'000, 'b');

const operation operations[] = {
    {"write more than the system takes", false, [](site& here) { here.first.connection->write(bulk); }},
    {"close with a queue", false,
     [](site& here) {
       here.first.connection->write(bulk);
       if (here.first.connection != nullptr) here.first.connection->close();
     }},
    {"end output with a queue", false,
     [](site& here) {
       here.first.connection->write(bulk);
       here.first.connection->write_eof();
     }},
    {"write to a peer that is gone", false,
     [](site& here) {
       here.second.connection->write("last words");
       here.second.connection->abort();
       here.scheduler.call_soon([&here] {
         if (here.first.connection != nullptr) here.first.connection->write("into the void");
       });
     }},
    {"answer in data_received, and pause", false,
     [](site& here) {
       here.second.on_data = [](transport& connection) {
         connection.pause_reading();
         connection.write(bulk);
         connection.resume_reading();
       };
       here.first.connection->write(bulk);
     }},
    {"switch protocols", true,
     [](site& here) {
       here.second.connection->write("early");
       here.first.connection->set_protocol(borrow(here.next), as_bytes("unread"));
     }},
    {"put a layer between", true,
     [](site& here) {
       here.second.connection->write("early");
       here.first.connection->upgrade(std::make_unique<layer>(here.scheduler), borrow(here.next), as_bytes("unread"));
     }},
    {"set deadlines", true,
     [](site& here) {
       stream_options changed = here.first.connection->options();
       changed.idle_timeout = changed.lifetime = changed.write_stall_timeout = 1h;
       here.first.connection->set_options(changed);
       here.first.connection->set_write_buffer_limits({.high = 10, .low = 1});
     }},
    {"shut one down", false, [](site& here) { here.first.connection->shut_down(); }},
    {"ask for addresses", false,
     [](site& here) {
       here.first.connection->info<local_address>();
       here.first.connection->info<peer_address>();
       here.first.connection->close();
     }},
    {"throw in a callback", false,
     [](site& here) {
       here.first.on_data = [](transport&) { throw std::runtime_error("planted"); };
       here.second.connection->write("x");
     }},
    {"start timers", true,
     [](site& here) {
       for (int i = 0; i < 20; ++i) {
         here.timers.push_back(std::make_unique<timer>(here.scheduler, [] {}));
         here.timers.back()->start(1h);
       }
     }},
    {"put functions off", true,
     [](site& here) {
       for (int i = 0; i < 20; ++i) here.scheduler.call_soon([] {});
       for (int i = 0; i < 20; ++i) here.scheduler.post([] {});
     }},
    {"pass descriptors", false,
     [](site& here) {
       descriptor files[] = {descriptor(::dup(0)), descriptor(::dup(0))};
       here.first.connection->write(bulk);
       if (local::send_descriptors(*here.first.connection, files, as_bytes("x")) == std::errc::not_enough_memory)
         here.first.connection->abort();
     }},
    {"serve", true,
     [](site& here) {
       auto made = std::make_unique<tcp::server>(here.scheduler, [] { return protocol_ptr(); });
       made->listen(address::loopback_v4(0));
       here.listening = std::move(made);
     }},
    {"run short of descriptors for a client", true,
     [](site& here) {
       auto made = std::make_unique<tcp::server>(here.scheduler, [] { return protocol_ptr(); });
       const address at = made->listen(address::loopback_v4(0));
       here.listening = std::move(made);
       here.client = socket_kit::raw_socket::connected_to(at);
       here.short_now.emplace(here.shortage);
     }},
    {"shut all down, in order", true, [](site& here) { shutdown(here.scheduler, 1h); }, true},
    {"shut all down, at once", true,
     [](site& here) {
       here.first.connection->write(bulk);
       here.other.connection->write(bulk);
       shutdown(here.scheduler, 0s, [](const shutdown_report&) {});
     },
     true},
    {"budget memory", true,
     [](site& here) {
       here.scheduler.set_memory_budget(100'000);
       here.first.connection->write(bulk);
     }},
};

// False: the n-th allocation was not needed.
bool survives(const operation& what, std::size_t n) {
  CAPTURE(n);
  const socket_kit::descriptor_balance balance;
  site here;
  std::optional<allocation_failure> failure;
  bool threw = false;
  here.scheduler.call_soon([&] {
    failure.emplace(n);
    try {
      what.run(here);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
  });
  here.pass();
  const bool struck = failure->struck();
  failure.reset();
  CHECK((!threw || what.may_throw));
  if (!what.ends_all || threw) {
    here.other.connection->write("still there");
    socket_kit::run_until(here.scheduler, [&] { return here.another.received >= 11; });
  }
  here.listening.reset();
  here.timers.clear();
  here.scheduler.for_each_transport([](transport& each) { each.close(); });
  socket_kit::run_until(here.scheduler, [&] { return here.scheduler.open_transports() == 0; });
  for (const end* each : {&here.first, &here.second, &here.next, &here.other, &here.another}) CHECK(each->times_lost <= each->times_made);
  for (const end* each : {&here.second, &here.other, &here.another}) CHECK(each->times_lost == 1);
  CHECK(here.first.times_lost + here.next.times_lost == 1);
  if (!what.ends_all) CHECK_FALSE((here.other.reason || here.another.reason));
  return struck;
}

}  // namespace

TEST_CASE("any one allocation may fail in any operation, and the connection beside it goes on") {
  std::size_t struck = 0;
  for (const operation& each : operations) {
    const std::string name = each.name;
    CAPTURE(name);
    std::fprintf(stderr, "%s\n", each.name);  // the last line of a run that crashes
    struck += failure_sweep([&](std::size_t n) { return survives(each, n); });
  }
  std::printf("operations: %zu allocations failed\n", struck);
}

TEST_CASE("any one allocation may fail in connecting by name, and the attempt ends all the same") {
  const std::size_t struck = failure_sweep([&](std::size_t n) {
    CAPTURE(n);
    const socket_kit::descriptor_balance balance;
    const socket_kit::raw_socket listening = socket_kit::raw_socket::listening_at(address::loopback_v4(0));
    std::vector<address> there{listening.local_address()};
    end client;
    loop scheduler;
    faults::grow_watcher_table(scheduler);
    scheduler.on_error([](const error_event&) {});
    resolver::of(scheduler).set_options({.lookup = [&](const std::string&, ip_family, std::error_code&) { return there; }});
    std::optional<allocation_failure> failure;
    std::optional<connecting> attempt;
    int completions = 0;
    bool threw = false, connected = false;
    scheduler.call_soon([&] {
      failure.emplace(n);
      try {
        attempt = tcp::connect(
            scheduler, "there", 1, [&] { return borrow(client); },
            [&](const result<transport&>& outcome) {
              ++completions;
              connected = static_cast<bool>(outcome);
            });
      } catch (const std::bad_alloc&) {
        threw = true;
      }
    });
    socket_kit::run_until(scheduler, [&] { return threw || completions == 1; });
    const bool has_struck = failure->struck();
    failure.reset();
    CHECK(completions == (threw ? 0 : 1));
    CHECK(client.times_made == (connected ? 1 : 0));
    if (client.connection != nullptr) client.connection->abort();
    socket_kit::run_until(scheduler, [&] { return scheduler.open_transports() == 0; });
    return has_struck;
  });
  std::printf("connecting by name: %zu allocations failed\n", struck);
}
