#pragma once

#include <sluice/scheduler.hpp>
#include <sluice/serial/device.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// A device that does what a test tells it to, and writes down what it was told, in virtual time.
struct device_script {
  sluice::serial::opened found;
  std::error_code open_error = {};
  bool opens = true;  // else the driver never answers
  sluice::serial::settings takes_instead = {};
  bool refuses_settings = false;  // configure() takes `takes_instead`
  std::size_t room = 4096;        // bytes that the driver takes until the test empties it
  bool transmitter_empty = true;
  bool closed = false;
  bool broken = false;  // every call gives EIO
  bool in_break = false;
  std::string written;
  std::string input;
  sluice::serial::modem_lines lines;
  sluice::serial::line_counters counters;
  std::vector<std::string> calls;
  sluice::serial::device_listener* listener = nullptr;
  sluice::serial::interest watched = sluice::serial::interest::none;
  std::size_t queued = 0;

  // All that the driver holds leaves.
  void empty() { room += std::exchange(queued, 0); }
};

class scripted_device final : public sluice::serial::device {
 public:
  using interest = sluice::serial::interest;

  scripted_device(sluice::scheduler& owner, std::shared_ptr<device_script> script) : owner_(owner), script_(std::move(script)) {}

  void open(const sluice::serial::open_settings& wanted, open_handler done) override {
    script_->calls.push_back("open " + to_string(wanted.line));
    if (!script_->opens) return;
    if (!script_->refuses_settings) script_->found.line = wanted.line;
    owner_.call_soon([script = script_, done = std::move(done)] {
      if (script->closed) return;
      if (script->open_error)
        done({script->open_error, "scripted: cannot"});
      else
        done(script->found);
    });
  }
  void close(std::function<void()> done) override {
    script_->closed = true;
    script_->listener = nullptr;
    script_->calls.emplace_back("close");
    owner_.call_soon([done = std::move(done)] {
      if (done) done();
    });
  }
  sluice::result<sluice::serial::settings> configure(const sluice::serial::settings& wanted) override {
    script_->calls.push_back("configure " + to_string(wanted));
    if (script_->broken) return broken();
    return script_->refuses_settings ? script_->takes_instead : wanted;
  }
  void set_listener(sluice::serial::device_listener* told) noexcept override { script_->listener = told; }
  void watch(interest what) override { script_->watched = what; }
  sluice::serial::io_result read(sluice::mutable_bytes into) override {
    if (script_->broken) return {0, broken()};
    const std::size_t n = std::min(into.size(), script_->input.size());
    std::copy_n(sluice::as_bytes(script_->input).begin(), n, into.begin());
    script_->input.erase(0, n);
    return {n};
  }
  sluice::serial::io_result write(std::span<const sluice::const_bytes> parts) override {
    if (script_->broken) return {0, broken()};
    std::size_t taken = 0;
    for (const sluice::const_bytes part : parts) {
      const std::size_t n = std::min(part.size(), script_->room);
      script_->written += sluice::as_text(part.first(n));
      script_->room -= n;
      script_->queued += n;
      taken += n;
    }
    return {taken};
  }
  sluice::result<sluice::serial::output_state> output() override {
    if (script_->broken) return broken();
    return sluice::serial::output_state{script_->queued, script_->transmitter_empty};
  }
  std::error_code discard(sluice::serial::direction which) override {
    script_->calls.push_back("discard " + std::to_string(static_cast<int>(which)));
    if (which != sluice::serial::direction::input) script_->empty();
    if (which != sluice::serial::direction::output) script_->input.clear();
    return {};
  }
  std::error_code set_break(bool on) override {
    if (script_->broken) return broken();
    script_->in_break = on;
    script_->calls.emplace_back(on ? "break on" : "break off");
    return {};
  }
  sluice::result<sluice::serial::modem_lines> lines() override {
    if (script_->broken) return broken();
    return script_->lines;
  }
  std::error_code set_lines(sluice::serial::line_level dtr, sluice::serial::line_level rts) override {
    const auto word = [](sluice::serial::line_level level) {
      return level == sluice::serial::line_level::keep ? "keep" : level == sluice::serial::line_level::on ? "on" : "off";
    };
    script_->calls.push_back(std::string("lines ") + word(dtr) + " " + word(rts));
    return {};
  }
  sluice::result<sluice::serial::line_counters> counters() override {
    if (script_->broken) return broken();
    return script_->counters;
  }
  std::string name() const override { return "scripted"; }

 private:
  static std::error_code broken() { return make_error_code(std::errc::io_error); }

  sluice::scheduler& owner_;
  std::shared_ptr<device_script> script_;
};
