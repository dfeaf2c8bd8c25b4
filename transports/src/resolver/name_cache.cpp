#include <sluice/detail/name_cache.hpp>

#include <algorithm>
#include <iterator>

namespace sluice::detail {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

name_key::name_key(std::string_view name, ip_family wanted) : host(name), family(wanted) {
  std::transform(host.begin(), host.end(), host.begin(), lower);
}

name_answer name_cache::find(const name_key& key, time_point now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const place at = found->second;
  if (at->good_until <= now) {
    erase(at);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, at);
  return at->answer;
}

void name_cache::put(const name_key& key, name_answer answer, time_point good_until) {
  if (limit_ == 0) return;
  if (const auto found = by_key_.find(key); found != by_key_.end()) erase(found->second);
  shrink_to(limit_ - 1);
  entries_.push_front({key, std::move(answer), good_until});
  try {
    by_key_.emplace(key, entries_.begin());
  } catch (...) {
    entries_.pop_front();
    throw;
  }
}

void name_cache::set_limit(std::size_t most) {
  limit_ = most;
  shrink_to(most);
}

void name_cache::clear() noexcept {
  by_key_.clear();
  entries_.clear();
}

void name_cache::forget(std::string_view host) {
  for (const ip_family family : {ip_family::any, ip_family::v4, ip_family::v6})
    if (const auto found = by_key_.find({host, family}); found != by_key_.end()) erase(found->second);
}

void name_cache::erase(place at) {
  by_key_.erase(at->key);
  entries_.erase(at);
}

void name_cache::shrink_to(std::size_t most) {
  while (by_key_.size() > most) erase(std::prev(entries_.end()));
}

}  // namespace sluice::detail
