"""What is asked of a server."""
import dataclasses
import resource

SPARE_DESCRIPTORS = 100  # what a server and the load need beside one for each connection
IDLE_CONNECTIONS = 10_000


@dataclasses.dataclass(frozen=True)
class workload:
    name: str
    title: str
    kind: str  # what bench/load/ calls it: echo, datagrams, sink, source, connect, handshake, resume, idle, silent
    connections: int
    size: int
    depth: int = 1
    scheme: str = "tcp"
    unit: str = "message"
    counted: int = 0  # messages that exact figures are taken over; 0: it has none

    @property
    def units(self):
        return {"child": "children"}.get(self.unit, self.unit if self.unit[-1] == "B" else f"{self.unit}s")

    @property
    def mode(self):
        """What the server is told to do with a connection."""
        return self.kind if self.kind in ("sink", "source") else "echo"

    def arguments(self):
        """Of bench/load/echo_load, before the endpoint and behind it."""
        shape = {"connections": self.connections, "size": self.size, "depth": self.depth}
        return [self.kind], [text for name, value in shape.items() for text in (f"--{name}", str(value))]


def descriptor_limit():
    """How many descriptors a process can have; asks for as many as the system grants."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def all_workloads():
    idle = min(IDLE_CONNECTIONS, descriptor_limit() - SPARE_DESCRIPTORS)
    return [
        workload("tcp-50x1k", "50 connections, 1 KiB there and back", "echo", 50, 1024, counted=20_000),
        workload("tcp-50x64x16", "50 connections, 16 messages of 64 B under way on each", "echo", 50, 64, 16, counted=80_000),
        workload("tcp-10x100k", "10 connections, 100 KiB there and back", "echo", 10, 100 * 1024, counted=2_000),
        workload("tcp-sink", "4 connections that only send", "sink", 4, 64 * 1024, unit="64 KiB"),
        workload("tcp-source", "4 connections that only receive", "source", 4, 64 * 1024, unit="64 KiB"),
        workload("tcp-connect", "connections for one message of 64 B, 32 at a time", "connect", 32, 64, unit="connection", counted=4_000),
        workload("tcp-idle", f"{idle:,} connections that are open", "idle", idle, 1024),
        workload("udp-8x64x16", "8 peers, 16 datagrams of 64 B under way from each", "datagrams", 8, 64, 16, scheme="udp", unit="datagram"),
        workload("unix-50x1k", "the same as tcp-50x1k through Unix sockets", "echo", 50, 1024, scheme="unix", counted=20_000),
        workload("unix-idle", "the same as tcp-idle through Unix sockets", "idle", idle, 1024, scheme="unix"),
    ]
