#include "tls/scheme_options.hpp"

#include <sluice/option_table.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "tls/credentials.hpp"

namespace sluice::tls::detail {
namespace {

using namespace std::chrono_literals;

struct identity_files {
  std::vector<std::string> cert;
  std::vector<std::string> key;
  std::string pkcs12;
  std::string password_file;
};

struct server_settings {
  server_options options;
  identity_files files;
  std::string ocsp;
};

struct client_settings {
  client_options options;
  identity_files files;
  std::string name;
};

bool split(std::vector<std::string>& into, std::string_view text) {
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma == 0 || comma > 255) return false;
    into.emplace_back(text.substr(0, comma));
    if (comma == text.size()) return true;
    text.remove_prefix(comma + 1);
  }
}

template <typename Settings>
option_table<Settings> common_table() {
  option_table<Settings> table;
  const std::initializer_list<option_choice<protocol_version>> versions = {{"1.2", protocol_version::tls1_2},
                                                                           {"1.3", protocol_version::tls1_3}};
  table
      .custom("alpn", "names of 1 to 255 bytes, separated by commas",
              [](Settings& all, std::string_view text) { return split(all.options.alpn, text); })
      .choice(
          "min_version", [](Settings & all) -> auto& { return all.options.min_version; }, versions)
      .choice(
          "max_version", [](Settings & all) -> auto& { return all.options.max_version; }, versions)
      .duration(
          "handshake_timeout", [](Settings & all) -> auto& { return all.options.handshake_timeout; }, 1ms, 1h)
      .duration(
          "shutdown_timeout", [](Settings & all) -> auto& { return all.options.shutdown_timeout; }, 1ms, 1h)
      .flag(
          "wait_for_close_notify", [](Settings & all) -> auto& { return all.options.wait_for_close_notify; })
      .size(
          "small_records_first", [](Settings & all) -> auto& { return all.options.small_records_first; }, 0, 1U << 30)
      .flag(
          "allow_truncation", [](Settings & all) -> auto& { return all.options.allow_truncation; })
      .text(
          "keylog", [](Settings & all) -> auto& { return all.options.keylog_file; })
      .texts(
          "cert", [](Settings & all) -> auto& { return all.files.cert; })
      .texts(
          "key", [](Settings & all) -> auto& { return all.files.key; })
      .text(
          "pkcs12", [](Settings & all) -> auto& { return all.files.pkcs12; })
      .text(
          "password_file", [](Settings & all) -> auto& { return all.files.password_file; });
  return table;
}

std::string password_in(const std::string& file) {
  if (file.empty()) return {};
  std::string text = read_file(file);
  return text.substr(0, text.find_first_of("\r\n"));
}

std::vector<identity> identities_of(const endpoint& from, const identity_files& files) {
  const auto refuse = [&from](std::string_view problem) { throw bad_endpoint(from.error_at(text_range{from.text().size(), 0}, problem)); };
  if (!files.key.empty() && files.key.size() != files.cert.size())
    refuse("there are not as many options key as cert; expected pairs, or no key");
  std::vector<identity> all;
  for (std::size_t i = 0; i < files.cert.size(); ++i) {
    identity& one = all.emplace_back();
    one.chain_file = files.cert[i];
    if (!files.key.empty()) one.key_file = files.key[i];
  }
  if (!files.pkcs12.empty()) all.emplace_back().pkcs12_file = files.pkcs12;
  return all;
}

// Sorted, so that it does not matter in which order options of different names are written.
client_choice::key_type taken_from(const endpoint& whole, const endpoint& rest) {
  client_choice::key_type key;
  for (const endpoint_option& each : whole.options())
    if (each.name != "name" && std::ranges::find(rest.options(), each.name, &endpoint_option::name) == rest.options().end())
      key.emplace_back(each.name, each.value);
  std::ranges::stable_sort(key, {}, &client_choice::key_type::value_type::first);
  return key;
}

}  // namespace

server_options take_server_options(endpoint& from) {
  using settings = server_settings;
  auto table = common_table<settings>();
  table.text("ocsp", &settings::ocsp)
      .choice("unknown_name", [](settings & all) -> auto& { return all.options.unknown; },
              {{"first", unknown_name::use_first}, {"refuse", unknown_name::refuse}})
      .choice("client_auth", [](settings & all) -> auto& { return all.options.clients; },
              {{"none", client_auth::none}, {"request", client_auth::request}, {"require", client_auth::require}})
      .texts(
          "client_ca", [](settings & all) -> auto& { return all.options.client_trust.ca_files; })
      .texts(
          "client_pin", [](settings & all) -> auto& { return all.options.client_trust.pinned; })
      .flag(
          "tickets", [](settings & all) -> auto& { return all.options.tickets; })
      .integer(
          "max_handshakes", [](settings & all) -> auto& { return all.options.max_handshakes; }, 0, 1'000'000)
      .flag(
          "offload_handshakes", [](settings & all) -> auto& { return all.options.offload_handshakes; });
  settings all;
  table.take(from, all);
  all.options.identities = identities_of(from, all.files);
  if (all.options.identities.empty())
    throw bad_endpoint(from.error_at(text_range{from.text().size(), 0}, "there is no certificate; expected ?cert=FILE&key=FILE"));
  all.options.identities.front().ocsp_file = all.ocsp;
  const std::string password = password_in(all.files.password_file);
  for (identity& each : all.options.identities) each.password = password;
  return std::move(all.options);
}

client_choice take_client_options(endpoint& from) {
  using settings = client_settings;
  auto table = common_table<settings>();
  table
      .texts(
          "ca", [](settings & all) -> auto& { return all.options.servers.ca_files; })
      .texts(
          "ca_dir", [](settings & all) -> auto& { return all.options.servers.ca_dirs; })
      .flag(
          "ca_system", [](settings & all) -> auto& { return all.options.servers.system; })
      .texts(
          "pin", [](settings & all) -> auto& { return all.options.servers.pinned; })
      .text("name", &settings::name)
      .choice("verify", [](settings & all) -> auto& { return all.options.verify_peer; }, {{"full", true}, {"insecure", false}})
      .flag(
          "require_ocsp", [](settings & all) -> auto& { return all.options.require_ocsp; });
  settings all;
  const endpoint whole = from;
  table.take(from, all);
  const std::vector<identity> own = identities_of(from, all.files);
  if (own.size() > 1) throw bad_endpoint(from.error_at(text_range{from.text().size(), 0}, "there are several certificates; expected one"));
  if (!own.empty()) all.options.own = own.front();
  return {std::move(all.options), std::move(all.files.password_file), std::move(all.name), taken_from(whole, from)};
}

context make_client(client_choice chosen) {
  chosen.options.own.password = password_in(chosen.password_file);
  return context::client(chosen.options);
}

}  // namespace sluice::tls::detail
