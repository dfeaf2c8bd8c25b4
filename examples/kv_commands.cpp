#include "kv_commands.hpp"

#include <sluice/redis/glob.hpp>
#include <sluice/redis/integer.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace sluice::redis;
using std::string;
using std::string_view;

namespace {

constexpr auto not_an_integer = "ERR value is not an integer or out of range";
constexpr auto syntax_error = "ERR syntax error";

template <class... Parts>
void append_to(string& out, const Parts&... parts) {
  (out.append(parts), ...);
}

// One request on its way through its command, which writes exactly one reply.
struct call {
  kv_service& service;
  session& client;
  arguments args;
  kv_store& store = service.store;

  void refuse(std::initializer_list<string_view> parts) { write_error(client, parts); }
  void ok() { write_simple(client, "OK"); }

  // The two readers return false after they wrote what is wrong.
  bool read_integer(std::size_t index, std::int64_t& value) {
    const auto parsed = parse_integer(args[index]);
    if (!parsed) refuse({not_an_integer});
    value = parsed.value_or(0);
    return parsed.has_value();
  }
  bool read_deadline(std::size_t index, std::int64_t unit, std::int64_t least, kv_store::time& deadline) {
    std::int64_t amount = 0, moment = 0;
    if (!read_integer(index, amount)) return false;
    const bool is_valid = amount >= least && !__builtin_mul_overflow(amount, unit, &moment) &&
                          !__builtin_add_overflow(moment, std::int64_t{store.now().count()}, &moment);
    if (!is_valid) refuse({"ERR invalid expire time in '", least > 0 ? "set" : "expire", "' command"});
    deadline = kv_store::time(moment);
    return is_valid;
  }

  void ping() {
    if (args.size() > 2) return refuse({"ERR wrong number of arguments for 'ping' command"});
    args.size() == 2 ? write_bulk(client, args[1]) : write_simple(client, "PONG");
  }
  void select() {
    if (std::int64_t index = 0; read_integer(1, index)) index == 0 ? ok() : refuse({"ERR DB index is out of range"});
  }

  void assign(string_view key, string_view value, kv_store::time deadline = kv_store::never) {
    auto& entry = store.at(key);
    entry.value = value;
    store.set_deadline(entry, deadline);
  }

  void set() {
    auto deadline = kv_store::never;
    bool only_new = false, only_present = false;
    for (std::size_t i = 3; i < args.size(); ++i) {
      const std::int64_t unit = is_keyword(args[i], "ex") ? 1000 : is_keyword(args[i], "px") ? 1 : 0;
      only_new |= is_keyword(args[i], "nx");
      only_present |= is_keyword(args[i], "xx");
      const bool has_time = unit != 0 && deadline == kv_store::never && i + 1 < args.size();
      if ((only_new && only_present) || (!has_time && !is_keyword(args[i], "nx") && !is_keyword(args[i], "xx")))
        return refuse({syntax_error});
      if (has_time && !read_deadline(++i, unit, 1, deadline)) return;
    }
    if (store.find(args[1]) != nullptr ? only_new : only_present) return write_null(client);
    assign(args[1], args[2], deadline);
    ok();
  }

  void mset() {
    if (args.size() % 2 == 0) return refuse({"ERR wrong number of arguments for 'mset' command"});
    for (std::size_t i = 1; i < args.size(); i += 2) assign(args[i], args[i + 1]);
    ok();
  }

  void get(string_view key) {
    const auto* entry = store.find(key);
    entry == nullptr ? write_null(client) : write_bulk(client, entry->value);
  }
  void mget() {
    write_array(client, args.size() - 1);
    for (const auto key : args.subspan(1)) get(key);
  }

  template <class Counts>
  void count(Counts counts) {
    write_integer(client, std::ranges::count_if(args.subspan(1), counts));
  }

  void add(std::int64_t amount) {
    const auto* entry = store.find(args[1]);
    const auto old = entry == nullptr ? 0 : parse_integer(entry->value);
    std::int64_t sum = 0;
    if (!old) return refuse({not_an_integer});
    if (__builtin_add_overflow(*old, amount, &sum)) return refuse({"ERR increment or decrement would overflow"});
    store.at(args[1]).value = std::to_string(sum);
    write_integer(client, sum);
  }
  void add_argument(int sign) {
    if (std::int64_t amount = 0; read_integer(2, amount))
      sign < 0 && amount == INT64_MIN ? refuse({"ERR decrement would overflow"}) : add(sign * amount);
  }

  std::size_t length() {
    const auto* entry = store.find(args[1]);
    return entry == nullptr ? 0 : entry->value.size();
  }
  void append() {
    if (length() + args[2].size() > service.max_bulk) return refuse({"ERR string exceeds maximum allowed size (proto-max-bulk-len)"});
    write_integer(client, store.at(args[1]).value.append(args[2]).size());
  }

  void expire() {
    kv_store::time deadline(0);
    if (args.size() > 3) return refuse({"ERR Unsupported option ", args[3]});
    if (!read_deadline(2, 1000, INT64_MIN, deadline)) return;
    auto* entry = store.find(args[1]);
    write_integer(client, entry == nullptr ? 0 : 1);
    if (entry != nullptr) deadline > store.now() ? store.set_deadline(*entry, deadline) : void(store.erase(args[1]));
  }

  void time_to_live(std::int64_t unit) {
    const auto* entry = store.find(args[1]);
    if (entry == nullptr) return write_integer(client, -2);
    write_integer(client, entry->deadline == kv_store::never ? -1 : ((entry->deadline - store.now()).count() + unit / 2) / unit);
  }

  void flushall() {
    if (args.size() > 2 || (args.size() == 2 && !is_keyword(args[1], "async") && !is_keyword(args[1], "sync")))
      return refuse({syntax_error});
    store.clear();
    ok();
  }

  void keys() {
    std::vector<string_view> found;
    store.scan(0, kv_store::all, [&](const auto& entry) {
      if (glob_matches(args[1], entry.key)) found.push_back(entry.key);
    });
    write_list(client, found);
  }

  void scan() {
    const auto start = parse_integer(args[1]);
    string_view pattern = "*";
    std::int64_t slots = 10;
    if (!start || *start < 0) return refuse({"ERR invalid cursor"});
    for (std::size_t i = 2; i < args.size(); i += 2) {
      const bool is_match = is_keyword(args[i], "match"), is_count = is_keyword(args[i], "count");
      if (i + 1 == args.size() || !(is_match || is_count)) return refuse({syntax_error});
      if (is_match) pattern = args[i + 1];
      if (is_count && !read_integer(i + 1, slots)) return;
      if (slots < 1) return refuse({syntax_error});
    }
    std::vector<string_view> found;
    const auto next = store.scan(static_cast<std::size_t>(*start), static_cast<std::size_t>(slots), [&](const auto& entry) {
      if (glob_matches(pattern, entry.key)) found.push_back(entry.key);
    });
    write_array(client, 2);
    write_bulk(client, std::to_string(next));
    write_list(client, found);
  }

  void config_get() {
    const auto max_bulk = std::to_string(service.max_bulk);
    std::vector<string_view> found;
    const std::pair<string_view, string_view> known[] = {
        {"appendonly", "no"}, {"databases", "1"}, {"maxmemory", "0"}, {"proto-max-bulk-len", max_bulk}, {"save", ""}};
    for (const auto& each : known)
      if (std::ranges::any_of(args.subspan(2), [&](auto asked) { return glob_matches(asked, each.first); }))
        found.insert(found.end(), {each.first, each.second});
    write_list(client, found);
  }

  void info() {
    string out;
    const auto section = [&](string_view name, const auto&... parts) {
      const auto is_asked = [&](string_view word) { return is_keyword(word, name) || is_keyword(word, "all"); };
      if (args.size() == 1 || std::ranges::any_of(args.subspan(1), is_asked)) append_to(out, out.empty() ? "" : "\r\n", parts..., "\r\n");
    };
    section("server", "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone");
    section("clients", "# Clients\r\nconnected_clients:", std::to_string(service.sessions.size()));
    section("stats", "# Stats\r\ntotal_commands_processed:", std::to_string(service.requests));
    section("keyspace", "# Keyspace\r\ndb0:keys=", std::to_string(store.size()), ",expires=", std::to_string(store.with_deadline()));
    write_bulk(client, out);
  }
};

const command_table<call> config_commands("config", {{{"get", -3}, [](call& c) { c.config_get(); }}});

const command_table<call>& commands() {
  static const command_table<call> table(
      "",
      {
          {{"append", 3, "write denyoom fast", {1, 1, 1}}, [](call& c) { c.append(); }},
          {{"client", -2}, [](call& c) { c.service.sessions.client(c.client, c.args, c.store.now()); }},
          {{"command", -1}, [](call& c) { commands().describe(c.args, c.client); }},
          {{"config", -2}, [](call& c) { config_commands.run(c.args, c.client, c); }},
          {{"dbsize", 1, "readonly fast"}, [](call& c) { write_integer(c.client, c.store.size()); }},
          {{"decr", 2, "write denyoom fast", {1, 1, 1}}, [](call& c) { c.add(-1); }},
          {{"decrby", 3, "write denyoom fast", {1, 1, 1}}, [](call& c) { c.add_argument(-1); }},
          {{"del", -2, "write", {1, -1, 1}}, [](call& c) { c.count([&](auto key) { return c.store.erase(key); }); }},
          {{"echo", 2, "fast"}, [](call& c) { write_bulk(c.client, c.args[1]); }},
          {{"exists", -2, "readonly fast", {1, -1, 1}}, [](call& c) { c.count([&](auto key) { return c.store.find(key) != nullptr; }); }},
          {{"expire", -3, "write fast", {1, 1, 1}}, [](call& c) { c.expire(); }},
          {{"flushall", -1, "write"}, [](call& c) { c.flushall(); }},
          {{"get", 2, "readonly fast", {1, 1, 1}}, [](call& c) { c.get(c.args[1]); }},
          {{"hello", -1, "fast"}, [](call& c) { c.service.sessions.hello(c.client, c.args); }},
          {{"incr", 2, "write denyoom fast", {1, 1, 1}}, [](call& c) { c.add(1); }},
          {{"incrby", 3, "write denyoom fast", {1, 1, 1}}, [](call& c) { c.add_argument(1); }},
          {{"info", -1}, [](call& c) { c.info(); }},
          {{"keys", 2, "readonly"}, [](call& c) { c.keys(); }},
          {{"mget", -2, "readonly fast", {1, -1, 1}}, [](call& c) { c.mget(); }},
          {{"mset", -3, "write denyoom", {1, -1, 2}}, [](call& c) { c.mset(); }},
          {{"ping", -1, "fast"}, [](call& c) { c.ping(); }},
          {{"pttl", 2, "readonly fast", {1, 1, 1}}, [](call& c) { c.time_to_live(1); }},
          {{"quit", -1, "fast"}, [](call& c) { c.ok(), c.client.end(); }},
          {{"scan", -2, "readonly"}, [](call& c) { c.scan(); }},
          {{"select", 2, "fast"}, [](call& c) { c.select(); }},
          {{"set", -3, "write denyoom", {1, 1, 1}}, [](call& c) { c.set(); }},
          {{"strlen", 2, "readonly fast", {1, 1, 1}}, [](call& c) { write_integer(c.client, c.length()); }},
          {{"ttl", 2, "readonly fast", {1, 1, 1}}, [](call& c) { c.time_to_live(1000); }},
          {{"type", 2, "readonly fast", {1, 1, 1}}, [](call& c) { write_simple(c.client, c.store.find(c.args[1]) ? "string" : "none"); }},
      });
  return table;
}

}  // namespace

void kv_service::execute(session& client, arguments request, kv_store::time now) {
  store.set_time(now);
  sessions.note(client, request, now);
  ++requests;
  call made{*this, client, request};
  commands().run(request, client, made);
}
