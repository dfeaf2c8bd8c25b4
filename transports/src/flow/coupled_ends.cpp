#include "coupled_ends.hpp"

#include <sluice/error.hpp>

#include <utility>

namespace sluice::detail {
namespace {

std::size_t opposite(std::size_t at) noexcept { return 1 - at; }

}  // namespace

coupled_ends::coupled_ends(scheduler& owner, coupling_handler on_end, const couple_options& settings)
    : owner_(owner), on_end_(std::move(on_end)), silence_(owner, [this] { heard_nothing(); }) {
  ends_[0].longest_silence = settings.silence_of_first;
  ends_[1].longest_silence = settings.silence_of_second;
}

void coupled_ends::made(std::size_t at, transport& connection) {
  end& here = ends_[at];
  end& there = ends_[opposite(at)];
  here.stage = stage::open;
  here.connection = &connection;
  here.alive = transport_ref(connection);
  switch (there.stage) {
    case stage::awaited: connection.hold_for_sink(true); return;
    case stage::over: connection.close(); return;
    case stage::input_ended: end_output(at); break;
    case stage::open: there.connection->hold_for_sink(false); break;
  }
  if (there.is_above_mark) connection.hold_for_sink(true);
}

void coupled_ends::received(std::size_t at, const_bytes data) {
  end& here = ends_[at];
  const end& there = ends_[opposite(at)];
  if (silence_.is_running()) count_silence();
  const bool taken = there.is_there() && there.connection->write(data) != write_status::dropped;
  (taken ? here.out.bytes : here.out.dropped) += data.size();
  ++here.out.chunks;
  if (!taken) here.connection->hold_for_sink(true);  // until the other end is lost, which is under way
}

void coupled_ends::input_ended(std::size_t at) {
  ends_[at].stage = stage::input_ended;
  silence_.stop();
  if (ends_[opposite(at)].is_there()) end_output(opposite(at));
}

// The other end's input has ended. A peer that cannot be told may have an answer, for which there is nobody if the other end cannot be half
// closed either: its end is the end of both directions.
void coupled_ends::end_output(std::size_t at) {
  const end& here = ends_[at];
  transport& sink = *here.connection;
  const bool is_heard = here.stage == stage::open && ends_[opposite(at)].connection->can_write_eof();
  if (sink.can_write_eof()) {
    sink.write_eof();
  } else if (is_heard && here.longest_silence > duration::zero()) {
    sink.flush();  // what this turn wrote is no progress of the time that begins now
    count_silence();
  } else {
    sink.close();
  }
}

void coupled_ends::count_silence() {
  const end& here = ends_[asked()];
  unsent_ = here.connection->get_write_buffer_size();
  silence_.start(here.longest_silence);
}

// Who is not read cannot be heard, and who is still being asked has no answer yet.
void coupled_ends::heard_nothing() {
  transport& silent = *ends_[asked()].connection;
  const bool is_read = silent.is_reading() && !ends_[opposite(asked())].is_above_mark;
  if (is_read && silent.get_write_buffer_size() == unsent_)
    silent.close();
  else
    count_silence();
}

void coupled_ends::above_mark(std::size_t at) {
  ends_[at].is_above_mark = true;
  end& source = ends_[opposite(at)];
  if (!source.is_there()) return;
  ++source.out.holds;
  source.connection->hold_for_sink(true);
}

void coupled_ends::at_low_mark(std::size_t at) {
  ends_[at].is_above_mark = false;
  if (silence_.is_running()) count_silence();
  const end& source = ends_[opposite(at)];
  if (source.is_there()) source.connection->hold_for_sink(false);
}

void coupled_ends::lost(std::size_t at, std::error_code reason) {
  ends_[at].reason = reason;
  finish(ends_[at], ends_[opposite(at)]);
}

void coupled_ends::left(std::size_t at) {
  end& here = ends_[at];
  if (here.stage == stage::over) return;
  if (transport* const lives_on = here.alive.get()) lives_on->hold_for_sink(false);
  here.reason = errc::cancelled;
  finish(here, ends_[opposite(at)]);
}

void coupled_ends::finish(end& gone, end& other) {
  gone.stage = stage::over;
  silence_.stop();
  if (other.is_there()) other.connection->close();
  if (!is_over()) return;
  const coupling_handler on_end = std::exchange(on_end_, nullptr);
  if (on_end == nullptr) return;
  unique_function call = [&] { on_end(report()); };
  owner_.run_turn(call, error_source::scheduled, "coupling handler");
}

coupling_report coupled_ends::report() const noexcept { return {ends_[0].out, ends_[1].out, ends_[0].reason, ends_[1].reason}; }

}  // namespace sluice::detail
