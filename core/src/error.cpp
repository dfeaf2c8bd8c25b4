#include <sluice/error.hpp>

#include <uv.h>

#include <cerrno>

namespace sluice {
namespace {

const char* text(errc value) noexcept {
  switch (value) {
    case errc::aborted: return "the connection was aborted by this program";
    case errc::timed_out: return "a deadline passed";
    case errc::protocol_threw: return "a callback of the protocol threw an exception";
    case errc::buffer_limit: return "unsent output exceeds max_write_buffer";
    case errc::truncated: return "the peer ended without the end that its protocol requires";
    case errc::not_supported: return "this kind of transport does not support it";
    case errc::closed: return "already closed";
    case errc::bad_buffer: return "get_buffer returned an empty buffer";
    case errc::factory_failed: return "the protocol factory threw or returned null";
    case errc::cancelled: return "cancelled";
    case errc::misuse: return "a call that the documentation forbids";
    case errc::bad_endpoint: return "malformed endpoint";
    case errc::unknown_scheme: return "unknown scheme";
    case errc::bad_address: return "malformed address, or an address of the wrong family";
    case errc::message_too_long: return "a message exceeds its size limit";
    case errc::malformed_message: return "the bytes do not follow the protocol";
    case errc::handshake_failed: return "the handshake of a layer failed";
    case errc::callback_failed: return "a scheduled function threw an exception";
    case errc::leaked: return "still open when its scheduler was destroyed";
    case errc::first_byte_timeout: return "the peer sent nothing within first_byte_timeout";
    case errc::idle_timeout: return "nothing was sent or received within idle_timeout";
    case errc::write_stalled: return "the peer took nothing of what waits to be sent within write_stall_timeout";
    case errc::memory_budget: return "the memory budget is exceeded";
    case errc::lifetime_over: return "the connection lasted longer than its lifetime";
    case errc::descriptors_lost: return "descriptors that the peer passed could not be received: too many wait, or are open";
    case errc::connect_failed: return "no address could be connected to, for different reasons";
    case errc::message_truncated: return "a datagram was longer than the receiver takes, and dropped";
    case errc::not_a_file: return "not a regular file that can be read";
    case errc::file_too_short: return "the file ends before the range that was to be sent";
    case errc::bytes_reserved: return "the medium keeps bytes for itself, and the protocol needs every byte";
  }
  return "unknown error";
}

bool is_deadline(errc value) noexcept {
  return value == errc::timed_out || value == errc::first_byte_timeout || value == errc::idle_timeout || value == errc::write_stalled ||
         value == errc::lifetime_over;
}

class library_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "sluice"; }
  std::string message(int value) const override { return text(static_cast<errc>(value)); }
  std::error_condition default_error_condition(int value) const noexcept override {
    if (is_deadline(static_cast<errc>(value))) return std::errc::timed_out;
    return error_category::default_error_condition(value);
  }
};

class libuv_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "uv"; }
  std::string message(int value) const override {
    char name[64];
    char message[160];
    uv_err_name_r(-value, name, sizeof name);
    uv_strerror_r(-value, message, sizeof message);
    return std::string(name) + ": " + message;
  }
  std::error_condition default_error_condition(int value) const noexcept override { return {value, std::generic_category()}; }
};

bool is_peer_gone(int value) noexcept {
  return value == ECONNRESET || value == EPIPE || value == ECONNABORTED || value == ENOTCONN || value == ETIMEDOUT ||
         value == EHOSTUNREACH || value == ENETRESET;
}

bool is_local_end(std::error_code code) noexcept {
  if (code.category() != sluice_category()) return false;
  const auto value = static_cast<errc>(code.value());
  return is_deadline(value) || value == errc::aborted || value == errc::protocol_threw || value == errc::buffer_limit ||
         value == errc::cancelled;
}

bool is_system(std::error_code code) noexcept {
  return code.category() == uv_category() || code.category() == std::generic_category() || code.category() == std::system_category();
}

class reaction_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "sluice.condition"; }
  std::string message(int value) const override {
    switch (static_cast<condition>(value)) {
      case condition::peer_gone: return "the peer is gone";
      case condition::would_retry: return "try again later";
      case condition::local_end: return "ended by this program";
    }
    return "unknown condition";
  }
  bool equivalent(const std::error_code& code, int value) const noexcept override {
    switch (static_cast<condition>(value)) {
      case condition::peer_gone: return is_system(code) && is_peer_gone(code.value());
      case condition::would_retry:
        return is_system(code) && (code.value() == EAGAIN || code.value() == EWOULDBLOCK || code.value() == EINTR);
      case condition::local_end: return is_local_end(code);
    }
    return false;
  }
};

const std::error_category& condition_category() noexcept {
  static const reaction_category category;
  return category;
}

}  // namespace

const std::error_category& sluice_category() noexcept {
  static const library_category category;
  return category;
}

const std::error_category& uv_category() noexcept {
  static const libuv_category category;
  return category;
}

std::error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), sluice_category()}; }

std::error_code system_error(int errno_value) noexcept { return {errno_value, uv_category()}; }

std::error_condition make_error_condition(condition value) noexcept { return {static_cast<int>(value), condition_category()}; }

std::string describe(std::error_code code) {
  return std::string(code.category().name()) + ':' + std::to_string(code.value()) + ' ' + code.message();
}

}  // namespace sluice
