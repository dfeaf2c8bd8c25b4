#include <sluice/tls/layer.hpp>

#include <new>
#include <utility>

#include <sluice/error.hpp>
#include <sluice/loop.hpp>

#include "tls/context_state.hpp"
#include "tls/plaintext_cursor.hpp"
#include "tls/slow_handshake.hpp"
#include "tls/ssl_session.hpp"
#include "tls/workshop.hpp"

namespace sluice::tls {

using action = layer_machine::action;
using detail::outcome;
using detail::problem;
using detail::record_io;
using detail::workshop;

namespace {

constexpr std::size_t largest_record = 16 * 1024;
constexpr std::size_t packet_record = 1350;             // with what TLS, TCP and IP add it fits an Ethernet frame
constexpr std::uint8_t busy_events = 16;                // reads and sends
constexpr std::size_t most_unread_answers = 16 * 1024;  // bytes
constexpr std::size_t most_held_meanwhile = 256 * 1024;
constexpr std::size_t largest_hello = 16 * 1024 + 5;  // of a client that has to wait: one record

// There is something to verify by, or nothing is verified.
problem what_is_wrong(const detail::context_state* state, const std::string& name) {
  if (state == nullptr) return {errc::bad_option, "the layer was given an empty context"};
  if (state->is_server()) return {};
  const bool pinned = !state->client().servers.pinned.empty();
  if (name.empty()) return {state->client().verify_peer && !pinned ? errc::name_required : std::error_code(), {}};
  if (detail::is_server_name(name.ends_with('.') ? name.substr(0, name.size() - 1) : name)) return {};
  return {errc::bad_option, "server_name \"" + detail::printable(name) + "\" is no host name and no IP address"};
}

// A method and a space, as at the beginning of a request, or an answer.
bool is_http(const_bytes data) noexcept {
  const std::string_view text = as_text(data.first(std::min<std::size_t>(data.size(), 16)));
  const std::size_t method = std::min(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), text.size());
  return text.starts_with("HTTP/") || (method >= 3 && text.substr(method).starts_with(" /")) || text.starts_with("PRI * HTTP/2");
}

}  // namespace

layer::layer(sluice::scheduler& owner, context settings, connection_options options)
    : layer(owner, nullptr, std::move(settings), std::move(options)) {}

layer::layer(sluice::scheduler& owner, protocol_ptr upper, context settings, connection_options options)
    : sluice::layer(owner, std::move(upper)),
      workshop_(sluice::detail::attachment::of<workshop>(owner)),
      context_(std::move(settings)),
      options_(std::make_unique<connection_options>(std::move(options))),
      deadline_(owner, [this] { deadline_passed(); }) {}

layer::~layer() {
  workshop_.unlist(*this);
  if (counted_) tell_failure({sluice::errc::aborted, {}});  // a switch below took it out in the middle of its handshake
}

// In the handshake, what may come of it.
bool layer::can_write_eof() const {
  if (is_established()) return session_ != nullptr && session_->is_tls1_3();
  return context_ && !is_closing() && context_.state_->common().max_version == protocol_version::tls1_3;
}

void layer::connection_made(transport& below) {
  attach(below);
  if (const problem wrong = begin(); wrong.code) {
    fail_with(wrong);
    return;
  }
  if (context_.is_server()) return;
  record_io io(workshop_, below);
  shake(io, {});
}

problem layer::begin() try {
  if (problem wrong = what_is_wrong(context_.state_.get(), options_->server_name); wrong.code) return wrong;
  ++context_.state_->begun;
  counted_ = true;
  received_before_ = lower().counters().bytes_received;
  was_paused_ = !lower().is_reading();
  lower().resume_reading();  // the handshake needs it; the pause is the upper protocol's (rule T11)
  if (!context_.is_server()) {
    session_ = detail::ssl_session::make(context_.state_, workshop_, options_->server_name);
    if (session_ == nullptr) return {make_error_code(std::errc::not_enough_memory), {}};
  }
  small_left_ = static_cast<std::uint32_t>(context_.state_->common().small_records_first);
  deadline_.start(context_.state_->common().handshake_timeout);
  return {};
} catch (const std::bad_alloc&) {
  return {make_error_code(std::errc::not_enough_memory), {}};
}

// More came since this layer was put in than the transport below has received since: some of it was there before.
bool layer::was_injected(const_bytes data) noexcept {
  if (options_ == nullptr || options_->received_is_tls) return false;
  received_since_ += data.size();
  return received_since_ > lower().counters().bytes_received - received_before_;
}

void layer::data_received(const_bytes data) {
  if (!listens()) return;
  if (machine_.current() == layer_machine::state::handshaking && was_injected(data))
    fail_with({errc::plaintext_before_tls, {}});
  else
    take(data);
}

void layer::take(const_bytes data) {
  if (machine_.current() == layer_machine::state::handshaking) {
    advance_handshake(data);
    return;
  }
  note_activity();
  record_io io(workshop_, lower(), data);
  decrypt(io);
}

// Application data may come with the last record of the handshake.
void layer::advance_handshake(const_bytes data) {
  if (slow_ != nullptr) return keep_for_later(data);
  if (is_let_in(data) && !shake_apart(data)) shake_here(data);
}

void layer::shake_here(const_bytes data) {
  note_activity();
  record_io io(workshop_, lower(), data);
  shake(io, data);
  if (machine_.listens() && machine_.current() != layer_machine::state::handshaking) decrypt(io);
}

// A server makes what the handshake needs when the client has said something, and then only if it is this one's turn.
bool layer::is_let_in(const_bytes data) {
  if (session_ != nullptr) return true;
  try {
    if (!is_inside_ && context_.state_->server().max_handshakes != 0) {
      is_inside_ = workshop_.gate().enter(*context_.state_, *this);
      if (!is_inside_) {
        slow_ = std::make_unique<detail::slow_handshake>();
        slow_->turn.emplace(scheduler(), [this] { come_in(); });
        keep_for_later(data);
        return false;
      }
    }
    session_ = detail::ssl_session::make(context_.state_, workshop_, {});
  } catch (const std::bad_alloc&) {
    workshop_.gate().give_up(*context_.state_, *this);
  }
  if (session_ == nullptr) fail_with({make_error_code(std::errc::not_enough_memory), {}});
  return session_ != nullptr;
}

// Nothing is read meanwhile, unless somebody else resumes what is below.
void layer::keep_for_later(const_bytes data) {
  lower().pause_reading();
  std::string& kept = slow_->kept;
  if (data.size() > largest_hello - kept.size()) {
    fail_with({errc::protocol_violation, {}});
    return;
  }
  try {
    kept += as_text(data);
  } catch (const std::bad_alloc&) {
    fail_with({make_error_code(std::errc::not_enough_memory), {}});
  }
}

// Its turn has come.
void layer::come_in() {
  const std::unique_ptr<detail::slow_handshake> waited = std::exchange(slow_, nullptr);
  if (machine_.current() != layer_machine::state::handshaking || waited == nullptr) return;
  lower().resume_reading();
  advance_handshake(as_bytes(waited->kept));
}

void layer::leave_gate() noexcept {
  if (slow_ != nullptr && slow_->turn && !is_inside_) workshop_.gate().give_up(*context_.state_, *this);
  if (!std::exchange(is_inside_, false)) return;
  if (layer* const next = workshop_.gate().leave(*context_.state_)) {
    next->is_inside_ = true;
    next->slow_->turn->schedule();
  }
}

void layer::shake(record_io& io, const_bytes data) {
  const outcome result = session_->handshake(io);
  io.flush();
  judge_handshake(result, data);
}

// On a thread of the executor. Nothing is read meanwhile. False: it has to be done here.
bool layer::shake_apart(const_bytes data) {
  if (!context_.is_server() || !context_.state_->server().offload_handshakes) return false;
  auto* const owner = dynamic_cast<sluice::loop*>(&scheduler());
  if (owner == nullptr) return false;
  try {
    auto slow = std::make_unique<detail::slow_handshake>();
    auto step = std::make_shared<detail::handshake_step>();
    step->input = as_text(data);
    step->first_bytes = step->input.substr(0, 16);
    step->session = std::move(session_);
    slow->step = step;
    slow_ = std::move(slow);
    slow_->job =
        owner->run_in_executor([step] { step->run(); }, [this](const job_result<void>& end) { step_done(static_cast<bool>(end)); });
  } catch (const std::bad_alloc&) {
    fail_with({make_error_code(std::errc::not_enough_memory), {}});
    return true;
  }
  lower().pause_reading();
  return true;
}

// The layer is there still, or the job would have been abandoned. A step that no thread has taken on is done here.
void layer::step_done(bool was_done) {
  const std::unique_ptr<detail::slow_handshake> slow = std::exchange(slow_, nullptr);
  detail::handshake_step& step = *slow->step;
  session_ = std::move(step.session);
  session_->use(workshop_);
  if (machine_.current() != layer_machine::state::handshaking) return;
  lower().resume_reading();
  if (was_done) {
    if (!step.output.empty()) lower().write(as_bytes(step.output));
    judge_handshake(step.result, as_bytes(step.first_bytes));
  } else {
    shake_here(as_bytes(step.input));
    step.input.clear();
  }
  for (const std::string* const left : {&step.input, &slow->kept})
    if (!left->empty() && listens()) take(as_bytes(*left));
}

// `data` is what was read last.
void layer::judge_handshake(outcome result, const_bytes data) {
  switch (result) {
    case outcome::done: finish_handshake(); return;
    case outcome::wants_input: return;
    case outcome::peer_closed: fail_with({errc::handshake_cut, {}}); return;
    case outcome::failed: {
      const problem found = session_->take_problem();
      fail_with(found.code == errc::not_tls && is_http(data) ? problem{errc::plain_http, {}} : found);
      return;
    }
  }
}

void layer::finish_handshake() {
  deadline_.stop();
  if (!passes_own_check()) {
    const problem& reason = session_->unverified();
    fail_with(reason.code ? reason : problem{errc::rejected, {}});
    return;
  }
  if (machine_.handshake_done() != action::establish) return;
  established(was_paused_);
  if (!is_established()) return;  // it ended meanwhile, and `connection_lost` tells
  handshake_is_over(true);
  if (closing_reason() == sluice::errc::protocol_threw)
    tell_done(closing_reason());
  else
    tell_done(*this);
}

bool layer::passes_own_check() {
  const peer_check& check = context_.state_->common().check_peer;
  if (!check) return true;
  bool good = false;
  sluice::detail::unique_function ask = [&] { good = check(session_->describe()); };
  scheduler().run_turn(ask, error_source::callback, "tls: check_peer");
  return good;
}

// All plaintext of one read goes up in one piece, but for what comes behind the rest of a message that was waited for: what waited goes first, and
// reading may be over then.
void layer::decrypt(record_io& io) {
  const detail::work_lease plain(workshop_);
  if (!plain) {
    fail_with({make_error_code(std::errc::not_enough_memory), {}});
    return;
  }
  bool is_flooded = false;
  for (outcome result = outcome::done; result == outcome::done && listens() && !is_flooded;) {
    std::size_t filled = 0;
    while (result == outcome::done && plain.bytes().size() - filled >= largest_record) {
      std::size_t n = 0;
      result = session_->read(io, plain.bytes().subspan(filled), n);
      if (result == outcome::done) filled += n;
      if (awaits_rest() && !session_->is_inside_message()) break;
    }
    io.flush();
    is_flooded = holds_too_much(filled);
    received(plain.bytes().first(filled));
    if (awaits_rest() && !session_->is_inside_message()) go_on();
    if (result == outcome::peer_closed) peer_said_goodbye();
    if (result == outcome::failed) fail_with(session_->take_problem());
    if (result == outcome::peer_closed || result == outcome::failed) give_up_rest();
  }
  if (is_flooded || is_a_flood(io)) fail_with({errc::control_flood, {}});
}

// Who is waited for must not fill a reader that is paused above.
bool layer::holds_too_much(std::size_t more) noexcept {
  if (wants_input()) held_meanwhile_ = 0;
  if (wants_input() || !awaits_rest()) return false;
  held_meanwhile_ += static_cast<std::uint32_t>(more);
  return held_meanwhile_ > most_held_meanwhile;
}

// Answers that TLS itself gives must not pile up for a peer that does not read.
bool layer::is_a_flood(const record_io& io) noexcept {
  if (lower_takes_output()) {
    unread_answers_ = 0;
    return false;
  }
  unread_answers_ += static_cast<std::uint32_t>(io.written());
  return unread_answers_ > most_unread_answers;
}

void layer::peer_said_goodbye() {
  switch (machine_.peer_notified()) {
    case action::deliver_eof: received_eof(); return;
    case action::close_below: lower().close(); return;
    case action::report_cut: report({errc::handshake_cut, {}}); return;
    case action::none:
    case action::establish:
    case action::notify:
    case action::notify_and_wait:
    case action::wait:
    case action::notify_and_close:
    case action::abort_below:
    case action::report_truncation:
    case action::report_failure: return;
  }
}

eof layer::eof_received() {
  const bool allowed = context_ && context_.state_->common().allow_truncation;
  switch (machine_.lower_ended(allowed)) {
    case action::report_cut: report({errc::handshake_cut, {}}); break;
    case action::report_truncation: report({sluice::errc::truncated, {}}); break;
    case action::deliver_eof: received_eof(); break;
    case action::close_below: lower().close(); break;
    case action::none:
    case action::establish:
    case action::notify:
    case action::notify_and_wait:
    case action::wait:
    case action::notify_and_close:
    case action::abort_below:
    case action::report_failure: break;
  }
  give_up_rest();
  return eof::keep_open;  // what becomes of the connection is decided above
}

void layer::connection_lost(std::error_code reason) {
  deadline_.stop();
  const std::error_code earlier = closing_reason();
  if (!is_established() && !reason) reason = errc::handshake_cut;
  if (!is_established() && machine_.failure() == action::report_failure) tell_failure({earlier ? earlier : reason, {}});
  sluice::layer::connection_lost(only_goodbye_left_ && reason == condition::peer_gone ? std::error_code() : reason);
  workshop_.unlist(*this);
  session_.reset();
}

send_result layer::send(std::span<const const_bytes> parts) {
  if (!lower_takes_output()) return {};
  note_activity();
  record_io io(workshop_, lower());
  detail::plaintext_cursor cursor(workshop_, parts);
  std::size_t taken = 0;
  while (!cursor.at_end() && lower_takes_output()) {
    const const_bytes record = cursor.next(record_limit());
    const outcome result = session_->write(io, record);
    if (result == outcome::wants_input && wait_for_rest(rest::awaited_to_send)) break;
    if (result != outcome::done) return reason_of_failure();
    taken += record.size();
    if (!io.has_room()) io.flush();
  }
  io.flush();
  if (!io.dropped()) return taken;
  return lower().closing_reason() ? lower().closing_reason() : make_error_code(sluice::errc::closed);
}

std::error_code layer::reason_of_failure() noexcept {
  const std::error_code found = session_->take_problem().code;
  return found ? found : make_error_code(sluice::errc::truncated);  // OpenSSL only waits, for a rest that never comes
}

// OpenSSL says nothing between the parts of a ticket or of new keys. Whoever holds reading above does not hold the rest (rule T10). False if it never
// comes.
bool layer::wait_for_rest(rest why) {
  if (rest_ == rest::never_comes) return false;
  rest_ = why;
  lower().resume_reading();
  return true;
}

// The rest has come.
void layer::go_on() {
  const rest before = std::exchange(rest_, rest::not_awaited);
  if (!wants_input() && machine_.current() != layer_machine::state::closing) lower().pause_reading();
  if (before == rest::awaited_for_goodbye) say_goodbye_late();
  if (has_queued_output()) ready_to_send();
}

// The peer has said goodbye, is gone, or breaks the rules.
void layer::give_up_rest() {
  const rest before = std::exchange(rest_, rest::never_comes);
  if (before == rest::awaited_for_goodbye && machine_.current() == layer_machine::state::closed)
    sluice::layer::begin_close(close_kind::graceful);
  if (before == rest::awaited_to_send && has_queued_output()) ready_to_send();
}

void layer::say_goodbye_late() {
  say_goodbye();
  if (!awaits_rest() && machine_.current() == layer_machine::state::closed) sluice::layer::begin_close(close_kind::graceful);
}

void layer::send_later(std::span<const const_bytes> newly_queued) {
  if (!awaits_rest()) sluice::layer::send_later(newly_queued);
}

void layer::stop_reading() {
  if (!awaits_rest()) sluice::layer::stop_reading();
}

std::size_t layer::record_limit() noexcept {
  if (small_left_ == 0) return largest_record;
  small_left_ -= static_cast<std::uint32_t>(std::min<std::size_t>(packet_record, small_left_));
  return packet_record;
}

std::error_code layer::shutdown_output() {
  if (machine_.end_output() == action::notify) say_goodbye();
  return {};
}

progress layer::begin_close(close_kind kind) {
  if (kind != close_kind::graceful) {
    // The peer hears the alert that a failure of TLS left behind. One that kept this end waiting too long has no more time (rule T4).
    const bool is_alert = machine_.current() == layer_machine::state::failed && closing_reason() != sluice::errc::timed_out;
    const bool last_word = kind == close_kind::abort && is_alert;
    return sluice::layer::begin_close(last_word ? close_kind::graceful : kind);
  }
  switch (machine_.close(context_.state_->common().wait_for_close_notify)) {
    case action::notify_and_wait: say_goodbye(); [[fallthrough]];
    case action::wait: wait_for_goodbye(); return progress::pending;
    case action::notify_and_close: answer_goodbye(); break;
    case action::none:
    case action::establish:
    case action::deliver_eof:
    case action::notify:
    case action::close_below:
    case action::abort_below:
    case action::report_truncation:
    case action::report_cut:
    case action::report_failure: break;
  }
  return awaits_rest() ? progress::pending : sluice::layer::begin_close(kind);
}

void layer::say_goodbye() {
  if (session_->is_inside_message() && wait_for_rest(rest::awaited_for_goodbye)) return;
  record_io io(workshop_, lower());
  session_->say_goodbye(io);  // what cannot be said any more is no reason to stay
  io.flush();
}

// A peer that said goodbye and is gone by now missed nothing but ours.
void layer::answer_goodbye() {
  only_goodbye_left_ = input_ended() && lower().get_write_buffer_size() == 0;
  say_goodbye();
}

// Reading goes on below, whoever has paused it above (rule T9).
void layer::wait_for_goodbye() {
  deadline_.start(context_.state_->common().shutdown_timeout);
  lower().resume_reading();
}

void layer::deadline_passed() {
  const bool shaking = machine_.current() == layer_machine::state::handshaking;
  const auto limit = shaking ? context_.state_->common().handshake_timeout : context_.state_->common().shutdown_timeout;
  problem what{sluice::errc::timed_out, {}};
  try {
    what.detail = shaking ? "the TLS handshake was not done" : "the peer's goodbye did not come";
    what.detail += " within " + std::to_string(limit.count()) + " ms";
  } catch (const std::bad_alloc&) {
    what.detail.clear();  // the code has to do
  }
  fail_with(what);
}

void layer::fail_with(const problem& what) {
  if (machine_.failure() == action::report_failure) report(what);
}

// An alert that tells the peer may be on its way, and goes first.
void layer::report(const problem& what) {
  deadline_.stop();
  tell_failure(what);
  lower().flush();
  fail(what.code, what.code == sluice::errc::timed_out ? close_kind::abort : close_kind::graceful);
}

// To the program; the upper protocol hears by its `connection_lost`.
void layer::tell_failure(const problem& what) noexcept {
  handshake_is_over(false);
  try {
    const std::string text = what.detail.empty() ? what.code.message() : what.detail;
    if (context_ && context_.state_->common().on_failure) {
      sluice::detail::unique_function tell = [&] { context_.state_->common().on_failure(id(), what.code, text); };
      scheduler().run_turn(tell, error_source::callback, "tls: on_failure");
    }
    tell_done({what.code, text});
  } catch (const std::bad_alloc&) {
    tell_done(what.code);
  }
}

void layer::tell_done(result<transport&> outcome) {
  const std::unique_ptr<connection_options> options = std::exchange(options_, nullptr);
  if (options == nullptr || !options->done) return;
  sluice::detail::unique_function tell = [&] { options->done(outcome); };
  scheduler().run_turn(tell, error_source::scheduled, "tls: connection_options::done");
}

void layer::handshake_is_over(bool done) noexcept {
  if (!std::exchange(counted_, false)) return;
  leave_gate();
  slow_.reset();
  detail::context_state& state = *context_.state_;
  ++(done ? state.done : state.failed);
  if (done && session_->was_resumed()) ++state.resumed;
}

// Memory for records is kept for those who need it all the time: it costs OpenSSL three calls of the heap for each message to get it anew, and
// a crowd of connections that say a word now and then must not hold any.
void layer::note_activity() noexcept {
  active_ = true;
  if (events_ < busy_events && ++events_ == busy_events) session_->keep_buffers();
  if (listed_ || (events_ < busy_events && context_.state_->common().small_records_first == 0)) return;
  workshop_.list(*this);
}

bool layer::release_buffers() noexcept {
  if (context_) small_left_ = static_cast<std::uint32_t>(context_.state_->common().small_records_first);
  events_ = 0;
  return session_ == nullptr || session_->release_buffers();
}

void layer::describe(info_query& query) const {
  if (session_ != nullptr && is_established()) query.answer<session>([this] { return session_->describe(); });
  const bool is_of_this_layer = query.asks_for<session>();  // and not of TLS below
  if (!query.answered() && !is_of_this_layer) sluice::layer::describe(query);
}

}  // namespace sluice::tls
