#!/usr/bin/env python3
"""Checks what bench/runner/ computes and how it ends the processes that it starts.

usage: runner_test.py BENCH_FOLDER
"""
import os
import pathlib
import re
import ssl
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, sys.argv.pop(1))
sys.dont_write_bytecode = True
from runner import budgets, machine, measure, processes, sections, summary, workloads  # noqa: E402


def entry(name, value):
    return struct.pack("=24sQ", name.encode(), value)


class summary_test(unittest.TestCase):
    def test_a_ratio_is_taken_in_each_round_and_above_one_is_better(self):
        cost = summary.ratios([4, 10, 4], [2, 10, 8], more_is_better=False)
        self.assertEqual((cost.median, cost.least, cost.most), (1, 0.5, 2))
        rate = summary.ratios([4, 10, 4], [2, 10, 8], more_is_better=True)
        self.assertEqual((rate.median, rate.least, rate.most), (1, 0.5, 2))

    def test_there_is_no_ratio_to_nothing(self):
        self.assertIsNone(summary.ratios([0], [0], more_is_better=False))
        self.assertIsNone(summary.ratios([1], [0], more_is_better=False))

    def test_rounds_that_do_not_match_are_an_error(self):
        with self.assertRaises(ValueError):
            summary.ratios([1, 2], [1], more_is_better=False)

    def test_numbers_are_shown_with_three_digits_that_count(self):
        shown = {0: "0", 0.0625: "0.062", 1: "1", 2.055: "2.06", 55.31: "55.3", 279.4: "279", 224648.2: "224,648"}
        self.assertEqual({value: summary.show_number(value) for value in shown}, shown)

    def test_a_range_is_shown_only_where_there_is_one(self):
        self.assertEqual(summary.show_spread(summary.spread.of([1, 2, 4])), "2 (1–4)")
        self.assertEqual(summary.show_spread(summary.spread.of([2, 2])), "2")
        self.assertEqual(summary.show_ratio(None), "")
        self.assertEqual(summary.show_ratio(summary.spread.of([0.5])), "0.50")
        self.assertEqual(summary.show_ratio(summary.spread.of([0.5, 1, 2])), "1.00 (0.50–2.00)")

    def test_a_table_has_the_figures_of_the_first_server_and_an_empty_cell_where_another_lacks_one(self):
        work = workloads.workload("w", "", "echo", 1, 1)
        rows = summary.table(work, {"epoll": {"cpu": [2, 4], "p50": [1, 1]}, "other": {"cpu": [4, 4], "p99": [1, 1]}})
        self.assertEqual(rows, [["w", "epoll", "other", "× epoll"],
                                ["server CPU, µs per message", "3 (2–4)", "4", "0.75 (0.50–1.00)"],
                                ["latency p50, µs", "1", "", ""]])
        self.assertEqual(len({len(line) for line in summary.markdown(rows).splitlines()}), 1)


class counting_test(unittest.TestCase):
    def test_counts_are_read_up_to_the_end_of_the_table(self):
        table = entry("allocations", 3) + entry("recv", 2**40) + entry("", 0)
        self.assertEqual(measure.parse_counts(table), {"allocations": 3, "recv": 2**40})

    def test_calls_are_grouped_and_none_is_left_out(self):
        names = ("allocations", "frees", "heap_bytes", "recv", "read", "write", "epoll_wait", "epoll_ctl", "close")
        begin = dict(zip(names, (10, 1, 5, 1, 0, 0, 2, 7, 0), strict=True))
        end = dict(zip(names, (12, 9, 0, 3, 2, 8, 3, 7, 4), strict=True))
        self.assertEqual(measure.per_message(begin, end, 4), {
            "allocations": 0.5, "receives": 1, "sends": 2, "waits": 0.25, "controls": 0, "others": 1, "system_calls": 4.25})

    def test_instructions_are_read_from_the_totals(self):
        self.assertEqual(measure.parse_callgrind("events: Ir\nfn=(1)\n12 5\ntotals: 1234567\n"), 1234567)
        with self.assertRaises(processes.failure):
            measure.parse_callgrind("events: Ir\n")


class budgets_test(unittest.TestCase):
    def test_a_budget_is_absolute_or_in_per_cent(self):
        absolute, share = budgets.parse("# comment\n\ntcp-idle silent_heap 440 2 # so\ntcp instructions 200 3%\n")
        self.assertEqual((absolute.value, absolute.slack, share.value, share.slack), (440, 2, 200, 6))

    def test_a_rise_is_wrong_and_a_fall_too(self):
        budget = budgets.budget("w", "f", 100, 3)
        self.assertEqual([bool(budget.verdict(found)) for found in (96.9, 97, 103, 103.1)], [True, False, False, True])
        self.assertIn("rise", budget.verdict(200))
        self.assertIn("write", budget.verdict(0))

    def test_what_is_no_budget_is_named(self):
        for line in ("tcp instructions 200", "tcp instructions many 3%", "tcp instructions 200 3% more"):
            with self.assertRaisesRegex(processes.failure, f"line 2: .*{re.escape(line)}"):
                budgets.parse(f"# head\n{line}\n")

    def test_the_budgets_of_the_project_are_of_workloads_and_figures_that_exist(self):
        folder = os.path.dirname(os.path.dirname(os.path.abspath(budgets.__file__)))
        with open(os.path.join(folder, "budgets.txt"), encoding="utf-8") as file:
            for each in budgets.parse(file.read()):
                self.assertIn(each.work, [work.name for work in workloads.all_workloads()])
                self.assertIn(each.figure, summary.FIGURES)


class machine_test(unittest.TestCase):
    def test_idle_time_and_interrupts_are_not_work(self):
        self.assertEqual(machine.not_idle("cpu  1 10 100 7 7 7 7 1000 7 7\ncpu0 9 9 9 9 9 9 9 9 9 9\n"), 1111)

    def test_other_work_is_a_share(self):
        self.assertGreaterEqual(machine.other_work().share(), 0)


class sections_test(unittest.TestCase):
    def test_servers_of_the_user_stand_beside_those_of_the_sections_that_take_them(self):
        first, second, mine = (processes.server(name, ("{endpoint}",)) for name in ("first", "second", "mine"))
        open_to_all, closed = sections.section((first, second), (), takes=lambda which: which is mine), sections.section((first, second), ())
        self.assertEqual(open_to_all.with_servers([mine], []).servers, (first, second, mine))
        self.assertEqual(open_to_all.with_servers([mine], ["mine", "first"]).servers, (mine, first))
        self.assertEqual(closed.with_servers([mine], ["mine"]).servers, ())

    def test_a_server_of_the_user_that_is_given_a_certificate_stands_beside_those_with_tls(self):
        plain, secure = (processes.server.parse(f"mine=./mine {{endpoint}}{more}") for more in ("", "?cert={certificate}&key={key}"))
        for each in sections.all_sections("build"):
            schemes = {work.scheme for work in each.works}
            self.assertEqual(each.takes(secure), schemes == {"tls"})
            self.assertEqual(each.takes(plain), "udp" in schemes)

    def test_no_work_has_the_name_of_another(self):
        names = [work.name for each in sections.all_sections("build") for work in each.works]
        self.assertEqual(len(names), len(set(names)))


class processes_test(unittest.TestCase):
    def test_a_server_is_a_name_and_a_command(self):
        parsed = processes.server.parse("mine=./mine --at {endpoint} '--how={mode}'")
        self.assertEqual(parsed.name, "mine")
        self.assertEqual(parsed.command("tcp://127.0.0.1:0", "sink"), ["./mine", "--at", "tcp://127.0.0.1:0", "--how=sink"])
        for text in ("mine", "=./mine {endpoint}", "mine=./mine"):
            with self.assertRaises(processes.failure):
                processes.server.parse(text)

    def test_a_server_that_does_not_say_where_it_listens_is_given_a_port(self):
        silent = processes.server("silent", ("serve", "--port={port}"))
        self.assertTrue(silent.takes_port)
        self.assertEqual(silent.command("tcp://127.0.0.1:17", "echo"), ["serve", "--port=17"])

    def test_a_server_is_given_the_one_certificate_and_a_file_of_its_own(self):
        secure = processes.server("secure", ("serve", "{config}", "{folder}"), config="at {port} as {certificate} by {key}")
        self.assertTrue(secure.speaks_tls and secure.takes_port)
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(secure.command("tls://127.0.0.1:17", "echo", folder), ["serve", f"{folder}/config", folder])
            certificate, key = processes.certificate()
            self.assertEqual(pathlib.Path(folder, "config").read_text(), f"at 17 as {certificate} by {key}")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)

    def test_a_process_that_ends_before_it_listens_is_a_failure(self):
        with processes.child("the child", ["sh", "-c", "echo no luck >&2; exit 3"]) as process:
            with self.assertRaisesRegex(processes.failure, "the child ended with status 3; it said: no luck"):
                process.wait_for_port(f"tcp://127.0.0.1:{processes.free_port()}")

    def test_a_process_that_ends_early_is_a_failure_with_its_last_words(self):
        with processes.child("the child", ["sh", "-c", "echo no luck >&2; exit 3"]) as process:
            with self.assertRaisesRegex(processes.failure, "the child ended with status 3; it said: no luck"):
                process.read_line()

    def test_a_process_that_says_nothing_is_a_failure(self):
        with processes.child("the child", ["sleep", "60"]) as process:
            with self.assertRaisesRegex(processes.failure, "said nothing"):
                process.read_line(patience=0.01)

    def test_a_program_that_is_not_there_is_a_failure(self):
        with processes.child("the child", ["/nowhere/at/all"]) as process:
            with self.assertRaisesRegex(processes.failure, "/nowhere/at/all"):
                process.read_line()

    def test_a_process_does_not_outlive_its_block(self):
        with self.assertRaises(KeyboardInterrupt):
            with processes.child("the child", ["sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 60; done"]) as process:
                self.assertEqual(process.read_line(), "ready")
                raise KeyboardInterrupt
        with self.assertRaises(ProcessLookupError):
            os.kill(process.pid, 0)

    def test_a_process_does_not_outlive_us(self):
        code = ("import sys; sys.path.insert(0, sys.argv[1]); from runner import processes; import time\n"
                "with processes.child('c', ['sh', '-c', 'echo ready; exec sleep 60']) as process:\n"
                "    process.read_line(); print(process.pid, flush=True); time.sleep(60)")
        folder = os.path.dirname(os.path.dirname(os.path.abspath(processes.__file__)))
        with processes.child("the runner", [sys.executable, "-B", "-c", code, folder]) as runner:
            grandchild = int(runner.read_line())
        deadline = time.monotonic() + processes.PATIENCE
        while os.path.exists(f"/proc/{grandchild}") and state_of(grandchild) != "Z":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_lines_are_read_one_by_one(self):
        with processes.child("the child", ["sh", "-c", r"printf 'one\ntwo\nthr'; read word; echo ee $word"]) as process:
            self.assertEqual([process.read_line(), process.read_line()], ["one", "two"])
            process.go_on()
            self.assertEqual(process.read_line(), "three")


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


if __name__ == "__main__":
    unittest.main()
