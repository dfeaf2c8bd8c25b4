#pragma once

#include <cstdint>

#include <sluice/datagram_transport.hpp>
#include <sluice/detail/slot_table.hpp>

namespace sluice {

/// As `transport_ref`, for a transport of datagrams: small, copyable, and safe to ask after the transport, and even its scheduler, are
/// gone. Scheduler's thread only.
class datagram_transport_ref {
 public:
  /// Refers to nothing.
  datagram_transport_ref() noexcept = default;
  explicit datagram_transport_ref(const datagram_transport& target);

  /// The transport, or null once `connection_lost` was delivered.
  datagram_transport* get() const noexcept;
  explicit operator bool() const noexcept { return get() != nullptr; }
  /// Sends if it is still there.
  send_status send_to(const_bytes data, const address& to) const;
  /// Closes it if it is still there.
  void close() const;
  /// Aborts it if it is still there.
  void abort() const;

 private:
  detail::slot_table_ptr table_;
  std::uint32_t slot_ = 0;
  std::uint64_t id_ = 0;
};

}  // namespace sluice
