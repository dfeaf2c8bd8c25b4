#include <sluice/detail/attachment.hpp>

#include <sluice/testing/manual_scheduler.hpp>

#include <memory>

#include <doctest/doctest.h>

using namespace sluice;
using sluice::detail::attachment;
using sluice::testing::manual_scheduler;

namespace {

struct counted : attachment {
  explicit counted(scheduler& user) : owner(user) { ++alive; }
  ~counted() override { --alive; }
  scheduler& owner;
  int value = 0;
  static inline int alive = 0;
};

struct other : attachment {
  explicit other(scheduler& user) : below(attachment::of<counted>(user)) {}
  counted& below;
};

}  // namespace

TEST_CASE("each scheduler has one attachment of a type, made when it is first asked for") {
  manual_scheduler first, second;
  CHECK(counted::alive == 0);
  attachment::of<counted>(first).value = 1;
  CHECK(attachment::of<counted>(first).value == 1);
  CHECK(attachment::of<counted>(second).value == 0);
  CHECK(&attachment::of<counted>(second).owner == &second);
  CHECK(counted::alive == 2);
}

TEST_CASE("an attachment may ask for another one while it is made") {
  manual_scheduler owner;
  attachment::of<other>(owner).below.value = 3;
  CHECK(attachment::of<counted>(owner).value == 3);
}

TEST_CASE("attachments end with their scheduler") {
  auto owner = std::make_unique<manual_scheduler>();
  attachment::of<counted>(*owner);
  owner.reset();
  CHECK(counted::alive == 0);
}
