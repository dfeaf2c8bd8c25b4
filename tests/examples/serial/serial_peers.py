#!/usr/bin/env python3
"""Runs serial_console against programs that others wrote, on the two ends of a pair of pseudo-terminals that socat makes.

usage: serial_peers.py BUILD_FOLDER_OF_THE_EXAMPLES FOLDER_OF_NODE_MODULES [TEST]
"""
import contextlib
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
import unittest

import serial

EXAMPLES, NODE_MODULES = sys.argv.pop(1), sys.argv.pop(1)
PATIENCE = 30  # seconds until something that should have happened counts as never happening

NODE_ECHO = """
const { SerialPort } = require('serialport');
const port = new SerialPort({ path: process.argv[1], baudRate: 9600 });
port.on('open', () => console.log('open'));
port.on('data', (data) => port.write(data.toString().toUpperCase()));
"""


def wait_for(what, holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)


class pair:
    """Two terminals, each of which reads what the other writes; kept by socat, and gone with it."""

    def __init__(self, folder):
        self.ours, self.theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
        self.plug_in()

    def plug_in(self):
        ends = [f"pty,raw,echo=0,link={link}" for link in (self.ours, self.theirs)]
        self.socat = subprocess.Popen(["socat", *ends], start_new_session=True)
        wait_for("socat", lambda: os.path.exists(self.ours) and os.path.exists(self.theirs))

    def unplug(self):
        self.socat.terminate()
        self.socat.wait(PATIENCE)


class child:
    """A program whose output is waited for piece by piece."""

    def __init__(self, *command, **more):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.seen = {"out": b"", "err": b""}

    def expect(self, text, which="out"):
        stream = self.process.stdout if which == "out" else self.process.stderr
        end = time.monotonic() + PATIENCE
        while text not in self.seen[which]:
            ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
            part = os.read(stream.fileno(), 65536) if ready else b""
            if not part:
                raise AssertionError(f"no {text!r} in {self.seen[which]!r}; the other output is {self.seen}")
            self.seen[which] += part
        before, _, self.seen[which] = self.seen[which].partition(text)
        return before + text

    def type(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class at_a_terminal:
    """A program that wants a terminal to run at, whose keyboard and screen are ours."""

    def __init__(self, *command):
        self.ours, self.theirs = pty.openpty()
        self.process = subprocess.Popen(command, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, start_new_session=True)
        self.seen = b""

    def wait_until_set_up(self):
        wait_for("the program to have set its terminal", lambda: not pty.tty.tcgetattr(self.theirs)[3] & pty.tty.ECHO)

    def type(self, text):
        os.write(self.ours, text)

    def expect(self, text):
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            if not select.select([self.ours], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            self.seen += os.read(self.ours, 4096)
        self.seen = self.seen.partition(text)[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        os.close(self.ours)
        os.close(self.theirs)


class serial_peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.line = pair(folder.name)
        self.addCleanup(self.line.unplug)

    def console(self, options="", *words):
        return child(os.path.join(EXAMPLES, "serial_console"), f"serial:{self.line.ours}?baud=9600{options}", *words)

    def test_pyserial_talks_to_it_and_is_talked_to(self):
        with self.console() as console, serial.Serial(self.line.theirs, 9600, timeout=PATIENCE) as peer:
            console.expect(b"9600 8N1\n", "err")
            console.type(b"measure\n")
            self.assertEqual(peer.readline(), b"measure\r\n")
            every = bytes(range(256)) * 40
            peer.write(every + b"the end")
            self.assertEqual(console.expect(b"the end"), every + b"the end")
            console.type(b"last words\n")
            self.assertEqual(console.end_input(), 0)
            self.assertEqual(peer.readline(), b"last words\r\n")

    def test_of_pyserial_and_it_only_one_has_the_line(self):
        with serial.Serial(self.line.ours, exclusive=True), self.console("", "--once") as console:
            told = console.expect(b"\n", "err").decode()
            self.assertIn(f"held by process {os.getpid()}", told)
            self.assertEqual(console.process.wait(PATIENCE), 1)
        with self.console() as console:
            console.expect(b"8N1\n", "err")
            with self.assertRaises(serial.SerialException):
                serial.Serial(self.line.ours, exclusive=True)

    def test_picocom_under_a_terminal_talks_to_it(self):
        with self.console() as console, at_a_terminal("picocom", "-q", "-b", "9600", self.line.theirs) as picocom:
            console.expect(b"8N1\n", "err")
            picocom.wait_until_set_up()
            picocom.type(b"from picocom\r")
            console.expect(b"from picocom\r")
            console.type(b"to picocom\n")
            picocom.expect(b"to picocom")

    def test_socat_talks_to_it(self):
        with self.console("", "--end", "lf") as console, child("socat", "-", f"{self.line.theirs},raw,echo=0") as peer:
            console.expect(b"8N1\n", "err")
            console.type(b"to socat\n")
            peer.expect(b"to socat\n")
            peer.type(b"from socat")
            console.expect(b"from socat")

    def test_npm_serialport_talks_to_it(self):
        if not os.path.isdir(os.path.join(NODE_MODULES, "serialport")):
            self.skipTest(f"there is no serialport in {NODE_MODULES}: ./dev test installs it")
        with self.console() as console, child("node", "-e", NODE_ECHO, self.line.theirs, env={**os.environ, "NODE_PATH": NODE_MODULES}) as peer:
            console.expect(b"8N1\n", "err")
            peer.expect(b"open")
            console.type(b"shout\n")
            console.expect(b"SHOUT\r\n")

    def test_a_device_that_is_unplugged_is_waited_for(self):
        with self.console() as console:
            console.expect(b"8N1\n", "err")
            self.line.unplug()
            console.expect(b"waiting for it\n", "err")
            console.type(b"into the void\n")
            console.expect(b"not sent", "err")
            self.line.plug_in()
            console.expect(b"8N1\n", "err")
            with serial.Serial(self.line.theirs, 9600, timeout=PATIENCE) as peer:
                console.type(b"back\n")
                self.assertEqual(peer.readline(), b"back\r\n")

    def test_it_says_what_is_wrong_with_its_arguments(self):
        program = os.path.join(EXAMPLES, "serial_console")
        for words, status, complaint in ((["serial:///dev/none?baud=fast"], 2, "baud"), (["/dev/none"], 2, "scheme"),
                                         (["--once", "serial:/dev/none"], 1, "plugged in"), ([], 106, "ENDPOINT")):
            done = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, status, words)
            self.assertIn(complaint, done.stderr)


if __name__ == "__main__":
    unittest.main()
