#include "tls/session_cache.hpp"

#include <algorithm>

namespace sluice::tls::detail {

ssl_session_ptr session_cache::take(const std::string& name) noexcept {
  const std::lock_guard lock(guard_);
  const auto found = std::ranges::find(sessions_, name, [](const auto& each) -> const std::string& { return each.first; });
  if (found == sessions_.end()) return nullptr;
  if (SSL_SESSION_get_protocol_version(found->second.get()) < TLS1_3_VERSION) {  // good for many times
    SSL_SESSION_up_ref(found->second.get());
    return ssl_session_ptr(found->second.get());
  }
  ssl_session_ptr session = std::move(found->second);
  sessions_.erase(found);
  return session;
}

void session_cache::put(const std::string& name, ssl_session_ptr session) {
  const std::lock_guard lock(guard_);
  sessions_.emplace_front(name, std::move(session));
  if (sessions_.size() > most_sessions) sessions_.pop_back();
}

void session_cache::clear() noexcept {
  const std::lock_guard lock(guard_);
  sessions_.clear();
}

}  // namespace sluice::tls::detail
