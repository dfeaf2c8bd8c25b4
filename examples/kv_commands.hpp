#pragma once

#include <sluice/redis/session.hpp>
#include <sluice/scheduler.hpp>

#include <cstddef>
#include <cstdint>

#include "kv_store.hpp"

inline kv_store::time kv_time(const sluice::scheduler& clock) {
  return std::chrono::duration_cast<kv_store::time>(clock.now().time_since_epoch());
}

/// The server without its I/O: requests in, replies out.
class kv_service {
 public:
  kv_store store;
  sluice::redis::session_list sessions{"sluice", "7.0.0"};
  std::size_t max_bulk = 64 << 20;
  std::size_t max_unsent = 128 << 20;
  std::uint64_t requests = 0;

  /// Writes the reply, or what is wrong, to `client`. `now` never goes back.
  void execute(sluice::redis::session& client, sluice::redis::arguments request, kv_store::time now);
};
