#include <sluice/reconnect.hpp>

#include <sluice/error.hpp>

#include <exception>
#include <new>
#include <random>
#include <utility>

#include "kept_output.hpp"

namespace sluice {
namespace {

using action = reconnect_machine::action;

std::uint64_t seed_of(const reconnect_options& settings) {
  if (settings.seed) return *settings.seed;
  std::random_device random;
  return (std::uint64_t{random()} << 32U) | random();
}

reconnector::connect_function by_scheme(loop& owner, const endpoint& to, const scheme_table& schemes) {
  return [&owner, to, schemes](protocol_factory factory, connect_handler done) {
    return schemes.connect(owner, to, std::move(factory), std::move(done));
  };
}

}  // namespace

reconnector::reconnector(scheduler& owner, connect_function connect, protocol_factory factory, reconnect_options settings)
    : resource(owner),
      owner_(owner),
      connect_(std::move(connect)),
      factory_(std::move(factory)),
      on_event_(std::move(settings.on_event)),
      machine_(settings.pacing, seed_of(settings)),
      kept_(settings.keep.most_bytes == 0 ? nullptr : std::make_shared<detail::kept_output>(settings.keep, counters_.kept)),
      pause_(owner, [this] { perform(machine_.pause_over()); }),
      end_([this](std::error_code reason) { connection_ended(reason); }) {}

reconnector::reconnector(loop& owner, const endpoint& to, protocol_factory factory, reconnect_options settings)
    : reconnector(owner, to, transport_schemes(), std::move(factory), std::move(settings)) {}

reconnector::reconnector(loop& owner, const endpoint& to, const scheme_table& schemes, protocol_factory factory, reconnect_options settings)
    : reconnector(owner, by_scheme(owner, to, schemes), std::move(factory), std::move(settings)) {}

reconnector::~reconnector() = default;

void reconnector::start() {
  if (scheduler_ended()) throw std::system_error(errc::closed, "reconnector::start");
  if (machine_.start(owner_.now()) != action::connect) return;
  try {
    attempt();
  } catch (...) {
    machine_.stop();
    throw;
  }
}

void reconnector::stop() {
  if (machine_.stop() != action::cancel) return;
  transport* const open = connection();
  let_go();
  if (open != nullptr) open->close();
}

write_status reconnector::write(const_bytes message) {
  transport* const open = connection();
  const bool overtakes = counters_.kept.waiting != 0;  // asked for by pause_writing, while what was kept is being sent
  if (open != nullptr && !open->is_closing() && !overtakes) return open->write(message);
  if (kept_ == nullptr || !is_active()) return write_status::dropped;
  return kept_->keep(message, owner_.now()) ? write_status::accepted : write_status::dropped;
}

void reconnector::retry_now() { perform(machine_.retry_now()); }

void reconnector::let_go() noexcept {
  if (kept_ != nullptr) kept_->drop();
  pause_.stop();
  end_.stop();
  attempt_.cancel();
  connection_ = {};
}

void reconnector::scheduler_ends() noexcept {
  machine_.stop();
  let_go();
}

void reconnector::shut_down() {
  if (machine_.stop() == action::cancel) let_go();  // the connection is asked like any other
}

void reconnector::attempt() {
  ++counters_.attempts;
  attempt_ = connect_(factory_, [this](const result<transport&>& made) { attempt_ended(made); });
}

void reconnector::try_attempt() {
  try {
    attempt();
  } catch (const std::system_error& error) {
    attempt_failed(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    attempt_failed(make_error_code(std::errc::not_enough_memory), {});
  } catch (...) {
    owner_.report({error_source::scheduled, 0, errc::callback_failed, std::current_exception(), "reconnector: the connect function"});
    attempt_failed(errc::callback_failed, {});
  }
}

void reconnector::attempt_ended(const result<transport&>& made) {
  if (!made) {
    attempt_failed(made.error(), made.detail());
    return;
  }
  try {
    end_.start(*made);
    connection_ = transport_ref(*made);
  } catch (const std::bad_alloc&) {
    made->abort();
    attempt_failed(make_error_code(std::errc::not_enough_memory), {});
    return;
  }
  ++counters_.connections;
  perform(machine_.made(owner_.now()));
  if (kept_ != nullptr && !send_kept(*made)) return;
  tell(kind::connected, {}, {});
}

// False if nothing is to be told any more: the protocol, which may hear of a pause meanwhile, has stopped or destroyed this object.
bool reconnector::send_kept(transport& made) {
  const std::weak_ptr<detail::kept_output> ours = kept_;  // goes with this object
  while (!ours.expired() && connection() == &made && !made.is_closing()) {
    const auto message = kept_->take_first(owner_.now());
    if (!message) break;
    made.write(as_bytes(*message));
  }
  return !ours.expired() && connection() == &made;
}

void reconnector::attempt_failed(std::error_code error, std::string detail) {
  perform(machine_.failed(owner_.now()));
  tell(kind::not_connected, error, std::move(detail));
}

void reconnector::connection_ended(std::error_code reason) {
  ++counters_.losses;
  connection_ = {};
  perform(machine_.lost(owner_.now(), !reason));
  tell(kind::lost, reason, reason ? reason.message() : std::string());
}

void reconnector::perform(action then) {
  switch (then) {
    case action::none:
    case action::cancel: return;
    case action::give_up:
    case action::finish:
      if (kept_ != nullptr) kept_->drop();
      return;
    case action::wait: pause_.start(machine_.pause()); return;
    case action::connect:
      pause_.stop();
      try_attempt();
      return;
  }
}

// Comes last: the observer may destroy this object.
void reconnector::tell(kind what, std::error_code error, std::string detail) {
  const reconnect_observer observer = on_event_;
  if (observer == nullptr) return;
  const bool waits = machine_.current() == reconnect_machine::state::waiting;
  const reconnect_event event{what, error, std::move(detail), machine_.attempts(), waits ? std::optional(machine_.pause()) : std::nullopt};
  detail::unique_function call = [&] { observer(event); };
  owner_.run_turn(call, error_source::scheduled, "reconnect observer");
}

}  // namespace sluice
