#pragma once

#include <cstdint>

#include <sluice/detail/slot_table.hpp>
#include <sluice/transport.hpp>

namespace sluice {

/// Answers "is it still there?" for whoever holds on to a transport longer than its protocol does. Small, copyable, and safe to ask after
/// the transport, and even its scheduler, are gone. Scheduler's thread only.
class transport_ref {
 public:
  /// Refers to nothing.
  transport_ref() noexcept = default;
  explicit transport_ref(const transport& target);

  /// The transport, or null once `connection_lost` was delivered.
  transport* get() const noexcept;
  explicit operator bool() const noexcept { return get() != nullptr; }
  /// Writes if it is still there.
  write_status write(const_bytes data) const;
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
