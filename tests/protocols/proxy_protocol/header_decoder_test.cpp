#include <sluice/proxy_protocol/header_decoder.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/error.hpp>
#include <sluice/testing/allocation_counter.hpp>
#include <sluice/testing/verify_decoder.hpp>

#include "rendered.hpp"

using namespace sluice;
using namespace sluice::proxy_protocol;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string tcp4_block = "\xc0\x00\x02\x01\x0a\x00\x00\x02\x1f\x90\x01\xbb"s;  // 192.0.2.1:8080 to 10.0.0.2:443

std::string block(std::string_view kind, const std::string& payload) {
  std::string made = signature;
  made.append(kind);
  made += static_cast<char>(payload.size() >> 8);
  made += static_cast<char>(payload.size() & 0xff);
  return made.append(payload);
}

std::string unix_field(std::string name) {
  name.resize(108);
  return name;
}

void check_reads(const std::string& stream, const std::vector<std::string>& expected, std::size_t left_over = 0) {
  CAPTURE(testing::quoted(stream));
  const auto report = testing::verify_decoder(header_decoder(), as_bytes(stream), header_renderer());
  CHECK(report.failure == "");
  CHECK(report.messages == expected);
  CHECK(!report.error);
  CHECK(report.left_over == left_over);
}

void check_refuses(const std::string& stream, proxy_protocol::errc error, header_limits limits = {}) {
  CAPTURE(testing::quoted(stream.substr(0, 200)));
  const auto report = testing::verify_decoder(header_decoder(limits), as_bytes(stream), header_renderer());
  CHECK(report.failure == "");
  CHECK(report.messages.empty());
  CHECK(report.error == error);
}

}  // namespace

TEST_CASE("a line of version 1 names the client and where it connected to") {
  check_reads("PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\n", {"v1 192.0.2.1:8080 to 10.0.0.2:443"});
  check_reads("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", {"v1 255.255.255.255:65535 to 255.255.255.255:65535"});
  check_reads("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", {"v1 0.0.0.0:0 to 0.0.0.0:0"});
  check_reads("PROXY TCP6 2001:DB8::1 ::ffff:10.0.0.2 1 2\r\n", {"v1 [2001:db8::1]:1 to [::ffff:10.0.0.2]:2"});
  const std::string longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  check_reads("PROXY TCP6 " + longest + " " + longest + " 65535 65535\r\n", {"v1 [" + longest + "]:65535 to [" + longest + "]:65535"});
}

TEST_CASE("a line of version 1 may name nobody, and what follows the word does not matter") {
  check_reads("PROXY UNKNOWN\r\n", {"v1 unspecified"});
  check_reads("PROXY UNKNOWN whatever\r stands here\r\n", {"v1 unspecified"});
  const std::string longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const std::string whole = "PROXY UNKNOWN " + longest + " " + longest + " 65535 65535\r\n";
  CHECK(whole.size() == 107);
  check_reads(whole, {"v1 unspecified"});
}

TEST_CASE("only the form that the specification gives is a line of version 1") {
  for (const char* const each : {
           "PROXY TCP4 192.0.2.1 10.0.0.2 8080\r\n",        // a port is missing
           "PROXY TCP4 192.0.2.1 10.0.0.2 8080 443 \r\n",   // something behind it
           "PROXY TCP4 192.0.2.1 10.0.0.2 8080 443 1\r\n",  //
           "PROXY TCP4  192.0.2.1 10.0.0.2 8080 443\r\n",   // two blanks
           "PROXY TCP4 192.0.2.1\t10.0.0.2 8080 443\r\n",   // another blank
           "PROXY TCP4 192.0.2.01 10.0.0.2 8080 443\r\n",   // leading zeros
           "PROXY TCP4 192.0.2.1 10.0.0.2 08080 443\r\n",   //
           "PROXY TCP4 192.0.2.1 10.0.0.2 00 443\r\n",      //
           "PROXY TCP4 192.0.2.1 10.0.0.2 +80 443\r\n",     // signs
           "PROXY TCP4 192.0.2.1 10.0.0.2 -1 443\r\n",      //
           "PROXY TCP4 192.0.2.1 10.0.0.2 65536 443\r\n",   // out of range
           "PROXY TCP4 192.0.2.256 10.0.0.2 1 443\r\n",     //
           "PROXY TCP4 192.0.2 10.0.0.2 1 443\r\n",         // short forms
           "PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n",  // the other family
           "PROXY TCP6 192.0.2.1 10.0.0.2 1 443\r\n",       //
           "PROXY TCP6 fe80::1%1 fe80::2 1 443\r\n",        // a scope
           "PROXY TCP6 [::1] ::2 1 443\r\n",                // brackets
           "PROXY UDP4 192.0.2.1 10.0.0.2 1 443\r\n",       // not in version 1
           "PROXY tcp4 192.0.2.1 10.0.0.2 1 443\r\n",       // small letters
           "PROXY UNKNOWNS\r\n",                            // another word
           "PROXY \r\n",                                    // no word
           "PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\n",      // no CR
           "PROXY UNKNOWN\n",                               //
           "PROXY \n",                                      //
       })
    check_refuses(each, proxy_protocol::errc::bad_line);
}

TEST_CASE("a line of version 1 ends within 107 bytes") {
  check_refuses("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", proxy_protocol::errc::header_too_long);
  check_refuses("PROXY UNKNOWN " + std::string(4000, 'x'), proxy_protocol::errc::header_too_long);
}

TEST_CASE("what is no header is refused at the first byte that shows it") {
  for (const char* const each : {"GET / HTTP/1.1\r\n", "PROXX", "PROXY\r\n", "P\n", "\r\n\r\r", "\x16\x03\x01", "proxy TCP4"})
    check_refuses(each, proxy_protocol::errc::no_header);
  header_decoder decoder;
  CHECK(decoder.decode(as_bytes("PROX"sv)).status == framing::decode_status::need_more);
  CHECK(decoder.decode(as_bytes("PROXI"sv)).error == proxy_protocol::errc::no_header);
  CHECK(decoder.decode(as_bytes("PROXY UNKNOWN\r\n"sv)).error == proxy_protocol::errc::no_header);
}

TEST_CASE("a block of version 2 names the client and where it connected to") {
  check_reads(block("\x21\x11", tcp4_block), {"v2 192.0.2.1:8080 to 10.0.0.2:443"});
  check_reads(block("\x21\x12", tcp4_block), {"v2 datagram 192.0.2.1:8080 to 10.0.0.2:443"});
  const std::string six = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01";
  check_reads(block("\x21\x21", six + six + "\x00\x01\x00\x02"s), {"v2 [2001:db8::1]:1 to [2001:db8::1]:2"});
  check_reads(block("\x21\x31", unix_field("/run/x.sock") + unix_field("")), {"v2 unix:/run/x.sock to unix:"});
  check_reads(block("\x21\x32", unix_field("\0name"s) + unix_field("/y")), {"v2 datagram unix-abstract:name to unix:/y"});
}

TEST_CASE("a proxy that speaks for itself is heard, and nothing else that it says") {
  check_reads(block("\x20\x00"s, ""), {"v2 local unspecified"});
  check_reads(block("\x20\x11", tcp4_block), {"v2 local unspecified"});
  check_reads(block("\x20\xff", "no TLV and no address"), {"v2 local unspecified"});
}

TEST_CASE("a family that is unspecified has no addresses") {
  check_reads(block("\x21\x00"s, ""), {"v2 unspecified"});
  check_reads(block("\x21\x00"s, "\x02\x00\x01h"s), {"v2 unspecified 2=\"h\""});
  check_reads(block("\x21\x00"s, "of a family that nobody knows"), {"v2 unspecified"});
}

TEST_CASE("TLVs follow the addresses, and are views of them") {
  const std::string tlvs = "\x01\x00\x02h2\x04\x00\x00\xee\x00\x01\xff"s;
  check_reads(block("\x21\x11", tcp4_block + tlvs), {"v2 192.0.2.1:8080 to 10.0.0.2:443 1=\"h2\" 4=\"\" 238=\"\\xff\""});
  const std::string whole = block("\x21\x11", tcp4_block + tlvs);
  const auto made = header_decoder().decode(as_bytes(whole)).message;
  CHECK(made.tlvs.bytes().data() == as_bytes(whole).last(tlvs.size()).data());
  for (std::size_t size = 1; size < tlvs.size(); ++size) {
    if (size == 5 || size == 8) continue;  // between two
    check_refuses(block("\x21\x11", tcp4_block + tlvs.substr(0, size)), proxy_protocol::errc::bad_tlv);
  }
}

TEST_CASE("a checksum that is there has to be right") {
  const std::string without_sum = block("\x21\x11", tcp4_block + "\x04\x00\x02xy"s);
  const header plain = header_decoder().decode(as_bytes(without_sum)).message;
  std::string with_sum;
  CHECK(!write_header(with_sum, plain, {.checksum = true}));
  const auto read = header_decoder().decode(as_bytes(with_sum));
  REQUIRE(read.status == framing::decode_status::message);
  CHECK(read.message.tlvs.find(tlv_type::crc32c)->size() == 4);
  const std::size_t type_of_sum = with_sum.size() - 7;  // with another there is no checksum
  for (std::size_t at = 16; at < with_sum.size(); ++at) {
    if (at == type_of_sum) continue;
    CAPTURE(at);
    std::string changed = with_sum;
    changed[at] = static_cast<char>(changed[at] ^ 0x40);
    CHECK(header_decoder().decode(as_bytes(changed)).status != framing::decode_status::message);
  }
  check_refuses(block("\x21\x11", tcp4_block + "\x03\x00\x03xyz"s), proxy_protocol::errc::bad_checksum);
  check_refuses(block("\x21\x11", tcp4_block + "\x03\x00\x04wxyz"s), proxy_protocol::errc::bad_checksum);
  check_refuses(block("\x21\x11", tcp4_block + "\x03\x00\x04wxyz\x03\x00\x04wxyz"s), proxy_protocol::errc::bad_tlv);
  // Reckoned apart from this code, by the polynomial's definition.
  check_reads(block("\x21\x11", tcp4_block + "\x03\x00\x04\x0b\x8c\x59\xf4"s), {R"(v2 192.0.2.1:8080 to 10.0.0.2:443 3="\x0b\x8cY\xf4")"});
}

TEST_CASE("what version 2 does not specify is refused at the byte that shows it") {
  check_refuses(signature + "\x11", proxy_protocol::errc::bad_version);
  check_refuses(signature + "\x31", proxy_protocol::errc::bad_version);
  check_refuses(signature + "\x22", proxy_protocol::errc::bad_command);
  for (const char* const each : {"\x21\x01", "\x21\x10", "\x21\x13", "\x21\x41", "\x21\xff"})
    check_refuses(signature + each, proxy_protocol::errc::bad_family);
  check_refuses(block("\x21\x11", tcp4_block.substr(1)), proxy_protocol::errc::bad_length);
  check_refuses(block("\x21\x21", tcp4_block), proxy_protocol::errc::bad_length);
  check_refuses(block("\x21\x31", unix_field("/x")), proxy_protocol::errc::bad_length);
  check_refuses(block("\x21\x31", std::string(108, 'x') + unix_field("/y")), proxy_protocol::errc::bad_address);
}

TEST_CASE("a block of version 2 is as long as the limit at most, and waited for without a copy") {
  const std::string padding = "\x04\x0f\xe1"s + std::string(4065, 'x');
  check_reads(block("\x21\x11", tcp4_block + padding), {"v2 192.0.2.1:8080 to 10.0.0.2:443 4=" + testing::quoted(std::string(4065, 'x'))});
  check_refuses(block("\x21\x11", tcp4_block + padding + "\x04\x00\x00"s), proxy_protocol::errc::header_too_long);
  check_refuses(signature + "\x21\x11\xff\xff", proxy_protocol::errc::header_too_long);
  check_refuses(block("\x21\x11", tcp4_block + std::string(300, '\0')), proxy_protocol::errc::header_too_long, {.max_size = 300});
  const testing::allocation_counter counter;
  header_decoder decoder;
  CHECK(decoder.decode(as_bytes(signature)).status == framing::decode_status::need_more);
  const std::string whole = block("\x21\x11", tcp4_block);
  const auto before = counter.counts().allocations;
  CHECK(decoder.decode(as_bytes(whole)).status == framing::decode_status::message);
  CHECK(counter.counts().allocations == before);
}

TEST_CASE("a header is followed by the stream, and by another header where a proxy stands before a proxy") {
  check_reads("PROXY UNKNOWN\r\nPROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n" + block("\x20\x00"s, ""),
              {"v1 unspecified", "v1 1.1.1.1:3 to 2.2.2.2:4", "v2 local unspecified"});
}
