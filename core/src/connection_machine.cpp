#include <sluice/connection_machine.hpp>

namespace sluice {

using action = connection_machine::action;

namespace {

connection_machine::state first_state(connection_machine::ways has) noexcept {
  switch (has) {
    case connection_machine::ways::both: return connection_machine::state::open;
    case connection_machine::ways::input_only: return connection_machine::state::ended;
    case connection_machine::ways::output_only: return connection_machine::state::peer_ended;
  }
  return connection_machine::state::open;
}

}  // namespace

action connection_machine::made(ways has) noexcept {
  switch (state_) {
    case state::connecting: state_ = first_state(has); return action::none;
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::eof_seen() noexcept {
  switch (state_) {
    case state::open: state_ = state::peer_ended; return action::deliver_eof;
    case state::ending:
    case state::ended: state_ = state::both_ended; return action::deliver_eof;
    case state::draining: return end_now();
    case state::connecting:
    case state::peer_ended:
    case state::both_ended:
    case state::flushing:
    case state::closing:
    case state::finishing:
    case state::releasing:
    case state::released: return action::none;
    case state::lost: return linger_over();
  }
  return action::none;
}

action connection_machine::eof_answered(bool keep_open, bool queue_empty) noexcept {
  switch (state_) {
    case state::peer_ended: return keep_open ? action::none : close(queue_empty);
    case state::both_ended: return close(queue_empty);
    case state::connecting:
    case state::open:
    case state::ending:
    case state::ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::write_eof(bool queue_empty) noexcept {
  switch (state_) {
    case state::open: state_ = state::ending; return queue_empty ? action::end_output : action::none;
    case state::peer_ended: return close(queue_empty);
    case state::connecting:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::drained() noexcept {
  switch (state_) {
    case state::ending: return action::end_output;
    case state::flushing: state_ = state::closing; return action::begin_close;
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ended:
    case state::both_ended:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::output_ended() noexcept {
  switch (state_) {
    case state::ending: state_ = state::ended; return action::none;
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::close(bool queue_empty) noexcept {
  switch (state_) {
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
      state_ = queue_empty ? state::closing : state::flushing;
      return queue_empty ? action::begin_close : action::flush_output;
    case state::connecting:  // closing before or inside a handshake is an abort (rule T3)
    case state::draining: return end_now();
    case state::flushing:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::abort() noexcept {
  switch (state_) {
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing: return end_now();
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::read_failed() noexcept {
  switch (state_) {
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing: return end_now();
    case state::lost: return linger_over();
    case state::finishing:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::write_failed(bool can_read) noexcept {
  switch (state_) {
    case state::open:
    case state::ending:
    case state::ended:
      if (!can_read) return end_now();
      state_ = state::draining;
      return action::drain_input;
    case state::connecting:
    case state::peer_ended:
    case state::both_ended:
    case state::flushing:
    case state::closing: return end_now();
    case state::draining:
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::goodbye_said() noexcept {
  switch (state_) {
    case state::closing: state_ = state::finishing; return action::post_finish;
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining: return end_now();  // the channel ended by itself
    case state::finishing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::finish() noexcept {
  switch (state_) {
    case state::finishing: state_ = state::lost; return action::deliver_lost;
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::lost:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::lost_delivered(bool keep_descriptor) noexcept {
  switch (state_) {
    case state::lost: return keep_descriptor ? action::none : linger_over();
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::linger_over() noexcept {
  switch (state_) {
    case state::lost: state_ = state::releasing; return action::release;
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::releasing:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::released() noexcept {
  switch (state_) {
    case state::releasing: state_ = state::released; return action::none;
    case state::connecting:
    case state::open:
    case state::peer_ended:
    case state::ending:
    case state::ended:
    case state::both_ended:
    case state::flushing:
    case state::draining:
    case state::closing:
    case state::finishing:
    case state::lost:
    case state::released: return action::none;
  }
  return action::none;
}

action connection_machine::end_now() noexcept {
  state_ = state::finishing;
  return action::abort;
}

const char* to_string(connection_machine::state value) noexcept {
  using state = connection_machine::state;
  switch (value) {
    case state::connecting: return "connecting";
    case state::open: return "open";
    case state::peer_ended: return "peer_ended";
    case state::ending: return "ending";
    case state::ended: return "ended";
    case state::both_ended: return "both_ended";
    case state::flushing: return "flushing";
    case state::draining: return "draining";
    case state::closing: return "closing";
    case state::finishing: return "finishing";
    case state::lost: return "lost";
    case state::releasing: return "releasing";
    case state::released: return "released";
  }
  return "unknown";
}

}  // namespace sluice
