#include <sluice/local/datagrams.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "datagram_site.hpp"

using namespace sluice;
using namespace socket_kit;
using namespace std::chrono_literals;

namespace {

bool exists(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

}  // namespace

TEST_CASE("D14 a sender without a name has an unnamed address, one with a name gets its answer") {
  const descriptor_balance balance;
  const temporary_folder folder;
  datagram_site here;
  auto& transport = local::open_datagrams(here.scheduler, address::unix_path(folder / "server"), borrow(here.end));
  const raw_datagrams nameless(address::unix_unnamed());
  const raw_datagrams named(address::unix_path(folder / "client"));
  nameless.send_to("who am I?", here.at());
  named.send_to("", here.at());
  REQUIRE(here.wait_received(2));
  CHECK(here.end.received()[0].from.family() != address_family::unix_path);
  CHECK(transport.send_to("nobody", here.end.received()[0].from) == send_status::bad_address);
  CHECK(here.end.received()[1].from == named.local_address());
  CHECK(transport.send_to(numbered(60'000), here.end.received()[1].from) == send_status::accepted);
  CHECK(named.receive().data == numbered(60'000));
}

TEST_CASE("S13 a socket file that nobody has open is replaced, one in use or another kind of file is not") {
  const temporary_folder folder;
  datagram_site here;
  const std::string path = folder / "x";
  const address at = address::unix_path(path);
  std::error_code error;
  { const raw_datagrams gone(at); }
  CHECK(exists(path));
  CHECK(local::open_datagrams(here.scheduler, at, borrow(here.end), {.remove_stale = false}, error) == nullptr);
  CHECK(error == std::errc::address_in_use);
  local::open_datagrams(here.scheduler, at, borrow(here.end));
  CHECK(local::open_datagrams(here.scheduler, at, borrow(here.other), {}, error) == nullptr);
  CHECK(error == std::errc::address_in_use);
  CHECK(exists(path));

  const std::string stream_path = folder / "stream";
  const raw_socket stream = raw_socket::listening_at(address::unix_path(stream_path));
  CHECK(local::open_datagrams(here.scheduler, address::unix_path(stream_path), borrow(here.other), {}, error) == nullptr);
  CHECK(exists(stream_path));
  std::ofstream(folder / "file") << "kept";
  CHECK(local::open_datagrams(here.scheduler, address::unix_path(folder / "file"), borrow(here.other), {}, error) == nullptr);
  CHECK(error == std::errc::address_in_use);
}

TEST_CASE("S13 the file is removed at the end if it is still the same one, and has the mode that was asked for") {
  const temporary_folder folder;
  datagram_site here;
  const std::string path = folder / "x";
  local::open_datagrams(here.scheduler, address::unix_path(path), borrow(here.end), {.mode = 0600U});
  struct stat found {};
  CHECK(::stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  const auto close = [&](testing::recording_datagram_protocol& end) {
    end.connection()->close();
    run_until(here.scheduler, [&] { return here.scheduler.open_transports() == 0; });
  };
  close(here.end);
  CHECK_FALSE(exists(path));

  local::open_datagrams(here.scheduler, address::unix_path(path), borrow(here.other));
  ::unlink(path.c_str());
  std::ofstream(path) << "another";
  close(here.other);
  CHECK(exists(path));
}

TEST_CASE("D5 a connected sender hears that its peer is gone, and reaches one that comes to its place") {
  const temporary_folder folder;
  datagram_site here;
  const address at = address::unix_path(folder / "server");
  auto first = std::make_unique<raw_datagrams>(at);
  auto& transport = local::connect_datagrams(here.scheduler, at, borrow(here.end));
  CHECK(transport.send("one") == send_status::accepted);
  CHECK(first->receive().data == "one");
  first.reset();
  transport.send("lost");
  transport.send("lost, too");
  REQUIRE(here.wait_errors(1));
  CHECK(here.end.last_error() == std::errc::connection_refused);
  ::unlink((folder / "server").c_str());
  const raw_datagrams second(at);
  transport.send("two");
  CHECK(second.receive().data == "two");
}

TEST_CASE("D8 D15 a receiver that is full is tried again without spinning, also by a sender that is connected to nobody") {
  const temporary_folder folder;
  datagram_site here;
  const raw_datagrams peer(address::unix_path(folder / "slow"));
  auto& transport = local::open_datagrams(here.scheduler, address::unix_unnamed(), borrow(here.end));
  std::size_t sent = 0;
  for (; transport.get_write_buffer_size() == 0 && sent < 100'000; ++sent) transport.send_to(std::to_string(sent), peer.local_address());
  CHECK(iterations_during(here.scheduler, 200ms) < 60);
  for (std::size_t i = 0; i + 1 < sent; ++i) CHECK(peer.receive().data == std::to_string(i));
  CHECK(run_until(here.scheduler, [&] { return transport.get_write_buffer_size() == 0; }));
  CHECK(peer.receive().data == std::to_string(sent - 1));
}

TEST_CASE("what cannot be opened or connected to is refused, with the address in the text, and leaves nothing behind") {
  const descriptor_balance balance;
  const temporary_folder folder;
  datagram_site here;
  std::error_code error;
  CHECK(local::connect_datagrams(here.scheduler, address::unix_path(folder / "nobody"), borrow(here.end),
                                 {.local = address::unix_path(folder / "own")}, error) == nullptr);
  CHECK(error == std::errc::no_such_file_or_directory);
  CHECK_FALSE(exists(folder / "own"));
  CHECK(local::open_datagrams(here.scheduler, address::loopback_v4(0), borrow(here.end), {}, error) == nullptr);
  CHECK(error == errc::bad_address);
  CHECK_THROWS_WITH_AS(local::connect_datagrams(here.scheduler, address::unix_path("/nowhere/x"), borrow(here.end)),
                       "connecting to unix:/nowhere/x for datagrams: ENOENT: no such file or directory", std::system_error);
}
