#pragma once

#include <memory>
#include <utility>

namespace sluice {
class scheduler;
}

namespace sluice::detail {

// What a scheduler has at most one of, without knowing its type: a cache that all users of a loop share, for instance.
class attachment {
 public:
  attachment() = default;
  attachment(const attachment&) = delete;
  attachment& operator=(const attachment&) = delete;
  virtual ~attachment() = default;

  // The `T`, an attachment, of `owner`: made as `T(owner)` when it is first asked for, destroyed behind everything else that `owner` holds.
  // `Owner` is what `T` wants to be given: the scheduler itself or a class derived from it.
  template <typename T, typename Owner>
  static T& of(Owner& owner) {
    if (attachment* const there = place_in(owner, key_of<T>()).get()) return static_cast<T&>(*there);
    auto made = std::make_unique<T>(owner);
    T& result = *made;
    place_in(owner, key_of<T>()) = std::move(made);
    return result;
  }

 private:
  template <typename T>
  static const void* key_of() noexcept {
    static const char tag = 0;
    return &tag;
  }
  static std::unique_ptr<attachment>& place_in(scheduler& owner, const void* key);
};

}  // namespace sluice::detail
