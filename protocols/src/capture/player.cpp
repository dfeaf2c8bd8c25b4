#include <sluice/capture/player.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <sluice/capture/reader.hpp>
#include <sluice/detail/time_span.hpp>
#include <sluice/stream_transport.hpp>
#include <sluice/timer.hpp>

namespace sluice::capture {
namespace {

constexpr std::size_t most_per_turn = std::size_t{64} * 1024;

class player final : public stream_transport {
 public:
  player(sluice::scheduler& owner, std::string capture, const play_options& options)
      : stream_transport(owner), capture_(std::move(capture)), options_(options), start_(owner.now()), next_(owner, [this] { go_on(); }) {}

  bool can_write_eof() const override { return true; }

 private:
  // What is to be done with the record that is next.
  enum class action : std::uint8_t {
    none,
    deliver,
    end_input,
    lose
  };

  void start_reading() override { next_.start(duration::zero()); }
  void stop_reading() override { next_.stop(); }
  send_result send(std::span<const const_bytes> parts) override {
    std::size_t total = 0;
    for (const const_bytes part : parts) total += part.size();
    return total;
  }
  void send_later(std::span<const const_bytes>) override {}
  std::error_code shutdown_output() override { return {}; }
  progress begin_close(close_kind) override { return progress::done; }
  progress release() override {
    next_.stop();
    return progress::done;
  }
  void describe(info_query& query) const override {
    query.answer<transport_kind>([] { return transport_kind{"capture"}; });
    query.answer<play_progress>([this] {
      play_progress made = progress_;
      made.fault = reader_.fault();
      return made;
    });
  }

  void go_on() {
    std::size_t played = 0;
    while (wants_input() && !input_ended()) {
      if (!current_ && !find_next()) return;
      if (const time_point due = due_time(); due > scheduler().now()) return next_.start_at(due);
      if (played >= most_per_turn) return next_.start(duration::zero());
      played += 1 + current_->data.size();
      play(*std::exchange(current_, std::nullopt));
    }
  }

  // The next record that is of this connection. False, and the end is told, if there is none.
  bool find_next() {
    for (;;) {
      const auto got = reader_.decode(as_bytes(capture_).subspan(at_));
      at_ += got.consumed;
      switch (got.status) {
        case framing::decode_status::need_more: return end(at_ != capture_.size());
        case framing::decode_status::error: failed(got.error); return false;
        case framing::decode_status::message: break;
      }
      if (!belongs(got.message)) continue;
      current_ = got.message;
      if (!first_) first_ = current_->time;
      return true;
    }
  }

  bool end(bool inside_a_block) {
    if (inside_a_block)
      failed(errc::capture_cut);
    else
      received_eof();
    return false;
  }

  bool belongs(const record& found) {
    const bool begins = found.what == event::connected || found.what == event::received || found.what == event::sent;
    if (!options_.connection && begins) options_.connection = found.connection;
    return options_.connection == found.connection;
  }

  time_point due_time() const {
    if (options_.speed == 0) return start_;
    const auto then = current_->time - *first_;
    if (options_.speed == 1) return detail::later(start_, detail::bounded(then));
    return detail::later(start_, detail::bounded(std::chrono::duration<double, std::nano>(then) / options_.speed));
  }

  action what_to_do(const record& made) const noexcept {
    const bool is_peer = options_.side == recorded_side::peer;
    switch (made.what) {
      case event::received: return is_peer && !made.data.empty() ? action::deliver : action::none;
      case event::sent: return !is_peer && !made.data.empty() ? action::deliver : action::none;
      case event::input_ended: return is_peer ? action::end_input : action::none;
      case event::output_ended: return is_peer ? action::none : action::end_input;
      case event::lost: return made.note.empty() ? action::end_input : action::lose;
      case event::connected:
      case event::reading_paused:
      case event::reading_resumed:
      case event::writing_paused:
      case event::writing_resumed:
      case event::dropped:
      case event::parity_error:
      case event::framing_error:
      case event::line_break:
      case event::overrun:
      case event::lines_changed:
      case event::other: break;
    }
    return action::none;
  }

  void play(const record& made) {
    ++progress_.records;
    progress_.missing += made.missing_bytes;
    switch (what_to_do(made)) {
      case action::none: return;
      case action::deliver:
        progress_.bytes += made.data.size();
        received(made.data);
        return;
      case action::end_input: received_eof(); return;
      case action::lose: failed(errc::connection_lost); return;
    }
  }

  const std::string capture_;
  play_options options_;
  reader reader_;
  std::optional<record> current_;  // still to be played; a view of the capture
  std::size_t at_ = 0;
  play_progress progress_;
  std::optional<std::chrono::nanoseconds> first_;  // the time of the first record
  time_point start_;                               // which is this one here
  timer next_;
};

}  // namespace

transport& play(scheduler& owner, std::string capture, protocol_ptr upper, const play_options& options) {
  if (!(options.speed >= 0)) throw std::invalid_argument("sluice::capture::play: the speed is negative; expected 0 or more");
  return stream_transport::start(std::make_unique<player>(owner, std::move(capture), options), std::move(upper));
}

}  // namespace sluice::capture
