"""Which servers are compared, at which work, and how one round of it is measured."""
import collections.abc
import dataclasses
import pathlib

from . import bridges, measure, processes, redis, spawn, tls, workloads


@dataclasses.dataclass(frozen=True)
class section:
    servers: tuple  # the first is what the others are compared with
    works: tuple
    timed: collections.abc.Callable = measure.timed
    takes: collections.abc.Callable = lambda _: False  # which servers of the user's own

    def with_servers(self, added, names):
        """The same with those of the servers `added` that it takes, and of all of them only `names`, in their order, if there are any."""
        known = {which.name: which for which in (*self.servers, *filter(self.takes, added))}
        return dataclasses.replace(self, servers=tuple(known[name] for name in names if name in known) if names else tuple(known.values()))


def all_sections(build):
    build = pathlib.Path(build).resolve()
    return [
        section(tuple(processes.default_servers(build)), tuple(workloads.all_workloads()), takes=lambda which: not which.speaks_tls),
        section(tls.echo_servers(build), tls.echo_works(), takes=lambda which: which.speaks_tls),
        section(tls.servers(build), tls.works(), tls.timed, takes=lambda which: which.speaks_tls),
        section(redis.servers(build), redis.works(), redis.timed),
        section(spawn.servers(build), spawn.works(), spawn.timed),
        section(bridges.serial_servers(build), bridges.serial_works(), bridges.timed),
        section(bridges.tcp_servers(build), bridges.tcp_works(), bridges.timed),
    ]
