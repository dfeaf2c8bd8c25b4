#pragma once

#include <sluice/address.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/detail/attachment.hpp>
#include <sluice/loop.hpp>

#include <memory>
#include <vector>

namespace sluice::detail {

// The listening sockets of a predecessor, for servers of one loop that listen at the same addresses.
class inherited_sockets final : public attachment {
 public:
  using pool = std::shared_ptr<std::vector<descriptor>>;

  explicit inherited_sockets(loop&) {}
  static inherited_sockets& of(loop& owner) { return attachment::of<inherited_sockets>(owner); }

  // Whoever brought them closes what is left when nobody can come for it any more.
  void add(pool brought) { pools_.push_back(std::move(brought)); }
  // Not open if there is none that is bound to `at`.
  descriptor take(const address& at);

 private:
  std::vector<pool> pools_;
};

}  // namespace sluice::detail
