#include "device.hpp"

#include <cerrno>
#include <utility>

#include <sluice/error.hpp>

namespace sluice::testing::detail {

simulated_device::simulated_device(std::shared_ptr<simulated_wires> wires, std::string name)
    : wires_(std::move(wires)), name_(std::move(name)) {}

// As a descriptor that is dropped: what was not closed in time is closed at once.
simulated_device::~simulated_device() {
  if (!std::exchange(*wanted_, false) || station_ == nullptr) return;
  station_->drop(opening_);
  station_->end(opening_);
  wires_->release_name(held_name_);
}

void simulated_device::open(const serial::open_settings& wanted, open_handler done) {
  const auto station = wires_->find(name_);
  const duration span = station == nullptr ? duration::zero() : station->hardware().opening;
  wires_->later(span, [this, still_wanted = wanted_, wanted, done = std::move(done)] {
    if (*still_wanted) open_now(wanted, done);
  });
}

void simulated_device::open_now(const serial::open_settings& wanted, const open_handler& done) {
  const auto station = wires_->find(name_);
  if (station == nullptr)
    return done({system_error(ENOENT), name_ + ": " + system_error(ENOENT).message() + "; is the device plugged in?"});
  serial::opened found;
  const auto begun = station->begin(wanted, found);
  if (!begun) return done({begun.error(), begun.detail()});
  station_ = station;
  opening_ = *begun;
  held_name_ = station->name();
  wires_->hold_name(held_name_);
  done(found);
}

// The opening that this was is over; its port and its name are free when the system is done.
void simulated_device::close(std::function<void()> done) {
  *wanted_ = false;
  duration span = duration::zero();
  if (station_ != nullptr) {
    station_->drop(opening_);
    span = station_->hardware().closing;
  }
  wires_->later(span, [wires = wires_.get(), keep = std::weak_ptr(wires_), station = station_, opening = opening_, name = held_name_,
                       done = std::move(done)] {
    const auto alive = keep.lock();
    if (station != nullptr) {
      station->end(opening);
      if (alive != nullptr) wires->release_name(name);
    }
    if (done) done();
  });
}

std::error_code simulated_device::fault(simulated_call call) noexcept { return station_->fault(opening_, call); }

result<serial::settings> simulated_device::configure(const serial::settings& wanted) {
  if (const std::error_code error = fault(simulated_call::configure)) return error;
  return station_->configure(wanted);
}

void simulated_device::set_listener(serial::device_listener* told) noexcept { opening_->listener = told; }

void simulated_device::watch(serial::interest what) { station_->watch(opening_, what); }

serial::io_result simulated_device::read(mutable_bytes into) {
  if (const std::error_code error = fault(simulated_call::read)) return {0, error};
  return {station_->read(into)};
}

serial::io_result simulated_device::write(std::span<const const_bytes> parts) {
  if (const std::error_code error = fault(simulated_call::write)) return {0, error};
  return {station_->write(parts)};
}

result<serial::output_state> simulated_device::output() {
  if (const std::error_code error = fault(simulated_call::output)) return error;
  return station_->output();
}

std::error_code simulated_device::discard(serial::direction which) {
  if (const std::error_code error = fault(simulated_call::discard)) return error;
  station_->discard(which);
  return {};
}

std::error_code simulated_device::set_break(bool on) {
  if (const std::error_code error = fault(simulated_call::set_break)) return error;
  station_->set_break(on);
  return {};
}

result<serial::modem_lines> simulated_device::lines() {
  if (const std::error_code error = fault(simulated_call::lines)) return error;
  return station_->lines();
}

std::error_code simulated_device::set_lines(serial::line_level dtr, serial::line_level rts) {
  if (const std::error_code error = fault(simulated_call::set_lines)) return error;
  station_->set_lines(dtr, rts);
  return {};
}

result<serial::line_counters> simulated_device::counters() {
  if (const std::error_code error = fault(simulated_call::counters)) return error;
  return station_->counters();
}

}  // namespace sluice::testing::detail
