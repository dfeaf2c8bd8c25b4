#include <sluice/option_table.hpp>

#include <algorithm>
#include <stdexcept>

#include "text.hpp"

namespace sluice::detail {

void option_table_base::add(std::string_view name, std::string expected, setter set, repetition repeated) {
  require(find(name) == nullptr, name, "is in the table already");
  rows_.push_back({std::string(name), std::move(expected), std::move(set), repeated});
}

void option_table_base::require(bool holds, std::string_view name, const char* rule) {
  if (!holds) throw std::invalid_argument("option " + quote(name) + ' ' + rule);
}

bool option_table_base::run(const endpoint& from, void* into, unknown others, endpoint_error& error) const {
  error = {};
  for (const auto& option : from.options()) {
    const entry* const row = find(option.name);
    if (row == nullptr) {
      if (others == unknown::skipped) continue;
      error = from.error_at(option.name_at, "is not a known option; expected " + known(from));
      return false;
    }
    if (row->repeated == repetition::refused && !check_once(from, option, error)) return false;
    if (!set(from, *row, option, into, error)) return false;
  }
  return true;
}

void option_table_base::remove_known(endpoint& from) const {
  std::erase_if(from.options_, [this](const endpoint_option& option) { return find(option.name) != nullptr; });
  for (const auto& row : rows_) from.taken_.push_back(row.name);
}

const option_table_base::entry* option_table_base::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(rows_, name, &entry::name);
  return found == rows_.end() ? nullptr : &*found;
}

bool option_table_base::check_once(const endpoint& from, const endpoint_option& option, endpoint_error& error) const {
  const auto& first = *std::ranges::find(from.options(), option.name, &endpoint_option::name);
  if (&first == &option) return true;
  error = from.error_at(option.name_at, "is there already at " + std::to_string(first.name_at.offset) + "; expected it once");
  return false;
}

bool option_table_base::set(const endpoint& from, const entry& row, const endpoint_option& option, void* into,
                            endpoint_error& error) const {
  if (row.set(into, option.value)) return true;
  const std::string problem = option.value_at.length == 0 ? "there is no value for " : "is not a value for ";
  error = from.error_at(option.value_at, problem + row.name + "; expected " + row.expected);
  return false;
}

std::string option_table_base::known(const endpoint& from) const {
  std::string names;
  const auto append = [&names](const std::string& name) { names += (names.empty() ? "one of " : ", ") + name; };
  std::ranges::for_each(from.taken_, append);
  std::ranges::for_each(rows_, append, &entry::name);
  return names.empty() ? "none" : names;
}

}  // namespace sluice::detail
