#pragma once

#include <sluice/endpoint.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::detail {

/// What `option_table` does that does not depend on the type of the options, which pass through here as `void*`.
class option_table_base {
 protected:
  using setter = std::function<bool(void* options, std::string_view value)>;
  enum class repetition {
    refused,
    allowed
  };
  enum class unknown {
    refused,
    skipped
  };

  /// `expected` completes "expected …". Throws `std::invalid_argument` for a name that is there already.
  void add(std::string_view name, std::string expected, setter set, repetition repeated = repetition::refused);
  /// Throws `std::invalid_argument` that names the option, unless `holds`: a mistake in the table, not in an endpoint.
  static void require(bool holds, std::string_view name, const char* rule);

  bool run(const endpoint& from, void* into, unknown others, endpoint_error& error) const;
  /// Removes the options that this table knows, and remembers their names for the message of the next table.
  void remove_known(endpoint& from) const;

 private:
  struct entry {
    std::string name;
    std::string expected;
    setter set;
    repetition repeated;
  };

  const entry* find(std::string_view name) const noexcept;
  bool check_once(const endpoint& from, const endpoint_option& option, endpoint_error& error) const;
  bool set(const endpoint& from, const entry& row, const endpoint_option& option, void* into, endpoint_error& error) const;
  std::string known(const endpoint& from) const;

  std::vector<entry> rows_;
};

}  // namespace sluice::detail
