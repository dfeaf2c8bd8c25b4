#include "tls/slow_handshake.hpp"

#include <algorithm>

#include "tls/context_state.hpp"

namespace sluice::tls::detail {

handshake_gate::place* handshake_gate::find(const context_state& of) noexcept {
  const auto found = std::ranges::find(places_, &of, &place::of);
  return found == places_.end() ? nullptr : &*found;
}

bool handshake_gate::enter(const context_state& of, layer& who) {
  place* there = find(of);
  if (there == nullptr) {
    places_.push_back({&of, 0, {}});
    there = &places_.back();
  }
  if (there->inside < of.server().max_handshakes) {
    ++there->inside;
    return true;
  }
  there->waiting.push_back(&who);
  return false;
}

layer* handshake_gate::leave(const context_state& of) noexcept {
  place* const there = find(of);
  if (!there->waiting.empty()) {
    layer* const next = there->waiting.front();
    there->waiting.erase(there->waiting.begin());
    return next;
  }
  if (--there->inside == 0) places_.erase(places_.begin() + (there - places_.data()));
  return nullptr;
}

void handshake_gate::give_up(const context_state& of, const layer& who) noexcept {
  if (place* const there = find(of)) std::erase(there->waiting, &who);
}

}  // namespace sluice::tls::detail
