// Headers of the PROXY protocol: the first byte chooses limit and cuts, the rest is the stream. A header that was read is written again and has
// to read back as the same; and the layer, over a link in memory that brings the bytes in pieces, must hand up what is behind the header,
// byte for byte, or nothing.

#include <sluice/memory.hpp>
#include <sluice/proxy_protocol/header_decoder.hpp>
#include <sluice/proxy_protocol/receiver.hpp>
#include <sluice/testing/checked_protocol.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <string>

#include "decoder_oracle.hpp"

using namespace sluice;
namespace proxy = sluice::proxy_protocol;

namespace {

// Every header in version 2, which has a word for all of it.
struct writer {
  std::string operator()(proxy::header read) const {
    read.format = proxy::version::v2;
    std::string out;
    oracle::require(!proxy::write_header(out, read), "what was read can be written");
    return out;
  }
};

class listener final : public protocol {
 public:
  explicit listener(std::string& heard) : heard_(heard) {}
  void data_received(const_bytes data) override { heard_.append(as_text(data)); }

 private:
  std::string& heard_;
};

class stranger final : public protocol {
  void data_received(const_bytes) override {}
};

void check_layer(const_bytes stream, proxy::header_limits limits, unsigned seed) {
  std::string heard;
  testing::manual_scheduler scheduler;
  const auto factory = proxy::receive(scheduler, testing::checked([&] { return std::make_unique<listener>(heard); }),
                                      {.trust_without_ip = true, .limits = limits});
  const auto made = memory::pair(scheduler, factory(), std::make_unique<stranger>(), {.max_receive = 1 + seed % 61});
  made.second.write(stream);
  made.second.close();
  scheduler.advance(std::chrono::minutes(2));
  oracle::require(scheduler.open_transports() == 0, "both ends are gone in the end");
  const auto first = proxy::header_decoder(limits).decode(stream);
  const bool is_there = first.status == framing::decode_status::message;
  oracle::require(heard == (is_there ? as_text(stream.subspan(first.consumed)) : ""),
                  "what is behind the header goes up, and nothing else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 8192) return 0;
  const const_bytes stream = std::as_bytes(std::span(data, size)).subspan(1);
  const proxy::header_limits limits{.max_size = (data[0] & 1) != 0 ? std::size_t{232} : std::size_t{4096}};
  const auto read = oracle::check_decoder(proxy::header_decoder(limits), stream, data[0], writer());
  for (const std::string& each : read.messages) {
    const auto again = oracle::decode_uncut(proxy::header_decoder({.max_size = 65551}), as_bytes(each), writer());
    oracle::require(!again.error && again.messages.size() == 1 && again.messages[0] == each, "what is written reads back as the same");
  }
  check_layer(stream, limits, data[0]);
  return 0;
}
