#include "certificates.hpp"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <unistd.h>

namespace certificates {
namespace {

void require(bool good) {
  if (!good) throw std::runtime_error("OpenSSL does not make a certificate");
}

using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using x509_ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using bio_ptr = std::unique_ptr<BIO, decltype(&BIO_free)>;

key_ptr new_key(const request& wanted = {}) { return {wanted.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free}; }
bio_ptr memory() { return {BIO_new(BIO_s_mem()), BIO_free}; }
bio_ptr memory(const std::string& text) { return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free}; }

std::string text_in(BIO* out) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* one) {
  const bio_ptr out = memory();
  require(PEM_write_bio_X509(out.get(), one) == 1);
  return text_in(out.get());
}

std::string pem_of(EVP_PKEY* key) {
  const bio_ptr out = memory();
  require(PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_in(out.get());
}

x509_ptr parse(const std::string& pem) { return {PEM_read_bio_X509(memory(pem).get(), nullptr, nullptr, nullptr), X509_free}; }
key_ptr parse_key(const std::string& pem) { return {PEM_read_bio_PrivateKey(memory(pem).get(), nullptr, nullptr, nullptr), EVP_PKEY_free}; }

void extend(X509* one, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, one, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_nconf_nid(nullptr, &context, kind, value.c_str());
  require(extension != nullptr && X509_add_ext(one, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

std::string alternative_names(const request& wanted) {
  std::string text;
  for (const std::string& each : wanted.names) text += (text.empty() ? "" : ",") + (each.starts_with("IP:") ? each : "DNS:" + each);
  return text;
}

x509_ptr blank(const request& wanted, EVP_PKEY* key) {
  static long serial = 1000;
  x509_ptr one(X509_new(), X509_free);
  X509_set_version(one.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(one.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(one.get()), wanted.begins);
  X509_gmtime_adj(X509_getm_notAfter(one.get()), wanted.ends);
  X509_set_pubkey(one.get(), key);
  const auto* const name = reinterpret_cast<const unsigned char*>(wanted.subject.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(one.get()), "CN", MBSTRING_UTF8, name, -1, -1, 0);
  return one;
}

made finish(x509_ptr one, const request& wanted, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  X509_set_issuer_name(one.get(), X509_get_subject_name(issuer));
  if (!wanted.names.empty()) extend(one.get(), issuer, NID_subject_alt_name, alternative_names(wanted));
  extend(one.get(), issuer, NID_ext_key_usage, wanted.for_clients ? "clientAuth" : "serverAuth");
  if (wanted.must_staple) extend(one.get(), issuer, NID_tlsfeature, "status_request");
  require(X509_sign(one.get(), issuer_key, EVP_sha256()) > 0);
  return {pem_of(one.get()), pem_of(key)};
}

}  // namespace

struct authority::parts {
  key_ptr key = new_key();
  x509_ptr certificate{nullptr, X509_free};
};

authority::authority(const std::string& name, long ends) : authority(name, ends, nullptr) {}

authority::authority(const std::string& name, authority& parent) : authority(name, 86400, parent.parts_.get()) {}

authority::authority(const std::string& name, long ends, const parts* parent) : parts_(std::make_unique<parts>()) {
  x509_ptr one = blank({.subject = name, .ends = ends}, parts_->key.get());
  X509* const issuer = parent == nullptr ? one.get() : parent->certificate.get();
  X509_set_issuer_name(one.get(), X509_get_subject_name(issuer));
  extend(one.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
  extend(one.get(), issuer, NID_subject_key_identifier, "hash");
  require(X509_sign(one.get(), parent == nullptr ? parts_->key.get() : parent->key.get(), EVP_sha256()) > 0);
  certificate_ = pem_of(one.get());
  parts_->certificate = std::move(one);
}

authority::~authority() = default;

made authority::issue(const request& wanted) {
  const key_ptr key = new_key(wanted);
  return finish(blank(wanted, key.get()), wanted, key.get(), parts_->certificate.get(), parts_->key.get());
}

made self_signed(const request& wanted) {
  const key_ptr key = new_key(wanted);
  x509_ptr one = blank(wanted, key.get());
  X509* const issuer = one.get();
  return finish(std::move(one), wanted, key.get(), issuer, key.get());
}

std::string authority::ocsp_response(const made& about, bool revoked, const authority& signer, long begins, long ends) {
  const x509_ptr one = parse(about.certificate);
  OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
  OCSP_CERTID* const id = OCSP_cert_to_id(nullptr, one.get(), parts_->certificate.get());
  ASN1_TIME* const since = X509_gmtime_adj(nullptr, begins);
  ASN1_TIME* const until = X509_gmtime_adj(nullptr, ends);
  require(OCSP_basic_add1_status(basic, id, revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                                 revoked ? since : nullptr, since, until) != nullptr);
  require(OCSP_basic_sign(basic, signer.parts_->certificate.get(), signer.parts_->key.get(), EVP_sha256(), nullptr, 0) == 1);
  OCSP_RESPONSE* const response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &der);
  std::string result(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  OCSP_RESPONSE_free(response);
  OCSP_BASICRESP_free(basic);
  OCSP_CERTID_free(id);
  ASN1_TIME_free(since);
  ASN1_TIME_free(until);
  return result;
}

std::string encrypted_key(const made& one, const std::string& password) {
  const key_ptr key = parse_key(one.key);
  const bio_ptr out = memory();
  require(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(), password.data(), static_cast<int>(password.size()),
                                        nullptr, nullptr) == 1);
  return text_in(out.get());
}

std::string pkcs12(const made& one, const std::string& password, const std::string& chain) {
  const key_ptr key = parse_key(one.key);
  const x509_ptr leaf = parse(one.certificate);
  STACK_OF(X509)* const others = sk_X509_new_null();
  const bio_ptr in = memory(chain);
  while (X509* const each = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) sk_X509_push(others, each);
  ERR_clear_error();
  PKCS12* const all = PKCS12_create(password.c_str(), "test", key.get(), leaf.get(), others, 0, 0, 0, 0, 0);
  sk_X509_pop_free(others, X509_free);
  const bio_ptr out = memory();
  require(all != nullptr && i2d_PKCS12_bio(out.get(), all) == 1);
  PKCS12_free(all);
  return text_in(out.get());
}

std::string name_in_directory(const std::string& certificate) {
  char name[16];
  std::snprintf(name, sizeof name, "%08lx.0", X509_subject_name_hash(parse(certificate).get()));
  return name;
}

file::file(const std::string& bytes) : path_((std::filesystem::temp_directory_path() / "sluice-tls-XXXXXX").string()) {
  const int made = mkstemp(path_.data());
  require(made >= 0);
  close(made);
  write(bytes);
}

file::~file() { std::filesystem::remove(path_); }

void file::write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }

directory::directory() : path_((std::filesystem::temp_directory_path() / "sluice-tls-XXXXXX").string()) {
  require(mkdtemp(path_.data()) != nullptr);
}

directory::~directory() { std::filesystem::remove_all(path_); }

void directory::write(const std::string& name, const std::string& bytes) const {
  std::ofstream(path_ + '/' + name, std::ios::binary) << bytes;
}

}  // namespace certificates
