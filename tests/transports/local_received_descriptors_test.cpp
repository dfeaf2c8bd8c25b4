#include <sluice/local.hpp>

#include <sys/resource.h>

#include <sluice/error.hpp>
#include <sluice/schemes.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include "descriptor_kit.hpp"

using namespace descriptor_kit;
using sluice::testing::lost_line;
using sluice::testing::recording_buffered_protocol;
using lines = std::vector<std::string>;

TEST_CASE("P7 what nobody took is closed when the connection is lost, and can be taken until then") {
  const descriptor_balance balance;
  half_site here;
  send_message(here.peer, "x", numbered_files({1, 2, 3}));
  std::vector<int> at_last;
  const int before = open_descriptors();
  here.near.on_lost = [&](std::error_code) { at_last.push_back(number_of(local::take_descriptor(*here.connection).get())); };
  CHECK(run_until(here.scheduler, [&] { return here.near.received() == "x"; }));
  CHECK(open_descriptors() == before + 3);
  SUBCASE("while the end lingers, too") {
    here.connection->close();
    CHECK(run_until(here.scheduler, [&] { return here.near.is_lost(); }));
    CHECK(here.scheduler.open_transports() == 1);
    CHECK(open_descriptors() == before);
    send_message(here.peer, "y", numbered_files({4}));
    here.pass();
    CHECK(open_descriptors() == before);
    here.peer.close();
  }
  SUBCASE("at once") { here.connection->abort(); }
  CHECK(here.run_until_closed());
  CHECK(at_last == std::vector{1});
}

TEST_CASE("P7 where descriptors are not asked for, none is received and none leaks") {
  const descriptor_balance balance;
  half_site here(local::options{});
  const int before = open_descriptors();
  send_message(here.peer, "plain", numbered_files({1, 2}));
  CHECK(run_until(here.scheduler, [&] { return here.near.received() == "plain"; }));
  CHECK_FALSE(local::take_descriptor(*here.connection));
  CHECK(open_descriptors() == before);
  CHECK_FALSE(send_numbered(*here.connection, {3}, "back"));  // sending needs no asking
  CHECK(receive_message(here.peer) == message{"back", {3}});
}

TEST_CASE("P7 more descriptors than may wait end the connection; those that were taken do not count") {
  const descriptor_balance balance;
  half_site here(local::options{.receive_descriptors = 2});
  here.near.on_data = [&](const_bytes data) {
    if (as_text(data) == "take") take_all(*here.connection);
  };
  send_message(here.peer, "take", numbered_files({1, 2}));
  CHECK(run_until(here.scheduler, [&] { return here.near.received() == "take"; }));
  send_message(here.peer, "keep", numbered_files({3, 4}));
  CHECK(run_until(here.scheduler, [&] { return here.near.received() == "takekeep"; }));
  const int before = open_descriptors();
  send_message(here.peer, "over", numbered_files({5}));
  CHECK(run_until(here.scheduler, [&] { return here.near.is_lost(); }));
  CHECK(here.near.trace() == "made, data 8, " + lost_line(errc::descriptors_lost));
  CHECK(open_descriptors() <= before - 2);
}

TEST_CASE("P7 a descriptor that this process cannot open ends the connection, and says so") {
  const descriptor_balance balance;
  half_site here;
  send_message(here.peer, "lost", numbered_files({1, 2, 3}));
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
  std::vector<descriptor> filling;
  const rlimit low{static_cast<rlim_t>(here.peer.get()) + 32, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (descriptor each(::dup(here.peer.get())); each.is_open(); each = descriptor(::dup(here.peer.get())))
    filling.push_back(std::move(each));
  filling.pop_back();  // room for one of the three
  CHECK(run_until(here.scheduler, [&] { return here.near.is_lost(); }));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
  CHECK(here.near.events() == lines{"made", lost_line(errc::descriptors_lost)});
}

TEST_CASE("P7 descriptors that came with held bytes are there when these are delivered, also for the next protocol") {
  const descriptor_balance balance;
  half_site here;
  here.near.on_data = [&](const_bytes) { here.connection->pause_reading(); };
  here.peer.send("first");
  CHECK(run_until(here.scheduler, [&] { return here.near.received() == "first"; }));
  send_message(here.peer, "second", numbered_files({6}));
  here.pass();
  CHECK(here.near.received() == "first");
  recording_protocol next;
  std::vector<int> taken;
  next.on_data = [&](const_bytes) { taken = take_all(*here.connection); };
  CHECK_FALSE(here.connection->set_protocol(borrow(next)));
  here.pass();
  here.connection->resume_reading();
  CHECK(run_until(here.scheduler, [&] { return next.received() == "second"; }));
  CHECK(taken == std::vector{6});
  here.end_all();
}

TEST_CASE("P7 a protocol that brings its own buffer gets descriptors as any other") {
  const descriptor_balance balance;
  site here;
  auto [mine, its] = socket_pair();
  const raw_socket peer(its.release());
  recording_buffered_protocol end;
  end.buffer_size = 3;
  transport& connection = here.adopt(std::move(mine), end, borrow(end));
  std::vector<int> first;
  end.on_data = [&](const_bytes) {
    if (end.count("data 3") == 1) first = take_all(connection);
  };
  send_message(peer, "longer than the buffer", numbered_files({5, 6}));
  CHECK(run_until(here.scheduler, [&] { return end.received() == "longer than the buffer"; }));
  CHECK(first == std::vector{5, 6});
  here.end_all();
}

TEST_CASE("P7 a peer that ends, resets or sends nothing is the same where descriptors are received") {
  const descriptor_balance balance;
  half_site here;
  SUBCASE("ends") {
    here.peer.send("bye");
    here.peer.close();
    CHECK(here.run_until_closed());
    CHECK(here.near.trace() == "made, data 3, eof, lost");
  }
  SUBCASE("resets") {
    here.connection->write("never read");
    here.peer.send("bye");
    here.peer.close();
    CHECK(here.run_until_closed());
    CHECK(here.near.trace() == "made, data 3, " + lost_line(system_error(ECONNRESET)));
  }
  SUBCASE("bulk") {
    const std::string bulk = numbered(150'000);
    here.peer.send(bulk);
    CHECK(run_until(here.scheduler, [&] { return here.near.received().size() == bulk.size(); }));
    CHECK((here.near.received() == bulk));
  }
}

TEST_CASE("P7 servers, clients and endpoints ask for descriptors by an option") {
  const descriptor_balance balance;
  const temporary_folder folder;
  site here;
  const std::string where = "unix:" + (folder / "x.sock");
  const auto server = listen(here.scheduler, endpoint(where + "?receive_descriptors=4"), [&] { return borrow(here.near); });
  const connecting attempt =
      local::connect(here.scheduler, server->sockets()[0], [&] { return borrow(here.far); }, {}, {.receive_descriptors = 4});
  CHECK(run_until(here.scheduler, [&] { return here.near.connection() != nullptr && here.far.connection() != nullptr; }));
  CHECK_FALSE(send_numbered(*here.near.connection(), {1}, "down"));
  CHECK_FALSE(send_numbered(*here.far.connection(), {2}, "up"));
  CHECK(run_until(here.scheduler, [&] { return here.near.received() == "up" && here.far.received() == "down"; }));
  CHECK(take_all(*here.far.connection()) == std::vector{1});
  CHECK(take_all(*here.near.connection()) == std::vector{2});
  here.end_all();
}
