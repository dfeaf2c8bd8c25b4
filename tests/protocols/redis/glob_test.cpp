#include <sluice/redis/glob.hpp>

#include <string>
#include <string_view>

#include <doctest/doctest.h>

using sluice::redis::glob_matches;

namespace {

struct match_row {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

void check_rows(std::initializer_list<match_row> rows) {
  for (const auto& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.text);
    CHECK(glob_matches(row.pattern, row.text) == row.matches);
  }
}

}  // namespace

TEST_CASE("stars, question marks and plain bytes match as in Redis") {
  check_rows(
      {{"", "", true},        {"", "a", false},         {"*", "", true},          {"*", "abc", true},          {"**", "abc", true},
       {"a*c", "abc", true},  {"a*c", "ac", true},      {"a*c", "acb", false},    {"a?c", "abc", true},        {"a?c", "ac", false},
       {"?", "", false},      {"*a*b*", "xaxbx", true}, {"*ab", "aab", true},     {"*aab", "aaab", true},      {"abc", "abcd", false},
       {"abc*", "abc", true}, {"a", "A", false},        {"*\xff", "a\xff", true}, {"h*llo", "heeeello", true}, {"*.*.*", "a.b", false}});
}

TEST_CASE("sets match as in Redis, odd ones included") {
  check_rows({{"a[b]c", "abc", true},
              {"a[^b]c", "abc", false},
              {"a[^b]c", "axc", true},
              {"a[a-c]c", "abc", true},
              {"a[z-a]c", "abc", true},
              {"a[a-]c", "abc", false},
              {"a[[]c", "a[c", true},
              {"a[\\b]c", "abc", true},
              {"a[\\]]c", "a]c", true},
              {"a[bc", "ab", true},
              {"a[", "ab", false},
              {"[", "a", false},
              {"[]", "a", false},
              {"[^]", "a", true},
              {"[a-\xff]", "\xc0", true},
              {"*[0-9]", "key42", true},
              {"a[b]", "a", false},
              {"[^a", "b", true}});
}

TEST_CASE("a backslash takes the meaning away") {
  check_rows(
      {{"\\*", "*", true}, {"\\*", "a", false}, {"a\\", "a\\", true}, {"\\\\", "\\", true}, {"\\?x", "?x", true}, {"*\\*", "ab*", true}});
}

TEST_CASE("a pattern of many stars takes no exponential time") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern.append("a*");
  pattern.push_back('b');
  CHECK(!glob_matches(pattern, std::string(2000, 'a')));
}
