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
  if (header_.empty()) try {
      header own = header_of_client(below, format_);
      std::swap(own.source, own.destination);  // here, the client is this end
      if (const std::error_code error = write_header(header_, own)) {
        fail(error);
        return;
      }
    } catch (const std::bad_alloc&) {
      fail(make_error_code(std::errc::not_enough_memory));
      return;
    }
  below.write(as_bytes(header_));
  header_ = {};
  established();
}

}  // namespace sluice::proxy_protocol
