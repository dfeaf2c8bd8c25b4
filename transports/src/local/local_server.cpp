#include <sluice/local.hpp>

#include <sluice/error.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "local_channel.hpp"
#include "local_name.hpp"
#include "socket_file.hpp"
#include "socket/socket.hpp"
#include "server/stream_server.hpp"

namespace sluice::local {
namespace {

// One call of listen, with what it is doing for the message of an error.
class opening {
 public:
  opening(const address& at, const options& settings)
      : at_(at), settings_(settings), path_(at.path()), what_("listening on " + at.to_string()) {}

  std::error_code run(detail::stream_server& server) {
    if (!names_a_place(at_)) return errc::bad_address;
    descriptor socket = server.inherited(at_);
    const bool is_ours = !socket.is_open();  // else others serve there until we do
    if (is_ours)
      if (const auto error = make(socket)) return error;
    if (!path_.empty()) file_ = socket_file_at(path_);
    std::error_code error = prepare_file();
    if (!error) error = server.add_bound(std::move(socket), settings_.remove_file ? remover() : detail::at_socket_close());
    if (error && is_ours && file_) remove_if(*file_, path_);
    return error;
  }

  [[noreturn]] void raise(std::error_code error) const { throw std::system_error(error, what_); }

 private:
  std::error_code make(descriptor& socket) {
    std::error_code error;
    socket = detail::open_stream_socket(at_, error);
    return error ? error : bind(socket.get());
  }

  std::error_code bind(int socket) {
    const std::error_code error = detail::bind_socket(socket, at_);
    if (path_.empty()) return error;
    if (error == std::errc::no_such_file_or_directory) what_ += ": its folder is missing";
    if (error != std::errc::address_in_use) return error;
    const auto found = socket_file_at(path_);
    if (!found) what_ += ": what is there is no socket";
    if (!found || !settings_.remove_stale || !is_stale(at_, SOCK_STREAM)) return error;
    remove_if(*found, path_);
    return detail::bind_socket(socket, at_);
  }

  // Nobody can connect before a new socket listens, so nobody sees its file with other permissions.
  std::error_code prepare_file() {
    if (path_.empty()) return {};
    if (settings_.mode && ::chmod(path_.c_str(), static_cast<mode_t>(*settings_.mode)) != 0) return failed_to("setting its mode");
    if (!settings_.user && !settings_.group) return {};
    const uid_t user = settings_.user.value_or(static_cast<uid_t>(-1));
    const gid_t group = settings_.group.value_or(static_cast<gid_t>(-1));
    return ::chown(path_.c_str(), user, group) == 0 ? std::error_code() : failed_to("setting its owner");
  }

  std::error_code failed_to(const char* step) {
    const int error = errno;
    what_ = what_ + ": " + step;
    return system_error(error);
  }

  detail::at_socket_close remover() const {
    if (!file_) return {};
    return [path = path_, file = *file_] { remove_if(file, path); };
  }

  const address& at_;
  const options& settings_;
  std::string path_;
  std::string what_;
  std::optional<file_identity> file_;
};

std::unique_ptr<detail::stream_server> make_server(loop& owner, protocol_factory factory, const options& settings) {
  const auto accepted = [&owner, stream = shared_stream_options::make(settings.stream), most = settings.receive_descriptors](
                            descriptor socket, const address& peer, const detail::shared_tally& tally) {
    return make_channel(owner, std::move(socket), peer, stream, most, tally);
  };
  return std::make_unique<detail::stream_server>(
      owner, std::move(factory), accepted,
      detail::stream_server::settings{
          {"Unix", [](const address& own) { return own.is_unix(); }}, settings.backlog, settings.start_serving, settings.max_connections});
}

}  // namespace

server::server(loop& owner, protocol_factory factory, options settings)
    : socket_server(make_server(owner, std::move(factory), settings)), settings_(std::move(settings)) {}

address server::listen(const address& at) {
  opening now(at, settings_);
  if (const auto error = now.run(impl())) now.raise(error);
  return impl().sockets().back();
}

address server::listen(const address& at, std::error_code& error) {
  error = opening(at, settings_).run(impl());
  return error ? address() : impl().sockets().back();
}

}  // namespace sluice::local
