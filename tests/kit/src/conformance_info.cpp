#include "conformance_trial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sluice/info.hpp>

// I: what a transport tells about itself.

namespace sluice::testing {
namespace {

/// A kind of information that no transport but `tagging_layer` knows.
struct kit_tag {
  int value = 0;
};

class tagging_layer final : public layer {
 public:
  tagging_layer(sluice::scheduler& owner, protocol_ptr upper) : layer(owner, std::move(upper)) {}

 private:
  void describe(info_query& query) const override {
    query.answer<kit_tag>([] { return kit_tag{42}; });
    layer::describe(query);
  }
};

constexpr conformance_case common_cases[] = {
    {"I1 a transport knows its kind, and has no answer to what it does not know",
     [](trial& t) {
       t.connect();
       t.check(!t.near_end().info<kit_tag>(), "an unknown kind of information should have no answer");
       const auto kind = t.near_end().info<transport_kind>();
       t.check(!kind || !kind->value.empty(), "the name of the kind should not be empty");
     }},
    {"I1 addresses are those of the two ends, crosswise",
     [](trial& t) {
       t.connect();
       const auto local = t.near_end().info<local_address>();
       const auto peer = t.near_end().info<peer_address>();
       const auto far_local = t.far_end().info<local_address>();
       const auto far_peer = t.far_end().info<peer_address>();
       t.require(local && peer && far_local && far_peer, "an address is missing");
       t.check(local->value == far_peer->value, "the near end's address differs from the far end's peer");
       t.check(peer->value == far_local->value, "the far end's address differs from the near end's peer");
     }},
    {"I2 addresses stay the same to the end of connection_lost, also after a reset",
     [](trial& t) {
       t.connect();
       const auto local = t.near_end().info<local_address>();
       const auto peer = t.near_end().info<peer_address>();
       t.require(local && peer, "an address is missing");
       bool same = false;
       t.near.on_lost = [&](std::error_code) {
         const auto local_now = t.near_end().info<local_address>();
         const auto peer_now = t.near_end().info<peer_address>();
         same = local_now && peer_now && local_now->value == local->value && peer_now->value == peer->value;
       };
       t.far_end().reset();
       t.wait_lost(t.near);
       t.check(same, "the addresses changed");
     }},
    {"I2 addresses that were never asked for are there inside connection_lost",
     [](trial& t) {
       t.connect();
       bool there = false;
       t.near.on_lost = [&](std::error_code) {
         there = t.near_end().info<local_address>().has_value() && t.near_end().info<peer_address>().has_value();
       };
       t.near_end().abort();
       t.wait_lost(t.near);
       t.check(there, "an address is missing");
     }},
    {"I2 values stay valid after the close began",
     [](trial& t) {
       t.connect();
       const auto before = t.near_end().info<transport_kind>();
       bool same = false;
       t.near.on_lost = [&](std::error_code) {
         const auto inside = t.near_end().info<transport_kind>();
         same = before.has_value() == inside.has_value() && (!before || before->value == inside->value);
       };
       t.near_end().close();
       t.wait_lost(t.near);
       t.check(same, "the kind changed");
     }},
};

constexpr conformance_case special_cases[] = {
    {"I3 a layer answers what it knows and passes the rest on to the transport below",
     [](trial& t) {
       t.connect();
       const auto kind = t.near_end().info<transport_kind>();
       recording_protocol& upper = t.another();
       recording_protocol& peer = t.another();
       t.fixture().connect(std::make_unique<tagging_layer>(t.scheduler(), borrow(upper)), borrow(peer));
       t.wait("the second connection", [&] { return upper.count("made") != 0 && peer.count("made") != 0; });
       const auto tag = upper.connection()->info<kit_tag>();
       t.check(tag && tag->value == 42, "the layer should have answered");
       const auto below = upper.connection()->info<transport_kind>();
       t.check(below.has_value() == kind.has_value() && (!kind || below->value == kind->value), "the transport below should have answered");
     }},
    {"I4 a Unix peer's credentials are known",
     [](trial& t) {
       t.connect();
       const auto peer = t.near_end().info<peer_credentials>();
       t.require(peer.has_value(), "the credentials are missing");
       t.check(peer->process == getpid() && peer->user == getuid() && peer->group == getgid(), "the credentials are not this process's");
     }},
    {"I5 TCP_NODELAY is on",
     [](trial& t) {
       t.connect();
       const auto descriptor = t.near_end().info<native_descriptor>();
       t.require(descriptor.has_value(), "the descriptor is missing");
       int value = 0;
       socklen_t size = sizeof value;
       t.check(getsockopt(descriptor->value, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0 && value != 0, "TCP_NODELAY is off");
     }},
};

}  // namespace

void add_info_cases(case_list& cases) {
  cases.add(common_cases);
  cases.add(special_cases);
}

}  // namespace sluice::testing
