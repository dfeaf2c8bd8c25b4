#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <sluice/testing/simulated_line.hpp>
#include <sluice/timer.hpp>

#include "receiver.hpp"
#include "station.hpp"

namespace sluice::testing::detail {

// What is between the interfaces of one line, and the names that they have in the system.
class simulated_wires : public std::enable_shared_from_this<simulated_wires> {
 public:
  simulated_wires(scheduler& owner, wiring how, std::uint64_t seed) : owner_(owner), how_(how), noise_(seed) {}

  scheduler& owner() const noexcept { return owner_; }
  wiring how() const noexcept { return how_; }
  std::uint64_t collisions() const noexcept { return collisions_; }
  void on_character(std::function<void(const wire_character&)> seen) { seen_ = std::move(seen); }

  simulated_port& add(const simulated_interface& hardware);
  std::shared_ptr<simulated_station> find(const std::string& name_or_id) const;
  std::string free_name(const std::string& prefix) const;
  // A program that still holds a device which is gone keeps its name.
  void hold_name(const std::string& name) { held_names_.insert(name); }
  void release_name(const std::string& name);
  void end();
  // In a turn of its own.
  void later(duration span, std::function<void()> call);

  // --- what a station does to the wire
  void sends(simulated_station& from, std::byte value, const serial::settings& line);
  // Everybody else would hear characters exactly as they are sent; `bring` is then all that happens to them.
  bool carries_at_once(const simulated_station& from) const noexcept;
  void bring(const simulated_station& from, std::span<const std::byte> sent);
  void begins_break(simulated_station& from);
  void ends_break(simulated_station& from);
  // Its outputs, or the bus that it drives, have changed.
  void drives_now(simulated_station& from);
  void lines_changed(simulated_station& from);

 private:
  nanoseconds now() const noexcept { return owner_.now().time_since_epoch().count(); }
  bool reaches(const simulated_station& from, const simulated_station& to) const noexcept;
  bool is_contended(const simulated_station& by) const noexcept;
  void add_pulse(simulated_station& from, const pulse& what);

  scheduler& owner_;
  wiring how_;
  seeded_numbers noise_;
  std::uint64_t collisions_ = 0;
  std::function<void(const wire_character&)> seen_;
  std::vector<std::shared_ptr<simulated_station>> stations_;
  std::list<simulated_port> ports_;
  std::multiset<std::string> held_names_;
  std::list<timer> delayed_;
};

}  // namespace sluice::testing::detail
