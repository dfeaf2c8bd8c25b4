#!/usr/bin/env python3
"""Runs the example programs as a user would and checks what they say.

usage: examples_test.py BUILD_FOLDER_OF_THE_EXAMPLES CASE
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

FOLDER = sys.argv[1]
PATIENCE = 20  # seconds until something that should have happened counts as never happening


class program:
    """A server under test; it says on which addresses it listens."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen([os.path.join(FOLDER, name), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def address(self):
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (?:tcp://)?(127\.0\.0\.1|\[::1\]):(\d+)\n", line)
        assert found, f"unexpected line {line!r}"
        return found[1].strip("[]"), int(found[2])

    def stop(self, number=signal.SIGTERM, may_cut_off=False):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        assert err == "" or may_cut_off and "aborted at the deadline" in err, err
        assert self.process.returncode == 0, self.process.returncode
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def client(address):
    made = socket.create_connection(address, PATIENCE)
    made.settimeout(PATIENCE)
    return made


def read_exactly(peer, size):
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        assert part, f"the end came after {len(data)} of {size} bytes"
        data += part
    return data


def read_to_the_end(peer):
    data = b""
    while part := peer.recv(65536):
        data += part
    return data


def refused(name, *arguments):
    done = subprocess.run([os.path.join(FOLDER, name), *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0, done
    return done.stderr


def after_shell(commands, name, *arguments):
    line = ["sh", "-c", commands + '; exec "$0" "$@"', os.path.join(FOLDER, name), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)


def echo_serves_every_endpoint_and_stops_in_order():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "echo.sock")
        with program("echo", "tcp://127.0.0.1:0", "tcp://[::1]:0", f"unix:{path}") as echo:
            peers = [client(echo.address()), client(echo.address()), socket.socket(socket.AF_UNIX)]
            assert echo.process.stdout.readline() == f"listening on unix:{path}\n"
            peers[2].connect(path)
            for peer in peers:
                peer.sendall(b"x" * 100_000)
            for peer in peers:
                assert read_exactly(peer, 100_000) == b"x" * 100_000
            echo.stop()
            for peer in peers:
                assert read_to_the_end(peer) == b""
        assert not os.path.exists(path), "the socket file is left behind"


def echo_delivers_what_is_in_flight_before_it_exits():
    with program("echo", "tcp://127.0.0.1:0", "--low", "1024", "--high", "4096") as echo:
        peer = client(echo.address())
        data = os.urandom(1 << 20)
        peer.sendall(data[:1000])
        assert read_exactly(peer, 1000) == data[:1000]
        peer.sendall(data[1000:])
        echo.process.send_signal(signal.SIGTERM)
        assert read_exactly(peer, len(data) - 1000) == data[1000:]
        assert read_to_the_end(peer) == b""
        assert echo.process.wait(PATIENCE) == 0


def echo_is_not_held_up_by_a_client_that_never_reads():
    with program("echo", "tcp://127.0.0.1:0", "--mode", "source", "--drain", "1") as source:
        peer = client(source.address())
        read_exactly(peer, 1)
        source.stop(may_cut_off=True)


def echo_modes_sink_and_source_do_what_they_say():
    with program("echo", "tcp://127.0.0.1:0", "--mode", "sink") as sink:
        peer = client(sink.address())
        peer.sendall(b"x" * 100_000)
        peer.shutdown(socket.SHUT_WR)
        assert read_to_the_end(peer) == b""
        sink.stop(signal.SIGINT)
    with program("echo", "tcp://127.0.0.1:0", "--mode", "source") as source:
        peer = client(source.address())
        assert read_exactly(peer, 5 << 20) == bytes(5 << 20)
        peer.close()
        source.stop()


def socket_activate(program_name, *listening, names):
    """Starts an example as systemd does: with sockets that listen already, once a client comes."""
    arguments = [f"--listen={each}" for each in listening] + [f"--fdname={names}", os.path.join(FOLDER, program_name)]
    return subprocess.Popen(["systemd-socket-activate", *arguments, *(f"fd://{name}" for name in dict.fromkeys(names.split(":")))],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def wait_for_listening(process):
    """The names of what it listens on, from what systemd-socket-activate says."""
    found = []
    for line in process.stderr:
        if "Listening on" not in line:
            return None  # the port was taken meanwhile
        found.append(line)
        if len(found) == 2:
            return found


def datagram_port(server):
    line = server.process.stdout.readline()
    found = re.fullmatch(r"listening on (?:udp://)?127\.0\.0\.1:(\d+)\n", line)
    assert found, f"unexpected line {line!r}"
    return int(found[1])


def check_datagrams(peer, to):
    peer.settimeout(PATIENCE)
    for data in (b"", b"x", os.urandom(1400), os.urandom(30_000)):
        peer.sendto(data, to)
        assert peer.recv(65536) == data


def check_socat(address, line):
    command = ["socat", "STDIO", address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as socat:
        socat.stdin.write(line)
        socat.stdin.flush()
        assert socat.stdout.readline() == line
        socat.kill()


def echo_answers_datagrams_of_python_and_of_socat():
    with tempfile.TemporaryDirectory() as folder:
        path, own, third = (os.path.join(folder, name) for name in ("echo", "python", "socat"))
        with program("echo", "udp://127.0.0.1:0", f"unix-dgram:{path}", "tcp://127.0.0.1:0") as echo:
            port = datagram_port(echo)
            assert echo.process.stdout.readline() == f"listening on unix-dgram:{path}\n"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                check_datagrams(peer, ("127.0.0.1", port))
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
                peer.bind(own)
                check_datagrams(peer, path)
            check_socat(f"UDP4:127.0.0.1:{port}", b"by UDP\n")
            check_socat(f"UNIX-SENDTO:{path},bind={third}", b"by a Unix socket\n")
            echo.address()
            echo.stop()
        assert not os.path.exists(path), "the socket file is left behind"
    assert '"99999" at 16 is not a port' in refused("echo", "udp://127.0.0.1:99999")
    assert '"70000" at 31 is not a value for max_datagram' in refused("echo", "udp://127.0.0.1:0?max_datagram=70000")
    assert "datagrams have no connections" in refused("echo", "udp://127.0.0.1:0", "--mode", "source")


def udp_echo_answers_and_says_what_is_wrong():
    with program("udp_echo", "127.0.0.1:0") as echo:
        port = datagram_port(echo)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            check_datagrams(peer, ("127.0.0.1", port))
        assert f"opening udp 127.0.0.1:{port}" in refused("udp_echo", f"127.0.0.1:{port}")
    assert "nowhere" in refused("udp_echo", "nowhere")


def echo_is_started_by_socket_activation():
    if shutil.which("systemd-socket-activate") is None:
        sys.exit(77)  # skipped
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "echo.sock")
        process, port = None, 0
        while process is None:
            port = free_port()
            process = socket_activate("echo", f"127.0.0.1:{port}", path, names="web:admin")
            if wait_for_listening(process) is None:
                process.communicate()
                process = None
                os.path.exists(path) and os.unlink(path)
        try:
            peers = [client(("127.0.0.1", port)), socket.socket(socket.AF_UNIX)]
            peers[1].connect(path)
            for peer in peers:
                peer.sendall(b"x" * 100_000)
            for peer in peers:
                assert read_exactly(peer, 100_000) == b"x" * 100_000
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, (process.returncode, err)
            assert out == f"listening on fd://web\nlistening on fd://admin\n", out
            assert os.path.exists(path), "systemd made the socket file, and systemd removes it"
        finally:
            process.kill()


class load:
    """Clients that connect, check every byte that comes back, and leave, again and again; to each of the addresses."""

    def __init__(self, *addresses, clients=6):
        self.failures, self.served, self.goes_on = [], 0, True
        self.threads = [threading.Thread(target=self.drive, args=(family, address)) for family, address in addresses for _ in range(clients)]

    def drive(self, family, address):
        data = os.urandom(30_000)
        while self.goes_on and not self.failures:
            try:
                with socket.socket(family) as peer:
                    peer.settimeout(PATIENCE)
                    peer.connect(address)
                    for size in (1, 300, 30_000):
                        peer.sendall(data[:size])
                        assert read_exactly(peer, size) == data[:size]
                self.served += 1
            except (OSError, AssertionError) as error:
                self.failures.append(f"{address}: {error!r} after {self.served} connections")

    def wait_for_more(self, connections=100):
        begin, deadline = self.served, time.monotonic() + PATIENCE
        while self.served < begin + connections and not self.failures and time.monotonic() < deadline:
            time.sleep(0.001)
        assert self.served >= begin + connections and not self.failures, self.failures

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.goes_on = False
        for each in self.threads:
            each.join()


def echo_hands_over_to_its_successor_under_load():
    with tempfile.TemporaryDirectory() as folder:
        path, meeting_place = os.path.join(folder, "echo.sock"), os.path.join(folder, "next")
        first = program("echo", "tcp://127.0.0.1:0", f"unix:{path}", "--hand-over", meeting_place)
        address = first.address()
        assert first.process.stdout.readline() == f"listening on unix:{path}\n"
        endpoints = [f"tcp://127.0.0.1:{address[1]}", f"unix:{path}"]
        with contextlib.ExitStack() as stack, load((socket.AF_INET, address), (socket.AF_UNIX, path)) as clients:
            running = stack.enter_context(first)
            staying = client(address)
            clients.wait_for_more()
            for _ in range(3):
                staying.sendall(b"served by the one that accepted me")
                assert read_exactly(staying, 34) == b"served by the one that accepted me"
                successor = stack.enter_context(program("echo", *endpoints, "--hand-over", meeting_place))
                assert running.process.communicate(timeout=PATIENCE)[1] == "" and running.process.returncode == 0
                assert read_to_the_end(staying) == b""  # it was quiet, so it was closed in good order
                staying, running = client(address), successor
                clients.wait_for_more()
            assert os.path.exists(path) and os.stat(meeting_place).st_mode & 0o777 == 0o600
            clients.goes_on = False
            for each in clients.threads:
                each.join()
            assert clients.failures == [], clients.failures
            running.stop()
        assert os.listdir(folder) == [], "the last one removes the socket files"


def echo_goes_on_where_its_successor_fails():
    with tempfile.TemporaryDirectory() as folder:
        meeting_place = os.path.join(folder, "next")
        with program("echo", "tcp://127.0.0.1:0", "--hand-over", meeting_place) as echo:
            address = echo.address()
            wrong = refused("echo", f"tcp://127.0.0.1:{address[1]}?nodelay=perhaps", "--hand-over", meeting_place)
            assert "nodelay" in wrong, wrong
            assert "ended before it was ready; this process goes on serving" in echo.process.stderr.readline()
            with load((socket.AF_INET, address), clients=2) as clients:
                clients.wait_for_more(10)
            echo.stop()


def echo_says_what_is_wrong_with_its_arguments():
    assert '"99999" at 16 is not a port; expected a number from 0 to 65535' in refused("echo", "tcp://127.0.0.1:99999")
    assert '"nope" at 0 is not a scheme' in refused("echo", "nope:")
    assert '"9" at 29 is above the option high' in refused("echo", "tcp://127.0.0.1:0", "--low", "9", "--high", "3")
    assert '"-5" at 23 is not a value for high; expected a size' in refused("echo", "tcp://127.0.0.1:0", "--high", "-5")
    with program("echo", "tcp://127.0.0.1:0") as first:
        host, port = first.address()
        assert f"{host}:{port}" in refused("echo", f"tcp://{host}:{port}")


def chat_lines_carries_what_one_says_to_the_others():
    with program("chat_lines", "tcp://127.0.0.1:0") as chat:
        address = chat.address()
        first, second = client(address), client(address)
        for peer in (first, second):
            assert read_exactly(peer, 11) == b"your name?\n"
        first.sendall(b"ann\n")
        second.sendall(b"bob\n")
        read_exactly(first, len(b"bob: (came in)\n"))
        first.sendall(b"hel")
        first.sendall(b"lo\r\n")
        assert read_exactly(second, 11) == b"ann: hello\n"
        first.close()
        assert read_exactly(second, 12) == b"ann: (left)\n"
        second.sendall(b"x" * 2000)
        assert b"error: " in read_to_the_end(second)


def signals_and_shutdown_lets_each_client_hear_the_last_word():
    with program("signals_and_shutdown", "tcp://127.0.0.1:0") as clock:
        peer = client(clock.address())
        assert peer.recv(1)
        clock.process.send_signal(signal.SIGTERM)
        assert read_to_the_end(peer).endswith(b"the clock stops here\n")
        out, err = clock.process.communicate(timeout=PATIENCE)
        assert "client gone: orderly end" in out and err == "" and clock.process.returncode == 0, (out, err)


def custom_layer_shows_the_message_and_the_wire():
    out = subprocess.run([os.path.join(FOLDER, "custom_layer")], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert "on the wire: idmmn!uisntfi!uid!m`xds\n" in out, out
    assert "received:    hello through the layer\n" in out, out


def custom_transport_brings_back_every_byte():
    out = subprocess.run([os.path.join(FOLDER, "custom_transport")], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert out == "67108864 bytes went through shared memory and came back: an orderly end\n", out


def run(name, *arguments):
    return subprocess.run([os.path.join(FOLDER, name), *arguments], capture_output=True, text=True, timeout=PATIENCE)


def bound(host, port=0):
    made = socket.socket()
    made.settimeout(PATIENCE)
    made.bind((host, port))
    return made


def tcp_client_says_its_words_and_prints_the_answer():
    with program("echo", "tcp://localhost:0") as echo:
        said = echo.process.stdout.readline()
        port = int(re.fullmatch(r"listening on tcp://localhost:(\d+)\n", said)[1])
        done = run("tcp_client", f"tcp://localhost:{port}?connect_timeout=10s", "--say", "hello")
        assert (done.returncode, done.stdout) == (0, "hello"), done
        assert re.fullmatch(rf"connected to (127\.0\.0\.1|\[::1\]):{port}\n", done.stderr), done
        echo.stop()


def tcp_client_comes_back_until_there_is_an_answer():
    listener = bound("127.0.0.1")
    port = listener.getsockname()[1]
    command = [os.path.join(FOLDER, "tcp_client"), f"tcp://127.0.0.1:{port}", "--say", "hello"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert re.fullmatch(rf"connecting to 127.0.0.1:{port}: ECONNREFUSED: .*; again in \d+ ms\n", process.stderr.readline())
        listener.listen()
        peer, _ = listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()  # a reset
        peer, _ = listener.accept()
        peer.sendall(b"at last")
        assert read_to_the_end(peer) == b"hello"
        peer.close()
        out, err = process.communicate(timeout=PATIENCE)
        assert out == "at last" and process.returncode == 0, (out, err)
        assert re.search(r"(ECONNRESET|EPIPE): .*; again in \d+ ms\n", err), err
    listener.close()


def tcp_client_gives_up_in_the_end():
    listener = bound("127.0.0.1")
    port = listener.getsockname()[1]
    done = run("tcp_client", f"tcp://127.0.0.1:{port}", "--attempts", "2")
    assert done.returncode == 1 and done.stderr.endswith("; that was the last attempt\n") and done.stderr.count("\n") == 2, done
    listener.listen()
    done = run("tcp_client", f"tcp://127.0.0.1:{port}?idle=50ms", "--attempts", "1")
    assert done.returncode == 1 and "within idle_timeout; that was the last attempt\n" in done.stderr, done
    listener.close()
    assert '"colour" at 18 is not a known option' in refused("tcp_client", "tcp://127.0.0.1:1?colour=red")


def open_and_full_house():
    """Two listeners with one port: the second takes no more clients than the one that is its guest."""
    while True:
        there = bound("127.0.0.1")
        there.listen()
        try:
            house = bound("127.0.0.2", there.getsockname()[1])
        except OSError:  # somebody has it
            there.close()
            continue
        house.listen(0)
        return there, house, socket.create_connection(house.getsockname(), PATIENCE)


def happy_eyeballs_shows_each_attempt():
    sockets = open_and_full_house()
    port = sockets[0].getsockname()[1]
    here = ["--as", "127.0.0.2", "--as", "::1", "--as", "127.0.0.1"]
    time_at, time_for = r" +\d+\.\d ms +", r" after \d+\.\d ms\n"
    with contextlib.ExitStack() as open_sockets:
        for each in sockets:
            open_sockets.enter_context(each)
        done = run("happy_eyeballs", "there", str(port), *here, "--delay", "20")
        assert done.returncode == 0, done
        expected = (rf"{time_at}\[::1\]:{port} +ECONNREFUSED: connection refused{time_for}"
                    rf"{time_at}127\.0\.0\.1:{port} +connected{time_for}"
                    rf"{time_at}127\.0\.0\.2:{port} +given up, as another was faster{time_for}there is a connection\n")
        assert re.fullmatch(expected, done.stdout), done.stdout
        done = run("happy_eyeballs", "there", str(port), "--as", "127.0.0.2", "--timeout", "2000")  # time to resolve the name, on a machine that is busy
        assert done.returncode == 1, done
        assert done.stdout.endswith(f"connecting to there:{port}: a deadline passed; 127.0.0.2:{port}: no answer\n"), done.stdout
    assert '"nowhere" is not a numeric host' in refused("happy_eyeballs", "there", "80", "--as", "nowhere")


@contextlib.contextmanager
def machine_with_an_adapter():
    """Options for a /sys and a /dev with one USB adapter, as the kernel lays them out."""
    with tempfile.TemporaryDirectory() as root:
        usb, entry, dev = (os.path.join(root, name) for name in ("sys/devices/1-1", "sys/class/tty/ttyUSB0", "dev"))
        for folder in (os.path.join(usb, "1-1:1.0/ttyUSB0"), entry, os.path.join(dev, "serial/by-id")):
            os.makedirs(folder)
        for name, text in {"idVendor": "0403", "idProduct": "6001", "serial": "A1", "product": "Cable\x1b[2J", "1-1:1.0/bInterfaceNumber": "00"}.items():
            with open(os.path.join(usb, name), "w", encoding="ascii") as file:
                file.write(text + "\n")
        os.symlink(os.path.join(usb, "1-1:1.0/ttyUSB0"), os.path.join(entry, "device"))
        os.symlink("/drivers/ftdi_sio", os.path.join(usb, "1-1:1.0/ttyUSB0/driver"))
        with open(os.path.join(dev, "ttyUSB0"), "wb"):
            os.symlink("../../ttyUSB0", os.path.join(dev, "serial/by-id/usb-Cable"))
        yield ["--sys", os.path.join(root, "sys"), "--dev", dev]


def list_ports_names_what_is_plugged_in():
    with machine_with_an_adapter() as options:
        done = run("list_ports", *options)
        assert done.returncode == 0, done
        dev = options[-1]
        assert done.stdout == f"{dev}/ttyUSB0  ftdi_sio\n  usb:0403:6001:A1  Cable?[2J\n  {dev}/serial/by-id/usb-Cable\n", done.stdout
    assert "class/tty: " in refused("list_ports", "--sys", "/nowhere")


def list_ports_watches():
    with machine_with_an_adapter() as options, program("list_ports", *options, "--watch") as watch:
        assert watch.process.stdout.readline().startswith("added    "), "the port that is there"
        for _ in range(2):
            watch.process.stdout.readline()
        os.unlink(options[-1] + "/ttyUSB0")
        assert watch.process.stdout.readline().startswith("removed  "), "the port that is gone"
        watch.stop()


def run_child(*words):
    done = subprocess.run([os.path.join(FOLDER, "run_child"), *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def run_child_passes_on_what_a_command_prints_and_how_it_ends():
    assert run_child("echo", "-n", "word") == (0, "word", "run_child: exit code 0\nrun_child: 4 bytes of output, 0 of errors\n")
    code, out, errors = run_child("sh", "-c", "echo yes; echo no >&2; exit 3")
    assert (code, out) == (3, "yes\n") and sorted(errors.splitlines()) == sorted(
        ["no", "run_child: exit code 3", "run_child: 4 bytes of output, 3 of errors"]), errors
    code, _, errors = run_child("sh", "-c", "kill -KILL $$")
    assert code == 128 + signal.SIGKILL and "signal 9" in errors, errors
    code, _, errors = run_child("/nowhere/at/all")
    assert code == 127 and "/nowhere/at/all" in errors, errors


def run_child_ends_a_command_that_is_not_done_at_its_deadline():
    code, _, errors = run_child("--deadline", "0.1", "sleep", "60")
    assert code == 124 and "signal 15, at the deadline" in errors, errors
    code, _, errors = run_child("--deadline", "0.5", "--grace", "0.1", "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done")
    assert code == 124 and "signal 9, at the deadline" in errors, errors


def kv_server_serves_redis_cli_and_redis_benchmark():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kv.sock")
        with program("kv_server", "tcp://127.0.0.1:0", f"unix:{path}") as server:
            _, port = server.address()
            asked = "set k v\nincr n\nget k\nkeys *\nfoo\n"
            for where in (["-p", str(port)], ["-s", path]):
                said = subprocess.run(["redis-cli", *where], input=asked, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
                assert "OK\n" in said and "v\n" in said and "ERR unknown command 'foo'" in said, said
            for pipeline in ("1", "16"):
                load = ["redis-benchmark", "-p", str(port), "-t", "ping,set,get,incr,mset", "-n", "2000", "-P", pipeline, "-q"]
                said = subprocess.run(load, capture_output=True, text=True, timeout=PATIENCE, check=True)
                assert said.stdout.count("requests per second") == 6 and "ERR" not in said.stdout + said.stderr, said
            server.stop()
        assert not os.path.exists(path), "the socket file is left behind"


def kv_server_answers_what_is_in_flight_before_it_exits():
    with program("kv_server", "tcp://127.0.0.1:0") as server:
        peer = client(server.address())
        value = b"x" * 10_000
        peer.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000\r\n" + value + b"\r\n")
        assert read_exactly(peer, 5) == b"+OK\r\n"
        peer.sendall(b"get k\r\n" * 300)
        server.process.send_signal(signal.SIGTERM)
        assert read_to_the_end(peer) == (b"$10000\r\n" + value + b"\r\n") * 300
        assert server.process.wait(PATIENCE) == 0


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def kv_server_bounds_a_client_that_never_reads():
    with program("kv_server", "tcp://127.0.0.1:0", "--drain", "1", "--max-unsent", "20000000") as server:
        address = server.address()
        peer, greedy = client(address), client(address)
        peer.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
        assert read_exactly(peer, 5) == b"+OK\r\n"
        before = resident_bytes(server.process)
        peer.sendall(b"get k\r\n" * 5000)
        greedy.sendall(b"mget" + b" k" * 1000 + b"\r\n")
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        other = client(address)
        deadline = time.monotonic() + PATIENCE
        clients = b""
        while b"id=2 " in clients or not clients:  # the greedy one is cut off
            assert time.monotonic() < deadline, clients
            other.sendall(b"client list\r\n")
            clients = other.recv(65536)
        assert b"id=1 " in clients, clients
        assert is_sanitized("kv_server") or resident_bytes(server.process) - before < 64 << 20
        server.stop(may_cut_off=True)


def kv_server_says_what_is_wrong_with_its_arguments():
    assert '"99999" at 16 is not a port' in refused("kv_server", "tcp://127.0.0.1:99999")
    assert "ENDPOINT is required" in refused("kv_server")
    for option in ("--max-bulk", "--max-unsent"):
        for value in ("many", "0", "-5"):
            assert option in refused("kv_server", "tcp://127.0.0.1:0", option, value)


def is_sanitized(name):
    """Whether a sanitizer is in the program, which wants descriptors of its own, takes it for an error that there are none, and keeps freed memory."""
    with open(os.path.join(FOLDER, name), "rb") as file:
        code = file.read()
    return b"__asan_init" in code or b"__tsan_init" in code


def programs_that_cannot_begin_say_why():
    for name in () if is_sanitized("echo") else ("echo", "kv_server", "chat_lines", "signals_and_shutdown", "tcp_client"):
        said = after_shell("ulimit -n 7", name, "tcp://127.0.0.1:1")
        assert said.returncode == 2 and said.stderr.startswith(f"{name}: sluice::loop: uv_loop_init: EMFILE"), said
    for name in ("chat_lines", "signals_and_shutdown"):
        assert refused(name, "--help").startswith("usage: ")


def programs_run_with_their_standard_descriptors_closed():
    for name in ("custom_layer", "custom_transport"):
        assert after_shell("exec <&- >&- 2>&-", name).returncode == 0


if __name__ == "__main__":
    globals()[sys.argv[2]]()
