#pragma once

#include <sluice/bytes.hpp>

#include <concepts>
#include <cstddef>
#include <system_error>

namespace sluice::framing {

/// What `decode` found at the start of its input.
enum class decode_status {
  need_more,  ///< The input ends before the next message does.
  message,    ///< One whole message.
  error       ///< The bytes do not follow the protocol or pass a limit; the decoder stays in this state.
};

/// The answer of `decode`. Build it with one of the three functions below, so that no field is left over from another answer.
template <class Message>
struct decode_result {
  decode_status status = decode_status::need_more;
  /// Bytes at the front of the input that are done with: the next input starts behind them. A message counts all of its bytes, at least one.
  /// With `need_more` these are only bytes that belong to no message (such as the empty lines that a protocol ignores): an incomplete
  /// message stays in the input, so what is left over when the peer ends is an incomplete message.
  std::size_t consumed = 0;
  /// With `need_more`: no input shorter than this can get any further, counted from behind `consumed`. 0: not known. A peer may have chosen
  /// it, so it is a hint for when to decode again, never an amount to allocate.
  std::size_t wanted = 0;
  /// With `message`: a view into the input or into storage of the decoder, valid until the input is changed or the next `decode`.
  Message message{};
  /// With `error`: why.
  std::error_code error{};

  static decode_result more(std::size_t consumed = 0, std::size_t wanted = 0) {
    return {decode_status::need_more, consumed, wanted, Message{}, std::error_code()};
  }
  static decode_result complete(Message message, std::size_t consumed) {
    return {decode_status::message, consumed, 0, message, std::error_code()};
  }
  static decode_result failed(std::error_code error) { return {decode_status::error, 0, 0, Message{}, error}; }
};

/// A splitter: cuts a stream of bytes into messages. It is a value, without I/O and without callbacks, so the same one serves
/// `framed<Decoder>`, a file, a test and a fuzzer. `testing::verify_decoder` checks everything that is asked of it here:
///
/// - `decode(input)` looks at the start of `input` for one message. `input` begins with the first byte that was not consumed yet; after
///   `need_more` it is the same bytes again with more behind them, perhaps at another place in memory. So a decoder may remember how far it
///   has looked (and should: no byte is to be scanned twice), as an offset and never as a pointer.
/// - The messages and the error depend on the bytes alone, never on how they were cut into inputs.
/// - `message` comes as soon as its last byte is in the input: after `need_more` for some input, the next message is longer than that.
/// - Memory is bounded by what was received, never by what was announced; in the steady state nothing is allocated.
/// - After `error`, each further call answers the same error.
/// - A format that is not text says so by `static constexpr bool needs_every_byte = true`; see `protocol::needs_every_byte`.
template <class Decoder>
concept decoder = std::copyable<Decoder> && requires(Decoder& value, const_bytes input) {
  typename Decoder::message_type;
  { value.decode(input) } -> std::same_as<decode_result<typename Decoder::message_type>>;
};

}  // namespace sluice::framing
