#include <sluice/framing/framed.hpp>

#include <sluice/error.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/transport_ref.hpp>

#include <stdexcept>

namespace sluice::framing {

framed_base::~framed_base() = default;

void framed_base::connection_made(sluice::transport& transport) { transport_ = &transport; }

sluice::transport& framed_base::transport() const {
  if (transport_ == nullptr) throw std::logic_error("framed: an override of connection_made must call framed::connection_made");
  return *transport_;
}

void framed_base::data_received(const_bytes data) {
  if (state_ == state::done) return;
  input_.receive(data);
  deliver();
}

eof framed_base::eof_received() {
  if (state_ == state::done) return eof::close;
  state_ = state::at_end;
  deliver();
  // Held messages are still to be answered: the output stays open until they were.
  return state_ == state::at_end && holds_ != 0 ? eof::keep_open : end();
}

// Called when nothing more can come and nothing is held.
eof framed_base::end() {
  if (state_ == state::done) return eof::close;
  const bool is_whole = input_.empty();
  if (!is_whole) fail(errc::truncated);
  state_ = state::done;
  return is_whole ? messages_ended() : eof::keep_open;  // framing_failed has said what becomes of the connection
}

bool framed_base::may_deliver() const {
  const auto& lower = transport();
  return state_ != state::done && holds_ == 0 && (!lower.is_closing() || lower.is_reading());
}

void framed_base::deliver() {
  struct delivery {
    framed_base& owner;
    explicit delivery(framed_base& base) : owner(base) { owner.delivering_ = true; }
    ~delivery() {
      owner.delivering_ = false;
      owner.input_.abandon_chunk();  // settled before, unless a message threw
    }
  } running(*this);
  while (may_deliver() && !input_.empty() && decode_once(input_)) {
  }
  if (state_ == state::done)
    input_.clear();
  else
    input_.settle(!may_deliver());
}

backpressure framed_base::pause_writing() {
  holds_ |= by_writing;
  return backpressure::hold_reading;
}

void framed_base::resume_writing() { release(by_writing); }

void framed_base::pause_messages() {
  holds_ |= by_user;
  transport().pause_reading();
}

void framed_base::resume_messages() {
  transport().resume_reading();
  release(by_user);
}

void framed_base::release(hold which) {
  holds_ &= static_cast<std::uint8_t>(~which);
  if (holds_ == 0 && !delivering_ && (!input_.empty() || state_ == state::at_end)) deliver_soon();
}

void framed_base::deliver_soon() {
  if (soon_ == nullptr)
    soon_ = std::make_unique<deferred_call>(transport().scheduler(), [this, alive = transport_ref(transport())] {
      if (alive) deliver_kept();
    });
  soon_->schedule();
}

void framed_base::deliver_kept() {
  try {
    deliver();
    if (state_ == state::at_end && holds_ == 0 && end() == eof::close) transport().close();
  } catch (...) {
    transport().abort();  // no callback of the transport is running that would do it
    throw;
  }
}

const_bytes framed_base::take_unread() {
  state_ = state::done;
  return input_.unread();
}

void framed_base::fail(std::error_code error) {
  state_ = state::done;
  framing_failed(error);
}

void framed_base::framing_failed(std::error_code) { transport().close(); }

eof framed_base::messages_ended() { return eof::close; }

}  // namespace sluice::framing
