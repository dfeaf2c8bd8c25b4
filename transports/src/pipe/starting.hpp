#pragma once

#include <sluice/pipe.hpp>

#include <memory>

#include "adopting.hpp"
#include "pipe_channel.hpp"

namespace sluice::pipe {

// One or two descriptors that are ready for a channel; `output` only where it is another one than `input`.
struct ends {
  const char* kind;
  connection_machine::ways ways = connection_machine::ways::both;
  descriptor watched = {};
  descriptor output = {};
};

// Makes a channel of `from`, whose descriptors `prepare` has seen.
result<transport&> start(loop& owner, ends from, protocol_ptr upper, const shared_stream_options& options);

}  // namespace sluice::pipe
