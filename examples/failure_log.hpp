#pragma once

#include <sluice/info.hpp>
#include <sluice/scheduler.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

/// Says on the standard error why clients were not served, one line for each; of a flood the first lines of a second, and how many were left out.
class failure_log {
 public:
  failure_log(const char* program, sluice::scheduler& owner) : program_(program), scheduler_(owner) {}

  /// `why` begins with who it was, if that is known.
  void tell(std::string_view why) {
    if (has_room()) print({}, why);
  }

  /// `transport` is the `id()` of one that is still there.
  void tell(std::uint64_t transport, std::string_view why) {
    if (!has_room()) return;
    std::string who;
    scheduler_.for_each_transport([&](const sluice::transport& each) {
      if (each.id() != transport) return;
      if (const auto peer = each.info<sluice::peer_address>(); peer && peer->value.is_ip()) who = peer->value.to_string() + ": ";
    });
    print(who, why);
  }

 private:
  static constexpr std::size_t most_lines = 20;

  bool has_room() {
    const sluice::time_point now = scheduler_.now();
    if (now - second_ >= std::chrono::seconds(1)) {
      if (lines_ > most_lines) std::fprintf(stderr, "%s: %zu more clients failed meanwhile\n", program_, lines_ - most_lines);
      second_ = now;
      lines_ = 0;
    }
    return ++lines_ <= most_lines;
  }

  void print(const std::string& who, std::string_view why) const {
    std::fprintf(stderr, "%s: %s%.*s\n", program_, who.c_str(), static_cast<int>(why.size()), why.data());
  }

  const char* program_;
  sluice::scheduler& scheduler_;
  sluice::time_point second_{};  // its begin
  std::size_t lines_ = 0;        // wanted in it
};
