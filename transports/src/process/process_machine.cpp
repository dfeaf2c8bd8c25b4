#include <sluice/process_machine.hpp>

namespace sluice {

using action = process_machine::action;

bool process_machine::has_child() const noexcept {
  switch (state_) {
    case state::running:
    case state::unpiped:
    case state::closing:
    case state::closing_unpiped: return true;
    case state::starting:
    case state::exited:
    case state::finishing:
    case state::lost: return false;
  }
  return false;
}

action process_machine::made(bool has_pipes) noexcept {
  switch (state_) {
    case state::starting: state_ = has_pipes ? state::running : state::unpiped; return action::none;
    case state::running:
    case state::unpiped:
    case state::closing:
    case state::closing_unpiped:
    case state::exited:
    case state::finishing:
    case state::lost: return action::none;
  }
  return action::none;
}

action process_machine::child_exited() noexcept {
  switch (state_) {
    case state::running:
    case state::closing: state_ = state::exited; return action::none;
    case state::unpiped:
    case state::closing_unpiped: state_ = state::finishing; return action::post_finish;
    case state::starting:
    case state::exited:
    case state::finishing:
    case state::lost: return action::none;
  }
  return action::none;
}

action process_machine::last_pipe_lost() noexcept {
  switch (state_) {
    case state::running: state_ = state::unpiped; return action::none;
    case state::closing: state_ = state::closing_unpiped; return action::none;
    case state::exited: state_ = state::finishing; return action::post_finish;
    case state::starting:
    case state::unpiped:
    case state::closing_unpiped:
    case state::finishing:
    case state::lost: return action::none;
  }
  return action::none;
}

action process_machine::close() noexcept {
  switch (state_) {
    case state::running: state_ = state::closing; return action::end_child;
    case state::unpiped: state_ = state::closing_unpiped; return action::end_child;
    case state::exited: return action::close_pipes;  // something else holds their other ends
    case state::starting:
    case state::closing:
    case state::closing_unpiped:
    case state::finishing:
    case state::lost: return action::none;
  }
  return action::none;
}

action process_machine::finish() noexcept {
  switch (state_) {
    case state::finishing: state_ = state::lost; return action::deliver_lost;
    case state::starting:
    case state::running:
    case state::unpiped:
    case state::closing:
    case state::closing_unpiped:
    case state::exited:
    case state::lost: return action::none;
  }
  return action::none;
}

action process_machine::scheduler_ends() noexcept {
  switch (state_) {
    case state::running:
    case state::unpiped:
    case state::closing:
    case state::closing_unpiped:
    case state::exited:
    case state::finishing: state_ = state::lost; return action::deliver_lost;
    case state::starting:
    case state::lost: return action::none;
  }
  return action::none;
}

const char* to_string(process_machine::state value) noexcept {
  using state = process_machine::state;
  switch (value) {
    case state::starting: return "starting";
    case state::running: return "running";
    case state::unpiped: return "unpiped";
    case state::closing: return "closing";
    case state::closing_unpiped: return "closing_unpiped";
    case state::exited: return "exited";
    case state::finishing: return "finishing";
    case state::lost: return "lost";
  }
  return "unknown";
}

}  // namespace sluice
