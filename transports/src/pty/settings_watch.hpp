#pragma once

#include <sluice/pty.hpp>
#include <sluice/timer.hpp>

namespace sluice::pty {

// What programs make of a terminal's settings, seen from our side of it. The system tells that they changed only where EXTPROC is among them,
// which a program may take away with the change that it makes: it is put back a moment later, when the program is done with what it sets
// one by one, as nothing keeps the two of us from overwriting each other's.
class settings_watch {
 public:
  settings_watch(scheduler& owner, int master) : master_(master), settled_(owner, [this] { look(); }) {}

  // Replaces the subscriber; an empty one ends it.
  std::error_code subscribe(settings_handler told);
  void stop() noexcept;
  // The system told of a change.
  void noticed();

 private:
  void look();

  int master_;
  settings_handler told_;
  serial::settings last_;
  timer settled_;
};

// As they are now.
result<serial::settings> settings_of(int master);

}  // namespace sluice::pty
