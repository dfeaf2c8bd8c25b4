#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

namespace sluice {
class datagram_transport;
class datagram_transport_ref;
class info_query;
class scheduler;
class transport;
class transport_ref;
}  // namespace sluice

namespace sluice::detail {

// A transport as the scheduler sees that lists it, whatever it carries. The defaults are for one that is in no list.
class tenant {
 public:
  tenant(const tenant&) = delete;
  tenant& operator=(const tenant&) = delete;

  virtual std::uint64_t id() const = 0;
  virtual void shut_down() = 0;

 protected:
  tenant() = default;
  virtual ~tenant() = default;

 private:
  friend class sluice::scheduler;
  friend class sluice::transport_ref;
  friend class sluice::datagram_transport_ref;
  friend std::string name_of(const tenant& named);

  virtual void describe(info_query& query) const = 0;
  // Ends at once, in this call; nothing is waited for.
  virtual void terminate(std::error_code) noexcept {}
  // Its protocol has heard the end.
  virtual bool is_over() const noexcept { return true; }
  // Another one owns it, and ends with it.
  virtual bool has_owner() const noexcept { return false; }
  // Bytes that wait in it, in either direction.
  virtual std::size_t kept_bytes() const noexcept { return 0; }
  virtual bool is_held_for_memory() const noexcept { return false; }
  virtual void hold_for_memory(bool) {}
  // What it is, beyond this; one of the two is not null.
  virtual transport* as_stream() noexcept { return nullptr; }
  virtual datagram_transport* as_datagrams() noexcept { return nullptr; }
};

}  // namespace sluice::detail
