#pragma once

#include <sluice/connecting.hpp>
#include <sluice/detail/resource.hpp>
#include <sluice/scheduler.hpp>
#include <sluice/serial.hpp>
#include <sluice/timer.hpp>

#include <memory>
#include <string>

namespace sluice::serial {

// One attempt to open a line and to make a transport of it.
class opening final : public connecting::attempt, private sluice::detail::resource {
 public:
  opening(scheduler& owner, std::unique_ptr<device> line, protocol_factory factory, connect_handler done, const options& wanted);
  ~opening() override;

  void begin();
  bool in_progress() const noexcept override { return device_ != nullptr; }
  void detach(std::unique_ptr<connecting::attempt> self) noexcept override;

 private:
  void scheduler_ends() noexcept override;
  void shut_down() override;
  void opened_device(const result<opened>& outcome);
  void time_is_over();
  void close_and_fail(std::error_code error, const std::string& why);
  result<transport&> make_transport(protocol_ptr upper, std::unique_ptr<device> line, const opened& found);
  void succeed(const opened& found);
  void finish(const result<transport&>& outcome);

  scheduler& owner_;
  std::unique_ptr<device> device_;  // null once the attempt is over
  protocol_factory factory_;
  connect_handler done_;
  options options_;
  timer deadline_;
  bool is_closing_ = false;
  std::shared_ptr<opening*> self_in_handlers_ = std::make_shared<opening*>(this);  // null once nobody is to be told
  bool* destroyed_ = nullptr;
  std::unique_ptr<connecting::attempt> self_;  // when nobody else owns it
};

}  // namespace sluice::serial
