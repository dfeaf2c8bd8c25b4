#include "tls/certificate.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>

namespace sluice::tls {

const char* to_string(protocol_version value) noexcept {
  switch (value) {
    case protocol_version::tls1_2: return "TLS 1.2";
    case protocol_version::tls1_3: return "TLS 1.3";
  }
  return "unknown";
}

namespace detail {
namespace {

std::string text_of(const X509_NAME* name) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  if (out == nullptr || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_UTF8_CONVERT) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string text_of(const ASN1_INTEGER* number) {
  BIGNUM* const big = ASN1_INTEGER_to_BN(number, nullptr);
  char* const digits = big == nullptr ? nullptr : BN_bn2hex(big);
  std::string result = digits == nullptr ? std::string() : std::string(digits);
  OPENSSL_free(digits);
  BN_free(big);
  return result;
}

std::string_view bytes_of(const ASN1_STRING* text) noexcept {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string ip_text(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  std::string text;
  if (bytes.size() == 4) {
    for (std::size_t i = 0; i < 4; ++i) text.append(i == 0 ? "" : ".").append(std::to_string(at(i)));
  } else if (bytes.size() == 16) {
    char part[6];
    for (std::size_t i = 0; i < 16; i += 2) {
      std::snprintf(part, sizeof part, i == 0 ? "%x" : ":%x", at(i) << 8 | at(i + 1));
      text += part;
    }
  }
  return text;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(
      result, [](char each) { return each <= ' ' || each > '~'; }, '?');
  return result;
}

std::vector<std::string> names_of(X509& one) {
  std::vector<std::string> result;
  const names_ptr all(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&one, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) result.push_back(printable(bytes_of(name->d.dNSName)));
    if (name->type == GEN_IPADD) result.push_back(ip_text(bytes_of(name->d.iPAddress)));
  }
  return result;
}

std::time_t time_of(const ASN1_TIME& when) noexcept {
  std::tm parts{};
  return ASN1_TIME_to_tm(&when, &parts) == 1 ? timegm(&parts) : 0;
}

bool fingerprint_of(X509& one, fingerprint& into) noexcept {
  unsigned size = 0;
  return X509_digest(&one, EVP_sha256(), into.data(), &size) == 1 && size == into.size();
}

std::string hexadecimal(const unsigned char* bytes, std::size_t count) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

certificate describe(X509& one) {
  certificate result;
  result.subject = text_of(X509_get_subject_name(&one));
  result.issuer = text_of(X509_get_issuer_name(&one));
  result.serial = text_of(X509_get0_serialNumber(&one));
  result.names = names_of(one);
  result.not_before = std::chrono::system_clock::from_time_t(time_of(*X509_get0_notBefore(&one)));
  result.not_after = std::chrono::system_clock::from_time_t(time_of(*X509_get0_notAfter(&one)));
  if (fingerprint digest; fingerprint_of(one, digest)) result.sha256 = hexadecimal(digest.data(), digest.size());
  unsigned char* der = nullptr;
  const int size = i2d_X509(&one, &der);
  if (size > 0) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(der);
    result.der.assign(bytes, bytes + size);
  }
  OPENSSL_free(der);
  return result;
}

std::string date_text(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

bool name_matches(std::string_view pattern, std::string_view name) noexcept {
  const auto same_letter = [](char a, char b) { return a == b || ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z'); };
  if (pattern.starts_with("*.")) {
    const std::size_t dot = name.find('.');
    if (dot == 0 || dot == name.npos) return false;
    pattern.remove_prefix(1);
    name.remove_prefix(dot);
  }
  return std::ranges::equal(pattern, name, same_letter);
}

bool is_ip_address(const std::string& text) noexcept {
  ASN1_OCTET_STRING* const bytes = a2i_IPADDRESS(text.c_str());
  ASN1_OCTET_STRING_free(bytes);
  return bytes != nullptr;
}

bool is_server_name(const std::string& text) noexcept {
  constexpr std::size_t longest_name = 253, longest_label = 63;
  if (is_ip_address(text)) return true;
  const auto is_of_names = [](unsigned char each) { return std::isalnum(each) != 0 || each == '-' || each == '_' || each >= 0x80; };
  if (text.empty() || text.size() > longest_name) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    if (end == begin || end - begin > longest_label) return false;
    if (!std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end), is_of_names))
      return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace detail
}  // namespace sluice::tls
