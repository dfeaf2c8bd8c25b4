#pragma once

#include <sluice/bytes.hpp>
#include <sluice/deferred_call.hpp>
#include <sluice/detail/undecoded_input.hpp>
#include <sluice/framing/decoder.hpp>
#include <sluice/protocol.hpp>
#include <sluice/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace sluice::framing {

/// What `framed` does for every decoder. Derive from `framed`.
///
/// No message is delivered any more, also none that has been received already, from the moment on that
/// - the protocol called `close` or `abort` (what the peer sent before a failed write is delivered, as rule L13 has it),
/// - it called `pause_messages`, or `pause_writing` was called (F17): the rest is kept and comes first, in order, when the pause ends,
/// - it took the rest by `take_unread`, or `framing_failed` was called.
/// All of it holds inside `message_received`, too: the message that is being delivered is the last one.
class framed_base : public protocol {
 public:
  ~framed_base() override;

  /// An override calls this one first.
  void connection_made(sluice::transport& transport) override;
  /// Override both of these two or none, and call these. The default holds the messages that were received, and by F17 the reading, until
  /// the output has drained: a protocol that answers its messages is bounded without more.
  backpressure pause_writing() override;
  void resume_writing() override;

  void data_received(const_bytes data) final;
  /// Delivers what a pause kept back first; see `messages_ended`.
  eof eof_received() final;

 protected:
  framed_base() = default;

  /// From `connection_made` until `connection_lost` returns.
  sluice::transport& transport() const;

  /// Stops the messages and pauses the reading of the transport; once for any number of calls. Use these two and not the transport's own:
  /// those know nothing of messages that were received already.
  void pause_messages();
  /// Messages go on in a later turn, never inside this call, except that a loop of `message_received` that it was called in goes on.
  void resume_messages();

  /// The bytes behind the last message, and the end of all messages here: for `set_protocol(next, take_unread())` and `upgrade`. Valid until
  /// the running callback returns.
  [[nodiscard]] const_bytes take_unread();

  /// The bytes do not follow the protocol, or pass a limit (the decoder's error), or the peer ended inside a message
  /// (`errc::truncated`). Called once; nothing is decoded after it. The default calls `close()`, not `abort()`, so that the answers to
  /// earlier messages still arrive; an override may first write what is wrong.
  virtual void framing_failed(std::error_code error);

  /// The peer has ended, and every message was delivered. As `protocol::eof_received`; the default closes.
  virtual eof messages_ended();

 private:
  enum class state : std::uint8_t {
    open,
    at_end,  // the peer has ended, messages are held
    done     // nothing is decoded any more
  };
  enum hold : std::uint8_t {
    by_user = 1,
    by_writing = 2
  };
  template <decoder Decoder>
  friend class framed;

  virtual bool decode_once(detail::undecoded_input& input) = 0;
  void deliver();
  bool may_deliver() const;
  void release(hold which);
  void deliver_soon();
  void deliver_kept();
  eof end();
  void fail(std::error_code error);

  sluice::transport* transport_ = nullptr;
  detail::undecoded_input input_;
  std::unique_ptr<deferred_call> soon_;  // made by the first pause; goes on with what was held
  state state_ = state::open;
  std::uint8_t holds_ = 0;
  bool delivering_ = false;
};

/// A protocol that receives messages instead of bytes:
///
///     class chat final : public framed<line_decoder> {
///       void message_received(const_bytes line) override { transport().writev({{line, as_bytes("\n")}}); }
///     };
///
/// Messages are decoded in the memory that the transport read into; only a message that arrives in pieces is copied, into storage that is
/// kept up to 64 KiB and given back above that. No call is made for data that cannot complete a message.
template <decoder Decoder>
class framed : public framed_base {
 public:
  using message_type = typename Decoder::message_type;

  explicit framed(Decoder decoder = Decoder()) : decoder_(std::move(decoder)) {}

  /// As the decoder says; text if it says nothing.
  bool needs_every_byte() const noexcept override {
    if constexpr (requires { Decoder::needs_every_byte; })
      return Decoder::needs_every_byte;
    else
      return false;
  }

 protected:
  Decoder& decoder() noexcept { return decoder_; }

 private:
  /// One message, in the order of the stream. A view is valid until this returns. May do everything that `data_received` may; an exception
  /// aborts the connection as one from there does (rule X1).
  virtual void message_received(message_type message) = 0;

  bool decode_once(detail::undecoded_input& input) final {
    if (input.window().size() < wanted_ && !input.widen(wanted_)) return false;
    const auto result = decoder_.decode(input.window());
    input.consume(result.consumed);
    wanted_ = result.status == decode_status::need_more ? result.wanted : 0;
    switch (result.status) {
      case decode_status::need_more: return input.widen(wanted_);
      case decode_status::message: message_received(result.message); return true;
      case decode_status::error: fail(result.error); return false;
    }
    return false;
  }

  Decoder decoder_;
  std::size_t wanted_ = 0;
};

}  // namespace sluice::framing
