"""Where figures come from: the machine, the programs that it ran, and what else it did."""
import datetime
import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import time

from . import processes


def first_line(command, folder=None):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def processor():
    found = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()


def build_options(build):
    path = pathlib.Path(build, "meson-info", "intro-buildoptions.json")
    return {option["name"]: option["value"] for option in json.loads(path.read_text())}


def compiler(build):
    """The one that compiled the library, by its own words."""
    for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text()):
        if entry["file"].endswith("stream_transport.cpp"):
            words = shlex.split(entry["command"])
            return first_line([*words[:2 if "ccache" in words[0] else 1], "--version"])
    return "unknown"


def check_build(build):
    """A failure unless `build` is one whose figures mean something."""
    if not pathlib.Path(build, "build.ninja").exists():
        raise processes.failure(f"{build} is not a build folder; ./dev build makes one")
    options = build_options(build)
    if options["b_sanitize"] != "none" or options["optimization"] not in ("2", "3"):
        raise processes.failure(f"{build} is built with -O{options['optimization']} and sanitizers {options['b_sanitize']!r}: "
                                "figures are taken from a release build")


class other_work:
    """What else the machine does from now on: work of other processes, and time that a host below takes from it."""

    def __init__(self):
        self._begin = self._read()

    @staticmethod
    def _read():
        stat = pathlib.Path("/proc/stat").read_text()
        return time.monotonic(), not_idle(stat) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])

    def share(self):
        """Of all cores, from 0 to 1; our own processes count once they have ended."""
        elapsed, all_work, own = (end - begin for begin, end in zip(self._begin, self._read(), strict=True))
        return max(0.0, all_work - own) / (elapsed * os.cpu_count())


def not_idle(stat):
    """Clock ticks in which any core did some process's work or was not to be had. Interrupts are left out: they are mostly our messages on
    their way, which not every kernel counts as time of our processes."""
    user, nice, system, _idle, _wait, _irq, _softirq, steal = map(int, stat.split("\n", 1)[0].split()[1:9])
    return user + nice + system + steal


def description(build, places):
    """What a reader must know of the machine, name and value."""
    root = pathlib.Path(__file__).parent
    options = build_options(build)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": first_line(["git", "describe", "--always", "--dirty", "--abbrev=12"], root),
        "processor": f"{processor()}, {os.cpu_count()} cores; server on core {places.server}, load on core {places.load}",
        "priority": " ".join(places.policy) or "ordinary",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "compiler": f"{compiler(build)}, -O{options['optimization']}",
        "libuv": first_line(["pkg-config", "--modversion", "libuv"]),
        "OpenSSL": first_line(["pkg-config", "--modversion", "openssl"]),
    }
