#include <sluice/tls/layer_machine.hpp>

namespace sluice::tls {

using action = layer_machine::action;

action layer_machine::handshake_done() noexcept {
  switch (state_) {
    case state::handshaking: state_ = state::open; return action::establish;
    case state::open:
    case state::peer_ended:
    case state::ended:
    case state::both_ended:
    case state::closing:
    case state::closed:
    case state::failed: return action::none;
  }
  return action::none;
}

action layer_machine::peer_notified() noexcept {
  switch (state_) {
    case state::open: state_ = state::peer_ended; return action::deliver_eof;
    case state::ended: state_ = state::both_ended; return action::deliver_eof;
    case state::closing: state_ = state::closed; return action::close_below;
    case state::handshaking: state_ = state::failed; return action::report_cut;
    case state::peer_ended:
    case state::both_ended:
    case state::closed:
    case state::failed: return action::none;
  }
  return action::none;
}

action layer_machine::lower_ended(bool truncation_is_allowed) noexcept {
  switch (state_) {
    case state::handshaking: state_ = state::failed; return action::report_cut;
    case state::open:
    case state::ended:
      if (truncation_is_allowed) return peer_notified();
      state_ = state::failed;
      return action::report_truncation;
    case state::closing: state_ = state::closed; return action::close_below;
    case state::peer_ended:
    case state::both_ended:
    case state::closed:
    case state::failed: return action::none;
  }
  return action::none;
}

action layer_machine::end_output() noexcept {
  switch (state_) {
    case state::open: state_ = state::ended; return action::notify;
    case state::peer_ended: state_ = state::both_ended; return action::notify;
    case state::handshaking:
    case state::ended:
    case state::both_ended:
    case state::closing:
    case state::closed:
    case state::failed: return action::none;
  }
  return action::none;
}

action layer_machine::close(bool wait_for_peer) noexcept {
  switch (state_) {
    case state::handshaking: state_ = state::closed; return action::abort_below;
    case state::open:
      state_ = wait_for_peer ? state::closing : state::closed;
      return wait_for_peer ? action::notify_and_wait : action::notify_and_close;
    case state::ended: state_ = wait_for_peer ? state::closing : state::closed; return wait_for_peer ? action::wait : action::close_below;
    case state::peer_ended: state_ = state::closed; return action::notify_and_close;
    case state::both_ended: state_ = state::closed; return action::close_below;
    case state::closing:
    case state::closed:
    case state::failed: return action::none;
  }
  return action::none;
}

action layer_machine::failure() noexcept {
  switch (state_) {
    case state::handshaking:
    case state::open:
    case state::peer_ended:
    case state::ended:
    case state::both_ended:
    case state::closing: state_ = state::failed; return action::report_failure;
    case state::closed:
    case state::failed: return action::none;
  }
  return action::none;
}

const char* to_string(layer_machine::state value) noexcept {
  using state = layer_machine::state;
  switch (value) {
    case state::handshaking: return "handshaking";
    case state::open: return "open";
    case state::peer_ended: return "peer_ended";
    case state::ended: return "ended";
    case state::both_ended: return "both_ended";
    case state::closing: return "closing";
    case state::closed: return "closed";
    case state::failed: return "failed";
  }
  return "unknown";
}

}  // namespace sluice::tls
