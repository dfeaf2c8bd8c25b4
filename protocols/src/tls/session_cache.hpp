#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

// Sessions of a client by the name of the server, the newest first; those of TLS 1.3 are for one use. Any thread.
class session_cache {
 public:
  // Null if there is none.
  ssl_session_ptr take(const std::string& name) noexcept;
  // Throws std::bad_alloc.
  void put(const std::string& name, ssl_session_ptr session);
  void clear() noexcept;

 private:
  static constexpr std::size_t most_sessions = 256;

  std::mutex guard_;
  std::deque<std::pair<std::string, ssl_session_ptr>> sessions_;
};

}  // namespace sluice::tls::detail
