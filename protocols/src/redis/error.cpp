#include <sluice/redis/error.hpp>

#include <string>

namespace sluice::redis {
namespace {

const char* text(errc value) noexcept {
  switch (value) {
    case errc::bad_multibulk_length: return "Protocol error: invalid multibulk length";
    case errc::bad_bulk_length: return "Protocol error: invalid bulk length";
    case errc::expected_bulk: return "Protocol error: expected '$'";
    case errc::inline_too_big: return "Protocol error: too big inline request";
    case errc::multibulk_count_too_big: return "Protocol error: too big mbulk count string";
    case errc::bulk_count_too_big: return "Protocol error: too big bulk count string";
    case errc::unbalanced_quotes: return "Protocol error: unbalanced quotes in request";
    case errc::request_too_big: return "Protocol error: too big request";
    case errc::bad_reply_type: return "Protocol error: a reply must start with one of + - : $ *";
    case errc::bad_integer: return "Protocol error: invalid integer in a reply";
    case errc::bad_array_length: return "Protocol error: invalid array length in a reply";
    case errc::missing_line_end: return "Protocol error: CR LF expected in a reply";
    case errc::line_too_long: return "Protocol error: too long line in a reply";
    case errc::reply_too_deep: return "Protocol error: too deeply nested reply";
    case errc::reply_too_big: return "Protocol error: too big reply";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "redis"; }
  std::string message(int value) const override { return text(static_cast<errc>(value)); }
};

}  // namespace

const std::error_category& redis_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), redis_category()}; }

}  // namespace sluice::redis
