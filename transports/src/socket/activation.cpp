#include <sluice/activation.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "local/passed_descriptors.hpp"

namespace sluice {
namespace {

constexpr int first_passed = 3;
constexpr int most_passed = 65536;

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= 0 ? std::optional(number) : std::nullopt;
}

[[noreturn]] void refuse(const char* variable, const char* value, const std::string& expected) {
  throw std::system_error(make_error_code(std::errc::invalid_argument),
                          std::string(variable) + " is \"" + value + "\"; expected " + expected);
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  for (;;) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    names.emplace_back(text.substr(0, colon));
    if (colon == text.size()) return names;
    text.remove_prefix(colon + 1);
  }
}

// A number may be used again once its descriptor is closed, so each is taken once.
struct taken_descriptors {
  std::mutex mutex;
  std::set<int> numbers;

  static taken_descriptors& of_this_process() {
    static taken_descriptors all;
    return all;
  }
};

// The rest of what was passed, which `wanted` chooses from, is left to others.
template <typename Wanted>
std::vector<descriptor> take_if(Wanted wanted) {
  const detail::activation_variables variables{std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"), std::getenv("LISTEN_FDNAMES")};
  std::vector<descriptor> result;
  taken_descriptors& taken = taken_descriptors::of_this_process();
  const std::lock_guard lock(taken.mutex);
  for (const auto& each : detail::parse_passed(variables, ::getpid())) {
    if (taken.numbers.contains(each.number)) continue;
    ::fcntl(each.number, F_SETFD, FD_CLOEXEC);
    if (!wanted(each)) continue;
    taken.numbers.insert(each.number);
    result.emplace_back(each.number);
  }
  return result;
}

}  // namespace

std::vector<activation::passed_descriptor> detail::parse_passed(const activation_variables& variables, pid_t self) {
  if (variables.pid == nullptr || variables.count == nullptr) return {};
  const auto process = number_in(variables.pid);
  if (!process) refuse("LISTEN_PID", variables.pid, "the number of a process");
  if (*process != self) return {};
  const auto count = number_in(variables.count);
  if (!count || *count > most_passed)
    refuse("LISTEN_FDS", variables.count, "how many descriptors are passed, at most " + std::to_string(most_passed));
  if (*count == 0) return {};
  std::vector<std::string> names(static_cast<std::size_t>(*count), "unknown");
  if (variables.names != nullptr) names = split_names(variables.names);
  if (names.size() != static_cast<std::size_t>(*count))
    refuse("LISTEN_FDNAMES", variables.names, std::to_string(*count) + " names with colons between, as LISTEN_FDS says");
  std::vector<activation::passed_descriptor> result;
  for (int i = 0; i < *count; ++i) result.push_back({first_passed + i, std::move(names[static_cast<std::size_t>(i)])});
  return result;
}

bool detail::claim_descriptor(int number) {
  taken_descriptors& taken = taken_descriptors::of_this_process();
  const std::lock_guard lock(taken.mutex);
  return taken.numbers.insert(number).second;
}

std::vector<activation::passed_descriptor> activation::passed() {
  std::vector<passed_descriptor> result;
  take_if([&](const passed_descriptor& each) {
    result.push_back(each);
    return false;
  });
  return result;
}

std::vector<descriptor> activation::take(std::string_view name) {
  return take_if([&](const passed_descriptor& each) { return each.name == name; });
}

}  // namespace sluice
