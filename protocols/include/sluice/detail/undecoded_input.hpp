#pragma once

#include <sluice/bytes.hpp>

#include <cstddef>
#include <vector>

namespace sluice::detail {

// What a decoder has not consumed yet: bytes kept from earlier calls, followed by the chunk that was just received. Messages are decoded
// where the transport put them; only the front of a message that began in an earlier chunk is joined with its rest, and only an incomplete
// tail is copied. Never moves or frees what `window` showed before the next call of `window`'s growing functions: `widen`, `unread`,
// `receive` and `settle`.
class undecoded_input {
 public:
  bool empty() const noexcept { return kept_size() == 0 && fresh_.empty(); }

  // `chunk` is read until `settle` or `abandon_chunk`.
  void receive(const_bytes chunk);

  // The front of what is there; all of it once `widen` returned false.
  const_bytes window() const noexcept { return kept_size() == 0 ? fresh_ : const_bytes(kept_).subspan(begin_); }

  // Shows more, at least `wanted` bytes in all if there are as many. False: there is no more.
  bool widen(std::size_t wanted);

  // Takes `n` <= window().size() bytes off the front.
  void consume(std::size_t n) noexcept;

  // Everything in one piece.
  const_bytes unread();

  // Copies what is left of the chunk. `may_hold_messages`: the bytes were not looked at to their end.
  void settle(bool may_hold_messages);
  void abandon_chunk() noexcept;
  void clear() noexcept;

 private:
  // Storage above this is given back as soon as it is empty.
  static constexpr std::size_t kept_capacity = 64 * 1024;
  static constexpr std::size_t smallest_step = 512;

  std::size_t kept_size() const noexcept { return kept_.size() - begin_; }
  void append(const_bytes bytes);
  void join();

  std::vector<std::byte> kept_;
  std::size_t begin_ = 0;   // where the bytes start in kept_
  std::size_t joined_ = 0;  // this many bytes at the end of kept_ are the first ones of fresh_
  const_bytes fresh_;
  bool may_hold_messages_ = false;
};

}  // namespace sluice::detail
