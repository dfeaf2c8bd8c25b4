#include <sluice/detail/unique_function.hpp>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>

using sluice::detail::unique_function;

namespace {

int calls = 0;
void free_function() { ++calls; }

// Counts how many of its kind are alive, copies and moves included.
template <std::size_t Size, bool Throws = false>
struct tracked {
  explicit tracked(int& alive_count) : alive(&alive_count) { ++*alive; }
  tracked(const tracked& other) : alive(other.alive) { ++*alive; }
  // NOLINTNEXTLINE(performance-noexcept-move-constructor): one that may throw is kept on the heap
  tracked(tracked&& other) noexcept(!Throws) : alive(other.alive) { ++*alive; }
  tracked& operator=(const tracked&) = delete;
  ~tracked() { --*alive; }
  void operator()() const { ++calls; }

  int* alive;
  std::array<std::byte, Size> ballast{};
};

}  // namespace

static_assert(!std::is_copy_constructible_v<unique_function>);
static_assert(std::is_nothrow_move_constructible_v<unique_function>);
static_assert(std::is_nothrow_move_assignable_v<unique_function>);
static_assert(!std::is_constructible_v<unique_function, int>);
static_assert(!std::is_constructible_v<unique_function, std::function<void(int)>>);

TEST_CASE("an empty function says so, and one with a target does not") {
  unique_function function;
  CHECK_FALSE(function);
  function = unique_function([] {});
  CHECK(function);
  function.reset();
  CHECK_FALSE(function);
}

TEST_CASE("a function calls a lambda, a plain function, a pointer to one, a std::function and a functor that only const calls") {
  calls = 0;
  unique_function lambda([] { ++calls; });
  unique_function plain(free_function);
  unique_function pointer(&free_function);
  unique_function standard(std::function<void()>([] { ++calls; }));
  int alive = 0;
  const tracked<1> original(alive);
  unique_function copied(original);
  for (unique_function* one : {&lambda, &plain, &pointer, &standard, &copied}) (*one)();
  CHECK(calls == 5);
}

TEST_CASE("a result of the callable is ignored, and its state is kept between calls") {
  int last = 0;
  unique_function counting([n = 0, &last]() mutable { return last = ++n; });
  counting();
  counting();
  CHECK(last == 2);
}

TEST_CASE("a function holds what can only be moved") {
  int seen = 0;
  unique_function function([owned = std::make_unique<int>(7), &seen] { seen = *owned; });
  unique_function moved = std::move(function);
  CHECK_FALSE(function);
  moved();
  CHECK(seen == 7);
}

TEST_CASE_TEMPLATE("captures of any size live exactly as long as the function", target, tracked<1>, tracked<48 - sizeof(int*)>, tracked<64>,
                   tracked<1, true>, tracked<500, true>) {
  calls = 0;
  int alive = 0;
  {
    unique_function first{target(alive)};
    CHECK(alive == 1);
    unique_function second(std::move(first));
    CHECK(alive == 1);
    second();
    unique_function third([] {});
    third = std::move(second);
    CHECK(alive == 1);
    auto& same = third;
    third = std::move(same);
    CHECK(alive == 1);
    third();
    third = unique_function([] {});
    CHECK(alive == 0);
    third = unique_function{target(alive)};
  }
  CHECK(alive == 0);
  CHECK(calls == 2);
}

TEST_CASE("an exception passes through, and the function can be called again") {
  int rounds = 0;
  unique_function function([&] {
    if (++rounds == 1) throw std::runtime_error("once");
  });
  CHECK_THROWS_AS(function(), std::runtime_error);
  function();
  CHECK(rounds == 2);
}
