#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <sluice/memory.hpp>
#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>
#include <sluice/tls/layer.hpp>

#include "certificates.hpp"

// A server and a client of TLS at the two ends of a link in memory, in virtual time.

inline sluice::tls::identity identity_of(const certificates::made& own) {
  sluice::tls::identity one;
  one.chain_pem = own.certificate;
  one.key_pem = own.key;
  return one;
}

class tls_pair {
 public:
  certificates::authority authority{"a test"};
  sluice::tls::server_options server_options;
  sluice::tls::client_options client_options;
  sluice::tls::connection_options server_connection;
  sluice::tls::connection_options client_connection;
  sluice::memory::options link_options;

  sluice::testing::recording_protocol server;
  sluice::testing::recording_protocol client;
  sluice::testing::manual_scheduler scheduler;
  sluice::tls::context server_context;
  sluice::tls::context client_context;
  std::unique_ptr<sluice::memory::connection> made;
  std::string server_error;  // the detail of the handshake's failure
  std::string client_error;
  std::error_code server_code;
  std::error_code client_code;

  tls_pair() {
    server_options.identities = {identity_of(authority.issue())};
    client_options.servers.ca_pem = authority.certificate();
    client_connection.server_name = "localhost";
  }

  ~tls_pair() { end_all(); }

  void make_contexts() {
    if (!server_context) server_context = sluice::tls::context::server(server_options);
    if (!client_context) client_context = sluice::tls::context::client(client_options);
  }

  // Begins a connection; `run` lets it go on.
  void begin() {
    make_contexts();
    server_connection.done = [this](const auto& outcome) { note(outcome, server_code, server_error); };
    client_connection.done = [this](const auto& outcome) { note(outcome, client_code, client_error); };
    made = std::make_unique<sluice::memory::connection>(sluice::memory::pair(
        scheduler, std::make_unique<sluice::tls::layer>(scheduler, borrow(server), server_context, server_connection),
        std::make_unique<sluice::tls::layer>(scheduler, borrow(client), client_context, client_connection), link_options));
  }
  void run() { scheduler.run_until_idle(); }
  void connect() {
    begin();
    run();
  }
  // Both ends go, and another connection may be made.
  void disconnect() {
    end_all();
    for (sluice::testing::recording_protocol* const each : {&server, &client}) {
      std::destroy_at(each);
      std::construct_at(each);
    }
  }

 private:
  void end_all() {
    scheduler.for_each_transport([](sluice::transport& open) { open.abort(); });
    scheduler.advance(std::chrono::minutes(2));
  }

  template <typename Outcome>
  static void note(const Outcome& outcome, std::error_code& code, std::string& detail) {
    code = outcome.error();
    detail = outcome.detail();
  }
};
