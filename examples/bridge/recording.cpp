#include "recording.hpp"

#include <sluice/capture/tap.hpp>

#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

namespace bridge {
namespace {

sluice::capture::writer_options files(const settings& chosen) {
  sluice::capture::writer_options options;
  options.path = chosen.capture;
  if (chosen.capture.ends_with(".txt")) options.format = sluice::capture::file_format::text;
  options.max_size = chosen.capture_size;
  options.keep = chosen.capture_keep;
  options.on_failure = [](std::error_code, std::string_view detail) {
    std::fprintf(stderr, "nothing is recorded any more: %.*s\n", static_cast<int>(detail.size()), detail.data());
  };
  return options;
}

}  // namespace

recording::recording(sluice::loop& loop, const settings& chosen) : loop_(loop) {
  if (chosen.capture.empty()) return;
  records_.emplace(loop);
  files_.emplace(loop, *records_, files(chosen));
}

sluice::protocol_ptr recording::tap(sluice::protocol_ptr upper) {
  if (!records_) return upper;
  return std::make_unique<sluice::capture::tap>(loop_, std::move(upper), *records_);
}

void recording::print() const {
  if (!records_) return;
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  const auto& lost = records_->counters().full;
  std::printf("recorded: %llu, waiting: %zu bytes, dropped: %llu with %llu bytes, lost to the disk: %llu\n",
              number(files_->counters().records), records_->size(), number(lost.records), number(lost.bytes),
              number(files_->counters().not_written));
  std::fflush(stdout);
}

}  // namespace bridge
