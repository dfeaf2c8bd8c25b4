#pragma once

#include <sluice/info.hpp>

#include <memory>

#include "descriptor/descriptor_channel.hpp"
#include "file/file_input.hpp"
#include "output_end.hpp"

namespace sluice::pipe {

// What a channel has besides its descriptors, and gives up with them.
class companion {
 public:
  companion() = default;
  companion(const companion&) = delete;
  companion& operator=(const companion&) = delete;
  virtual ~companion() = default;

  virtual void describe(info_query&) const {}
  // The connection ends. `pending`: `output_finished` of the listener follows.
  virtual progress ends(close_kind, [[maybe_unused]] bool input_ended) noexcept { return progress::done; }
};

// The channel over descriptors that are read and written: one for either or both ways, or one to read and an `output_end`.
class channel final : public detail::descriptor_channel, private output_end::listener, private file::file_input::listener {
 public:
  struct parts {
    const char* kind;  // for info<transport_kind>()
    connection_machine::ways ways = connection_machine::ways::both;
    descriptor watched = {};
    std::unique_ptr<output_end> output = {};       // null: `watched` is written to
    std::unique_ptr<file::file_input> input = {};  // null: `watched` is read
    std::unique_ptr<pipe::companion> companion = {};
  };

  channel(loop& owner, parts made_of, const shared_stream_options& options);
  ~channel() override;

  // For an `output_end` of this channel.
  output_end::listener& as_listener() noexcept { return *this; }
  // After `start`: notices the reader's end also before anything is written (rule P2).
  void watch_reader();

  bool can_write_eof() const override;

 private:
  connection_machine::ways ways() const noexcept override { return parts_.ways; }
  void start_reading() override;
  void stop_reading() override;
  send_result send(std::span<const const_bytes> pieces) override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  std::error_code shutdown_output() override;
  progress begin_close(close_kind kind) override;
  progress release() override;
  bool lingers() const override { return is_socket_; }
  void describe(info_query& query) const override;

  ssize_t receive(mutable_bytes room) override;
  void broken() override;
  bool failed_by_error() override;
  bool is_at_end() override;

  void output_ready() override { ready_to_send(); }
  void output_failed(std::error_code error) override { failed(error); }
  void output_finished() override { closed(); }
  bool has_output() const noexcept override { return has_queued_output(); }

  void file_data(const_bytes data) override { received(data); }
  void file_ended() override { received_eof(); }
  void file_failed(std::error_code error) override { failed(error); }

  bool only_writes() const noexcept { return parts_.ways == connection_machine::ways::output_only; }

  parts parts_;
  bool is_socket_;
  bool is_terminal_;
};

}  // namespace sluice::pipe
