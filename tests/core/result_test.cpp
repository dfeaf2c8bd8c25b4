#include <sluice/result.hpp>

#include <sluice/error.hpp>

#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("a result is a value or an error, never both") {
  result<std::string> good("text");
  CHECK(good);
  CHECK(*good == "text");
  CHECK(good->size() == 4);
  CHECK_FALSE(good.error());
  CHECK(good.detail().empty());
  const result<std::string> bad(make_error_code(errc::closed));
  CHECK_FALSE(bad);
  CHECK(bad.error() == errc::closed);
}

TEST_CASE("the detail of an error is the message of its code unless there is more to say") {
  CHECK(result<int>(make_error_code(errc::closed)).detail() == "already closed");
  CHECK(result<int>(make_error_code(errc::closed), "the door is closed").detail() == "the door is closed");
  CHECK(result<int&>(make_error_code(errc::closed)).detail() == "already closed");
}

TEST_CASE("a value that can only be moved can be taken out") {
  result<std::unique_ptr<int>> one(std::make_unique<int>(5));
  const std::unique_ptr<int> taken = std::move(*one);
  CHECK(*taken == 5);
}

TEST_CASE("a result of a reference refers to what it was given") {
  int number = 1;
  const result<int&> same(number);
  *same = 2;
  CHECK(number == 2);
}
