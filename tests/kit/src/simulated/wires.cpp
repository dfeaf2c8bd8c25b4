#include "wires.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "device.hpp"

namespace sluice::testing {
namespace detail {
namespace {

void check(const simulated_interface& hardware) {
  for (const std::size_t size : {hardware.receive_fifo, hardware.transmit_fifo, hardware.output_queue, hardware.input_queue,
                                 hardware.most_per_read, hardware.most_per_write, hardware.clump, hardware.characters_at_once})
    if (size == 0) throw std::invalid_argument("simulated_line::add: a size of 0; expected at least 1");
}

}  // namespace

simulated_port& simulated_wires::add(const simulated_interface& hardware) {
  check(hardware);
  if (how_ == wiring::null_modem && stations_.size() == 2)
    throw std::logic_error("simulated_line::add: a null modem has two ends; a bus has as many as wanted");
  stations_.push_back(std::make_shared<simulated_station>(*this, hardware, owner_, noise_));
  stations_.back()->plug_in(free_name(hardware.prefix));
  return ports_.emplace_back(stations_.back());
}

std::shared_ptr<simulated_station> simulated_wires::find(const std::string& name_or_id) const {
  const auto found = std::ranges::find_if(
      stations_, [&](const auto& each) { return each->is_plugged() && (each->name() == name_or_id || each->hardware().id == name_or_id); });
  return found == stations_.end() ? nullptr : *found;
}

std::string simulated_wires::free_name(const std::string& prefix) const {
  for (int number = 0;; ++number) {
    std::string name = prefix;
    name += std::to_string(number);
    if (find(name) == nullptr && !held_names_.contains(name)) return name;
  }
}

void simulated_wires::release_name(const std::string& name) {
  if (const auto held = held_names_.find(name); held != held_names_.end()) held_names_.erase(held);
}

void simulated_wires::end() {
  seen_ = nullptr;
  for (const auto& each : stations_) each->wires_end();
}

void simulated_wires::later(duration span, std::function<void()> call) {
  if (span <= duration::zero()) return owner_.call_soon([call = std::move(call)] { call(); });
  timer& made = delayed_.emplace_back(owner_, [this, call = std::move(call)] {
    const auto alive = shared_from_this();
    const auto mine = call;
    std::erase_if(delayed_, [](const timer& each) { return !each.is_running(); });
    mine();
  });
  made.start(span);
}

bool simulated_wires::reaches(const simulated_station& from, const simulated_station& to) const noexcept {
  if (how_ == wiring::null_modem) return &from != &to;
  return from.drives() && to.hears(from);
}

bool simulated_wires::is_contended(const simulated_station& by) const noexcept {
  return how_ == wiring::bus && by.drives() &&
         std::ranges::any_of(stations_, [&by](const auto& each) { return each.get() != &by && each->drives(); });
}

void simulated_wires::add_pulse(simulated_station& from, const pulse& what) {
  for (const auto& each : stations_)
    if (reaches(from, *each)) each->ears().hear(what);
}

void simulated_wires::sends(simulated_station& from, std::byte value, const serial::settings& line) {
  const pulse made = character_pulse(&from, now(), value, line);
  add_pulse(from, made);
  drives_now(from);
  if (seen_) seen_({from.name(), time_point(duration(made.from)), time_point(duration(made.to)), value});
}

bool simulated_wires::carries_at_once(const simulated_station& from) const noexcept {
  if (how_ == wiring::bus || seen_) return false;
  for (const auto& each : stations_)
    if (each.get() != &from && !each->ears().hears_as_sent(from.line())) return false;
  return true;
}

void simulated_wires::bring(const simulated_station& from, std::span<const std::byte> sent) {
  for (const auto& each : stations_)
    if (each.get() != &from && each->ears().is_on()) each->heard_together(sent);
}

void simulated_wires::begins_break(simulated_station& from) { add_pulse(from, break_pulse(&from, now())); }

void simulated_wires::ends_break(simulated_station& from) {
  for (const auto& each : stations_) each->ears().end_breaks(&from);
}

// What is on the bus in this moment is lost, also that of whoever was first.
void simulated_wires::drives_now(simulated_station& from) {
  if (!is_contended(from)) return;
  ++collisions_;
  for (const auto& each : stations_) each->ears().spoil();
}

void simulated_wires::lines_changed(simulated_station& from) {
  if (how_ == wiring::bus) return drives_now(from);
  const serial::modem_lines now = from.lines();
  for (const auto& each : stations_)
    if (each.get() != &from) each->set_inputs(now.rts, now.dtr, now.dtr);
}

}  // namespace detail

simulated_port::simulated_port(std::shared_ptr<detail::simulated_station> station) noexcept : station_(std::move(station)) {}

std::unique_ptr<serial::device> simulated_port::device() const {
  const std::string& id = station_->hardware().id;
  return std::make_unique<detail::simulated_device>(station_->wires().shared_from_this(), id.empty() ? station_->name() : id);
}

void simulated_port::plug_in() {
  if (!station_->is_plugged()) station_->plug_in(station_->wires().free_name(station_->hardware().prefix));
}

std::string simulated_port::name() const { return station_->name(); }
bool simulated_port::is_open() const noexcept { return station_->is_open(); }
const serial::settings& simulated_port::settings() const noexcept { return station_->line(); }
serial::modem_lines simulated_port::lines() const noexcept { return station_->lines(); }
const serial::line_counters& simulated_port::counters() const noexcept { return station_->counters(); }
void simulated_port::unplug() { station_->unplug(); }
void simulated_port::damage_next(serial::line_error how, std::size_t characters) noexcept { station_->damage_next(how, characters); }
void simulated_port::hold_interrupts(bool on) { station_->hold_interrupts(on); }
void simulated_port::fail(simulated_call which, std::error_code error, std::size_t times) { station_->fail(which, error, times); }
void simulated_port::set_ring(bool on) { station_->set_ring(on); }

simulated_line::simulated_line(scheduler& owner, wiring how, std::uint64_t seed)
    : wires_(std::make_shared<detail::simulated_wires>(owner, how, seed)) {}

simulated_line::~simulated_line() { wires_->end(); }

simulated_port& simulated_line::add(const simulated_interface& hardware) { return wires_->add(hardware); }

std::unique_ptr<serial::device> simulated_line::device(std::string name) const {
  return std::make_unique<detail::simulated_device>(wires_, std::move(name));
}

void simulated_line::on_character(std::function<void(const wire_character&)> seen) { wires_->on_character(std::move(seen)); }
std::uint64_t simulated_line::collisions() const noexcept { return wires_->collisions(); }

}  // namespace sluice::testing
