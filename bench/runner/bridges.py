"""examples/bridge beside a bridge on plain uv_poll, socat and ser2net. The load is a client of the bridge; what the bridge joins it to is a
program beside the load, which brings back what it gets, or sends at the pace of a line."""
import dataclasses

from . import measure, processes, workloads

BAUD = 4_000_000  # of a line that bounds nothing: what waits for a slow one is bounded in time
SER2NET = ("connection: &line#  accepter: tcp(nodelay),127.0.0.1,{port}#  connector: serialdev,{device},115200n81,local#"
           "  options:#    chardelay: false")

SOCAT_ENDS = (*processes.SANE_ENDS, 1)  # that the load goes in the middle of what is brought back is an error to it


def programs(build):
    return str(build / "bench" / "baselines" / "uv_bridge"), str(build / "examples" / "bridge")


def serial_servers(build):
    uv_bridge, bridge = programs(build)
    return (
        processes.server("uv_poll", (uv_bridge, "{device}", "{endpoint}")),
        processes.server("socat", ("socat", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,nodelay", "OPEN:{device},rawer"), ends=SOCAT_ENDS),
        processes.server("ser2net", ("/usr/sbin/ser2net", "-n", "-d", "-Y", SER2NET), ends=(1,)),
        processes.server("bridge", (bridge, f"serial://{{device}}?baud={BAUD}", "{endpoint}")),
    )


def tcp_servers(build):
    uv_bridge, bridge = programs(build)
    return (
        processes.server("socat", ("socat", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,nodelay", "TCP:{address},nodelay"),
                         ends=SOCAT_ENDS),
        processes.server("uv_poll", (uv_bridge, "{device}", "{endpoint}")),
        processes.server("bridge", (bridge, "{device}", "{endpoint}")),
    )


def serial_works():
    return (
        workloads.workload("bridge-serial-32", "from TCP to a terminal and back, 32 B", "echo", 1, 32),
        workloads.workload("bridge-serial-bulk", "the same with 16 messages of 1 KiB under way", "echo", 1, 1024, 16, unit="KiB"),
        workloads.workload("bridge-serial-feed16", "a terminal that brings 11,520 B/s, 16 at a time", "source", 1, 16, unit="clump"),
        workloads.workload("bridge-serial-feed184", "the same, 184 at a time", "source", 1, 184, unit="clump"),
    )


def tcp_works():
    return (workloads.workload("bridge-tcp-bulk", "from TCP to TCP and back, 4 messages of 64 KiB under way", "echo", 1, 64 * 1024, 4,
                               unit="64 KiB"),)


def device(bed, work):
    """What the bridge is to join the load to."""
    if work.name.startswith("bridge-tcp"):
        words = [bed.program("baselines/epoll_server"), "tcp://127.0.0.1:0"]
    else:
        words = [bed.program("baselines/pty_device"), *(("--feed", work.size) if work.kind == "source" else ())]
    return processes.child("the device", bed.places.on(bed.places.load, words))


def timed(bed, which, work, seconds, warm_up):
    with device(bed, work) as far:
        where = far.read_endpoint()
        places = {"{device}": where, "{address}": where.removeprefix("tcp://")}
        found = measure.timed(bed, with_places(which, places), work, seconds, warm_up)
    if work.kind == "source":
        del found["rate"]  # the device's
    return found


def with_places(which, places):
    words = which.words
    for place, text in places.items():
        words = tuple(word.replace(place, text) for word in words)
    return dataclasses.replace(which, words=words)
