#include <sluice/happy_eyeballs_machine.hpp>

#include <algorithm>
#include <utility>

namespace sluice {

using action = happy_eyeballs_machine::action;

action happy_eyeballs_machine::resolved(std::size_t addresses) noexcept {
  switch (state_) {
    case state::resolving:
      if (addresses == 0) return end(state::failed, action::give_up);
      addresses_ = addresses;
      return begin_next();
    case state::trying:
    case state::last:
    case state::connected:
    case state::failed: return action::none;
  }
  return action::none;
}

action happy_eyeballs_machine::not_resolved() noexcept { return resolved(0); }

action happy_eyeballs_machine::delay_passed() noexcept {
  switch (state_) {
    case state::trying: return pacing_ == pacing::staggered ? begin_next() : action::none;
    case state::resolving:
    case state::last:
    case state::connected:
    case state::failed: return action::none;
  }
  return action::none;
}

action happy_eyeballs_machine::attempt_failed() noexcept {
  switch (state_) {
    case state::trying: --under_way_; return begin_next();
    case state::last: return --under_way_ == 0 ? end(state::failed, action::give_up) : action::none;
    case state::resolving:
    case state::connected:
    case state::failed: return action::none;
  }
  return action::none;
}

action happy_eyeballs_machine::attempt_succeeded() noexcept {
  switch (state_) {
    case state::trying:
    case state::last: return end(state::connected, action::take);
    case state::resolving:
    case state::connected:
    case state::failed: return action::none;
  }
  return action::none;
}

action happy_eyeballs_machine::deadline_passed() noexcept {
  switch (state_) {
    case state::resolving:
    case state::trying:
    case state::last: return end(state::failed, action::give_up);
    case state::connected:
    case state::failed: return action::none;
  }
  return action::none;
}

action happy_eyeballs_machine::begin_next() noexcept {
  ++begun_;
  ++under_way_;
  state_ = begun_ == addresses_ ? state::last : state::trying;
  return state_ == state::trying && pacing_ == pacing::staggered ? action::begin_and_wait : action::begin;
}

action happy_eyeballs_machine::end(state how, action then) noexcept {
  state_ = how;
  under_way_ = 0;
  return then;
}

const char* to_string(happy_eyeballs_machine::state value) noexcept {
  using state = happy_eyeballs_machine::state;
  switch (value) {
    case state::resolving: return "resolving";
    case state::trying: return "trying";
    case state::last: return "last";
    case state::connected: return "connected";
    case state::failed: return "failed";
  }
  return "unknown";
}

std::vector<address> interleave_families(const std::vector<address>& found, unsigned first_family_count) {
  std::vector<address> distinct;
  for (const address& each : found)
    if (std::find(distinct.begin(), distinct.end(), each) == distinct.end()) distinct.push_back(each);
  if (first_family_count == 0 || distinct.empty()) return distinct;
  std::vector<address> others;
  const address_family first = distinct.front().family();
  std::copy_if(distinct.begin(), distinct.end(), std::back_inserter(others), [&](const address& each) { return each.family() != first; });
  std::erase_if(distinct, [&](const address& each) { return each.family() != first; });
  // An other one goes behind each of the first family, from the last of its head start on; what is left over comes at the end.
  auto at = std::min<std::size_t>(first_family_count, distinct.size());
  for (const address& each : others) {
    distinct.insert(distinct.begin() + static_cast<std::ptrdiff_t>(std::min(at, distinct.size())), each);
    at += 2;
  }
  return distinct;
}

}  // namespace sluice
