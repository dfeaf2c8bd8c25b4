#include <sluice/testing/callback_oracle.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::testing;

namespace {

using state = callback_grammar::state;

constexpr callback all[] = {callback::made,   callback::data,          callback::eof, callback::pause,
                            callback::resume, callback::shutting_down, callback::lost};

// One letter for each callback that may be called after `path`, in the order of `all`.
std::string allowed_after(const std::vector<callback>& path, bool threw = false) {
  std::string letters;
  for (const callback next : all) {
    callback_grammar grammar;
    for (const callback done : path) REQUIRE(grammar.called(done) == nullptr);
    if (threw) grammar.threw();
    letters += grammar.called(next) == nullptr ? "mdeprsl"[static_cast<int>(next)] : '.';
  }
  return letters;
}

struct collected {
  std::vector<std::string> violations;
  callback_oracle oracle{[this](const std::string& violation) { violations.push_back(violation); }};

  void call(callback which, std::size_t bytes = 1) { const callback_oracle::scope running(oracle, which, nullptr, bytes); }
};

}  // namespace

TEST_CASE("L1 the grammar of a stream protocol: what may be called in each of its states, the whole table") {
  using enum callback;
  CHECK(allowed_after({}) == "m......");
  CHECK(allowed_after({made}) == ".dep.sl");
  CHECK(allowed_after({made, data}) == ".dep.sl");
  CHECK(allowed_after({made, pause}) == ".de.rsl");
  CHECK(allowed_after({made, pause, resume}) == ".dep.sl");
  CHECK(allowed_after({made, shutting_down}) == ".dep..l");
  CHECK(allowed_after({made, eof}) == "...p.sl");
  CHECK(allowed_after({made, eof, pause}) == "....rsl");
  CHECK(allowed_after({made, lost}) == ".......");
  CHECK(allowed_after({made, pause, lost}) == ".......");
  CHECK(allowed_after({made}, true) == "......l");
  CHECK(allowed_after({made, eof, pause}, true) == "......l");
  CHECK(allowed_after({made, lost}, true) == ".......");
}

TEST_CASE("a call that may not be made leaves the grammar where it stands") {
  callback_grammar grammar;
  CHECK(grammar.called(callback::lost) != nullptr);
  CHECK(grammar.current() == state::unmade);
  grammar.called(callback::made);
  grammar.called(callback::eof);
  CHECK(grammar.called(callback::data) != nullptr);
  CHECK(grammar.current() == state::ended);
}

TEST_CASE("the oracle names the callback, the rule and the fault") {
  collected c;
  c.call(callback::made);
  c.call(callback::lost);
  c.call(callback::lost);
  c.call(callback::data);
  CHECK(c.violations ==
        std::vector<std::string>{"connection_lost was called; L3 a second time", "data_received was called; L1 after connection_lost"});
}

TEST_CASE("the oracle notices empty data") {
  collected c;
  c.call(callback::made);
  c.call(callback::data, 0);
  CHECK(c.violations == std::vector<std::string>{"data_received was called; R9 without a byte"});
}

TEST_CASE("the oracle notices callbacks that interrupt one another, and lets the two of flow control do so") {
  collected c;
  {
    const callback_oracle::scope outer(c.oracle, callback::made, nullptr);
    c.call(callback::pause);
    c.call(callback::resume);
    CHECK(c.violations.empty());
    c.call(callback::data);
  }
  c.call(callback::data);
  CHECK(c.violations == std::vector<std::string>{"data_received was called; L6 inside another callback"});
}

TEST_CASE("the oracle expects nothing but connection_lost after a callback that threw, flow control apart") {
  const auto throw_from = [](collected& c, callback which) {
    try {
      const callback_oracle::scope running(c.oracle, which, nullptr);
      throw std::runtime_error("planted");
    } catch (const std::runtime_error&) {
    }
  };
  collected c;
  c.call(callback::made);
  throw_from(c, callback::pause);
  c.call(callback::data);
  CHECK(c.violations.empty());
  throw_from(c, callback::data);
  c.call(callback::eof);
  CHECK(c.violations == std::vector<std::string>{"eof_received was called; X1 after a callback that threw"});
  c.call(callback::lost);
  CHECK(c.violations.size() == 1);
}
