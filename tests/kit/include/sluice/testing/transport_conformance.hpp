#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/layer.hpp>
#include <sluice/loop.hpp>
#include <sluice/memory.hpp>
#include <sluice/protocol.hpp>
#include <sluice/scheduler.hpp>

/// Every stream rule of docs/contract.md as a case that runs over a transport of yours.
///
///     using namespace sluice::testing;
///     const conformance_report report = run_conformance(
///         over_manual_scheduler("rings", {}, [](scheduler& owner, protocol_ptr near, protocol_ptr far) {
///           make_ring_pair(owner, std::move(near), std::move(far));
///         }));
///     std::cout << report;
///     return report.passed() ? 0 : 1;
namespace sluice::testing {

/// What a medium has. A lack excuses the cases that need it; the report names them, each with its reason.
struct capabilities {
  bool half_close = true;    ///< `write_eof()`: the peer sees the end of our output and can still send.
  bool reset = true;         ///< `reset()`: the peer sees an error, at once, also while it does not read.
  bool end_of_input = true;  ///< The peer's end is an end, behind its last byte, and no failure that may overtake it.
  bool hangup = false;       ///< `stream_options::report_hangup_while_paused` works: the medium tells of the peer's end at any time.
  bool vigilance = true;     ///< The end of the medium is noticed at once, also while nothing is read.
  bool listener = false;     ///< The fixture can listen and dial.
  bool completion = false;   ///< The fixture knows what connecting reported.
  bool addresses = false;    ///< `info<peer_address>()` and `info<local_address>()`.
  bool credentials = false;  ///< `info<peer_credentials>()`.
  bool no_delay = false;     ///< The descriptor is a TCP socket.
  bool is_layer = false;     ///< The end under test is a layer; closing it is up to the transport below.
};

/// A place where connections can be made, with the scheduler that they live on. Each case makes one of its own, and destroys it with whatever
/// is still open: that closes the scheduler (rule L14).
class transport_fixture {
 public:
  transport_fixture() = default;
  transport_fixture(const transport_fixture&) = delete;
  transport_fixture& operator=(const transport_fixture&) = delete;
  virtual ~transport_fixture();

  virtual sluice::scheduler& scheduler() = 0;

  /// Lets the scheduler work until `done()`; false if it does not come to that within a time that is long for any case. `done` is asked
  /// outside of any turn.
  virtual bool run_until(const std::function<bool()>& done) = 0;

  /// Begins one connection. `near` is the protocol of the end under test, `far` that of its peer, from which the cases drive it. Both may get
  /// `connection_made` in here or while the scheduler works. May be called again for further connections.
  virtual void connect(protocol_ptr near, protocol_ptr far) = 0;

  /// What connecting reported for the last near end: success, an error, or nothing yet (`capabilities::completion`).
  virtual std::optional<std::error_code> completion() const { return std::nullopt; }

  /// Makes each send of the near end of the last connection fail from now on, while what the far end sent can still be read. False, as here:
  /// the kit lets the far end go away instead, which does the same over sockets.
  virtual bool fail_writes();

  // For `capabilities::listener`; what is here throws `std::logic_error`.

  /// Accepts connections from now on; `accepted` makes their protocols.
  virtual void listen(protocol_factory accepted);
  /// Begins a connection to the listener.
  virtual void dial(protocol_ptr from);
  virtual void stop_listening();
};

/// A kind of transport as the kit sees it.
struct transport_under_test {
  std::string name;
  capabilities has;
  std::function<std::unique_ptr<transport_fixture>()> make;
};

/// Begins one connection on `owner`.
using pair_maker = std::function<void(scheduler& owner, protocol_ptr near, protocol_ptr far)>;

/// Pairs on a `manual_scheduler`, in virtual time.
transport_under_test over_manual_scheduler(std::string name, capabilities has, pair_maker connect);

/// `memory::pair` on a `manual_scheduler`.
transport_under_test over_memory(const memory::options& settings = {});

/// Which end of a socket's connection is under test.
enum class near_side {
  connects,
  accepts
};
/// TCP on the loopback interface, on a `loop`.
transport_under_test over_tcp(near_side side = near_side::connects, const loop_options& options = {});
/// Unix sockets with an abstract name, on a `loop`.
transport_under_test over_local(near_side side = near_side::connects, const loop_options& options = {});

/// Two pipes, one for each way, on a `loop`.
transport_under_test over_pipe();

/// Two named pipes, one for each way, on a `loop`.
transport_under_test over_fifo();

/// The input and output of a child process, whose ends of the pipes the far end has taken over, on a `loop`. Needs `sh` and /proc.
transport_under_test over_process();

/// A terminal that the near end reads and writes as a stream, and whose master is the far end, on a `loop`.
transport_under_test over_terminal();

/// A pseudo-terminal that the near end exports and the far end has opened, on a `loop`.
transport_under_test over_pty();

/// A serial line, which is a pseudo-terminal, on a `loop`.
transport_under_test over_serial();

/// Two serial lines that a `simulated_line` joins, on a `manual_scheduler`; the line hangs up when the far end closes its port.
transport_under_test over_simulated_line();

/// `below` with a layer on its near end and, unless it is null, one on its far end. Each is called with the scheduler and the protocol above.
using layer_maker = std::function<std::unique_ptr<layer>(scheduler& owner, protocol_ptr upper)>;
transport_under_test with_layer(std::string name, transport_under_test below, layer_maker near, layer_maker far = nullptr);

struct conformance_options {
  /// Runs only the cases whose names begin with this: an id ("L4"), an area ("L"), or more of a name.
  std::string only;
};

/// What became of one case.
struct conformance_result {
  enum class outcome {
    passed,
    failed,
    not_applicable
  };
  std::string name;  ///< Begins with the id of its rule.
  outcome what = outcome::passed;
  std::string detail;  ///< Why it failed or does not apply; empty if it passed.
};

struct conformance_report {
  std::string transport;
  std::vector<conformance_result> results;

  std::size_t count(conformance_result::outcome what) const;
  /// No case failed, and at least one ran.
  bool passed() const;
  /// The names of the cases that failed.
  std::vector<std::string> failures() const;
};

/// Failed cases first, then those that do not apply with their reasons, then one line with the numbers.
std::ostream& operator<<(std::ostream& out, const conformance_report& report);

/// Runs each case over a fixture of its own. Takes about a second over sockets.
conformance_report run_conformance(const transport_under_test& subject, const conformance_options& options = {});

}  // namespace sluice::testing
