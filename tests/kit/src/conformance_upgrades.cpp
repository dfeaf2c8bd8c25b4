#include "conformance_trial.hpp"

#include <sluice/testing/handshaking_layer.hpp>

// V5 and the rules that it carries: upgrades with a handshake. The far end plays its part by hand.

namespace sluice::testing {
namespace {

using ending = handshake_script::ending;

/// An upgrade under way: the near protocol is parked, the next one waits for the handshake.
struct upgrade_in_progress {
  explicit upgrade_in_progress(trial& t) : next(t.fate()) {}
  mortal::fate& next;
};

void begin_upgrade(trial& t, upgrade_in_progress& upgrade, handshake_script script = {}) {
  t.connect();
  const std::error_code answer =
      t.near_end().upgrade(std::make_unique<handshaking_layer>(t.scheduler(), script), std::make_unique<mortal>(upgrade.next));
  t.check(!answer, "upgrade failed");
  if (script.end != ending::die) t.wait_received(t.far, script.greeting.size());
}

// The handshake did not succeed: the parked protocol alone was told, once.
void check_parked_told(trial& t, const upgrade_in_progress& upgrade) {
  t.wait_lost(t.near);
  t.settle();
  t.check_size(t.near.events().size(), 2, "callbacks of the parked protocol");
  t.check(upgrade.next.destroyed && !upgrade.next.made && !upgrade.next.lost, "the next protocol should be destroyed unseen");
}

// A layer whose handshake ends when the case says so.
class layer_by_hand final : public layer {
 public:
  explicit layer_by_hand(sluice::scheduler& owner) : layer(owner) {}
  void greet(transport& below) { below.write("hello\n"); }
  void establish() { established(); }
  transport& below() { return lower(); }

 private:
  void connection_made(transport& below) override {
    attach(below);
    greet(below);
  }
};

layer_by_hand& begin_upgrade_by_hand(trial& t, upgrade_in_progress& upgrade) {
  t.connect();
  auto between = std::make_unique<layer_by_hand>(t.scheduler());
  layer_by_hand& result = *between;
  t.check(!t.near_end().upgrade(std::move(between), std::make_unique<mortal>(upgrade.next)), "upgrade failed");
  t.wait_received(t.far, 6);
  return result;
}

constexpr conformance_case death_cases[] = {
    {"L4 a protocol whose peer closes inside the handshake of an upgrade still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       begin_upgrade(t, upgrade);
       t.far_end().write("hel");
       t.far_end().close();
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::truncated);
     }},
    {"L4 a protocol whose peer resets inside the handshake of an upgrade still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       begin_upgrade(t, upgrade);
       t.far_end().reset();
       check_parked_told(t, upgrade);
       t.check(bool(t.near.lost_reason()), "the reason should be an error");
     }},
    {"L4 a protocol that aborts inside the handshake of its upgrade still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       t.connect();
       transport& below = t.near_end();
       below.upgrade(std::make_unique<handshaking_layer>(t.scheduler()), std::make_unique<mortal>(upgrade.next));
       t.wait_received(t.far, 6);
       below.abort();
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::aborted);
     }},
    {"L4 a protocol whose handshake is refused still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       begin_upgrade(t, upgrade);
       t.far_end().write("who are you?");
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::handshake_failed);
     }},
    {"L4 a protocol whose layer dies at once still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       handshake_script script;
       script.end = ending::die;
       begin_upgrade(t, upgrade, script);
       check_parked_told(t, upgrade);
     }},
    {"L4 a protocol whose layer is closed inside the handshake still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer& between = begin_upgrade_by_hand(t, upgrade);
       between.close();
       t.check(t.near.count("lost sluice:1") == 0, "connection_lost was called inside the call");
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::aborted);
     }},
    {"L4 a protocol whose layer is aborted or reset inside the handshake still gets connection_lost",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer& between = begin_upgrade_by_hand(t, upgrade);
       between.abort();
       between.reset();
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::aborted);
     }},
    {"L4 a protocol in the handshake of its upgrade gets connection_lost when the scheduler ends",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       begin_upgrade(t, upgrade);
       t.destroy_fixture();
       t.check_trace(t.near, "made, lost sluice:1");
       t.check(upgrade.next.destroyed && !upgrade.next.made, "the next protocol should be destroyed unseen");
       t.take_reports();
     }},
};

constexpr conformance_case success_cases[] = {
    {"V5 until the handshake is done neither protocol hears anything, and then the next one is made with the layer",
     [](trial& t) {
       recording_protocol& next = t.another();
       t.connect();
       const transport* const below = &t.near_end();
       t.near_end().upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next));
       t.forgive(t.near);
       t.wait_received(t.far, 6);
       t.far_end().write("hel");
       t.settle();
       t.check_trace(next, "");
       t.far_end().write("lo\nfirst words");
       t.wait_received(next, 11);
       t.check_trace(next, "made, data 11");
       t.check_trace(t.near, "made");
       t.check(next.connection() != below, "the layer should be the transport of the next protocol");
       next.connection()->write("answer");
       t.wait_received(t.far, 12);
       t.check(t.far.received() == "hello\nanswer", "got " + t.far.received());
       next.connection()->close();
       t.wait_lost(next);
       t.check_trace(next, "made, data 11, lost");
       t.check_trace(t.near, "made");
     }},
    {"V5 the parked protocol is destroyed without connection_lost when the handshake is done",
     [](trial& t) {
       mortal::fate& old = t.fate();
       recording_protocol& next = t.another();
       t.begin_connection(std::make_unique<mortal>(old));
       t.wait("connection_made", [&] { return old.made && t.far.count("made") != 0; });
       old.connection->upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next));
       t.wait_received(t.far, 6);
       t.check(!old.destroyed, "the parked protocol should be kept");
       t.far_end().write("hello\n");
       t.wait_event(next, "made");
       t.wait("the parked protocol's end", [&old] { return old.destroyed; });
       t.check(!old.lost, "the parked protocol got connection_lost");
     }},
    {"V5 what was not read goes to the layer",
     [](trial& t) {
       recording_protocol& next = t.another();
       t.forgive(t.near);
       t.connect();
       t.near.on_data = [&](const_bytes data) {
         t.near_end().upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next), data.subspan(6));
       };
       t.far_end().write("start\nhello\nand more");
       t.wait_received(next, 8);
       t.check(next.received() == "and more", "got " + next.received());
       t.check_trace(t.near, "made, data 20");
     }},
    {"V5 a handshake that takes too long tells the parked protocol errc::timed_out",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       handshake_script script;
       script.timeout = std::chrono::milliseconds(20);
       begin_upgrade(t, upgrade, script);
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::timed_out);
     }},
    {"V5 an upgrade after write_eof is misuse and changes nothing",
     [](trial& t) {
       t.far.on_eof = [] { return eof::keep_open; };
       t.connect();
       t.near_end().write_eof();
       recording_protocol& next = t.another();
       const auto error = t.near_end().upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next));
       t.check(error == errc::misuse, "upgrade should answer errc::misuse");
       t.expect_report(error_source::misuse, "upgrade after write_eof");
       t.far_end().write("still heard");
       t.wait_received(t.near, 11);
       t.check_trace(next, "");
     }},
    {"V5 a close inside the handshake tells the parked protocol",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       t.connect();
       transport& below = t.near_end();
       below.upgrade(std::make_unique<handshaking_layer>(t.scheduler()), std::make_unique<mortal>(upgrade.next));
       t.wait_received(t.far, 6);
       below.close();
       check_parked_told(t, upgrade);
     }},
    {"V5 what is written to a layer inside its handshake is dropped and never sent in the clear",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       t.in_turn([&] {
         t.check(between.write("secret") == write_status::dropped, "the write should be dropped");
         between.flush();
       });
       t.check_size(between.get_write_buffer_size(), 0, "queued bytes");
       between.establish();
       t.check(upgrade.next.made && !upgrade.next.connection->is_closing(), "the next protocol should be made");
       t.check(upgrade.next.connection->write("sealed") == write_status::accepted, "the write should be accepted");
       t.wait_received(t.far, 12);
       t.check(t.far.received() == "hello\nsealed", "got " + t.far.received());
       t.forgive(t.near);
     }},
    {"R3 a layer that is paused inside its handshake delivers nothing until it is resumed",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       t.forgive(t.near);
       std::size_t delivered = 0;
       upgrade.next.on_data = [&](const_bytes data) { delivered += data.size(); };
       between.pause_reading();
       t.in_turn([&] { between.establish(); });
       t.check(!upgrade.next.connection->is_reading(), "is_reading should be false");
       t.far_end().write("later");
       t.settle();
       t.check_size(delivered, 0, "bytes that came although reading was paused");
       upgrade.next.connection->resume_reading();
       t.wait("5 bytes", [&delivered] { return delivered == 5; });
     }},
    {"L17 a layer that is told to shut down inside its handshake tells the next protocol once it is made",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       t.forgive(t.near);
       between.shut_down();
       t.settle();
       t.in_turn([&] { between.establish(); });
       t.check(upgrade.next.made, "the next protocol should be made");
       t.wait("its end", [&upgrade] { return upgrade.next.lost; });
     }},
    {"E3 write_eof inside a handshake ends the output behind what the next protocol says when it is made",
     [](trial& t) {
       t.far.on_eof = [] { return eof::keep_open; };
       recording_protocol& next = t.another();
       next.on_made = [](transport& made) { made.write("last words"); };
       t.connect();
       t.forgive(t.near);
       auto made = std::make_unique<layer_by_hand>(t.scheduler());
       layer_by_hand& between = *made;
       t.near_end().upgrade(std::move(made), borrow(next));
       t.wait_received(t.far, 6);
       t.check(between.can_write_eof() && !between.write_eof(), "write_eof failed");
       t.settle();
       t.check(t.far.count("eof") == 0, "the output ended inside the handshake");
       t.in_turn([&] { between.establish(); });
       t.wait_event(t.far, "eof");
       t.check(t.far.received() == "hello\nlast words", "got " + t.far.received());
       t.far_end().write("answer");
       t.wait_received(next, 6);
       t.check_trace(next, "made, data 6");
       t.check(!next.connection()->is_closing(), "the connection should stay open");
     }},
    {"V5 a layer that is established after the transport below began to close is too late: the parked protocol is told",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       t.in_turn([&] {
         between.below().close();
         between.establish();
       });
       check_parked_told(t, upgrade);
     }},
    {"V5 a layer that is established after it was closed itself is too late: the parked protocol is told",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       t.in_turn([&] {
         between.close();
         between.establish();
         t.check(between.write("x") == write_status::dropped, "the write should be dropped");
       });
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::aborted);
     }},
    {"V5 a switch below a layer inside its handshake tells the parked protocol, and the connection goes on with the new one",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       recording_protocol& other = t.another();
       between.below().set_protocol(borrow(other));
       t.wait_event(other, "made");
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::aborted);
       t.far_end().write("to the new one");
       t.wait_received(other, 14);
       t.check_trace(other, "made, data 14");
     }},
    {"V5 an upgrade below a layer inside its handshake ends that handshake when its own is done",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       layer_by_hand& between = begin_upgrade_by_hand(t, upgrade);
       recording_protocol& other = t.another();
       between.below().upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(other));
       t.wait_received(t.far, 12);
       t.check_trace(t.near, "made");
       t.far_end().write("hello\nmore");
       t.wait_received(other, 4);
       check_parked_told(t, upgrade);
       t.check_trace(other, "made, data 4");
     }},
    {"V6 an upgrade outside of a callback takes effect in a later turn, and writes of the same callback go below the layer",
     [](trial& t) {
       recording_protocol& next = t.another();
       t.forgive(t.near);
       t.connect();
       t.near.on_data = [&](const_bytes) {
         t.near_end().upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next));
         t.near_end().write("go ahead\n");
       };
       t.far_end().write("x");
       t.wait_received(t.far, 15);
       t.check(t.far.received() == "go ahead\nhello\n", "got " + t.far.received());
       t.far_end().write("hello\n");
       t.wait_event(next, "made");
     }},
};

constexpr conformance_case pressure_cases[] = {
    {"F15 an upgrade while writing is paused holds the layer's output until the peer reads",
     [](trial& t) {
       recording_protocol& next = t.another();
       next.on_made = [](transport& made) { made.write("upper"); };
       t.forgive(t.near);
       t.connect();
       t.fill();
       t.set_marks(0, 0);
       t.near_end().upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next));
       t.settle();
       t.far_end().write("hello\n");
       t.far_end().resume_reading();
       t.wait_received(t.far, t.accepted() + 11);
       t.check(t.far.received().ends_with("hello\nupper"), "the layer's output is wrong");
       t.check_trace(t.near, "made, pause");
     }},
    {"V3 the user's pause of the parked protocol does not stop a handshake for ever",
     [](trial& t) {
       recording_protocol& next = t.another();
       t.forgive(t.near);
       t.connect();
       t.near_end().pause_reading();
       transport& below = t.near_end();
       below.upgrade(std::make_unique<handshaking_layer>(t.scheduler()), borrow(next));
       t.wait_received(t.far, 6);
       t.far_end().write("hello\n");
       t.settle();
       t.check_trace(next, "");
       below.resume_reading();
       t.wait_event(next, "made");
     }},
    {"X6 a layer that fails ends with its own reason, on both of its sides",
     [](trial& t) {
       upgrade_in_progress upgrade(t);
       handshake_script script;
       script.end = ending::fail;
       begin_upgrade(t, upgrade, script);
       t.far_end().write("hello\n");
       check_parked_told(t, upgrade);
       t.check_reason(t.near, errc::handshake_failed);
     }},
};

}  // namespace

void add_upgrade_cases(case_list& cases) {
  cases.add(death_cases);
  cases.add(success_cases);
  cases.add(pressure_cases);
}

}  // namespace sluice::testing
