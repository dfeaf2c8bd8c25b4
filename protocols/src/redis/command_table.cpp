#include <sluice/redis/command_table.hpp>

#include <algorithm>
#include <bit>
#include <numeric>

namespace sluice::redis {
namespace {

constexpr std::size_t npos = static_cast<std::size_t>(-1);
constexpr std::size_t longest_repeated = 128;  // Redis cuts what it repeats of a client's words

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// The same for a name in whatever case.
std::size_t hash_of(std::string_view name) noexcept {
  std::size_t hash = name.size();
  for (const char c : name) hash = hash * 31 + static_cast<unsigned char>(c | 0x20);
  return hash ^ hash >> 7;
}

// A power of two with room for twice as many.
std::size_t slots_for(std::size_t commands) noexcept { return std::bit_ceil(2 * commands + 1); }

bool fits(int arity, std::size_t count) noexcept {
  return arity >= 0 ? count == static_cast<std::size_t>(arity) : count >= static_cast<std::size_t>(-arity);
}

std::string unknown_command(arguments request) {
  std::string repeated;
  for (const auto argument : request.subspan(1)) {
    if (repeated.size() >= longest_repeated) break;
    const auto room = longest_repeated - repeated.size();
    repeated.append("'").append(argument.substr(0, room)).append("' ");
  }
  return std::string("ERR unknown command '").append(request[0].substr(0, longest_repeated)).append("', with args beginning with: ") +
         repeated;
}

void write_words(std::string& out, std::string_view words) {
  write_array(out, words.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(words, ' ')));
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    write_simple(out, words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

// As Redis 7.0, with its categories, tips, key specifications and subcommands left empty.
void write_info(std::string& out, const command_info& command) {
  write_array(out, 10);
  write_bulk(out, command.name);
  write_integer(out, command.arity);
  write_words(out, command.flags);
  for (const int position : {command.keys.first, command.keys.last, command.keys.step}) write_integer(out, position);
  for (int i = 0; i < 4; ++i) write_array(out, 0);
}

}  // namespace

bool is_keyword(std::string_view text, std::string_view word) noexcept {
  if (text.size() != word.size()) return false;
  std::size_t same = 0;
  while (same < text.size() && lower(text[same]) == word[same]) ++same;
  return same == text.size();
}

command_catalog::command_catalog(std::string_view parent, std::vector<command_info> commands)
    : parent_(parent), commands_(std::move(commands)), by_name_(commands_.size()), slots_(slots_for(commands_.size())) {
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::ranges::sort(by_name_, {}, [this](std::size_t index) { return commands_[index].name; });
  for (std::size_t index = 0; index < commands_.size(); ++index) {
    std::size_t slot = hash_of(commands_[index].name);
    while (slots_[slot & (slots_.size() - 1)] != 0) ++slot;
    slots_[slot & (slots_.size() - 1)] = index + 1;
  }
}

std::optional<std::size_t> command_catalog::look_up(std::string_view name) const noexcept {
  for (std::size_t slot = hash_of(name);; ++slot) {
    const std::size_t taken = slots_[slot & (slots_.size() - 1)];
    if (taken == 0) return std::nullopt;
    if (is_keyword(name, commands_[taken - 1].name)) return taken - 1;
  }
}

std::optional<std::size_t> command_catalog::find(arguments request, std::string& error) const {
  const std::size_t position = parent_.empty() ? 0 : 1;
  const auto found = position < request.size() ? look_up(request[position]) : std::nullopt;
  if (found && fits(commands_[*found].arity, request.size())) return found;
  error = found ? std::string("ERR wrong number of arguments for '").append(full_name(*found)).append("' command") : refusal(request);
  return std::nullopt;
}

std::string command_catalog::full_name(std::size_t index) const {
  const auto name = commands_[index].name;
  return parent_.empty() ? std::string(name) : std::string(parent_).append("|").append(name);
}

std::string command_catalog::refusal(arguments request) const {
  if (parent_.empty()) return unknown_command(request);
  if (request.size() < 2) return std::string("ERR wrong number of arguments for '").append(parent_).append("' command");
  std::string loud = parent_;
  std::ranges::transform(loud, loud.begin(), upper);
  const auto asked = request[1].substr(0, longest_repeated);
  return std::string("ERR unknown subcommand '").append(asked).append("'. Try ").append(loud).append(" HELP.");
}

// The commands of these names, all if there are none; `npos` stands for an unknown one.
std::vector<std::size_t> command_catalog::selected(arguments names) const {
  if (names.empty()) return by_name_;
  std::vector<std::size_t> indexes;
  for (const auto name : names) indexes.push_back(look_up(name).value_or(npos));
  return indexes;
}

std::string command_catalog::describe(arguments request) const {
  static const command_catalog asked("command", {{"count", 2}, {"docs", -2}, {"info", -2}, {"list", 2}});
  std::string out;
  std::string error;
  if (request.size() < 2) {
    write_infos(out, by_name_);
    return out;
  }
  const auto found = asked.find(request, error);
  if (!found) {
    write_error(out, error);
    return out;
  }
  const auto names = selected(request.subspan(2));
  switch (*found) {
    case 0: write_integer(out, static_cast<std::int64_t>(commands_.size())); break;
    case 1: write_docs(out, names); break;
    case 2: write_infos(out, names); break;
    default: write_names(out); break;
  }
  return out;
}

void command_catalog::write_infos(std::string& out, const std::vector<std::size_t>& indexes) const {
  write_array(out, indexes.size());
  for (const auto index : indexes) index == npos ? write_null(out) : write_info(out, commands_[index]);
}

void command_catalog::write_docs(std::string& out, std::vector<std::size_t> indexes) const {
  std::erase(indexes, npos);
  write_array(out, 2 * indexes.size());
  for (const auto index : indexes) {
    write_bulk(out, commands_[index].name);
    write_array(out, 0);
  }
}

void command_catalog::write_names(std::string& out) const {
  write_array(out, by_name_.size());
  for (const auto index : by_name_) write_bulk(out, commands_[index].name);
}

}  // namespace sluice::redis
