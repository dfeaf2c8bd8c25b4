#include <sluice/descriptor.hpp>

#include <fcntl.h>

#include <utility>

#include <doctest/doctest.h>

using sluice::descriptor;

namespace {

descriptor opened() { return descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a descriptor is closed with its owner") {
  int number = -1;
  {
    const descriptor owner = opened();
    number = owner.get();
    CHECK(owner.is_open());
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("moving leaves nothing behind, and closes what was in its way") {
  descriptor first = opened(), second = opened();
  const int kept = first.get(), dropped = second.get();
  second = std::move(first);
  CHECK(second.get() == kept);
  CHECK(is_open(kept));
  CHECK_FALSE(first.is_open());
  CHECK_FALSE(is_open(dropped));
  const descriptor third = std::move(second);
  CHECK(third.get() == kept);
  CHECK_FALSE(second.is_open());
}

TEST_CASE("moving a descriptor onto itself changes nothing") {
  descriptor owner = opened();
  descriptor& same = owner;
  owner = std::move(same);
  CHECK(is_open(owner.get()));
}

TEST_CASE("a released descriptor stays open; closing twice, or nothing, does nothing") {
  descriptor owner = opened();
  const int number = owner.release();
  CHECK_FALSE(owner.is_open());
  owner.close();
  CHECK(is_open(number));
  descriptor again(number);
  again.close();
  CHECK_FALSE(is_open(number));
  again.close();
  CHECK(again.get() == -1);
  CHECK(descriptor().get() == -1);
}
