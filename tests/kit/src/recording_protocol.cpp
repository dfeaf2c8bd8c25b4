#include <sluice/testing/recording_protocol.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace sluice::testing {
namespace {

constexpr std::string_view data_prefix = "data ";

std::string data_line(std::size_t n) { return std::string(data_prefix) + std::to_string(n); }

// The number of bytes that a "data" line speaks of, 0 for any other line.
std::size_t bytes_in(std::string_view line) {
  if (!line.starts_with(data_prefix)) return 0;
  std::size_t n = 0;
  const char* const end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data() + data_prefix.size(), end, n);
  return error == std::errc() && rest == end ? n : 0;
}

}  // namespace

std::string lost_line(std::error_code reason) {
  if (!reason) return "lost";
  return std::string("lost ") + reason.category().name() + ':' + std::to_string(reason.value());
}

std::string recorder::trace() const {
  std::string result;
  std::size_t bytes = 0;
  const auto append = [&](std::string_view line) {
    if (!result.empty()) result += ", ";
    result += line;
  };
  for (const std::string& line : events_) {
    if (const std::size_t n = bytes_in(line); n != 0) {
      bytes += n;
      continue;
    }
    if (bytes != 0) append(data_line(std::exchange(bytes, 0)));
    append(line);
  }
  if (bytes != 0) append(data_line(bytes));
  return result;
}

std::size_t recorder::count(std::string_view line) const {
  return static_cast<std::size_t>(std::count(events_.begin(), events_.end(), line));
}

void recorder::forget() {
  events_.clear();
  received_.clear();
}

void recorder::record_made(transport& made) {
  connection_ = &made;
  const callback_oracle::scope running(oracle_, callback::made, connection_);
  note("made");
  if (on_made) on_made(made);
}

void recorder::record_data(const_bytes data) {
  const callback_oracle::scope running(oracle_, callback::data, connection_, data.size());
  note(data_line(data.size()));
  received_ += as_text(data);
  if (on_data) on_data(data);
}

eof recorder::record_eof() {
  const callback_oracle::scope running(oracle_, callback::eof, connection_);
  note("eof");
  return on_eof ? on_eof() : eof::close;
}

backpressure recorder::record_pause() {
  const callback_oracle::scope running(oracle_, callback::pause, connection_);
  note("pause");
  return on_pause ? on_pause() : backpressure::hold_reading;
}

void recorder::record_resume() {
  const callback_oracle::scope running(oracle_, callback::resume, connection_);
  note("resume");
  if (on_resume) on_resume();
}

shutdown_action recorder::record_shutting_down() {
  const callback_oracle::scope running(oracle_, callback::shutting_down, connection_);
  note("shutting down");
  return on_shutting_down ? on_shutting_down() : shutdown_action::close;
}

void recorder::record_lost(std::error_code reason) {
  struct forget_connection {
    transport*& pointer;
    ~forget_connection() { pointer = nullptr; }
  } const at_the_end{connection_};
  const callback_oracle::scope running(oracle_, callback::lost, connection_);
  note(lost_line(reason));
  lost_reason_ = reason;
  if (on_lost) on_lost(reason);
}

mutable_bytes recording_buffered_protocol::get_buffer(std::size_t hint) {
  ++buffers_given_;
  if (on_get_buffer) {
    given_ = on_get_buffer(hint);
  } else {
    memory_.resize(buffer_size);
    given_ = memory_;
  }
  return given_;
}

void recording_buffered_protocol::buffer_updated(std::size_t n) {
  const mutable_bytes filled = std::exchange(given_, {});
  if (n > filled.size()) oracle().violated("buffer_updated was called; B2 with more bytes than the last get_buffer gave room for");
  record_data(filled.first(std::min(n, filled.size())));
}

}  // namespace sluice::testing
