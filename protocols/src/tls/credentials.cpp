#include "tls/credentials.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include <sluice/descriptor.hpp>

#include "tls/problem.hpp"

namespace sluice::tls::detail {
namespace {

constexpr std::size_t most_bytes = 16 * 1024 * 1024;

bio_ptr over(const std::string& text) {
  bio_ptr made(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (made == nullptr) throw std::bad_alloc();
  return made;
}

// Text and what it is called in messages.
struct source {
  std::string text;
  std::string name;
};

source source_of(const std::string& file, const std::string& pem, const char* in_memory) {
  return file.empty() ? source{pem, in_memory} : source{read_file(file), file};
}

int give_password(char* buffer, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  text.copy(buffer, text.size());
  return static_cast<int>(text.size());
}

int give_no_password(char*, int, int, void*) { return -1; }

certificates_ptr read_certificates(const source& from) {
  certificates_ptr all(sk_X509_new_null());
  if (all == nullptr) throw std::bad_alloc();
  const bio_ptr in = over(from.text);
  while (X509* const one = PEM_read_bio_X509_AUX(in.get(), nullptr, give_no_password, nullptr)) {
    if (sk_X509_push(all.get(), one) > 0) continue;
    X509_free(one);
    throw std::bad_alloc();
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!ended) throw_openssl(errc::bad_file, from.name + ": a certificate in it is malformed");
  ERR_clear_error();
  if (sk_X509_num(all.get()) == 0)
    throw_setup(errc::bad_file, from.name + ": holds no certificate; expected PEM with \"-----BEGIN CERTIFICATE-----\"");
  return all;
}

key_ptr read_key(const source& from, std::string password) {
  const bio_ptr in = over(from.text);
  key_ptr key(PEM_read_bio_PrivateKey(in.get(), nullptr, give_password, &password));
  if (key != nullptr) return key;
  if (from.text.find("ENCRYPTED") != std::string::npos)
    throw_openssl(errc::bad_password,
                  from.name + (password.empty() ? ": the private key is encrypted; give its password (password_file= in an endpoint)"
                                                : ": the password does not fit the private key"));
  throw_openssl(errc::bad_file, from.name + ": holds no private key; expected PEM with \"-----BEGIN PRIVATE KEY-----\"");
}

credentials load_pem(const identity& from) {
  const source chain = source_of(from.chain_file, from.chain_pem, "the certificate in memory");
  const bool apart = !from.key_file.empty() || !from.key_pem.empty();
  credentials made;
  made.name = chain.name;
  made.chain = read_certificates(chain);
  made.leaf.reset(sk_X509_shift(made.chain.get()));
  made.key = read_key(apart ? source_of(from.key_file, from.key_pem, "the private key in memory") : chain, from.password);
  if (X509_check_private_key(made.leaf.get(), made.key.get()) != 1)
    throw_openssl(errc::key_mismatch, (apart && !from.key_file.empty() ? from.key_file : chain.name) +
                                          ": the private key does not belong to the certificate of " + chain.name);
  return made;
}

credentials load_pkcs12(const identity& from) {
  const std::string text = read_file(from.pkcs12_file);
  const bio_ptr in = over(text);
  const pkcs12_ptr file(d2i_PKCS12_bio(in.get(), nullptr));
  if (file == nullptr) throw_openssl(errc::bad_file, from.pkcs12_file + ": is no PKCS#12 file");
  if (PKCS12_mac_present(file.get()) != 1)
    throw_setup(errc::bad_file, from.pkcs12_file + ": has no checksum (MAC), so that nobody can tell whether it was changed");
  if (PKCS12_verify_mac(file.get(), from.password.c_str(), -1) != 1)
    throw_openssl(errc::bad_password, from.pkcs12_file + ": the password is missing or wrong");
  EVP_PKEY* key = nullptr;
  X509* leaf = nullptr;
  STACK_OF(X509)* chain = nullptr;
  if (PKCS12_parse(file.get(), from.password.c_str(), &key, &leaf, &chain) != 1)
    throw_openssl(errc::bad_file, from.pkcs12_file + ": cannot be taken apart");
  credentials made{certificate_ptr(leaf), certificates_ptr(chain), key_ptr(key), {}, from.pkcs12_file};
  if (key == nullptr || leaf == nullptr) throw_setup(errc::bad_file, from.pkcs12_file + ": holds no certificate with its private key");
  return made;
}

void add_to(X509_STORE& store, const source& from) {
  const certificates_ptr all = read_certificates(from);
  for (int i = 0; i < sk_X509_num(all.get()); ++i)
    if (X509_STORE_add_cert(&store, sk_X509_value(all.get(), i)) != 1) throw_openssl(errc::bad_file, from.name);
}

void add_directory(X509_STORE& store, const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) throw_setup(errc::bad_file, path + ": is no directory");
  if (X509_STORE_load_path(&store, path.c_str()) != 1) throw_openssl(errc::bad_file, path);
}

}  // namespace

std::string read_file(const std::string& path) {
  const auto refuse = [&path](const std::string& why) { throw_setup(errc::bad_file, path + ": " + why); };
  const auto refuse_by_system = [&refuse] { refuse("cannot be read: " + std::generic_category().message(errno)); };
  descriptor opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat found {};
  if (!opened || ::fstat(opened.get(), &found) != 0) refuse_by_system();
  if (!S_ISREG(found.st_mode)) refuse(S_ISDIR(found.st_mode) ? "is a directory; expected a file" : "is no regular file");
  const std::unique_ptr<std::FILE, openssl_deleter<std::fclose>> file(::fdopen(opened.get(), "rb"));
  if (file == nullptr) refuse_by_system();
  opened.release();
  std::string text;
  char part[16 * 1024];
  while (const std::size_t n = std::fread(part, 1, sizeof part, file.get())) {
    text.append(part, n);
    if (text.size() > most_bytes) refuse("is larger than " + std::to_string(most_bytes) + " bytes");
  }
  if (std::ferror(file.get()) != 0) refuse_by_system();
  if (text.empty()) refuse("is empty");
  return text;
}

credentials load(const identity& from) {
  const auto needs = [](bool good, const char* what) {
    if (!good) throw_setup(errc::bad_option, std::string("an identity ") + what);
  };
  const bool pem = !from.chain_file.empty() || !from.chain_pem.empty();
  needs(pem || !from.pkcs12_file.empty(), "needs a certificate chain or a PKCS#12 file");
  needs(!pem || from.pkcs12_file.empty(), "has a certificate chain and a PKCS#12 file; expected one of them");
  needs(from.chain_file.empty() || from.chain_pem.empty(), "has a certificate chain in a file and one in memory; expected one of them");
  needs(from.key_file.empty() || from.key_pem.empty(), "has a private key in a file and one in memory; expected one of them");
  needs(pem || (from.key_file.empty() && from.key_pem.empty()), "has a PKCS#12 file, which holds its private key, and another one");
  credentials made = pem ? load_pem(from) : load_pkcs12(from);
  if (from.ocsp_file.empty()) return made;
  if (auto response = read_staple(read_file(from.ocsp_file), *made.leaf))
    made.ocsp = std::move(*response);
  else
    throw_setup(errc::bad_file, from.ocsp_file + ": holds no OCSP response for the certificate of " + made.name + "; expected one in DER");
  return made;
}

bool is_given(const identity& one) noexcept {
  return !one.chain_file.empty() || !one.chain_pem.empty() || !one.key_file.empty() || !one.key_pem.empty() || !one.pkcs12_file.empty() ||
         !one.ocsp_file.empty();
}

bool is_given(const trust& one) noexcept {
  return one.system || !one.ca_files.empty() || !one.ca_dirs.empty() || !one.ca_pem.empty() || !one.pinned.empty();
}

store_ptr load(const trust& from) {
  store_ptr store(X509_STORE_new());
  if (store == nullptr) throw std::bad_alloc();
  for (const std::string& each : from.ca_files) add_to(*store, {read_file(each), each});
  for (const std::string& each : from.ca_dirs) add_directory(*store, each);
  if (!from.ca_pem.empty()) add_to(*store, {from.ca_pem, "the authorities in memory"});
  if ((from.system || !is_given(from)) && X509_STORE_set_default_paths(store.get()) != 1)
    throw_openssl(errc::bad_file, "the system's trust store");
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);  // a certificate that is trusted needs nobody to vouch for it
  return store;
}

certificates_ptr authorities(const trust& from) {
  certificates_ptr all(sk_X509_new_null());
  const auto add = [&](const source& one) {
    const certificates_ptr some = read_certificates(one);
    while (X509* const each = sk_X509_shift(some.get()))
      if (sk_X509_push(all.get(), each) <= 0) X509_free(each);
  };
  for (const std::string& each : from.ca_files) add({read_file(each), each});
  if (!from.ca_pem.empty()) add({from.ca_pem, "the authorities in memory"});
  return all;
}

}  // namespace sluice::tls::detail
