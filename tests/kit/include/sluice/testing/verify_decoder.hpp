#pragma once

#include <sluice/bytes.hpp>
#include <sluice/error.hpp>
#include <sluice/framing/decoder.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice::testing {

/// What a decoder made of a stream.
struct decoder_transcript {
  std::vector<std::string> messages;  ///< As the renderer wrote them.
  std::error_code error{};            ///< The error that ended it, if one did.
  std::size_t left_over = 0;          ///< Bytes that are no whole message yet.

  bool operator==(const decoder_transcript&) const = default;
};

/// `text` in double quotes, with `\xHH` for what is not printable: two texts that differ look different.
inline std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.push_back('\\');
    if (value >= 0x20 && value < 0x7f)
      out.push_back(c);
    else
      out.append("\\x").append(1, digits[value >> 4]).append(1, digits[value & 15]);
  }
  return out + '"';
}

/// The default renderer of messages: bytes as they are, lists of texts as `"SET" "key"`. For other messages pass a function object that takes
/// the message and returns a `std::string` that differs for different messages.
struct message_renderer {
  std::string operator()(const_bytes message) const { return std::string(as_text(message)); }
  std::string operator()(std::span<const std::string_view> message) const {
    std::string out;
    for (const auto part : message) out.append(out.empty() ? "" : " ").append(quoted(part));
    return out;
  }
};

/// Feeds pieces of a stream to a copy of a decoder, the way `framed` does, and holds every answer against `framing::decoder`. Each input is a
/// heap block of exactly its size at an address of its own, so that a sanitizer sees a read beyond it and of an earlier one.
template <framing::decoder Decoder, class Renderer = message_renderer>
class decoder_run {
 public:
  explicit decoder_run(Decoder decoder, Renderer renderer = {}) : decoder_(std::move(decoder)), renderer_(std::move(renderer)) {}

  /// Does nothing once the decoder has reported an error or broken a rule.
  void feed(const_bytes piece) {
    if (!failure_.empty() || transcript_.error) return;
    unconsumed_.append(as_text(piece));
    while (failure_.empty() && !transcript_.error && decode_once()) {
    }
    transcript_.left_over = unconsumed_.size();
  }

  const decoder_transcript& transcript() const noexcept { return transcript_; }
  /// The rule that the decoder broke; empty: none.
  const std::string& failure() const noexcept { return failure_; }

 private:
  using result = framing::decode_result<typename Decoder::message_type>;

  bool decode_once() {
    const auto block = copy_of_unconsumed();
    const const_bytes input(block.get(), unconsumed_.size());
    decoder_ = Decoder(std::as_const(decoder_));  // it is a value: a copy goes on where the original was
    const result answer = decoder_.decode(input);
    check(answer);
    if (!failure_.empty()) return false;
    switch (answer.status) {
      case framing::decode_status::need_more: return went_on(answer);
      case framing::decode_status::message: return got(answer);
      case framing::decode_status::error: return ended(answer, input);
    }
    return false;
  }

  std::unique_ptr<std::byte[]> copy_of_unconsumed() const {
    auto block = std::make_unique<std::byte[]>(unconsumed_.size());
    std::ranges::copy(as_bytes(unconsumed_), block.get());
    return block;
  }

  void check(const result& answer) {
    const auto size = unconsumed_.size();
    const bool is_message = answer.status == framing::decode_status::message;
    if (answer.consumed > size) broke("consumed " + std::to_string(answer.consumed) + " of " + std::to_string(size) + " bytes");
    if (is_message && answer.consumed == 0) broke("produced a message that consumed nothing");
    if (is_message && answer.consumed <= incomplete_)
      broke("produced a message of " + std::to_string(answer.consumed) + " bytes only after need_more for " + std::to_string(incomplete_));
    if (size < wanted_ && (answer.status != framing::decode_status::need_more || answer.consumed > 0))
      broke("wanted " + std::to_string(wanted_) + " bytes and got further with " + std::to_string(size));
    if (answer.status == framing::decode_status::error && !answer.error) broke("reported an error without a code");
  }

  bool got(const result& answer) {
    transcript_.messages.push_back(renderer_(answer.message));
    consume(answer.consumed, 0);
    return true;
  }

  bool went_on(const result& answer) {
    consume(answer.consumed, answer.wanted);
    incomplete_ = unconsumed_.size();
    const auto block = copy_of_unconsumed();
    const result again = decoder_.decode({block.get(), unconsumed_.size()});
    if (again.status != framing::decode_status::need_more || again.consumed != 0)
      broke("changed its mind about the same bytes after need_more");
    return false;
  }

  bool ended(const result& answer, const_bytes input) {
    transcript_.error = answer.error;
    const result again = decoder_.decode(input);
    if (again.status != framing::decode_status::error || again.error != answer.error) broke("did not answer the same error again");
    return false;
  }

  void consume(std::size_t count, std::size_t wanted) {
    unconsumed_.erase(0, count);
    wanted_ = wanted;
    incomplete_ = 0;
  }

  void broke(std::string rule) {
    if (failure_.empty()) failure_ = "the decoder " + std::move(rule);
  }

  Decoder decoder_;
  Renderer renderer_;
  std::string unconsumed_;
  std::size_t incomplete_ = 0;  // this many bytes were answered with need_more
  std::size_t wanted_ = 0;
  decoder_transcript transcript_;
  std::string failure_;
};

/// The transcript of the whole stream in one piece, and whether every other way to cut it gave the same.
struct decoder_report : decoder_transcript {
  std::string failure;  ///< Empty, or which cut broke which rule.
};

namespace detail {

inline std::string text_of(const decoder_transcript& transcript) {
  std::string out = std::to_string(transcript.messages.size()) + " messages [";
  for (const auto& message : transcript.messages) out.append(quoted(message.substr(0, 200))).append(" ");
  return out + "], " + (transcript.error ? describe(transcript.error) : "no error") + ", " + std::to_string(transcript.left_over) +
         " left over";
}

template <framing::decoder Decoder, class Renderer>
class decoder_verifier {
 public:
  decoder_verifier(const Decoder& prototype, const_bytes stream, const Renderer& renderer)
      : prototype_(prototype), stream_(stream), renderer_(renderer) {
    static_cast<decoder_transcript&>(report_) = transcript_of({});
  }

  decoder_report verify() {
    const auto offsets = cut_offsets();
    for (const auto cut : offsets) compare({cut});
    if (stream_.size() <= longest_for_pairs) compare_pairs();
    drip();
    return std::move(report_);
  }

 private:
  static constexpr std::size_t longest_for_pairs = 64;
  static constexpr std::size_t longest_for_all = 1024;

  decoder_transcript transcript_of(const std::vector<std::size_t>& cuts) {
    decoder_run<Decoder, Renderer> run(prototype_, renderer_);
    std::size_t begin = 0;
    for (const auto cut : cuts) {
      run.feed(stream_.subspan(begin, cut - begin));
      begin = cut;
    }
    run.feed(stream_.subspan(begin));
    if (!run.failure().empty()) fail(cuts, run.failure());
    return run.transcript();
  }

  void compare(const std::vector<std::size_t>& cuts) {
    if (!report_.failure.empty()) return;
    auto transcript = transcript_of(cuts);
    if (transcript.error == report_.error && transcript.error) transcript.left_over = report_.left_over;  // the rest was never fed
    if (transcript != report_) fail(cuts, "gave " + text_of(transcript) + " instead of " + text_of(report_));
  }

  void fail(const std::vector<std::size_t>& cuts, const std::string& what) {
    if (!report_.failure.empty()) return;
    std::string where = cuts.empty() ? "uncut" : "cut at";
    for (std::size_t i = 0; i < cuts.size() && i < 8; ++i) where.append(" ").append(std::to_string(cuts[i]));
    report_.failure = where + (cuts.size() > 8 ? " and so on: " : ": ") + what;
  }

  void compare_pairs() {
    for (std::size_t first = 1; first < stream_.size(); ++first)
      for (auto second = first + 1; second < stream_.size(); ++second) compare({first, second});
  }

  void drip() {
    const auto step = stream_.size() > longest_for_all ? stream_.size() / 256 : 1;
    std::vector<std::size_t> cuts;
    for (auto cut = step; cut < stream_.size(); cut += step) cuts.push_back(cut);
    compare(cuts);
  }

  std::vector<std::size_t> cut_offsets() const {
    const auto size = stream_.size();
    const auto step = size > longest_for_all ? size / 64 : 1;
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 1; cut < size; cut += cut < 32 || size - cut < 32 + step ? 1 : step) cuts.push_back(cut);
    return cuts;
  }

  const Decoder& prototype_;
  const_bytes stream_;
  const Renderer& renderer_;
  decoder_report report_;
};

}  // namespace detail

/// Feeds `stream` to copies of `prototype`: in one piece, byte by byte, cut in two at every offset, and for up to 64 bytes cut in three at
/// every pair of offsets; each has to give the same messages, error and rest. A stream of more than 1 KiB is cut at a hundred offsets, among
/// them those near its ends, and dripped in a few hundred pieces. Needs no test framework:
///
///     const auto report = verify_decoder(line_decoder(), "one\r\ntwo\nrest");
///     CHECK(report.failure == "");
///     CHECK(report.messages == std::vector<std::string>{"one", "two"});
template <framing::decoder Decoder, class Renderer = message_renderer>
decoder_report verify_decoder(const Decoder& prototype, const_bytes stream, const Renderer& renderer = {}) {
  return detail::decoder_verifier<Decoder, Renderer>(prototype, stream, renderer).verify();
}

template <framing::decoder Decoder, class Renderer = message_renderer>
decoder_report verify_decoder(const Decoder& prototype, std::string_view stream, const Renderer& renderer = {}) {
  return verify_decoder(prototype, as_bytes(stream), renderer);
}

}  // namespace sluice::testing
