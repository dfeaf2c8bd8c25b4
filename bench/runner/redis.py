"""examples/kv_server beside redis-server, under redis-benchmark."""
import csv
import subprocess

from . import measure, processes, workloads

# Debian's redis-tools has the server under the name of one of its tools, and no service that starts with it.
REDIS = 'exec -a redis-server "$(command -v redis-check-rdb)" "$@"'
LEAST_REQUESTS = 2_000


def servers(build):
    redis = ("bash", "-c", REDIS, "redis-server", "--bind", "127.0.0.1", "--port", "{port}", "--save", "", "--appendonly", "no")
    return (processes.server("redis-server", redis), processes.server("kv_server", (str(build / "examples" / "kv_server"), "{endpoint}")))


def works():
    return tuple(workloads.workload(f"redis-{kind}-{depth}", f"50 clients, {kind.upper()} of 64 B, {depth} under way on each", kind, 50, 64,
                                    depth, unit="request")
                 for depth in (1, 16) for kind in ("set", "get"))


def timed(bed, which, work, seconds, warm_up):
    with bed.serve(which, work) as (process, endpoint):
        run(bed, work, endpoint, "set", LEAST_REQUESTS)  # what is got later
        pace, _ = run(bed, work, endpoint, work.kind, LEAST_REQUESTS)
        pace, _ = run(bed, work, endpoint, work.kind, max(LEAST_REQUESTS, int(pace * warm_up)))
        requests = max(LEAST_REQUESTS, int(pace * seconds))
        before = measure.processor_time(process.pid)
        rate, latencies = run(bed, work, endpoint, work.kind, requests)
        spent = measure.processor_time(process.pid) - before
    return {"rate": rate, "cpu": spent / requests / 1e3, "server_busy": spent / requests * rate / 1e7, **latencies}


def run(bed, work, endpoint, command, requests):
    """Requests per second, and latencies in microseconds."""
    words = ["redis-benchmark", "-p", endpoint.rpartition(":")[2], "-c", work.connections, "-d", work.size, "-P", work.depth, "-n", requests,
             "-t", command, "--csv"]
    done = subprocess.run(bed.places.on(bed.places.load, words), capture_output=True, text=True, check=False)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    if done.returncode != 0 or len(rows) != 1:
        raise processes.failure(f"redis-benchmark ended with status {done.returncode}; it said: {(done.stderr or done.stdout).strip()}")
    return float(rows[0]["rps"]), {name: float(rows[0][f"{name}_latency_ms"]) * 1e3 for name in ("p50", "p99")}
