#include <sluice/stdio.hpp>

#include <sluice/error.hpp>

#include <unistd.h>

#include <memory>
#include <utility>

#include "file/file_input.hpp"
#include "file/file_output.hpp"
#include "pipe/adopting.hpp"
#include "pipe/pipe_channel.hpp"
#include "pipe/polled_output.hpp"
#include "standard_descriptor.hpp"

namespace sluice::stdio {
namespace {

// Gives the descriptor back when its direction ends, which may be before the transport does.
class standard_output final : public pipe::output_end {
 public:
  standard_output(std::unique_ptr<pipe::output_end> to, std::unique_ptr<standard_descriptor> of) : to_(std::move(to)), of_(std::move(of)) {}

  send_result send(std::span<const const_bytes> parts) override { return to_->send(parts); }
  void wait() override { to_->wait(); }
  progress end() override {
    const progress result = to_->end();
    if (result == progress::done) of_.reset();
    return result;
  }
  void drop() noexcept override {
    to_->drop();
    of_.reset();
  }

 private:
  std::unique_ptr<pipe::output_end> to_;
  std::unique_ptr<standard_descriptor> of_;
};

class standard_input final : public pipe::companion {
 public:
  explicit standard_input(std::unique_ptr<standard_descriptor> of) : of_(std::move(of)) {}

 private:
  std::unique_ptr<standard_descriptor> of_;
};

struct refused {
  std::error_code error;
  std::string detail;
};

std::unique_ptr<standard_descriptor> take(int number, bool raw, refused& why) {
  auto taken = std::make_unique<standard_descriptor>(number);
  if (!taken->claim()) {
    why = {make_error_code(std::errc::device_or_resource_busy), "standard input and output have a transport already"};
    return nullptr;
  }
  if (raw) why.error = taken->make_raw();
  return why.error ? nullptr : std::move(taken);
}

refused look_at(int descriptor, pipe::wanted use) {
  pipe::refusal wrong = pipe::prepare(descriptor, use);
  return {wrong.error, std::move(wrong.detail)};
}

// The end that is written to, still without the channel that `begin` tells it.
struct made_output {
  std::unique_ptr<pipe::output_end> end;
  pipe::polled_output* polled = nullptr;
  file::file_output* file = nullptr;
};

made_output make_output(loop& owner, descriptor to, refused& why) {
  made_output made;
  if (pipe::is_pollable(to.get())) {
    why = look_at(to.get(), pipe::wanted::output);
    auto polled = std::make_unique<pipe::polled_output>(std::move(to));
    made.polled = polled.get();
    made.end = std::move(polled);
  } else {
    auto written = std::make_unique<file::file_output>(owner, std::move(to));
    made.file = written.get();
    made.end = std::move(written);
  }
  return made;
}

}  // namespace

result<transport&> open(loop& owner, protocol_ptr upper, const options& settings) {
  refused why;
  auto input = take(STDIN_FILENO, settings.raw, why);
  auto output = input != nullptr ? take(STDOUT_FILENO, false, why) : nullptr;
  if (output == nullptr) return {why.error, why.detail};
  pipe::channel::parts parts{"stdio"};
  descriptor from = input->duplicate();
  made_output to = make_output(owner, output->duplicate(), why);
  if (!why.error && !pipe::is_pollable(from.get()))
    parts.input = std::make_unique<file::file_input>(owner, std::move(from));
  else if (!why.error)
    why = look_at(from.get(), pipe::wanted::input);
  if (why.error) return {why.error, why.detail};
  parts.watched = std::move(from);
  parts.output = std::make_unique<standard_output>(std::move(to.end), std::move(output));
  parts.companion = std::make_unique<standard_input>(std::move(input));
  auto made = std::make_unique<pipe::channel>(owner, std::move(parts), shared_stream_options::make(settings.stream));
  if (to.file != nullptr) to.file->begin(made->as_listener());
  if (to.polled != nullptr)
    if (const auto error = to.polled->begin(owner, made->as_listener())) return error;
  transport& running = stream_transport::start(std::move(made), std::move(upper));
  if (running.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
  return running;
}

}  // namespace sluice::stdio
