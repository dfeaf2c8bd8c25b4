#include <sluice/transport_ref.hpp>

#include <sluice/scheduler.hpp>

namespace sluice {

transport_ref::transport_ref(const transport& target) : table_(target.scheduler().slots_), slot_(target.slot()), id_(target.id()) {}

transport* transport_ref::get() const noexcept {
  detail::tenant* const found = table_ ? table_->find(slot_, id_) : nullptr;
  return found != nullptr && !found->is_over() ? found->as_stream() : nullptr;
}

write_status transport_ref::write(const_bytes data) const {
  transport* const target = get();
  return target != nullptr ? target->write(data) : write_status::dropped;
}

void transport_ref::close() const {
  if (transport* const target = get()) target->close();
}

void transport_ref::abort() const {
  if (transport* const target = get()) target->abort();
}

}  // namespace sluice
