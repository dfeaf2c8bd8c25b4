#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/scheduler.hpp>

namespace sluice {
namespace {

const char* name(error_source source) noexcept {
  switch (source) {
    case error_source::callback: return "callback";
    case error_source::scheduled: return "scheduled function";
    case error_source::misuse: return "misuse";
    case error_source::accept: return "accept";
    case error_source::factory: return "factory";
    case error_source::leak: return "leak";
    case error_source::shutdown: return "shutdown";
    case error_source::memory: return "memory";
  }
  return "error";
}

std::string text_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

void print(const error_event& event) noexcept {
  try {
    std::fprintf(stderr, "%s\n", describe(event).c_str());
  } catch (...) {
    std::fputs("sluice: an error could not be described: out of memory\n", stderr);
  }
}

std::exception_ptr as_exception(const error_event& event) noexcept {
  if (event.exception) return event.exception;
  try {
    return std::make_exception_ptr(std::system_error(event.code, std::string(event.what)));
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

std::string describe(const error_event& event) {
  std::string line = "sluice: ";
  if (event.transport != 0) line += "transport " + std::to_string(event.transport) + ": ";
  line += std::string(name(event.source)) + ": ";
  if (!event.what.empty()) line += std::string(event.what) + ": ";
  return line + (event.exception ? text_of(event.exception) : event.code.message());
}

void scheduler::on_error(error_handler handler) {
  rethrow_ = false;
  on_error_ = handler == nullptr ? nullptr : std::make_shared<const error_handler>(std::move(handler));
}

void scheduler::on_error(stop_and_rethrow_t) {
  rethrow_ = !closing_all_;
  on_error_ = nullptr;
}

void scheduler::report(const error_event& event) noexcept {
  ++counters_.errors_reported;
  if (rethrow_) {
    rethrow_later(event);
    return;
  }
  const std::shared_ptr<const error_handler> hook = on_error_;
  try {
    hook ? (*hook)(event) : print(event);
  } catch (...) {
    print(event);
    print({error_source::callback, event.transport, errc::callback_failed, std::current_exception(), "the error hook threw"});
  }
}

void scheduler::rethrow_later(const error_event& event) noexcept {
  if (stored_) {
    print(event);  // only the first can be thrown
    return;
  }
  stored_ = as_exception(event);
  stop_requested();
}

void scheduler::rethrow_stored() {
  if (stored_) std::rethrow_exception(std::exchange(stored_, nullptr));
}

void scheduler::print_what_cannot_be_thrown() noexcept {
  rethrow_ = false;
  if (!stored_) return;
  constexpr std::string_view why = "not thrown, as its scheduler did not run again";
  print({error_source::scheduled, 0, errc::callback_failed, std::exchange(stored_, nullptr), why});
}

void scheduler::report_misuse(std::uint64_t id, std::string_view what) noexcept {
  report({error_source::misuse, id, errc::misuse, nullptr, what});
  if (misuse_ != misuse_action::abort) return;
  print({error_source::misuse, id, errc::misuse, nullptr, what});
  std::abort();
}

}  // namespace sluice
