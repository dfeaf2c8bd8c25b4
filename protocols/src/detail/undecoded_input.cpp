#include <sluice/detail/undecoded_input.hpp>

#include <algorithm>

namespace sluice::detail {

void undecoded_input::receive(const_bytes chunk) {
  fresh_ = chunk;
  // With messages in front of it the chunk cannot be reached soon; joined now, `unread` need not move the message that is being delivered.
  if (may_hold_messages_ && kept_size() != 0) join();
}

bool undecoded_input::widen(std::size_t wanted) {
  const auto size = kept_size();
  if (size == 0 || joined_ == fresh_.size()) return false;
  // Doubling keeps even a decoder that starts over each time linear.
  const auto step = std::max({smallest_step, size, wanted > size ? wanted - size : 0});
  const auto more = fresh_.subspan(joined_).first(std::min(step, fresh_.size() - joined_));
  append(more);
  joined_ += more.size();
  return true;
}

void undecoded_input::consume(std::size_t n) noexcept {
  const auto own = kept_size() - joined_;
  if (n < own) {
    begin_ += n;
    return;
  }
  fresh_ = fresh_.subspan(n - own);
  begin_ = kept_.size();
  joined_ = 0;
}

const_bytes undecoded_input::unread() {
  if (kept_size() != 0) join();
  return window();
}

void undecoded_input::settle(bool may_hold_messages) {
  join();
  may_hold_messages_ = may_hold_messages;
  if (kept_size() == 0 && kept_.capacity() > kept_capacity) clear();
}

void undecoded_input::join() {
  append(fresh_.subspan(joined_));
  abandon_chunk();
}

void undecoded_input::abandon_chunk() noexcept {
  fresh_ = {};
  joined_ = 0;
}

void undecoded_input::clear() noexcept {
  kept_ = std::vector<std::byte>();  // gives the storage back, which an assignment of {} does not
  begin_ = 0;
  abandon_chunk();
}

void undecoded_input::append(const_bytes bytes) {
  if (bytes.empty()) return;
  if (begin_ >= kept_size()) {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
  kept_.insert(kept_.end(), bytes.begin(), bytes.end());
}

}  // namespace sluice::detail
