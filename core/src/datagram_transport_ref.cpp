#include <sluice/datagram_transport_ref.hpp>

namespace sluice {

datagram_transport_ref::datagram_transport_ref(const datagram_transport& target)
    : table_(target.scheduler().slots_), slot_(target.slot_), id_(target.id()) {}

datagram_transport* datagram_transport_ref::get() const noexcept {
  detail::tenant* const found = table_ ? table_->find(slot_, id_) : nullptr;
  return found != nullptr && !found->is_over() ? found->as_datagrams() : nullptr;
}

send_status datagram_transport_ref::send_to(const_bytes data, const address& to) const {
  datagram_transport* const target = get();
  return target != nullptr ? target->send_to(data, to) : send_status::dropped;
}

void datagram_transport_ref::close() const {
  if (datagram_transport* const target = get()) target->close();
}

void datagram_transport_ref::abort() const {
  if (datagram_transport* const target = get()) target->abort();
}

}  // namespace sluice
