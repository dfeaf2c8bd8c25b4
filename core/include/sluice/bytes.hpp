#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace sluice {

/// A view of bytes that somebody else owns; never extends a lifetime. Every function that takes or hands out one says how long it is valid.
using const_bytes = std::span<const std::byte>;
/// As `const_bytes`, for memory that the receiver may write to.
using mutable_bytes = std::span<std::byte>;

/// The bytes of `text`, without a terminating zero. Valid as long as the text is.
inline const_bytes as_bytes(std::string_view text) noexcept { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

/// The bytes read as characters, as they are: no encoding is assumed and none is checked. Valid as long as the bytes are.
inline std::string_view as_text(const_bytes bytes) noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace sluice
