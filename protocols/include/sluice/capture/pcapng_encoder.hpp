#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include <sluice/capture/record.hpp>

namespace sluice::capture {

/// Makes a pcapng file of records: little-endian, with a section for each `begin`, an interface for each connection, called "connection N",
/// and times in nanoseconds (draft-ietf-opsawg-pcapng 4.1, 4.2, 4.3). Each record is an Enhanced Packet Block of link type 250,
/// LINKTYPE_RTAC_SERIAL, which Wireshark knows, with the direction in its flags. What that type has no word for, it has as a status change,
/// with the event and the note as a comment. Dropped records are told by `epb_dropcount`, and their bytes by the original length of the
/// packet.
///
/// A value without I/O. What it appends makes a valid file after each call.
class pcapng_encoder {
 public:
  /// The head of a file, or of a further section in it.
  void begin(std::string& out);
  void append(std::string& out, const record& made);

 private:
  struct interface_entry {
    std::uint32_t number = 0;
    std::uint64_t section = 0;  // in which it was described
    std::string kind = {};      // as the record of the connection's beginning said
  };

  std::uint32_t interface_for(std::string& out, const record& made);

  std::unordered_map<std::uint64_t, interface_entry> interfaces_;  // of open connections
  std::uint64_t section_ = 0;
  std::uint32_t described_ = 0;  // in this section
};

}  // namespace sluice::capture
