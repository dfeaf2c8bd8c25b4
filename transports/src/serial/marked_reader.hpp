#pragma once

#include <sluice/serial/marked_input.hpp>
#include <sluice/serial/settings.hpp>

#include <array>
#include <cstddef>

namespace sluice::serial {

// Input with marks of errors: read into place, and taken out piece by piece, so that a pause in between leaves the rest where it is.
class marked_reader {
 public:
  using item = marked_input_decoder::item;
  using kind = marked_input_decoder::kind;

  explicit marked_reader(const marked_input_options& policies) noexcept : decoder_(policies) {}

  // What was read before is taken out first.
  bool is_empty() const noexcept { return begin_ == end_; }
  mutable_bytes room() noexcept { return bytes_; }
  void filled(std::size_t n) noexcept {
    begin_ = 0;
    end_ = n;
  }
  // `kind::nothing` for the rest of a mark that is not complete. Views are valid until the next call.
  item next() noexcept {
    const item found = decoder_.next(const_bytes(bytes_).subspan(begin_, end_ - begin_));
    begin_ += found.consumed;
    return found;
  }

  // What an error is, on a line with these settings: without parity it can only be framing.
  void follow(const settings& line) noexcept {
    decoder_.attribute(line.parity == parity::none ? line_error::framing : line_error::unknown);
  }
  void restart() noexcept {
    decoder_.restart();
    begin_ = end_ = 0;
  }
  const marked_input_counters& counters() const noexcept { return decoder_.counters(); }

 private:
  marked_input_decoder decoder_;
  std::array<std::byte, 4096> bytes_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sluice::serial
