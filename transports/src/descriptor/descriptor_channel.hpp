#pragma once

#include <sluice/descriptor.hpp>
#include <sluice/loop.hpp>
#include <sluice/stream_transport.hpp>

#include <sys/types.h>
#include <uv.h>

#include <cstdint>

namespace sluice::detail {

// A channel over a non-blocking descriptor of our own, watched by uv_poll: when it is watched for what, and how it is read. How bytes move
// is for the kind of descriptor.
class descriptor_channel : public stream_transport {
 public:
  ~descriptor_channel() override;

 protected:
  descriptor_channel(loop& owner, descriptor watched, const shared_stream_options& options);

  int number() const noexcept { return descriptor_.get(); }
  bool is_open() const noexcept { return descriptor_.is_open(); }
  void watch_what_is_wanted();
  // Output does not go to this descriptor. To be called by the constructor.
  void send_elsewhere() noexcept { sends_elsewhere_ = true; }

  enum class read_outcome {
    filled,
    some,
    nothing,
    ended
  };
  read_outcome read_once();
  void read_more();
  void read_to_the_end();
  // What a read that brought no byte means.
  read_outcome read_nothing(ssize_t result);
  void ready(int status, int events);

  // One read, with the result and errno of `read`; 0 is the end of input.
  virtual ssize_t receive(mutable_bytes room) = 0;
  // The descriptor has an error; it is not watched any more.
  virtual void broken() = 0;
  // While nothing is read: whether an error was found, which ends the connection and was told.
  virtual bool failed_by_error() = 0;
  // Where nothing more can be read, but what waits to be: whether nothing does.
  virtual bool is_at_end() = 0;
  // Something urgent was told of that is neither an error nor a hang-up. False if it will be told of again.
  virtual bool take_urgent() { return false; }
  static void on_poll(uv_poll_t* handle, int status, int events);
  // What uv_poll calls; it leads to `ready`.
  virtual uv_poll_cb on_event() const noexcept { return &descriptor_channel::on_poll; }

  void start_reading() override;
  void stop_reading() override;
  void send_later(std::span<const const_bytes> newly_queued) override;
  progress release() override;
  void describe(info_query& query) const override;

 private:
  void writable();
  bool nobody_takes() const noexcept;
  void watch(int events);
  void tell_hangup();
  void look_after_hangup();
  bool asks_for_hangup() const noexcept;

  descriptor descriptor_;
  std::uint8_t watched_ = 0;      // events that uv_poll was asked for
  bool polls_ : 1 = false;        // poll_ is initialized
  bool hangup_told_ : 1 = false;  // the peer's end was noticed in this pause
  bool hung_up_ : 1 = false;      // both directions are shut: only reading can bring news
  bool sends_elsewhere_ : 1 = false;
  uv_poll_t poll_;
};

// The result of a `write` or `send` that failed; one that was interrupted took nothing and is tried again like any other.
send_result send_failed(int error) noexcept;

}  // namespace sluice::detail
