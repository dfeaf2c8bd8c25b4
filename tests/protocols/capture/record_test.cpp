#include <sluice/capture/record.hpp>

#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace sluice::capture;

TEST_CASE("each event has a name of its own") {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(event::other); ++i) names.insert(to_string(static_cast<event>(i)));
  CHECK(names.size() == static_cast<std::size_t>(event::other) + 1);
  CHECK(!names.contains("unknown"));
  CHECK(to_string(event::input_ended) == std::string("input ended"));
}

TEST_CASE("modem lines are bits") {
  CHECK((line::clear_to_send | line::ring) == 0x21);
  CHECK((line::carrier | line::data_set_ready | line::request_to_send | line::data_terminal_ready) == 0x1e);
}
