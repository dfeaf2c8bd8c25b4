#include <sluice/hand_over.hpp>

#include <sluice/detail/hand_over_machine.hpp>
#include <sluice/error.hpp>
#include <sluice/local.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <optional>
#include <string>
#include <utility>

#include "socket/adopt.hpp"
#include "socket/inherited_sockets.hpp"
#include "socket/socket.hpp"

namespace sluice::hand_over {
namespace {

using action = detail::succession_machine::action;

local::options line_options() {
  local::options result;
  result.receive_descriptors = max_sockets;
  result.connect_timeout = 0s;
  return result;
}

bool means_nobody_is_there(std::error_code error) {
  return error == std::errc::no_such_file_or_directory || error == std::errc::connection_refused;
}

}  // namespace

// The predecessor is spoken to on a loop of its own, so that nothing of the program runs meanwhile.
struct succession::state final : protocol {
  explicit state(const address& from) : what_("taking over from " + from.to_string()) {
    attempt_ = local::connect(
        line_, from, [this] { return borrow(*this); },
        [this](const result<transport&>& made) {
          if (!made) settle(made.error());
        },
        line_options());
  }

  ~state() override {
    sockets->clear();
    outcome_ = errc::cancelled;
    attempt_.cancel();
    predecessor_.abort();
    line_.run();
  }

  // True if there is somebody to succeed.
  bool receive(duration patience, std::error_code& error) {
    error = wait(patience);
    if (error) sockets->clear();
    const bool is_alone = !greeted_ && means_nobody_is_there(error);
    if (is_alone) error.clear();
    return !is_alone && !error;
  }

  std::error_code tell(duration patience) {
    sockets->clear();
    machine_.said_ready();
    predecessor_.write(as_bytes(line_of(detail::hand_over_word::ready)));
    return wait(patience);
  }

  [[noreturn]] void raise(std::error_code error) const { throw std::system_error(error, what_); }

  detail::inherited_sockets::pool sockets = std::make_shared<std::vector<descriptor>>();

 private:
  std::error_code wait(duration patience) {
    outcome_.reset();
    timer limit(line_, [this] { refuse(errc::timed_out, ": the process there does not answer in time"); });
    limit.start(patience);
    line_.run();
    return outcome_.value_or(errc::closed);
  }

  bool failed() const { return outcome_.value_or(std::error_code()) != std::error_code(); }

  void settle(std::error_code outcome) {
    if (failed()) return;
    outcome_ = outcome;
    line_.stop();
  }

  void refuse(std::error_code error, const char* problem) {
    if (failed()) return;
    what_ += problem;
    predecessor_.abort();
    settle(error);
  }

  void connection_made(transport& made) override {
    predecessor_ = transport_ref(made);
    greeted_ = true;
  }

  void data_received(const_bytes data) override {
    while (const auto word = reader_.next(data)) follow(machine_.heard(*word));
  }

  void connection_lost(std::error_code reason) override {
    if (reason == errc::descriptors_lost) return refuse(reason, ": this process cannot open so many sockets");
    follow(machine_.predecessor_ended());
  }

  void follow(action next) {
    switch (next) {
      case action::none: return;
      case action::take_socket: return take_socket();
      case action::prepare:
      case action::stand_alone: return settle({});
      case action::stand_beside: return refuse(errc::cancelled, ": it has taken its offer back and goes on serving");
      case action::give_up: return refuse(errc::truncated, ": the process there ended before it had passed all its sockets");
      case action::report_nonsense: return refuse(errc::malformed_message, ": the process there says what no predecessor says");
    }
  }

  void take_socket() {
    descriptor taken = local::take_descriptor(*predecessor_.get());
    const auto any = [](const address& own) { return own.is_ip() || own.is_unix(); };
    if (const auto error = detail::prepare_listening(taken.get(), any))
      return refuse(error, ": what it passes is no listening stream socket");
    sockets->push_back(std::move(taken));
  }

  std::string what_;
  loop line_;
  transport_ref predecessor_;
  bool greeted_ = false;
  detail::hand_over_reader reader_;
  detail::succession_machine machine_;
  std::optional<std::error_code> outcome_;
  connecting attempt_;
};

succession::succession() noexcept = default;
succession::succession(std::unique_ptr<state> taken) noexcept : state_(std::move(taken)) {}
succession::succession(succession&& other) noexcept = default;

succession& succession::operator=(succession&& other) noexcept = default;
succession::~succession() = default;

bool succession::has_predecessor() const noexcept { return state_ != nullptr; }

std::vector<address> succession::sockets() const {
  std::vector<address> result;
  if (state_ == nullptr) return result;
  for (const descriptor& each : *state_->sockets) result.push_back(detail::bound_address(each.get()));
  return result;
}

void succession::ready(duration patience) {
  if (state_ == nullptr) return;
  const auto told = std::move(state_);
  if (const auto error = told->tell(patience)) told->raise(error);
}

void succession::ready(duration patience, std::error_code& error) {
  const auto told = std::move(state_);
  error = told == nullptr ? std::error_code() : told->tell(patience);
}

succession take(loop& owner, const address& from, duration patience) {
  auto taken = std::make_unique<succession::state>(from);
  std::error_code error;
  const bool found = taken->receive(patience, error);
  if (error) taken->raise(error);
  if (!found) return {};
  detail::inherited_sockets::of(owner).add(taken->sockets);
  return succession(std::move(taken));
}

succession take(loop& owner, const address& from, duration patience, std::error_code& error) {
  auto taken = std::make_unique<succession::state>(from);
  if (!taken->receive(patience, error)) return {};
  detail::inherited_sockets::of(owner).add(taken->sockets);
  return succession(std::move(taken));
}

}  // namespace sluice::hand_over
