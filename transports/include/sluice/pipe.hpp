#pragma once

#include <sluice/connecting.hpp>
#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/protocol.hpp>
#include <sluice/result.hpp>
#include <sluice/transport.hpp>

#include <chrono>
#include <string>

/// Pipes, FIFOs, terminals and whatever else is read and written as a stream through a descriptor.
///
/// The functions that take descriptors make a transport of what somebody else opened: a pipe, a FIFO, a stream socket, or a character device
/// that can be waited for, such as a terminal. `connection_made` is called before they return. The descriptor becomes non-blocking, for
/// whoever shares it too, and is closed with the connection, and also on error. Errors, with the whole story in `detail()`:
/// `errc::not_supported` for a regular file, a folder, or a device that cannot be waited for, such as /dev/null (`stdio::open` takes files);
/// EBADF for what is not open in the way that is wanted; `errc::protocol_threw` if `connection_made` threw (rule X2). `upper` must not be
/// null (`std::invalid_argument`).
namespace sluice::pipe {

struct options {
  /// Flow control and closing.
  stream_options stream = {};
};

/// Input alone. A write is misuse and dropped; `write_eof()` does nothing, as there is nothing left to end (rule P3); the peer's end closes the transport, whatever `eof_received` answers (rule E10).
result<transport&> open_read(loop& owner, descriptor from, protocol_ptr upper, const options& settings = {});

/// Output alone. `write_eof()` is `close()` (rule P3). That the last reader has gone is noticed without a write: an orderly end if nothing
/// waits to be sent, else EPIPE (rule P2).
result<transport&> open_write(loop& owner, descriptor to, protocol_ptr upper, const options& settings = {});

/// Both ways over one descriptor. `can_write_eof()` only over a socket. Of a pseudo-terminal, either side may be opened; that the other side
/// has gone is the end of input (rule P4).
result<transport&> open(loop& owner, descriptor both, protocol_ptr upper, const options& settings = {});

/// One way over each of two descriptors. `write_eof()` closes `to`.
result<transport&> open(loop& owner, descriptor from, descriptor to, protocol_ptr upper, const options& settings = {});

/// How a FIFO is opened.
enum class direction {
  read,   ///< At once, also without a writer; ends when the last writer has gone.
  write,  ///< As soon as there is a reader.
  both    ///< At once, and for as long as this end wants: what writers send is read, however often they come and go, and what is written
          ///< goes to whoever reads first, this end included.
};

struct fifo_options {
  direction to_go = direction::read;
  /// Makes the FIFO if nothing stands there, with these permissions less the process's umask.
  bool create = false;
  unsigned mode = 0600;
  /// How long a writer waits for a reader before the attempt fails with `errc::timed_out`; 0 is for ever.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);
  stream_options stream = {};
};

/// Opens the FIFO at `path` without blocking. `factory` is called when it is open, then `done`, in a later turn. `errc::not_supported` if
/// something else than a FIFO stands there; other errors as the system has them, with the path in `detail()`.
connecting open_fifo(loop& owner, std::string path, protocol_factory factory, connect_handler done = {}, const fifo_options& settings = {});

}  // namespace sluice::pipe
