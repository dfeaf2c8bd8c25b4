#include <sluice/local/datagrams.hpp>

#include <sluice/error.hpp>
#include <sluice/info.hpp>

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "datagram/datagram_socket.hpp"
#include "local_name.hpp"
#include "socket/socket.hpp"
#include "socket_file.hpp"

namespace sluice::local {
namespace {

class datagram_channel final : public sluice::detail::datagram_socket {
 public:
  datagram_channel(loop& owner, setup made) : datagram_socket(owner, std::move(made)) {}
  using datagram_socket::setup;

 private:
  bool can_send_to(const address& to) const noexcept override { return names_a_place(to); }
  void describe(info_query& query) const override {
    query.answer<transport_kind>([] { return transport_kind{"unix-dgram"}; });
    datagram_socket::describe(query);
  }
};

// One call of open or connect. What it has made is taken back if it fails.
class opening {
 public:
  opening(loop& owner, const datagram_socket_options& settings) : owner_(owner), settings_(settings) {
    if (settings.max_datagram == 0 || settings.max_datagram > datagram_transport::largest_datagram)
      throw std::invalid_argument("local::datagram_socket_options: max_datagram is not a number from 1 to 65535");
  }
  opening(const opening&) = delete;
  opening& operator=(const opening&) = delete;
  ~opening() {
    if (made_) remove_if(*made_, path_);
  }

  std::error_code bind(const address& at) {
    if (!at.is_unix()) return errc::bad_address;
    std::error_code error;
    socket_ = sluice::detail::open_datagram_socket(at, error);
    if (error || at.family() == address_family::unix_unnamed) return error ? error : set_buffer();
    path_ = at.path();
    error = bind_name(at);
    if (!error && !path_.empty()) error = prepare_file();
    return error ? error : set_buffer();
  }

  std::error_code connect(const address& to) const { return sluice::detail::begin_connect(socket_.get(), to); }

  datagram_transport* start(const address& peer, datagram_protocol_ptr upper, std::error_code& error) {
    if (upper == nullptr) throw std::invalid_argument("sluice: a datagram transport starts with a protocol, not null");
    datagram_channel::setup made;
    made.socket = std::move(socket_);
    made.peer = peer;
    made.tells_writable = !peer.empty();  // polling knows nothing of the queues of others
    made.max_datagram = settings_.max_datagram;
    made.options = settings_.datagrams;
    if (made_ && settings_.remove_file) made.at_close = [path = path_, file = *made_] { remove_if(file, path); };
    auto opened = std::make_unique<datagram_channel>(owner_, std::move(made));
    if ((error = opened->prepare())) return nullptr;
    made_.reset();
    return &datagram_transport::start(std::move(opened), std::move(upper));
  }

 private:
  std::error_code bind_name(const address& at) {
    const std::error_code error = sluice::detail::bind_socket(socket_.get(), at);
    if (error != std::errc::address_in_use || path_.empty()) return error;
    const auto found = socket_file_at(path_);
    if (!found || !settings_.remove_stale || !is_stale(at, SOCK_DGRAM)) return error;
    remove_if(*found, path_);
    return sluice::detail::bind_socket(socket_.get(), at);
  }

  std::error_code prepare_file() {
    made_ = socket_file_at(path_);
    if (!settings_.mode || ::chmod(path_.c_str(), static_cast<mode_t>(*settings_.mode)) == 0) return {};
    return system_error(errno);
  }

  std::error_code set_buffer() const {
    if (settings_.send_buffer == 0) return {};
    const auto bytes = static_cast<int>(std::min<std::size_t>(settings_.send_buffer, INT_MAX));
    return sluice::detail::set_option(socket_.get(), SOL_SOCKET, SO_SNDBUF, bytes);
  }

  loop& owner_;
  const datagram_socket_options& settings_;
  descriptor socket_;
  std::string path_;
  std::optional<file_identity> made_;
};

[[noreturn]] void raise(const char* what, const address& where, std::error_code error) {
  throw std::system_error(error, std::string(what) + where.to_string() + " for datagrams");
}

}  // namespace

datagram_transport* open_datagrams(loop& owner, const address& at, datagram_protocol_ptr upper, const datagram_socket_options& settings,
                                   std::error_code& error) {
  opening now(owner, settings);
  error = now.bind(at);
  return error ? nullptr : now.start({}, std::move(upper), error);
}

datagram_transport& open_datagrams(loop& owner, const address& at, datagram_protocol_ptr upper, const datagram_socket_options& settings) {
  std::error_code error;
  datagram_transport* const opened = open_datagrams(owner, at, std::move(upper), settings, error);
  if (opened == nullptr) raise("opening ", at, error);
  return *opened;
}

datagram_transport* connect_datagrams(loop& owner, const address& to, datagram_protocol_ptr upper, const datagram_socket_options& settings,
                                      std::error_code& error) {
  opening now(owner, settings);
  error = names_a_place(to) ? now.bind(settings.local.empty() ? address::unix_unnamed() : settings.local) : errc::bad_address;
  if (!error) error = now.connect(to);
  return error ? nullptr : now.start(to, std::move(upper), error);
}

datagram_transport& connect_datagrams(loop& owner, const address& to, datagram_protocol_ptr upper,
                                      const datagram_socket_options& settings) {
  std::error_code error;
  datagram_transport* const opened = connect_datagrams(owner, to, std::move(upper), settings, error);
  if (opened == nullptr) raise("connecting to ", to, error);
  return *opened;
}

}  // namespace sluice::local
