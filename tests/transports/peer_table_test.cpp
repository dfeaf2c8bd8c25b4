#include "server/peer_table.hpp"

#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using detail::peer_table;

namespace {

// One of `count` addresses, of both families.
address peer_number(unsigned number) {
  const std::string tail = std::to_string(number / 2 % 250) + '.' + std::to_string(number / 500);
  return number % 2 == 0 ? address("10.7." + tail, 1) : address("::" + tail + ".0.1", 1);
}

}  // namespace

TEST_CASE("a peer is an IP address, whatever its port, and an IPv4 address inside IPv6 is the IPv4 address") {
  peer_table table;
  CHECK(table.count({"10.0.0.1", 1}) == 0);
  table.add({"10.0.0.1", 1});
  table.add({"10.0.0.1", 2});
  table.add({"::ffff:10.0.0.1", 3});
  table.add({"a00:1::", 1});  // begins with the same bytes
  CHECK(table.count({"10.0.0.1", 4}) == 3);
  CHECK(table.count({"::ffff:10.0.0.1", 4}) == 3);
  CHECK(table.count({"a00:1::", 4}) == 1);
  CHECK(table.count({"10.0.0.2", 1}) == 0);
  CHECK(table.peers() == 2);
  table.remove({"10.0.0.1", 7});
  CHECK(table.count({"10.0.0.1", 4}) == 2);
  table.remove({"::ffff:10.0.0.1", 7});
  table.remove({"10.0.0.1", 7});
  CHECK(table.count({"10.0.0.1", 4}) == 0);
  CHECK(table.peers() == 1);
}

TEST_CASE("a table agrees with a map, whatever comes and goes, and is small again when all have gone") {
  peer_table table;
  std::map<unsigned, std::size_t> model;
  std::vector<unsigned> present;
  std::minstd_rand engine(7);
  const auto random = [&](unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(engine); };
  for (int round = 0; round < 40000; ++round) {
    const bool grows = round / 8000 % 2 == 0;
    if (present.empty() || random(8) < (grows ? 5U : 3U)) {
      const unsigned number = random(3000);
      table.add(peer_number(number));
      ++model[number];
      present.push_back(number);
    } else {
      std::swap(present[random(static_cast<unsigned>(present.size()))], present.back());
      table.remove(peer_number(present.back()));
      if (--model[present.back()] == 0) model.erase(present.back());
      present.pop_back();
    }
    const unsigned asked = random(3000);
    const auto found = model.find(asked);
    if (table.count(peer_number(asked)) != (found == model.end() ? 0 : found->second)) FAIL("differs from the map");
  }
  CHECK(table.peers() == model.size());
  CHECK(table.capacity() > 1000);
  for (const unsigned number : present) table.remove(peer_number(number));
  CHECK(table.peers() == 0);
  CHECK(table.capacity() <= 16);
}
