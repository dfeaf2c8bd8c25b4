#pragma once

#include <optional>
#include <string>
#include <utility>

#include <sluice/address.hpp>

namespace sluice {

/// Answers to `transport::info<T>()`: each kind of extra information is a type of its own, so a protocol or layer adds one by declaring a
/// struct (`tls::session`). Values stay available after the connection ended, until the transport is gone (rule I2).
struct peer_address {
  address value;
};
/// The address of this end. Read from the system at the first request or when closing starts.
struct local_address {
  address value;
};
/// The operating system's descriptor, for socket options the library does not wrap. -1 once it was given back. Do not close or read it.
struct native_descriptor {
  int value = -1;
};
/// Who is at the other end of a Unix socket, as the kernel knew it at connect time.
struct peer_credentials {
  int process = 0;
  unsigned user = 0;
  unsigned group = 0;
};
/// Name of the kind of transport: "tcp", "unix", "memory", ….
struct transport_kind {
  std::string value;
};

/// One question on its way down a stack of layers. A transport answers the kinds it knows, everything else goes on to the transport below.
class info_query {
 public:
  /// If this query asks for a `T`, `make()` becomes the answer; it is called at most once.
  template <typename T, typename Make>
  void answer(Make&& make) {
    if (key_ == key_of<T>() && !answered_) {
      *static_cast<std::optional<T>*>(slot_) = std::forward<Make>(make)();
      answered_ = static_cast<std::optional<T>*>(slot_)->has_value();
    }
  }
  /// True once somebody answered.
  bool answered() const noexcept { return answered_; }

  /// Asks through `describe`, a callable that takes `info_query&`.
  template <typename T, typename Describe>
  static std::optional<T> ask(Describe&& describe) {
    std::optional<T> result;
    info_query query(key_of<T>(), &result);
    std::forward<Describe>(describe)(query);
    return result;
  }

 private:
  info_query(const void* key, void* slot) noexcept : key_(key), slot_(slot) {}

  template <typename T>
  static const void* key_of() noexcept {
    static const char tag = 0;
    return &tag;
  }

  const void* key_;
  void* slot_;
  bool answered_ = false;
};

}  // namespace sluice
