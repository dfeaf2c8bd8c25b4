#pragma once

#include <sluice/descriptor.hpp>

#include <string>
#include <string_view>
#include <vector>

/// Sockets that were opened for this process before it began, by systemd's socket activation (sd_listen_fds(3)) or whoever does as systemd
/// does. The endpoint `fd://NAME` is all that most programs need. To take over those of a running process see `<sluice/hand_over.hpp>`.
///
/// They are found by the variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, which stay as they are: a child does not take them for its
/// own, as LISTEN_PID is not its. Any thread.
namespace sluice::activation {

/// A descriptor that was passed and that nobody has taken yet.
struct passed_descriptor {
  int number = -1;
  std::string name;  ///< What FileDescriptorName= of the socket unit says; "unknown" if nobody named it.
};

/// All of them, in the order in which they were passed; none if the variables are not there or meant for another process. The descriptors
/// are close-on-exec from then on. Throws `std::system_error` (`std::errc::invalid_argument`) that quotes a variable which makes no sense.
std::vector<passed_descriptor> passed();

/// Those of one name, several if a unit has several sockets; none if there is none, or if they were taken before. Throws as `passed`.
std::vector<descriptor> take(std::string_view name);

}  // namespace sluice::activation
