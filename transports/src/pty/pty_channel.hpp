#pragma once

#include <sluice/pty.hpp>
#include <sluice/timer.hpp>

#include <memory>
#include <string>
#include <system_error>

#include "descriptor/descriptor_channel.hpp"
#include "exported_link.hpp"
#include "open_watch.hpp"
#include "settings_watch.hpp"
#include "terminal.hpp"

namespace sluice::pty {

class channel;

// Its answer to a question that layers pass down, too.
struct terminal_access {
  channel* value;
};

// The channel over our side of a pseudo-terminal.
class channel final : public detail::descriptor_channel {
 public:
  channel(loop& owner, terminal made, const pty::options& settings);
  ~channel() override;

  // Before `start`: notices who opens the terminal, where that is asked for.
  std::error_code prepare();
  std::error_code export_as(const std::string& link);
  std::error_code watch_settings(settings_handler told);

 private:
  send_result send(std::span<const const_bytes> parts) override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  bool lingers() const override { return look_.is_running(); }
  void describe(info_query& query) const override;

  ssize_t receive(mutable_bytes room) override;
  void broken() override;
  bool failed_by_error() override;
  bool is_at_end() override;
  bool take_urgent() override;

  void opened();
  ssize_t hung_up() noexcept;
  void heard(unsigned char notice);
  bool has_unread_output() const noexcept;
  void look_after_reader();

  std::string path_;
  std::string link_path_;
  exported_link link_;
  descriptor held_;  // the other side; see `terminal`
  open_watch watch_;
  std::unique_ptr<settings_watch> settings_;  // where somebody wants to know
  hangup on_hangup_;
  bool gone_ = false;  // the last one has closed it
  timer look_;         // while lingering: whether all was read
};

}  // namespace sluice::pty
