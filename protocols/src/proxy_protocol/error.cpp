#include <sluice/proxy_protocol/error.hpp>

#include <string>

namespace sluice::proxy_protocol {
namespace {

const char* text(errc value) noexcept {
  switch (value) {
    case errc::no_header: return "the connection does not begin with a header of the PROXY protocol, as one from a proxy has to";
    case errc::bad_line:
      return "malformed PROXY header; expected \"PROXY TCP4\", \"TCP6\" or \"UNKNOWN\", two addresses and two ports, and CR LF";
    case errc::bad_version: return "PROXY header of an unknown version; expected 1 or 2";
    case errc::bad_command: return "PROXY header with an unknown command; expected LOCAL or PROXY";
    case errc::bad_family: return "PROXY header with an unknown address family or protocol";
    case errc::bad_length: return "PROXY header shorter than the addresses in it";
    case errc::bad_address: return "PROXY header with the name of a Unix socket that is none";
    case errc::bad_tlv: return "PROXY header with a TLV that does not fit it";
    case errc::bad_checksum: return "PROXY header with a wrong checksum";
    case errc::header_too_long: return "PROXY header longer than the limit";
    case errc::header_cut: return "the connection ended before its PROXY header was whole";
    case errc::untrusted_source: return "the connection comes from no trusted proxy";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "proxy_protocol"; }
  std::string message(int value) const override { return text(static_cast<errc>(value)); }
};

}  // namespace

const std::error_category& proxy_protocol_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), proxy_protocol_category()}; }

}  // namespace sluice::proxy_protocol
