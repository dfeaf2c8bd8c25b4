"""Children that are started, talked to and reaped, one after the other."""
import json
import subprocess

from . import processes, workloads

LEAST_CHILDREN = 20


def servers(build):
    folder = build / "bench" / "spawn"
    return (processes.server("libuv", (str(folder / "uv_spawn"),)), processes.server("sluice", (str(folder / "sluice_spawn"),)))


def works():
    return (workloads.workload("spawn", "a child that echoes 32 B and ends, one after the other", "spawn", 1, 32, unit="child"),)


def timed(bed, which, work, seconds, warm_up):
    pace = run(bed, which, LEAST_CHILDREN)["rate"]
    run(bed, which, max(LEAST_CHILDREN, int(pace * warm_up)))
    return run(bed, which, max(LEAST_CHILDREN, int(pace * seconds)))


def run(bed, which, children):
    """Parent and children share a core, so that what moves between two does not count."""
    command = bed.places.on(bed.places.server, [*which.words, children])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise processes.failure(f"{which.name} ended with status {done.returncode}; it said: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    return {"rate": found["messages"] / found["nanoseconds"] * 1e9}
