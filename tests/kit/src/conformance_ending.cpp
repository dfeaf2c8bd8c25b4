#include "conformance_trial.hpp"

#include <stdexcept>

#include <sluice/info.hpp>

// L4, L9, L10, L14–L17: what is given back at the end, the end of the scheduler, listeners and shutdown.

namespace sluice::testing {
namespace {

void connect_mortal(trial& t, mortal::fate& fate) {
  t.begin_connection(std::make_unique<mortal>(fate));
  t.wait("connection_made", [&] { return fate.made && t.far.count("made") != 0; });
}

constexpr conformance_case handle_cases[] = {
    {"L9 the handle is still held inside connection_lost and given back after it",
     [](trial& t) {
       t.connect();
       const std::size_t open = t.scheduler().open_transports();
       const auto descriptor = t.near_end().info<native_descriptor>();
       std::size_t open_inside = 0;
       bool valid_inside = true;
       t.near.on_lost = [&](std::error_code) {
         open_inside = t.scheduler().open_transports();
         if (descriptor) valid_inside = t.near_end().info<native_descriptor>().value_or(native_descriptor{}).value == descriptor->value;
       };
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check_size(open_inside, open, "transports open inside connection_lost");
       t.check(valid_inside, "the descriptor was closed before connection_lost");
       t.wait("the handle", [&] { return t.scheduler().open_transports() < open; });
     }},
    {"L9 the handle is given back although connection_lost throws",
     [](trial& t) {
       mortal::fate& fate = t.fate();
       fate.throws = true;
       connect_mortal(t, fate);
       fate.connection->abort();
       t.far_end().abort();
       t.wait("the handles", [&t] { return t.scheduler().open_transports() == 0; });
       t.check(fate.lost && fate.destroyed, "the protocol should have been told and destroyed");
       t.expect_report(error_source::callback, "thrown by connection_lost");
     }},
    {"L10 the protocol is destroyed after connection_lost has returned",
     [](trial& t) {
       mortal::fate& fate = t.fate();
       connect_mortal(t, fate);
       fate.connection->close();
       t.wait("the protocol's end", [&fate] { return fate.destroyed; });
       t.check(fate.lost, "the protocol was destroyed without connection_lost");
       t.check(!fate.destroyed_inside, "the protocol was destroyed inside its own connection_lost");
     }},
    {"L10 nothing of a connection is left after connection_lost, however much was queued",
     [](trial& t) {
       mortal::fate& fate = t.fate();
       connect_mortal(t, fate);
       t.far_end().pause_reading();
       for (int i = 0; i < 1000 && fate.connection->get_write_buffer_size() < 100'000; ++i) fate.connection->write(pattern(64 * 1024));
       fate.connection->abort();
       t.far_end().abort();
       t.wait("the handles", [&t] { return t.scheduler().open_transports() == 0; });
       t.check(fate.lost && fate.destroyed, "the protocol should have been told and destroyed");
     }},
    {"L10 a protocol that was lent is not destroyed",
     [](trial& t) {
       t.connect();
       t.near_end().close();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost");
     }},
};

constexpr conformance_case scheduler_end_cases[] = {
    {"L14 the end of the scheduler is one connection_lost(aborted) for each open transport, and one leak report",
     [](trial& t) {
       t.connect();
       t.near.on_lost = [&](std::error_code) {
         t.check(t.near_end().write("x") == write_status::dropped, "a write in there should be dropped");
       };
       t.destroy_fixture();
       t.check_trace(t.near, "made, lost sluice:1");
       t.check_trace(t.far, "made, lost sluice:1");
       t.expect_report(error_source::leak);
     }},
    {"L14 what is posted while the scheduler ends never runs",
     [](trial& t) {
       t.connect();
       const auto ran = std::make_shared<bool>(false);
       sluice::scheduler* const owner = &t.scheduler();
       t.near.on_lost = [owner, ran](std::error_code) { owner->call_soon([ran] { *ran = true; }); };
       t.destroy_fixture();
       t.check(!*ran, "the posted function ran");
       t.check_size(static_cast<std::size_t>(ran.use_count()), 2, "owners of what the function holds, once it is dropped");
       t.take_reports();
     }},
    {"L14 a queue that was not sent does not outlive the scheduler",
     [](trial& t) {
       t.connect();
       t.fill();
       t.destroy_fixture();
       t.check_trace(t.near, "made, lost sluice:1");
       t.expect_report(error_source::leak);
     }},
    {"L14 a connection that was closing is ended by the scheduler, once",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().close();
       t.destroy_fixture();
       t.check_size(t.near.count("made"), 1, "connection_made");
       t.check(t.near.is_lost(), "connection_lost never came");
       t.take_reports();
     }},
};

// The far end of a connection that the listener turned away.
void check_turned_away(trial& t) {
  t.fixture().dial(borrow(t.far));
  t.wait_lost(t.far);
  t.check_size(t.near.count("made"), 0, "connection_made of a protocol that should not have been made");
}

constexpr conformance_case listener_cases[] = {
    {"L15 a factory that throws costs its connection, and the listener stays",
     [](trial& t) {
       const auto healthy = std::make_shared<bool>(false);
       t.fixture().listen([&t, healthy]() -> protocol_ptr {
         if (!*healthy) throw std::runtime_error("no protocol today");
         return borrow(t.near);
       });
       check_turned_away(t);
       t.expect_report(error_source::factory, "no protocol today");
       *healthy = true;
       t.fixture().dial(borrow(t.another()));
       t.wait_event(t.near, "made");
     }},
    {"L15 a factory that returns null costs its connection, and the listener stays",
     [](trial& t) {
       const auto healthy = std::make_shared<bool>(false);
       t.fixture().listen([&t, healthy]() -> protocol_ptr {
         if (!*healthy) return nullptr;
         return borrow(t.near);
       });
       check_turned_away(t);
       t.expect_report(error_source::factory);
       *healthy = true;
       t.fixture().dial(borrow(t.another()));
       t.wait_event(t.near, "made");
     }},
    {"L16 a listener that is closed inside its factory closes the new connection",
     [](trial& t) {
       t.fixture().listen([&t]() -> protocol_ptr {
         t.fixture().stop_listening();
         return borrow(t.near);
       });
       check_turned_away(t);
       t.settle();
       t.check_trace(t.near, "");
     }},
};

constexpr conformance_case shutdown_cases[] = {
    {"L17 shut_down tells the protocol once, in a later turn, and closes by default",
     [](trial& t) {
       t.connect();
       t.near_end().shut_down();
       t.near_end().shut_down();
       t.check_trace(t.near, "made");
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, shutting down, lost");
     }},
    {"L17 a protocol that handles its shutdown goes on until it closes",
     [](trial& t) {
       t.near.on_shutting_down = [] { return shutdown_action::handled; };
       t.connect();
       t.near_end().shut_down();
       t.wait_event(t.near, "shutting down");
       t.near_end().shut_down();
       t.far_end().write("one more");
       t.wait_received(t.near, 8);
       t.check(!t.near_end().is_closing(), "the connection should stay open");
       t.near_end().close();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, shutting down, data 8, lost");
     }},
    {"L17 a lifetime that is over already when it is set asks in a later turn",
     [](trial& t) {
       t.connect();
       change_options(t.near_end(), [](stream_options& settings) { settings.lifetime = std::chrono::hours(1); });
       t.pass(std::chrono::milliseconds(5));
       t.near.on_data = [&](const_bytes) {
         change_options(t.near_end(), [](stream_options& settings) { settings.lifetime = std::chrono::milliseconds(1); });
         t.set_marks(0, 1'000'000);
         t.check(t.near.count("shutting down") == 0, "shutting_down was called inside a call of data_received");
       };
       t.far_end().write("x");
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, data 1, shutting down, lost");
     }},
    {"L17 shutting_down never comes once closing began",
     [](trial& t) {
       t.connect();
       t.near_end().shut_down();
       t.near_end().close();
       t.near_end().shut_down();
       t.wait_lost(t.near);
       t.settle();
       t.check_trace(t.near, "made, lost");
     }},
    {"L17 a shutdown asked for inside a callback comes after it",
     [](trial& t) {
       t.near.on_made = [](transport& made) { made.shut_down(); };
       t.begin_connection(borrow(t.near));
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, shutting down, lost");
     }},
    {"L17 what is queued when the shutdown comes is sent",
     [](trial& t) {
       t.connect();
       t.fill();
       t.near_end().shut_down();
       t.wait_event(t.near, "shutting down");
       t.drain();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, shutting down, lost");
     }},
};

}  // namespace

void add_ending_cases(case_list& cases) {
  cases.add(handle_cases);
  cases.add(scheduler_end_cases);
  cases.add(listener_cases);
  cases.add(shutdown_cases);
}

}  // namespace sluice::testing
