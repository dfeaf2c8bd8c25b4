#include <sluice/testing/allocation_failure.hpp>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/failure_sweep.hpp>

using namespace sluice::testing;

namespace {

// Keeps the compiler from leaving out an allocation that nobody would miss.
void* volatile kept;
bool allocates() {
  try {
    kept = std::make_unique<int>(7).get();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace

TEST_CASE("the allocation after n others fails, and only that") {
  bool worked[5];
  const allocation_failure failure(2);
  CHECK_FALSE(failure.struck());
  for (bool& each : worked) each = allocates();
  CHECK(failure.struck());
  CHECK((worked[0] && worked[1] && !worked[2] && worked[3] && worked[4]));
}

TEST_CASE("nothing fails any more when the object is gone, and never in another thread") {
  { const allocation_failure failure(0); }
  CHECK(allocates());
  bool worked = false;
  std::thread other;
  {
    const allocation_failure failure(1000);
    other = std::thread([&] { worked = allocates(); });
    other.join();
  }
  CHECK(worked);
}

TEST_CASE("what stands on malloc fails as malloc does" * doctest::skip(!allocation_counter::available())) {
  void* memory = std::malloc(10);
  {
    const allocation_failure failure(0);
    void* const moved = std::realloc(memory, 20);
    CHECK(moved == nullptr);
    CHECK(errno == ENOMEM);
  }
  std::free(memory);
  {
    const allocation_failure failure(0);
    CHECK(posix_memalign(&memory, 64, 32) == ENOMEM);
  }
  {
    const allocation_failure failure(0);
    kept = std::calloc(3, 5);
  }
  CHECK((kept == nullptr));
}

TEST_CASE("a sweep meets each allocation once") {
  const std::size_t struck = failure_sweep([](std::size_t n) {
    const allocation_failure failure(n);
    try {
      std::vector<std::string> strings;
      strings.reserve(3);
      for (int i = 0; i < 3; ++i) strings.emplace_back(100, 'x');
    } catch (const std::bad_alloc&) {
      return true;
    }
    return failure.struck();
  });
  CHECK(struck == 4);
}
