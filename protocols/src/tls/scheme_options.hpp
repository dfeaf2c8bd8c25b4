#pragma once

#include <sluice/endpoint.hpp>
#include <sluice/tls/context.hpp>

#include <string>

namespace sluice::tls::detail {

// What an endpoint string says about TLS. Both take their options out of `from` and throw `bad_endpoint` or `std::system_error`.
server_options take_server_options(endpoint& from);

struct client_choice {
  client_options options;
  std::string name;  // empty: the host
};
client_choice take_client_options(endpoint& from);

}  // namespace sluice::tls::detail
