#include <sluice/process.hpp>

#include <sluice/error.hpp>

#include <csignal>
#include <utility>

#include "child.hpp"
#include "reaper.hpp"
#include "start_child.hpp"

namespace sluice {

void process_protocol::connection_made(process_transport&) {}
void process_protocol::pipe_data_received(int, const_bytes) {}
void process_protocol::pipe_connection_lost(int, std::error_code) {}
void process_protocol::pause_writing() {}
void process_protocol::resume_writing() {}
void process_protocol::process_exited(const process::exit_status&) {}
void process_protocol::connection_lost(std::error_code) {}

std::error_code process_transport::terminate() noexcept { return send_signal(SIGTERM); }
std::error_code process_transport::kill() noexcept { return send_signal(SIGKILL); }

namespace process {
namespace {

std::unique_ptr<process_protocol> make_protocol(loop& owner, const process_protocol_factory& factory) noexcept {
  std::exception_ptr thrown;
  try {
    if (auto made = factory()) return made;
  } catch (...) {
    thrown = std::current_exception();
  }
  const char* what = thrown ? "no process was started" : "the protocol factory returned null; no process was started";
  owner.report({error_source::factory, 0, errc::factory_failed, thrown, what});
  return nullptr;
}

}  // namespace

std::string to_string(const exit_status& status) {
  return status.signal != 0 ? "signal " + std::to_string(status.signal) : "exit code " + std::to_string(status.code);
}

result<process_transport&> spawn(loop& owner, const options& wanted, const process_protocol_factory& factory) {
  if (!reaper::of(owner).prepare()) return make_error_code(errc::closed);
  auto upper = make_protocol(owner, factory);
  if (upper == nullptr) return make_error_code(errc::factory_failed);
  opened_pipes opened = open_pipes(wanted);
  if (opened.error) return {opened.error, std::move(opened.detail)};
  const auto options = shared_stream_options::make(wanted.pipes);
  started_child started = start_child(wanted, opened.pipes.map, opened.pipes.is_terminal);
  if (started.error) return {started.error, std::move(started.detail)};
  auto made = std::make_unique<child>(owner, started.number, std::move(upper));
  child& running = *made;
  opened.pipes.theirs = {};
  if (!child::start(std::move(made), std::move(opened.pipes), options)) return make_error_code(errc::protocol_threw);
  return running;
}

}  // namespace process
}  // namespace sluice
