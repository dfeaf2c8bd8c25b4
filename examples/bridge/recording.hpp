#pragma once

#include <sluice/capture/queue.hpp>
#include <sluice/capture/writer.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>

#include <optional>

#include "settings.hpp"

namespace bridge {

// With --capture, what passes over the connections to the first endpoint goes into files; without, nothing of it is there.
class recording {
 public:
  recording(sluice::loop& loop, const settings& chosen);

  // `upper`, behind a tap if there is a recording.
  sluice::protocol_ptr tap(sluice::protocol_ptr upper);

  void print() const;

 private:
  sluice::loop& loop_;
  std::optional<sluice::capture::queue> records_;
  std::optional<sluice::capture::writer> files_;
};

}  // namespace bridge
