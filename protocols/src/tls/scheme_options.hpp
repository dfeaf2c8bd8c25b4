#pragma once

#include <sluice/endpoint.hpp>
#include <sluice/tls/context.hpp>

#include <string>
#include <utility>
#include <vector>

namespace sluice::tls::detail {

// What an endpoint string says about TLS. Both take their options out of `from` and throw `bad_endpoint`. That of a server reads the file
// of the password at once and throws `std::system_error`, too.
server_options take_server_options(endpoint& from);

struct client_choice {
  // The options as they are written, without `name`: whoever is to get the same context has the same.
  using key_type = std::vector<std::pair<std::string, std::string>>;

  client_options options;
  std::string password_file;
  std::string name;  // empty: the host
  key_type key;
};
client_choice take_client_options(endpoint& from);

// Reads the files; throws `std::system_error`.
context make_client(client_choice chosen);

}  // namespace sluice::tls::detail
