#include "pairs.hpp"

#include <sluice/error.hpp>
#include <sluice/schemes.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "../program_schemes.hpp"

namespace bridge {
namespace {

// Factories are copied; a half of a coupling is for one connection.
sluice::protocol_factory once(sluice::protocol_ptr half) {
  return [shared = std::make_shared<sluice::protocol_ptr>(std::move(half))] { return std::move(*shared); };
}

bool introduces_clients(const sluice::endpoint& first) {
  return std::ranges::any_of(first.options(), [](const auto& option) { return option.name == "send_proxy_protocol"; });
}

// The same, behind a tap if there is a recording.
sluice::protocol_factory once_recorded(recording& records, sluice::protocol_ptr half) {
  return [&records, made = once(std::move(half))] { return records.tap(made()); };
}

}  // namespace

// The half of a client whose connection to the first cannot be begun before it is known who the client is: behind a handshake, or what another
// proxy says of it.
class pairs::introduced_half final : public sluice::protocol {
 public:
  introduced_half(pairs& owner, std::uint64_t number, sluice::coupled_protocols halves)
      : owner_(owner), number_(number), halves_(std::move(halves)) {}

 private:
  void connection_made(sluice::transport& client) override {
    owner_.connect_to_first(number_, std::move(halves_.first), &client);
    if (client.set_protocol(std::move(halves_.second))) client.abort();
  }
  void data_received(sluice::const_bytes) override {}  // comes to the half

  pairs& owner_;
  std::uint64_t number_;
  sluice::coupled_protocols halves_;
};

pairs::pairs(sluice::loop& loop, const sluice::scheme_table& schemes, const settings& chosen, recording& records,
             const sluice::transport*& client)
    : loop_(loop),
      schemes_(schemes),
      chosen_(chosen),
      records_(records),
      first_(chosen.first),
      introduces_clients_(introduces_clients(first_)),
      client_(client) {}

// A line has less time: it never ends by itself, and the next client may be waiting for it.
sluice::duration pairs::longest_silence(const sluice::endpoint& at) const {
  const unsigned otherwise = never_ends(at) ? 1 : 5;
  return std::chrono::seconds(chosen_.silence.value_or(otherwise));
}

std::uint64_t pairs::begin_pair(sluice::coupled_protocols& halves, sluice::duration silence_of_second) {
  const std::uint64_t number = ++made_;
  const sluice::couple_options how{.silence_of_first = longest_silence(first_), .silence_of_second = silence_of_second};
  sluice::coupling_handler on_end = [this, number](const sluice::coupling_report& report) { ended(number, report); };
  halves = sluice::make_coupling(loop_, std::move(on_end), how);
  open_[number].joint = halves.joint;
  return number;
}

void pairs::connect_to_first(std::uint64_t number, sluice::protocol_ptr half, const sluice::transport* client) {
  client_ = client;
  open_[number].to_first = schemes_.connect(loop_, first_, once_recorded(records_, std::move(half)), connected(number, true));
}

// A client whose server has ended waits for the end of its own connection, and has no answer to give.
sluice::protocol_ptr pairs::accept() {
  sluice::coupled_protocols halves;
  const std::uint64_t number = begin_pair(halves, sluice::duration::zero());
  if (introduces_clients_) return std::make_unique<introduced_half>(*this, number, std::move(halves));
  connect_to_first(number, std::move(halves.first), nullptr);
  return std::move(halves.second);
}

void pairs::connect_both(const sluice::endpoint& second) {
  sluice::coupled_protocols halves;
  const std::uint64_t number = begin_pair(halves, longest_silence(second));
  connect_to_first(number, std::move(halves.first), nullptr);
  open_[number].to_second = schemes_.connect(loop_, second, once(std::move(halves.second)), connected(number, false));
}

sluice::connect_handler pairs::connected(std::uint64_t number, bool first) {
  return [this, number, first](const sluice::result<sluice::transport&>& made) {
    if (!made) {
      ++failures_;
      std::fprintf(stderr, "pair %llu: %s\n", static_cast<unsigned long long>(number), made.detail().c_str());
      return;
    }
    const auto found = open_.find(number);
    if (found == open_.end()) return;
    pair& here = found->second;
    if (first) here.line = slow_line(*made);
    if (here.joint.first() == nullptr || here.joint.second() == nullptr) return;
    here.line.bound(*here.joint.first());
    here.line.bound_feeder(*here.joint.second());
  };
}

void pairs::ended(std::uint64_t number, const sluice::coupling_report& report) {
  forth_ += report.forth.bytes;
  back_ += report.back.bytes;
  for (const auto& [name, reason] : {std::pair("first", report.first), std::pair("second", report.second)}) {
    if (!reason || reason == sluice::errc::cancelled) continue;
    ++failures_;
    std::fprintf(stderr, "pair %llu: the %s end: %s\n", static_cast<unsigned long long>(number), name, reason.message().c_str());
  }
  open_.erase(number);
}

void pairs::print() const {
  std::uint64_t forth = forth_;
  std::uint64_t back = back_;
  for (const auto& [number, each] : open_) {
    forth += each.joint.report().forth.bytes;
    back += each.joint.report().back.bytes;
    const sluice::transport* const line = each.joint.first();
    const sluice::transport* const feeder = each.joint.second();
    const std::size_t waiting = (line == nullptr ? 0 : waiting_in(*line)) + (feeder == nullptr ? 0 : waiting_in_the_system(*feeder));
    std::printf("pair %llu: waiting for the first: %s\n", static_cast<unsigned long long>(number), each.line.describe(waiting).c_str());
  }
  std::printf("pairs: %llu, open: %zu, bytes from the first: %llu, to the first: %llu\n", static_cast<unsigned long long>(made_),
              open_.size(), static_cast<unsigned long long>(forth), static_cast<unsigned long long>(back));
  std::fflush(stdout);
}

}  // namespace bridge
