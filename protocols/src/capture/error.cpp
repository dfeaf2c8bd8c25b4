#include <sluice/capture/error.hpp>

#include <string>

namespace sluice::capture {
namespace {

const char* text(errc value) noexcept {
  switch (value) {
    case errc::not_pcapng: return "not a pcapng file: it does not begin with a Section Header Block";
    case errc::bad_byte_order: return "a Section Header Block without a byte order magic";
    case errc::bad_version: return "a section of an unknown version; expected 1";
    case errc::bad_block_length: return "a block whose length cannot be, or is another one at its end";
    case errc::block_too_long: return "a block longer than the limit";
    case errc::bad_block: return "a block whose fields do not fit into it";
    case errc::bad_option: return "a block with an option that does not fit into it, or has a length that it cannot have";
    case errc::bad_timestamp: return "a time that is not between 1970 and 2262";
    case errc::wrong_link_type: return "packets of another link type; expected 250, serial lines";
    case errc::too_many_interfaces: return "more interfaces in one section than the limit";
    case errc::unknown_interface: return "a packet of an interface that was not described before it";
    case errc::bad_packet: return "a packet without the 12 bytes of header that those of serial lines have";
    case errc::capture_cut: return "the capture ends inside a block";
    case errc::connection_lost: return "the recorded connection was lost here";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "capture"; }
  std::string message(int value) const override { return text(static_cast<errc>(value)); }
};

}  // namespace

const std::error_category& capture_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc value) noexcept { return {static_cast<int>(value), capture_category()}; }

}  // namespace sluice::capture
