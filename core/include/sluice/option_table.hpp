#pragma once

#include <sluice/detail/option_table_base.hpp>
#include <sluice/detail/option_values.hpp>
#include <sluice/endpoint.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice {

namespace detail {

template <class T>
struct option_field {
  using type = T;
};
template <class T>
struct option_field<std::optional<T>> {
  using type = T;
};

}  // namespace detail

/// A word and what it stands for, for `option_table::choice`.
template <class T>
struct option_choice {
  std::string_view word;
  T value;
};

/// The options that a scheme knows, and where each goes in its plain struct of options:
///
///     const auto table = option_table<tcp::options>()
///                            .integer("backlog", &tcp::options::backlog, 1, 65535)
///                            .flag("nodelay", &tcp::options::nodelay)
///                            .duration("idle", &tcp::options::idle, 0s, 24h);
///     tcp::options options = table.read("tcp://0.0.0.0:7000?backlog=1024&idle=30s");
///
/// A target is a pointer to member, or a function that takes the struct and returns a reference into it (for a member of a member). Members may be
/// `std::optional`. Declaring throws `std::invalid_argument` for mistakes of the table's author: a name twice, limits that the member cannot
/// hold. The table is for set-up: it allocates. Reading it is const and may be done by several threads at once.
template <std::copyable Options>
class option_table : private detail::option_table_base {
 public:
  template <class Target>
  using field = typename detail::option_field<std::remove_cvref_t<std::invoke_result_t<const Target&, Options&>>>::type;

  /// A decimal number from `min` to `max`.
  template <class Target>
  option_table& integer(std::string_view name, Target target, std::int64_t min, std::int64_t max) {
    static_assert(std::integral<field<Target>>);
    require(min <= max && std::in_range<field<Target>>(min) && std::in_range<field<Target>>(max), name, "has limits that it cannot hold");
    return put(name, target, detail::describe_integer(min, max),
               [min, max](std::string_view text) { return detail::parse_integer_option(text, min, max); });
  }

  /// on, true, yes, 1 or off, false, no, 0.
  template <class Target>
  option_table& flag(std::string_view name, Target target) {
    static_assert(std::same_as<field<Target>, bool>);
    return put(name, target, "on or off", detail::parse_flag_option);
  }

  /// A whole number and its unit: `250ms`, `30s`, `5m`, `1h`, also `us`; zero needs none. What the member cannot tell apart is refused: `1500ms` for
  /// whole seconds.
  template <class Target>
  option_table& duration(std::string_view name, Target target, std::chrono::nanoseconds min = std::chrono::nanoseconds::zero(),
                         std::chrono::nanoseconds max = std::chrono::hours(365 * 24)) {
    using ticks = field<Target>;
    const detail::duration_limits limits{min, max, std::chrono::nanoseconds(ticks(1))};
    require(min >= min.zero() && min <= max && std::in_range<typename ticks::rep>(max / limits.step), name,
            "has limits that it cannot hold");
    return put(name, target, detail::describe_duration(limits), [limits](std::string_view text) {
      const auto value = detail::parse_duration_option(text, limits);
      return value ? std::optional(std::chrono::duration_cast<ticks>(*value)) : std::nullopt;
    });
  }

  /// Bytes: `65536`, `64KiB`, `1MiB`, `1GiB`.
  template <class Target>
  option_table& size(std::string_view name, Target target, std::uint64_t min = 0,
                     std::uint64_t max = static_cast<std::uint64_t>(std::numeric_limits<field<Target>>::max())) {
    static_assert(std::integral<field<Target>>);
    require(min <= max && std::in_range<field<Target>>(max), name, "has limits that it cannot hold");
    return put(name, target, detail::describe_size(min, max),
               [min, max](std::string_view text) { return detail::parse_size_option(text, min, max); });
  }

  /// Octal permissions, with or without a leading 0: `0660`.
  template <class Target>
  option_table& mode(std::string_view name, Target target) {
    static_assert(std::integral<field<Target>> && sizeof(field<Target>) >= 2);
    return put(name, target, "an octal mode such as 0660", detail::parse_mode_option);
  }

  /// One of some words: `.choice("parity", &options::parity, {{"none", parity::none}, {"even", parity::even}})`.
  template <class Target>
  option_table& choice(std::string_view name, Target target, std::initializer_list<option_choice<field<Target>>> choices) {
    require(choices.size() > 0, name, "has no choices");
    std::vector<std::pair<std::string, field<Target>>> words;
    std::string expected;
    for (const auto& choice : choices) {
      words.emplace_back(choice.word, choice.value);
      expected += (expected.empty() ? "one of " : ", ") + words.back().first;
    }
    return put(name, target, std::move(expected), [words = std::move(words)](std::string_view text) -> std::optional<field<Target>> {
      for (const auto& [word, value] : words)
        if (word == text) return value;
      return std::nullopt;
    });
  }

  /// Any text, the empty one included, without NUL: it may go to a system call.
  template <class Target>
  option_table& text(std::string_view name, Target target) {
    return put(name, target, text_expected, plain_text);
  }

  /// As `text`, but may be given many times: each is appended to a vector of strings.
  template <class Target>
  option_table& texts(std::string_view name, Target target) {
    add(
        name, text_expected,
        [target](void* options, std::string_view value) {
          const auto text = plain_text(value);
          if (text) std::invoke(target, *static_cast<Options*>(options)).push_back(*text);
          return text.has_value();
        },
        repetition::allowed);
    return *this;
  }

  /// What none of the others can say. `set(options, text)` returns false for text that is not a value; `expected` completes the message
  /// "… is not a value for NAME; expected …".
  template <std::predicate<Options&, std::string_view> Set>
  option_table& custom(std::string_view name, std::string_view expected, Set set) {
    add(name, std::string(expected), [set](void* options, std::string_view text) { return set(*static_cast<Options*>(options), text); });
    return *this;
  }

  /// As `custom`, but may be given many times: each is set in turn.
  template <std::predicate<Options&, std::string_view> Set>
  option_table& customs(std::string_view name, std::string_view expected, Set use) {
    add(
        name, std::string(expected), [use](void* options, std::string_view text) { return use(*static_cast<Options*>(options), text); },
        repetition::allowed);
    return *this;
  }

  /// Sets in `into` what the endpoint gives and leaves the rest as it is. An option that is not in the table, that is given twice or whose value is
  /// malformed is refused: throws `bad_endpoint`, or sets `error` and returns false, and `into` is as before.
  void apply(const endpoint& from, Options& into) const {
    endpoint_error error;
    if (!apply(from, into, error)) throw bad_endpoint(std::move(error));
  }
  bool apply(const endpoint& from, Options& into, endpoint_error& error) const { return apply(from, into, unknown::refused, error); }

  /// Default-constructed options with what the endpoint gives.
  Options read(const endpoint& from) const {
    Options options{};
    apply(from, options);
    return options;
  }

  /// For the scheme of a layer: as `apply`, but takes what this table knows out of the endpoint and leaves the rest for the table of the scheme
  /// below, whose message about an unknown option then lists the names of both.
  void take(endpoint& from, Options& into) const {
    endpoint_error error;
    if (!take(from, into, error)) throw bad_endpoint(std::move(error));
  }
  bool take(endpoint& from, Options& into, endpoint_error& error) const {
    if (!apply(from, into, unknown::skipped, error)) return false;
    remove_known(from);
    return true;
  }

 private:
  static constexpr const char* text_expected = "text without NUL";

  static std::optional<std::string> plain_text(std::string_view text) {
    return text.find('\0') == text.npos ? std::optional<std::string>(text) : std::nullopt;
  }

  /// `parse(text)` gives an optional value that fits into the field.
  template <class Target, class Parse>
  option_table& put(std::string_view name, Target target, std::string expected, Parse parse) {
    add(name, std::move(expected), [target, parse](void* options, std::string_view text) {
      auto value = parse(text);
      if (!value) return false;
      std::invoke(target, *static_cast<Options*>(options)) = static_cast<field<Target>>(*std::move(value));
      return true;
    });
    return *this;
  }

  bool apply(const endpoint& from, Options& into, unknown others, endpoint_error& error) const {
    Options result = into;
    if (!run(from, &result, others, error)) return false;
    into = std::move(result);
    return true;
  }
};

}  // namespace sluice
