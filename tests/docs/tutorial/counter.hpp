#pragma once

#include <sluice/bytes.hpp>
#include <sluice/framing/framed.hpp>
#include <sluice/framing/line.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

// One line, one answer: "add 5" adds to a number that all connections share, "get" tells it, "quit" ends the connection.
class counter final : public sluice::framing::framed<sluice::framing::line_decoder> {
 public:
  explicit counter(std::int64_t& total) : framed(sluice::framing::line_decoder({.max_length = 100})), total_(total) {}

 private:
  void message_received(sluice::const_bytes message) override {
    const std::string_view line = sluice::as_text(message);
    if (line == "quit") {
      transport().write("bye\n");
      transport().close();
    } else if (line == "get") {
      answer(std::to_string(total_));
    } else if (line.starts_with("add ")) {
      add(line.substr(4));
    } else {
      answer("error: expected add NUMBER, get or quit");
    }
  }

  void framing_failed(std::error_code) override {
    answer("error: a line has at most 100 bytes");
    transport().close();
  }

  void add(std::string_view number) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) {
      answer("error: not a number");
      return;
    }
    total_ += value;
    answer(std::to_string(total_));
  }

  void answer(std::string_view text) {
    transport().write(text);
    transport().write("\n");
  }

  std::int64_t& total_;
};
