#pragma once

#include <sluice/framing/decoder.hpp>
#include <sluice/serial/marked_input.hpp>

#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

// marked_input_decoder in the form of framing::decoder, for verify_decoder: every byte of data is a message "41", every error one such as
// "break", "parity 41" or "stray 41". Runs of data depend on the cuts; their bytes may not.
class marked_messages {
 public:
  using message_type = sluice::const_bytes;
  using result = sluice::framing::decode_result<sluice::const_bytes>;

  explicit marked_messages(const sluice::serial::marked_input_options& options = {},
                           sluice::serial::line_error cause = sluice::serial::line_error::unknown)
      : decoder_(options) {
    decoder_.attribute(cause);
  }

  result decode(sluice::const_bytes input) {
    using kind = sluice::serial::marked_input_decoder::kind;
    if (told_ == run_.size()) {
      if (input.empty()) return result::more();
      const auto strays = decoder_.counters().stray;
      const auto found = decoder_.next(input);
      if (found.what == kind::nothing) return result::more(found.consumed);
      if (found.what == kind::event) return tell(name_of(found.error, found.byte), found.consumed);
      if (decoder_.counters().stray != strays) return tell("stray " + hex(static_cast<char>(found.data[1])), found.consumed);
      run_.assign(sluice::as_text(found.data));
      told_ = 0;
      owed_ = found.consumed;
    }
    const char next = run_[told_++];
    return tell(hex(next), told_ == run_.size() ? owed_ : 1);
  }

 private:
  result tell(std::string text, std::size_t consumed) {
    owed_ -= owed_ == 0 ? 0 : consumed;
    text_ = std::move(text);
    return result::complete(sluice::as_bytes(text_), consumed);
  }

  static std::string hex(char value) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", static_cast<unsigned>(static_cast<unsigned char>(value)));
    return text;
  }

  static std::string name_of(sluice::serial::line_error error, std::byte byte) {
    using sluice::serial::line_error;
    const std::string value = ' ' + hex(static_cast<char>(byte));
    switch (error) {
      case line_error::parity: return "parity" + value;
      case line_error::framing: return "framing" + value;
      case line_error::unknown: return "damaged" + value;
      case line_error::line_break: return "break";
    }
    return {};
  }

  sluice::serial::marked_input_decoder decoder_;
  std::string run_;       // data that was found and is told byte by byte
  std::size_t told_ = 0;  // how much of it
  std::size_t owed_ = 0;  // bytes of input that are consumed with what is left of it
  std::string text_;
};
