#pragma once

#include <sluice/endpoint.hpp>

#include <string>
#include <string_view>

namespace sluice::detail {

bool is_scheme(std::string_view text) noexcept;
std::string lower(std::string_view text);

endpoint_error make_endpoint_error(std::string_view text, text_range where, std::string_view problem, errc code = errc::bad_endpoint);

/// Reads one text into one endpoint. Every step returns false after having set the error.
class endpoint_parser {
 public:
  endpoint_parser(std::string_view text, endpoint& out, endpoint_error& error) noexcept : text_(text), out_(out), error_(error) {}
  bool run();

 private:
  bool check_text();
  bool read_scheme();
  bool read_body(std::size_t begin, std::size_t end);
  bool read_authority(std::size_t begin, std::size_t end);
  bool read_bracketed(std::size_t begin, std::size_t end);
  bool read_name(std::size_t begin, std::size_t end);
  bool read_port(std::size_t begin, std::size_t end);
  bool read_path(std::size_t begin, std::size_t end);
  bool read_options(std::size_t begin);
  bool read_option(std::size_t begin, std::size_t end);
  bool read_option_name(std::size_t begin, std::size_t end);
  bool decode(std::size_t begin, std::size_t end, std::string& out);
  bool check_size();
  bool fail(std::size_t offset, std::size_t length, std::string_view problem);

  std::string_view text_;
  endpoint& out_;
  endpoint_error& error_;
};

}  // namespace sluice::detail
