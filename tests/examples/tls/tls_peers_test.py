#!/usr/bin/env python3
"""The example programs over TLS, against TLS of others: openssl, curl, redis-cli, Python, Node.

usage: tls_peers_test.py BUILD_FOLDER_OF_THE_EXAMPLES CASE
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

FOLDER = sys.argv[1]
PATIENCE = 20  # seconds until something that should have happened counts as never happening


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


def openssl(*arguments):
    done = run("openssl", *arguments)
    assert done.returncode == 0, done.stderr


class authority:
    """An authority and what it issues, in a folder of their own, for some days."""

    def __init__(self, folder):
        self.folder = folder
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path("ca.key"),
                "-out", self.path("ca.pem"), "-days", "3", "-subj", "/CN=a test")

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, subject="localhost", names="DNS:localhost,IP:127.0.0.1", days="2"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(name + ".key"),
                "-out", self.path(name + ".csr"), "-subj", "/CN=" + subject)
        with open(self.path(name + ".ext"), "w", encoding="ascii") as extensions:
            extensions.write("subjectAltName=" + names + "\n")
        openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-days", days,
                "-CAcreateserial", "-extfile", self.path(name + ".ext"), "-out", self.path(name + ".pem"))
        return self.path(name + ".pem"), self.path(name + ".key")

    def response(self, cert, revoked=False):
        """What this authority says of a certificate: a file with a response of OCSP."""
        serial = run("openssl", "x509", "-in", cert, "-noout", "-serial").stdout.strip().split("=")[1]
        known, file = cert + ".index", f"{cert}.{'revoked' if revoked else 'good'}"
        with open(known, "w", encoding="ascii") as index:
            index.write("\t".join(("R" if revoked else "V", "991231235959Z", "250101000000Z" if revoked else "", serial, "unknown", "/CN=it")) + "\n")
        openssl("ocsp", "-index", known, "-CA", self.path("ca.pem"), "-rsigner", self.path("ca.pem"), "-rkey", self.path("ca.key"), "-issuer",
                self.path("ca.pem"), "-cert", cert, "-respout", file, "-ndays", "1")
        return file


@contextlib.contextmanager
def program(name, *arguments):
    process = subprocess.Popen([os.path.join(FOLDER, name), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line + process.stderr.read()
        yield process, int(line.split("?")[0].rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()


def served(folder, options=""):
    made = authority(folder)
    cert, key = made.issue("server")
    return made, f"tls://127.0.0.1:0?cert={cert}&key={key}{options}"


def context_for(made, **settings):
    context = ssl.create_default_context(cafile=made.path("ca.pem"))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def secure(context, port, session=None):
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


def exchange(peer, data=b"hello"):
    peer.sendall(data)
    heard = b""
    while len(heard) < len(data):
        part = peer.recv(65536)
        assert part, f"the end came after {len(heard)} of {len(data)} bytes"
        heard += part
    assert heard == data


def echo_serves_openssl_s_client():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        with program("echo", endpoint) as (_, port):
            for version in ("-tls1_2", "-tls1_3"):
                client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", made.path("ca.pem"),
                                           "-verify_return_error", "-verify_hostname", "localhost", "-quiet", version],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                client.stdin.write(b"hello\n")
                client.stdin.flush()
                assert client.stdout.readline() == b"hello\n", version
                client.kill()
                client.communicate()
            old = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", "-cipher", "ALL@SECLEVEL=0", input="")
            assert old.returncode != 0 and "Cipher is (NONE)" in old.stdout, old.stdout


def echo_serves_python_with_alpn_resumption_and_half_close():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder, "&alpn=echo,other")
        with program("echo", endpoint) as (_, port):
            context = context_for(made)
            context.set_alpn_protocols(["other", "echo"])
            with secure(context, port) as first:
                exchange(first, os.urandom(3_000_000))
                assert first.version() == "TLSv1.3" and first.selected_alpn_protocol() == "echo"
                session = first.session
                assert first.unwrap() is not None  # our goodbye, and the server's
            with secure(context, port, session) as second:
                exchange(second)
                assert second.session_reused
            old = context_for(made, maximum_version=ssl.TLSVersion.TLSv1_2)
            with secure(old, port) as third:
                exchange(third)
                session = third.session
            with secure(old, port, session) as fourth:
                assert fourth.session_reused
            context.set_alpn_protocols(["unknown"])
            try:
                secure(context, port)
                assert False, "ALPN without a protocol in common went through"
            except ssl.SSLError as error:
                assert "no application protocol" in str(error).lower().replace("_", " "), error


def echo_asks_clients_for_certificates():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        cert, key = made.issue("client", subject="me")
        with program("echo", f"{endpoint}&client_auth=require&client_ca={made.path('ca.pem')}") as (_, port):
            context = context_for(made)
            try:
                with secure(context, port) as stranger:
                    exchange(stranger)
                assert False, "a client without a certificate was served"
            except (ssl.SSLError, ConnectionError, AssertionError) as error:
                assert not str(error).startswith("a client"), error
            context.load_cert_chain(cert, key)
            with secure(context, port) as known:
                exchange(known)
                session = known.session
            with secure(context, port, session) as again:
                exchange(again)


def echo_reads_its_certificate_again_and_keeps_its_connections():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        with program("echo", endpoint) as (process, port):
            context = context_for(made)
            with secure(context, port) as before:
                serial = before.getpeercert()["serialNumber"]
                made.issue("server")
                process.send_signal(signal.SIGHUP)
                exchange(before)
                while True:
                    with secure(context, port) as after:
                        if after.getpeercert()["serialNumber"] != serial:
                            break
                exchange(before)


def echo_serves_curl_and_node():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        with program("echo", endpoint) as (_, port):
            curl = run("curl", "-sS", "--http0.9", "--max-time", "2", "--cacert", made.path("ca.pem"), f"https://localhost:{port}/")
            assert curl.stdout.startswith("GET / HTTP/1.1"), curl
            plain = run("curl", "-sS", "--max-time", "5", f"http://127.0.0.1:{port}/")
            assert plain.returncode != 0, plain
            node = run("node", "-e", """
                const tls = require('tls'), fs = require('fs');
                const [port, ca] = process.argv.slice(1);
                const peer = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: fs.readFileSync(ca) }, () => peer.write('hello'));
                peer.on('data', (data) => { console.log(String(data), peer.getProtocol(), peer.authorized); peer.end(); });
                """, str(port), made.path("ca.pem"))
            assert node.stdout == "hello TLSv1.3 true\n", node


def kv_server_serves_redis_cli():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        with program("kv_server", endpoint) as (_, port):
            cli = ["redis-cli", "--tls", "--cacert", made.path("ca.pem"), "-h", "localhost", "-p", str(port)]
            assert run(*cli, "set", "greeting", "hello").stdout == "OK\n"
            assert run(*cli, "get", "greeting").stdout == "hello\n"


def speak_plainly(port, words=b"GET / HTTP/1.0\r\n\r\n"):
    """Says words to a server of TLS and hears it out; the address that this was done from."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        peer.sendall(words)
        with contextlib.suppress(ConnectionError):
            while peer.recv(65536):
                pass
        return "%s:%d" % peer.getsockname()


def servers_say_whose_handshake_failed_and_why():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        wanting = f"{endpoint}&client_auth=require&client_ca={made.path('ca.pem')}"
        with program("kv_server", wanting) as (process, port):
            cli = run("redis-cli", "--tls", "--cacert", made.path("ca.pem"), "-h", "localhost", "-p", str(port), "get", "greeting")
            assert cli.returncode != 0, cli
            line = process.stderr.readline()
            assert re.fullmatch(r"kv_server: 127\.0\.0\.1:\d+: .*certificate.*\n", line), line
        with program("echo", wanting) as (process, port):
            run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", input="")
            line = process.stderr.readline()
            assert re.fullmatch(r"echo: 127\.0\.0\.1:\d+: .*certificate.*\n", line), line
            who = speak_plainly(port)
            line = process.stderr.readline()
            assert line.startswith(f"echo: {who}: ") and "HTTP" in line, line
        with program("echo", endpoint + "&proxy_protocol=127.0.0.1") as (process, port):
            speak_plainly(port, b"PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\nGET / HTTP/1.0\r\n\r\n")
            line = process.stderr.readline()
            assert line.startswith("echo: 192.0.2.1:8080: ") and "HTTP" in line, line
        with program("bridge", "tcp://127.0.0.1:1", endpoint) as (process, port):
            who = speak_plainly(port)
            while not (line := process.stderr.readline()).startswith("bridge: "):
                assert line.startswith("pair "), line
            assert line.startswith(f"bridge: {who}: ") and "HTTP" in line, line
        with program("echo", endpoint) as (_, port):
            cat = run(os.path.join(FOLDER, "cat"), f"tls://localhost:{port}", input="")
            assert cat.stderr.startswith("cat: the certificate of ") and cat.stderr.count("\n") == 1, cat


def a_flood_of_failures_is_no_flood_of_lines():
    with tempfile.TemporaryDirectory() as folder:
        _, endpoint = served(folder)
        with program("echo", endpoint) as (process, port):
            begin = time.monotonic()
            for _ in range(300):
                speak_plainly(port)
            seconds = time.monotonic() - begin
            process.send_signal(signal.SIGTERM)
            lines = process.communicate(timeout=PATIENCE)[1].count("\n")
            assert 20 <= lines <= 21 * (seconds + 2), (lines, seconds)


def cat_verifies_whom_it_talks_to():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        with program("echo", endpoint) as (_, port):
            cat = os.path.join(FOLDER, "cat")
            good = run(cat, f"tls://127.0.0.1:{port}?ca={made.path('ca.pem')}&name=localhost", input="hello\n")
            assert (good.returncode, good.stdout) == (0, "hello\n"), good
            for options, status, reason in (
                    (f"ca={made.path('ca.pem')}&name=elsewhere", 1, "asked for elsewhere, the certificate is for localhost"),
                    ("name=localhost", 1, "is not trusted here"),
                    ("verify=insecure&alpn=h2&max_version=1.2&min_version=1.3", 2, "min_version is above max_version")):
                bad = run(cat, f"tls://127.0.0.1:{port}?{options}", input="hello\n")
                assert (bad.returncode, bad.stdout) == (status, "") and reason in bad.stderr, bad


@contextlib.contextmanager
def s_server(cert, key, *arguments):
    """Serves one connection: each line comes back reversed."""
    process = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", "-cert", cert, "-key", key, *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        heard = ""
        while not heard.endswith("\n") or not heard.splitlines()[-1].startswith("ACCEPT "):
            line = process.stdout.readline()
            assert line, heard
            heard += line
        yield int(heard.rsplit(":", 1)[1])
    finally:
        process.kill()
        process.communicate()


def talk(endpoint):
    """Says one line by cat, waits for the answer, and has the server of `s_server` end: exit status, output, errors."""
    with subprocess.Popen([os.path.join(FOLDER, "cat"), endpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("hello\n")
            process.stdin.flush()
        try:
            line = process.stdout.readline()
            rest, said = process.communicate("CLOSE\n", timeout=PATIENCE)
            return process.returncode, line + rest, said
        finally:
            process.kill()


def cat_says_why_it_does_not_believe_openssl_s_server():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other_folder:
        made, other = authority(folder), authority(other_folder)
        good = made.issue("good")
        by_address = made.issue("address", names="IP:127.0.0.1")
        by_name = made.issue("name", names="DNS:localhost")
        expired = made.issue("expired", days="-1")
        untrusted = other.issue("untrusted")
        alone = (made.path("alone.pem"), made.path("alone.key"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", alone[1], "-out", alone[0], "-days", "3",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
        believes = ("-status_file", made.response(good[0]))
        revoked = ("-status_file", made.response(good[0], revoked=True))
        of_others = ("-status_file", made.response(by_name[0]))
        name = "&name=localhost"
        for own, more, options, reason in (
                (good, (), name, None),
                (by_address, (), "", None),
                (by_address, (), "&name=127.0.0.1", None),
                (good, believes, name + "&require_ocsp=on", None),
                (by_name, (), "&name=example.org", "asked for example.org, the certificate is for localhost"),
                (by_name, (), "", "asked for 127.0.0.1, the certificate is for localhost"),
                (by_address, (), name, "asked for localhost, the certificate is for 127.0.0.1"),
                (expired, (), name, "the certificate of CN=localhost expired on "),
                (alone, (), name, "the certificate of CN=localhost is signed by itself and not trusted here"),
                (untrusted, (), name, "the certificate of CN=localhost was issued by CN=a test, which is not trusted here"),
                (good, revoked, name, "was revoked by its authority"),
                (good, (), name + "&require_ocsp=on", "came without a valid OCSP response"),
                (good, of_others, name + "&require_ocsp=on", "came without a valid OCSP response")):
            for version in ("-tls1_2", "-tls1_3"):
                with s_server(*own, version, *more) as port:
                    status, heard, said = talk(f"tls://127.0.0.1:{port}?ca={made.path('ca.pem')}{options}")
                case = (own, more, options, version, status, heard, said)
                if reason is None:
                    assert (status, heard, said) == (0, "olleh\n", ""), case
                else:
                    assert (status, heard) == (1, "") and said.startswith("cat: ") and reason in said, case


def bridge_speaks_tls_at_both_ends():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        cert, key = made.issue("client", subject="me")
        trust = f"ca={made.path('ca.pem')}"
        with program("echo", f"{endpoint}&client_auth=require&client_ca={made.path('ca.pem')}") as (_, port):
            for options in ((), ("--many",)):
                with program("bridge", f"tls://localhost:{port}?{trust}&cert={cert}&key={key}", endpoint, *options) as (_, outer):
                    with secure(context_for(made), outer) as peer:
                        exchange(peer)


def bridge_comes_back_to_its_session():
    with tempfile.TemporaryDirectory() as folder:
        made = authority(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*made.issue("server"))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(PATIENCE)
            first = f"tls://127.0.0.1:{listening.getsockname()[1]}?ca={made.path('ca.pem')}"
            with program("bridge", first, "tcp://127.0.0.1:0") as (_, outer):
                for resumed in (False, True, True):
                    with socket.create_connection(("127.0.0.1", outer), PATIENCE) as client:
                        with context.wrap_socket(listening.accept()[0], server_side=True) as server:
                            client.sendall(b"hello")
                            assert server.recv(100) == b"hello"
                            assert server.session_reused == resumed, resumed
                            server.sendall(b"hello")
                            assert client.recv(100) == b"hello"
                            client.shutdown(socket.SHUT_WR)
                            assert server.recv(100) == b""


@contextlib.contextmanager
def page_server(made, *options):
    cert, key = made.issue("server")
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            port = next(line for line in server.stdout if line.startswith("ACCEPT ")).rsplit(":", 1)[1]
            yield f"tls://127.0.0.1:{int(port)}?ca={made.path('ca.pem')}&name=localhost"
        finally:
            server.kill()


REQUEST = "GET / HTTP/1.0\r\n\r\n"


def is_page(text):
    return text.startswith("HTTP/1.0 200 ok") and text.rstrip().endswith("</BODY></HTML>")


def cat_hears_out_a_server_that_cannot_be_told_of_its_end():
    with tempfile.TemporaryDirectory() as folder:
        made = authority(folder)
        for version in ("-tls1_2", "-tls1_3"):
            with page_server(made, "-www", version) as endpoint:
                done = run(os.path.join(FOLDER, "cat"), endpoint, input=REQUEST)
                assert (done.returncode, done.stderr) == (0, "") and is_page(done.stdout), (version, done)


def cat_tells_that_such_a_server_was_cut_off():
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        made = authority(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*made.issue("server"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        listener.settimeout(PATIENCE)
        endpoint = f"tls://127.0.0.1:{listener.getsockname()[1]}?ca={made.path('ca.pem')}&name=localhost"
        with subprocess.Popen([os.path.join(FOLDER, "cat"), endpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as cat:
            cat.stdin.write("a question")
            cat.stdin.close()
            with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                assert peer.recv(10) == b"a question"
                peer.sendall(b"half an ")  # and no goodbye
            assert cat.stdout.read() == "half an " and cat.wait(PATIENCE) == 1
            assert endpoint in cat.stderr.read()


def ask_and_end(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        peer.sendall(REQUEST.encode())
        peer.shutdown(socket.SHUT_WR)
        heard = b""
        while part := peer.recv(65536):
            heard += part
        return heard.decode()


def bridge_hears_out_a_server_that_cannot_be_told_of_a_clients_end():
    with tempfile.TemporaryDirectory() as folder:
        made = authority(folder)
        with page_server(made, "-www", "-tls1_2") as endpoint, program("bridge", endpoint, "tcp://127.0.0.1:0") as (_, port):
            heard = ask_and_end(port)
            assert is_page(heard), heard
        for silence in ("0", "1"):
            with page_server(made, "-tls1_2") as endpoint, program("bridge", endpoint, "tcp://127.0.0.1:0", "--silence", silence) as (_, port):
                assert ask_and_end(port) == ""  # it never says anything, nor ends


def starttls_echo_becomes_secure_and_takes_nothing_that_was_injected():
    with tempfile.TemporaryDirectory() as folder:
        made = authority(folder)
        cert, key = made.issue("server")
        with program("starttls_echo", "tcp://127.0.0.1:0", "--cert", cert, "--key", key) as (_, port):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
                exchange(plain, b"in the clear\n")
                plain.sendall(b"STARTTLS\n")
                assert plain.recv(3) == b"OK\n"
                with context_for(made).wrap_socket(plain, server_hostname="localhost") as peer:
                    exchange(peer, b"secret\nSTARTTLS\n")
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as injector:
                injector.sendall(b"STARTTLS\ninjected\n")
                heard = b""
                with contextlib.suppress(ConnectionError):
                    while part := injector.recv(100):
                        heard += part
                assert heard == b"OK\n", heard
            ours = [os.path.join(FOLDER, "starttls_echo"), f"tcp://127.0.0.1:{port}", "--connect", "--ca", made.path("ca.pem")]
            good = run(*ours, input="through tls\n")
            assert (good.returncode, good.stdout) == (0, "through tls\n"), good
            wrong = run(*ours, "--name", "elsewhere", input="never sent\n")
            assert wrong.returncode == 1 and "asked for elsewhere, the certificate is for localhost, 127.0.0.1" in wrong.stderr, wrong


def starttls_echo_reads_its_certificate_again():
    with tempfile.TemporaryDirectory() as folder:
        made = authority(folder)
        cert, key = made.issue("server")

        def start(port):
            plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
            plain.sendall(b"STARTTLS\n")
            assert plain.recv(3) == b"OK\n"
            return context_for(made).wrap_socket(plain, server_hostname="localhost")

        with program("starttls_echo", "tcp://127.0.0.1:0", "--cert", cert, "--key", key) as (process, port):
            with start(port) as before:
                serial = before.getpeercert()["serialNumber"]
                made.issue("server")
                process.send_signal(signal.SIGHUP)
                while True:
                    with start(port) as after:
                        if after.getpeercert()["serialNumber"] != serial:
                            break
                exchange(before, b"still here\n")
                os.truncate(cert, 0)
                process.send_signal(signal.SIGHUP)
                while not (line := process.stderr.readline()).startswith(f"starttls_echo: {cert}: "):
                    assert line, "the end came before the message"
                with start(port) as after:
                    exchange(after, b"hello\n")


def endpoints_say_what_is_wrong_with_them():
    with tempfile.TemporaryDirectory() as folder:
        made, endpoint = served(folder)
        for bad, part in ((endpoint.split("?")[0], "there is no certificate; expected ?cert=FILE&key=FILE"),
                          (endpoint + "&min_version=1.1", "expected one of 1.2, 1.3"),
                          (endpoint + "&client_auth=require", "needs authorities to verify them by"),
                          (endpoint.replace("server.pem", "missing.pem"), "missing.pem: "),
                          (endpoint.replace("server.key", "ca.key"), "does not belong to the certificate")):
            done = run(os.path.join(FOLDER, "echo"), bad)
            assert done.returncode == 2 and part in done.stderr, (bad, done)


for needed in ("openssl", "curl", "node", "redis-cli"):
    assert shutil.which(needed), f"{needed} is missing; ./dev test installs it"
globals()[sys.argv[2]]()
