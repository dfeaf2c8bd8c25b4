#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/error.hpp>
#include <sluice/info.hpp>
#include <sluice/layer.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "scripted_line.hpp"

using namespace sluice;
using sluice::testing::manual_scheduler;
using sluice::testing::recording_protocol;

namespace {

class binary final : public recording_protocol {
 public:
  bool needs_every_byte() const noexcept override { return true; }
};

serial::settings with_xon_xoff() {
  serial::settings line;
  line.flow = serial::flow::xon_xoff;
  return line;
}

serial::options xon_xoff(bool forced = false) {
  serial::options settings;
  settings.line = with_xon_xoff();
  settings.force_xon_xoff = forced;
  return settings;
}

// What opening a line came to, for a protocol that needs every byte.
struct binary_line {
  explicit binary_line(const serial::options& settings) {
    scheduler.on_error([](const error_event& event) { CHECK(event.source == error_source::leak); });
    attempt = serial::open(
        scheduler, std::make_unique<scripted_device>(scheduler, script), [this] { return borrow(end); },
        [this](const result<transport&>& outcome) {
          error = outcome.error();
          detail = outcome.detail();
        },
        settings);
    scheduler.run_until_idle();
  }

  std::shared_ptr<device_script> script = std::make_shared<device_script>();
  binary end;
  std::optional<std::error_code> error;
  std::string detail;
  manual_scheduler scheduler;
  connecting attempt;
};

}  // namespace

TEST_CASE("SL7 a protocol that needs every byte does not run on a line with XON/XOFF, unless it is forced to") {
  const binary_line refused(xon_xoff());
  CHECK(refused.error == errc::bytes_reserved);
  CHECK(refused.detail.find("0x11 and 0x13") != std::string::npos);
  CHECK(refused.end.trace().empty());
  CHECK(refused.script->closed);

  const binary_line forced(xon_xoff(true));
  CHECK(forced.error == std::error_code());
  CHECK_FALSE(forced.end.connection()->info<reserved_bytes>());
}

TEST_CASE("SL7 a line with XON/XOFF is there for text, and names the bytes that it keeps") {
  scripted_line line(xon_xoff());
  CHECK_FALSE(line.error);
  CHECK(line.connection().info<reserved_bytes>()->values == "\x11\x13");
  scripted_line plain;
  CHECK_FALSE(plain.connection().info<reserved_bytes>());
}

TEST_CASE("SL7 a protocol that needs every byte, and a layer, cannot take over a line with XON/XOFF") {
  recording_protocol text;
  scripted_line line(xon_xoff());
  CHECK(line.connection().set_protocol(std::make_unique<binary>()) == errc::bytes_reserved);
  CHECK(line.connection().upgrade(std::make_unique<layer>(line.scheduler), borrow(text)) == errc::bytes_reserved);
  line.scheduler.run_until_idle();
  line.arrive("still here");
  CHECK(line.end.received() == "still here");
  CHECK_FALSE(line.connection().set_protocol(borrow(text)));
  line.scheduler.run_until_idle();
  line.arrive("there");
  CHECK(text.received() == "there");
  line.connection().abort();
  line.scheduler.run_until_idle();
}

TEST_CASE("SL7 an open line does not begin with XON/XOFF below a protocol that needs every byte") {
  binary_line line{serial::options()};
  std::optional<std::error_code> outcome;
  std::string why;
  serial::control(*line.end.connection()).configure(with_xon_xoff(), serial::apply::now, [&](const result<serial::settings>& got) {
    outcome = got.error();
    why = got.detail();
  });
  line.scheduler.run_until_idle();
  CHECK(outcome == errc::bytes_reserved);
  CHECK(why.find("RTS/CTS") != std::string::npos);
  CHECK(line.end.connection()->info<serial::settings>()->flow == serial::flow::none);
  CHECK(std::ranges::none_of(line.script->calls, [](const std::string& call) { return call.starts_with("configure"); }));
}
