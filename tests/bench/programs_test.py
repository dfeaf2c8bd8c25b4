#!/usr/bin/env python3
"""Runs every server of the benchmark under every kind of load for a moment, and the load against servers that are wrong.

usage: programs_test.py BENCH_FOLDER BUILD_FOLDER
"""
import contextlib
import dataclasses
import itertools
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import unittest

BENCH, BUILD = sys.argv.pop(1), sys.argv.pop(1)
sys.path.insert(0, BENCH)
sys.dont_write_bytecode = True
from runner import bridges, machine, measure, processes, redis, sections, spawn, tls, workloads  # noqa: E402

BED = processes.bed(BUILD, processes.placement.apart())
SERVERS = processes.default_servers(BUILD)
WORKS = {work.name: work for work in workloads.all_workloads()}


class servers_test(unittest.TestCase):
    def test_every_server_does_every_work_on_every_kind_of_socket(self):
        for which in SERVERS:
            for work in WORKS.values():
                with self.subTest(server=which.name, work=work.name):
                    if work.kind == "idle":
                        self.assertIn("used_memory", measure.idle(BED, which, dataclasses.replace(work, connections=200)))
                        continue
                    with BED.serve(which, work) as (process, endpoint):
                        found = BED.load(work, endpoint, *self.limits(work), "--server", str(process.pid))
                    self.assertIn("server_cpu", found)
                    if work.counted:
                        self.assertEqual(found["messages"], 300)
                        self.assertGreaterEqual(found["p999"], found["p50"])
                        self.assertGreater(found["p50"], 0)

    @staticmethod
    def limits(work):
        return ("--warm-up-messages", "10", "--messages", "300") if work.counted else ("--warm-up", "0.1", "--seconds", "0.1")

    def test_servers_say_what_is_wrong_with_their_arguments(self):
        cases = {("tcp://127.0.0.1:99999",): "99999", ("tcp://localhost:0",): "localhost", ("here",): "neither", (): "missing",
                 ("tcp://127.0.0.1:0", "--mode", "swim"): "swim", ("tcp://127.0.0.1:0", "--mode"): "--mode"}
        for program in ("epoll_server", "uv_server"):
            for words, complaint in cases.items():
                done = run([BED.program(f"baselines/{program}"), *words])
                self.assertEqual(done.returncode, 2, words)
                self.assertIn(complaint, done.stderr)


def for_long_enough(timed, *what):
    """What `timed` finds in the shortest time in which anything came through: how fast a machine is that runs other tests too, is no test."""
    for seconds in (0.3, 1, 3, 10):
        with contextlib.suppress(measure.nothing_came):
            return timed(BED, *what, seconds=seconds, warm_up=0.1)
    raise AssertionError("nothing came through in 10 s")


class redis_test(unittest.TestCase):
    def test_every_server_of_the_redis_protocol_does_every_work(self):
        for which in redis.servers(pathlib.Path(BUILD).resolve()):
            for work in redis.works():
                with self.subTest(server=which.name, work=work.name):
                    found = redis.timed(BED, which, work, seconds=0.1, warm_up=0.1)
                    for name in ("rate", "cpu", "p50", "p99"):
                        self.assertGreater(found[name], 0, name)


class bridge_test(unittest.TestCase):
    def test_every_bridge_that_is_here_does_every_work(self):
        build = pathlib.Path(BUILD).resolve()
        for servers, works in ((bridges.serial_servers(build), bridges.serial_works()), (bridges.tcp_servers(build), bridges.tcp_works())):
            for which in filter(lambda each: shutil.which(each.words[0]), servers):
                for work in works:
                    with self.subTest(server=which.name, work=work.name):
                        self.assertGreater(for_long_enough(bridges.timed, which, work)["cpu"], 0)

    def test_the_bridge_and_its_device_say_what_is_wrong_with_their_arguments(self):
        for program, words in (("uv_bridge", ["/dev/null"]), ("pty_device", ["--feed", "0"])):
            done = run([BED.program(f"baselines/{program}"), *words])
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage: ", done.stderr)


TLS_SERVERS = tls.echo_servers(pathlib.Path(BUILD).resolve())


@unittest.skipUnless(TLS_SERVERS, "built without TLS")
class tls_test(unittest.TestCase):
    def test_every_server_that_is_here_does_every_work(self):
        build = pathlib.Path(BUILD).resolve()
        for servers, works in ((TLS_SERVERS, tls.echo_works()), (tls.servers(build), tls.works())):
            for which in filter(lambda each: shutil.which(each.words[0]), servers):
                for work in works:
                    with self.subTest(server=which.name, work=work.name):
                        self.do(which, dataclasses.replace(work, connections=min(work.connections, 40)))

    def do(self, which, work):
        if work.kind == "idle":
            self.assertEqual(measure.idle(BED, which, work).keys(), {"silent_memory", "used_memory"} if which.echoes else {"silent_memory"})
            return
        with BED.serve(which, work) as (_, endpoint):
            found = BED.load(work, endpoint, "--warm-up-messages", "10", "--messages", "100")
        self.assertEqual(found["messages"], 100)
        self.assertGreater(found["p50"], 0)

    def test_handshakes_are_counted_for_a_second_of_the_server(self):
        found = for_long_enough(tls.timed, TLS_SERVERS[0], tls.works()[0])
        self.assertAlmostEqual(found["per_cpu"] * found["cpu"], 1e6)

    def test_servers_say_what_is_wrong_with_their_arguments(self):
        for which in (each for each in TLS_SERVERS if each.name in ("epoll", "asio")):
            for words, status, complaint in (((), 2, "usage: "), (("tcp://127.0.0.1:0", "a", "b"), 2, "usage: "),
                                             (("tls://127.0.0.1:0", "/nowhere/at/all", "b"), 1, "No such file|system lib")):
                done = run([which.words[0], *words])
                self.assertEqual(done.returncode, status, words)
                self.assertRegex(done.stderr, complaint)


class spawn_test(unittest.TestCase):
    def test_children_are_started_by_both(self):
        for which in spawn.servers(pathlib.Path(BUILD).resolve()):
            self.assertGreater(spawn.run(BED, which, 3)["rate"], 0)

    def test_a_child_that_cannot_be_started_or_ends_badly_is_named(self):
        for which in spawn.servers(pathlib.Path(BUILD).resolve()):
            for program in ("/nowhere/at/all", "false"):
                done = run([*which.words, "1", program])
                self.assertEqual(done.returncode, 1)
                self.assertIn(program, done.stderr)


def counts():
    """Whether this build can count calls."""
    return machine.build_options(BUILD)["b_sanitize"] == "none"


def takes_figures():
    """Whether the runner takes figures from this build."""
    try:
        machine.check_build(BUILD)
    except processes.failure:
        return False
    return True


@unittest.skipUnless(counts(), "a sanitizer stands in front of the heap")
class counter_test(unittest.TestCase):
    def test_plain_epoll_receives_and_sends_once_for_each_message_and_does_no_more(self):
        work = dataclasses.replace(WORKS["tcp-50x1k"], counted=1000)
        found = measure.calls(BED, SERVERS[0], work)
        self.assertGreater(found.pop("waits"), 0)
        found.pop("system_calls")
        self.assertEqual(found, {"allocations": 0, "receives": 1, "sends": 1, "controls": 0, "others": 0})

    def test_an_idle_connection_of_plain_epoll_holds_one_block_of_48_bytes(self):
        found = measure.calls(BED, SERVERS[0], dataclasses.replace(WORKS["tcp-idle"], connections=300))
        self.assertEqual(found, {"silent_heap": 48, "used_heap": 48})


class load_test(unittest.TestCase):
    def test_a_byte_that_is_not_what_was_sent_ends_the_run(self):
        with self.wrong_server(lambda data: data[:-1] + bytes([data[-1] ^ 1])) as endpoint:
            done = run_load("echo", endpoint, "--connections", "1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"load: connection 0: byte \d+ is \d+, and not \d+ as it was sent")

    def test_bytes_that_are_missing_end_the_run(self):
        with self.wrong_server(lambda data: data[1:]) as endpoint:
            done = run_load("echo", endpoint, "--connections", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("load: connection 0: byte 0 is", done.stderr)

    def test_a_server_that_ends_a_connection_ends_the_run(self):
        with self.wrong_server(lambda data: b"") as endpoint:
            for kind in ("echo", "connect"):
                done = run_load(kind, endpoint, "--connections", "1")
                self.assertEqual(done.returncode, 1)
                self.assertIn("the server ended a connection", done.stderr)

    def test_a_source_that_does_not_send_zeros_ends_the_run(self):
        with self.wrong_server(None, greeting=b"\0\0\1") as endpoint:
            done = run_load("source", endpoint, "--connections", "1")
        self.assertIn("something else than zeros", done.stderr)

    def test_it_says_what_is_wrong_with_its_arguments(self):
        for words in (("echo", "tcp://127.0.0.1"), ("echo", "tcp://localhost:1"), ("echo", "unix:"), ("echo", "here"), ("swim", "unix:x"),
                      ("echo", "unix:x", "--depth", "0"), ("sink", "unix:/nowhere/at/all")):
            done = run_load(*words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertTrue(done.stderr, words)

    @unittest.skipUnless(TLS_SERVERS, "built without TLS")
    def test_a_byte_that_is_not_what_was_sent_ends_the_run_through_tls_too(self):
        with self.wrong_server(lambda data: data[:-1] + bytes([data[-1] ^ 1]), contexts=itertools.repeat(server_context())) as endpoint:
            for kind in ("echo", "idle"):
                done = run_load(kind, endpoint, "--connections", "1")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, r"load: connection \d: byte \d+ is \d+, and not \d+ as it was sent")

    @unittest.skipUnless(TLS_SERVERS, "built without TLS")
    def test_a_server_that_does_not_take_its_ticket_ends_the_run(self):
        with self.wrong_server(None, contexts=(server_context() for _ in itertools.count())) as endpoint:
            done = run_load("resume", endpoint, "--connections", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("load: the server does not take its own ticket", done.stderr)

    @unittest.skipUnless(TLS_SERVERS, "built without TLS")
    def test_a_server_that_does_not_speak_tls_ends_the_run(self):
        with self.wrong_server(lambda data: b"", greeting=b"good morning") as endpoint:
            for kind in ("echo", "handshake", "resume", "idle", "silent"):
                done = run_load(kind, endpoint.replace("tcp", "tls"), "--connections", "1")
                self.assertEqual(done.returncode, 1)
                self.assertIn("load: the handshake of TLS: ", done.stderr)

    def test_a_kind_of_load_that_is_not_for_tls_or_only_for_it_is_refused(self):
        cases = [("handshake", "tcp"), ("resume", "tcp"), ("silent", "tcp")]
        if TLS_SERVERS:
            cases += [(kind, "tls") for kind in ("datagrams", "sink", "source", "connect")]
        for kind, scheme in cases:
            done = run_load(kind, f"{scheme}://127.0.0.1:1")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"load: no {kind} at {scheme}://127.0.0.1:1", done.stderr)

    @contextlib.contextmanager
    def wrong_server(self, change, greeting=b"", contexts=None):
        """Serves one connection after the other, through TLS by the next one of `contexts` where there are any: sends `greeting`, and what it
        gets as `change` makes it; nothing ends the connection."""
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        serve_one(next(contexts).wrap_socket(client, server_side=True) if contexts else client)

        def serve_one(client):
            with client:
                client.sendall(greeting)
                while (data := client.recv(65536)) and (answer := change(data)):
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield "%s://127.0.0.1:%d" % ("tls" if contexts else "tcp", listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


def server_context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*processes.certificate())
    return made


def run_load(*words):
    return run([BED.program("load/echo_load"), *words, "--seconds", "10", "--warm-up", "0.1"])


def run(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class runner_test(unittest.TestCase):
    def run_bench(self, *words):
        return run([sys.executable, "-B", pathlib.Path(BENCH, "run.py"), "--build", BUILD, *words])

    def test_it_names_its_workloads(self):
        self.assertEqual([line.split()[0] for line in self.run_bench("--list").stdout.splitlines()],
                         [*(work.name for each in sections.all_sections(BUILD) if each.servers for work in each.works), "engine"])

    def test_it_says_what_there_is_where_it_is_asked_for_something_else(self):
        for words, complaint in ((["swim"], "no workload swim; there are: tcp-50x1k "),
                                 (["--servers", "mine"], "no server mine; there are: epoll "),
                                 (["--server", "mine"], "NAME=COMMAND"),
                                 (["--build", "/nowhere"], "/nowhere is not a build folder")):
            done = self.run_bench(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertRegex(done.stderr, f"^bench: .*{re.escape(complaint)}")

    @unittest.skipUnless(takes_figures(), "figures are taken from a release build")
    def test_a_server_that_does_not_start_is_named_with_what_it_said(self):
        done = self.run_bench("--quick", "--server", "mine=sh -c 'echo no luck >&2; exit 3' {endpoint}", "--servers", "mine", "tcp-50x1k")
        self.assertEqual(done.returncode, 1)
        self.assertIn("bench: the server mine ended with status 3; it said: no luck", done.stderr)


if __name__ == "__main__":
    unittest.main()
