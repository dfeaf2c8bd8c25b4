#include <sluice/detail/attachment.hpp>

#include <sluice/scheduler.hpp>

namespace sluice::detail {

std::unique_ptr<attachment>& attachment::place_in(scheduler& owner, const void* key) {
  for (auto& [of, place] : owner.attachments_)
    if (of == key) return place;
  return owner.attachments_.emplace_back(key, nullptr).second;
}

}  // namespace sluice::detail
