#include <sluice/testing/allocation_counter.hpp>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/detail/unique_function.hpp>

using namespace sluice::testing;

namespace {

// Keeps the compiler from leaving out an allocation that nobody would miss.
void* volatile kept;
void keep(void* pointer) { kept = pointer; }

}  // namespace

TEST_CASE("every way to the heap is counted once" * doctest::skip(!allocation_counter::available())) {
  const auto counted = [](auto&& function) {
    const allocation_counter counter;
    function();
    return counter.counts();
  };
  CHECK(counted([] { std::free((keep(std::malloc(10)), kept)); }) == allocation_counts{1, 1, 10});
  CHECK(counted([] { std::free((keep(std::calloc(3, 5)), kept)); }) == allocation_counts{1, 1, 15});
  CHECK(counted([] { std::free((keep(std::aligned_alloc(64, 128)), kept)); }) == allocation_counts{1, 1, 128});
  CHECK(counted([] { keep(std::make_unique<int>(7).get()); }) == allocation_counts{1, 1, sizeof(int)});
  struct alignas(64) wide {
    char bytes[64];
  };
  CHECK(counted([] { keep(std::make_unique<wide>().get()); }).allocations == 1);
  CHECK(counted([] { std::free(nullptr); }) == allocation_counts{});
  CHECK(counted([] {
          void* memory = nullptr;
          REQUIRE(posix_memalign(&memory, 64, 32) == 0);
          keep(memory);
          keep(std::realloc(memory, 64));
          std::free(kept);
        }) == allocation_counts{2, 2, 96});
}

TEST_CASE("a memory block of posix_memalign is refused for an alignment that is none" * doctest::skip(!allocation_counter::available())) {
  void* memory = nullptr;
  CHECK(posix_memalign(&memory, 24, 8) == EINVAL);
  CHECK(posix_memalign(&memory, 0, 8) == EINVAL);
  CHECK(memory == nullptr);
}

TEST_CASE("what libraries allocate is counted, too" * doctest::skip(!allocation_counter::available())) {
  const allocation_counter counter;
  const std::vector<std::string> strings(10, std::string(100, 'x'));
  keep(const_cast<char*>(strings[9].data()));
  CHECK(counter.counts().allocations >= 11);
}

TEST_CASE("another thread's calls are not counted, and counters nest" * doctest::skip(!allocation_counter::available())) {
  std::size_t there = 0;
  const allocation_counter outer;
  std::thread other([&] {
    const allocation_counter counter;
    for (int i = 0; i < 50; ++i) keep(std::make_unique<int>(i).get());
    there = counter.counts().allocations;
  });
  other.join();
  const std::size_t before = outer.counts().allocations;
  CHECK(before < 50);
  CHECK(there == 50);
  const allocation_counter inner;
  keep(std::make_unique<int>(1).get());
  CHECK(inner.counts().allocations == 1);
  CHECK(outer.counts().allocations == before + 1);
}

TEST_CASE("a posted function with a small capture needs no heap" * doctest::skip(!allocation_counter::available())) {
  const allocation_counter counter;
  int called = 0;
  sluice::detail::unique_function function([&called, padding = std::string()] { called += 1 + static_cast<int>(padding.size()); });
  function();
  CHECK(called == 1);
  CHECK(counter.counts() == allocation_counts{});
}

TEST_CASE("where counting is not possible all counts stay 0" * doctest::skip(allocation_counter::available())) {
  const allocation_counter counter;
  keep(std::make_unique<int>(7).get());
  CHECK(counter.counts() == allocation_counts{});
}
