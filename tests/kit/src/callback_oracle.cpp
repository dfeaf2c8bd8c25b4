#include <sluice/testing/callback_oracle.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include <sluice/error.hpp>

namespace sluice::testing {
namespace {

bool is_flow_control(callback which) noexcept { return which == callback::pause || which == callback::resume; }

}  // namespace

const char* to_string(callback which) noexcept {
  switch (which) {
    case callback::made: return "connection_made";
    case callback::data: return "data_received";
    case callback::eof: return "eof_received";
    case callback::pause: return "pause_writing";
    case callback::resume: return "resume_writing";
    case callback::shutting_down: return "shutting_down";
    case callback::lost: return "connection_lost";
  }
  return "unknown callback";
}

const char* callback_grammar::called(callback which) noexcept {
  switch (state_) {
    case state::unmade:
      if (which != callback::made) return "L1 before connection_made";
      state_ = state::open;
      return nullptr;
    case state::open:
    case state::ended: return which == callback::made ? "L2 a second time" : control(which);
    case state::condemned:
      if (which != callback::lost) return "X1 after a callback that threw";
      state_ = state::lost;
      return nullptr;
    case state::lost: return which == callback::lost ? "L3 a second time" : "L1 after connection_lost";
  }
  return nullptr;
}

const char* callback_grammar::control(callback which) noexcept {
  switch (which) {
    case callback::made:
    case callback::data:
    case callback::eof: return input(which);
    case callback::pause: return std::exchange(flow_, flow::paused) == flow::paused ? "F5 while paused" : nullptr;
    case callback::resume: return std::exchange(flow_, flow::writable) == flow::writable ? "F5 without pause_writing" : nullptr;
    case callback::shutting_down: return std::exchange(shutdown_, shutdown::told) == shutdown::told ? "L17 a second time" : nullptr;
    case callback::lost: state_ = state::lost; return nullptr;
  }
  return nullptr;
}

const char* callback_grammar::input(callback which) noexcept {
  if (state_ == state::ended) return which == callback::eof ? "L7 a second time" : "L1 after eof_received";
  if (which == callback::eof) state_ = state::ended;
  return nullptr;
}

void callback_grammar::threw() noexcept {
  switch (state_) {
    case state::unmade:
    case state::lost: return;
    case state::open:
    case state::ended:
    case state::condemned: state_ = state::condemned; return;
  }
}

callback_oracle::callback_oracle(handler on_violation) : on_violation_(std::move(on_violation)) {}

void callback_oracle::abort_with_message(const std::string& violation) {
  std::fprintf(stderr, "sluice: the contract was broken: %s\n", violation.c_str());
  std::abort();
}

void callback_oracle::violated(std::string_view rule) { on_violation_(std::string(rule)); }

void callback_oracle::check(callback which, const transport* connection, std::size_t bytes) {
  const auto wrong = [&](const char* how) { violated(std::string(to_string(which)) + " was called; " + how); };
  if (const char* how = grammar_.called(which)) wrong(how);
  if (running_ != 0 && !is_flow_control(which)) wrong("L6 inside another callback");
  if (which == callback::data && bytes == 0) wrong("R9 without a byte");
  if (connection == nullptr || !connection->is_closing()) return;
  const std::error_code reason = connection->closing_reason();
  const bool ended_by_us = !reason || reason == condition::local_end;
  if ((which == callback::data || which == callback::eof) && ended_by_us) wrong("L12 after our own close or abort");
  if (which == callback::resume) wrong("F8 on a closing transport");
  if (which == callback::shutting_down) wrong("L17 on a closing transport");
}

callback_oracle::scope::scope(callback_oracle& owner, callback which, const transport* connection, std::size_t bytes)
    : owner_(owner), which_(which), exceptions_(std::uncaught_exceptions()) {
  owner_.check(which, connection, bytes);
  if (!is_flow_control(which_)) ++owner_.running_;
}

callback_oracle::scope::~scope() {
  if (is_flow_control(which_)) return;
  --owner_.running_;
  if (which_ != callback::lost && std::uncaught_exceptions() > exceptions_) owner_.grammar_.threw();
}

}  // namespace sluice::testing
