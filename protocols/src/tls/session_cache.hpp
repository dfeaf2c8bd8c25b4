#pragma once

#include <cstddef>
#include <ctime>
#include <deque>
#include <mutex>
#include <string>

#include "tls/openssl.hpp"

namespace sluice::tls::detail {

// What a client may come back with, and until when: however often a session is renewed on the way, this moment stays that of the first
// handshake.
struct kept_session {
  ssl_session_ptr session;
  std::time_t until = 0;
};

// Sessions of a client by the name of the server, the newest first. Any thread.
class session_cache {
 public:
  // The newest that is good still, for one use; without a session if there is none.
  kept_session take(const std::string& name) noexcept;
  // Throws std::bad_alloc.
  void put(const std::string& name, kept_session kept);

 private:
  static constexpr std::size_t most_sessions = 256;
  static constexpr std::size_t most_of_one_name = 16;

  struct entry {
    std::string name;
    kept_session kept;
  };

  std::mutex guard_;
  std::deque<entry> entries_;
};

}  // namespace sluice::tls::detail
