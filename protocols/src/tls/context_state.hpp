#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/descriptor.hpp>
#include <sluice/tls/context.hpp>

#include "tls/certificate.hpp"
#include "tls/credentials.hpp"
#include "tls/openssl.hpp"
#include "tls/session_cache.hpp"
#include "tls/ticket_keys.hpp"

namespace sluice::tls::detail {

// What was read from files at one time. Connections keep that of their beginning.
struct context_set {
  struct choice {
    std::vector<std::string> names;
    ssl_context_ptr context;
    std::vector<credentials> own;  // of different kinds of keys, for these names
  };
  std::vector<choice> choices;  // never empty; a client has one
  std::vector<fingerprint> pins;
  mutable session_cache sessions;  // of servers that were verified by this trust

  // Null if no certificate has the name.
  const choice* for_name(std::string_view name) const noexcept;
  // Null if `leaf` is none of the certificates here.
  const staple* staple_of(const X509* leaf) const noexcept;
};

// What all copies of a `context` are: settings, what was loaded, tickets, sessions and counters. Any thread.
class context_state {
 public:
  explicit context_state(const server_options& options);
  explicit context_state(const client_options& options);

  bool is_server() const noexcept { return server_.has_value(); }
  const common_options& common() const noexcept { return server_ ? static_cast<const common_options&>(*server_) : *client_; }
  const server_options& server() const noexcept { return *server_; }
  const client_options& client() const noexcept { return *client_; }
  // ALPN as it goes over the wire.
  const std::string& alpn() const noexcept { return alpn_; }

  std::shared_ptr<const context_set> current() const;
  void reload();

  void write_keylog(const char* line) noexcept;

  ticket_keys tickets;
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> resumed{0};

 private:
  void check_common();
  void open_keylog();
  std::shared_ptr<const context_set> load_all() const;

  std::optional<server_options> server_;
  std::optional<client_options> client_;
  std::string alpn_;
  mutable std::mutex guard_;
  std::shared_ptr<const context_set> current_;
  descriptor keylog_;
};

}  // namespace sluice::tls::detail
