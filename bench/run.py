#!/usr/bin/env python3
"""Compares servers on this machine: ours with plain epoll and plain libuv, side by side. docs/benchmarks.md explains what it does.

Without WORKLOAD it runs all and writes bench/results.md; with some, with other servers or with --quick, it only prints.
"""
import argparse
import collections
import pathlib
import signal
import subprocess
import sys

from runner import machine, measure, processes, sections, summary

HERE = pathlib.Path(__file__).resolve().parent
ENGINE = "engine"  # not a server: bench/engine_bench.cpp
ENGINE_TITLE = "the engine alone, in one process"


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n")[1])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD",
                        help="what to measure, or the beginning of several names: redis; --list names them")
    parser.add_argument("--list", action="store_true", help="name the workloads and end")
    parser.add_argument("--rounds", type=positive(int), default=5, help="how often each server is measured (%(default)s)")
    parser.add_argument("--seconds", type=positive(float), default=2, help="how long each time (%(default)s)")
    parser.add_argument("--warm-up", type=positive(float), default=0.3, help="seconds before that (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of 0.3 s: shows that everything works")
    parser.add_argument("--realtime", action="store_true", help="let server and load go before all other work; needs to be root")
    parser.add_argument("--servers", metavar="NAME,…", help="only these, the first being what the others are compared with")
    parser.add_argument("--server", action="append", default=[], metavar="NAME=COMMAND",
                        help="one more; it takes {endpoint} and {mode} and prints where it listens, as examples/echo does")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build", help="the build folder (build)")
    parser.add_argument("--output", type=pathlib.Path, help="write the results there in any case")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.warm_up = 1, 0.3, 0.1
    elif not (chosen.workloads or chosen.servers or chosen.server or chosen.output):
        chosen.output = HERE / "results.md"
    return chosen


def positive(kind):
    def convert(text):
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value
    return convert


def pick(all_by_name, names, what):
    unknown = [name for name in names if name not in all_by_name]
    if unknown:
        raise processes.failure(f"no {what} {', '.join(unknown)}; there are: {' '.join(all_by_name)}")
    return [all_by_name[name] for name in names or all_by_name]


def expand(all_by_name, names):
    """The same names, those that are only the beginning of others replaced by these."""
    result = []
    for name in names:
        result += [name] if name in all_by_name else [known for known in all_by_name if known.startswith(f"{name}-")] or [name]
    return result


def chosen_sections(chosen):
    all_of_them = sections.all_sections(chosen.build)
    added = [processes.server.parse(text) for text in chosen.server]
    names = chosen.servers.split(",") if chosen.servers else []
    known = {which.name: which for each in all_of_them for which in (*each.servers, *added)}
    pick(known, names, "server")
    return [each.with_servers(added, names) for each in all_of_them]


class bench:
    def __init__(self, chosen):
        self._chosen = chosen
        self._bed = processes.bed(chosen.build, processes.placement.apart(chosen.realtime))
        self._lines = []

    def run(self, works):
        machine.check_build(self._chosen.build)
        others = machine.other_work()
        self._head()
        for section, work in works:
            progress(ENGINE if work == ENGINE else f"{work.name}: {work.title}")
            self._say(self._engine() if work == ENGINE else self._compare(section, work))
        self._say(f"Other work on the machine meanwhile: {100 * others.share():.0f} % of all cores.")
        if self._chosen.output:
            self._chosen.output.write_text("\n\n".join(self._lines) + "\n")
            print(f"written: {self._chosen.output}")

    def _say(self, text):
        self._lines.append(text)
        print(f"{text}\n", flush=True)

    def _head(self):
        self._say("# What `./dev bench` measured")
        self._say("How, and how far to trust it, is in [docs/benchmarks.md](../docs/benchmarks.md). "
                  f"Rounds: {self._chosen.rounds}, of {self._chosen.seconds:g} s each. Shown is the median, in brackets the least and the "
                  "most; × is how many times better than the first server in the same round. "
                  "What has no range was counted and not timed.")
        facts = machine.description(self._chosen.build, self._bed.places)
        self._say("\n".join(f"- {name}: {value}" for name, value in facts.items()))
        for warning in self._bed.places.warnings():
            self._say(f"**{warning}**")

    def _engine(self):
        done = subprocess.run([self._bed.program("engine_bench")], capture_output=True, text=True, check=True)
        return f"## {ENGINE}: {ENGINE_TITLE}\n\n```\n{done.stdout.rstrip()}\n```"

    def _compare(self, section, work):
        results = {which.name: collections.defaultdict(list) for which in section.servers}
        for number in range(self._chosen.rounds):
            for which in section.servers if number % 2 == 0 else reversed(section.servers):
                progress(f"  round {number + 1}: {which.name}")
                self._add(results, which, self._one_round(section, which, work))
        for which in section.servers:
            if work.counted:
                progress(f"  counting: {which.name}")
                self._add(results, which, measure.instructions(self._bed, which, work))
            if work.counted or work.kind == "idle":
                self._add(results, which, measure.calls(self._bed, which, work))
        return f"## {work.name}: {work.title}\n\n{summary.markdown(summary.table(work, results))}"

    def _one_round(self, section, which, work):
        if work.kind == "idle":
            return measure.idle(self._bed, which, work)
        return section.timed(self._bed, which, work, self._chosen.seconds, self._chosen.warm_up)

    @staticmethod
    def _add(results, which, found):
        for name, value in found.items():
            results[which.name][name].append(value)


def progress(text):
    print(text, file=sys.stderr, flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = arguments()
    try:
        by_name = {work.name: (each, work) for each in chosen_sections(chosen) if each.servers for work in each.works}
        by_name[ENGINE] = (None, ENGINE)
        if chosen.list:
            for name, (_, work) in by_name.items():
                print(f"{name:<24}{ENGINE_TITLE if work == ENGINE else work.title}")
        else:
            bench(chosen).run(pick(by_name, expand(by_name, chosen.workloads), "workload"))
    except processes.failure as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


main()
