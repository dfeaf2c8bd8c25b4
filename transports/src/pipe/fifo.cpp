#include <sluice/pipe.hpp>

#include <sluice/detail/make_protocol.hpp>
#include <sluice/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "client/posted_start.hpp"
#include "starting.hpp"

namespace sluice::pipe {
namespace {

using ways = connection_machine::ways;

struct way {
  int flags;
  ways has;
};

way way_of(direction wanted) noexcept {
  switch (wanted) {
    case direction::read: return {O_RDONLY, ways::input_only};
    case direction::write: return {O_WRONLY, ways::output_only};
    case direction::both: return {O_RDWR, ways::both};
  }
  return {O_RDONLY, ways::input_only};
}

// Looked at before it is opened: opening a device may do something to it.
std::error_code check_kind(const std::string& path) noexcept {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return system_error(errno);
  return S_ISFIFO(status.st_mode) ? std::error_code() : make_error_code(errc::not_supported);
}

descriptor open_file(const std::string& path, const fifo_options& settings, std::error_code& error) noexcept {
  if (settings.create && ::mkfifo(path.c_str(), settings.mode) != 0 && errno != EEXIST) error = system_error(errno);
  if (!error) error = check_kind(path);
  if (error) return {};
  descriptor opened(::open(path.c_str(), way_of(settings.to_go).flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!opened) error = system_error(errno);
  return opened;
}

std::string story(const std::string& path, std::error_code error) {
  const bool is_other = error == errc::not_supported;
  return "opening the FIFO \"" + path + "\": " + (is_other ? "there is something else; expected a FIFO" : error.message());
}

}  // namespace

connecting open_fifo(loop& owner, std::string path, protocol_factory factory, connect_handler done, const fifo_options& settings) {
  const auto attempt = [&owner, path = std::move(path), factory = std::move(factory), settings,
                        stream = shared_stream_options::make(settings.stream)]() -> std::optional<result<transport&>> {
    std::error_code error;
    descriptor opened = open_file(path, settings, error);
    if (error == std::errc::no_such_device_or_address) return std::nullopt;  // no reader yet
    if (error) return result<transport&>(error, story(path, error));
    auto upper = detail::make_protocol(owner, factory);
    if (upper == nullptr) return make_error_code(errc::factory_failed);
    return start(owner, {"fifo", way_of(settings.to_go).has, std::move(opened), {}}, std::move(upper), stream);
  };
  return connecting(std::make_unique<detail::posted_start>(owner, attempt, std::move(done), settings.connect_timeout));
}

}  // namespace sluice::pipe
