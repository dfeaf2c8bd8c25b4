#include <sluice/pty.hpp>

#include <sluice/error.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

#include "pty_channel.hpp"

namespace sluice::pty {
namespace {

result<transport&> failed_to(const std::string& step, std::error_code error) { return {error, step + ": " + error.message()}; }

result<transport&> cannot_link(const std::string& link, std::error_code error) {
  if (error == std::errc::file_exists)
    return {error, link + ": there is something in its place, and it is no link that leads nowhere; expected a name that is free"};
  return failed_to("making the link " + link, error);
}

}  // namespace

result<transport&> open(loop& owner, const std::string& link, protocol_ptr upper, const options& settings) {
  if (upper == nullptr) throw std::invalid_argument("pty::open: the protocol is null");
  std::error_code error;
  terminal made = terminal::make(settings.mode, error);
  if (error) return failed_to("making a pseudo-terminal", error);
  auto exporter = std::make_unique<channel>(owner, std::move(made), settings);
  if ((error = exporter->prepare())) return failed_to("watching who opens the pseudo-terminal", error);
  if (!link.empty() && (error = exporter->export_as(link))) return cannot_link(link, error);
  transport& running = stream_transport::start(std::move(exporter), std::move(upper));
  if (running.closing_reason() == errc::protocol_threw) return make_error_code(errc::protocol_threw);  // rule X2
  return running;
}

std::error_code on_settings(const transport& of, settings_handler told) {
  const auto access = of.info<terminal_access>();
  return access ? access->value->watch_settings(std::move(told)) : make_error_code(errc::not_supported);
}

}  // namespace sluice::pty
