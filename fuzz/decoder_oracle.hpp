#pragma once

// What every decoder has to keep for every stream of bytes: the rules of `framing::decoder`, whatever the cuts, and no allocation that the
// received bytes do not account for.

#include <sluice/bytes.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace oracle {

using sluice::const_bytes;
using sluice::testing::decoder_run;
using sluice::testing::decoder_transcript;

inline std::size_t largest_block = 0;  // of all that were allocated since it was set to 0; stays 0 without AddressSanitizer

inline void require(bool holds, const std::string& rule) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", rule.c_str());
  std::abort();
}

// Sizes of pieces, from one byte to the whole rest, the same for the same seed.
class cutter {
 public:
  explicit cutter(std::uint32_t seed) : state_(seed * 2 + 1) {}
  std::size_t next(std::size_t rest) {
    state_ = state_ * 1664525 + 1013904223;
    const auto draw = state_ >> 8;
    return std::min<std::size_t>(rest, draw % 4 == 0 ? 1 : 1 + draw % 61);
  }

 private:
  std::uint32_t state_;
};

template <class Decoder, class Renderer>
decoder_transcript decode_uncut(const Decoder& decoder, const_bytes stream, const Renderer& renderer) {
  decoder_run<Decoder, Renderer> run(decoder, renderer);
  run.feed(stream);
  require(run.failure().empty(), run.failure());
  return run.transcript();
}

template <class Decoder, class Renderer>
void compare_cut(const Decoder& decoder, const_bytes stream, const Renderer& renderer, std::uint32_t seed,
                 const decoder_transcript& uncut) {
  decoder_run<Decoder, Renderer> run(decoder, renderer);
  cutter cut(seed);
  for (auto rest = stream; !rest.empty();) {
    const auto size = cut.next(rest.size());
    run.feed(rest.first(size));
    rest = rest.subspan(size);
  }
  require(run.failure().empty(), run.failure());
  require(run.transcript().messages == uncut.messages, "the messages do not depend on the cuts");
  require(run.transcript().error == uncut.error, "the error does not depend on the cuts");
}

// Returns what the decoder made of the stream.
template <class Decoder, class Renderer = sluice::testing::message_renderer>
decoder_transcript check_decoder(const Decoder& decoder, const_bytes stream, std::uint32_t seed, const Renderer& renderer = {}) {
  largest_block = 0;
  auto uncut = decode_uncut(decoder, stream, renderer);
  compare_cut(decoder, stream, renderer, seed, uncut);
  require(largest_block <= 4096 + 64 * stream.size(), "what is announced is not allocated");
  return uncut;
}

}  // namespace oracle

// Called by AddressSanitizer, where there is one.
extern "C" [[gnu::used]] inline void __sanitizer_malloc_hook(const volatile void*, std::size_t size) {
  oracle::largest_block = std::max(oracle::largest_block, size);
}
