#include <sluice/proxy_protocol/header.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sluice/proxy_protocol/error.hpp>
#include <sluice/proxy_protocol/header_decoder.hpp>

#include "rendered.hpp"

using namespace sluice;
using namespace sluice::proxy_protocol;
using namespace std::string_literals;

namespace {

header stream(const char* source, const char* destination, version format = version::v2) {
  header made;
  made.format = format;
  made.carrier = carrier::stream;
  made.source = address::parse(source);
  made.destination = address::parse(destination);
  return made;
}

std::string written(const header& one, encoding how = {}) {
  std::string out;
  CHECK(!write_header(out, one, how));
  return out;
}

std::string read_back(const header& one, encoding how = {}) {
  const std::string bytes = written(one, how);
  const auto answer = header_decoder({.max_size = 65551}).decode(as_bytes(bytes));
  CHECK(answer.consumed == bytes.size());
  return header_renderer()(answer.message);
}

}  // namespace

TEST_CASE("version 1 is a line of text") {
  CHECK(written(stream("192.0.2.1:8080", "10.0.0.2:443", version::v1)) == "PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\n");
  CHECK(written(stream("[2001:db8::1]:1", "[::1]:2", version::v1)) == "PROXY TCP6 2001:db8::1 ::1 1 2\r\n");
  CHECK(written(stream("192.0.2.1:1", "[::1]:2", version::v1)) == "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n");
  CHECK(written(stream("[fe80::1%1]:1", "[::1]:2", version::v1)) == "PROXY TCP6 fe80::1 ::1 1 2\r\n");
}

TEST_CASE("what version 1 has no words for is unknown there") {
  header local;
  local.format = version::v1;
  local.command = command::local;
  header datagram = stream("192.0.2.1:1", "192.0.2.1:2", version::v1);
  datagram.carrier = carrier::datagram;
  for (const header& each : {local, datagram, stream("unix:/x", "unix:/y", version::v1), stream("unix:/x", "192.0.2.1:2", version::v1)})
    CHECK(written(each) == "PROXY UNKNOWN\r\n");
}

TEST_CASE("version 2 is read back as it was written") {
  CHECK(read_back(stream("192.0.2.1:8080", "10.0.0.2:443")) == "v2 192.0.2.1:8080 to 10.0.0.2:443");
  CHECK(read_back(stream("[2001:db8::1]:1", "[::1]:2")) == "v2 [2001:db8::1]:1 to [::1]:2");
  CHECK(read_back(stream("[2001:db8::1]:1", "10.0.0.2:2")) == "v2 [2001:db8::1]:1 to [::ffff:10.0.0.2]:2");
  CHECK(read_back(stream("unix:/run/x", "unix-abstract:y")) == "v2 unix:/run/x to unix-abstract:y");
  CHECK(read_back(stream("unix:", "unix:/y")) == "v2 unix: to unix:/y");
  CHECK(read_back(header()) == "v2 unspecified");
  header local;
  local.command = command::local;
  CHECK(read_back(local) == "v2 local unspecified");
  header datagram = stream("192.0.2.1:1", "192.0.2.1:2");
  datagram.carrier = carrier::datagram;
  CHECK(read_back(datagram) == "v2 datagram 192.0.2.1:1 to 192.0.2.1:2");
}

TEST_CASE("the bytes of version 2 are those of the specification") {
  CHECK(written(stream("192.0.2.1:8080", "10.0.0.2:443")) ==
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x02\x1f\x90\x01\xbb"s);
}

TEST_CASE("TLVs are built, written and found again, with a checksum of their own") {
  std::string tlvs;
  CHECK(!write_tlv(tlvs, tlv_type::authority, as_bytes("example.org"s)));
  CHECK(!write_tlv(tlvs, static_cast<tlv_type>(0xe0), {}));
  header one = stream("192.0.2.1:8080", "10.0.0.2:443");
  one.tlvs = tlv_list(as_bytes(tlvs));
  CHECK(read_back(one) == "v2 192.0.2.1:8080 to 10.0.0.2:443 2=\"example.org\" 224=\"\"");
  const std::string summed = written(one, {.checksum = true});
  const auto again = header_decoder().decode(as_bytes(summed)).message;
  CHECK(as_text(*again.tlvs.find(tlv_type::authority)) == "example.org");
  CHECK(again.tlvs.find(tlv_type::crc32c));
  CHECK(!again.tlvs.find(tlv_type::alpn));
  CHECK(written(again, {.checksum = true}) == summed);  // the old sum is not handed on
}

TEST_CASE("what cannot be written is refused, and nothing is written of it") {
  const std::string large(65536, 'x');
  std::string out = "before";
  CHECK(write_tlv(out, tlv_type::padding, as_bytes(large)) == proxy_protocol::errc::header_too_long);
  CHECK(out == "before");
  std::string tlvs;
  CHECK(!write_tlv(tlvs, tlv_type::padding, as_bytes(large).first(65535)));
  header one;
  one.tlvs = tlv_list(as_bytes(tlvs));
  CHECK(write_header(out, one) == proxy_protocol::errc::header_too_long);
  CHECK(out == "before");
}

TEST_CASE("a list of TLVs shows what is in front of the first that is cut off") {
  const std::string bytes = "\x01\x00\x01x\x02\x00\x09short"s;
  const tlv_list cut(as_bytes(bytes));
  CHECK(!cut.is_whole());
  CHECK(std::distance(cut.begin(), cut.end()) == 1);
  CHECK(tlv_list().is_whole());
  CHECK(tlv_list().empty());
}

TEST_CASE("facts about the client's TLS are read out of their TLV") {
  const std::string value = "\x03\x00\x00\x01\x02\x21\x00\x07TLSv1.3\x22\x00\x03joe"s;
  const auto facts = tls_facts::read(as_bytes(value));
  REQUIRE(facts);
  CHECK(facts->uses_tls);
  CHECK(facts->showed_certificate);
  CHECK(!facts->showed_certificate_in_session);
  CHECK(facts->verification == 0x102);
  CHECK(as_text(*facts->details.find(static_cast<tlv_type>(0x22))) == "joe");
  CHECK(!tls_facts::read(as_bytes(value).first(4)));
}
