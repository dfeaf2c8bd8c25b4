#include <sluice/local.hpp>

#include <sluice/error.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "adopt.hpp"
#include "local_channel.hpp"
#include "socket.hpp"
#include "stream_connector.hpp"
#include "stream_server.hpp"

namespace sluice::local {
namespace {

// An unnamed address would let the system choose a name, and nobody would know.
bool names_a_place(const address& at) noexcept {
  return at.family() == address_family::unix_path || at.family() == address_family::unix_abstract;
}

bool is_socket_file(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
}

// Somebody may be listening there: only a refused connection proves that nobody is.
bool is_stale(const address& at) {
  std::error_code error;
  const descriptor probe = detail::open_stream_socket(at, error);
  return !error && detail::begin_connect(probe.get(), at) == std::errc::connection_refused;
}

std::error_code bind_over_stale(int socket, const address& at, bool remove_stale) {
  const std::error_code error = detail::bind_socket(socket, at);
  const std::string path(at.path());
  if (error != std::errc::address_in_use || path.empty() || !remove_stale || !is_socket_file(path) || !is_stale(at)) return error;
  ::unlink(path.c_str());
  return detail::bind_socket(socket, at);
}

// Removes the file when the server closes, unless it is another one by then.
std::function<void()> remover(const address& at) {
  struct stat made {};
  std::string path(at.path());
  if (path.empty() || ::lstat(path.c_str(), &made) != 0) return {};
  return [path, device = made.st_dev, inode = made.st_ino] {
    struct stat now {};
    if (::lstat(path.c_str(), &now) == 0 && now.st_dev == device && now.st_ino == inode) ::unlink(path.c_str());
  };
}

}  // namespace

struct server::state final : detail::stream_server {
  state(loop& owner, protocol_factory factory, options wanted)
      : stream_server(owner, std::move(factory),
                      [&owner, stream = shared_stream_options::make(wanted.stream), most = wanted.receive_descriptors](
                          descriptor socket, const address& peer) {
                        return std::make_unique<channel>(owner, std::move(socket), peer, stream, most);
                      }),
        settings(std::move(wanted)) {}

  options settings;
};

server::server(loop& owner, protocol_factory factory, options settings)
    : state_(std::make_unique<state>(owner, std::move(factory), std::move(settings))) {}

server::~server() { detail::stream_server::dispose(std::move(state_)); }

address server::listen(const address& at) {
  std::error_code error;
  address bound = listen(at, error);
  if (error) throw std::system_error(error, "listening on " + at.to_string());
  return bound;
}

address server::listen(const address& at, std::error_code& error) {
  if (!names_a_place(at)) {
    error = errc::bad_address;
    return {};
  }
  descriptor socket = detail::open_stream_socket(at, error);
  if (!error) error = bind_over_stale(socket.get(), at, state_->settings.remove_stale);
  if (error) return {};
  auto at_close = remover(at);
  if (state_->settings.mode && !at.path().empty() &&
      ::chmod(std::string(at.path()).c_str(), static_cast<mode_t>(*state_->settings.mode)) != 0)
    error = system_error(errno);
  const int number = socket.get();
  if (!error) error = state_->listen(std::move(socket), state_->settings.backlog, at_close);
  if (!error) return detail::bound_address(number);
  if (at_close) at_close();
  return {};
}

void server::close() { state_->close(); }
bool server::is_serving() const noexcept { return state_->is_serving(); }
std::vector<address> server::sockets() const { return state_->sockets(); }
const server_counters& server::counters() const noexcept { return state_->counters(); }

connecting connect(loop& owner, const address& to, protocol_factory factory, connect_handler done, const options& settings) {
  const auto make_channel = [&owner, stream = shared_stream_options::make(settings.stream), most = settings.receive_descriptors](
                                descriptor socket, const address& peer) {
    return std::make_unique<channel>(owner, std::move(socket), peer, stream, most);
  };
  auto made = std::make_unique<detail::stream_connector>(
      owner,
      detail::stream_connector::request{to.to_string(), std::move(factory), make_channel, std::move(done), settings.connect_timeout});
  names_a_place(to) ? made->connect_to(to) : made->refuse(errc::bad_address);
  return connecting(std::move(made));
}

result<transport&> adopt(loop& owner, descriptor connected, protocol_ptr upper, const options& settings) {
  const auto is_unix = [](const address& own) { return own.is_unix(); };
  const auto make_channel = [&](descriptor socket, const address& peer) {
    return std::make_unique<channel>(owner, std::move(socket), peer, shared_stream_options::make(settings.stream),
                                     settings.receive_descriptors);
  };
  return detail::adopt(std::move(connected), {"a connected Unix stream socket", is_unix, make_channel}, std::move(upper));
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
