#pragma once

#include <string_view>

namespace sluice::redis {

/// Whether `text` matches `pattern` by the rules of Redis's `KEYS`: `*` is any bytes, `?` one byte, `[abc]` `[a-z]` `[^a]` one of or none of a
/// set, `\` takes the meaning of the next byte away; a set without its `]` ends where the pattern does. Takes time in proportion to the
/// product of both lengths at most, whatever the pattern is. (Unlike Redis, `**` matches the empty text as `*` does.)
bool glob_matches(std::string_view pattern, std::string_view text) noexcept;

}  // namespace sluice::redis
