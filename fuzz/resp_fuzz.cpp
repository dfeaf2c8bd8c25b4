// Requests and replies of RESP2: the first byte chooses side, limits and cuts, the rest is the stream. What was decoded is encoded again and
// has to read back as the same.

#include <sluice/redis/encoder.hpp>
#include <sluice/redis/reply_decoder.hpp>
#include <sluice/redis/request_decoder.hpp>

#include <span>
#include <string>

#include "decoder_oracle.hpp"

using namespace sluice;
using namespace sluice::redis;

namespace {

constexpr request_limits small_requests{.max_bulk = 64, .max_arguments = 8, .max_request = 256};
constexpr reply_limits small_replies{.max_bulk = 64, .max_line = 32, .max_values = 16, .max_depth = 3, .max_reply = 256};

// The request as it is sent: every argument in its canonical form.
struct request_writer {
  std::string operator()(request_decoder::message_type request) const {
    std::string out;
    write_request(out, request);
    return out;
  }
};

void write_value(std::string& out, const reply_value& value) {
  switch (value.type) {
    case reply_type::simple: return write_simple(out, value.text);
    case reply_type::error: return write_error(out, value.text);
    case reply_type::integer: return write_integer(out, value.integer);
    case reply_type::bulk: return write_bulk(out, value.text);
    case reply_type::null: return write_null(out);
    case reply_type::array: return write_array(out, static_cast<std::size_t>(value.integer));
  }
}

struct reply_writer {
  std::string operator()(reply_decoder::message_type reply) const {
    std::string out;
    for (const auto& value : reply) write_value(out, value);
    return out;
  }
};

template <class Decoder, class Writer>
void check_side(const Decoder& decoder, const Decoder& unlimited, const_bytes stream, unsigned seed, const Writer& writer) {
  const auto result = oracle::check_decoder(decoder, stream, seed, writer);
  for (const auto& message : result.messages) {
    const auto again = oracle::decode_uncut(unlimited, as_bytes(message), writer);
    oracle::require(!again.error && again.left_over == 0, "what is written is well-formed");
    oracle::require(again.messages.size() == 1 && again.messages[0] == message, "what is written reads back as the same");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const auto stream = std::as_bytes(std::span(data, size)).subspan(1);
  const bool has_small_limits = (data[0] & 2) != 0;
  if (data[0] % 2 == 0)
    check_side(request_decoder(has_small_limits ? small_requests : request_limits()), request_decoder(), stream, data[0], request_writer());
  else
    check_side(reply_decoder(has_small_limits ? small_replies : reply_limits()), reply_decoder(), stream, data[0], reply_writer());
  return 0;
}
