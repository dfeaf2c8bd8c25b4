#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace sluice::detail {

// A move-only callable without arguments or result. Up to `inline_size` bytes of captures are kept in place, larger ones on the heap.
class unique_function {
 public:
  static constexpr std::size_t inline_size = 48;

  unique_function() noexcept = default;

  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, unique_function> && std::is_invocable_v<std::decay_t<F>&>) unique_function(F&& callable)
      : operations_(&operations_for<std::decay_t<F>>) {
    using target = std::decay_t<F>;
    if constexpr (fits<target>)
      ::new (static_cast<void*>(storage_)) target(std::forward<F>(callable));
    else
      ::new (static_cast<void*>(storage_)) target*(new target(std::forward<F>(callable)));
  }

  unique_function(unique_function&& other) noexcept : operations_(std::exchange(other.operations_, nullptr)) {
    if (operations_ != nullptr) operations_->relocate(storage_, other.storage_);
  }
  unique_function& operator=(unique_function&& other) noexcept {
    if (this == &other) return *this;
    reset();
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->relocate(storage_, other.storage_);
    return *this;
  }
  ~unique_function() { reset(); }

  void reset() noexcept {
    if (const table* mine = std::exchange(operations_, nullptr)) mine->destroy(storage_);
  }
  explicit operator bool() const noexcept { return operations_ != nullptr; }
  void operator()() { operations_->call(storage_); }

 private:
  struct table {
    void (*call)(void*);
    void (*relocate)(void* to, void* from) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <typename T>
  static constexpr bool fits = sizeof(T) <= inline_size &&
                               alignof(T) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<T>;

  template <typename T>
  static T& target_in(void* storage) noexcept {
    if constexpr (fits<T>)
      return *std::launder(static_cast<T*>(storage));
    else
      return **std::launder(static_cast<T**>(storage));
  }

  template <typename T>
  static constexpr table operations_for = {[](void* storage) { target_in<T>(storage)(); },
                                           [](void* to, void* from) noexcept {
                                             if constexpr (fits<T>) {
                                               ::new (to) T(std::move(target_in<T>(from)));
                                               std::destroy_at(&target_in<T>(from));
                                             } else {
                                               ::new (to) T*(&target_in<T>(from));
                                             }
                                           },
                                           [](void* storage) noexcept {
                                             if constexpr (fits<T>)
                                               std::destroy_at(&target_in<T>(storage));
                                             else
                                               delete &target_in<T>(storage);
                                           }};

  const table* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[inline_size];
};

}  // namespace sluice::detail
