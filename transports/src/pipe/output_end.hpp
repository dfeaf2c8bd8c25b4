#pragma once

#include <sluice/stream_transport.hpp>

#include <span>
#include <system_error>

namespace sluice::pipe {

// Where the output of a channel goes if it is not the descriptor that is read.
class output_end {
 public:
  // The channel. None of this is called from inside a function of `output_end`.
  class listener {
   public:
    virtual void output_ready() = 0;                        // `send` may take bytes again
    virtual void output_failed(std::error_code error) = 0;  // after it had taken them
    virtual void output_finished() = 0;                     // the `end` that was pending
    virtual bool has_output() const noexcept = 0;           // something waits for `send`

   protected:
    ~listener() = default;
  };

  output_end() = default;
  output_end(const output_end&) = delete;
  output_end& operator=(const output_end&) = delete;
  virtual ~output_end() = default;

  // As the hook of `stream_transport`.
  virtual send_result send(std::span<const const_bytes> parts) = 0;
  // `output_ready` is to be called when `send` can take bytes again.
  virtual void wait() = 0;
  // So that the reader sees the end; what was taken goes first. `pending`: `output_finished` follows.
  virtual progress end() = 0;
  // At once.
  virtual void drop() noexcept = 0;
};

}  // namespace sluice::pipe
