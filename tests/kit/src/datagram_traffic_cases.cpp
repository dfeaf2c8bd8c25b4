#include "datagram_trial.hpp"

#include <stdexcept>

// What arrives, what is sent, and what goes wrong with either.

namespace sluice::testing {
namespace {

constexpr std::size_t largest = 60'000;  // that every medium takes

address wrong_family(const address& own) { return own.is_v4() ? address::loopback_v6(9) : address::loopback_v4(9); }

constexpr datagram_case cases[] = {
    {"D1 made, datagrams and errors in any number, then lost",
     [](datagram_trial& t) {
       t.open();
       t.send("one");
       t.send("and two");
       t.wait_received(t.far, 2);
       t.far_end().close();
       t.wait_lost(t.far);
       t.check_trace(t.far, "made, datagram 3, datagram 7, lost");
       t.check_trace(t.near, "made");
     }},
    {"D2 each datagram is one callback, also of those sent and received together, empty ones and large ones",
     [](datagram_trial& t) {
       t.open();
       const std::size_t sizes[] = {1, 0, 64, 0, 0, 1400, 9000, largest, 3};
       t.in_turn([&] {
         for (const std::size_t size : sizes) t.send(pattern(size, size));
       });
       t.wait_received(t.far, std::size(sizes));
       for (std::size_t i = 0; i < std::size(sizes); ++i)
         t.check(t.far.received()[i].data == pattern(sizes[i], sizes[i]), "datagram " + std::to_string(i) + " is not what was sent");
     }},
    {"D2 the sender's address comes with the datagram and leads back",
     [](datagram_trial& t) {
       t.open();
       t.far.on_datagram = [&](const_bytes data, const address& from) { t.far_end().send_to(data, from); };
       t.send("ping");
       t.wait_received(t.near, 1);
       t.check(t.near.received()[0].data == "ping", "the answer is not what was sent");
       t.check(t.near.received()[0].from == t.far_address(), "the answer comes from " + t.near.received()[0].from.to_string());
       t.check(t.far.received()[0].from == t.near_address(), "it came from " + t.far.received()[0].from.to_string());
     }},
    {"D2 many that are echoed in one turn come back in order",
     [](datagram_trial& t) {
       t.open();
       t.far.on_datagram = [&](const_bytes data, const address& from) { t.far_end().send_to(data, from); };
       for (std::size_t sent = 0; sent < 200; sent += 8) {
         t.in_turn([&] { t.send_numbered(sent, 8); });
         t.wait_received(t.near, sent + 8);
       }
       t.check_numbered(200);
       for (std::size_t i = 0; i < 200; ++i)
         if (!t.check(t.near.received()[i].data == t.far.received()[i].data, "an answer is out of order")) return;
     }},
    {"D3 an empty datagram is sent as one",
     [](datagram_trial& t) {
       t.open();
       t.check(t.send("") == send_status::accepted, "an empty datagram is accepted");
       t.wait_received(t.far, 1);
       t.check_trace(t.far, "made, datagram 0");
       t.check(t.near_end().counters().datagrams_sent == 1, "it should be counted");
     }},
    {"D4 a datagram longer than the receiver takes is reported and counted, not delivered, and the next one arrives",
     [](datagram_trial& t) {
       t.open({.far_takes = 500});
       t.send(pattern(500));
       t.send(pattern(501));
       t.send(pattern(3000));
       t.send("short");
       t.wait_received(t.far, 2);
       t.check(t.far.received()[0].data == pattern(500), "500 bytes should fit");
       t.check(t.far.received()[1].data == "short", "the last one is not what was sent");
       t.check(t.far.errors() == 2 && t.far.last_error() == errc::message_truncated, "expected two errors, message_truncated");
       t.check(t.far_end().counters().truncated == 2, "both should be counted");
       t.check(t.far_end().counters().datagrams_received == 2, "and not among those received");
     }},
    {"D5 a datagram too long for the medium is an error and costs no other",
     [](datagram_trial& t) {
       t.open();
       t.in_turn([&] {
         t.send("before");
         t.check(t.send(pattern(datagram_transport::largest_datagram + 1)) != send_status::bad_address, "its address is right");
         t.send("behind");
       });
       t.wait_received(t.far, 2);
       t.settle();
       t.check(t.near.errors() == 1 && t.near.last_error() == std::errc::message_size, "expected one error, EMSGSIZE");
       t.check(t.near_end().counters().send_errors == 1, "it should be counted");
       t.check(!t.near_end().is_closing(), "an error ends nothing");
     }},
    {"D5 that nobody takes a datagram is told to a connected sender, and ends nothing",
     [](datagram_trial& t) {
       t.open({.connected = true});
       t.far_end().abort();
       t.wait_lost(t.far);
       t.settle();
       t.near_end().send("is there anybody?");
       t.wait("an error", [&] {
         if (t.near.errors() == 0) t.near_end().send("again");
         return t.near.errors() != 0;
       });
       t.check(t.near.last_error() == std::errc::connection_refused, "expected ECONNREFUSED, got " + describe(t.near.last_error()));
       t.check(!t.near_end().is_closing(), "an error ends nothing");
       t.check_idle();
     }},
    {"D5 errors are told in a turn of their own, equal ones of a turn once",
     [](datagram_trial& t) {
       t.open();
       t.in_turn([&] {
         for (int i = 0; i < 3; ++i) t.send(pattern(datagram_transport::largest_datagram + 1));
         t.check(t.near.errors() == 0, "a call that sends calls nobody back");
       });
       t.settle();
       t.check(t.near.errors() == 1, "expected one error, got " + std::to_string(t.near.errors()));
       t.check(t.near_end().counters().send_errors == 3, "all should be counted");
     }},
    {"D6 a connected transport sends to its peer alone, also while it is closing",
     [](datagram_trial& t) {
       t.open({.connected = true});
       t.check(t.near_end().is_connected(), "it should be connected");
       t.check(t.near_end().send("one") == send_status::accepted, "send goes to the peer");
       t.check(t.near_end().send_to("two", t.far_address()) == send_status::accepted, "send_to the peer does, too");
       t.check(t.near_end().send_to("three", t.fixture().elsewhere()) == send_status::bad_address, "send_to another is refused");
       t.wait_received(t.far, 2);
       t.check(t.near_end().info<peer_address>()->value == t.far_address(), "the peer's address should be known");
       t.near_end().close();
       t.check(t.near_end().send_to("four", t.fixture().elsewhere()) == send_status::bad_address, "also while closing");
     }},
    {"D6 a transport that is not connected has nobody to send to without an address",
     [](datagram_trial& t) {
       t.open();
       t.check(!t.near_end().is_connected(), "it should not be connected");
       t.check(t.near_end().send("to whom?") == send_status::bad_address, "send without a peer is refused");
     }},
    {"D7 an address of another family, or none, is refused",
     [](datagram_trial& t) {
       t.open();
       t.check(t.near_end().send_to("x", wrong_family(t.far_address())) == send_status::bad_address, "another family");
       t.check(t.near_end().send_to("x", address()) == send_status::bad_address, "no address");
       t.check(t.near_end().send_to("x", t.far_address().is_unix() ? address::unix_unnamed() : t.far_address().with_port(0)) ==
                   send_status::bad_address,
               "an incomplete address");
       t.settle();
       t.check_trace(t.near, "made");
     }},
    {"D13 while reading is paused nothing is delivered, also not the rest of a batch, and what was received comes first",
     [](datagram_trial& t) {
       t.open();
       t.far.on_datagram = [&](const_bytes, const address&) { t.far_end().pause_reading(); };
       t.in_turn([&] { t.send_numbered(0, 6); });
       t.wait_received(t.far, 1);
       t.settle();
       t.check(t.far.received().size() == 1, "datagrams were delivered in the pause");
       t.check(!t.far_end().is_reading(), "is_reading should be false");
       t.far.on_datagram = nullptr;
       t.far_end().resume_reading();
       t.check(t.far.received().size() == 1, "resume_reading delivers later");
       t.wait_received(t.far, 6);
       t.send_numbered(6, 1);
       t.check_numbered(7);
     }},
    {"D13 a pause before the first datagram holds it, and nothing spins meanwhile",
     [](datagram_trial& t) {
       t.far.on_made = [](datagram_transport& made) { made.pause_reading(); };
       t.open();
       t.send("early");
       t.check_idle();
       t.check(t.far.received().empty(), "it was delivered in the pause");
       t.far_end().resume_reading();
       t.wait_received(t.far, 1);
     }},
    {"D13 pauses are not counted, and in a callback a pause and a resume are as none",
     [](datagram_trial& t) {
       t.open();
       t.far_end().pause_reading();
       t.far_end().pause_reading();
       t.far_end().resume_reading();
       t.far.on_datagram = [&](const_bytes, const address&) {
         t.far_end().pause_reading();
         t.far_end().resume_reading();
       };
       t.in_turn([&] { t.send_numbered(0, 5); });
       t.check_numbered(5);
     }},
    {"X4 an exception in a datagram's callback is reported and ends nothing",
     [](datagram_trial& t) {
       t.open();
       t.far.on_datagram = [](const_bytes data, const address&) {
         if (as_text(data) == "bad") throw std::runtime_error("thrown by datagram_received");
       };
       t.in_turn([&] {
         t.send("bad");
         t.send("good");
       });
       t.wait_received(t.far, 2);
       t.expect_report(error_source::callback, "thrown by datagram_received");
       t.check(!t.far_end().is_closing(), "the transport should go on");
     }},
    {"X4 an exception in error_received is reported and ends nothing",
     [](datagram_trial& t) {
       t.open();
       t.near.on_error = [](std::error_code) { throw std::runtime_error("thrown by error_received"); };
       t.send(pattern(datagram_transport::largest_datagram + 1));
       t.settle();
       t.expect_report(error_source::callback, "thrown by error_received");
       t.send("goes on");
       t.wait_received(t.far, 1);
     }},
    {"I2 addresses and the kind are known from the start and stay",
     [](datagram_trial& t) {
       t.open();
       t.check(!t.near_address().empty(), "the local address should be known");
       t.check(t.near_end().info<transport_kind>().has_value(), "the kind should be known");
       t.check(!t.near_end().info<peer_address>(), "there is no peer");
       bool same = false;
       t.near.on_lost = [&](std::error_code) { same = t.near_end().info<local_address>()->value == t.near_address(); };
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check(same, "the local address should stay");
     }},
};

}  // namespace

std::span<const datagram_case> datagram_traffic_cases() { return cases; }

}  // namespace sluice::testing
