#include <sluice/capture/reader.hpp>

#include <sluice/capture/pcapng_encoder.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "capture_kit.hpp"

using namespace sluice;
using namespace sluice::capture;
using namespace capture_kit;
using namespace std::string_literals;

namespace {

struct renderer {
  std::string operator()(const record& made) const { return line_of(made); }
};

// Files that we would not write, in either byte order.
class foreign_file {
 public:
  explicit foreign_file(bool big = false) : big_(big) {}

  std::string number(std::uint64_t value, unsigned size) const {
    std::string out;
    for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<char>(value >> (8 * (big_ ? size - 1 - i : i))));
    return out;
  }
  std::string u16(unsigned value) const { return number(value, 2); }
  std::string u32(std::uint64_t value) const { return number(value, 4); }
  std::string padded(std::string body) const { return body.append((4 - body.size() % 4) % 4, '\0'); }
  std::string option(unsigned code, const std::string& value) const {
    return u16(code) + u16(static_cast<unsigned>(value.size())) + padded(value);
  }

  foreign_file& block(std::uint32_t type, const std::string& body) {
    const std::string size = u32(body.size() + 12);
    text += u32(type) + size + body + size;
    return *this;
  }
  foreign_file& section(unsigned version = 1) { return block(0x0a0d0d0a, u32(0x1a2b3c4d) + u16(version) + u16(0) + number(~0ULL, 8)); }
  foreign_file& interface(const std::string& options = {}, unsigned link_type = 250, std::uint32_t longest = 0) {
    return block(1, u16(link_type) + u16(0) + u32(longest) + options);
  }
  static std::string serial(unsigned kind, std::string_view data, unsigned lines = 0, std::uint8_t second = 0) {
    std::string packet = "\0\0\0"s;
    packet.push_back(static_cast<char>(second));
    packet.append("\0\0\0\x07"s);  // microseconds
    packet.push_back(static_cast<char>(kind));
    packet.push_back(static_cast<char>(lines));
    return packet.append("\0\0"s).append(data);
  }
  foreign_file& packet(const std::string& data, std::uint64_t ticks = 0, std::uint32_t interface = 0, const std::string& options = {},
                       std::size_t original = 0) {
    return block(6, u32(interface) + u32(ticks >> 32) + u32(ticks & 0xffffffff) + u32(data.size()) +
                        u32(original == 0 ? data.size() : original) + padded(data) + options);
  }

  std::string text;

 private:
  bool big_;
};

// Every way to cut the file gives the same records.
lines read_all(const std::string& file, reader_limits limits = {}) {
  const auto report = testing::verify_decoder(reader(limits), file, renderer());
  CHECK(report.failure == "");
  CHECK(!report.error);
  CHECK(report.left_over == 0);
  return report.messages;
}

void check_refused(const std::string& file, capture::errc expected, std::string_view fault, reader_limits limits = {}) {
  CAPTURE(fault);
  const auto report = testing::verify_decoder(reader(limits), file, renderer());
  CHECK(report.failure == "");
  CHECK(report.error == expected);
  reader from(limits);
  std::size_t at = 0;
  for (;;) {
    const auto got = from.decode(as_bytes(file).subspan(at));
    at += got.consumed;
    if (got.status != framing::decode_status::message) break;
  }
  CHECK(from.fault() == fault);
}

}  // namespace

TEST_CASE("what the encoder writes is read, however it is cut, and the place is told") {
  std::string file;
  pcapng_encoder encoder;
  encoder.begin(file);
  encoder.append(file, made(event::connected, {}, 3));
  encoder.append(file, made(event::received, "hello", 3));
  encoder.append(file, made(event::sent, "world!", 4));
  CHECK(read_all(file) == lines{"00.000000000 3 connected", "00.000000000 3 received 5: 68 65 6c 6c 6f |hello|",
                                "00.000000000 4 sent 6: 77 6f 72 6c 64 21 |world!|"});
  reader from;
  CHECK(from.position() == 0);
  const auto first = from.decode(as_bytes(file));
  CHECK(first.status == framing::decode_status::message);
  CHECK(from.position() == first.consumed);
}

TEST_CASE("both byte orders are read, also in one file") {
  const auto in_order = [](bool big) {
    foreign_file file(big);
    file.section().interface(file.option(2, "connection 9")).packet(foreign_file::serial(2, "x", 0x02), 1'500'000);
    return file.text;
  };
  CHECK(read_all(in_order(true)) == lines{"01.500000000 9 received 1: 78 |x| [DCD]"});
  CHECK(read_all(in_order(false) + in_order(true) + in_order(false)).size() == 3);
}

TEST_CASE("interfaces of one section are none of the next") {
  foreign_file file;
  file.section().interface().interface().packet(foreign_file::serial(1, "a"), 0, 1).section().interface();
  CHECK(read_all(file.text) == lines{"00.000000000 1 sent 1: 61 |a|"});
  file.packet(foreign_file::serial(1, "a"), 0, 1);
  check_refused(file.text, capture::errc::unknown_interface,
                "byte 164: an Enhanced Packet Block of interface 1; expected less than 1, as many were described");
}

TEST_CASE("blocks and options of other kinds are passed over, however long they are") {
  foreign_file file;
  file.section();
  file.block(4, "a name resolution...");
  file.block(0x80000001, "");
  file.interface(file.option(4, "12345678") + file.option(0, ""));
  file.block(0xbad, std::string(200, 'z'));
  file.packet(foreign_file::serial(2, "ab"), 3, 0, file.option(5, "12345678") + file.option(1, "a comment") + file.option(1, "another"));
  CHECK(read_all(file.text, {.max_block = 100}) == lines{"00.000003000 0 received 2: 61 62 |ab|: a comment"});
}

TEST_CASE("the kinds of packets of an RTAC have their events, and unknown ones none") {
  foreign_file file;
  file.section().interface();
  for (unsigned kind = 0; kind <= 11; ++kind) file.packet(foreign_file::serial(kind, ""));
  CHECK(without_times(read_all(file.text)) == lines{"0 other", "0 sent", "0 received", "0 sent", "0 received", "0 dropped", "0 other",
                                                    "0 framing error", "0 parity error", "0 break", "0 overrun", "0 other"});
}

TEST_CASE("a status is what its comment says if it is one of ours, and the comment else") {
  foreign_file file;
  file.section().interface();
  for (const char* comment : {"input ended", "lost: uv:5 EIO", "lost property", "lost:", "other: x", ""})
    file.packet(foreign_file::serial(0, ""), 0, 0, file.option(1, comment));
  CHECK(without_times(read_all(file.text)) ==
        lines{"0 input ended", "0 lost: uv:5 EIO", "0 other: lost property", "0 other: lost:", "0 other: x", "0 other"});
}

TEST_CASE("times have the resolution and the offset of their interface") {
  struct row {
    std::string resolution;
    std::uint64_t ticks;
    std::string expected;
  };
  const row rows[] = {{"\x00"s, 7, "07.000000000"},          {"\x03"s, 7001, "07.001000000"},       {"\x09"s, 7, "00.000000007"},
                      {"\x0c"s, 7'000'999, "00.000007000"},  {"\x7f"s, ~0ULL, "00.000000000"},      {"\x80"s, 7, "07.000000000"},
                      {"\x8a"s, 1024 + 512, "01.500000000"}, {"\xa8"s, 3ULL << 39, "01.500000000"}, {"\xc0"s, 1ULL << 63, "00.500000000"},
                      {"\xff"s, ~0ULL, "00.000000000"}};
  for (const row& each : rows) {
    CAPTURE(each.expected);
    foreign_file file;
    file.section().interface(file.option(9, each.resolution)).packet(foreign_file::serial(1, ""), each.ticks);
    CHECK(read_all(file.text) == lines{each.expected + " 0 sent"});
  }
  foreign_file later(true);
  later.section().interface(later.option(14, later.number(40, 8))).packet(foreign_file::serial(1, ""), 2'000'000);
  CHECK(read_all(later.text) == lines{"42.000000000 0 sent"});
  foreign_file earlier;
  earlier.section().interface(earlier.option(14, earlier.number(~0ULL, 8))).packet(foreign_file::serial(1, ""), 2'000'000);
  CHECK(read_all(earlier.text) == lines{"01.000000000 0 sent"});
}

TEST_CASE("simple and obsolete packets are read; the simple ones have the time that is in the packet") {
  foreign_file file;
  const std::string data = foreign_file::serial(2, "abc", 0, 5);
  file.section().interface("", 250, 14);
  file.block(3, file.u32(data.size()) + file.padded(data.substr(0, 14)));
  file.block(2, file.u16(0) + file.u16(4) + file.u32(0) + file.u32(9) + file.u32(data.size()) + file.u32(data.size()) + file.padded(data));
  file.block(
      2, file.u16(0) + file.u16(0xffff) + file.u32(0) + file.u32(9) + file.u32(data.size()) + file.u32(data.size()) + file.padded(data));
  CHECK(read_all(file.text) == lines{"05.000007000 0 received 2: 61 62 |ab| 1 bytes missing",
                                     "00.000009000 0 received 3: 61 62 63 |abc| 4 records", "00.000009000 0 received 3: 61 62 63 |abc|"});
}

TEST_CASE("what is missing is read") {
  foreign_file file;
  file.section().interface();
  file.packet(foreign_file::serial(5, ""), 0, 0, file.option(4, file.number(3, 8)), 12 + 100);
  CHECK(without_times(read_all(file.text)) == lines{"0 dropped 3 records 100 bytes missing"});
}

TEST_CASE("what is no pcapng file is refused, and an older capture is named") {
  check_refused("GET / HTTP/1.1", capture::errc::not_pcapng,
                "the file begins with 47455420; expected 0a0d0d0a, the Section Header Block of pcapng");
  check_refused("\xd4\xc3\xb2\xa1\x02\x00\x04\x00"s, capture::errc::not_pcapng,
                "this is a file of the older format pcap; expected pcapng, as \"editcap -F pcapng\" makes it");
  check_refused("\x0a\x0d\x0d\x0a\x1c\x00\x00\x00rest"s, capture::errc::bad_byte_order,
                "byte 0: a Section Header Block with 72657374 for its byte order; expected 1a2b3c4d or 4d3c2b1a");
  check_refused(foreign_file().section(2).text, capture::errc::bad_version, "byte 0: a Section Header Block of version 2; expected 1");
}

TEST_CASE("other link types are refused, by their number") {
  foreign_file file;
  file.section().interface("", 1);
  check_refused(
      file.text, capture::errc::wrong_link_type,
      "byte 28: an Interface Description Block for link type 1; expected 250, RTAC serial: only captures of serial lines can be read");
}

TEST_CASE("lengths that cannot be are refused") {
  const std::string begin = foreign_file().section().text;
  check_refused(begin + "\x04\x00\x00\x00\x08\x00\x00\x00"s, capture::errc::bad_block_length,
                "byte 28: a block of 8 bytes; expected 12 or more, and a multiple of 4");
  check_refused(begin + "\x06\x00\x00\x00\x0d\x00\x00\x00"s, capture::errc::bad_block_length,
                "byte 28: an Enhanced Packet Block of 13 bytes; expected 12 or more, and a multiple of 4");
  check_refused(begin + "\x04\x00\x00\x00\x10\x00\x00\x00rest\x0c\x00\x00\x00"s, capture::errc::bad_block_length,
                "byte 28: a block of 16 bytes, of which its end says 12; expected the same number");
  check_refused(begin + "\x01\x00\x00\x00\x10\x00\x00\x00rest\x0c\x00\x00\x00"s, capture::errc::bad_block_length,
                "byte 28: an Interface Description Block of 16 bytes, of which its end says 12; expected the same number");
  check_refused(begin + "\x06\x00\x00\x00\x00\x00\x00\xf0"s, capture::errc::block_too_long,
                "byte 28: an Enhanced Packet Block of 4026531840 bytes; expected at most 1048576");
}

TEST_CASE("fields that do not fit their block are refused") {
  foreign_file file;
  file.section().interface();
  const std::string begin = file.text;
  check_refused(foreign_file().block(0x0a0d0d0a, file.u32(0x1a2b3c4d)).text, capture::errc::bad_block,
                "byte 0: a Section Header Block of 16 bytes, which 4 bytes of content do not fit");
  check_refused(foreign_file(file).block(1, "abcd").text, capture::errc::bad_block,
                "byte 48: an Interface Description Block of 16 bytes, which 4 bytes of content do not fit");
  check_refused(foreign_file(file).block(6, "abcd").text, capture::errc::bad_block,
                "byte 48: an Enhanced Packet Block of 16 bytes, which 4 bytes of content do not fit");
  check_refused(foreign_file(file).block(6, file.u32(0) + file.u32(0) + file.u32(0) + file.u32(0xffffffff) + file.u32(0)).text,
                capture::errc::bad_block, "byte 48: an Enhanced Packet Block of 32 bytes, which 4294967295 bytes of content do not fit");
  check_refused(foreign_file(file).packet("short").text, capture::errc::bad_packet,
                "byte 48: an Enhanced Packet Block with a packet of 5 bytes; expected 12 or more");
  check_refused(foreign_file(file).block(3, file.u32(100) + "abcd").text, capture::errc::bad_block,
                "byte 48: a Simple Packet Block of 20 bytes, which 100 bytes of content do not fit");
  check_refused(foreign_file(file).block(3, file.u32(4) + "abcd").text, capture::errc::bad_packet,
                "byte 48: a Simple Packet Block with a packet of 4 bytes; expected 12 or more");
  check_refused(foreign_file().section().block(3, file.u32(4) + "abcd").text, capture::errc::unknown_interface,
                "byte 28: a Simple Packet Block of interface 0; expected less than 0, as many were described");
}

TEST_CASE("options that cannot be are refused") {
  foreign_file file;
  file.section().interface();
  check_refused(foreign_file(file).interface("\x01\x00"s + "\x09\x00"s + "abcd").text, capture::errc::bad_option,
                "byte 48: an Interface Description Block with an option 1 of a length that it cannot have");
  check_refused(foreign_file(file).interface(file.option(9, "ab")).text, capture::errc::bad_option,
                "byte 48: an Interface Description Block with an option 9 of a length that it cannot have");
  check_refused(foreign_file(file).interface(file.option(14, "ab")).text, capture::errc::bad_option,
                "byte 48: an Interface Description Block with an option 14 of a length that it cannot have");
  check_refused(foreign_file(file).packet(foreign_file::serial(1, ""), 0, 0, file.option(4, "ab")).text, capture::errc::bad_option,
                "byte 48: an Enhanced Packet Block with an option 4 of a length that it cannot have");
}

TEST_CASE("times that no clock of ours can hold are refused") {
  const auto at = [](const std::string& options, std::uint64_t ticks) {
    foreign_file file;
    file.section().interface(options).packet(foreign_file::serial(1, ""), ticks);
    return file.text;
  };
  const foreign_file file;
  for (const std::string& each :
       {at(file.option(9, "\x00"s), 9'300'000'000), at(file.option(9, "\x09"), ~0ULL), at(file.option(9, "\x80"), 9'300'000'000),
        at(file.option(14, file.number(~0ULL, 8)), 0), at(file.option(14, file.number(1ULL << 62, 8)), 0),
        at(file.option(9, "\x09") + file.option(14, file.number(9'223'372'036, 8)), 1ULL << 62)}) {
    CHECK(testing::verify_decoder(reader(), each, renderer()).error == capture::errc::bad_timestamp);
  }
}

TEST_CASE("interfaces without end are refused") {
  foreign_file file;
  file.section().interface().interface().interface();
  check_refused(file.text, capture::errc::too_many_interfaces,
                "byte 68: an Interface Description Block behind 2 others in its section; expected no more", {.max_interfaces = 2});
}

TEST_CASE("a file that was cut leaves its last block over") {
  foreign_file file;
  file.section().interface().packet(foreign_file::serial(1, "abc"));
  file.text.pop_back();
  const auto report = testing::verify_decoder(reader(), file.text, renderer());
  CHECK(report.failure == "");
  CHECK(!report.error);
  CHECK(report.messages.empty());
  CHECK(report.left_over == 47);
}
