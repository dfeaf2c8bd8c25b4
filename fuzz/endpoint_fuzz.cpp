// Endpoint and address strings: whatever the text is, it is read or refused with an error that points into it, and what was read writes itself
// in a form that reads back as the same value.

#include <sluice/address.hpp>
#include <sluice/endpoint.hpp>
#include <sluice/option_table.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

namespace {

struct settings {
  int backlog = 0;
  bool nodelay = false;
  std::chrono::milliseconds idle{0};
  std::chrono::seconds grace{1};
  std::size_t high = 0;
  std::optional<unsigned> mode;
  char parity = 'N';
  std::string cert;
  std::vector<std::string> args;

  friend bool operator==(const settings&, const settings&) = default;
};

option_table<settings> make_table() {
  using namespace std::chrono_literals;
  option_table<settings> table;
  table.integer("backlog", &settings::backlog, -1, 65535).flag("nodelay", &settings::nodelay).duration("idle", &settings::idle);
  table.duration("grace", &settings::grace, 1s, 1h).size("high", &settings::high).mode("mode", &settings::mode);
  table.choice("parity", &settings::parity, {{"none", 'N'}, {"even", 'E'}}).text("cert", &settings::cert).texts("arg", &settings::args);
  return table;
}

void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", rule);
  std::abort();
}

bool is_inside(std::size_t offset, std::size_t length, std::string_view text) {
  return offset <= text.size() && length <= text.size() - offset;
}

void check_error(const endpoint_error& error, std::string_view text) {
  require(error.code == errc::bad_endpoint, "an error has its code");
  require(is_inside(error.offset, error.length, text), "an error points into the text");
  require(std::ranges::all_of(error.message, [](char c) { return c >= ' ' && c <= '~'; }), "a message is one printable line");
  require(error.message.size() < 2048, "a message is bounded");
}

void check_options(const endpoint& value) {
  static const auto table = make_table();
  settings applied;
  settings taken;
  endpoint_error error;
  const bool is_known = table.apply(value, applied, error);
  if (!is_known) {
    check_error(error, value.text());
    require(applied == settings(), "a refused endpoint changes nothing");
  }
  auto rest = value;
  const bool is_taken = table.take(rest, taken, error);
  if (!is_taken) check_error(error, value.text());
  require(is_known == (is_taken && rest.options().empty()), "a table takes everything where it refuses nothing");
  require(!is_known || applied == taken, "a table takes what it applies");
}

void check_parts(const endpoint& value) {
  for (const auto part : {endpoint_part::scheme, endpoint_part::host, endpoint_part::port, endpoint_part::path})
    require(is_inside(value.where(part).offset, value.where(part).length, value.text()), "a part stands in the text");
  endpoint_error error;
  const bool has_host_port = value.require_host_port(error).has_value();
  if (!has_host_port) check_error(error, value.text());
  const bool has_path = value.require_path("unix:/run/x.sock", error).has_value();
  if (!has_path) check_error(error, value.text());
  require(!(has_host_port && has_path), "an endpoint is not both a host and a path");
}

void check_endpoint(std::string_view text) {
  endpoint_error error;
  const auto value = endpoint::parse(text, error);
  require(value.empty() == static_cast<bool>(error), "either a value or an error");
  if (error) return check_error(error, text);
  require(value.text() == text, "the text is kept");
  const auto written = value.to_string();
  const auto again = endpoint::parse(written, error);
  require(!error && again == value, "what is written reads back as the same endpoint");
  require(again.to_string() == written, "what is written is written the same again");
  check_parts(value);
  check_options(value);
}

void check_address(std::string_view text) {
  std::error_code code;
  const auto value = address::parse(text, code);
  require(value.empty() == static_cast<bool>(code), "either an address or an error");
  if (code) return;
  require(address::parse(value.to_string(), code) == value, "what is written reads back as the same address");
  require(!value.is_ip() || address::ip(value.host(), value.port(), code) == value, "host and port make the same address");
  const auto name = std::string(value.path()) + std::string(value.abstract_name());
  const auto written = (value.is_ip() ? "tcp://" : "") + value.to_string();
  endpoint_error error;
  require(endpoint::parse(written, error).path() == name && !error, "an address can stand in an endpoint");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer gives the name
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_endpoint(text);
  check_address(text);
  return 0;
}
