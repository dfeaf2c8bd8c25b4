#include "accounts.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/types.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace sluice::detail {
namespace {

constexpr std::size_t least_room = 1024;
constexpr std::size_t most_room = 1 << 20;

// The highest one means "leave it as it is" to the system.
std::optional<unsigned> number_in(std::string_view text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number == std::numeric_limits<unsigned>::max()) return std::nullopt;
  return number;
}

template <typename Entry, typename Find>
std::optional<Entry> look_up(std::string_view name, Find find) {
  const std::string terminated(name.substr(0, name.find('\0')));
  if (terminated.size() != name.size()) return std::nullopt;
  Entry entry{};
  for (std::size_t room = least_room; room <= most_room; room *= 2) {
    std::vector<char> strings(room);
    Entry* found = nullptr;
    const int error = find(terminated.c_str(), &entry, strings.data(), strings.size(), &found);
    if (found != nullptr) return entry;
    if (error != ERANGE) break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<unsigned> user_number(std::string_view text) {
  if (const auto number = number_in(text)) return number;
  const auto found = look_up<passwd>(text, ::getpwnam_r);
  return found ? std::optional<unsigned>(found->pw_uid) : std::nullopt;
}

std::optional<unsigned> group_number(std::string_view text) {
  if (const auto number = number_in(text)) return number;
  const auto found = look_up<group>(text, ::getgrnam_r);
  return found ? std::optional<unsigned>(found->gr_gid) : std::nullopt;
}

}  // namespace sluice::detail
