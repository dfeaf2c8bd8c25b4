"""Starts servers and loads on cores of their own, talks with them, and leaves none behind."""
import atexit
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import select
import shlex
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 30  # seconds until something that should have happened counts as never happening
SANE_ENDS = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


class failure(Exception):
    """Something that the user is told in one line."""


class child:
    """A process that ends with its `with` block, or with us whatever happens. What it prints is read line by line."""

    def __init__(self, name, command):
        self.name = name
        self._errors = tempfile.TemporaryFile()
        self._unread = b""
        try:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0)
        except OSError as error:
            self._errors.close()
            raise failure(f"{name} cannot be started: {error}") from error

    @property
    def pid(self):
        return self._process.pid

    def read_line(self, patience=PATIENCE):
        """The next line; a failure, with what the process said, if it ends or nothing comes."""
        deadline = time.monotonic() + patience
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise failure(f"{self.name} said nothing for {patience:.0f} s{self._said()}")
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:
                raise failure(f"{self.name} ended with status {self._process.wait()}{self._said()}")
            self._unread += part
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def read_endpoint(self):
        line = self.read_line()
        said, _, endpoint = line.rpartition(" ")
        if said != "listening on":
            raise failure(f"{self.name} printed {line!r}, and not where it listens")
        return endpoint

    def wait_for_port(self, endpoint):
        """Returns `endpoint` once somebody listens there; without connecting, as that would be a client."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if listens(int(endpoint.rpartition(":")[2])):
                return endpoint
            if self._process.poll() is not None:
                raise failure(f"{self.name} ended with status {self._process.wait()}{self._said()}")
            if time.monotonic() > deadline:
                raise failure(f"{self.name} does not listen at {endpoint}{self._said()}")
            time.sleep(0.01)

    def go_on(self):
        self._process.stdin.write(b"\n")

    def stop(self, ends=SANE_ENDS):
        """Asks it to end, and complains if it does not, or not with a status of `ends`."""
        self._process.terminate()
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise failure(f"{self.name} did not end when it was asked to{self._said()}") from error
        if status not in ends:
            raise failure(f"{self.name} ended with status {status}{self._said()}")

    def _said(self):
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        return f"; it said: {text}" if text else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@dataclasses.dataclass(frozen=True)
class placement:
    """Which core the server has and which one the load, and what stands before their commands."""

    server: int
    load: int
    policy: tuple = ()

    @classmethod
    def apart(cls, realtime=False):
        """For measuring time: a core for each; `realtime`: before all other work."""
        allowed = sorted(os.sched_getaffinity(0))
        others = [core for core in allowed if core not in siblings(allowed[0])]
        return cls(allowed[0], (others or allowed)[-1], ("chrt", "--rr", "1") if realtime else ())

    def together(self):
        """For counting: one core, and none is interrupted when the other has something to do. So each does all that there is to do at once,
        whatever else the machine does and however fast it is."""
        return placement(self.server, self.server, ("chrt", "--batch", "0"))

    def warnings(self):
        if self.server == self.load:
            return ["There is one core only: server and load share it, and figures of time are worth nothing."]
        if self.load in siblings(self.server):
            return ["Server and load share a core by hyper-threading: figures of time are worth little."]
        return []

    def on(self, core, command):
        return [*self.policy, "taskset", "--cpu-list", str(core), *map(str, command)]


def siblings(core):
    """The cores that are one with `core`, itself included."""
    try:
        text = pathlib.Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text()
    except OSError:
        return {core}
    result = {core}
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        result.update(range(int(first), int(last or first) + 1))
    return result


def listens(port):
    """Whether anybody does at this port of 127.0.0.1, or of every address."""
    rows = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1] in (f"0100007F:{port:04X}", f"00000000:{port:04X}") and row[3] == "0A" for row in rows)


def free_port():
    """One that nobody listens at, unless somebody takes it in this moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@functools.cache
def certificate():
    """Files with a certificate for 127.0.0.1 and its key, P-256, which all servers use and which are there until we end."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    files = tuple(str(pathlib.Path(folder.name, name)) for name in ("certificate.pem", "key.pem"))
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise failure(f"openssl made no certificate; it said: {done.stderr.strip()}")
    return files


@dataclasses.dataclass(frozen=True)
class server:
    """A program that takes {endpoint}, echoes (or does what {mode} says) and prints `listening on ENDPOINT`; or one that takes the {port} to
    listen at on 127.0.0.1, and says nothing that is to be relied on. For TLS it takes the files {certificate} and {key}."""

    name: str
    words: tuple
    ends: tuple = SANE_ENDS  # with which status, when it is asked to
    config: str = ""  # of a file that {config} names; it is in {folder}, where everything is until the server ends
    echoes: bool = True  # if not, it serves where nothing is sent

    @classmethod
    def parse(cls, text):
        name, equals, command = text.partition("=")
        if not (name and equals and "{endpoint}" in command):
            raise failure(f"--server wants NAME=COMMAND with {{endpoint}} in the command, and not {text!r}")
        return cls(name, tuple(shlex.split(command)))

    @property
    def takes_port(self):
        return any("{port}" in text for text in (*self.words, self.config))

    @property
    def speaks_tls(self):
        return any("{certificate}" in text for text in (*self.words, self.config))

    def command(self, endpoint, mode, folder="."):
        """Its words, once its file is in `folder`."""
        places = {"{endpoint}": endpoint, "{port}": endpoint.rpartition(":")[2], "{mode}": mode,
                  "{folder}": folder, "{config}": f"{folder}/config"}
        if self.speaks_tls:
            places["{certificate}"], places["{key}"] = certificate()
        fill = functools.partial(functools.reduce, lambda text, place: text.replace(*place), places.items())
        if self.config:
            pathlib.Path(folder, "config").write_text(fill(self.config))
        return [fill(word) for word in self.words]


def default_servers(build):
    build = pathlib.Path(build).resolve()
    baselines = build / "bench" / "baselines"
    programs = {"epoll": baselines / "epoll_server", "libuv": baselines / "uv_server", "sluice": build / "examples" / "echo"}
    return [server(name, (str(program), "{endpoint}", "--mode", "{mode}")) for name, program in programs.items()]


@dataclasses.dataclass(frozen=True)
class bed:
    """Where servers and loads are run: the folder with the programs, and the cores."""

    build: pathlib.Path
    places: placement

    def program(self, name):
        return pathlib.Path(self.build).resolve() / "bench" / name

    def together(self):
        return dataclasses.replace(self, places=self.places.together())

    @contextlib.contextmanager
    def serve(self, which, work, before=()):
        """`which` serves `work`, its command line behind `before`; gives the process and where it listens."""
        with tempfile.TemporaryDirectory() as folder:
            port = free_port() if which.takes_port else 0
            wanted = f"unix:{folder}/socket" if work.scheme == "unix" else f"{work.scheme}://127.0.0.1:{port}"
            command = self.places.on(self.places.server, [*before, *which.command(wanted, work.mode, folder)])
            with child(f"the server {which.name}", command) as process:
                yield process, process.wait_for_port(wanted) if which.takes_port else process.read_endpoint()
                process.stop(which.ends)

    def load(self, work, endpoint, *options, at_pause=None):
        """What the load measured. `at_pause` is called with the name of each point where it waits, and then it goes on."""
        before, behind = work.arguments()
        if at_pause:
            options = (*options, "--pause")
        command = self.places.on(self.places.load, [self.program("load/echo_load"), *before, endpoint, *behind, *options])
        with child("the load", command) as process:
            while True:
                line = process.read_line()
                if line.startswith("{"):
                    return json.loads(line)
                at_pause(line)
                process.go_on()
