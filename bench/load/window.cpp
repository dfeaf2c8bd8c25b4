#include "window.hpp"

#include <sys/types.h>

#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>

namespace load {
namespace {

std::uint64_t read_clock(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) throw std::runtime_error("a clock cannot be read");
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

// The kernel adds up all threads, those that have ended too. Of one that runs at this moment it knows the time up to the last tick of its
// clock, so a window must be long beside a few milliseconds.
std::uint64_t cpu_time_of(int process) {
  if (process == 0) return 0;
  clockid_t clock{};
  if (::clock_getcpuclockid(process, &clock) != 0)
    throw std::runtime_error("there is no process " + std::to_string(process) + " whose time could be measured");
  return read_clock(clock);
}

}  // namespace

std::uint64_t now() noexcept { return read_clock(CLOCK_MONOTONIC); }

window::window(int server)
    : server_(server), begin_(now()), own_cpu_(read_clock(CLOCK_PROCESS_CPUTIME_ID)), server_cpu_(cpu_time_of(server)) {}

void window::end(result& into) const {
  into.nanoseconds = now() - begin_;
  into.own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - own_cpu_;
  if (server_ != 0) into.server_cpu = cpu_time_of(server_) - server_cpu_;
}

void print(const result& measured, const histogram& latencies) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  std::string text = "{\"messages\": " + number(measured.messages) + ", \"bytes\": " + number(measured.bytes) +
                     ", \"nanoseconds\": " + number(measured.nanoseconds) + ", \"load_cpu\": " + number(measured.own_cpu);
  if (measured.lost != 0) text += ", \"lost\": " + number(measured.lost);
  if (measured.server_cpu) text += ", \"server_cpu\": " + number(*measured.server_cpu);
  if (latencies.total() != 0)
    text += ", \"p50\": " + number(latencies.quantile(0.5)) + ", \"p99\": " + number(latencies.quantile(0.99)) +
            ", \"p999\": " + number(latencies.quantile(0.999));
  std::printf("%s}\n", text.c_str());
  std::fflush(stdout);
}

}  // namespace load
