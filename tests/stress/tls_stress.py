#!/usr/bin/env python3
"""Does to echo over TLS what the worst of clients do, and looks whether anything is left of it afterwards; see stress.py.

usage: tls_stress.py FOLDER_OF_THE_EXAMPLES [--divide N] [CASE…]

The witness is a client without TLS of the same process: it must not be held up.
"""
import argparse
import contextlib
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import stress as kit

SLOW = 3  # seconds that a client may take for a handshake, in the case about them


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
                   check=True, capture_output=True)


def context(version=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if version:
        made.maximum_version = version
    return made


def secure(at, how, session=None):
    plain = kit.client(at)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a server answers nothing to a resumed handshake: the first words would wait
    return how.wrap_socket(plain, session=session)


class tls_stress(kit.stress):
    """As `stress`, with an endpoint of TLS in the same server, which has been used."""

    def __init__(self, options="", **more):
        self.folder = tempfile.TemporaryDirectory()
        make_certificate(self.folder.name)
        endpoint = f"tls://127.0.0.1:0?cert={self.folder.name}/cert.pem&key={self.folder.name}/key.pem&backlog=1024{options}"
        super().__init__("echo", arguments=(endpoint,), **more)
        self.secure_address = ("127.0.0.1", int(re.search(r"//127\.0\.0\.1:(\d+)", self.server.process.stdout.readline())[1]))
        for _ in range(50):
            shake_hands(self.secure_address, context())
        kit.wait_until(lambda: self.server.descriptors() <= self.descriptors + 1, lambda: "descriptors are left open")
        self.descriptors, self.memory = self.server.descriptors(), self.server.memory()

    def __exit__(self, *about):
        with self.folder:
            super().__exit__(*about)


def failures(why):
    """What a server may say of clients whose failure is wanted."""
    return rf"(echo: (.*{why}.*|\d+ more clients? failed meanwhile)\n)*"


def shake_hands(at, how, session=None):
    """One connection that is used; the session to come back with."""
    with secure(at, how, session) as peer:
        peer.sendall(b"hello")
        assert kit.read_exactly(peer, 5) == b"hello"
        with contextlib.suppress(ssl.SSLError, OSError):
            return peer.session
    return None


def hundred_thousand_handshakes():
    """100,000 connections, every second one a resumed one, from two processes."""
    each = 50_000 // kit.DIVIDED_BY

    def load(number, at):
        how, session = context(), None
        for i in range(each):
            session = shake_hands(at, how, None if i % 2 == 0 else session)

    with tls_stress() as case:
        for process in kit.in_processes(2, load, case.secure_address):
            process.join()  # which comes: each step of a client has a time limit
            assert process.exitcode == 0, "a load process failed"


def silent_clients():
    """1,000 clients that connect and say nothing, or one byte: they are cut off in time, and cost next to nothing, the second time nothing new."""
    count = max(1000 // kit.DIVIDED_BY, 20)
    with tls_stress(f"&handshake_timeout={SLOW}s&max_handshakes=100", may_say=failures(r"was not done within \d+ ms")) as case:
        for turn in range(2):
            before = case.server.memory()
            took = stay_silent(case, count)
            print(f"  {count} clients were gone after {took:.1f} s")
            if turn == 0:  # what the allocator keeps of it is used again
                kit.wait_until(lambda: case.server.descriptors() <= case.descriptors + 1, lambda: "descriptors are left open")
                grown = case.server.memory() - before
                assert case.server.is_sanitized or grown <= 12 * kit.MIB, f"{grown >> 10} KiB are left of {count} clients"
                case.memory = case.server.memory()


def stay_silent(case, count):
    """Seconds until all were cut off."""
    begin, before = time.monotonic(), case.server.memory()
    peers = [kit.client(case.secure_address) for _ in range(count)]
    for peer in peers[::2]:
        peer.sendall(b"\x16")
    kit.wait_until(lambda: case.server.descriptors() >= count, lambda: f"only {case.server.descriptors()} clients were let in")
    grown = case.server.memory() - before
    assert case.server.is_sanitized or grown <= 12 * kit.MIB, f"{grown >> 10} KiB for {count} clients that say nothing"
    for peer in peers:
        with contextlib.suppress(ConnectionError):
            assert peer.recv(100) == b"", "an answer to nothing"
        peer.close()
    took = time.monotonic() - begin
    assert took < SLOW + 20, f"it took {took:.1f} s until all were cut off"
    return took


def renegotiation_flood():
    """200 clients that ask to renegotiate as often as they can: each is refused, at its first try."""
    count = max(200 // kit.DIVIDED_BY, 4)
    with tls_stress(may_say=failures("the peer asked to renegotiate")) as case:
        for _ in range(0, count, 4):
            clients = [subprocess.Popen(["openssl", "s_client", "-connect", "%s:%d" % case.secure_address, "-tls1_2"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(4)]
            for each in clients:
                said, _ = each.communicate(b"R\n" * 100, timeout=kit.PATIENCE)
                assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said[-2000:]


def certificates_reloaded_under_load():
    """The certificate is read again 200 times while clients come and go: each is served, with the old one or the new one."""
    times = max(200 // kit.DIVIDED_BY, 5)

    def load(_, at, stop):
        how = context()
        while not stop.is_set():
            shake_hands(at, how)

    stop = kit.forked.Event()
    with tls_stress(allowance=8 * kit.MIB, may_say=r"(echo: .* does not belong to the certificate .*\n)*") as case:
        old = secure(case.secure_address, context())
        processes = kit.in_processes(2, load, case.secure_address, stop)
        for _ in range(times):
            with tempfile.TemporaryDirectory() as other:
                make_certificate(other)
                for name in ("cert.pem", "key.pem"):  # a pair that does not fit, for a moment: then the old one is used on
                    os.replace(os.path.join(other, name), os.path.join(case.folder.name, name))
            case.server.process.send_signal(signal.SIGHUP)
            old.sendall(b"hello")
            assert kit.read_exactly(old, 5) == b"hello"
        old.close()
        stop.set()
        kit.must_succeed(processes)


CASES = [hundred_thousand_handshakes, silent_clients, renegotiation_flood, certificates_reloaded_under_load]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where echo is")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(each.__name__ for each in CASES))
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="the sizes by N")
    chosen = parser.parse_intermixed_args()
    unknown = set(chosen.cases) - {each.__name__ for each in CASES}
    if unknown:
        parser.error(f"no case {', '.join(unknown)}")
    kit.FOLDER, kit.DIVIDED_BY = chosen.folder, chosen.divide
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for case in CASES:
        if chosen.cases and case.__name__ not in chosen.cases:
            continue
        begin = time.monotonic()
        print(f"{case.__name__}: {case.__doc__}", flush=True)
        case()
        print(f"  passed in {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
