#include <sluice/reconnect_machine.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace sluice {

using action = reconnect_machine::action;

namespace {

void check(const reconnect_machine::settings& how) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("reconnect_machine::settings: ") + what);
  };
  require(how.shortest > duration::zero(), "shortest is not above 0; attempts would follow each other without a pause");
  require(how.longest >= how.shortest, "longest is below shortest");
  require(how.settled >= duration::zero() && how.total >= duration::zero(), "a time is negative");
}

}  // namespace

reconnect_machine::reconnect_machine(const settings& how, std::uint64_t seed) : how_(how), random_(seed) { check(how); }

action reconnect_machine::start(time_point now) noexcept {
  switch (state_) {
    case state::idle:
    case state::given_up:
    case state::finished:
    case state::stopped: begin_series(now); return connect();
    case state::connecting:
    case state::hurried:
    case state::connected:
    case state::waiting: return action::none;
  }
  return action::none;
}

action reconnect_machine::made(time_point now) noexcept {
  switch (state_) {
    case state::connecting:
    case state::hurried:
      made_ = now;
      state_ = state::connected;
      return action::none;
    case state::idle:
    case state::connected:
    case state::waiting:
    case state::given_up:
    case state::finished:
    case state::stopped: return action::none;
  }
  return action::none;
}

action reconnect_machine::failed(time_point now) noexcept {
  switch (state_) {
    case state::connecting: return go_on(now, draw());
    case state::hurried: return go_on(now, duration::zero());
    case state::idle:
    case state::connected:
    case state::waiting:
    case state::given_up:
    case state::finished:
    case state::stopped: return action::none;
  }
  return action::none;
}

action reconnect_machine::lost(time_point now, bool in_good_order) noexcept {
  switch (state_) {
    case state::connected:
      if (in_good_order && how_.after_orderly_end == orderly_end::finish) return end(state::finished, action::finish);
      if (now - made_ >= how_.settled) begin_series(now);
      return go_on(now, draw());
    case state::idle:
    case state::connecting:
    case state::hurried:
    case state::waiting:
    case state::given_up:
    case state::finished:
    case state::stopped: return action::none;
  }
  return action::none;
}

action reconnect_machine::pause_over() noexcept {
  switch (state_) {
    case state::waiting: return connect();
    case state::idle:
    case state::connecting:
    case state::hurried:
    case state::connected:
    case state::given_up:
    case state::finished:
    case state::stopped: return action::none;
  }
  return action::none;
}

action reconnect_machine::retry_now() noexcept {
  switch (state_) {
    case state::waiting: ceiling_ = how_.shortest; return connect();
    case state::connecting:
    case state::hurried:
      ceiling_ = how_.shortest;
      state_ = state::hurried;
      return action::none;
    case state::idle:
    case state::connected:
    case state::given_up:
    case state::finished:
    case state::stopped: return action::none;
  }
  return action::none;
}

action reconnect_machine::stop() noexcept {
  switch (state_) {
    case state::connecting:
    case state::hurried:
    case state::connected:
    case state::waiting: return end(state::stopped, action::cancel);
    case state::idle:
    case state::given_up:
    case state::finished:
    case state::stopped: return action::none;
  }
  return action::none;
}

void reconnect_machine::begin_series(time_point now) noexcept {
  began_ = now;
  attempts_ = 0;
  ceiling_ = how_.shortest;
}

action reconnect_machine::connect() noexcept {
  ++attempts_;
  state_ = state::connecting;
  return action::connect;
}

action reconnect_machine::go_on(time_point now, duration pause) noexcept {
  if (is_spent(now)) return end(state::given_up, action::give_up);
  pause_ = pause;
  if (how_.total > duration::zero()) pause_ = std::min(pause_, how_.total - (now - began_));
  state_ = state::waiting;
  return action::wait;
}

action reconnect_machine::end(state how, action then) noexcept {
  state_ = how;
  return then;
}

bool reconnect_machine::is_spent(time_point now) const noexcept {
  return (how_.attempts != 0 && attempts_ >= how_.attempts) || (how_.total > duration::zero() && now - began_ >= how_.total);
}

// From zero to the ceiling, which then doubles. SplitMix64: any seed will do, and the bias of the remainder is far below a nanosecond's worth.
duration reconnect_machine::draw() noexcept {
  std::uint64_t z = (random_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  z ^= z >> 31U;
  const duration drawn(static_cast<duration::rep>(z % (static_cast<std::uint64_t>(ceiling_.count()) + 1)));
  ceiling_ = ceiling_ > how_.longest / 2 ? how_.longest : 2 * ceiling_;
  return drawn;
}

const char* to_string(reconnect_machine::state value) noexcept {
  using state = reconnect_machine::state;
  switch (value) {
    case state::idle: return "idle";
    case state::connecting: return "connecting";
    case state::hurried: return "hurried";
    case state::connected: return "connected";
    case state::waiting: return "waiting";
    case state::given_up: return "given_up";
    case state::finished: return "finished";
    case state::stopped: return "stopped";
  }
  return "unknown";
}

}  // namespace sluice
