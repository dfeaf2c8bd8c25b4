#include <sluice/endpoint.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "endpoint_parser.hpp"
#include "text.hpp"

namespace sluice {

bad_endpoint::bad_endpoint(endpoint_error error)
    : std::system_error(error.code), error_(std::make_shared<const endpoint_error>(std::move(error))) {}

endpoint::endpoint(std::string_view text) {
  endpoint_error error;
  if (!detail::endpoint_parser(text, *this, error).run()) throw bad_endpoint(std::move(error));
}

endpoint endpoint::parse(std::string_view text, endpoint_error& error) {
  endpoint parsed;
  error = {};
  return detail::endpoint_parser(text, parsed, error).run() ? parsed : endpoint();
}

std::string endpoint::to_string() const {
  if (empty()) return {};
  std::string out = scheme_ + ':';
  if (has_authority_) out += host_.find(':') == host_.npos ? "//" + host_ : "//[" + host_ + ']';
  if (port_) out += ':' + std::to_string(*port_);
  std::string_view path = path_;
  if (!has_authority_ && path.starts_with("//")) {  // would read as a host
    out += "%2F";
    path.remove_prefix(1);
  }
  detail::append_percent(out, path, "?#");
  char separator = '?';
  for (const auto& option : options_) {
    out += std::exchange(separator, '&') + option.name + '=';
    detail::append_percent(out, option.value, "&#");
  }
  return out;
}

endpoint endpoint::with_port(std::uint16_t port) const {
  endpoint copy = *this;
  if (port_ || !host_.empty()) copy.port_ = port;
  return copy;
}

endpoint endpoint::with_scheme(std::string_view scheme) const {
  if (!detail::is_scheme(scheme)) throw std::invalid_argument(detail::quote(scheme) + " is not a scheme");
  endpoint copy = *this;
  copy.scheme_ = detail::lower(scheme);
  return copy;
}

std::optional<host_port> endpoint::require_host_port(endpoint_error& error) const {
  const auto expected = "; expected a form such as " + scheme_ + "://127.0.0.1:7000";
  error = {};
  if (!has_authority_ && !path_.empty())
    error = error_at(path_at_, "is not a host and a port" + expected);
  else if (host_.empty())
    error = error_at(text_range{host_at_.offset, 0}, "there is no host" + expected);
  else if (!port_)
    error = error_at(port_at_, "there is no port" + expected);
  else if (!path_.empty())
    error = error_at(path_at_, "is a path, which " + scheme_ + " does not have" + expected);
  else
    return host_port{host_, *port_};
  return std::nullopt;
}

std::optional<std::string_view> endpoint::require_path(std::string_view example, endpoint_error& error) const {
  const auto expected = "; expected a form such as " + std::string(example);
  error = {};
  if (!host_.empty())
    error = error_at(host_at_, "is a host, which " + scheme_ + " does not have" + expected);
  else if (port_)
    error = error_at(port_at_, "is a port, which " + scheme_ + " does not have" + expected);
  else if (path_.empty())
    error = error_at(path_at_, "there is nothing" + expected);
  else
    return path_;
  return std::nullopt;
}

host_port endpoint::require_host_port() const {
  endpoint_error error;
  if (const auto both = require_host_port(error)) return *both;
  throw bad_endpoint(std::move(error));
}

std::string_view endpoint::require_path(std::string_view example) const {
  endpoint_error error;
  if (const auto path = require_path(example, error)) return *path;
  throw bad_endpoint(std::move(error));
}

text_range endpoint::where(endpoint_part part) const noexcept {
  switch (part) {
    case endpoint_part::scheme: return scheme_at_;
    case endpoint_part::host: return host_at_;
    case endpoint_part::port: return port_at_;
    case endpoint_part::path: return path_at_;
  }
  return {};
}

endpoint_error endpoint::error_at(text_range where, std::string_view problem, errc code) const {
  return detail::make_endpoint_error(text_, where, problem, code);
}

endpoint_error endpoint::error_at(endpoint_part part, std::string_view problem, errc code) const {
  return error_at(where(part), problem, code);
}

bool operator==(const endpoint& a, const endpoint& b) noexcept {
  const auto same_option = [](const endpoint_option& x, const endpoint_option& y) { return x.name == y.name && x.value == y.value; };
  return a.scheme_ == b.scheme_ && a.has_authority_ == b.has_authority_ && a.host_ == b.host_ && a.port_ == b.port_ && a.path_ == b.path_ &&
         std::ranges::equal(a.options_, b.options_, same_option);
}

}  // namespace sluice
