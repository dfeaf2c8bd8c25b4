// Marked input of a serial line: the first three bytes choose policies, cause and cuts, the rest is the stream. Whatever it is, the cuts do
// not matter; and bytes and errors that a driver marks come back as they were.

#include <sluice/serial/marked_input.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "decoder_oracle.hpp"
#include "marked_messages.hpp"

using namespace sluice;
using namespace sluice::serial;

namespace {

error_policy policy_of(unsigned bits) { return static_cast<error_policy>(bits & 3U); }

marked_input_options options_of(unsigned bits) {
  return {policy_of(bits), policy_of(bits >> 2), policy_of(bits >> 4), policy_of(bits >> 6), std::byte{'?'}};
}

constexpr line_error causes[] = {line_error::parity, line_error::framing, line_error::unknown, line_error::line_break};

// As a driver does: every fourth or so of the stream's bytes came with an error.
std::string marked(const_bytes stream, unsigned seed) {
  std::string out;
  for (const std::byte each : stream) {
    seed = seed * 1664525U + 1013904223U;
    if ((seed >> 24U) % 4 == 0)
      out.append("\xff\0", 2);
    else if (each == std::byte{0xff})
      out.push_back('\xff');
    out.push_back(static_cast<char>(each));
  }
  return out;
}

void check_way_back(const_bytes stream, unsigned seed) {
  marked_input_options deliver{error_policy::deliver, error_policy::deliver, error_policy::deliver, error_policy::deliver, {}};
  marked_input_decoder decoder(deliver);
  const std::string input = marked(stream, seed);
  std::string out;
  oracle::cutter cut(seed);
  for (const_bytes rest = as_bytes(input); !rest.empty();) {
    const auto found = decoder.next(rest.first(cut.next(rest.size())));
    oracle::require(found.consumed != 0, "each call takes something");
    out.append(as_text(found.data));
    rest = rest.subspan(found.consumed);
  }
  oracle::require(out == as_text(stream), "delivered bytes are the bytes of the line");
  oracle::require(decoder.counters().stray == 0, "a driver's stream has no stray ff");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 3) return 0;
  const auto stream = std::as_bytes(std::span(data, size)).subspan(3);
  oracle::check_decoder(marked_messages(options_of(data[0]), causes[data[1] % 4U]), stream, data[2]);
  check_way_back(stream, data[2]);
  return 0;
}
