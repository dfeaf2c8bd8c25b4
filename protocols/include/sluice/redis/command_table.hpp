#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/redis/encoder.hpp>

namespace sluice::redis {

/// The arguments of a request, the command's name first, as `request_decoder` delivers them.
using arguments = std::span<const std::string_view>;

/// Whether `text` is `word`, which is in lower case, in any case: how Redis compares the names of commands and options.
bool is_keyword(std::string_view text, std::string_view word) noexcept;

/// Where the keys stand among the arguments of a command, as clients ask for it by `COMMAND`; all zero: there are none.
struct key_positions {
  int first = 0;
  int last = 0;  ///< -1: up to the last argument.
  int step = 0;
};

/// What is known of a command without running it.
struct command_info {
  std::string_view name;        ///< In lower case; has to live as long as the table, as literals do.
  int arity = 0;                ///< How many arguments it takes, its name (and its parent's) included; negative: that many or more.
  std::string_view flags = {};  ///< As Redis names them, with blanks in between: "write denyoom".
  key_positions keys = {};
};

/// The commands that a server knows, or the subcommands of one of them: finds the one that a request means, and words as Redis 7.0 does what
/// is wrong with a request that means none.
class command_catalog {
 public:
  /// `parent`: the command (in lower case) whose second argument is looked up here; empty: the first argument is.
  command_catalog(std::string_view parent, std::vector<command_info> commands);

  /// The index of the command in the list that this was made from, or nothing and the text for `write_error`.
  std::optional<std::size_t> find(arguments request, std::string& error) const;

  /// The whole reply, encoded, to `COMMAND [COUNT | LIST | INFO [name…] | DOCS [name…]]`, of which clients ask when they connect.
  std::string describe(arguments request) const;

 private:
  std::optional<std::size_t> look_up(std::string_view name) const noexcept;
  std::string full_name(std::size_t index) const;
  std::string refusal(arguments request) const;
  std::vector<std::size_t> selected(arguments names) const;
  void write_infos(std::string& out, const std::vector<std::size_t>& indexes) const;
  void write_docs(std::string& out, std::vector<std::size_t> indexes) const;
  void write_names(std::string& out) const;

  std::string parent_;
  std::vector<command_info> commands_;
  std::vector<std::size_t> by_name_;
  std::vector<std::size_t> slots_;  // index + 1 of a command, or 0; a command stands at the hash of its name or soon behind it
};

/// A catalog with a function for each command. `Call` is what the server makes of a request: its arguments, the client, the store.
///
///     const command_table<call> commands("", {{{"get", 2, "readonly fast", {1, 1, 1}}, [](call& c) { c.get(); }}});
///     commands.run(request, out, call);
template <class Call>
class command_table {
 public:
  struct command {
    command_info info;
    void (*run)(Call&);
  };

  command_table(std::string_view parent, std::vector<command> commands)
      : catalog_(parent, infos(commands)), commands_(std::move(commands)) {}

  /// Answers `COMMAND` as `command_catalog::describe` says.
  template <sink Sink>
  void describe(arguments request, Sink& out) const {
    detail::put(out, {catalog_.describe(request)});
  }

  /// Runs the command that `request` (never empty) means, or writes an error to `out`.
  template <sink Sink>
  void run(arguments request, Sink& out, Call& call) const {
    std::string error;
    if (const auto found = catalog_.find(request, error))
      commands_[*found].run(call);
    else
      write_error(out, error);
  }

 private:
  static std::vector<command_info> infos(const std::vector<command>& commands) {
    std::vector<command_info> all;
    for (const auto& command : commands) all.push_back(command.info);
    return all;
  }

  command_catalog catalog_;
  std::vector<command> commands_;
};

}  // namespace sluice::redis
