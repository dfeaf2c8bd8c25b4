#include <sluice/detail/timer_heap.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice::detail;

namespace {

struct node final : event_node {
  explicit node(int name_to_be) : event_node(nullptr), name(name_to_be) {}
  int name;
};

// Takes all nodes out, earliest first.
std::vector<int> drain(timer_heap& heap) {
  std::vector<int> names;
  while (!heap.empty()) {
    event_node& first = *heap.earliest().node;
    names.push_back(static_cast<node&>(first).name);
    heap.cancel(first);
  }
  return names;
}

}  // namespace

TEST_CASE("K3 nodes come out by deadline, whatever the order in which they were set") {
  timer_heap heap;
  node a(1), b(2), c(3), d(4);
  heap.set(c, 30);
  heap.set(a, -10);
  heap.set(d, std::numeric_limits<std::int64_t>::max());
  heap.set(b, 20);
  CHECK(heap.earliest().deadline == -10);
  CHECK(heap.deadline_of(d) == std::numeric_limits<std::int64_t>::max());
  CHECK(drain(heap) == std::vector{1, 2, 3, 4});
}

TEST_CASE("K3 nodes of one deadline come out in the order in which they were set, also when others are cancelled in between") {
  timer_heap heap;
  std::deque<node> nodes;
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) heap.set(nodes.emplace_back(i), 5);
  for (int i = 0; i < 100; ++i) i % 3 == 0 ? heap.cancel(nodes[static_cast<std::size_t>(i)]) : expected.push_back(i);
  CHECK(drain(heap) == expected);
}

TEST_CASE("K3 setting a node again moves it behind others of the same deadline") {
  timer_heap heap;
  node a(1), b(2), c(3);
  heap.set(a, 5);
  heap.set(b, 5);
  heap.set(c, 9);
  heap.set(a, 5);
  heap.set(c, 1);
  CHECK(drain(heap) == std::vector{3, 2, 1});
}

TEST_CASE("a node that was cancelled, or never set, knows that it is not set, and cancelling it again does nothing") {
  timer_heap heap;
  node a(1), b(2);
  heap.cancel(a);
  heap.set(a, 1);
  heap.set(b, 2);
  heap.cancel(a);
  heap.cancel(a);
  CHECK(a.timer_index == event_node::no_timer);
  CHECK(b.timer_index == 0);
  heap.clear();
  CHECK(b.timer_index == event_node::no_timer);
  CHECK(heap.empty());
}

TEST_CASE("K3 a heap agrees with a sorted list after any sequence of set, move and cancel") {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    timer_heap heap;
    std::deque<node> nodes;
    for (int i = 0; i < 60; ++i) nodes.emplace_back(i);
    std::vector<std::tuple<std::int64_t, int, int>> model;  // deadline, order, name
    for (int step = 0; step < 1000; ++step) {
      node& one = nodes[random() % nodes.size()];
      std::erase_if(model, [&](const auto& entry) { return std::get<2>(entry) == one.name; });
      if (random() % 4 == 0) {
        heap.cancel(one);
      } else {
        const auto deadline = static_cast<std::int64_t>(random() % 30);
        heap.set(one, deadline);
        model.emplace_back(deadline, step, one.name);
      }
      REQUIRE(heap.empty() == model.empty());
      if (model.empty()) continue;
      const auto first = *std::min_element(model.begin(), model.end());
      REQUIRE(static_cast<node*>(heap.earliest().node)->name == std::get<2>(first));
    }
    std::sort(model.begin(), model.end());
    std::vector<int> expected;
    expected.reserve(model.size());
    for (const auto& entry : model) expected.push_back(std::get<2>(entry));
    CHECK(drain(heap) == expected);
  }
}

TEST_CASE("places that are kept stay free for their owners, whoever else is set, and come back") {
  timer_heap heap;
  std::deque<node> keeping, others;
  for (int i = 0; i < 50; ++i) heap.keep_place(keeping.emplace_back(i));
  for (int i = 0; i < 50; ++i) heap.set(others.emplace_back(100 + i), i);
  const std::size_t before = heap.places();
  CHECK(before == 100);
  for (int i = 0; i < 50; ++i) heap.set(keeping[static_cast<std::size_t>(i)], -i);
  for (int i = 0; i < 25; ++i) heap.cancel(keeping[static_cast<std::size_t>(i)]);
  CHECK(heap.places() == before);
  for (node& each : others) heap.cancel(each);
  CHECK(heap.places() == 50);
  for (node& each : keeping) heap.give_up_place(each);
  CHECK(heap.places() == 0);
  CHECK(heap.empty());
}
