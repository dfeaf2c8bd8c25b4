#pragma once

#include <sluice/endpoint.hpp>
#include <sluice/error.hpp>
#include <sluice/proxy_protocol/schemes.hpp>
#include <sluice/schemes.hpp>

#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "failure_log.hpp"

#ifdef WITH_TLS
#include <sluice/tls/schemes.hpp>
#endif

/// A serial line, or what stands for one: whoever is at the other side cannot be told of an end, and tells of none.
inline bool never_ends(const sluice::endpoint& at) { return at.scheme() == "serial" || at.scheme() == "pty"; }

/// What the programs know to listen on: every transport of the library, with the header of a proxy in front where an option says so and,
/// where it was built with OpenSSL, TLS over them. Clients whose header or handshake fails are told of on the standard error; an attempt to
/// connect tells its completion. `clients` is for a program that connects for others.
class program_schemes {
 public:
  program_schemes(const char* program, sluice::scheduler& owner, sluice::proxy_protocol::header_source clients = {}) : program_(program) {
    // The connections that end with the loop may come to it after this object has gone.
    const auto log = std::make_shared<failure_log>(program, owner);
    sluice::proxy_protocol::add_options(table, std::move(clients), [log](auto, auto, auto detail) { log->tell(detail); });
#ifdef WITH_TLS
    sluice::tls::scheme_options options;
    options.made = &contexts_;
    options.on_server_failure = [log](auto transport, auto error, auto detail) {
      if (error != sluice::errc::truncated) log->tell(transport, detail);  // many clients leave without a goodbye
    };
    sluice::tls::add_scheme(table, std::move(options));
#endif
  }
  program_schemes(const program_schemes&) = delete;
  program_schemes& operator=(const program_schemes&) = delete;

  sluice::scheme_table table = sluice::transport_schemes();

  /// Certificates and keys are read again; what is open stays open. If a file is wrong the old ones are used on.
  void reload() {
#ifdef WITH_TLS
    for (sluice::tls::context& each : contexts_) try {
        each.reload();
      } catch (const std::system_error& error) {
        std::fprintf(stderr, "%s: %s\n", program_, error.what());
      }
#endif
  }

 private:
  [[maybe_unused]] const char* program_;
#ifdef WITH_TLS
  std::vector<sluice::tls::context> contexts_;
#endif
};
