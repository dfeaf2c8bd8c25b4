#include <sluice/redis/session.hpp>

#include <sluice/redis/integer.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace sluice::redis {
namespace {

constexpr auto syntax_error = "ERR syntax error";

// False: `out` got an error instead.
bool set_clean(session& out, std::string& field, std::string_view value, std::string_view what) {
  const bool is_clean = std::ranges::all_of(value, [](char c) { return c >= '!' && c <= '~'; });
  if (is_clean)
    field = value;
  else
    write_error(out, {"ERR ", what, " cannot contain spaces, newlines or special characters."});
  return is_clean;
}

template <class... Parts>
void append_to(std::string& out, const Parts&... parts) {
  (out.append(parts), ...);
}

void append_line(std::string& out, const session& each, session_list::time now) {
  const auto since = [now](session_list::time then) { return std::to_string((now - then) / std::chrono::seconds(1)); };
  append_to(out, "id=", std::to_string(each.id), " addr=", each.address, " laddr=", each.local_address, " name=", each.name);
  append_to(out, " age=", since(each.connected_at), " idle=", since(each.active_at), " flags=N db=0 omem=", std::to_string(each.unsent()));
  append_to(out, " cmd=", each.last_command, " user=default lib-name=", each.library_name, " lib-ver=", each.library_version, " resp=2\n");
}

bool is_client_type(std::string_view text) {
  const auto known = {"normal", "master", "replica", "slave", "pubsub"};
  return std::ranges::any_of(known, [text](auto type) { return is_keyword(text, type); });
}

// What CLIENT KILL asks for; what is not set matches every session.
struct filter {
  std::optional<std::uint64_t> id;
  std::optional<std::string_view> address;
  std::optional<std::string_view> local_address;
  bool is_normal = true;
  bool spares_asking = true;

  bool matches(const session& each, const session& asking) const {
    return is_normal && (!id || *id == each.id) && (!address || *address == each.address) &&
           (!local_address || *local_address == each.local_address) && !(spares_asking && &each == &asking);
  }
};

}  // namespace

struct session_list::call {
  session_list& list;
  session& asking;
  arguments request;
  time now;

  void ok() { write_simple(asking, "OK"); }

  void get_name() { asking.name.empty() ? write_null(asking) : write_bulk(asking, asking.name); }

  void set_name() {
    if (set_clean(asking, asking.name, request[2], "Client names")) ok();
  }

  void set_info() {
    const bool is_version = is_keyword(request[2], "lib-ver");
    if (!is_version && !is_keyword(request[2], "lib-name")) return write_error(asking, {"ERR Unrecognized option '", request[2], "'"});
    if (set_clean(asking, is_version ? asking.library_version : asking.library_name, request[3], request[2])) ok();
  }

  void info() {
    std::string line;
    append_line(line, asking, now);
    write_bulk(asking, line);
  }

  void show_all(bool is_normal) {
    std::string lines;
    if (is_normal) list.for_each([&](const session& each) { append_line(lines, each, now); });
    write_bulk(asking, lines);
  }

  void show() {
    if (request.size() == 2) return show_all(true);
    if (request.size() > 3 && is_keyword(request[2], "id")) return show_some();
    if (request.size() != 4 || !is_keyword(request[2], "type")) return write_error(asking, syntax_error);
    if (!is_client_type(request[3])) return write_error(asking, {"ERR Unknown client type '", request[3], "'"});
    show_all(is_keyword(request[3], "normal"));
  }

  void show_some() {
    std::string lines;
    for (const auto text : request.subspan(3)) {
      const auto id = parse_integer(text);
      if (!id) return write_error(asking, "ERR Invalid client ID");
      const auto found = list.sessions_.find(static_cast<std::uint64_t>(*id));
      if (found != list.sessions_.end()) append_line(lines, *found->second, now);
    }
    write_bulk(asking, lines);
  }

  void kill() {
    filter wanted;
    const bool is_old_form = request.size() == 3;
    if (is_old_form) {
      wanted.address = request[2];
      wanted.spares_asking = false;
    } else if (!read_filter(wanted)) {
      return;
    }
    std::vector<session*> found;
    list.for_each([&](session& each) {
      if (wanted.matches(each, asking)) found.push_back(&each);
    });
    if (!is_old_form)
      write_integer(asking, found.size());
    else
      found.empty() ? write_error(asking, "ERR No such client") : ok();
    for (auto* each : found) each == &asking ? each->end() : each->kill();
  }

  bool read_filter(filter& wanted) {
    for (std::size_t i = 2; i < request.size(); i += 2) {
      if (i + 1 < request.size() && read_pair(wanted, request[i], request[i + 1])) continue;
      if (i + 1 == request.size()) write_error(asking, syntax_error);
      return false;
    }
    return true;
  }

  bool read_pair(filter& wanted, std::string_view option, std::string_view value) {
    if (is_keyword(option, "id")) return read_id(wanted, value);
    if (is_keyword(option, "type")) return read_type(wanted, value);
    if (is_keyword(option, "user")) return read_user(value);
    if (is_keyword(option, "addr"))
      wanted.address = value;
    else if (is_keyword(option, "laddr"))
      wanted.local_address = value;
    else if (is_keyword(option, "skipme") && (is_keyword(value, "yes") || is_keyword(value, "no")))
      wanted.spares_asking = is_keyword(value, "yes");
    else
      return refuse({syntax_error});
    return true;
  }

  bool read_id(filter& wanted, std::string_view value) {
    const auto id = parse_integer(value).value_or(0);
    wanted.id = static_cast<std::uint64_t>(id);
    return id > 0 || refuse({"ERR client-id should be greater than 0"});
  }

  bool read_type(filter& wanted, std::string_view value) {
    wanted.is_normal = is_keyword(value, "normal");
    return is_client_type(value) || refuse({"ERR Unknown client type '", value, "'"});
  }

  bool read_user(std::string_view value) { return value == "default" || refuse({"ERR No such user '", value, "'"}); }

  bool refuse(std::initializer_list<std::string_view> parts) {
    write_error(asking, parts);
    return false;
  }
};

void session_list::add(session& joined, time now) {
  joined.id = ++last_id_;
  joined.connected_at = now;
  joined.active_at = now;
  sessions_.emplace(joined.id, &joined);
}

void session_list::note(session& asking, arguments request, time now) {
  constexpr std::size_t longest = 32;
  asking.active_at = now;
  asking.last_command = request[0].substr(0, longest);
}

void session_list::hello(session& asking, arguments request) {
  if (request.size() > 1 && !parse_integer(request[1]))
    return write_error(asking, "ERR Protocol version is not an integer or out of range");
  if (request.size() > 1 && request[1] != "2") return write_error(asking, "NOPROTO unsupported protocol version");
  for (std::size_t i = 2; i < request.size(); i += 2) {
    if (!is_keyword(request[i], "setname") || i + 1 == request.size())
      return write_error(asking, {"ERR Syntax error in HELLO option '", request[i], "'"});
    if (!set_clean(asking, asking.name, request[i + 1], "Client names")) return;
  }
  write_array(asking, 14);
  for (const std::string_view text : {"server", server_.c_str(), "version", version_.c_str(), "proto"}) write_bulk(asking, text);
  write_integer(asking, 2);
  write_bulk(asking, "id");
  write_integer(asking, asking.id);
  for (const auto text : {"mode", "standalone", "role", "master", "modules"}) write_bulk(asking, text);
  write_array(asking, 0);
}

void session_list::client(session& asking, arguments request, time now) {
  static const command_table<call> subcommands("client", {{{"getname", 2}, [](call& made) { made.get_name(); }},
                                                          {{"id", 2}, [](call& made) { write_integer(made.asking, made.asking.id); }},
                                                          {{"info", 2}, [](call& made) { made.info(); }},
                                                          {{"kill", -3}, [](call& made) { made.kill(); }},
                                                          {{"list", -2}, [](call& made) { made.show(); }},
                                                          {{"setinfo", 4}, [](call& made) { made.set_info(); }},
                                                          {{"setname", 3}, [](call& made) { made.set_name(); }}});
  call made{*this, asking, request, now};
  subcommands.run(request, asking, made);
}

}  // namespace sluice::redis
