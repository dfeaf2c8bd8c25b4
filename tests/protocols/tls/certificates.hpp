#pragma once

#include <memory>
#include <string>
#include <vector>

// Certificates for one test: made when it begins, gone when it ends.
namespace certificates {

struct request {
  std::string subject = "a server";
  std::vector<std::string> names = {"localhost"};  // host names, and IP addresses as "IP:127.0.0.1"
  long begins = -3600;                             // seconds from now
  long ends = 86400;
  bool for_clients = false;  // may stand for a client, not for a server
  bool rsa = false;          // the kind of its key, which is P-256 otherwise
  bool must_staple = false;  // says that a server has to staple a response of OCSP
};

struct made {
  std::string certificate;  // PEM
  std::string key;          // PEM, not encrypted
};

// Signed by nobody else.
made self_signed(const request& wanted);
// `one.key`, encrypted.
std::string encrypted_key(const made& one, const std::string& password);
// Both in one PKCS#12 file, with the certificates of `chain` (PEM) beside them.
std::string pkcs12(const made& one, const std::string& password, const std::string& chain = {});
// The name under which `openssl rehash` puts a certificate (PEM) into a directory.
std::string name_in_directory(const std::string& certificate);

class authority {
 public:
  explicit authority(const std::string& name, long ends = 86400);  // seconds from now
  // Between `parent` and whom this one issues certificates to.
  authority(const std::string& name, authority& parent);
  ~authority();

  const std::string& certificate() const noexcept { return certificate_; }
  made issue(const request& wanted = {});
  // DER: what the authority says about a certificate of its own.
  std::string ocsp_response(const made& about, bool revoked, long begins = -60, long ends = 3600) {
    return ocsp_response(about, revoked, *this, begins, ends);
  }
  // The same with the signature of `signer`, who does not have to be in the position to say so.
  std::string ocsp_response(const made& about, bool revoked, const authority& signer, long begins = -60, long ends = 3600);

 private:
  struct parts;
  authority(const std::string& name, long ends, const parts* parent);

  std::unique_ptr<parts> parts_;
  std::string certificate_;
};

// `bytes` in a file of its own, which goes with this object.
class file {
 public:
  explicit file(const std::string& bytes);
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file();
  const std::string& path() const noexcept { return path_; }
  void write(const std::string& bytes) const;

 private:
  std::string path_;
};

// A directory of its own, which goes with this object.
class directory {
 public:
  directory();
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
  ~directory();
  const std::string& path() const noexcept { return path_; }
  void write(const std::string& name, const std::string& bytes) const;

 private:
  std::string path_;
};

}  // namespace certificates
