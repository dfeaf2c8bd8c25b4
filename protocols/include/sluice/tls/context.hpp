#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <sluice/bytes.hpp>
#include <sluice/tls/error.hpp>
#include <sluice/tls/session.hpp>

struct ssl_ctx_st;

namespace sluice::tls {

namespace detail {
class context_state;
}

/// A certificate with its chain and its private key: what one end shows of itself. Either PEM, each part from a file or from memory, or PKCS#12.
/// Files are regular ones of at most 16 MiB, here and below.
struct identity {
  std::string chain_file;   ///< PEM: the certificate, then those between it and the authority.
  std::string key_file;     ///< PEM: the private key, encrypted or not. Empty with a `chain_file`: it stands there, too.
  std::string chain_pem;    ///< As `chain_file`, in memory.
  std::string key_pem;      ///< As `key_file`, in memory.
  std::string pkcs12_file;  ///< All of it in one file (.p12, .pfx).
  std::string password;     ///< Of an encrypted key or PKCS#12 file. Nobody is ever asked for one at the terminal.
  std::string ocsp_file;    ///< DER: the authority's OCSP response for the certificate; a server staples it while it is valid.
};

/// Whom to believe. With neither authorities nor pins that is the system's trust store.
struct trust {
  std::vector<std::string> ca_files;  ///< PEM: authorities, or certificates of peers that are trusted for themselves.
  std::vector<std::string> ca_dirs;   ///< Directories as `openssl rehash` makes them.
  std::string ca_pem;                 ///< As `ca_files`, in memory.
  bool system = false;                ///< The system's trust store, too.
  /// SHA-256 of whole certificates, 64 hexadecimal digits, with or without colons. If there are any, the peer's certificate must be one of
  /// them, and then neither its name, its dates, its authority nor an OCSP response matter.
  std::vector<std::string> pinned;
};

/// What a server wants to know of its clients.
enum class client_auth : std::uint8_t {
  none,     ///< No certificate.
  request,  ///< A certificate is verified if the client has one.
  require   ///< No connection without a certificate that can be verified.
};

/// What a server does for a client that asks for a name which no certificate has.
enum class unknown_name : std::uint8_t {
  use_first,  ///< Shows the first certificate.
  refuse      ///< Ends the handshake with the alert that says so.
};

/// Told why a connection is not secure, or not any more: after the handshake has failed, or the open connection. `transport` is the layer's
/// `id()`, `detail` one line for a person, valid for the call. Called in the connection's thread; what it throws goes to the error hook.
using failure_handler = std::function<void(std::uint64_t transport, std::error_code error, std::string_view detail)>;

/// A check of the program's own, after everything else has been verified and before the upper protocol hears of the connection. False, or an
/// exception, ends it: with `errc::rejected`, or with the reason for which the peer's certificate does not hold (see `check_decides`).
using peer_check = std::function<bool(const session&)>;

/// What servers and clients have in common. Times are measured on the scheduler's clock.
struct common_options {
  /// The oldest version that is spoken; there is nothing below TLS 1.2.
  protocol_version min_version = protocol_version::tls1_2;
  /// The newest version that is spoken.
  protocol_version max_version = protocol_version::tls1_3;
  /// ALPN, the best first; at most 255 bytes each. A server that has such a list refuses clients that offer only others.
  std::vector<std::string> alpn = {};
  /// How long a handshake may take before it ends with `sluice::errc::timed_out`; above 0 (rule T1).
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  /// How long the peer's goodbye is waited for, with `wait_for_close_notify`; above 0 (rule T1).
  std::chrono::milliseconds shutdown_timeout = std::chrono::seconds(30);
  /// `close()` waits for the peer's goodbye before it closes below: for transports that are used on afterwards. Off, as peers often send none.
  bool wait_for_close_notify = false;
  /// An end without the peer's goodbye is an end like any other. Off: it is `sluice::errc::truncated`, because somebody may have cut it
  /// (rule T6). Only for protocols that say themselves where a message ends.
  bool allow_truncation = false;
  /// Secrets of each connection are appended to this file, for Wireshark and its like: whoever has it reads everything. Empty: none.
  std::string keylog_file = {};
  /// The same with the file that the environment variable SSLKEYLOGFILE names, if it does.
  bool keylog_from_environment = false;
  /// So many bytes of output at the start of a connection, and after each pause of a second or two, go in records that fit a packet, so that the peer
  /// can begin with the first packet. 0: all records are as large as they may be.
  std::size_t small_records_first = 0;
  /// A check of the program's own.
  peer_check check_peer = {};
  /// A peer whose certificate does not hold is not refused for it: `check_peer`, which has to be set then, decides, and finds the reason in
  /// `session::verify_error` and `verify_detail`. For programs that ask a person, or that trust whom they met first. Nothing is sent or delivered
  /// before the decision, and no session of such a peer is kept. A certificate that is required and missing ends the connection all the same.
  bool check_decides = false;
  /// Told of each failure.
  failure_handler on_failure = {};
};

struct server_options : common_options {
  /// At least one. The name that a client asks for selects by the names in the certificates: exact, else `*.` for one label. Without a name, the
  /// first. Certificates for the same names with different kinds of keys, such as RSA and ECDSA, are chosen by what the client can verify.
  std::vector<identity> identities = {};
  unknown_name unknown = unknown_name::use_first;
  client_auth clients = client_auth::none;
  /// Who vouches for clients; must not be left to the system's store by silence: with `clients` there are authorities or pins, or `system` is set.
  trust client_trust = {};
  /// Session tickets, by which clients come back without a full handshake: for 7 days at most, and no longer than the certificates that were
  /// verified in it are valid. Early data (0-RTT) is never accepted.
  bool tickets = true;
  /// How long a key that tickets are encrypted with is used, on the system's clock; tickets of the one before are still accepted.
  std::chrono::seconds ticket_key_lifetime = std::chrono::hours(6);
  /// Handshakes that may be under way at a time on each loop, from the client's first byte on; 0 is no limit. Further clients wait for their turn,
  /// unread and holding next to nothing, for the handshake timeout at most. A client that says nothing takes no place.
  std::size_t max_handshakes = 1000;
  /// Handshakes are reckoned on the threads of the loop's executor, and the loop goes on meanwhile: for keys that take long, RSA above all, in
  /// front of connections that must not wait. Costs more in all, and two switches of threads each time. Callbacks of the program still come in the
  /// loop's thread. On a scheduler that is no `loop` it changes nothing.
  bool offload_handshakes = false;
};

struct client_options : common_options {
  trust servers = {};
  /// Off: whoever answers is believed, and the connection is secret only from those who did not take the trouble to stand in between.
  bool verify_peer = true;
  /// A server without a valid stapled OCSP response is refused, unless it is one to come back to. Off: one that is stapled is still checked, and
  /// required where the certificate says so itself (RFC 7633).
  bool require_ocsp = false;
  /// What this client shows to servers that ask. Left empty, nothing.
  identity own = {};
  /// Sessions are kept, and used to come back to the same name faster: for 7 days after the full handshake at most (RFC 8446, section 4.6.1), no
  /// longer than the certificates that were verified in it are valid, and not beyond a `reload`.
  bool resume = true;
};

/// What became of the handshakes of one context.
struct context_counters {
  std::uint64_t begun = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;   ///< For whatever reason, ends from outside included (rule S15).
  std::uint64_t resumed = 0;  ///< Of those that were done.
};

/// Certificates, trust and settings for many connections of one role. A value: copies are the same context. May be used in several threads.
///
///     tls::server_options options;
///     options.identities.emplace_back();
///     options.identities[0].chain_file = "cert.pem";
///     options.identities[0].key_file = "key.pem";
///     tcp::server server(loop, wrap<tls::layer>(loop, factory, tls::context::server(options)));
class context {
 public:
  /// Stands for nothing; a layer that is given it fails with `errc::bad_option`.
  context() noexcept = default;

  /// Throws `std::system_error` of category "tls" whose text names the file or option, or sets `error` and returns an empty context. Reads files
  /// at once.
  static context server(const server_options& options);
  static context server(const server_options& options, std::error_code& error);
  static context client(const client_options& options);
  static context client(const client_options& options, std::error_code& error);

  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// Only of a context that stands for something, as everything below.
  bool is_server() const noexcept;

  /// Reads all files again. New connections get what is in them now, open ones stay as they are. If something is wrong with them everything is
  /// as before, and the error is thrown or set as by `server`.
  void reload();
  void reload(std::error_code& error);

  /// Tickets are encrypted with a new key from now on, as they are from time to time by itself.
  void rotate_ticket_keys();

  context_counters counters() const noexcept;

  /// OpenSSL's `SSL_CTX`, for settings that the library does not wrap; the first identity's. Valid until `reload` or the last copy is gone.
  ssl_ctx_st* native_handle() const noexcept;

 private:
  friend class layer;
  explicit context(std::shared_ptr<detail::context_state> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<detail::context_state> state_;
};

}  // namespace sluice::tls
