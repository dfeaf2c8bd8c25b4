#pragma once

#include <sluice/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sluice {

namespace detail {
class endpoint_parser;
class option_table_base;
}  // namespace detail

/// Some bytes of a text: the part of an endpoint string that an error is about. Of length 0 where something is missing.
struct text_range {
  std::size_t offset = 0;
  std::size_t length = 0;
  friend bool operator==(const text_range&, const text_range&) = default;
};

/// What is wrong with an endpoint string, and where. Converts to true if something is.
struct endpoint_error {
  std::error_code code;    ///< `errc::bad_endpoint`, or `errc::unknown_scheme` from a scheme table.
  std::size_t offset = 0;  ///< Of the offending part in the text, in bytes from 0; at most the size of the text.
  std::size_t length = 0;  ///< Of the offending part, in bytes; 0 where something is missing.
  std::string message;     ///< One line in printable ASCII that quotes the text and the part and says what would be right.
  explicit operator bool() const noexcept { return static_cast<bool>(code); }
};

/// How an `endpoint_error` is thrown; `what()` is its message.
class bad_endpoint final : public std::system_error {
 public:
  explicit bad_endpoint(endpoint_error error);
  bad_endpoint(const bad_endpoint&) noexcept = default;
  bad_endpoint& operator=(const bad_endpoint&) noexcept = default;
  const endpoint_error& error() const noexcept { return *error_; }
  const char* what() const noexcept override { return error_->message.c_str(); }

 private:
  std::shared_ptr<const endpoint_error> error_;  // shared, because copying an exception must not throw
};

/// One `name=value`. Names are as written, values percent-decoded ("+" stays a plus).
struct endpoint_option {
  std::string name;
  std::string value;
  text_range name_at;
  text_range value_at;
};

/// Parts that an error can point at.
enum class endpoint_part {
  scheme,
  host,
  port,
  path
};

/// What `require_host_port` gives. `host` is valid as long as the endpoint is, and unchanged.
struct host_port {
  std::string_view host;
  std::uint16_t port;
};

/// Where to listen or connect, as a user writes it:
///
///     tcp://127.0.0.1:7000?backlog=1024&nodelay=off    tcp://[::1]:0    udp://    fd://3    serial:///dev/ttyUSB0?baud=115200
///     unix:/run/x.sock?mode=0660    unix-abstract:name    serial:usb:0403:6001:A1B2    exec:/usr/bin/bc?arg=-l&arg=x    stdio:
///
/// That is `scheme:` and either `//host:port/path`, each part of it optional, or a path; then options behind "?", joined by "&". The schemes
/// are the program's, by its `scheme_table`; those above show forms, and `transport_schemes()` says which ones the library brings. Parsing
/// checks the form only: what a scheme means, whether it needs a port and which options it knows is for the scheme, whose author has
/// `require_host_port`, `require_path` and `option_table` to ask with errors that point at the offending part.
///
/// Paths and option values are percent-decoded; "?", "#" and "%" in a path, "&", "#" and "%" in a value, and control characters anywhere must
/// be encoded. Hosts are not decoded, so that the scope in `[fe80::1%eth0]` is written plainly. Refused: user names ("@"), fragments ("#"),
/// options without "=", and more than `max_size` bytes.
///
/// A value: compares by what it means, not by how it was written. Meant for set-up; it allocates.
class endpoint {
 public:
  static constexpr std::size_t max_size = 4096;

  endpoint() = default;
  /// Parses; throws `bad_endpoint`.
  endpoint(std::string_view text);
  endpoint(const char* text) : endpoint(std::string_view(text)) {}
  endpoint(const std::string& text) : endpoint(std::string_view(text)) {}
  /// As the constructor, but puts what is wrong into `error` and returns an empty endpoint; clears `error` otherwise.
  static endpoint parse(std::string_view text, endpoint_error& error);

  bool empty() const noexcept { return scheme_.empty(); }
  /// In lower case. This view and the ones below are valid as long as the endpoint is, and unchanged.
  std::string_view scheme() const noexcept { return scheme_; }
  /// A name or a numeric address, without brackets; what stands behind "//", also in `fd://3`.
  std::string_view host() const noexcept { return host_; }
  std::optional<std::uint16_t> port() const noexcept { return port_; }
  /// Decoded: what stands behind "scheme:", or from the first "/" on behind "//host:port". May hold any byte.
  std::string_view path() const noexcept { return path_; }
  /// In the order of the text, repeated names included.
  std::span<const endpoint_option> options() const noexcept { return options_; }

  /// An endpoint that parses to an equal one, in its shortest spelling, percent-encoded down to printable ASCII without blanks.
  std::string to_string() const;
  /// The text that was parsed, into which every offset points; the `with_…` members keep it.
  const std::string& text() const noexcept { return text_; }

  /// The same at another port: what a server that was bound to port 0 is known as afterwards. With neither host nor port it comes back as it
  /// is.
  endpoint with_port(std::uint16_t port) const;
  /// The same under another scheme: how the scheme of a layer addresses the scheme below. Throws `std::invalid_argument` if the name is none.
  endpoint with_scheme(std::string_view scheme) const;

  /// The host and the port, where both are given and nothing else is. Throws `bad_endpoint`, or sets `error` and returns nothing.
  host_port require_host_port() const;
  std::optional<host_port> require_host_port(endpoint_error& error) const;
  /// The path, where one is given and neither host nor port; `example` is the endpoint that the message recommends. Throws or sets `error`
  /// as above.
  std::string_view require_path(std::string_view example) const;
  std::optional<std::string_view> require_path(std::string_view example, endpoint_error& error) const;

  /// Where a part stands in `text()`; of length 0 where it is missing.
  text_range where(endpoint_part part) const noexcept;
  /// An error about a part of `text()`. `problem` ends the sentence that begins with the quoted part, or with "at N" if there is none:
  /// "is not a port; expected a number from 0 to 65535", "there is no port; expected …".
  endpoint_error error_at(text_range where, std::string_view problem, errc code = errc::bad_endpoint) const;
  endpoint_error error_at(endpoint_part part, std::string_view problem, errc code = errc::bad_endpoint) const;

  friend bool operator==(const endpoint& a, const endpoint& b) noexcept;

 private:
  friend class detail::endpoint_parser;
  friend class detail::option_table_base;

  std::string text_;
  std::string scheme_;
  bool has_authority_ = false;  // written with "//"
  std::string host_;
  std::optional<std::uint16_t> port_;
  std::string path_;
  std::vector<endpoint_option> options_;
  text_range scheme_at_;
  text_range host_at_;
  text_range port_at_;
  text_range path_at_;
  std::vector<std::string> taken_;  // names of options that the tables of layers above know (option_table::take)
};

}  // namespace sluice
