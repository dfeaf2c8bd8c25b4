#pragma once

#include <sluice/detail/resource.hpp>
#include <sluice/process.hpp>
#include <sluice/process_machine.hpp>
#include <sluice/timer.hpp>
#include <sluice/transport_ref.hpp>

#include <array>
#include <memory>

#include "child_pipes.hpp"
#include "reaper.hpp"

namespace sluice::process {

// A child with a protocol. Owns itself, from `start` until its `connection_lost` has returned.
class child final : public process_transport, private reaper::watcher, private detail::resource {
 public:
  child(loop& owner, pid_t number, std::unique_ptr<process_protocol> upper);

  // Makes transports of the pipes and calls `connection_made`. False if that threw.
  static bool start(std::unique_ptr<child> self, child_pipes pipes, const shared_stream_options& options);

  int pid() const noexcept override { return number_; }
  std::optional<exit_status> status() const noexcept override { return status_; }
  transport* pipe(int number) const noexcept override;
  std::error_code send_signal(int number) noexcept override;
  void close() noexcept override;
  bool is_closing() const noexcept override { return machine_.is_closing(); }
  std::error_code set_terminal_size(unsigned rows, unsigned columns) noexcept override;

 private:
  class pipe_end;
  using action = process_machine::action;

  ~child() override = default;
  friend std::default_delete<child>;

  void open_pipe(int number, pipe::ends made_of, const shared_stream_options& options);
  void pipe_lost(pipe_end& end, std::error_code reason);
  void child_exited(const exit_status& status) override;
  void loop_ends() noexcept override;
  void scheduler_ends() noexcept override;
  void shut_down() override;
  void perform(action next) noexcept;
  void fail(std::error_code reason) noexcept;
  void close_pipes() noexcept;
  void finish();
  template <typename F>
  bool call(const char* callback, F&& function) noexcept;

  loop& loop_;
  pid_t number_;
  std::unique_ptr<process_protocol> upper_;
  process_machine machine_;
  std::optional<exit_status> status_;
  std::error_code reason_;
  std::array<pipe_end*, 3> ends_{};  // those that are open
  std::array<transport_ref, 3> pipes_;
  bool has_terminal_ = false;
  timer later_;  // the posted finish
};

}  // namespace sluice::process
