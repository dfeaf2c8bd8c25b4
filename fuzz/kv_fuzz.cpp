// kv_server's whole protocol over an in-memory link in virtual time. The input is a schedule: pieces of a request stream, pauses of the client,
// jumps of the clock, short sends, and how it ends. Held against it: the order of the callbacks, bounded output, replies that are
// well-formed RESP2 whatever came in, and that nothing is left when both sides are gone.

#include <sluice/memory.hpp>
#include <sluice/redis/reply_decoder.hpp>
#include <sluice/testing/checked_protocol.hpp>
#include <sluice/testing/manual_scheduler.hpp>

#include <algorithm>
#include <memory>
#include <string>

#include "decoder_oracle.hpp"
#include "kv_connection.hpp"
#include "schedule.hpp"

using namespace sluice;

namespace {

constexpr std::size_t most_unsent = 256 * 1024;

// What the client sees: every byte of the replies.
class client final : public protocol {
 public:
  explicit client(std::string& replies) : replies_(replies) {}

 private:
  void data_received(const_bytes data) override { replies_ += as_text(data); }

  std::string& replies_;
};

void check_replies(std::string_view replies) {
  redis::reply_decoder decoder;
  while (!replies.empty()) {
    const auto result = decoder.decode(as_bytes(replies));
    oracle::require(result.status != framing::decode_status::error, "every reply is well-formed");
    if (result.status == framing::decode_status::need_more) return;  // the connection ended inside the last one
    replies.remove_prefix(result.consumed);
  }
}

void perform(std::uint8_t step, schedule& steps, testing::manual_scheduler& scheduler, memory::connection& link) {
  if (!link.link.is_open(memory::side::first)) return;
  switch (step % 8) {
    case 0: link.first.pause_reading(); return;
    case 1: link.first.resume_reading(); return;
    case 2: scheduler.advance(std::chrono::milliseconds(steps.next() * 50)); return;
    case 3: link.link.limit_sends(memory::side::second, {static_cast<std::size_t>(steps.next()) + 1}); return;
    case 4: link.first.write_eof(); return;
    default: link.first.write(steps.piece(std::size_t{1} + steps.next() % 64)); return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  kv_service service;
  service.max_bulk = 1024;
  service.max_unsent = most_unsent;
  std::string replies;
  {
    testing::manual_scheduler scheduler;
    auto link = memory::pair(scheduler, testing::checked([&] { return std::make_unique<client>(replies); })(),
                             testing::checked([&] { return std::make_unique<kv_connection>(service); })(), {.capacity = 4096});
    schedule steps(data, size);
    const bool ends_in_reset = (steps.next() & 1) != 0;
    while (!steps.is_over() && link.link.is_open(memory::side::first) && link.link.is_open(memory::side::second)) {
      perform(steps.next(), steps, scheduler, link);
      scheduler.run_until_idle();
      if (link.link.is_open(memory::side::second))
        oracle::require(link.second.get_write_buffer_size() <= most_unsent, "unsent replies are bounded");
    }
    if (link.link.is_open(memory::side::first)) {
      link.first.resume_reading();
      scheduler.run_until_idle();
    }
    if (link.link.is_open(memory::side::first)) ends_in_reset ? link.first.reset() : link.first.close();
    scheduler.advance(std::chrono::minutes(2));
    oracle::require(scheduler.open_transports() == 0, "both ends are gone in the end");
    oracle::require(service.sessions.size() == 0, "no session outlives its connection");
  }
  check_replies(replies);
  return 0;
}
