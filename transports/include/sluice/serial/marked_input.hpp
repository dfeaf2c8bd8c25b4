#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <sluice/bytes.hpp>

namespace sluice::serial {

/// What went wrong on the line in the place of one byte.
enum class line_error : std::uint8_t {
  parity,     ///< The parity bit was wrong.
  framing,    ///< There was no stop bit.
  unknown,    ///< One of the two: a mark does not tell which, and nobody said it by `marked_input_decoder::attribute`.
  line_break  ///< The line was held low for longer than a character. The byte of a break is 0.
};

/// What becomes of a byte that came with an error.
enum class error_policy : std::uint8_t {
  deliver,  ///< It is data like any other.
  drop,     ///< It is left out.
  replace,  ///< `marked_input_options::replacement` stands in its place.
  event     ///< It is told as an event, in its place among the data, and is not data.
};

struct marked_input_options {
  error_policy parity = error_policy::event;
  error_policy framing = error_policy::event;
  error_policy unknown = error_policy::event;
  error_policy line_break = error_policy::event;
  std::byte replacement{'?'};

  bool operator==(const marked_input_options&) const = default;
};

/// Errors that were found in the input, whatever became of their bytes.
struct marked_input_counters {
  std::uint64_t parity = 0;
  std::uint64_t framing = 0;
  std::uint64_t unknown = 0;
  std::uint64_t breaks = 0;
  std::uint64_t stray = 0;  ///< A 0xff that was no mark, which no system sends in this mode; it is data, with the byte behind it.

  bool operator==(const marked_input_counters&) const = default;
};

/// Reads what a terminal driver delivers under PARMRK and INPCK, where errors stand in the stream in their places: `ff 00 X` is the byte X
/// with an error, `ff 00 00` a break, `ff ff` a plain byte ff. (A byte 0 with a wrong parity looks like a break to everybody.) Marks may be
/// cut anywhere between two reads. A value without I/O; never allocates, and passes over each byte once.
///
///     while (!input.empty()) {
///       const auto found = decoder.next(input);
///       input = input.subspan(found.consumed);
///       switch (found.what) { … }
///     }
class marked_input_decoder {
 public:
  enum class kind : std::uint8_t {
    nothing,  ///< All of the input was taken, and is part of a mark that is not complete, or was dropped.
    data,     ///< `data`.
    event     ///< `error` happened to `byte`.
  };
  struct item {
    kind what = kind::nothing;
    std::size_t consumed = 0;  ///< Bytes at the front of the input that are done with; 0 only for an empty input.
    const_bytes data = {};     ///< Never empty for `data`. A view of the input, or of the decoder until its next call.
    line_error error = line_error::unknown;
    std::byte byte{};
  };

  explicit marked_input_decoder(const marked_input_options& options = {}) noexcept : options_(options) {}

  /// The first of what stands in `input`, which begins where the last one ended.
  item next(const_bytes input) noexcept;

  /// What errors from now on are, breaks apart: `parity`, `framing` or `unknown`, as at first. Without parity on the line they can only be
  /// framing; with it, a driver's counters may tell. `line_break` is taken for `unknown`.
  void attribute(line_error cause) noexcept { cause_ = cause == line_error::line_break ? line_error::unknown : cause; }

  /// Forgets a mark that is not complete: the stream begins anew, on another device or behind a flush.
  void restart() noexcept { place_ = place::plain; }

  const marked_input_options& options() const noexcept { return options_; }
  /// May be set between any two calls.
  void set_options(const marked_input_options& options) noexcept { options_ = options; }
  const marked_input_counters& counters() const noexcept { return counters_; }

 private:
  enum class place : std::uint8_t {
    plain,
    after_ff,
    after_ff_00
  };

  item plain_run(const_bytes input) noexcept;
  item complete(const_bytes input, std::size_t at) noexcept;
  item one_byte(std::byte value, std::size_t consumed) noexcept;
  item stray(std::byte second, std::size_t consumed) noexcept;
  item damaged(std::byte value, std::size_t consumed) noexcept;
  void count(line_error error) noexcept;
  error_policy policy_of(line_error error) const noexcept;

  marked_input_options options_;
  marked_input_counters counters_;
  std::array<std::byte, 2> held_{};
  place place_ = place::plain;
  line_error cause_ = line_error::unknown;
};

}  // namespace sluice::serial
