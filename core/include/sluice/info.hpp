#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
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
/// How fast a medium of fixed speed carries bytes: a serial line. Queues in front of it are bounded in time by it, instead of in bytes.
struct line_speed {
  /// As set at the moment; above 0.
  double bytes_per_second = 0;

  /// How long the medium takes for so many bytes.
  std::chrono::nanoseconds time_for(std::size_t bytes) const noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / bytes_per_second));
  }
  /// How many whole bytes pass in `span`; at least 1, so that a bound made of it lets something through.
  std::size_t bytes_in(std::chrono::nanoseconds span) const noexcept {
    const double bytes = bytes_per_second * static_cast<double>(span.count()) / 1e9;
    return bytes < 1 ? 1 : static_cast<std::size_t>(bytes);
  }
};
/// Bytes that a medium keeps for itself and does not carry as data: those of flow control by XON/XOFF on a serial line. Not answered where every
/// byte passes.
struct reserved_bytes {
  std::string values;  ///< One character for each.
};
/// Name of the kind of transport: "tcp", "unix", "memory", "serial", ….
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
  /// This query asks for a `T`: for a layer that hides what is below from it.
  template <typename T>
  bool asks_for() const noexcept {
    return key_ == key_of<T>();
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
