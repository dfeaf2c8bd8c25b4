#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include <sluice/bytes.hpp>

#include "tls/workshop.hpp"

namespace sluice::tls::detail {

// Takes what fits a record off the front of a list of parts; small parts are joined.
class plaintext_cursor {
 public:
  plaintext_cursor(workshop& shop, std::span<const const_bytes> parts) noexcept : shop_(shop), parts_(parts) {}
  plaintext_cursor(const plaintext_cursor&) = delete;
  plaintext_cursor& operator=(const plaintext_cursor&) = delete;
  ~plaintext_cursor() {
    if (joined_ != nullptr) shop_.give(joined_);
  }

  bool at_end() const noexcept { return parts_.empty(); }

  // At most `limit` bytes, valid until the next call.
  const_bytes next(std::size_t limit) noexcept {
    if (parts_.front().size() - offset_ >= limit || parts_.size() == 1) return take(limit);
    if (joined_ == nullptr) joined_ = shop_.take();
    if (joined_ == nullptr) return take(limit);
    std::size_t n = 0;
    while (n < limit && !at_end()) {
      const const_bytes piece = take(limit - n);
      std::memcpy(joined_->data + n, piece.data(), piece.size());
      n += piece.size();
    }
    return {joined_->data, n};
  }

 private:
  const_bytes take(std::size_t limit) noexcept {
    const const_bytes rest = parts_.front().subspan(offset_);
    const const_bytes taken = rest.first(std::min(limit, rest.size()));
    offset_ += taken.size();
    if (taken.size() == rest.size()) {
      parts_ = parts_.subspan(1);
      offset_ = 0;
    }
    return taken;
  }

  workshop& shop_;
  std::span<const const_bytes> parts_;
  std::size_t offset_ = 0;
  work_buffer* joined_ = nullptr;
};

}  // namespace sluice::tls::detail
