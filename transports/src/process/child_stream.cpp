#include <sluice/process.hpp>

#include <sluice/error.hpp>
#include <sluice/timer.hpp>

#include <chrono>
#include <memory>
#include <utility>

#include "child_pipes.hpp"
#include "pipe/pipe_channel.hpp"
#include "pipe/polled_output.hpp"
#include "reaper.hpp"
#include "start_child.hpp"

namespace sluice::process {
namespace {

constexpr std::chrono::milliseconds moment(1000);      // for a child to exit behind the end of its output
constexpr std::chrono::milliseconds patience(30'000);  // where there is no close timeout

// The child whose input and output a channel is.
class child_of_stream final : public pipe::companion, private reaper::watcher {
 public:
  child_of_stream(loop& owner, pid_t number, std::chrono::milliseconds close_timeout)
      : loop_(owner), state_{number, {}}, close_timeout_(close_timeout.count() > 0 ? close_timeout : patience), moment_over_(owner, [this] {
          wait_no_more();
        }) {
    reaper::of(owner).watch(number, *this);
  }
  ~child_of_stream() override {
    if (!state_.status) was_orderly_ ? reaper::of(loop_).leave(state_.pid, close_timeout_) : reaper::of(loop_).kill(state_.pid);
  }

  // To be called first.
  void begin(pipe::output_end::listener& told) noexcept { told_ = &told; }

 private:
  void describe(info_query& query) const override {
    query.answer<child_state>([this] { return now(); });
  }

  progress ends(close_kind kind, bool input_ended) noexcept override {
    was_orderly_ = kind == close_kind::graceful;
    if (!was_orderly_) {
      moment_over_.stop();
      waits_ = false;
      return progress::done;
    }
    if (!input_ended || now().status) return progress::done;
    waits_ = true;
    moment_over_.start(moment);
    return progress::pending;
  }

  // It may have gone and not be reaped yet.
  const child_state& now() const noexcept {
    exit_status status;
    if (!state_.status && reaper::of(loop_).try_to_reap(state_.pid, status)) state_.status = status;
    return state_;
  }

  void child_exited(const exit_status& status) override {
    state_.status = status;
    if (waits_) wait_no_more();
  }
  void wait_no_more() {
    waits_ = false;
    moment_over_.stop();
    told_->output_finished();
  }
  void loop_ends() noexcept override { state_.status = exit_status{.code = 0, .signal = SIGKILL}; }

  loop& loop_;
  pipe::output_end::listener* told_ = nullptr;
  mutable child_state state_;
  std::chrono::milliseconds close_timeout_;
  timer moment_over_;
  bool was_orderly_ = false;
  bool waits_ = false;
};

struct prepared {
  pipe::channel::parts parts;
  pipe::polled_output* output = nullptr;
};

prepared parts_of(child_pipes& pipes) {
  prepared made{{"process"}};
  if (pipes.is_terminal) {
    made.parts.watched = std::move(pipes.ours[0]);
    return made;
  }
  auto output = std::make_unique<pipe::polled_output>(std::move(pipes.ours[0]));
  made.output = output.get();
  made.parts.watched = std::move(pipes.ours[1]);
  made.parts.output = std::move(output);
  return made;
}

}  // namespace

result<transport&> open(loop& owner, const options& wanted, protocol_ptr upper) {
  if (!reaper::of(owner).prepare()) return make_error_code(errc::closed);
  options settings = wanted;
  settings.input = settings.output = stream::pipe;
  if (settings.error == stream::pipe)
    return {system_error(EINVAL), "process::open: the error stream cannot be a pipe; expected inherit, null or merge"};
  opened_pipes opened = open_pipes(settings);
  if (opened.error) return {opened.error, std::move(opened.detail)};
  prepared made = parts_of(opened.pipes);
  const auto stream = shared_stream_options::make(settings.pipes);
  started_child started = start_child(settings, opened.pipes.map, opened.pipes.is_terminal);
  if (started.error) return {started.error, std::move(started.detail)};
  auto running = std::make_unique<child_of_stream>(owner, started.number, settings.pipes.close_timeout);
  child_of_stream& child = *running;
  made.parts.companion = std::move(running);
  auto channel = std::make_unique<pipe::channel>(owner, std::move(made.parts), stream);
  child.begin(channel->as_listener());
  if (made.output != nullptr)
    if (const auto error = made.output->begin(owner, channel->as_listener())) return error;
  opened.pipes.theirs = {};
  transport& result = stream_transport::start(std::move(channel), std::move(upper));
  if (result.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
  return result;
}

}  // namespace sluice::process
