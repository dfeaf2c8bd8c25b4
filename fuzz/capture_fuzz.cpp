// Capture files: the first byte chooses limit, cuts and pace, the rest is the file. Whatever it is, the cuts do not matter; what was read
// and is written again reads back as the same; and what a player makes of it keeps to the contract and is what the reader read.

#include <sluice/capture/pcapng_encoder.hpp>
#include <sluice/capture/player.hpp>
#include <sluice/capture/reader.hpp>
#include <sluice/capture/text.hpp>
#include <sluice/testing/checked_protocol.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "decoder_oracle.hpp"

using namespace sluice;
namespace capture = sluice::capture;

namespace {

// All that a record says.
struct renderer {
  std::string operator()(const capture::record& made) const {
    std::string out;
    append_text(out, made);
    return out.append(" ").append(std::to_string(made.lines)).append(" ").append(as_text(made.data)).append(made.note);
  }
};

class encoding_renderer {
 public:
  explicit encoding_renderer(std::string& file) : file_(&file) { encoder_.begin(file); }
  std::string operator()(const capture::record& made) {
    encoder_.append(*file_, made);
    return renderer()(made);
  }

 private:
  std::string* file_;
  capture::pcapng_encoder encoder_;
};

void check_way_back(const_bytes file, const capture::reader_limits& limits) {
  std::string again;
  encoding_renderer write(again);
  std::vector<std::string> written;
  capture::reader from(limits);
  for (const_bytes rest = file;;) {
    const auto got = from.decode(rest);
    rest = rest.subspan(got.consumed);
    if (got.status == framing::decode_status::error) oracle::require(!from.fault().empty(), "an error says what is wrong");
    if (got.status != framing::decode_status::message) break;
    written.push_back(write(got.message));
  }
  const auto read = oracle::decode_uncut(capture::reader(), as_bytes(again), renderer());
  oracle::require(!read.error && read.left_over == 0, "what is written can be read");
  oracle::require(read.messages == written, "what is written reads back as the same");
}

class listener final : public protocol {
 public:
  explicit listener(std::string& heard) : heard_(heard) {}
  void data_received(const_bytes data) override { heard_.append(as_text(data)); }

 private:
  std::string& heard_;
};

// The bytes that came from the peer of the first connection, up to its end.
std::string bytes_of_first(const_bytes file) {
  std::string out;
  std::optional<std::uint64_t> first;
  capture::reader from;
  for (const_bytes rest = file;;) {
    const auto got = from.decode(rest);
    rest = rest.subspan(got.consumed);
    if (got.status != framing::decode_status::message) return out;
    const capture::record& made = got.message;
    const bool begins =
        made.what == capture::event::connected || made.what == capture::event::received || made.what == capture::event::sent;
    if (!first && begins) first = made.connection;
    if (first != made.connection) continue;
    if (made.what == capture::event::input_ended || made.what == capture::event::lost) return out;
    if (made.what == capture::event::received) out.append(as_text(made.data));
  }
}

void check_player(const_bytes file, double speed) {
  std::string heard;
  testing::manual_scheduler scheduler;
  capture::play_options options;
  options.speed = speed;
  capture::play(scheduler, std::string(as_text(file)), testing::checked([&] { return std::make_unique<listener>(heard); })(), options);
  scheduler.advance(std::chrono::hours(24 * 365 * 99));
  if (speed == 0) oracle::require(scheduler.open_transports() == 0, "the connection ends with the capture");
  const std::string all = bytes_of_first(file);
  oracle::require(speed == 0 ? heard == all : all.starts_with(heard), "what is played is what was received");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 8192) return 0;
  const const_bytes file = std::as_bytes(std::span(data, size)).subspan(1);
  const capture::reader_limits limits{.max_block = (data[0] & 1) != 0 ? std::size_t{128} : std::size_t{1024} * 1024, .max_interfaces = 8};
  oracle::check_decoder(capture::reader(limits), file, data[0], renderer());
  check_way_back(file, limits);
  check_player(file, (data[0] & 2) != 0 ? 1 : 0);
  return 0;
}
