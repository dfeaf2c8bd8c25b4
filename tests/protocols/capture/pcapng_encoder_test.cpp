#include <sluice/capture/pcapng_encoder.hpp>

#include <sluice/capture/reader.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "capture_kit.hpp"

using namespace sluice;
using namespace sluice::capture;
using namespace capture_kit;
using namespace std::string_literals;

namespace {

lines read_back(const std::string& file) {
  lines found;
  reader from;
  for (std::size_t at = 0;;) {
    const auto got = from.decode(as_bytes(file).subspan(at));
    at += got.consumed;
    CHECK(from.fault() == "");
    if (got.status != framing::decode_status::message) {
      CHECK(at == file.size());
      return found;
    }
    found.push_back(line_of(got.message));
  }
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

}  // namespace

TEST_CASE("a file is a section, an interface for each connection, and a packet for each record, byte by byte") {
  std::string out;
  pcapng_encoder encoder;
  encoder.begin(out);
  CHECK(out ==
        "\x0a\x0d\x0d\x0a"                  // Section Header Block
        "\x2c\x00\x00\x00"                  // of 44 bytes
        "\x4d\x3c\x2b\x1a"                  // in this byte order
        "\x01\x00\x00\x00"                  // version 1.0
        "\xff\xff\xff\xff\xff\xff\xff\xff"  // length not told
        "\x04\x00\x06\x00"
        "sluice\x00\x00"
        "\x00\x00\x00\x00"
        "\x2c\x00\x00\x00"s);
  out.clear();
  record first = made(event::received, "hello", 7);
  first.time = std::chrono::nanoseconds(1'700'000'000'123'456'789);
  first.lines = 0x09;
  encoder.append(out, first);
  CHECK(out ==
        "\x01\x00\x00\x00"  // Interface Description Block
        "\x30\x00\x00\x00"
        "\xfa\x00\x00\x00"  // LINKTYPE_RTAC_SERIAL
        "\x00\x00\x00\x00"
        "\x02\x00\x0c\x00"
        "connection 7"
        "\x09\x00\x01\x00"  // nanoseconds
        "\x09\x00\x00\x00"
        "\x00\x00\x00\x00"
        "\x30\x00\x00\x00"
        "\x06\x00\x00\x00"  // Enhanced Packet Block
        "\x40\x00\x00\x00"
        "\x00\x00\x00\x00"
        "\xfe\x9c\x97\x17"  // time, the upper half first
        "\x15\xcd\x85\x3d"
        "\x11\x00\x00\x00"  // 17 bytes, of 17
        "\x11\x00\x00\x00"
        "\x65\x53\xf1\x00"  // seconds and microseconds, as on the wire of an RTAC
        "\x00\x01\xe2\x40"
        "\x02\x09\x00\x00"  // DATA_RX_START, CTS and RTS
        "hello\x00\x00\x00"
        "\x02\x00\x04\x00"
        "\x01\x00\x00\x00"  // inbound
        "\x00\x00\x00\x00"
        "\x40\x00\x00\x00"s);
}

TEST_CASE("each kind of record comes back as it was") {
  std::string out;
  pcapng_encoder encoder;
  encoder.begin(out);
  lines written;
  for (int i = 0; i <= static_cast<int>(event::other); ++i) {
    for (const char* note : {"", "a note"}) {
      record each = made(static_cast<event>(i), i % 3 == 0 ? "data" : "", 5);
      each.note = note;
      each.time = std::chrono::milliseconds(i);
      each.lines = static_cast<std::uint8_t>(i);
      each.missing_bytes = i % 2 == 0 ? 0 : 12345;
      each.missing_records = each.what == event::dropped ? 3 : 0;
      encoder.append(out, each);
      written.push_back(line_of(each));
    }
  }
  CHECK(read_back(out) == written);
}

TEST_CASE("a connection is described once in each section, and again if its number comes back after its end") {
  std::string out;
  pcapng_encoder encoder;
  encoder.begin(out);
  record begin = made(event::connected, {}, 3);
  begin.note = "serial";
  encoder.append(out, begin);
  encoder.append(out, made(event::sent, "a", 3));
  encoder.append(out, made(event::sent, "b", 4));
  CHECK(count(out, "connection 3") == 1);
  CHECK(count(out, "connection 4") == 1);
  encoder.begin(out);
  encoder.append(out, made(event::sent, "c", 3));
  CHECK(count(out, "connection 3") == 2);
  CHECK(count(out, "\x03\x00\x06\x00serial"s) == 2);
  encoder.append(out, made(event::lost, {}, 3));
  encoder.append(out, made(event::sent, "d", 3));
  CHECK(count(out, "connection 3") == 3);
  CHECK(without_times(read_back(out)) ==
        lines{"3 connected: serial", "3 sent 1: 61 |a|", "4 sent 1: 62 |b|", "3 sent 1: 63 |c|", "3 lost", "3 sent 1: 64 |d|"});
}

TEST_CASE("a time before 1970 is 1970, and more missing bytes than a packet can have are as many as it can") {
  std::string out;
  pcapng_encoder encoder;
  encoder.begin(out);
  record each = made(event::dropped);
  each.time = std::chrono::nanoseconds(-5);
  each.missing_bytes = ~std::uint64_t{0};
  encoder.append(out, each);
  CHECK(read_back(out) == lines{"00.000000000 1 dropped 4294967283 bytes missing"});
}

TEST_CASE("a note that no option can hold is cut") {
  std::string out;
  pcapng_encoder encoder;
  encoder.begin(out);
  const std::string note(70'000, 'n');
  record each = made(event::other);
  each.note = note;
  encoder.append(out, each);
  CHECK(read_back(out) == lines{"00.000000000 1 other: " + std::string(65535 - 7, 'n')});
}
