#pragma once

#include <sluice/connecting.hpp>
#include <sluice/datagram_protocol.hpp>
#include <sluice/endpoint.hpp>
#include <sluice/protocol.hpp>
#include <sluice/server.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class datagram_transport;
class loop;

/// What `scheme:` means in an endpoint string, row by row. `transport_schemes()` has a row for each transport of the library; a layer or a
/// transport of your own is one visible line more in `main`. Nothing registers itself. For set-up: it allocates.
///
///     scheme_table schemes = transport_schemes();
///     auto server = schemes.listen(loop, "tcp://127.0.0.1:7000?backlog=1024", factory);
class scheme_table {
 public:
  /// Both report what is wrong with the endpoint by throwing `bad_endpoint`, and what the system refuses by `std::system_error`.
  using listen_function = std::function<std::unique_ptr<server>(loop&, const endpoint&, protocol_factory)>;
  using connect_function = std::function<connecting(loop&, const endpoint&, protocol_factory, connect_handler)>;
  /// Opens a socket for datagrams, bound to or connected to what the endpoint says; reports as the two above.
  using datagram_function = std::function<datagram_transport&(loop&, const endpoint&, datagram_protocol_ptr)>;
  enum class role {
    server,
    client
  };
  /// Takes the options of its layer out of the endpoint and returns a factory that puts the layer in front of what the given one makes.
  using wrap_function = std::function<protocol_factory(loop&, endpoint&, protocol_factory, role)>;

  /// A transport. An empty function means that the scheme cannot do that. Throws `std::invalid_argument` if the name is taken.
  void add(std::string name, listen_function listen, connect_function connect);
  /// A transport of datagrams, by `open_datagrams` and `connect_datagrams`; as above.
  void add_datagrams(std::string name, datagram_function open, datagram_function connect);
  /// A layer over the scheme `inner`, which may be a layer's too and must be there already (`std::invalid_argument`).
  void add_layer(std::string name, std::string_view inner, wrap_function wrap);
  /// A layer that is put in by an option of `scheme`, which carries streams and is there already (`std::invalid_argument`), instead of by a
  /// scheme of its own: `wrap` sees each endpoint first, and gives the factory back as it is if none of its options is there. Layers that stand
  /// on `scheme` and are added later stand on this one, too.
  void add_options(std::string_view scheme, wrap_function wrap);

  /// Listens at `at`. Throws `bad_endpoint`, with the known names for an unknown scheme, or `std::system_error`.
  std::unique_ptr<server> listen(loop& owner, const endpoint& at, protocol_factory factory) const;
  /// Connects to `to`; `done` as for `connect_handler`. Throws `bad_endpoint`.
  connecting connect(loop& owner, const endpoint& to, protocol_factory factory, connect_handler done = {}) const;

  /// `listen` at `at` is possible at all: its scheme has servers. Throws `bad_endpoint` if the scheme is unknown.
  bool can_listen(const endpoint& at) const { return static_cast<bool>(require(at).listen); }

  /// Opens a socket for datagrams at `at`; throws as `listen` does.
  datagram_transport& open_datagrams(loop& owner, const endpoint& at, datagram_protocol_ptr upper) const;
  /// Opens a socket for datagrams to and from `to` alone; throws as `listen` does.
  datagram_transport& connect_datagrams(loop& owner, const endpoint& to, datagram_protocol_ptr upper) const;
  /// The scheme of `at` is one of datagrams. Throws `bad_endpoint` if it is unknown.
  bool carries_datagrams(const endpoint& at) const;

  /// "tcp, unix, …", in the order in which they were added.
  std::string names() const;

 private:
  struct row {
    std::string name;
    listen_function listen;
    connect_function connect;
    datagram_function open_datagrams = {};
    datagram_function connect_datagrams = {};

    bool carries_datagrams() const noexcept { return open_datagrams || connect_datagrams; }
  };
  const row* find(std::string_view name) const noexcept;
  const row& require(const endpoint& at) const;
  const row& require_stream(const endpoint& at) const;
  const row& require_datagrams(const endpoint& at) const;
  void add_row(row made);
  static row wrapped(row below, std::string name, const wrap_function& wrap);

  std::vector<row> rows_;
};

}  // namespace sluice
