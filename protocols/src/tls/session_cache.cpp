#include "tls/session_cache.hpp"

#include <algorithm>
#include <utility>

namespace sluice::tls::detail {
namespace {

bool is_good(const kept_session& kept, std::time_t now) noexcept {
  const SSL_SESSION& session = *kept.session;
  return now < kept.until && now < SSL_SESSION_get_time(&session) + SSL_SESSION_get_timeout(&session);
}

}  // namespace

kept_session session_cache::take(const std::string& name) noexcept {
  const std::time_t now = std::time(nullptr);
  const std::lock_guard lock(guard_);
  std::erase_if(entries_, [&](const entry& each) { return each.name == name && !is_good(each.kept, now); });
  const auto found = std::ranges::find(entries_, name, &entry::name);
  if (found == entries_.end()) return {};
  kept_session taken = std::move(found->kept);
  entries_.erase(found);
  return taken;
}

void session_cache::put(const std::string& name, kept_session kept) {
  const std::lock_guard lock(guard_);
  entries_.push_front({name, std::move(kept)});
  std::size_t of_this_name = 0;
  const auto is_one_too_many = [&](const entry& each) { return each.name == name && ++of_this_name > most_of_one_name; };
  if (const auto last = std::ranges::find_if(entries_, is_one_too_many); last != entries_.end()) entries_.erase(last);
  if (entries_.size() > most_sessions) entries_.pop_back();
}

}  // namespace sluice::tls::detail
