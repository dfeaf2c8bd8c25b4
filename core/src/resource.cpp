#include <sluice/detail/resource.hpp>

#include <sluice/scheduler.hpp>

namespace sluice::detail {

resource::resource(scheduler& owner) noexcept { owner.add(*this); }

resource::~resource() {
  if (owner_ != nullptr) owner_->remove(*this);
}

}  // namespace sluice::detail
