#!/usr/bin/env python3
"""Shows that each layer sees what its row of the table allows and nothing else.

usage: layers_test.py SOURCE_ROOT BUILD_ROOT

A layer's own compile flags are tried on every public header of the tree: those that it may see must compile, any other must not.
What include paths cannot forbid, the headers of the system, is looked up in the sources.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
SEES = {"core": {"core"}, "transports": {"core", "transports"}, "protocols": {"core", "protocols"}}
FORBIDDEN = [  # folders, what, why
    (["*/include", "*/kit/include"], r"<(uv|openssl|llhttp|zlib)\b", "a public header forward-declares what it needs of a dependency"),
    (["protocols"], r"<(uv\.h|sys/socket|netinet/|arpa/|netdb|poll\.h|unistd)", "a protocol runs over any transport"),
    (SEES, r'"[^"]*\.\./', "a path that climbs leaves its layer"),
]
problems = []


def flags_of(layer):
    """The command that compiles the first source of `layer`, without the source and the outputs."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if (pathlib.Path(entry["directory"]) / entry["file"]).resolve().is_relative_to(ROOT / layer / "src"):
            command = re.sub(r" (-MD|-M[QF] \S+|-o \S+|-c \S+)", "", entry["command"])
            return shlex.split(command) + ["-fsyntax-only", "-x", "c++", "-"]
    return None


def check_include_paths(layer, headers):
    command = flags_of(layer)
    if command is None:
        if any((ROOT / layer / "src").glob("**/*.cpp")):
            problems.append(f"{layer}: no source of it is in compile_commands.json")
        return

    def compiled(source):
        return subprocess.run(command, cwd=BUILD, input=source, capture_output=True, text=True, check=False)

    own = compiled("".join(f"#include <{name}>\n" for owner, name in headers if owner in SEES[layer]))
    if own.returncode != 0:
        problems.append(f"{layer} cannot include what it may:\n{own.stderr}")
    asked = compiled("".join(f"#if __has_include(<{name}>)\n#warning sees <{name}>\n#endif\n" for _, name in headers))
    seen = set(re.findall(r"#warning sees <(.*?)>", asked.stderr))
    for owner, name in headers:
        if (name in seen) != (owner in SEES[layer]):
            problems.append(f"{layer} {'can' if name in seen else 'cannot'} include <{name}>, which belongs to {owner}")


def check_sources():
    for folders, what, why in FORBIDDEN:
        for path in (path for folder in folders for path in ROOT.glob(f"{folder}/**/*.?pp")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.match(r"\s*#\s*include\s*" + what, line):
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}: {why}")


public = [(layer, str(path.relative_to(ROOT / layer / "include"))) for layer in SEES for path in (ROOT / layer / "include").glob("**/*.hpp")]
for name in SEES:
    check_include_paths(name, public)
check_sources()
print("\n".join(problems) or f"{len(public)} public headers, each seen only where it may be")
sys.exit(bool(problems))
