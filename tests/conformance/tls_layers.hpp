#pragma once

#include <memory>

#include <sluice/testing/transport_conformance.hpp>
#include <sluice/tls/layer.hpp>

#include "certificates.hpp"

// TLS for `with_layer`, with certificates of this run.
namespace tls_layers {

struct contexts {
  sluice::tls::context server;
  sluice::tls::context client;
};

inline contexts make(sluice::tls::protocol_version version = sluice::tls::protocol_version::tls1_3) {
  certificates::authority authority("a test");
  const certificates::made own = authority.issue();
  sluice::tls::server_options server;
  server.min_version = server.max_version = version;
  sluice::tls::identity shown;
  shown.chain_pem = own.certificate;
  shown.key_pem = own.key;
  server.identities = {shown};
  sluice::tls::client_options client;
  client.servers.ca_pem = authority.certificate();
  return {sluice::tls::context::server(server), sluice::tls::context::client(client)};
}

inline sluice::testing::layer_maker serving(const contexts& all) {
  return [context = all.server](sluice::scheduler& owner, sluice::protocol_ptr upper) {
    return std::make_unique<sluice::tls::layer>(owner, std::move(upper), context);
  };
}

inline sluice::testing::layer_maker connecting(const contexts& all) {
  return [context = all.client](sluice::scheduler& owner, sluice::protocol_ptr upper) {
    return std::make_unique<sluice::tls::layer>(owner, std::move(upper), context,
                                                sluice::tls::connection_options{.server_name = "localhost"});
  };
}

// TLS on both ends of `below`, the near one being the server or the client.
inline sluice::testing::transport_under_test over(std::string name, sluice::testing::transport_under_test below, const contexts& all,
                                                  bool near_serves) {
  return near_serves ? sluice::testing::with_layer(std::move(name), std::move(below), serving(all), connecting(all))
                     : sluice::testing::with_layer(std::move(name), std::move(below), connecting(all), serving(all));
}

}  // namespace tls_layers
