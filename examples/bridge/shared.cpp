#include "shared.hpp"

#include <cstdio>
#include <memory>
#include <utility>

namespace bridge {

// The connection to the first endpoint, a fresh one each time.
class shared::line final : public sluice::protocol {
 public:
  explicit line(shared& owner) : owner_(owner) {}

 private:
  void connection_made(sluice::transport& made) override { owner_.line_made(made); }
  void data_received(sluice::const_bytes data) override { owner_.hub_.write(data); }
  sluice::backpressure pause_writing() override {
    owner_.line_paused(true);
    return sluice::backpressure::handled;
  }
  void resume_writing() override { owner_.line_paused(false); }
  void connection_lost(std::error_code) override { owner_.line_lost(); }

  shared& owner_;
};

class shared::client final : public sluice::fan_out::sink {
 public:
  explicit client(shared& owner) : sink(owner.hub_, owner.sinks_), owner_(owner) {}

 private:
  void connection_made(sluice::transport& made) override {
    sink::connection_made(made);
    owner_.speed_.bound_feeder(made);
    sluice::stream_options options = made.options();
    options.report_hangup_while_paused = true;  // while the line is away, one that leaves makes room for the next
    made.set_options(options);
    made.hold_for_sink(owner_.line_ == nullptr || owner_.is_paused_);
  }
  void data_received(sluice::const_bytes data) override { owner_.forward(data); }
  void connection_lost(std::error_code reason) override {
    const auto number = static_cast<unsigned long long>(connection()->id());
    if (counters().disconnected.bytes != 0)
      std::printf("client %llu took too little: disconnected\n", number);
    else if (reason)
      std::printf("client %llu: %s\n", number, reason.message().c_str());
    sink::connection_lost(reason);
  }

  shared& owner_;
};

namespace {

sluice::reconnect_options pacing(const settings& chosen, sluice::reconnect_observer observer) {
  sluice::reconnect_options how;
  if (!chosen.reconnect) {
    how.pacing.attempts = 1;
    how.pacing.settled = sluice::duration::max();
    how.pacing.after_orderly_end = sluice::reconnect_machine::orderly_end::finish;
  }
  how.pacing.longest = std::chrono::seconds(1);
  how.on_event = std::move(observer);
  return how;
}

}  // namespace

shared::shared(sluice::loop& loop, const sluice::scheme_table& schemes, const settings& chosen, recording& records,
               std::function<void()> on_end)
    : sinks_{.policy = chosen.policy, .most_bytes = chosen.queue},
      on_end_(std::move(on_end)),
      hub_(loop),
      first_(
          loop, chosen.first, schemes, [this, &records] { return records.tap(std::make_unique<line>(*this)); },
          pacing(chosen, [this](const auto& event) { told(event); })) {}

sluice::protocol_ptr shared::accept() { return std::make_unique<client>(*this); }

void shared::line_made(sluice::transport& made) {
  line_ = &made;
  speed_ = slow_line(made);
  speed_.bound(made);
  if (clients_ != nullptr) speed_.bound_feeders_of(*clients_);
  hub_.for_each_sink([this](sluice::fan_out::sink& each) { speed_.bound_feeder(*each.connection()); });
  hub_.set_source(made);
  line_paused(false);
}

void shared::line_lost() {
  line_ = nullptr;
  hold_clients();
}

void shared::line_paused(bool on) {
  is_paused_ = on;
  hold_clients();
}

void shared::hold_clients() {
  const bool on = line_ == nullptr || is_paused_;
  hub_.for_each_sink([on](sluice::fan_out::sink& each) { each.connection()->hold_for_sink(on); });
}

void shared::forward(sluice::const_bytes data) {
  const bool taken = line_ != nullptr && line_->write(data) != sluice::write_status::dropped;
  (taken ? taken_ : dropped_) += data.size();
}

// One line for each change; attempts that fail as the one before did are none.
void shared::told(const sluice::reconnect_event& event) {
  switch (event.what) {
    case sluice::reconnect_event::kind::connected: std::printf("connected to the first\n"); break;
    case sluice::reconnect_event::kind::not_connected:
      if (event.error != last_error_) std::printf("%s\n", event.detail.c_str());
      break;
    case sluice::reconnect_event::kind::lost:
      std::printf("the first is lost: %s\n", event.error ? event.detail.c_str() : "orderly end");
      break;
  }
  last_error_ = event.error;
  std::fflush(stdout);
  if (first_.is_active()) return;
  failed_ = static_cast<bool>(event.error);
  on_end_();
}

std::size_t shared::waiting() {
  std::size_t bytes = line_ == nullptr ? 0 : waiting_in(*line_);
  hub_.for_each_sink([&](sluice::fan_out::sink& each) { bytes += waiting_in_the_system(*each.connection()); });
  return bytes;
}

void shared::print() {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  const sluice::fan_out_counters& all = hub_.counters();
  std::printf("waiting for the first: %s\n", speed_.describe(waiting()).c_str());
  std::printf("clients: %zu, bytes to clients: %llu, dropped: %llu oldest, %llu newest, %llu disconnected, %llu left\n", hub_.sinks(),
              number(all.sent.bytes), number(all.dropped_oldest.bytes), number(all.dropped_newest.bytes), number(all.disconnected.bytes),
              number(all.left.bytes));
  std::printf("bytes to the first: %llu, dropped: %llu, connections: %llu, losses: %llu\n", number(taken_), number(dropped_),
              number(first_.counters().connections), number(first_.counters().losses));
  std::fflush(stdout);
}

}  // namespace bridge
