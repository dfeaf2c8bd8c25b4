#pragma once

#include <sluice/address.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

/// When to begin an attempt on the next address of a host that has several, and when to stop (RFC 8305, rules N1–N5). A pure value: no I/O,
/// no clock; each event returns the one thing that has to be done next.
///
/// Beginning an attempt never ends another: all that are under way go on until one succeeds (rule N3).
class happy_eyeballs_machine {
 public:
  /// What makes the next attempt begin while others are under way.
  enum class pacing : std::uint8_t {
    staggered,  ///< The attempt delay has passed, or an attempt has failed.
    sequential  ///< The attempt has failed: there is one at a time.
  };

  enum class state : std::uint8_t {
    resolving,  ///< The addresses are not known yet.
    trying,     ///< At least one attempt is under way, and at least one address was not tried yet.
    last,       ///< At least one attempt is under way, and every address has had or has one.
    connected,  ///< An attempt succeeded.
    failed      ///< There was no address, no attempt is left, or the deadline passed.
  };

  /// What to do next. At most one thing per event.
  enum class action : std::uint8_t {
    none,
    begin,           ///< Begin an attempt on the next address; report how it ends.
    begin_and_wait,  ///< As `begin`, and report `delay_passed` when the attempt delay has passed since now; an earlier wait is over.
    take,            ///< Keep the connection that was made, close all other attempts.
    give_up          ///< Close all attempts: there will be no connection.
  };

  explicit happy_eyeballs_machine(pacing how = pacing::staggered) noexcept : pacing_(how) {}

  state current() const noexcept { return state_; }

  action resolved(std::size_t addresses) noexcept;  ///< So many addresses are to be tried, in the order that the caller chose.
  action not_resolved() noexcept;                   ///< The name has no address, as far as can be known.
  action delay_passed() noexcept;                   ///< The wait that `begin_and_wait` asked for is over.
  action attempt_failed() noexcept;                 ///< One of the attempts under way ended without a connection.
  action attempt_succeeded() noexcept;              ///< One of them made a connection.
  action deadline_passed() noexcept;                ///< The whole took too long.

  /// Attempts that were begun; the next `begin` is for the address of this index.
  std::size_t begun() const noexcept { return begun_; }
  /// Attempts that were begun and have not failed.
  std::size_t under_way() const noexcept { return under_way_; }

 private:
  action begin_next() noexcept;
  action end(state how, action then) noexcept;

  pacing pacing_;
  state state_ = state::resolving;
  std::size_t addresses_ = 0;
  std::size_t begun_ = 0;
  std::size_t under_way_ = 0;
};

const char* to_string(happy_eyeballs_machine::state value) noexcept;

/// The order in which to try `found`: first as many addresses of the first one's family as `first_family_count` says, then the families take
/// turns, beginning with the other one. Within a family the order is kept. 0 keeps the order of all. Of equal addresses the first is kept.
std::vector<address> interleave_families(const std::vector<address>& found, unsigned first_family_count);

}  // namespace sluice
