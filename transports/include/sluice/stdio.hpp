#pragma once

#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/transport.hpp>

/// The standard input and output of this process, as one transport.
namespace sluice::stdio {

struct options {
  /// A terminal hands over each key as it is pressed, and echoes nothing.
  bool raw = false;
  /// Flow control and closing.
  stream_options stream = {};
};

/// Makes a transport that reads descriptor 0 and writes descriptor 1, whatever they are; regular files, /dev/null and the like are read and
/// written on threads of the loop's executor. `connection_made` is called before this returns. There is one at a time:
/// `std::errc::device_or_resource_busy`. Other errors as for `pipe::open`.
///
/// What was non-blocking or raw meanwhile is again as it was found when the transport ends, and also when the process ends by `exit` or by
/// the return of `main` (rule P5); so a program that is to restore its terminal on a signal handles the signal in the loop and returns.
/// While it lasts, descriptors that share the terminal or pipe, such as 2, are non-blocking, too.
///
/// When the output ends, and at the end of the transport the input, a pipe or a socket is replaced by /dev/null, so that the other side
/// sees the end of it.
result<transport&> open(loop& owner, protocol_ptr upper, const options& settings = {});

}  // namespace sluice::stdio
