#include <sluice/scheme_table.hpp>

#include <sluice/error.hpp>

#include <stdexcept>
#include <utility>

namespace sluice {

void scheme_table::add(std::string name, listen_function listen, connect_function connect) {
  add_row({std::move(name), std::move(listen), std::move(connect)});
}

void scheme_table::add_datagrams(std::string name, datagram_function open, datagram_function connect) {
  add_row({std::move(name), {}, {}, std::move(open), std::move(connect)});
}

void scheme_table::add_layer(std::string name, std::string_view inner, wrap_function wrap) {
  const row* const below = find(inner);
  if (below == nullptr) throw std::invalid_argument("scheme \"" + name + "\" stands on an unknown scheme \"" + std::string(inner) + '"');
  if (below->carries_datagrams())
    throw std::invalid_argument("scheme \"" + name + "\" stands on \"" + std::string(inner) + "\", which carries datagrams");
  add_row(wrapped(*below, std::move(name), wrap));
}

void scheme_table::add_options(std::string_view scheme, wrap_function wrap) {
  const row* const found = find(scheme);
  if (found == nullptr || found->carries_datagrams())
    throw std::invalid_argument("options for the scheme \"" + std::string(scheme) + "\", which is none of a stream");
  rows_[static_cast<std::size_t>(found - rows_.data())] = wrapped(*found, found->name, wrap);
}

scheme_table::row scheme_table::wrapped(row below, std::string name, const wrap_function& wrap) {
  row made{std::move(name), {}, {}};
  if (below.listen)
    made.listen = [below, wrap](loop& owner, const endpoint& at, protocol_factory factory) {
      endpoint lower = at.with_scheme(below.name);
      protocol_factory upper = wrap(owner, lower, std::move(factory), role::server);
      return below.listen(owner, lower, std::move(upper));
    };
  if (below.connect)
    made.connect = [below, wrap](loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) {
      endpoint lower = to.with_scheme(below.name);
      protocol_factory upper = wrap(owner, lower, std::move(factory), role::client);
      return below.connect(owner, lower, std::move(upper), std::move(done));
    };
  return made;
}

void scheme_table::add_row(row made) {
  if (find(made.name) != nullptr) throw std::invalid_argument("scheme \"" + made.name + "\" is in the table already");
  rows_.push_back(std::move(made));
}

std::unique_ptr<server> scheme_table::listen(loop& owner, const endpoint& at, protocol_factory factory) const {
  const row& found = require_stream(at);
  if (!found.listen) throw bad_endpoint(at.error_at(endpoint_part::scheme, "cannot be listened on; it is for connecting only"));
  return found.listen(owner, at, std::move(factory));
}

connecting scheme_table::connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done) const {
  const row& found = require_stream(to);
  if (!found.connect) throw bad_endpoint(to.error_at(endpoint_part::scheme, "cannot be connected to; it is for listening only"));
  return found.connect(owner, to, std::move(factory), std::move(done));
}

datagram_transport& scheme_table::open_datagrams(loop& owner, const endpoint& at, datagram_protocol_ptr upper) const {
  const row& found = require_datagrams(at);
  if (!found.open_datagrams) throw bad_endpoint(at.error_at(endpoint_part::scheme, "cannot be opened; it is for connecting only"));
  return found.open_datagrams(owner, at, std::move(upper));
}

datagram_transport& scheme_table::connect_datagrams(loop& owner, const endpoint& to, datagram_protocol_ptr upper) const {
  const row& found = require_datagrams(to);
  if (!found.connect_datagrams) throw bad_endpoint(to.error_at(endpoint_part::scheme, "cannot be connected to; it is for opening only"));
  return found.connect_datagrams(owner, to, std::move(upper));
}

bool scheme_table::carries_datagrams(const endpoint& at) const { return require(at).carries_datagrams(); }

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

const scheme_table::row& scheme_table::require_stream(const endpoint& at) const {
  const row& found = require(at);
  if (found.carries_datagrams()) throw bad_endpoint(at.error_at(endpoint_part::scheme, "carries datagrams; expected a scheme of a stream"));
  return found;
}

const scheme_table::row& scheme_table::require_datagrams(const endpoint& at) const {
  const row& found = require(at);
  if (!found.carries_datagrams())
    throw bad_endpoint(at.error_at(endpoint_part::scheme, "carries a stream; expected a scheme of datagrams"));
  return found;
}

}  // namespace sluice
