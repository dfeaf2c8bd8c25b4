#pragma once

#include <cstddef>
#include <system_error>

#include <sluice/bytes.hpp>
#include <sluice/framing/decoder.hpp>
#include <sluice/proxy_protocol/error.hpp>
#include <sluice/proxy_protocol/header.hpp>

namespace sluice::proxy_protocol {

struct header_limits {
  /// The longest header of version 2, TLVs included; at least 232, which is what Unix sockets need. One of version 1 has at most 107.
  std::size_t max_size = 4096;
};

/// Reads a header off the front of a stream, byte by byte if need be: a `framing::decoder`. Both versions; what stands there decides. Strict: it
/// takes what the specification allows to be sent and refuses everything else at the first byte that shows it.
///
/// What follows LOCAL is discarded unread, whatever it is. What follows an unspecified family is TLVs if it reads as such. A checksum is
/// checked if there is one.
class header_decoder {
 public:
  using message_type = header;

  explicit header_decoder(header_limits limits = {}) noexcept : limits_(limits) {}

  framing::decode_result<header> decode(const_bytes input) noexcept;

 private:
  using result = framing::decode_result<header>;

  result decode_line(const_bytes input) noexcept;
  result decode_block(const_bytes input) noexcept;
  result refuse(errc why) noexcept;

  header_limits limits_;
  std::size_t scanned_ = 0;  // of a line, without an end in it
  std::error_code error_;
};

}  // namespace sluice::proxy_protocol
