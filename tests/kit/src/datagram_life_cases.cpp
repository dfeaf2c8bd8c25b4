#include "datagram_trial.hpp"

#include <optional>
#include <stdexcept>

#include <sluice/datagram_transport_ref.hpp>
#include <sluice/shutdown.hpp>

// Beginning and end.

namespace sluice::testing {
namespace {

// Owned by its transport; tells when it is destroyed.
class owned final : public datagram_protocol {
 public:
  owned(bool& lost, bool& destroyed) : lost_(lost), destroyed_(destroyed) {}
  ~owned() override { destroyed_ = true; }
  void datagram_received(const_bytes, const address&) override {}
  void connection_made(datagram_transport& made) override { made.close(); }
  void connection_lost(std::error_code) override {
    lost_ = true;
    throw std::runtime_error("thrown by connection_lost");
  }

 private:
  bool& lost_;
  bool& destroyed_;
};

constexpr datagram_case cases[] = {
    {"L5 L6 connection_lost comes later, and never from inside another callback",
     [](datagram_trial& t) {
       t.open();
       t.far.on_datagram = [&](const_bytes, const address&) {
         t.far_end().close();
         t.far_end().abort();
         t.check(!t.far.is_lost(), "connection_lost came from inside a call");
       };
       t.send("x");
       t.wait_lost(t.far);
       t.check_trace(t.far, "made, datagram 1, lost");  // nothing was queued, so the close was complete
     }},
    {"L8 in connection_lost every call does nothing",
     [](datagram_trial& t) {
       t.open();
       datagram_transport_ref ref(t.near_end());
       t.near.on_lost = [&](std::error_code) {
         datagram_transport& end = t.near_end();
         t.check(end.send_to("x", t.far_address()) == send_status::dropped, "send_to should be dropped");
         t.check(end.get_write_buffer_size() == 0, "nothing should be queued");
         end.close();
         end.abort();
         end.pause_reading();
         end.resume_reading();
         end.flush();
         end.shut_down();
         t.check(end.is_closing() && !end.is_reading(), "it should be closing, and not reading");
         t.check(!ref, "a reference should be empty by now");
       };
       t.near_end().close();
       t.wait_lost(t.near);
       t.check(ref.send_to(as_bytes("x"), t.far_address()) == send_status::dropped, "also through a reference");
     }},
    {"L10 the protocol dies after connection_lost, also if that throws",
     [](datagram_trial& t) {
       bool lost = false;
       bool destroyed = false;
       t.open(std::make_unique<owned>(lost, destroyed), {});
       t.wait("the end of the protocol", [&] { return destroyed; });
       t.check(lost, "connection_lost should have come");
       t.expect_report(error_source::callback, "thrown by connection_lost");
     }},
    {"L11 close in connection_made leads to one connection_lost",
     [](datagram_trial& t) {
       t.near.on_made = [](datagram_transport& made) { made.close(); };
       t.open();
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost");
     }},
    {"L12 after close nothing more is delivered, also not the rest of a batch",
     [](datagram_trial& t) {
       t.open();
       t.far.on_datagram = [&](const_bytes, const address&) { t.far_end().close(); };
       t.in_turn([&] { t.send_numbered(0, 5); });
       t.wait_lost(t.far);
       t.check(t.far.received().size() == 1, "more was delivered");
     }},
    {"L14 the end of the scheduler is lost(aborted), and what was open is reported",
     [](datagram_trial& t) {
       t.open();
       t.near.on_lost = [&](std::error_code) { t.near_end().send_to("x", t.far_address()); };
       t.destroy_fixture();
       t.check_reason(t.near, errc::aborted);
       t.check_reason(t.far, errc::aborted);
       t.expect_report(error_source::leak, "open transports:");
     }},
    {"L17 shut_down asks once, and the default closes",
     [](datagram_trial& t) {
       t.open();
       t.near_end().shut_down();
       t.near_end().shut_down();
       t.check_trace(t.near, "made");
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, shutting down, lost");
     }},
    {"L18 a shutdown of the scheduler ends datagram transports, at its deadline if need be",
     [](datagram_trial& t) {
       t.open();
       t.far.on_shutting_down = [] { return shutdown_action::handled; };
       std::optional<shutdown_report> report;
       shutdown(t.scheduler(), std::chrono::milliseconds(5), [&](const shutdown_report& end) { report = end; });
       t.wait("the end of the shutdown", [&] { return report.has_value(); });
       t.check_reason(t.near, {});
       t.check_reason(t.far, errc::timed_out);
       t.check(report->asked == 2 && report->aborted.size() == 1, "the report is wrong");
       t.expect_report(error_source::shutdown, "aborted at the deadline");
     }},
    {"C2 abort after close cuts it short, close after abort does nothing, both may be repeated",
     [](datagram_trial& t) {
       t.open();
       t.near_end().abort();
       t.near_end().close();
       t.near_end().abort();
       t.check(t.near_end().closing_reason() == errc::aborted, "the reason should be known");
       t.wait_lost(t.near);
       t.check_trace(t.near, "made, lost sluice:1");
     }},
    {"C2 D9 datagrams of the turn are dropped by abort and sent by close",
     [](datagram_trial& t) {
       t.open();
       t.in_turn([&] {
         t.send("dropped");
         t.near_end().abort();
         t.far_end().send_to("sent", t.near_address());
         t.far_end().close();
       });
       std::uint64_t sent = 0;
       t.far.on_lost = [&](std::error_code) { sent = t.far_end().counters().datagrams_sent; };
       t.wait_lost(t.near);
       t.wait_lost(t.far);
       t.check(t.far.received().empty(), "what was dropped arrived");
       t.check(sent == 1, "what was written before close should have been sent");
     }},
    {"D9 after close and after lost datagrams are dropped and counted",
     [](datagram_trial& t) {
       t.open();
       const auto before = t.scheduler().counters().dropped_writes;
       t.near_end().close();
       t.check(t.send("late") == send_status::dropped, "it should be dropped");
       t.check(t.scheduler().counters().dropped_writes == before + 1, "and counted");
       t.wait_lost(t.near);
     }},
    {"X2 an exception in connection_made is reported and ends the transport",
     [](datagram_trial& t) {
       t.near.on_made = [](datagram_transport&) { throw std::runtime_error("thrown by connection_made"); };
       t.open();
       t.expect_report(error_source::callback, "thrown by connection_made");
       t.wait_lost(t.near);
       t.check_reason(t.near, errc::protocol_threw);
     }},
    {"D15 an end that is open and has nothing to do does not spin, nor does one that is closed in a callback",
     [](datagram_trial& t) {
       t.open();
       t.check_idle();
       t.far.on_datagram = [&](const_bytes, const address&) { t.far_end().abort(); };
       t.in_turn([&] { t.send_numbered(0, 3); });
       t.wait_lost(t.far);
       t.send("nobody is there");
       t.check_idle();
     }},
};

}  // namespace

std::span<const datagram_case> datagram_life_cases() { return cases; }

}  // namespace sluice::testing
