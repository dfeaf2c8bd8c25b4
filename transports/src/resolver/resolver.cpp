#include <sluice/resolver.hpp>

#include <sluice/detail/attachment.hpp>
#include <sluice/detail/name_cache.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/detail/time_span.hpp>
#include <sluice/error.hpp>

#include <algorithm>
#include <exception>
#include <new>

#include "socket/printable.hpp"

namespace sluice {
namespace {

const char* text(resolver_errc value) noexcept {
  switch (value) {
    case resolver_errc::unknown_name: return "the name is not known";
    case resolver_errc::no_address: return "the name has no address of the kind that was asked for";
    case resolver_errc::try_again: return "no name server answered; it may do so later";
    case resolver_errc::server_failed: return "the name server cannot answer";
    case resolver_errc::bad_name: return "not a host name; expected letters, digits, - and _ in parts of 1 to 63, joined by dots";
    case resolver_errc::failed: return "the system's resolver failed";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "resolver"; }
  std::string message(int value) const override { return text(static_cast<resolver_errc>(value)); }
};

using addresses = std::vector<address>;

result<addresses> failure(std::string_view host, std::error_code error, const std::string& why) {
  return {error, "no address for " + std::string(host) + ": " + why};
}

result<addresses> failure(std::string_view host, std::error_code error) { return failure(host, error, error.message()); }

bool is_of(const address& value, ip_family family) noexcept {
  switch (family) {
    case ip_family::any: return true;
    case ip_family::v4: return value.is_v4();
    case ip_family::v6: return value.is_v6();
  }
  return false;
}

result<addresses> failure(std::string_view host, std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::system_error& error) {
    return failure(host, error.code(), error.what());
  } catch (const std::exception& error) {
    return failure(host, errc::callback_failed, std::string("the lookup function threw: ") + error.what());
  } catch (...) {
    return failure(host, errc::callback_failed, "the lookup function threw something that is no exception");
  }
}

detail::name_answer shared(result<addresses> answer) { return std::make_shared<const result<addresses>>(std::move(answer)); }

// On a thread of the executor.
detail::name_answer look_up(const lookup_function& ask, const detail::name_key& key) {
  try {
    std::error_code error;
    addresses found = ask(key.host, key.family, error);
    std::erase_if(found, [](const address& each) { return !each.is_ip(); });
    if (!error && found.empty()) error = resolver_errc::no_address;
    return shared(error ? failure(key.host, error) : result(std::move(found)));
  } catch (...) {
    return shared(failure(key.host, std::current_exception()));
  }
}

// Only what says something about the name, not about the way to the answer.
bool is_about_name(std::error_code error) noexcept { return error == resolver_errc::unknown_name || error == resolver_errc::no_address; }

time_point after(time_point now, std::chrono::milliseconds span) noexcept { return detail::later(now, detail::bounded(span)); }

}  // namespace

const std::error_category& resolver_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(resolver_errc value) noexcept { return {static_cast<int>(value), resolver_category()}; }

struct resolver::waiter {
  handler done;          // empty once it was called or will not be
  flight* in = nullptr;  // while it waits
};

// An answer that is on its way to those who wait for it.
struct resolver::flight {
  enum class phase {
    asked,   // others may wait with them
    stale,   // was flushed: for those who wait already
    landing  // the answer is there
  };

  void add(const std::shared_ptr<waiter>& one) {
    waiters.push_back(one);
    one->in = this;
    ++wanted;
  }
  void leave() noexcept;

  state& home;
  detail::name_key key;
  phase now;
  executor_job job = {};
  std::vector<std::shared_ptr<waiter>> waiters = {};
  std::size_t wanted = 0;
};

struct resolver::state final : detail::resource, std::enable_shared_from_this<resolver::state> {
  state(loop& user, resolver_options wanted) : resource(user), owner(user) { set_options(std::move(wanted)); }
  ~state() override = default;

  void set_options(resolver_options wanted);
  query resolve(std::string_view host, handler done, ip_family family);
  void flush();
  void flush(std::string_view host);
  void close() noexcept;
  void scheduler_ends() noexcept override { close(); }

  detail::name_answer known(std::string_view host, const detail::name_key& key);
  std::shared_ptr<flight> begin(const detail::name_key& key, flight::phase phase);
  std::shared_ptr<flight> ask(const detail::name_key& key);
  void land_soon(const std::shared_ptr<flight>& one, detail::name_answer answer);
  void looked_up(const std::shared_ptr<flight>& one, job_result<detail::name_answer> outcome);
  void land(const std::shared_ptr<flight>& one, const detail::name_answer& answer);
  void remember(const detail::name_key& key, const detail::name_answer& answer);
  void erase(const flight& gone) noexcept;

  loop& owner;
  resolver_options options;
  std::shared_ptr<const lookup_function> lookup;  // shared with the threads
  detail::name_cache cache;
  const detail::name_answer without_memory = shared(make_error_code(std::errc::not_enough_memory));
  std::vector<std::shared_ptr<flight>> flights;
  resolver_counters counters;
};

// Where nobody waits any more, what was asked need not be answered.
void resolver::flight::leave() noexcept {
  if (--wanted != 0 || now == phase::landing) return;
  job.abandon();
  home.erase(*this);
}

void resolver::state::set_options(resolver_options wanted) {
  options = std::move(wanted);
  lookup = std::make_shared<const lookup_function>(options.lookup != nullptr ? options.lookup : system_lookup);
  cache.set_limit(options.cache_entries);
}

resolver::query resolver::state::resolve(std::string_view host, handler done, ip_family family) {
  if (scheduler_ended()) return query();
  const detail::name_key key(host, family);
  auto one = std::make_shared<waiter>();
  one->done = done != nullptr ? std::move(done) : [](const auto&) {};
  auto answer = known(host, key);
  const auto place = answer != nullptr ? begin(key, flight::phase::landing) : ask(key);
  try {
    if (answer != nullptr) land_soon(place, std::move(answer));
    place->add(one);
  } catch (...) {
    if (place->wanted == 0) erase(*place);
    throw;
  }
  return query(std::move(one));
}

// The answer, where nobody has to be asked for it.
detail::name_answer resolver::state::known(std::string_view host, const detail::name_key& key) {
  std::error_code not_numeric;
  const address numeric = address::ip(host, 0, not_numeric);
  if (!not_numeric) return shared(is_of(numeric, key.family) ? addresses{numeric} : failure(host, resolver_errc::no_address));
  if (!is_host_name(host)) return shared(failure(detail::printable(host), resolver_errc::bad_name));
  ++counters.queries;
  auto answer = cache.find(key, owner.now());
  if (answer != nullptr) ++counters.cache_hits;
  return answer;
}

std::shared_ptr<resolver::flight> resolver::state::begin(const detail::name_key& key, flight::phase phase) {
  return flights.emplace_back(std::make_shared<flight>(flight{*this, key, phase}));
}

// Joins those who have asked for the same.
std::shared_ptr<resolver::flight> resolver::state::ask(const detail::name_key& key) {
  const auto same = [&](const auto& each) { return each->now == flight::phase::asked && each->key == key; };
  if (const auto found = std::find_if(flights.begin(), flights.end(), same); found != flights.end()) {
    ++counters.shared;
    return *found;
  }
  auto one = begin(key, flight::phase::asked);
  const auto work = [lookup = lookup, key] { return look_up(*lookup, key); };
  const auto completion = [this, weak = std::weak_ptr(one)](job_result<detail::name_answer> outcome) {
    if (const auto back = weak.lock()) looked_up(back, std::move(outcome));
  };
  try {
    one->job = owner.run_in_executor(work, completion, job_lane::name_resolution);
  } catch (...) {
    erase(*one);
    throw;
  }
  ++counters.lookups;
  return one;
}

void resolver::state::land_soon(const std::shared_ptr<flight>& one, detail::name_answer answer) {
  owner.call_soon([weak = std::weak_ptr(one), answer = std::move(answer)] {
    if (const auto back = weak.lock()) back->home.land(back, answer);
  });
}

void resolver::state::looked_up(const std::shared_ptr<flight>& one, job_result<detail::name_answer> outcome) {
  detail::name_answer answer = without_memory;
  try {
    answer = outcome ? outcome.get() : shared(failure(one->key.host, outcome.exception()));
    if (one->now == flight::phase::asked) remember(one->key, answer);
  } catch (const std::bad_alloc&) {
    one->now = flight::phase::landing;  // what there is, is for those who wait, and is not remembered
  }
  if (!*answer) ++counters.lookup_errors;
  land(one, answer);
}

// A handler may cancel the other queries, ask again, or destroy the resolver.
void resolver::state::land(const std::shared_ptr<flight>& one, const detail::name_answer& answer) {
  const auto alive = shared_from_this();
  one->now = flight::phase::landing;
  for (const auto& each : one->waiters) {
    each->in = nullptr;
    const handler done = std::exchange(each->done, {});
    if (done == nullptr) continue;
    detail::unique_function call = [&] { done(*answer); };
    owner.run_turn(call, error_source::scheduled, "resolver handler");
  }
  erase(*one);
}

void resolver::state::remember(const detail::name_key& key, const detail::name_answer& answer) {
  if (*answer)
    cache.put(key, answer, after(owner.now(), options.positive_ttl));
  else if (is_about_name(answer->error()))
    cache.put(key, answer, after(owner.now(), options.negative_ttl));
}

void resolver::state::erase(const flight& gone) noexcept {
  std::erase_if(flights, [&](const auto& each) { return each.get() == &gone; });
}

void resolver::state::flush() {
  cache.clear();
  for (const auto& each : flights)
    if (each->now == flight::phase::asked) each->now = flight::phase::stale;
}

void resolver::state::flush(std::string_view host) {
  const detail::name_key name(host, ip_family::any);
  cache.forget(name.host);
  for (const auto& each : flights)
    if (each->now == flight::phase::asked && each->key.host == name.host) each->now = flight::phase::stale;
}

void resolver::state::close() noexcept {
  for (const auto& each : std::exchange(flights, {})) {
    each->job.abandon();
    for (const auto& one : each->waiters) {
      one->in = nullptr;
      one->done = {};
    }
  }
}

resolver::resolver(loop& owner, resolver_options options) : state_(std::make_shared<state>(owner, std::move(options))) {}

resolver::~resolver() { state_->close(); }

resolver& resolver::of(loop& owner) {
  struct attached final : detail::attachment {
    explicit attached(loop& user) : value(user) {}
    resolver value;
  };
  return detail::attachment::of<attached>(owner).value;
}

void resolver::set_options(resolver_options options) { state_->set_options(std::move(options)); }

resolver::query resolver::resolve(std::string_view host, handler done, ip_family family) {
  return state_->resolve(host, std::move(done), family);
}

void resolver::flush() { state_->flush(); }
void resolver::flush(std::string_view host) { state_->flush(host); }
const resolver_counters& resolver::counters() const noexcept { return state_->counters; }

bool resolver::query::in_progress() const noexcept { return waiter_ != nullptr && waiter_->done != nullptr; }

void resolver::query::cancel() noexcept {
  const auto gone = std::exchange(waiter_, nullptr);
  if (gone == nullptr) return;
  const handler last = std::exchange(gone->done, {});
  if (gone->in != nullptr) std::exchange(gone->in, nullptr)->leave();
}

}  // namespace sluice
