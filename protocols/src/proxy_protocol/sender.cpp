#include <sluice/proxy_protocol/sender.hpp>

#include <new>
#include <system_error>
#include <utility>

#include <sluice/info.hpp>

namespace sluice::proxy_protocol {

sender::sender(sluice::scheduler& owner, protocol_ptr upper, std::string header)
    : layer(owner, std::move(upper)), header_(std::move(header)) {}

sender::sender(sluice::scheduler& owner, protocol_ptr upper, version format) : layer(owner, std::move(upper)), format_(format) {}

void sender::connection_made(transport& below) {
  attach(below);
  if (const std::error_code error = complete(below)) {
    fail(error);
    return;
  }
  below.write(as_bytes(header_));
  header_ = {};
  established();
}

// A header that was not given says what the connection itself is.
std::error_code sender::complete(const transport& below) noexcept {
  if (!header_.empty()) return {};
  try {
    header own = header_of_client(below, format_);
    std::swap(own.source, own.destination);  // here, the client is this end
    return write_header(header_, own);
  } catch (const std::bad_alloc&) {
    return make_error_code(std::errc::not_enough_memory);
  }
}

}  // namespace sluice::proxy_protocol
