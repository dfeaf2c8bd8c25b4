#pragma once

#include <cstddef>
#include <utility>

namespace sluice::detail {

// Shared ownership within one thread, in one word. For what must outlive its maker: settings of a server's connections, the slot table.
template <typename T>
class local_ptr {
 public:
  local_ptr() noexcept = default;
  template <typename... Args>
  static local_ptr make(Args&&... args) {
    local_ptr result;
    result.node_ = new node{T(std::forward<Args>(args)...), 1};
    return result;
  }
  local_ptr(const local_ptr& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) ++node_->references;
  }
  local_ptr(local_ptr&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  local_ptr& operator=(local_ptr other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~local_ptr() {
    if (node_ != nullptr && --node_->references == 0) delete node_;
  }

  T& operator*() const noexcept { return node_->value; }
  T* operator->() const noexcept { return &node_->value; }
  explicit operator bool() const noexcept { return node_ != nullptr; }

 private:
  struct node {
    T value;
    std::size_t references;
  };
  node* node_ = nullptr;
};

}  // namespace sluice::detail
