#pragma once

#include <sluice/connecting.hpp>
#include <sluice/couple.hpp>
#include <sluice/endpoint.hpp>
#include <sluice/loop.hpp>
#include <sluice/scheme_table.hpp>
#include <sluice/transport.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "recording.hpp"
#include "settings.hpp"
#include "slow_line.hpp"

namespace bridge {

// Each client of the second endpoint gets a connection of its own to the first, and the two are coupled. Or, with --connect, one connection
// to each.
class pairs {
 public:
  // `client` is set, before a connection to the first is begun, to that of whom it is for, or to null.
  pairs(sluice::loop& loop, const sluice::scheme_table& schemes, const settings& chosen, recording& records,
        const sluice::transport*& client);

  pairs(const pairs&) = delete;
  pairs& operator=(const pairs&) = delete;
  // What is still open ends, and tells so, one by one.
  ~pairs() { const auto last = std::exchange(open_, {}); }

  // The protocol of a client.
  sluice::protocol_ptr accept();
  void connect_both(const sluice::endpoint& second);

  void print() const;
  bool succeeded() const { return failures_ == 0; }

 private:
  class introduced_half;
  struct pair {
    sluice::coupling joint;
    sluice::connecting to_first;
    sluice::connecting to_second;
    slow_line line;
  };

  std::uint64_t begin_pair(sluice::coupled_protocols& halves, sluice::duration silence_of_second);
  sluice::duration longest_silence(const sluice::endpoint& at) const;
  void connect_to_first(std::uint64_t number, sluice::protocol_ptr half, const sluice::transport* client);
  sluice::connect_handler connected(std::uint64_t number, bool first);
  void ended(std::uint64_t number, const sluice::coupling_report& report);

  sluice::loop& loop_;
  const sluice::scheme_table& schemes_;
  const settings& chosen_;
  recording& records_;
  sluice::endpoint first_;
  bool introduces_clients_;
  const sluice::transport*& client_;
  std::map<std::uint64_t, pair> open_;
  std::uint64_t made_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t forth_ = 0;
  std::uint64_t back_ = 0;
};

}  // namespace bridge
