#pragma once

#include <sluice/address.hpp>
#include <sluice/loop.hpp>
#include <sluice/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice {

/// Why a name has no address, as far as can be known.
enum class resolver_errc {
  unknown_name = 1,  ///< There is no such name.
  no_address,        ///< The name exists and has no address, or none of the family that was asked for.
  try_again,         ///< No name server gave an answer; another time one may.
  server_failed,     ///< A name server answered that it cannot answer.
  bad_name,          ///< No host can have this name; nobody was asked.
  failed             ///< The system's resolver failed in another way.
};

/// Category of `resolver_errc`; its name is "resolver".
const std::error_category& resolver_category() noexcept;
std::error_code make_error_code(resolver_errc value) noexcept;

/// Addresses of which families are wanted.
enum class ip_family : std::uint8_t {
  any,
  v4,
  v6
};

/// Asks for the IP addresses of `host`, best first, and may block. An empty list without an error counts as `resolver_errc::no_address`.
/// Where an address has a port other than 0, whoever connects by name uses it instead of the one that was asked for.
using lookup_function = std::function<std::vector<address>(const std::string& host, ip_family family, std::error_code& error)>;

/// What the system knows, with getaddrinfo: its hosts file, name servers and order of preference (RFC 6724). Any thread; blocks, for
/// `ip_family::any` until both families are answered. Every address has port 0.
std::vector<address> system_lookup(const std::string& host, ip_family family, std::error_code& error);

/// Whether a host can have this name: labels of 1 to 63 letters, digits, "-" and "_" joined by ".", at most 253 bytes, a last label that is
/// no number, and perhaps a "." at the end. Names beyond ASCII are written in their "xn--" form.
bool is_host_name(std::string_view text) noexcept;

struct resolver_options {
  /// How many names are remembered; those that were not asked for the longest time are forgotten first. 0 remembers none.
  std::size_t cache_entries = 256;
  /// How long addresses are remembered. The system does not tell how long its own sources would have them remembered, so not for long.
  std::chrono::milliseconds positive_ttl = std::chrono::seconds(30);
  /// How long it is remembered that a name is unknown or has no address. Other errors are not remembered.
  std::chrono::milliseconds negative_ttl = std::chrono::seconds(2);
  /// Who is asked. Called on the loop's threads, several at a time; must not use what may be gone when the resolver is, as a call that is
  /// running is not waited for. What it throws is the query's failure (`errc::callback_failed`).
  lookup_function lookup = system_lookup;
};

/// What a resolver has done since it was made.
struct resolver_counters {
  std::uint64_t queries = 0;        ///< Names that were asked for, numeric hosts excepted.
  std::uint64_t cache_hits = 0;     ///< Of these, answered from memory.
  std::uint64_t shared = 0;         ///< Of these, answered by a lookup that another query had begun.
  std::uint64_t lookups = 0;        ///< Lookups that were begun: a job of the executor each.
  std::uint64_t lookup_errors = 0;  ///< Lookups that ended with an error.
};

/// Finds the addresses of host names without blocking the loop: on its executor, in the lane of its own (rule K4).
///
/// Queries for one name that come while a lookup for it is under way share that lookup. Belongs to the loop's thread; may be destroyed
/// before or after the loop, also inside a handler, and no handler is called any more.
class resolver {
 public:
  /// Told the addresses, in the order in which they should be tried, or why there are none; `detail()` names the host. Exactly once, in a
  /// later turn than the call of `resolve`, and never after the query was cancelled. What it throws goes to the error hook.
  using handler = std::function<void(const result<std::vector<address>>&)>;
  class query;

  explicit resolver(loop& owner, resolver_options options = {});
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;
  ~resolver();

  /// The one that belongs to `owner` and that connecting by name uses unless it is told otherwise. Made at the first call; lives as long as
  /// the loop.
  static resolver& of(loop& owner);

  /// From the next query on. What is remembered stays, as far as there is still room for it.
  void set_options(resolver_options options);

  /// A numeric host is its own answer, and a name that no host can have fails with `resolver_errc::bad_name`; for neither is anybody asked.
  /// Once the loop's destructor has begun there is no answer.
  query resolve(std::string_view host, handler done, ip_family family = ip_family::any);

  /// Forgets everything, or what is known of one name; answers that are on their way are delivered, and not remembered.
  void flush();
  void flush(std::string_view host);

  const resolver_counters& counters() const noexcept;

 private:
  struct state;
  struct flight;
  struct waiter;
  std::shared_ptr<state> state_;
};

/// A query that is under way. Destroying or cancelling it ends it: the handler is not called. Work that nobody waits for any more is
/// given up. May outlive the resolver and the loop.
class [[nodiscard("the query ends when this object does; call detach() to let it run")]] resolver::query {
 public:
  query() noexcept = default;
  query(query &&) noexcept = default;
  query& operator=(query&& other) noexcept {
    cancel();
    waiter_ = std::move(other.waiter_);
    return *this;
  }
  ~query() { cancel(); }

  /// Neither answered nor cancelled.
  bool in_progress() const noexcept;
  void cancel() noexcept;
  /// Lets it run without this object.
  void detach()&& noexcept { waiter_.reset(); }

 private:
  friend class resolver;
  explicit query(std::shared_ptr<waiter> waiting) noexcept : waiter_(std::move(waiting)) {}

  std::shared_ptr<waiter> waiter_;
};

}  // namespace sluice

template <>
struct std::is_error_code_enum<sluice::resolver_errc> : std::true_type {};
