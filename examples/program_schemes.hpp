#pragma once

#include <sluice/proxy_protocol/schemes.hpp>
#include <sluice/schemes.hpp>

#include <cstdio>
#include <system_error>
#include <utility>

#ifdef WITH_TLS
#include <sluice/tls/schemes.hpp>
#endif

/// What the programs know to listen on: every transport of the library, with the header of a proxy in front where an option says so and, where
/// it was built with OpenSSL, TLS over them. `clients` is for a program that connects for others.
struct program_schemes {
  sluice::scheme_table table = sluice::transport_schemes();

#ifdef WITH_TLS
  std::vector<sluice::tls::context> contexts;

  explicit program_schemes(sluice::proxy_protocol::header_source clients = {}) {
    sluice::proxy_protocol::add_options(table, std::move(clients));
    sluice::tls::add_scheme(table, &contexts);
  }
  program_schemes(const program_schemes&) = delete;
  program_schemes& operator=(const program_schemes&) = delete;

  /// Certificates and keys are read again; what is open stays open. If a file is wrong the old ones are used on.
  void reload(const char* program) {
    for (sluice::tls::context& each : contexts) try {
        each.reload();
      } catch (const std::system_error& error) {
        std::fprintf(stderr, "%s: %s\n", program, error.what());
      }
  }
#else
  explicit program_schemes(sluice::proxy_protocol::header_source clients = {}) {
    sluice::proxy_protocol::add_options(table, std::move(clients));
  }
  void reload(const char*) {}
#endif
};
