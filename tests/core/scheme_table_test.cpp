#include <sluice/scheme_table.hpp>

#include <sluice/loop.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace sluice;

namespace {

using lines = std::vector<std::string>;

class no_server final : public server {
 public:
  void start_serving() override {}
  void start_serving(std::error_code&) override {}
  bool is_serving() const noexcept override { return true; }
  void close(waiting_clients) override {}
  void close_clients() override {}
  void abort_clients() override {}
  void wait_closed(duration, closed_handler) override {}
  void pause_accepting() override {}
  void resume_accepting() override {}
  std::uint8_t accept_holds() const noexcept override { return 0; }
  std::vector<address> sockets() const override { return {}; }
  std::vector<int> descriptors() const override { return {}; }
  const server_counters& counters() const noexcept override { return counters_; }

 private:
  server_counters counters_;
};

// Notes which row was asked for what; the protocols that the factory makes say which layers were put around it.
struct notes {
  scheme_table::listen_function listen(const std::string& name) {
    return [this, name](loop&, const endpoint& at, const protocol_factory& factory) -> std::unique_ptr<server> {
      asked.push_back(name + " listens at " + at.to_string());
      if (factory) factory();
      return std::make_unique<no_server>();
    };
  }
  scheme_table::connect_function connect(const std::string& name) {
    return [this, name](loop&, const endpoint& to, const protocol_factory& factory, const connect_handler& done) {
      asked.push_back(name + " connects to " + to.to_string());
      if (factory) factory();
      if (done) done(make_error_code(errc::cancelled));
      return connecting();
    };
  }
  // A layer that knows the option "depth".
  scheme_table::wrap_function wrap(const std::string& name) {
    return [this, name](loop&, endpoint& from, const protocol_factory& upper, scheme_table::role role) -> protocol_factory {
      asked.push_back(name + (role == scheme_table::role::server ? " wraps for a server " : " wraps for a client ") + from.to_string());
      return [this, name, upper]() -> protocol_ptr {
        asked.push_back(name + " is made");
        return upper();
      };
    };
  }
  protocol_factory factory() {
    return [this]() -> protocol_ptr {
      asked.emplace_back("the protocol is made");
      return nullptr;
    };
  }

  lines asked;
  loop scheduler;
};

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const bad_endpoint& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("an endpoint goes to the row of its scheme, with what it was asked for") {
  notes log;
  scheme_table table;
  table.add("one", log.listen("one"), log.connect("one"));
  table.add("two", log.listen("two"), log.connect("two"));
  CHECK(table.names() == "one, two");
  CHECK(table.listen(log.scheduler, "TWO://host:1?x=y", log.factory()) != nullptr);
  bool told = false;
  const connecting attempt = table.connect(log.scheduler, "one:path", log.factory(), [&](const result<transport&>&) { told = true; });
  CHECK(log.asked == lines{"two listens at two://host:1?x=y", "the protocol is made", "one connects to one:path", "the protocol is made"});
  CHECK(told);
  CHECK_FALSE(attempt.in_progress());
}

TEST_CASE("a table says which schemes have servers") {
  notes log;
  scheme_table table;
  table.add("both", log.listen("both"), log.connect("both"));
  table.add("client", {}, log.connect("client"));
  table.add_layer("layer", "client", log.wrap("layer"));
  CHECK(table.can_listen("both://host:1"));
  CHECK_FALSE(table.can_listen("client:path"));
  CHECK_FALSE(table.can_listen("layer:path"));
  CHECK(refusal([&] { static_cast<void>(table.can_listen("nope:")); }).find("is not a scheme") != std::string::npos);
}

TEST_CASE("a table is a value: rows that are added to a copy stay there") {
  notes log;
  scheme_table table;
  table.add("one", log.listen("one"), log.connect("one"));
  scheme_table copy = table;
  copy.add("two", log.listen("two"), {});
  CHECK(table.names() == "one");
  CHECK(copy.names() == "one, two");
}

TEST_CASE("a layer that options put in stands below those that are added later, and is asked for each endpoint") {
  notes log;
  scheme_table table;
  table.add("one", log.listen("one"), log.connect("one"));
  table.add_options("one", log.wrap("options"));
  table.add_layer("over", "one", log.wrap("layer"));
  CHECK(table.names() == "one, over");
  table.listen(log.scheduler, "over://h:1?x=y", log.factory());
  CHECK(log.asked == lines{"layer wraps for a server one://h:1?x=y", "options wraps for a server one://h:1?x=y",
                           "one listens at one://h:1?x=y", "options is made", "layer is made", "the protocol is made"});
  log.asked.clear();
  const connecting attempt = table.connect(log.scheduler, "one:path", log.factory(), {});
  CHECK(log.asked.front() == "options wraps for a client one:path");
}

TEST_CASE("options go to a scheme of streams that is there") {
  notes log;
  scheme_table table;
  table.add_datagrams("datagrams",
                      [](loop&, const endpoint&, datagram_protocol_ptr) -> datagram_transport& { throw std::bad_function_call(); }, {});
  CHECK_THROWS_AS(table.add_options("one", log.wrap("options")), std::invalid_argument);
  CHECK_THROWS_AS(table.add_options("datagrams", log.wrap("options")), std::invalid_argument);
}

TEST_CASE("an unknown scheme is refused with the names of those that are known") {
  notes log;
  scheme_table table;
  const std::string none = "endpoint \"tcp://h:1\": \"tcp\" at 0 is not a scheme that this program knows; it knows none";
  CHECK(refusal([&] { table.listen(log.scheduler, "tcp://h:1", log.factory()); }) == none);
  table.add("one", log.listen("one"), {});
  table.add("two", {}, log.connect("two"));
  const std::string text = "endpoint \"tcp://h:1\": \"tcp\" at 0 is not a scheme that this program knows; it knows one, two";
  CHECK(refusal([&] { table.listen(log.scheduler, "tcp://h:1", log.factory()); }) == text);
  CHECK(refusal([&] { (void)table.connect(log.scheduler, "tcp://h:1", log.factory()); }) == text);
  try {
    table.listen(log.scheduler, "tcp://h:1", log.factory());
  } catch (const bad_endpoint& error) {
    CHECK(error.code() == errc::unknown_scheme);
    CHECK(error.error().offset == 0);
    CHECK(error.error().length == 3);
  }
  CHECK(log.asked.empty());
}

TEST_CASE("a scheme that can do only one of both says so") {
  notes log;
  scheme_table table;
  table.add("ears", log.listen("ears"), {});
  table.add("mouth", {}, log.connect("mouth"));
  table.add_layer("muffled", "mouth", log.wrap("muffled"));
  CHECK(refusal([&] { (void)table.connect(log.scheduler, "ears:x", {}); }) ==
        "endpoint \"ears:x\": \"ears\" at 0 cannot be connected to; it is for listening only");
  CHECK(refusal([&] { table.listen(log.scheduler, "mouth:x", {}); }) ==
        "endpoint \"mouth:x\": \"mouth\" at 0 cannot be listened on; it is for connecting only");
  CHECK(refusal([&] { table.listen(log.scheduler, "muffled:x", {}); }) ==
        "endpoint \"muffled:x\": \"muffled\" at 0 cannot be listened on; it is for connecting only");
  CHECK(log.asked.empty());
}

TEST_CASE("a layer's scheme stands on another one, which may be a layer's too: the innermost is made first") {
  notes log;
  scheme_table table;
  table.add("wire", log.listen("wire"), log.connect("wire"));
  table.add_layer("safe", "wire", log.wrap("safe"));
  table.add_layer("web", "safe", log.wrap("web"));
  CHECK(table.names() == "wire, safe, web");
  table.listen(log.scheduler, "web://h:1?a=b", log.factory());
  CHECK(log.asked == lines{"web wraps for a server safe://h:1?a=b", "safe wraps for a server wire://h:1?a=b",
                           "wire listens at wire://h:1?a=b", "safe is made", "web is made", "the protocol is made"});
  log.asked.clear();
  (void)table.connect(log.scheduler, "safe:x", log.factory());
  CHECK(log.asked == lines{"safe wraps for a client wire:x", "wire connects to wire:x", "safe is made", "the protocol is made"});
}

TEST_CASE("what the row below refuses is told about the text that the user wrote") {
  notes log;
  scheme_table table;
  const auto picky = [](loop&, const endpoint& at, const protocol_factory&) -> std::unique_ptr<server> {
    throw bad_endpoint(at.error_at(endpoint_part::port, "is not to my taste; expected another"));
  };
  table.add("wire", picky, {});
  table.add_layer("safe", "wire", log.wrap("safe"));
  CHECK(refusal([&] { table.listen(log.scheduler, "safe://h:77", log.factory()); }) ==
        "endpoint \"safe://h:77\": \"77\" at 9 is not to my taste; expected another");
}

TEST_CASE("a scheme of datagrams is opened and connected to, and says so where a stream is wanted") {
  notes log;
  scheme_table table;
  table.add("wire", log.listen("wire"), log.connect("wire"));
  const auto noting = [&log](const std::string& what) {
    return [&log, what](loop&, const endpoint& at, const datagram_protocol_ptr&) -> datagram_transport& {
      log.asked.push_back(what + ' ' + at.to_string());
      throw std::logic_error("there is none");
    };
  };
  table.add_datagrams("post", noting("opens"), noting("connects to"));
  table.add_datagrams("box", noting("opens"), {});
  CHECK(table.carries_datagrams("post:x"));
  CHECK_FALSE(table.carries_datagrams("wire:x"));
  CHECK_THROWS_AS(table.open_datagrams(log.scheduler, "post:x", nullptr), std::logic_error);
  CHECK_THROWS_AS(table.connect_datagrams(log.scheduler, "post:y", nullptr), std::logic_error);
  CHECK(log.asked == lines{"opens post:x", "connects to post:y"});
  CHECK(refusal([&] { table.listen(log.scheduler, "post:x", {}); }) ==
        "endpoint \"post:x\": \"post\" at 0 carries datagrams; expected a scheme of a stream");
  CHECK(refusal([&] { (void)table.connect(log.scheduler, "post:x", {}); }) ==
        "endpoint \"post:x\": \"post\" at 0 carries datagrams; expected a scheme of a stream");
  CHECK(refusal([&] { table.open_datagrams(log.scheduler, "wire:x", nullptr); }) ==
        "endpoint \"wire:x\": \"wire\" at 0 carries a stream; expected a scheme of datagrams");
  CHECK(refusal([&] { table.connect_datagrams(log.scheduler, "box:x", nullptr); }) ==
        "endpoint \"box:x\": \"box\" at 0 cannot be connected to; it is for opening only");
  CHECK_THROWS_WITH_AS(table.add_layer("safe", "post", log.wrap("safe")), "scheme \"safe\" stands on \"post\", which carries datagrams",
                       std::invalid_argument);
}

TEST_CASE("a name is taken once, and a layer needs something to stand on") {
  notes log;
  scheme_table table;
  table.add("one", log.listen("one"), {});
  CHECK_THROWS_WITH_AS(table.add("one", {}, {}), "scheme \"one\" is in the table already", std::invalid_argument);
  CHECK_THROWS_WITH_AS(table.add_layer("one", "one", log.wrap("x")), "scheme \"one\" is in the table already", std::invalid_argument);
  CHECK_THROWS_WITH_AS(table.add_layer("two", "three", log.wrap("x")), "scheme \"two\" stands on an unknown scheme \"three\"",
                       std::invalid_argument);
  CHECK(table.names() == "one");
}
