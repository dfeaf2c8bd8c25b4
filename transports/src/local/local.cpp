#include <sluice/local.hpp>

#include <sluice/error.hpp>

#include <utility>

#include "socket/adopt.hpp"
#include "local_channel.hpp"
#include "local_name.hpp"
#include "client/stream_connector.hpp"

namespace sluice::local {

connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done, const options& settings) {
  const auto connected = [&owner, stream = shared_stream_options::make(settings.stream), most = settings.receive_descriptors](
                             descriptor socket, const address& peer) { return make_channel(owner, std::move(socket), peer, stream, most); };
  auto made = std::make_unique<detail::stream_connector>(
      owner, detail::stream_connector::request{to.to_string(), std::move(factory), connected, std::move(done), settings.connect_timeout});
  names_a_place(to) ? made->connect_to(to) : made->refuse(errc::bad_address);
  return connecting(std::move(made));
}

result<transport&> adopt(loop& owner, descriptor connected, protocol_ptr upper, const options& settings) {
  const auto is_unix = [](const address& own) { return own.is_unix(); };
  const auto adopted = [&](descriptor socket, const address& peer) {
    return make_channel(owner, std::move(socket), peer, shared_stream_options::make(settings.stream), settings.receive_descriptors);
  };
  return detail::adopt(std::move(connected), {"a connected Unix stream socket", is_unix, adopted}, std::move(upper));
}

std::error_code send_descriptors(transport& over, std::span<descriptor> passed, const_bytes data) {
  channel* const found = channel::of(over);
  return found == nullptr ? make_error_code(errc::not_supported) : found->send_descriptors(passed, data);
}

descriptor take_descriptor(transport& from) noexcept {
  channel* const found = channel::of(from);
  return found == nullptr ? descriptor() : found->take_descriptor();
}

}  // namespace sluice::local
