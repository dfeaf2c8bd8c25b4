#include <sluice/capture/text.hpp>

#include <string>

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::capture;

namespace {

std::string text_of(const record& made) {
  std::string out;
  append_text(out, made);
  return out;
}

record made_at(std::chrono::nanoseconds time, event what) {
  record made;
  made.what = what;
  made.time = time;
  made.connection = 7;
  return made;
}

}  // namespace

TEST_CASE("a line has time, connection, event, and the bytes in both forms") {
  record made = made_at(std::chrono::nanoseconds(1'769'860'800'000'250'000), event::received);
  made.data = as_bytes("hel\xff\n");
  CHECK(text_of(made) == "2026-01-31 12:00:00.000250000 7 received 5: 68 65 6c ff 0a |hel..|\n");
}

TEST_CASE("an event without bytes has its note, in one line whatever that is") {
  record made = made_at(std::chrono::nanoseconds(0), event::lost);
  CHECK(text_of(made) == "1970-01-01 00:00:00.000000000 7 lost\n");
  made.note = "uv:104 ECONNRESET:\nreset\x7f";
  CHECK(text_of(made) == "1970-01-01 00:00:00.000000000 7 lost: uv:104 ECONNRESET: reset \n");
}

TEST_CASE("what is missing, and which modem lines are on, is said behind the rest") {
  record made = made_at(std::chrono::nanoseconds(999), event::dropped);
  made.missing_records = 3;
  made.missing_bytes = 40;
  CHECK(text_of(made) == "1970-01-01 00:00:00.000000999 7 dropped 3 records 40 bytes missing\n");
  record lines = made_at(std::chrono::nanoseconds(0), event::lines_changed);
  CHECK(text_of(lines) == "1970-01-01 00:00:00.000000000 7 lines changed []\n");
  lines.lines = 0x3f;
  CHECK(text_of(lines) == "1970-01-01 00:00:00.000000000 7 lines changed [CTS DCD DSR RTS DTR RI]\n");
}

TEST_CASE("lines are appended") {
  std::string out = "first\n";
  append_text(out, made_at(std::chrono::nanoseconds(0), event::input_ended));
  CHECK(out == "first\n1970-01-01 00:00:00.000000000 7 input ended\n");
}
