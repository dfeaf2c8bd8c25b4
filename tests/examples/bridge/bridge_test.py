#!/usr/bin/env python3
"""Runs examples/bridge and examples/cat as a user would, between real peers.

usage: bridge_test.py BUILD_FOLDER_OF_THE_EXAMPLES CASE
"""
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tty

from examples_test import FOLDER, PATIENCE, bound, client, program, read_exactly, read_to_the_end, refused, run


@contextlib.contextmanager
def device():
    """A Unix socket that stands for what the bridge connects to: gives a function that accepts it, and the endpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "device")
        yield plugged_in(path), f"unix:{path}", path


def plugged_in(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(PATIENCE)
    listener.bind(path)
    listener.listen()
    return listener


def new_terminal(link):
    """Plugs a pseudo-terminal in under the name `link`; gives the end of the device."""
    device_end, end = os.openpty()
    tty.setraw(end)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(link)
    os.symlink(os.ttyname(end), link)
    os.close(end)
    return device_end


def read_from_device(device_end, size):
    data = b""
    while len(data) < size:
        data += os.read(device_end, size - len(data))
    return data


@contextlib.contextmanager
def serial_bridge(*options):
    """A bridge from a pseudo-terminal to TCP: gives the end of the device, the name of the terminal and the bridge."""
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "tty")
        device_end = new_terminal(link)
        with program("bridge", f"serial://{link}?baud=115200", "tcp://127.0.0.1:0", *options) as bridge:
            yield device_end, link, bridge


def send_all_that_goes(peer):
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            peer.send(b"x" * 65536)


def accept(listener):
    made, _ = listener.accept()
    made.settimeout(PATIENCE)
    return made


def line_with(process, text):
    """The next line of its output that has `text` in it."""
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended without a line with {text!r}")


def counters(bridge):
    bridge.process.send_signal(signal.SIGUSR1)
    return line_with(bridge.process, "waiting for the first"), line_with(bridge.process, "bytes to clients"), line_with(bridge.process, "bytes to the first")


def bridge_gives_each_client_a_connection_of_its_own():
    with program("echo", "tcp://127.0.0.1:0") as echo:
        host, port = echo.address()
        with program("bridge", f"tcp://{host}:{port}", "tcp://127.0.0.1:0") as bridge:
            address = bridge.address()
            peers = [client(address), client(address)]
            for peer, byte in zip(peers, (b"a", b"b")):
                peer.sendall(byte * 3_000_000)
                peer.shutdown(socket.SHUT_WR)
            for peer, byte in zip(peers, (b"a", b"b")):
                assert read_to_the_end(peer) == byte * 3_000_000
            out = bridge.stop()
            assert "pairs: 2, open: 0, bytes from the first: 6000000, to the first: 6000000\n" in out, out
        echo.stop()


def bridge_closes_a_client_whose_connection_cannot_be_made():
    nobody = bound("127.0.0.1")
    with program("bridge", f"tcp://127.0.0.1:{nobody.getsockname()[1]}", "tcp://127.0.0.1:0") as bridge:
        assert read_to_the_end(client(bridge.address())) == b""
        assert "pair 1: connecting to 127.0.0.1" in bridge.process.stderr.readline()
        bridge.process.send_signal(signal.SIGTERM)
        assert bridge.process.wait(PATIENCE) == 0
    nobody.close()


def bridge_connects_to_both_ends_and_tells_how_that_ended():
    for reset in (False, True):
        listeners = [bound("127.0.0.1"), bound("127.0.0.1")]
        for each in listeners:
            each.listen()
        with program("bridge", *(f"tcp://127.0.0.1:{each.getsockname()[1]}" for each in listeners), "--connect") as bridge:
            first, second = (accept(each) for each in listeners)
            first.sendall(b"to the second")
            second.sendall(b"to the first")
            assert read_exactly(second, 13) == b"to the second" and read_exactly(first, 12) == b"to the first"
            if reset:
                first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            first.close()
            assert read_to_the_end(second) == b""
            second.close()
            out, err = bridge.process.communicate(timeout=PATIENCE)
            assert bridge.process.returncode == (1 if reset else 0), (out, err)
            assert ("the first end: ECONNRESET" in err) == reset, err
        for each in listeners:
            each.close()


def bridge_many_shares_one_connection():
    with device() as (listener, endpoint, _), program("bridge", endpoint, "tcp://127.0.0.1:0", "--many") as bridge:
        first = accept(listener)
        address = bridge.address()
        peers = [client(address) for _ in range(3)]
        for count, peer in enumerate(peers):  # what has come through shows that the client is there
            peer.sendall(bytes([count]) * 10)
            assert read_exactly(first, 10) == bytes([count]) * 10
        first.sendall(b"to all")
        for peer in peers:
            assert read_exactly(peer, 6) == b"to all"
        said = counters(bridge)
        assert said[0] == "waiting for the first: 0 bytes\n" and "clients: 3, bytes to clients: 18," in said[1], said
        assert said[2].startswith("bytes to the first: 30, dropped: 0, connections: 1"), said
        first.close()  # without --reconnect that is the end, and a good one
        for peer in peers:
            assert read_to_the_end(peer) == b""
        out, err = bridge.process.communicate(timeout=PATIENCE)
        assert bridge.process.returncode == 0 and err == "", (out, err)


def bridge_many_is_not_held_up_by_a_client_that_never_reads():
    for policy in ("disconnect", "drop-oldest", "drop-newest"):
        with device() as (listener, endpoint, _), program("bridge", endpoint, "tcp://127.0.0.1:0", "--many", "--policy", policy) as bridge:
            first = accept(listener)
            address = bridge.address()
            stuck, good = client(address), client(address)
            for peer in (stuck, good):
                peer.sendall(b"here")
                read_exactly(first, 4)
            block = b"x" * 16 * 1024
            for _ in range(800):  # 12 MiB; each block is with the good one before the next begins, so it never waits for the stuck one
                first.sendall(block)
                assert read_exactly(good, len(block)) == block
            said = counters(bridge)[1]
            assert ("clients: 1," if policy == "disconnect" else "clients: 2,") in said, said
            reasons = dict((name, int(count)) for count, name in re.findall(r"(\d+) (oldest|newest|disconnected|left)", said))
            assert [name for name, count in reasons.items() if count] == [{"disconnect": "disconnected"}.get(policy, policy[5:])], said
            stuck.close()
            good.close()
            bridge.process.send_signal(signal.SIGTERM)
            assert bridge.process.wait(PATIENCE) == 0


def bridge_keeps_its_client_while_the_device_is_away():
    with device() as (listener, endpoint, path), program("bridge", endpoint, "tcp://127.0.0.1:0", "--reconnect") as bridge:
        first = accept(listener)
        peer = client(bridge.address())
        for round_ in range(3):
            peer.sendall(b"ping")
            assert read_exactly(first, 4) == b"ping"
            first.sendall(b"pong")
            assert read_exactly(peer, 4) == b"pong"
            listener.close()
            os.unlink(path)
            first.close()
            line_with(bridge.process, "the first is lost")
            line_with(bridge.process, "ENOENT")  # an attempt has failed
            peer.sendall(b"said meanwhile")
            listener = plugged_in(path)
            first = accept(listener)
            line_with(bridge.process, "connected to the first")
            assert read_exactly(first, 14) == b"said meanwhile"
        out = bridge.stop()
        assert "connections: 4, losses: 4" in out or "connections: 4, losses: 3" in out, out
        listener.close()


def bridge_serves_one_client_at_a_time_unless_there_may_be_many():
    with device() as (listener, endpoint, _), program("bridge", endpoint, "tcp://127.0.0.1:0", "--reconnect") as bridge:
        first = accept(listener)
        address = bridge.address()
        one = client(address)
        one.sendall(b"one")
        assert read_exactly(first, 3) == b"one"
        two = client(address)
        two.sendall(b"two")
        one.close()
        assert read_exactly(first, 3) == b"two"
        first.sendall(b"for two")
        assert read_exactly(two, 7) == b"for two"
        bridge.stop()


def bridge_keeps_its_client_while_a_serial_line_is_unplugged():
    with serial_bridge("--reconnect") as (device_end, link, bridge):
        peer = client(bridge.address())
        for _ in range(3):
            line_with(bridge.process, "connected to the first")
            peer.sendall(b"ping")
            assert read_from_device(device_end, 4) == b"ping"
            os.write(device_end, b"pong")
            assert read_exactly(peer, 4) == b"pong"
            os.unlink(link)
            os.close(device_end)
            line_with(bridge.process, "the first is lost: ")
            line_with(bridge.process, "ENOENT")
            device_end = new_terminal(link)
        line_with(bridge.process, "connected to the first")
        out = bridge.stop()
        assert "dropped: 0, connections: 4" in out, out
        os.close(device_end)


def check_what_waits(bridge, peer=None):
    said = before = None
    end = time.monotonic() + PATIENCE
    while True:  # until the device takes nothing any more
        assert time.monotonic() < end, said
        if peer:
            send_all_that_goes(peer)
        said = counters(bridge)
        bytes_waiting, seconds = re.fullmatch(r"waiting for the first: (\d+) bytes, ([\d.]+) s of line time\n", said[0]).groups()
        assert float(seconds) <= 2, said
        if said == before and int(bytes_waiting) > 1000:
            break
        before = said


def bridge_bounds_what_was_sent_before_the_line_is_there():
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "tty")
        with program("bridge", f"serial://{link}?baud=115200", "tcp://127.0.0.1:0", "--many", "--reconnect", "--drain", "1") as bridge:
            peer = client(bridge.address())
            line_with(bridge.process, "ENOENT")
            send_all_that_goes(peer)
            device_end = new_terminal(link)
            line_with(bridge.process, "connected to the first")
            check_what_waits(bridge, peer)
            bridge.process.send_signal(signal.SIGTERM)
            assert bridge.process.wait(PATIENCE) == 0
            os.close(device_end)


def bridge_bounds_what_waits_for_a_slow_line():
    for recorded in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            options = ["--capture", os.path.join(folder, "line.pcapng")] if recorded else []
            with serial_bridge("--many", *options) as (device_end, _, bridge):
                peer = client(bridge.address())
                line_with(bridge.process, "connected to the first")
                peer.sendall(b"here")
                assert read_from_device(device_end, 4) == b"here"
                check_what_waits(bridge, peer)
                bridge.process.send_signal(signal.SIGTERM)
                assert bridge.process.wait(PATIENCE) == 0
                os.close(device_end)


def bridge_gives_a_serial_line_time_to_answer_a_client_that_has_ended():
    for silence, answer in (("1", b""), (str(PATIENCE), b"OK")):
        with serial_bridge("--silence", silence) as (device_end, link, bridge):
            opened = os.open(link, os.O_RDWR | os.O_NOCTTY)  # or there is nothing to read from before the bridge has opened it
            peer = client(bridge.address())
            peer.sendall(b"AT")
            peer.shutdown(socket.SHUT_WR)
            assert read_from_device(device_end, 2) == b"AT"
            if answer:
                os.write(device_end, answer)
                assert read_exactly(peer, 2) == answer
                os.close(device_end)
            assert read_to_the_end(peer) == b""
            bridge.process.send_signal(signal.SIGTERM)
            assert bridge.process.wait(PATIENCE) == 0
            os.close(opened)
            if not answer:
                os.close(device_end)


def bridge_connects_to_what_cannot_listen_and_bounds_what_it_sends():
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "tty")
        device_end = new_terminal(link)
        with program("bridge", f"serial://{link}?baud=115200", "exec:/usr/bin/yes", "--many", "--drain", "1") as bridge:  # without end
            line_with(bridge.process, "connected to the first")
            assert set(read_from_device(device_end, 20)) == set(b"y\n")
            check_what_waits(bridge)
            bridge.process.send_signal(signal.SIGTERM)
            bridge.process.communicate(timeout=PATIENCE)
        os.close(device_end)


def bridge_makes_room_for_the_next_client_while_the_device_is_away():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "device")
        with program("bridge", f"unix:{path}", "tcp://127.0.0.1:0", "--reconnect") as bridge:
            address = bridge.address()
            line_with(bridge.process, "ENOENT")
            one = client(address)
            one.close()
            two = client(address)
            two.sendall(b"two")
            listener = plugged_in(path)
            assert read_exactly(accept(listener), 3) == b"two"
            bridge.stop()
            listener.close()


def packets_in(capture):
    """What tcpdump finds in a file: time, kind of packet and data of each."""
    done = subprocess.run(["tcpdump", "-r", capture, "-w", "-", "--time-stamp-precision=nano"], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    magic, link_type = struct.unpack("=I16xI", done.stdout[:24])
    assert (magic, link_type) == (0xA1B23C4D, 250), done.stdout[:24]
    at, found = 24, []
    while at < len(done.stdout):
        seconds, nanoseconds, size, original = struct.unpack_from("=IIII", done.stdout, at)
        packet = done.stdout[at + 16 : at + 16 + size]
        assert size == original and struct.unpack(">II", packet[:8]) == (seconds, nanoseconds // 1000)
        found.append((seconds + nanoseconds / 1e9, packet[8], packet[12:]))
        at += 16 + size
    return found


def bridge_records_what_passes_for_other_programs_to_read():
    for options in ((), ("--many",)):
        with device() as (listener, endpoint, _), tempfile.TemporaryDirectory() as folder:
            capture = os.path.join(folder, "line.pcapng")
            began = time.time()
            with program("bridge", endpoint, "tcp://127.0.0.1:0", "--capture", capture, *options) as bridge:
                peer = client(bridge.address())
                first = accept(listener)
                peer.sendall(b"ping")
                assert read_exactly(first, 4) == b"ping"
                first.sendall(b"pong")
                assert read_exactly(peer, 4) == b"pong"
                assert "waiting: 0 bytes, dropped: 0 with 0 bytes, lost to the disk: 0\n" in bridge.stop()
            packets = packets_in(capture)
            assert [each[1:] for each in packets if each[2]] == [(1, b"ping"), (2, b"pong")], packets
            assert packets[0][1:] == packets[-1][1:] == (0, b""), packets  # its beginning and its end
            times = [each[0] for each in packets]
            assert began - 1 < times[0] and times == sorted(times) and times[-1] < time.time() + 1, (began, times)


def bridge_records_for_people_in_files_of_bounded_size():
    with device() as (listener, endpoint, _), tempfile.TemporaryDirectory() as folder:
        options = ["--capture", os.path.join(folder, "line.txt"), "--capture-size", "300", "--capture-keep", "2"]
        with program("bridge", endpoint, "tcp://127.0.0.1:0", "--many", *options) as bridge:
            first = accept(listener)
            peer = client(bridge.address())
            peer.sendall(b"here")
            assert read_exactly(first, 4) == b"here"
            for count in range(20):
                first.sendall(b"%04d" % count)
                assert read_exactly(peer, 4) == b"%04d" % count
            first.close()
            out, err = bridge.process.communicate(timeout=PATIENCE)
            assert (bridge.process.returncode, err) == (0, ""), (out, err)
        assert sorted(os.listdir(folder)) == ["line.1.txt", "line.2.txt", "line.txt"]
        with open(os.path.join(folder, "line.txt"), encoding="ascii") as file:
            assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} \d+ lost\n\Z", file.read(), re.M)
        assert all(os.path.getsize(os.path.join(folder, each)) <= 300 for each in os.listdir(folder))


def bridge_ends_on_sigterm_in_every_state():
    with device() as (listener, endpoint, path):
        with program("bridge", endpoint, "tcp://127.0.0.1:0", "--many", "--reconnect") as bridge:  # connected
            first = accept(listener)
            peer = client(bridge.address())
            peer.sendall(b"x")
            read_exactly(first, 1)
            bridge.stop()
            assert read_to_the_end(peer) == b"" and read_to_the_end(first) == b""
        with program("bridge", endpoint, "tcp://127.0.0.1:0", "--many", "--drain", "1") as bridge:  # a stuck client
            first = accept(listener)
            stuck, good = client(bridge.address()), None
            stuck.sendall(b"x")
            read_exactly(first, 1)
            while True:
                first.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    first.send(b"x" * 65536)
                said = counters(bridge)[1]
                if "clients: 0" in said or re.search(r"bytes to clients: [1-9]", said) and "dropped: 0 oldest, 0 newest, 0 disconnected" not in said:
                    break
            bridge.stop(may_cut_off=True)
        listener.close()
        os.unlink(path)
        with program("bridge", endpoint, "tcp://127.0.0.1:0", "--many", "--reconnect") as bridge:  # waiting to reconnect
            peer = client(bridge.address())
            line_with(bridge.process, "ENOENT")
            bridge.stop()
            assert read_to_the_end(peer) == b""


def bridge_says_what_is_wrong_with_its_arguments():
    assert '"nope" at 0 is not a scheme' in refused("bridge", "tcp://127.0.0.1:1", "nope:")
    assert '"nope" at 0 is not a scheme' in refused("bridge", "nope:", "tcp://127.0.0.1:0", "--many")
    assert "--policy" in refused("bridge", "tcp://127.0.0.1:1", "tcp://127.0.0.1:0", "--policy", "sometimes")
    assert "--queue" in refused("bridge", "tcp://127.0.0.1:1", "tcp://127.0.0.1:0", "--queue", "0")
    assert "ENOENT" in refused("bridge", "tcp://127.0.0.1:1", "tcp://127.0.0.1:0", "--capture", "/nowhere/to/be/found")
    assert "SECOND is required" in refused("bridge", "tcp://127.0.0.1:1")
    done = run("bridge", "unix:/nowhere/to/be/found", "tcp://127.0.0.1:0", "--many")
    assert done.returncode == 1 and "ENOENT" in done.stdout, done


def cat(endpoint, **how):
    return subprocess.run([os.path.join(FOLDER, "cat"), endpoint], stderr=subprocess.PIPE, timeout=PATIENCE, **how)


def cat_joins_standard_input_and_output_to_an_endpoint():
    with program("echo", "tcp://127.0.0.1:0") as echo, tempfile.TemporaryDirectory() as folder:
        host, port = echo.address()
        all_bytes = os.urandom(1_000_000)
        done = cat(f"tcp://{host}:{port}", input=all_bytes, stdout=subprocess.PIPE)
        assert (done.returncode, done.stdout == all_bytes, done.stderr) == (0, True, b""), done.stderr
        source, target = os.path.join(folder, "source"), os.path.join(folder, "target")
        with open(source, "wb") as file:
            file.write(all_bytes)
        with open(source, "rb") as into, open(target, "wb") as out:
            done = cat(f"tcp://{host}:{port}", stdin=into, stdout=out)
        with open(target, "rb") as file:
            assert (done.returncode, file.read() == all_bytes, done.stderr) == (0, True, b""), done.stderr
        echo.stop()


def cat_says_what_went_wrong():
    listener = bound("127.0.0.1")
    endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    done = cat(endpoint, input=b"", stdout=subprocess.PIPE)
    assert done.returncode == 1 and b"ECONNREFUSED" in done.stderr, done
    listener.listen()
    with subprocess.Popen([os.path.join(FOLDER, "cat"), endpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        peer = accept(listener)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1 and b"ECONNRESET" in err, err
    listener.close()
    assert '"nope" at 0 is not a scheme' in refused("cat", "nope:x")
    assert refused("cat").startswith("usage: ")


def cat_ends_when_a_serial_line_has_nothing_more_to_say():
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "tty")
        device_end = new_terminal(link)
        opened = os.open(link, os.O_RDWR | os.O_NOCTTY)
        command = [os.path.join(FOLDER, "cat"), f"serial://{link}?baud=115200"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdin.write(b"AT")
            process.stdin.flush()
            assert read_from_device(device_end, 2) == b"AT"
            os.write(device_end, b"OK")
            out, err = process.communicate(timeout=PATIENCE)
            assert (process.returncode, out, err) == (0, b"OK", b""), (process.returncode, out, err)
        os.close(opened)
        os.close(device_end)


def cat_and_socat_talk_through_fifos():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fifo")
        os.mkfifo(path)
        all_bytes = os.urandom(1_000_000)
        with tempfile.TemporaryFile() as got, subprocess.Popen(["socat", "-u", f"OPEN:{path},rdonly", "STDOUT"], stdout=got) as socat:
            done = cat(f"fifo:{path}?direction=write", input=all_bytes)
            assert (done.returncode, done.stderr, socat.wait(PATIENCE)) == (0, b"", 0), done
            got.seek(0)
            assert got.read() == all_bytes
        program = [os.path.join(FOLDER, "cat"), f"fifo:{path}?direction=read"]
        with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader, \
                subprocess.Popen(["socat", "-u", "STDIN", f"OPEN:{path},wronly"], stdin=subprocess.PIPE) as socat:
            socat.stdin.write(all_bytes[:50_000])
            socat.stdin.close()
            assert reader.stdout.read() == all_bytes[:50_000]
            assert (reader.wait(PATIENCE), reader.stderr.read(), socat.wait(PATIENCE)) == (0, b"", 0)


def cat_and_socat_talk_to_children():
    all_bytes = os.urandom(1_000_000)
    done = cat("exec:socat?arg=STDIO&arg=EXEC:cat", input=all_bytes, stdout=subprocess.PIPE)  # socat is the child
    assert (done.returncode, done.stdout == all_bytes, done.stderr) == (0, True, b""), done.stderr
    with tempfile.TemporaryDirectory() as folder:  # and here it is the parent
        path = os.path.join(folder, "echo")
        with program("echo", f"unix:{path}") as echo:
            echo.process.stdout.readline()
            command = ["socat", "-t", str(PATIENCE), "STDIO", f"EXEC:{os.path.join(FOLDER, 'cat')} unix\\:{path}"]
            done = subprocess.run(command, input=all_bytes, capture_output=True, timeout=PATIENCE, check=False)
            assert (done.returncode, done.stdout == all_bytes, done.stderr) == (0, True, b""), done.stderr
            echo.stop()


if __name__ == "__main__":
    globals()[sys.argv[2]]()
