#!/usr/bin/env python3
"""The example programs behind proxies of others, and in front of them: HAProxy, curl.

usage: proxy_peers_test.py BUILD_FOLDER_OF_THE_EXAMPLES CASE
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

FOLDER = sys.argv[1]
PATIENCE = 20  # seconds until something that should have happened counts as never happening
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BLOCK = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 10, 0, 0, 2, 0x1F, 0x90, 0x01, 0xBB])


@contextlib.contextmanager
def program(name, *arguments, told=None):
    """Yields the port; what the program said on its standard error is added to `told` when it has ended."""
    process = subprocess.Popen([os.path.join(FOLDER, name), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line + process.stderr.read()
        yield int(line.split("?")[0].rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=PATIENCE)[1]
        if told is not None:
            told += errors.splitlines()
    finally:
        process.kill()


@contextlib.contextmanager
def haproxy(*sections):
    """Each section is what stands in one `listen`, whose socket it gets as {socket}; yields their ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in sections]
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write("defaults\n  timeout connect 10s\n  timeout client 10s\n  timeout server 10s\n")
        for number, (section, bound) in enumerate(zip(sections, sockets)):
            file.write(f"listen n{number}\n{section.format(socket=f'fd@{bound.fileno()}')}\n")
        file.flush()
        process = subprocess.Popen(["haproxy", "-db", "-q", "-f", file.name], pass_fds=[each.fileno() for each in sockets])
        try:
            yield [each.getsockname()[1] for each in sockets]
        finally:
            process.kill()
            process.wait()
            for each in sockets:
                each.close()


def client(port, source=None):
    return socket.create_connection(("127.0.0.1", port), PATIENCE, source)


def ask(peer, words, end=b"\r\n"):
    """Whatever comes until a line ends, or all of it."""
    peer.sendall(words)
    heard = b""
    with contextlib.suppress(ConnectionError):
        while not (end and heard.endswith(end)) and (part := peer.recv(65536)):
            heard += part
    return heard


def known_as(port, begin=b""):
    """The address that kv_server has for a connection to the port, and the one that the connection has."""
    with client(port) as peer:
        own = "%s:%d" % peer.getsockname()
        heard = ask(peer, begin + b"CLIENT INFO\r\n", b"\n\r\n")
        found = re.search(rb"addr=(\S+)", heard)
        assert found, heard
        return found[1].decode(), own


def kv_server_knows_the_clients_behind_haproxy():
    with program("kv_server", "tcp://127.0.0.1:0?proxy_protocol=127.0.0.0/8") as port:
        options = ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority", "check send-proxy-v2")
        sections = [f"  mode tcp\n  bind {{socket}}\n  unique-id-format %ci\n  server s 127.0.0.1:{port} {each}" for each in options]
        with haproxy(*sections) as ports:
            for each in ports:
                seen, own = known_as(each)
                assert seen == own, (seen, own)
            # A proxy behind a proxy hands on what it was told.
            with haproxy(f"  mode tcp\n  bind {{socket}} accept-proxy\n  server s 127.0.0.1:{port} send-proxy-v2") as (behind,):
                for header in (b"PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\n", BLOCK):
                    assert known_as(behind, header)[0] == "192.0.2.1:8080"


def kv_server_tells_clients_from_elsewhere_apart():
    with program("kv_server", "tcp://127.0.0.1:0?proxy_protocol=127.0.0.2&proxy_protocol_others=serve") as port:
        seen, own = known_as(port)
        assert seen == own
        for header in (b"PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\n", BLOCK):
            with client(port) as peer:
                assert b"192.0.2.1:8080" not in ask(peer, header + b"CLIENT INFO\r\nQUIT\r\n", None)
            with client(port, ("127.0.0.2", 0)) as peer:
                assert b"addr=192.0.2.1:8080" in ask(peer, header + b"CLIENT INFO\r\nQUIT\r\n", None)
    with program("kv_server", "tcp://127.0.0.1:0?proxy_protocol=10.0.0.0/8") as port, client(port) as peer:
        assert ask(peer, BLOCK + b"PING\r\n", None) == b""


def kv_server_says_whose_header_it_refused():
    told = []
    with program("kv_server", "tcp://127.0.0.1:0?proxy_protocol=127.0.0.1", told=told) as port:
        for words, source in ((b"PING\r\n", None), (BLOCK, ("127.0.0.2", 0))):
            with client(port, source) as peer:
                told.append("%s:%d" % peer.getsockname())
                with contextlib.suppress(ConnectionError):  # it may be over before anything is said
                    assert ask(peer, words, None) == b""
    assert len(told) == 4, told
    for who, line in zip(told[:2], told[2:]):
        assert line.startswith(f"kv_server: {who}: "), (who, line)


def echo_takes_the_header_of_curl_off():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "3", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        endpoints = [("http", "tcp://127.0.0.1:0?proxy_protocol=127.0.0.1")]
        if "--without-tls" not in sys.argv:
            endpoints.append(("https", f"tls://127.0.0.1:0?cert={cert}&key={key}&proxy_protocol=127.0.0.1"))
        for scheme, endpoint in endpoints:
            with program("echo", endpoint) as port:
                done = subprocess.run(["curl", "-sS", "--http0.9", "--max-time", "2", "--haproxy-protocol", "--cacert", cert, f"{scheme}://localhost:{port}/"],
                                      capture_output=True, text=True, check=False)
                assert done.stdout.startswith("GET / HTTP/1.1") and "PROXY" not in done.stdout, done
                plain = subprocess.run(["curl", "-sS", "--max-time", "5", "--cacert", cert, f"{scheme}://localhost:{port}/"],
                                       capture_output=True, text=True, check=False)
                assert plain.returncode != 0, plain


def haproxy_believes_what_cat_sends():
    answer = '  mode http\n  bind {socket} accept-proxy\n  http-request return status 200 content-type text/plain lf-string "%[fc_rcvd_proxy] %[src]\\n"'
    with haproxy(answer) as (port,):
        for format_ in ("v1", "v2"):
            done = subprocess.run([os.path.join(FOLDER, "cat"), f"tcp://127.0.0.1:{port}?send_proxy_protocol={format_}"], capture_output=True,
                                  input="GET / HTTP/1.0\r\n\r\n", text=True, timeout=PATIENCE, check=False)
            assert done.returncode == 0 and done.stdout.endswith("\n\n1 127.0.0.1\n"), done


def bridge_says_for_whom_it_connects():
    with program("kv_server", "tcp://127.0.0.1:0?proxy_protocol=127.0.0.1") as port:
        for format_ in ("v1", "v2"):
            first = f"tcp://127.0.0.1:{port}?send_proxy_protocol={format_}"
            with program("bridge", first, "tcp://127.0.0.1:0") as outer:
                for _ in range(2):
                    seen, own = known_as(outer)
                    assert seen == own, (seen, own)
            with program("bridge", first, "tcp://127.0.0.1:0?proxy_protocol=127.0.0.1") as outer:  # behind a proxy itself
                for header in (b"PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\n", BLOCK):
                    assert known_as(outer, header)[0] == "192.0.2.1:8080"
            for shared in ("--many", "--reconnect"):  # the connection is the bridge's own
                with program("bridge", first, "tcp://127.0.0.1:0", shared) as outer:
                    seen, own = known_as(outer)
                    assert seen.startswith("127.0.0.1:") and seen != own, (seen, own)


def bridge_connects_for_nobody_whose_header_was_cut():
    with socket.create_server(("127.0.0.1", 0)) as server, \
            program("bridge", "tcp://127.0.0.1:%d?send_proxy_protocol=v1" % server.getsockname()[1], "tcp://127.0.0.1:0?proxy_protocol=127.0.0.1") as outer:
        with client(outer) as peer:
            peer.sendall(b"PROXY TCP4 192.0.2.1")
        with client(outer) as peer:
            peer.sendall(b"PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\nwords")
            made, _ = server.accept()
            with made:
                expected = b"PROXY TCP4 192.0.2.1 10.0.0.2 8080 443\r\nwords"
                heard = b""
                while len(heard) < len(expected) and (part := made.recv(100)):
                    heard += part
                assert heard == expected, heard
        server.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            server.accept()
            raise AssertionError("a connection was made for a client that nobody knows")


for needed in ("haproxy", "curl", "openssl"):
    assert shutil.which(needed) or os.path.exists(f"/usr/sbin/{needed}"), f"{needed} is missing; ./dev test installs it"
os.environ["PATH"] += ":/usr/sbin"
globals()[sys.argv[2]]()
