#pragma once

#include <sluice/serial.hpp>

#include <doctest/doctest.h>

#include <sluice/testing/manual_scheduler.hpp>
#include <sluice/testing/recording_protocol.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "scripted_device.hpp"

// The serial channel over a device that does what the test says, in virtual time.
struct scripted_line {
  explicit scripted_line(const sluice::serial::options& settings = {},
                         std::shared_ptr<device_script> from = std::make_shared<device_script>())
      : script(std::move(from)) {
    scheduler.on_error([](const sluice::error_event& event) { CHECK(event.source == sluice::error_source::leak); });
    attempt = sluice::serial::open(
        scheduler, std::make_unique<scripted_device>(scheduler, script), [this] { return sluice::borrow(end); },
        [this](const sluice::result<sluice::transport&>& outcome) {
          error = outcome.error();
          detail = outcome.detail();
        },
        settings);
    scheduler.run_until_idle();
  }
  sluice::transport& connection() { return *end.connection(); }
  sluice::serial::line_control control() { return sluice::serial::control(connection()); }
  // Whatever it is watched for is there.
  void ready() {
    if (script->listener != nullptr && script->watched != sluice::serial::interest::none) script->listener->ready(script->watched);
    scheduler.run_until_idle();
  }
  void arrive(std::string_view text) {
    script->input += text;
    ready();
  }

  std::shared_ptr<device_script> script;
  sluice::testing::recording_protocol end;
  std::error_code error;
  std::string detail;
  sluice::testing::manual_scheduler scheduler;
  sluice::connecting attempt;
};

inline sluice::serial::options with_baud(std::uint32_t baud) {
  sluice::serial::options settings;
  settings.line.baud = baud;
  return settings;
}
