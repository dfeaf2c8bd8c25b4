#pragma once

#include <functional>
#include <memory>
#include <string>

#include <sluice/datagram_transport.hpp>
#include <sluice/memory/datagrams.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/testing/transport_conformance.hpp>

/// Every rule of docs/contract.md that is about datagrams as a case that runs over a transport of yours; reports are as those for streams.
namespace sluice::testing {

/// What a medium of datagrams has. A lack excuses the cases that need it; the report names them, each with its reason.
struct datagram_capabilities {
  bool backpressure = true;  ///< A receiver that does not read makes sends wait, instead of costing datagrams.
  bool bounce = true;        ///< A connected sender hears that nobody took its datagram.
  bool truncation = true;    ///< The fixture can open a far end that takes little.
};

/// A place where two ends can be opened, with the scheduler that they live on. Each case makes one of its own, and destroys it with
/// whatever is still open.
class datagram_fixture {
 public:
  /// How the two ends are opened.
  struct plan {
    bool connected = false;                                        ///< The near end to the far one.
    std::size_t far_takes = datagram_transport::largest_datagram;  ///< The longest datagram that the far end takes.
    datagram_options near = {};                                    ///< Of the end under test.
  };

  datagram_fixture() = default;
  datagram_fixture(const datagram_fixture&) = delete;
  datagram_fixture& operator=(const datagram_fixture&) = delete;
  virtual ~datagram_fixture();

  virtual sluice::scheduler& scheduler() = 0;
  /// Lets the scheduler work until `done()`; false if it does not come to that within a time that is long for any case.
  virtual bool run_until(const std::function<bool()>& done) = 0;
  /// Opens two ends that can reach each other; both get `connection_made` in here.
  virtual void open(datagram_protocol_ptr near, datagram_protocol_ptr far, const plan& how) = 0;
  /// Of the kind of the two ends, and neither of them.
  virtual address elsewhere() = 0;
};

/// A kind of datagram transport as the kit sees it.
struct datagram_transport_under_test {
  std::string name;
  datagram_capabilities has;
  std::function<std::unique_ptr<datagram_fixture>()> make;
};

/// `memory::datagram_pair` on a `manual_scheduler`.
datagram_transport_under_test over_memory_datagrams(const memory::datagram_link_options& settings = {});

/// UDP on the loopback interface, on a `loop`: at `any`, an address with port 0.
datagram_transport_under_test over_udp(const address& any = address::loopback_v4(0));
/// Unix datagram sockets with abstract names, on a `loop`.
datagram_transport_under_test over_local_datagrams();

/// Runs each case over a fixture of its own.
conformance_report run_datagram_conformance(const datagram_transport_under_test& subject, const conformance_options& options = {});

}  // namespace sluice::testing
