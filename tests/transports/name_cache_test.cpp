#include <sluice/detail/name_cache.hpp>

#include <memory>
#include <string>

#include <doctest/doctest.h>

using namespace sluice;
using namespace std::chrono_literals;
using sluice::detail::name_answer;
using sluice::detail::name_cache;
using sluice::detail::name_key;

namespace {

const time_point start{};

name_key any(const char* host) { return {host, ip_family::any}; }

name_answer some() { return std::make_shared<const result<std::vector<address>>>(std::vector<address>{address("127.0.0.1", 0)}); }

}  // namespace

TEST_CASE("an answer is good until its time is over") {
  name_cache cache;
  cache.set_limit(10);
  CHECK(cache.find(any("a"), start) == nullptr);
  const name_answer one = some();
  cache.put(any("a"), one, start + 10s);
  CHECK(cache.find(any("a"), start) == one);
  CHECK(cache.find(any("a"), start + 10s - 1ns) == one);
  CHECK(cache.find(any("a"), start + 10s) == nullptr);
  CHECK(cache.size() == 0);
}

TEST_CASE("a name is the same in upper and lower case, and its families are different questions") {
  name_cache cache;
  cache.set_limit(10);
  cache.put(any("Www.Example.ORG"), some(), start + 1s);
  CHECK(cache.find(any("wWw.eXAMPLE.org"), start) != nullptr);
  CHECK(cache.find({"www.example.org", ip_family::v4}, start) == nullptr);
}

TEST_CASE("where there is no room, what was not asked for the longest time goes") {
  name_cache cache;
  cache.set_limit(3);
  for (const char* name : {"a", "b", "c"}) cache.put(any(name), some(), start + 1s);
  cache.find(any("a"), start);
  cache.put(any("d"), some(), start + 1s);
  CHECK(cache.size() == 3);
  CHECK(cache.find(any("b"), start) == nullptr);
  for (const char* name : {"a", "c", "d"}) CHECK(cache.find(any(name), start) != nullptr);
}

TEST_CASE("a new answer takes the place of the old one") {
  name_cache cache;
  cache.set_limit(1);
  cache.put(any("a"), some(), start + 1s);
  const name_answer newer = some();
  cache.put(any("A"), newer, start + 2s);
  CHECK(cache.size() == 1);
  CHECK(cache.find(any("a"), start + 1s) == newer);
}

TEST_CASE("a limit that sinks takes effect at once, and 0 keeps nothing") {
  name_cache cache;
  cache.put(any("a"), some(), start + 1s);
  CHECK(cache.size() == 0);
  cache.set_limit(3);
  for (const char* name : {"a", "b", "c"}) cache.put(any(name), some(), start + 1s);
  cache.set_limit(1);
  CHECK(cache.size() == 1);
  CHECK(cache.find(any("c"), start) != nullptr);
  cache.set_limit(0);
  CHECK(cache.size() == 0);
}

TEST_CASE("one name or all can be forgotten") {
  name_cache cache;
  cache.set_limit(10);
  for (const ip_family family : {ip_family::any, ip_family::v4, ip_family::v6}) cache.put({"a", family}, some(), start + 1s);
  cache.put(any("b"), some(), start + 1s);
  cache.forget("A");
  CHECK(cache.size() == 1);
  CHECK(cache.find(any("b"), start) != nullptr);
  cache.clear();
  CHECK(cache.size() == 0);
}
