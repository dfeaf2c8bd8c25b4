#!/usr/bin/env python3
"""Does to echo and kv_server what the worst of clients do, and looks whether anything is left of it afterwards.

usage: stress.py FOLDER_OF_THE_EXAMPLES [--divide N] [CASE…]

Each case abuses a server from other processes while a witness is served: a client that was there before and goes on exchanging messages, every
byte of which is checked. Afterwards the server must be as it was: as many descriptors, as much memory, no time spent on doing nothing, and an
orderly end. The sizes are those of production; the tests divide them by N.
"""
import argparse
import contextlib
import multiprocessing
import os
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

PATIENCE = 60  # seconds until something that should have happened counts as never happening
MIB = 1 << 20
forked = multiprocessing.get_context("fork")


class server:
    """A program under stress, on a port of its own; at its end everything about it is checked."""

    def __init__(self, name, options="", descriptors=None, arguments=(), may_say=r""):
        self.may_say = may_say
        begin = f"ulimit -n {descriptors}; " if descriptors else ""
        line = [os.path.join(FOLDER, name), f"tcp://127.0.0.1:0{options}", *arguments]
        self.process = subprocess.Popen(["sh", "-c", begin + 'exec "$0" "$@"', *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "8192"})  # what the program frees goes back at once
        self.address = ("127.0.0.1", int(re.search(r":(\d+)(\?|$)", self.process.stdout.readline())[1]))
        self.is_sanitized = is_sanitized()

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def must_not_spin(self, seconds=0.5):
        """In one look of several: what it still had to do may take a while. With a sanitizer the witness alone costs a quarter of a core."""
        allowed = (0.7 if self.is_sanitized else 0.2) * seconds
        for _ in range(5):
            before = self.cpu_seconds()
            time.sleep(seconds)
            used = self.cpu_seconds() - before
            if used <= allowed:
                return
        raise AssertionError(f"{used:.2f} s of processor time in {seconds} s in which there was nothing to do")

    def must_be_as_before(self, descriptors, memory, allowance):
        wait_until(lambda: self.descriptors() <= descriptors, lambda: f"{self.descriptors()} descriptors are open, {descriptors} were before")
        self.must_not_spin()
        grown = self.memory() - memory
        assert self.is_sanitized or grown <= allowance, f"{grown >> 10} KiB more memory than before, {allowance >> 10} are allowed"
        return grown

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, f"ended with status {self.process.returncode}: {said}"
        assert re.fullmatch(self.may_say, said), f"unexpected words on standard error: {said}"


class witness(threading.Thread):
    """An old client of the server: each of its messages comes back, or the case has failed."""

    def __init__(self, at, ask=None, answer=None):
        super().__init__()
        self.ask = ask or b"w" * 1000
        self.answer, self.failure, self.exchanges, self.slowest, self.is_needed = answer or self.ask, None, 0, 0.0, True
        self.peer = client(at)
        self.exchange()
        self.start()

    def exchange(self):
        begin = time.monotonic()
        self.peer.sendall(self.ask)
        assert read_exactly(self.peer, len(self.answer)) == self.answer, "the witness got other bytes than it is owed"
        self.exchanges += 1
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def run(self):
        try:
            while self.is_needed:
                self.exchange()
                time.sleep(0.005)
        except (OSError, AssertionError) as error:
            self.failure = error

    def dismiss(self):
        self.is_needed = False
        self.join()
        self.peer.close()
        assert self.failure is None, f"the witness was not served: {self.failure!r} after {self.exchanges} messages"
        return self.slowest


class stress(contextlib.AbstractContextManager):
    """One case: the server, the witness, and what must be true again when it is over."""

    def __init__(self, name, allowance=4 * MIB, ask=None, answer=None, **options):
        self.server, self.allowance, self.ask, self.answer = server(name, **options), allowance, ask, answer
        first = witness(self.server.address, self.ask, self.answer)  # once it is served, all is open that will be
        self.descriptors, self.memory = self.server.descriptors() - 1, self.server.memory()
        first.dismiss()

    def __enter__(self):
        self.witness = witness(self.server.address, self.ask, self.answer)
        self.address = self.server.address
        return self

    def __exit__(self, kind, *_):
        try:
            slowest = self.witness.dismiss()
            if kind is None:
                grown = self.server.must_be_as_before(self.descriptors, self.memory, self.allowance)
                self.server.stop()
                print(f"  the slowest of {self.witness.exchanges} messages of the witness took {1000 * slowest:.0f} ms, memory {grown >> 10:+} KiB")
        finally:
            self.server.process.kill()
            self.server.process.communicate()


def is_sanitized():
    """Whether a sanitizer is in the programs, which keeps freed memory and wants descriptors of its own."""
    with open(os.path.join(FOLDER, "echo"), "rb") as file:
        code = file.read()
    return b"__asan_init" in code or b"__tsan_init" in code


def wait_until(holds, story):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, story()
        time.sleep(0.01)


def client(at, source=None, receive_buffer=None):
    made = socket.socket()
    made.settimeout(PATIENCE)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        made.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: a port for each pair of addresses
        made.bind((source, 0))
    made.connect(at)
    return made


def read_exactly(peer, size):
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        assert part, f"the end came after {len(data)} of {size} bytes"
        data += part
    return data


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def in_processes(count, work, *arguments):
    """Runs `work(number, *arguments)` in `count` processes of their own, all at once, and waits for them; each gets its own loopback address."""

    def run(number):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            work(number, *arguments)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    processes = [forked.Process(target=run, args=(number,)) for number in range(count)]
    for each in processes:
        each.start()
    return processes


def must_succeed(processes):
    for each in processes:
        each.join(3 * PATIENCE)
        assert each.exitcode == 0, "a load process failed" if each.exitcode is not None else "a load process did not come to an end"


def source_of(number, index):
    return f"127.0.{1 + number}.{1 + index % 16}"


class exchange:
    """Many clients that send `data` and check that it comes back, in one thread; `piece` is how much one send takes."""

    def __init__(self, peers, data, piece=65536):
        self.data, self.piece, self.progress = data, piece, {peer: [0, 0] for peer in peers}
        for peer in peers:
            peer.setblocking(False)

    def send_to_all(self):
        """Until nobody takes any more."""
        moved = True
        while moved:
            moved = False
            for peer in self.progress:
                moved |= self.send(peer)

    def send(self, peer):
        sent = self.progress[peer][0]
        try:
            n = peer.send(self.data[sent:sent + self.piece]) if sent < len(self.data) else 0
        except BlockingIOError:
            return False
        self.progress[peer][0] += n
        return n > 0

    def receive(self, peer):
        try:
            part = peer.recv(65536)
        except BlockingIOError:
            return
        received = self.progress[peer][1]
        assert part and part == self.data[received:received + len(part)], f"lost or changed bytes after {received}"
        self.progress[peer][1] += len(part)

    def finish(self):
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as waiting:
            for peer in self.progress:
                waiting.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while waiting.get_map():
                assert time.monotonic() < deadline, f"{len(waiting.get_map())} clients did not get all their bytes back"
                for key, events in waiting.select(1):
                    self.step(waiting, key.fileobj, events)

    def step(self, waiting, peer, events):
        if events & selectors.EVENT_WRITE:
            self.send(peer)
            if self.progress[peer][0] == len(self.data):
                waiting.modify(peer, selectors.EVENT_READ)
        if events & selectors.EVENT_READ:
            self.receive(peer)
        if self.progress[peer][1] == len(self.data):
            waiting.unregister(peer)


def few_descriptors():
    """A server that may open 64 descriptors and has 200 clients: some are served, the rest is turned away, and one line says so."""
    said = r"sluice: accept: accepting is paused; it is tried again every second: EMFILE: too many open files\n"
    with stress("echo", descriptors=64, may_say=said) as case:
        peers = [client(case.address) for _ in range(200)]
        with selectors.DefaultSelector() as waiting:
            for peer in peers:
                peer.sendall(b"?")
                waiting.register(peer, selectors.EVENT_READ)
            served = turned_away = 0
            deadline = time.monotonic() + PATIENCE
            while waiting.get_map():
                assert time.monotonic() < deadline, f"{len(waiting.get_map())} clients are neither served nor turned away"
                for key, _ in waiting.select(1):
                    waiting.unregister(key.fileobj)
                    try:
                        answered = key.fileobj.recv(1) == b"?"
                    except ConnectionResetError:
                        answered = False
                    served, turned_away = served + answered, turned_away + (not answered)
        assert served >= 30 and turned_away >= 100, (served, turned_away)
        case.server.must_not_spin()
        for peer in peers:
            peer.close()
        wait_until(lambda: case.server.descriptors() <= case.descriptors + 1, lambda: "descriptors are left open")
        with client(case.address) as late:
            late.sendall(b"!")
            assert read_exactly(late, 1) == b"!"
        print(f"  {served} clients were served, {turned_away} turned away")


def a_stopped_client():
    """kill -STOP of a client in the middle of its data: it costs nothing until it goes on, and then gets every byte."""
    size = max(64 // DIVIDED_BY, 8) * MIB

    def stream(number, at):
        peer, block = client(at), os.urandom(MIB)
        whole = block * (size // MIB)
        sender = threading.Thread(target=peer.sendall, args=(whole,))
        sender.start()
        for _ in range(size // MIB):
            assert read_exactly(peer, MIB) == block, "lost or changed bytes"
        sender.join()

    with stress("echo") as case:
        before = case.server.cpu_seconds()
        processes = in_processes(2, stream, case.address)
        wait_until(lambda: case.server.cpu_seconds() > before, lambda: "no byte moves")
        for each in processes:
            os.kill(each.pid, signal.SIGSTOP)
        time.sleep(0.3)
        case.server.must_not_spin()
        for each in processes:
            os.kill(each.pid, signal.SIGCONT)
        must_succeed(processes)


def ten_thousand_connections():
    """10,000 connections at once, from two processes, each of them used."""
    each = 5000 // DIVIDED_BY
    all_open, all_seen = forked.Barrier(3), forked.Barrier(3)

    def crowd(number, at):
        peers = [client(at, source_of(number, i)) for i in range(each)]
        exchange(peers, os.urandom(500)).finish()
        all_open.wait(PATIENCE)
        all_seen.wait(PATIENCE)

    with stress("echo", options="?backlog=1024", allowance=8 * MIB) as case:
        processes = in_processes(2, crowd, case.address)
        all_open.wait(PATIENCE)
        assert case.server.descriptors() >= 2 * each
        per_connection = (case.server.memory() - case.memory) / (2 * each)
        all_seen.wait(PATIENCE)
        must_succeed(processes)
        print(f"  {2 * each} connections were open, of {per_connection:.0f} bytes each")


def connect_and_close():
    """50,000 cycles of connecting and closing, every other one with a message."""
    each = 25_000 // DIVIDED_BY

    def come_and_go(number, at):
        for i in range(each):
            with client(at, source_of(number, i)) as peer:
                if i % 2:
                    peer.sendall(b"once")
                    assert read_exactly(peer, 4) == b"once"

    with stress("echo", options="?backlog=1024") as case:
        must_succeed(in_processes(2, come_and_go, case.address))


def a_storm_of_resets():
    """20,000 connections that end in a reset: at once, after sending, and with an answer on its way."""
    each = 10_000 // DIVIDED_BY
    data = os.urandom(20_000)

    def strike(number, at):
        for i in range(each):
            peer = client(at, source_of(number, i))
            if i % 3:
                peer.sendall(data)
            if i % 3 == 2:
                peer.recv(1)
            reset(peer)

    with stress("echo", options="?backlog=1024") as case:
        must_succeed(in_processes(2, strike, case.address))
    with stress("kv_server", ask=b"PING\r\n", answer=b"+PONG\r\n", options="?backlog=1024") as case:
        must_succeed(in_processes(2, strike, case.address))


def clients_that_never_read():
    """200 clients that send as much as they can and read nothing: 64 MiB of memory at most, echo and kv_server alike."""
    count = max(200 // DIVIDED_BY, 20)

    def flood(case, request):
        peers = [client(case.address) for _ in range(count)]
        flooding = exchange(peers, request * (8 * MIB // len(request)))
        most = 0
        for _ in range(10):
            flooding.send_to_all()
            most = max(most, case.server.memory() - case.memory)
            time.sleep(0.05)
        case.server.must_not_spin()
        assert case.server.is_sanitized or most <= 64 * MIB, f"{most / MIB:.1f} MiB of memory"
        for peer in peers:
            reset(peer)
        print(f"  {count} clients held {most / MIB:.1f} MiB")

    with stress("echo", allowance=8 * MIB) as case:
        flood(case, os.urandom(1000))
    with stress("kv_server", allowance=8 * MIB, ask=b"PING\r\n", answer=b"+PONG\r\n") as case:
        with client(case.address) as setter:
            setter.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$65536\r\n" + b"x" * 65536 + b"\r\n")
            assert read_exactly(setter, 5) == b"+OK\r\n"
        flood(case, b"GET big\r\n" * 100)


def zero_windows():
    """Clients with the smallest receive buffers that let their windows fill, and read only then: every byte arrives."""
    with stress("echo", allowance=8 * MIB) as case:
        peers = [client(case.address, receive_buffer=1) for _ in range(max(200 // DIVIDED_BY, 10))]
        stuffed = exchange(peers, os.urandom(32 * 1024))
        for _ in range(3):
            stuffed.send_to_all()
            time.sleep(0.05)
        case.server.must_not_spin()
        stuffed.finish()
        for peer in peers:
            peer.close()


def one_byte_at_a_time():
    """Clients that send byte after byte, each in a packet of its own."""
    with stress("echo") as case:
        peers = [client(case.address) for _ in range(100)]
        for peer in peers:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        exchange(peers, os.urandom(max(1000 // DIVIDED_BY, 50)), piece=1).finish()
        for peer in peers:
            peer.close()
    with stress("kv_server", ask=b"PING\r\n", answer=b"+PONG\r\n") as case:
        with client(case.address) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
            for byte in request:
                peer.send(bytes([byte]))
            assert read_exactly(peer, 16) == b"+OK\r\n$5\r\nvalue\r\n"


def a_full_backlog():
    """More clients than a server lets in and its backlog holds: all are served, one after the other; one that cannot wait is told."""
    with server_and_crowd() as (busy, peers):
        impatient = subprocess.run([os.path.join(FOLDER, "tcp_client"), "tcp://%s:%d?connect_timeout=200ms" % busy.address, "--attempts", "1"],
                                   capture_output=True, text=True, timeout=PATIENCE)
        assert impatient.returncode == 1 and "a deadline passed; that was the last attempt" in impatient.stderr, impatient
        busy.must_not_spin()
        for peer in peers:
            peer.settimeout(PATIENCE)
            peer.sendall(b"my turn")
            assert read_exactly(peer, 7) == b"my turn"
            peer.close()
    busy.stop()


@contextlib.contextmanager
def server_and_crowd():
    """A server that lets one client in at a time, and clients until its backlog takes no more."""
    busy, peers = server("echo", options="?backlog=4&max_connections=1"), []
    try:
        while True:
            peer = socket.socket()
            peer.settimeout(0.2)
            try:
                peer.connect(busy.address)
            except TimeoutError:
                peer.close()
                break
            peers.append(peer)
            if len(peers) == 1:  # is let in before the others come, so that no place comes free behind them
                peer.settimeout(PATIENCE)
                peer.sendall(b"let in")
                assert read_exactly(peer, 6) == b"let in"
        yield busy, peers
    finally:
        if sys.exc_info()[0] is not None:
            busy.process.kill()
            busy.process.communicate()


def resolver_failures():
    """Names that cannot be resolved because the resolver has no descriptor for its files, many programs at once: each says so and ends."""
    failures = 0
    for _ in range(max(10 // DIVIDED_BY, 1)):
        running = [subprocess.Popen(["sh", "-c", f'ulimit -n {most}; exec "$0" tcp://localhost:1 --attempts 2', os.path.join(FOLDER, "tcp_client")],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for most in range(6, 13)]
        for each in running:
            _, said = each.communicate(timeout=PATIENCE)
            assert each.returncode in (1, 2) and re.search(r"EMFILE: |ECONNREFUSED: |no address for localhost: ", said), (each.returncode, said)
            failures += said.count("no address for localhost: ")
    assert failures > 0, "no resolver failed"
    print(f"  {failures} resolver failures were told")


CASES = [few_descriptors, a_stopped_client, ten_thousand_connections, connect_and_close, a_storm_of_resets, clients_that_never_read, zero_windows,
         one_byte_at_a_time, a_full_backlog, resolver_failures]


def parse():
    names = [each.__name__ for each in CASES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where echo, kv_server and tcp_client are")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(names))
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="the sizes by N")
    chosen = parser.parse_intermixed_args()
    for each in chosen.cases:
        if each not in names:
            parser.error(f"no case '{each}'; there are: {', '.join(names)}")
    return chosen


def main():
    global FOLDER, DIVIDED_BY
    chosen = parse()
    FOLDER, DIVIDED_BY = chosen.folder, chosen.divide
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for case in CASES:
        if chosen.cases and case.__name__ not in chosen.cases:
            continue
        if case in (few_descriptors, resolver_failures) and is_sanitized():
            print(f"{case.__name__}: not with a sanitizer, which wants descriptors of its own")
            continue
        begin = time.monotonic()
        print(f"{case.__name__}: {case.__doc__}", flush=True)
        case()
        print(f"  passed in {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
