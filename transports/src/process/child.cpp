#include "child.hpp"

#include <sluice/error.hpp>

#include <csignal>
#include <utility>

#include "pipe/starting.hpp"

namespace sluice::process {

// The protocol of one pipe, which hands on what it hears.
class child::pipe_end final : public protocol {
 public:
  pipe_end(child& owner, int number) noexcept : owner_(&owner), number_(number) {}

  // The child is no more to be told.
  void forget() noexcept { owner_ = nullptr; }
  int number() const noexcept { return number_; }

 private:
  void connection_made(transport& made) override { owner_->pipes_[static_cast<std::size_t>(number_)] = transport_ref(made); }
  void data_received(const_bytes data) override {
    if (owner_ != nullptr) owner_->call("pipe_data_received", [&] { owner_->upper_->pipe_data_received(heard_as(), data); });
  }
  backpressure pause_writing() override {
    if (owner_ != nullptr) owner_->upper_->pause_writing();
    return backpressure::handled;
  }
  void resume_writing() override {
    if (owner_ != nullptr) owner_->upper_->resume_writing();
  }
  // Output is read on until the child ends; its input is what ends many.
  shutdown_action shutting_down() override { return number_ == 0 && !is_terminal() ? shutdown_action::close : shutdown_action::handled; }
  void connection_lost(std::error_code reason) override {
    if (owner_ != nullptr) owner_->pipe_lost(*this, reason);
  }

  bool is_terminal() const noexcept { return owner_ != nullptr && owner_->has_terminal_; }
  // What comes from a terminal is the child's output.
  int heard_as() const noexcept { return is_terminal() ? 1 : number_; }

  child* owner_;
  int number_;
};

child::child(loop& owner, pid_t number, std::unique_ptr<process_protocol> upper)
    : resource(owner), loop_(owner), number_(number), upper_(std::move(upper)), later_(owner, [this] { finish(); }) {
  reaper::of(owner).watch(number, *this);
}

bool child::start(std::unique_ptr<child> self, child_pipes pipes, const shared_stream_options& options) {
  child& made = *self.release();
  const auto turn = made.loop_.cork();
  made.has_terminal_ = pipes.is_terminal;
  using ways = connection_machine::ways;
  for (int number = 0; number < 3; ++number) {
    descriptor& ours = pipes.ours[static_cast<std::size_t>(number)];
    const ways direction = pipes.is_terminal ? ways::both : number == 0 ? ways::output_only : ways::input_only;
    if (ours) made.open_pipe(number, {"process", direction, std::move(ours), {}}, options);
  }
  made.machine_.made(made.ends_ != std::array<pipe_end*, 3>());
  return made.call("connection_made", [&] { made.upper_->connection_made(made); });
}

void child::open_pipe(int number, pipe::ends made_of, const shared_stream_options& options) {
  auto end = std::make_unique<pipe_end>(*this, number);
  ends_[static_cast<std::size_t>(number)] = end.get();
  pipe::start(loop_, std::move(made_of), std::move(end), options);
}

// True if nothing was thrown; else it is the end of the child (rules X1, X5).
template <typename F>
bool child::call(const char* callback, F&& function) noexcept {
  try {
    function();
    return true;
  } catch (...) {
    loop_.report({error_source::callback, 0, errc::protocol_threw, std::current_exception(), callback});
  }
  fail(errc::protocol_threw);
  return false;
}

void child::fail(std::error_code reason) noexcept {
  if (machine_.current() < process_machine::state::finishing && !reason_) reason_ = reason;
  close();
}

transport* child::pipe(int number) const noexcept {
  if (number < 0 || number > 2) return nullptr;
  if (has_terminal_ && number == 1) number = 0;
  return pipes_[static_cast<std::size_t>(number)].get();
}

std::error_code child::send_signal(int number) noexcept {
  if (!machine_.has_child()) return system_error(ESRCH);
  return ::kill(number_, number) == 0 ? std::error_code() : system_error(errno);
}

std::error_code child::set_terminal_size(unsigned rows, unsigned columns) noexcept {
  const transport* const terminal = has_terminal_ ? pipe(0) : nullptr;
  if (terminal == nullptr) return errc::not_supported;
  return process::set_terminal_size(terminal->info<native_descriptor>()->value, {rows, columns});
}

void child::close() noexcept { perform(machine_.close()); }

void child::perform(action next) noexcept {
  switch (next) {
    case action::none: return;
    case action::end_child: ::kill(number_, SIGKILL); [[fallthrough]];
    case action::close_pipes: close_pipes(); return;
    case action::post_finish: later_.start(duration::zero()); return;
    case action::deliver_lost: return;  // done where the event came from
  }
}

// What waits to be written would keep a pipe to a child that is killed open.
void child::close_pipes() noexcept {
  for (const transport_ref& each : pipes_) each.abort();
}

void child::pipe_lost(pipe_end& end, std::error_code reason) {
  const int number = end.number();
  ends_[static_cast<std::size_t>(number)] = nullptr;
  const bool was_last = ends_ == std::array<pipe_end*, 3>();
  const bool by_us = is_closing() && reason == errc::aborted;
  call("pipe_connection_lost", [&] { upper_->pipe_connection_lost(number, by_us ? std::error_code() : reason); });
  if (was_last) perform(machine_.last_pipe_lost());
}

void child::child_exited(const exit_status& status) {
  const auto turn = loop_.cork();
  status_ = status;
  const action next = machine_.child_exited();  // first, so that a signal sent from in there reaches nobody
  call("process_exited", [&] { upper_->process_exited(status); });
  perform(next);
}

void child::finish() {
  if (machine_.finish() != action::deliver_lost) return;
  const std::unique_ptr<child> self(this);
  call("connection_lost", [this] { upper_->connection_lost(reason_); });
}

// The reaper has killed it, or will; the pipes are the scheduler's and end with it, unheard.
void child::loop_ends() noexcept { scheduler_ends(); }

void child::scheduler_ends() noexcept {
  if (machine_.scheduler_ends() != action::deliver_lost) return;
  later_.stop();
  for (pipe_end*& each : ends_) {
    if (each == nullptr) continue;
    const int number = each->number();
    std::exchange(each, nullptr)->forget();
    call("pipe_connection_lost", [&] { upper_->pipe_connection_lost(number, errc::aborted); });
  }
  reaper::of(loop_).kill(number_);
  const std::unique_ptr<child> self(this);
  call("connection_lost", [this] { upper_->connection_lost(errc::aborted); });
}

void child::shut_down() { terminate(); }

}  // namespace sluice::process
