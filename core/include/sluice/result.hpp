#pragma once

#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace sluice {

/// A value or the reason why there is none. `detail()` is the whole story where a code is too short for it: every address that was tried,
/// each with its error.
template <typename T>
class result {
 public:
  result(T value) : value_(std::move(value)) {}
  /// `error` must not be empty.
  result(std::error_code error, std::string detail = {}) : error_(error), detail_(std::move(detail)) {}

  explicit operator bool() const noexcept { return value_.has_value(); }
  /// Only if there is one.
  T& operator*() noexcept { return *value_; }
  const T& operator*() const noexcept { return *value_; }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }
  /// Empty if there is a value.
  std::error_code error() const noexcept { return error_; }
  /// One line for a person; empty if there is a value.
  std::string detail() const { return detail_.empty() && error_ ? error_.message() : detail_; }

 private:
  std::optional<T> value_;
  std::error_code error_;
  std::string detail_;
};

/// A reference, as to what somebody else owns.
template <typename T>
class result<T&> {
 public:
  result(T& value) noexcept : value_(&value) {}
  result(std::error_code error, std::string detail = {}) : error_(error), detail_(std::move(detail)) {}

  explicit operator bool() const noexcept { return value_ != nullptr; }
  /// Only if there is one.
  T& operator*() const noexcept { return *value_; }
  T* operator->() const noexcept { return value_; }
  /// Empty if there is a value.
  std::error_code error() const noexcept { return error_; }
  /// One line for a person; empty if there is a value.
  std::string detail() const { return detail_.empty() && error_ ? error_.message() : detail_; }

 private:
  T* value_ = nullptr;
  std::error_code error_;
  std::string detail_;
};

}  // namespace sluice
