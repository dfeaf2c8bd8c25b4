#!/usr/bin/env python3
"""Lets programs that others wrote use ports that cat and bridge export, as they would use those of an adapter.

usage: pty_peers.py BUILD_FOLDER_OF_THE_EXAMPLES FOLDER_OF_NODE_MODULES [TEST]
"""
import os
import signal
import tempfile
import unittest

import serial

from serial_peers import EXAMPLES, NODE_ECHO, NODE_MODULES, PATIENCE, at_a_terminal, child, wait_for

EVERY_BYTE = bytes(range(256)) * 16


class pty_peers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.port = os.path.join(folder.name, "port")
        self.other = os.path.join(folder.name, "other")

    def start(self, name, *words):
        program = child(os.path.join(EXAMPLES, name), *words)
        self.addCleanup(program.__exit__)
        wait_for("the port", lambda: os.path.exists(self.port))
        return program

    def echo(self):
        """Exports a port that answers with what it was sent."""
        return self.start("bridge", f"pty:{self.port}", "exec:/bin/cat", "--connect")

    def open(self, path=None, **how):
        return serial.Serial(path or self.port, timeout=PATIENCE, **how)

    def test_SL29_pyserial_reads_and_writes_each_byte(self):
        program = self.start("cat", f"pty:{self.port}")
        with self.open(baudrate=9600) as peer:
            peer.write(EVERY_BYTE + b"the end")
            self.assertEqual(program.expect(b"the end"), EVERY_BYTE + b"the end")
            program.type(EVERY_BYTE)
            self.assertEqual(peer.read(len(EVERY_BYTE)), EVERY_BYTE)

    def test_SL29_pyserial_comes_and_goes_and_changes_what_it_likes(self):
        self.echo()
        for how in ({"baudrate": 300}, {"baudrate": 250000}, {"xonxoff": True}, {"stopbits": 2, "exclusive": True}):
            with self.open(**how) as peer:
                for baud in (115200, 9600):
                    peer.baudrate = baud
                    peer.write(b"ping")
                    self.assertEqual(peer.read(4), b"ping", how)

    def test_SL29_two_pyserials_talk_over_two_ports(self):
        self.start("bridge", f"pty:{self.port}", f"pty:{self.other}", "--connect")
        wait_for("the other port", lambda: os.path.exists(self.other))
        with self.open() as one, self.open(self.other) as another:
            for sender, receiver in ((one, another), (another, one)):
                sender.write(EVERY_BYTE)
                self.assertEqual(receiver.read(len(EVERY_BYTE)), EVERY_BYTE)

    def test_SL29_more_than_fits_goes_through(self):
        self.start("bridge", f"pty:{self.port}", f"pty:{self.other}", "--connect")
        wait_for("the other port", lambda: os.path.exists(self.other))
        much = os.urandom(300_000)
        with tempfile.NamedTemporaryFile() as file, self.open(self.other) as receiver:
            file.write(much)
            file.flush()
            with child("socat", "-u", f"OPEN:{file.name}", f"{self.port},raw,echo=0") as sender:
                self.assertEqual(receiver.read(len(much)), much)
                self.assertEqual(sender.process.wait(PATIENCE), 0)

    def test_SL29_picocom_gets_its_echo(self):
        self.echo()
        for baud in ("9600", "115200"):
            with at_a_terminal("picocom", "-q", "-b", baud, self.port) as picocom:
                picocom.wait_until_set_up()
                picocom.type(b"is there an echo?\r")
                picocom.expect(b"is there an echo?\r")

    def test_SL29_socat_gets_its_echo(self):
        self.echo()
        for settings in ("raw,echo=0", "rawer", "raw,echo=0,b9600"):
            with child("socat", "-", f"{self.port},{settings}") as peer:
                peer.type(EVERY_BYTE)
                self.assertEqual(peer.expect(EVERY_BYTE), EVERY_BYTE)

    def test_SL29_npm_serialport_answers(self):
        if not os.path.isdir(os.path.join(NODE_MODULES, "serialport")):
            self.skipTest(f"there is no serialport in {NODE_MODULES}: ./dev test installs it")
        program = self.start("cat", f"pty:{self.port}")
        with child("node", "-e", NODE_ECHO, self.port, env={**os.environ, "NODE_PATH": NODE_MODULES}) as peer:
            peer.expect(b"open")
            program.type(b"shout")
            program.expect(b"SHOUT")

    def test_SL29_serial_console_is_one_of_them(self):
        self.echo()
        with child(os.path.join(EXAMPLES, "serial_console"), f"serial:{self.port}?baud=19200", "--once") as console:
            console.expect(b"19200 8N1\n", "err")
            console.type(b"hello\n")
            console.expect(b"hello\r\n")

    def test_SL29_a_port_that_ends_looks_like_one_that_is_unplugged(self):
        program = self.echo()
        with self.open() as peer:
            peer.write(b"ping")
            self.assertEqual(peer.read(4), b"ping")
            program.process.send_signal(signal.SIGTERM)
            with self.assertRaises(serial.SerialException):
                peer.read(1)
        self.assertEqual(program.process.wait(PATIENCE), 0)
        self.assertFalse(os.path.lexists(self.port))

    def test_SL29_the_link_of_one_that_was_killed_is_taken_over(self):
        program = self.echo()
        before = os.lstat(self.port).st_ino
        program.process.kill()
        program.process.wait(PATIENCE)
        with child(os.path.join(EXAMPLES, "bridge"), f"pty:{self.port}", "exec:/bin/cat", "--connect"):
            wait_for("the link to be replaced", lambda: os.lstat(self.port).st_ino != before)
            with self.open() as peer:
                peer.write(b"ping")
                self.assertEqual(peer.read(4), b"ping")


if __name__ == "__main__":
    unittest.main()
