#!/usr/bin/env python3
"""Compares what examples/echo costs, where that can be counted exactly, with bench/budgets.txt."""
import argparse
import dataclasses
import pathlib
import signal
import sys

from runner import budgets, machine, measure, processes, summary, workloads

HERE = pathlib.Path(__file__).resolve().parent
OPEN_CONNECTIONS = 900  # of tcp-idle and unix-idle: some systems let a process have no more than 1024 descriptors


class counter:
    """Counts for one workload after the other what the budgets ask for."""

    def __init__(self, build):
        self._bed = processes.bed(build, processes.placement.apart())
        self._which = next(which for which in processes.default_servers(build) if which.name == "sluice")
        self._works = {work.name: work for work in workloads.all_workloads()}

    def figures(self, name, wanted):
        work = self._work(name)
        found = {}
        if "instructions" in wanted:
            found.update(measure.instructions(self._bed, self._which, work))
        if wanted != {"instructions"}:
            found.update(measure.calls(self._bed, self._which, work))
        missing = wanted - found.keys()
        if missing:
            raise processes.failure(f"{name} has no figure {', '.join(missing)}; it has: {' '.join(found)}")
        return found

    def _work(self, name):
        work = self._works.get(name)
        if work is None or (work.counted == 0 and work.kind != "idle"):
            raise processes.failure(f"no workload {name} whose figures are exact; there are: {' '.join(self._exact())}")
        if work.kind != "idle":
            return work
        if work.connections < OPEN_CONNECTIONS:
            raise processes.failure(f"{name} needs {OPEN_CONNECTIONS + workloads.SPARE_DESCRIPTORS} descriptors; the hard limit "
                                    f"is {workloads.descriptor_limit()} (ulimit -Hn)")
        return dataclasses.replace(work, connections=OPEN_CONNECTIONS)

    def _exact(self):
        return [name for name, work in self._works.items() if work.counted or work.kind == "idle"]


def check(build, wanted):
    """Prints a line for each budget; returns how many figures are wrong."""
    machine.check_build(build)
    counts = counter(build)
    wrong = 0
    for name in dict.fromkeys(each.work for each in wanted):
        own = [each for each in wanted if each.work == name]
        found = counts.figures(name, {each.figure for each in own})
        for each in own:
            verdict = each.verdict(found[each.figure])
            wrong += bool(verdict)
            print(f"{name:<14}{each.figure:<14}{summary.show_number(found[each.figure]):>8}"
                  f"   of {summary.show_number(each.value)} ± {summary.show_number(each.slack)}   {verdict or 'right'}", flush=True)
    return wrong


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(prog="check_figures.py", description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="the build folder")
    parser.add_argument("--budgets", type=pathlib.Path, default=HERE / "budgets.txt", help="the file of budgets (bench/budgets.txt)")
    chosen = parser.parse_args()
    try:
        wrong = check(chosen.build, budgets.parse(chosen.budgets.read_text()))
    except (processes.failure, OSError) as error:
        sys.exit(f"check_figures.py: {error}")
    if wrong:
        sys.exit(f"{wrong} figures are not what {chosen.budgets} says")


main()
