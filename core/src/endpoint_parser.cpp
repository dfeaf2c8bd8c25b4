#include "endpoint_parser.hpp"

#include <sluice/address.hpp>

#include <algorithm>

#include "text.hpp"

namespace sluice::detail {
namespace {

constexpr std::string_view example = "expected a form such as tcp://127.0.0.1:7000 or unix:/run/x.sock";
constexpr std::string_view digits = "0123456789";
constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
constexpr std::size_t part_quote_limit = 60;

constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The scope is not looked up: parsing depends on the text alone.
bool is_v6(std::string_view host) noexcept {
  const auto percent = host.find('%');
  if (percent != host.npos) {
    const auto scope = host.substr(percent + 1);
    if (scope.empty() || scope.find_first_not_of(name_characters) != scope.npos) return false;
  }
  std::error_code code;
  return address::ip(host.substr(0, percent), 0, code).is_v6();
}

}  // namespace

bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, [](char c) {
    return is_letter(c) || digits.find(c) != digits.npos || c == '+' || c == '-' || c == '.';
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

endpoint_error make_endpoint_error(std::string_view text, text_range where, std::string_view problem, errc code) {
  std::string message = "endpoint " + quote(text) + ": ";
  if (where.length > 0) message += quote(text.substr(where.offset, where.length), part_quote_limit) + ' ';
  message += "at " + std::to_string(where.offset) + ' ';
  message += problem;
  return {code, where.offset, where.length, message};
}

bool endpoint_parser::run() {
  if (!check_text() || !read_scheme()) return false;
  const auto begin = out_.scheme_.size() + 1;
  const auto end = std::min(text_.find('?'), text_.size());
  if (!read_body(begin, end)) return false;
  if (end < text_.size() && !read_options(end + 1)) return false;
  out_.text_ = text_;
  return check_size();
}

bool endpoint_parser::check_text() {
  if (text_.empty()) return fail(0, 0, "there is nothing; " + std::string(example));
  if (text_.size() > endpoint::max_size)
    return fail(endpoint::max_size, text_.size() - endpoint::max_size,
                "is too much; expected at most " + std::to_string(endpoint::max_size) + " bytes");
  const auto control = std::ranges::find_if(text_, is_control);
  if (control != text_.end())
    return fail(static_cast<std::size_t>(control - text_.begin()), 1, "is a control character; expected it percent-encoded");
  if (const auto hash = text_.find('#'); hash != text_.npos)
    return fail(hash, 1, "begins a fragment, which endpoints do not have; expected %23 for the character itself");
  return true;
}

bool endpoint_parser::read_scheme() {
  const auto colon = text_.find(':');
  if (colon == text_.npos) return fail(0, text_.size(), "has no scheme; " + std::string(example));
  if (colon == 0) return fail(0, 0, "there is no scheme; " + std::string(example));
  const auto scheme = text_.substr(0, colon);
  if (!is_scheme(scheme)) return fail(0, colon, "is not a scheme; " + std::string(example));
  out_.scheme_ = lower(scheme);
  out_.scheme_at_ = {0, colon};
  return true;
}

bool endpoint_parser::read_body(std::size_t begin, std::size_t end) {
  out_.host_at_ = out_.port_at_ = {begin, 0};
  if (!text_.substr(begin, end - begin).starts_with("//")) return read_path(begin, end);
  out_.has_authority_ = true;
  const auto slash = std::min(text_.find('/', begin + 2), end);
  return read_authority(begin + 2, slash) && read_path(slash, end);
}

bool endpoint_parser::read_authority(std::size_t begin, std::size_t end) {
  const auto authority = text_.substr(begin, end - begin);
  if (const auto at = authority.find('@'); at != authority.npos)
    return fail(begin, at + 1, "is a user name, which endpoints do not have; expected a host, or a host and a port");
  if (authority.starts_with('[')) return read_bracketed(begin, end);
  if (const auto bracket = authority.find_first_of("[]"); bracket != authority.npos)
    return fail(begin + bracket, 1, "is an unbalanced bracket; expected an IPv6 address between brackets, such as [::1]");
  const auto colon = authority.find(':');
  if (colon != authority.rfind(':'))
    return fail(begin, authority.size(), "has too many colons; expected an IPv6 address in brackets, such as [::1]");
  const auto host_end = std::min(colon, authority.size()) + begin;
  return read_name(begin, host_end) && read_port(host_end, end);
}

bool endpoint_parser::read_bracketed(std::size_t begin, std::size_t end) {
  const auto authority = text_.substr(begin, end - begin);
  const auto close = authority.find(']');
  if (close == authority.npos) return fail(begin, 1, "is an unbalanced bracket; expected an IPv6 address between brackets, such as [::1]");
  const auto host = authority.substr(1, close - 1);
  if (host.empty()) return fail(begin, 2, "is empty; expected an IPv6 address between brackets, such as [::1]");
  if (!is_v6(host)) return fail(begin + 1, host.size(), "is not an IPv6 address; expected one such as ::1 or fe80::1%eth0");
  out_.host_ = host;
  out_.host_at_ = {begin + 1, host.size()};
  const auto behind = begin + close + 1;
  if (behind < end && text_[behind] != ':')
    return fail(behind, end - behind, "does not belong behind a bracket; expected \":\" and a port");
  return read_port(behind, end);
}

bool endpoint_parser::read_name(std::size_t begin, std::size_t end) {
  const auto host = text_.substr(begin, end - begin);
  if (const auto bad = host.find_first_not_of(name_characters); bad != host.npos)
    return fail(begin + bad, 1, "does not belong in a host; expected letters, digits, \"-\", \"_\" and \".\"");
  out_.host_ = host;
  out_.host_at_ = {begin, host.size()};
  return true;
}

bool endpoint_parser::read_port(std::size_t begin, std::size_t end) {
  out_.port_at_ = {begin, 0};
  if (begin == end) return true;
  const text_range where{begin + 1, end - begin - 1};
  if (where.length == 0) return fail(where.offset, 0, "there is no port behind \":\"; expected a number from 0 to 65535");
  const auto number = parse_decimal(text_.substr(where.offset, where.length), 65535);
  if (!number) return fail(where.offset, where.length, "is not a port; expected a number from 0 to 65535");
  out_.port_ = static_cast<std::uint16_t>(*number);
  out_.port_at_ = where;
  return true;
}

bool endpoint_parser::read_path(std::size_t begin, std::size_t end) {
  out_.path_at_ = {begin, end - begin};
  return decode(begin, end, out_.path_);
}

bool endpoint_parser::read_options(std::size_t begin) {
  for (;;) {
    const auto end = std::min(text_.find('&', begin), text_.size());
    if (!read_option(begin, end)) return false;
    if (end == text_.size()) return true;
    begin = end + 1;
  }
}

bool endpoint_parser::read_option(std::size_t begin, std::size_t end) {
  if (begin == end) return fail(begin, 0, "there is no option; expected name=value");
  const auto equals = std::min(text_.find('=', begin), end);
  if (!read_option_name(begin, equals)) return false;
  if (equals == end) return fail(begin, end - begin, "has no value; expected name=value");
  endpoint_option option;
  option.name = text_.substr(begin, equals - begin);
  option.name_at = {begin, equals - begin};
  option.value_at = {equals + 1, end - equals - 1};
  if (!decode(equals + 1, end, option.value)) return false;
  out_.options_.push_back(std::move(option));
  return true;
}

bool endpoint_parser::read_option_name(std::size_t begin, std::size_t end) {
  const auto name = text_.substr(begin, end - begin);
  if (name.empty()) return fail(begin, 0, "there is no option name in front of \"=\"; expected name=value");
  if (const auto bad = name.find_first_not_of(name_characters); bad != name.npos)
    return fail(begin + bad, 1, "does not belong in an option name; expected letters, digits, \"-\", \"_\" and \".\"");
  return true;
}

bool endpoint_parser::decode(std::size_t begin, std::size_t end, std::string& out) {
  for (auto at = begin; at < end;) {
    char c = 0;
    if (!take_percent(text_.substr(0, end), at, c))
      return fail(at, std::min<std::size_t>(3, end - at),
                  "is not a percent escape; expected % and two hexadecimal digits, or %25 for % itself");
    out += c;
  }
  return true;
}

/// What is written in blanks and in bytes above 127 grows when it is encoded; refused here, so that to_string() always parses.
bool endpoint_parser::check_size() {
  const auto size = out_.to_string().size();
  if (size <= endpoint::max_size) return true;
  return fail(0, text_.size(),
              "is too much; expected at most " + std::to_string(endpoint::max_size) + " bytes when percent-encoded, and it takes " +
                  std::to_string(size));
}

bool endpoint_parser::fail(std::size_t offset, std::size_t length, std::string_view problem) {
  error_ = make_endpoint_error(text_, {offset, length}, problem);
  return false;
}

}  // namespace sluice::detail
