#include <sluice/scheme_table.hpp>

#include <sluice/error.hpp>

#include <stdexcept>
#include <utility>

namespace sluice {

void scheme_table::add(std::string name, listen_function listen, connect_function connect) {
  add_row({std::move(name), std::move(listen), std::move(connect)});
}

void scheme_table::add_layer(std::string name, std::string_view inner, wrap_function wrap) {
  const row* const below = find(inner);
  if (below == nullptr) throw std::invalid_argument("scheme \"" + name + "\" stands on an unknown scheme \"" + std::string(inner) + '"');
  row made{std::move(name), {}, {}};
  if (below->listen)
    made.listen = [below = *below, wrap](loop& owner, const endpoint& at, protocol_factory factory) {
      endpoint lower = at.with_scheme(below.name);
      protocol_factory wrapped = wrap(owner, lower, std::move(factory), role::server);
      return below.listen(owner, lower, std::move(wrapped));
    };
  if (below->connect)
    made.connect = [below = *below, wrap](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
      endpoint lower = to.with_scheme(below.name);
      protocol_factory wrapped = wrap(owner, lower, std::move(factory), role::client);
      return below.connect(owner, lower, std::move(wrapped), std::move(done));
    };
  add_row(std::move(made));
}

void scheme_table::add_row(row made) {
  if (find(made.name) != nullptr) throw std::invalid_argument("scheme \"" + made.name + "\" is in the table already");
  rows_.push_back(std::move(made));
}

std::unique_ptr<server> scheme_table::listen(loop& owner, const endpoint& at, protocol_factory factory) const {
  const row& found = require(at);
  if (!found.listen) throw bad_endpoint(at.error_at(endpoint_part::scheme, "cannot be listened on; it is for connecting only"));
  return found.listen(owner, at, std::move(factory));
}

connecting scheme_table::connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) const {
  const row& found = require(to);
  if (!found.connect) throw bad_endpoint(to.error_at(endpoint_part::scheme, "cannot be connected to; it is for listening only"));
  return found.connect(owner, to, std::move(factory), std::move(done));
}

std::string scheme_table::names() const {
  std::string result;
  for (const row& each : rows_) result += (result.empty() ? "" : ", ") + each.name;
  return result;
}

const scheme_table::row* scheme_table::find(std::string_view name) const noexcept {
  for (const row& each : rows_)
    if (each.name == name) return &each;
  return nullptr;
}

const scheme_table::row& scheme_table::require(const endpoint& at) const {
  if (const row* const found = find(at.scheme())) return *found;
  throw bad_endpoint(at.error_at(endpoint_part::scheme,
                                 "is not a scheme that this program knows; it knows " + (rows_.empty() ? "none" : names()),
                                 errc::unknown_scheme));
}

}  // namespace sluice
