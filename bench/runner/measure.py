"""One measurement of one server."""
import contextlib
import dataclasses
import os
import pathlib
import re
import struct
import tempfile
import time

from . import processes

COUNT = struct.Struct("=24sQ")  # an entry of the table that bench/counter/call_counter.c keeps
GROUPS = {  # of calls to the system, by what they are for
    "receives": {"read", "readv", "recv", "recvfrom", "recvmsg"},
    "sends": {"write", "writev", "send", "sendto", "sendmsg"},
    "waits": {"epoll_wait", "epoll_pwait", "poll", "ppoll"},
    "controls": {"epoll_ctl"},
}
HEAP = {"allocations", "frees", "heap_bytes"}
COUNTED_WARM_UP = 1_000  # messages


class nothing_came(processes.failure):
    """Not a message in all the time that was measured."""


def timed(bed, which, work, seconds, warm_up):
    """Rates, times and latencies, by their names in report.FIGURES."""
    with bed.serve(which, work) as (process, endpoint):
        found = bed.load(work, endpoint, "--seconds", str(seconds), "--warm-up", str(warm_up), "--server", str(process.pid))
    if found["messages"] == 0:
        raise nothing_came(f"nothing came through the server {which.name} in {seconds} s of {work.name}")
    result = {
        "rate": found["messages"] / found["nanoseconds"] * 1e9,
        "cpu": found["server_cpu"] / found["messages"] / 1e3,
        "server_busy": found["server_cpu"] / found["nanoseconds"] * 100,
        "load_busy": found["load_cpu"] / found["nanoseconds"] * 100,
    }
    if work.scheme == "udp":
        result["lost"] = 100 * found.get("lost", 0) / found["messages"]
    if work.size >= 64 * 1024:
        result["megabytes"] = found["bytes"] / found["nanoseconds"] * 1e3
    for name in ("p50", "p99", "p999"):
        if name in found:
            result[name] = found[name] / 1e3
    return result


def idle(bed, which, work):
    """Bytes of memory that the server takes for each connection."""
    work = possible(which, work)
    with bed.serve(which, work) as (process, endpoint):
        points = snapshots(bed, work, endpoint, process, lambda: own_memory(process.pid))
    return {f"{name}_memory": (points[name] - points["warm"]) / work.connections for name in ("silent", "used") if name in points}


def possible(which, work):
    """Of idle connections, what `which` can do: without echoes there is no traffic."""
    return dataclasses.replace(work, kind="silent") if work.kind == "idle" and not which.echoes else work


def instructions(bed, which, work):
    """Instructions in user space for one message: what twice as many messages took more, under valgrind."""
    runs = [total_instructions(bed.together(), which, work, times * work.counted) for times in (1, 2)]
    return {"instructions": (runs[1] - runs[0]) / work.counted}


def total_instructions(bed, which, work, messages):
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "callgrind")
        before = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={output}"]
        with bed.serve(which, work, before) as (process, endpoint):
            bed.load(work, endpoint, "--warm-up-messages", str(COUNTED_WARM_UP), "--messages", str(messages))
            settle(process.pid)
        return parse_callgrind(output.read_text())


def parse_callgrind(text):
    found = re.search(r"^totals: (\d+)$", text, re.M)
    if not found:
        raise processes.failure("valgrind did not say how many instructions there were")
    return int(found[1])


def calls(bed, which, work):
    """Calls to the heap and to the system for one message, and of idle connections what they hold of the heap."""
    work = possible(which, work)
    with tempfile.TemporaryDirectory() as folder:
        table = pathlib.Path(folder, "counts")
        before = ["env", f"LD_PRELOAD={bed.program('counter/call_counter.so')}", f"CALL_COUNTS={table}"]
        with bed.serve(which, work, before) as (process, endpoint):
            points = snapshots(bed, work, endpoint, process, lambda: parse_counts(table.read_bytes()))
    if work.kind in ("idle", "silent"):
        heap = {name: point["heap_bytes"] for name, point in points.items()}
        return {f"{name}_heap": (heap[name] - heap["warm"]) / work.connections for name in ("silent", "used") if name in heap}
    return per_message(points["warm"], points["done"], work.counted)


def parse_counts(table):
    return {name.rstrip(b"\0").decode(): value for name, value in COUNT.iter_unpack(table) if name[0]}


def per_message(begin, end, messages):
    spent = {name: (value - begin[name]) / messages for name, value in end.items()}
    result = {"allocations": spent["allocations"]}
    for group, names in GROUPS.items():
        result[group] = sum(spent.get(name, 0) for name in names)
    result["others"] = sum(value for name, value in spent.items() if name not in HEAP.union(*GROUPS.values()))
    result["system_calls"] = sum(result[group] for group in (*GROUPS, "others"))
    return result


def snapshots(bed, work, endpoint, process, look):
    """What `look` returns at each point where the load pauses."""
    points = {}

    def at_pause(point):
        settle(process.pid)
        points[point] = look()

    counted = ("--warm-up-messages", str(COUNTED_WARM_UP), "--messages", str(work.counted)) if work.counted else ()
    bed.load(work, endpoint, *counted, at_pause=at_pause)
    return points


def own_memory(pid):
    """Bytes of memory that are neither a file's nor shared; counted page by page, while /proc/PID/status only estimates."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB$", text, re.M)[1]) * 1024


def processor_time(pid):
    """Nanoseconds that all threads of the process have run, by the scheduler's account."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def settle(pid):
    """Waits until the process sleeps and has not been awake for a while."""
    deadline = time.monotonic() + processes.PATIENCE
    quiet, before = 0, None
    while quiet < 3:
        if time.monotonic() > deadline:
            raise processes.failure(f"process {pid} does not come to rest")
        time.sleep(0.01)
        with contextlib.suppress(OSError):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            now = re.findall(r"^(?:State:\s+(S)|voluntary_ctxt_switches:\s+(\d+))", status, re.M)
            quiet = quiet + 1 if now == before and len(now) == 2 else 0
            before = now
