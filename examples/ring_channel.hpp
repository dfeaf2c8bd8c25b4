#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/stream_transport.hpp>

// A transport of one's own: connections through shared memory. Each direction is a ring of bytes that one end fills and the other empties, with
// no lock and no system call; each end has a bell, which the other one rings when there is something to look at. The two ends may live in one
// thread or in two.
namespace rings {

/// One direction. The writer and the reader may be two threads.
class byte_ring {
 public:
  enum class ending : std::uint8_t {
    none,
    ended,  ///< All was written; it can still be read.
    broken  ///< The writer gave up.
  };

  // For the writer.

  /// Copies as much of `data` as there is room for.
  std::size_t put(sluice::const_bytes data) noexcept {
    const std::size_t end = written_.load(std::memory_order_relaxed);
    const std::size_t n = std::min(data.size(), capacity - (end - read_.load(std::memory_order_acquire)));
    const std::size_t before_wrap = std::min(n, capacity - end % capacity);
    std::memcpy(bytes_.data() + end % capacity, data.data(), before_wrap);
    std::memcpy(bytes_.data(), data.data() + before_wrap, n - before_wrap);
    written_.store(end + n, std::memory_order_release);
    return n;
  }
  void end(ending how) noexcept {
    if (ending_.load(std::memory_order_relaxed) != ending::broken) ending_.store(how, std::memory_order_release);
  }
  bool is_abandoned() const noexcept { return abandoned_.load(std::memory_order_acquire); }

  // For the reader.

  /// Moves as much to `into` as there is.
  std::size_t take(sluice::mutable_bytes into) noexcept {
    const std::size_t begin = read_.load(std::memory_order_relaxed);
    const std::size_t n = std::min(into.size(), written_.load(std::memory_order_acquire) - begin);
    const std::size_t before_wrap = std::min(n, capacity - begin % capacity);
    std::memcpy(into.data(), bytes_.data() + begin % capacity, before_wrap);
    std::memcpy(into.data() + before_wrap, bytes_.data(), n - before_wrap);
    read_.store(begin + n, std::memory_order_release);
    return n;
  }
  /// Ask this before `is_empty`: what was written before the end is there by then.
  ending how_ended() const noexcept { return ending_.load(std::memory_order_acquire); }
  bool is_empty() const noexcept { return written_.load(std::memory_order_acquire) == read_.load(std::memory_order_relaxed); }
  /// Nobody will read any more.
  void abandon() noexcept { abandoned_.store(true, std::memory_order_release); }

 private:
  static constexpr std::size_t capacity = 64 * 1024;  // a power of two: the counters may wrap around
  static constexpr std::size_t cache_line = 64;

  alignas(cache_line) std::atomic<std::size_t> written_{0};
  std::atomic<ending> ending_{ending::none};
  alignas(cache_line) std::atomic<std::size_t> read_{0};
  std::atomic<bool> abandoned_{false};
  alignas(cache_line) std::array<std::byte, capacity> bytes_;
};

class ring_channel;

/// Runs a function soon in the thread of one end: `call_soon` of its scheduler if both ends share it, `post` of its loop otherwise.
using poster = std::function<void(std::function<void()>)>;

/// What the two ends share. Lives as long as one of them, or a bell that was rung.
class ring_link : public std::enable_shared_from_this<ring_link> {
 public:
  enum class side : std::uint8_t {
    first,
    second
  };

  ring_link(poster to_first, poster to_second) : ends_{{{std::move(to_first)}, {std::move(to_second)}}} {}

  byte_ring& output_of(side which) noexcept { return at(which).output; }
  byte_ring& input_of(side which) noexcept { return at(other(which)).output; }
  static side other(side which) noexcept { return which == side::first ? side::second : side::first; }

  /// `channel` hears the bell of its side; null: nobody does. In the thread of that side.
  void attach(side which, ring_channel* channel) noexcept { at(which).channel = channel; }
  /// In either thread: the end `which` will look at its rings, once for any number of calls before it does.
  void ring_bell(side which);

 private:
  struct end {
    poster post;
    byte_ring output{};
    std::atomic<bool> rung{false};
    ring_channel* channel = nullptr;
  };
  end& at(side which) noexcept { return ends_[static_cast<std::size_t>(which)]; }

  std::array<end, 2> ends_;
};

/// One end. Everything that the contract asks for is the engine's: this class moves bytes and says what happened.
class ring_channel final : public sluice::stream_transport {
 public:
  using side = ring_link::side;

  /// Makes the end `which` of `link`, in its own thread. The other end may be made before or later.
  static sluice::transport& open(sluice::scheduler& owner, std::shared_ptr<ring_link> link, side which, sluice::protocol_ptr upper) {
    return start(std::unique_ptr<ring_channel>(new ring_channel(owner, std::move(link), which)), std::move(upper));
  }

  ~ring_channel() override { link_->attach(side_, nullptr); }
  bool can_write_eof() const override { return true; }

 private:
  friend class ring_link;

  ring_channel(sluice::scheduler& owner, std::shared_ptr<ring_link> link, side which)
      : stream_transport(owner), link_(std::move(link)), side_(which) {
    link_->attach(side_, this);
  }

  byte_ring& input() noexcept { return link_->input_of(side_); }
  byte_ring& output() noexcept { return link_->output_of(side_); }
  void wake_peer() { link_->ring_bell(ring_link::other(side_)); }
  void wake_self() { link_->ring_bell(side_); }

  // Our bell was rung: a turn of its own, outside of all hooks. One read per turn, so that what is written of it need not be copied.
  void look() {
    const byte_ring::ending how = input().how_ended();
    const bool has_bytes = !input().is_empty();
    if (wants_input() && has_bytes)
      read_once();
    else if (how == byte_ring::ending::broken)
      failed(sluice::system_error(ECONNRESET));
    else if (how == byte_ring::ending::ended && !has_bytes)
      received_eof();  // at whatever time: the engine knows when to deliver it
    if (has_queued_output()) ready_to_send();
  }

  void read_once() {
    const sluice::mutable_bytes room = receive_buffer();
    if (room.empty()) return;  // the protocol gave none
    const std::size_t n = input().take(room);
    if (n == 0) return;
    wake_peer();  // there is room again
    wake_self();  // there may be more
    received(n);
  }

  // The hooks.

  void start_reading() override { wake_self(); }
  void stop_reading() override {}  // look() asks wants_input()

  sluice::send_result send(std::span<const sluice::const_bytes> parts) override {
    if (output().is_abandoned()) return sluice::system_error(EPIPE);
    std::size_t taken = 0;
    for (const sluice::const_bytes part : parts) {
      const std::size_t n = output().put(part);
      taken += n;
      if (n != part.size()) break;
    }
    if (taken != 0) wake_peer();
    return taken;
  }

  void send_later(std::span<const sluice::const_bytes>) override {}  // the peer rings when it has made room

  std::error_code shutdown_output() override {
    output().end(byte_ring::ending::ended);
    wake_peer();
    return {};
  }

  sluice::progress begin_close(sluice::close_kind kind) override {
    output().end(kind == sluice::close_kind::reset ? byte_ring::ending::broken : byte_ring::ending::ended);
    wake_peer();
    return sluice::progress::done;
  }

  sluice::progress release() override {
    link_->attach(side_, nullptr);
    input().abandon();
    wake_peer();
    return sluice::progress::done;
  }

  void describe(sluice::info_query& query) const override {
    query.answer<sluice::transport_kind>([] { return sluice::transport_kind{"rings"}; });
  }

  std::shared_ptr<ring_link> link_;
  side side_;
};

inline void ring_link::ring_bell(side which) {
  if (at(which).rung.exchange(true)) return;
  at(which).post([self = shared_from_this(), which] {
    end& woken = self->at(which);
    woken.rung = false;
    if (woken.channel != nullptr) woken.channel->look();
  });
}

/// Two ends in one thread.
inline void connect(sluice::scheduler& owner, sluice::protocol_ptr first, sluice::protocol_ptr second) {
  const poster soon = [&owner](std::function<void()> function) { owner.call_soon(std::move(function)); };
  const auto link = std::make_shared<ring_link>(soon, soon);
  ring_channel::open(owner, link, ring_link::side::first, std::move(first));
  ring_channel::open(owner, link, ring_link::side::second, std::move(second));
}

}  // namespace rings
