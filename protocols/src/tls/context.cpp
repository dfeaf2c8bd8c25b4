#include <sluice/tls/context.hpp>

#include <utility>

#include "tls/context_state.hpp"

namespace sluice::tls {
namespace {

// What throws is for set-up; the overloads with a code are for those who cannot have that.
template <typename Make>
auto without_throwing(std::error_code& error, Make make) -> decltype(make()) {
  error.clear();
  try {
    return make();
  } catch (const std::system_error& failure) {
    error = failure.code();
  } catch (const std::bad_alloc&) {
    error = make_error_code(std::errc::not_enough_memory);
  }
  return decltype(make())();
}

}  // namespace

context context::server(const server_options& options) { return context(std::make_shared<detail::context_state>(options)); }

context context::server(const server_options& options, std::error_code& error) {
  return without_throwing(error, [&] { return server(options); });
}

context context::client(const client_options& options) { return context(std::make_shared<detail::context_state>(options)); }

context context::client(const client_options& options, std::error_code& error) {
  return without_throwing(error, [&] { return client(options); });
}

bool context::is_server() const noexcept { return state_->is_server(); }

void context::reload() { state_->reload(); }

void context::reload(std::error_code& error) {
  without_throwing(error, [&] { state_->reload(); });
}

void context::rotate_ticket_keys() { state_->tickets.rotate(); }

context_counters context::counters() const noexcept {
  return {state_->begun.load(), state_->done.load(), state_->failed.load(), state_->resumed.load()};
}

ssl_ctx_st* context::native_handle() const noexcept { return state_->current()->choices.front().context.get(); }

}  // namespace sluice::tls
