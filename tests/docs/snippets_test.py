#!/usr/bin/env python3
"""Checks that each C++ block of the documentation stands, line by line, in a source that the build compiles.

usage: snippets_test.py PROJECT_ROOT

A block may leave out what stands around it, and is compared without its common indentation and blank lines at its ends.
"""
import pathlib
import re
import sys
import textwrap

root = pathlib.Path(sys.argv[1])
sources = {}
for folder in ("tests/docs", "examples"):
    for path in sorted((root / folder).rglob("*.[ch]pp")):
        sources[path.relative_to(root)] = [line.strip() for line in path.read_text().splitlines() if line.strip()]


def stands_in(block, lines):
    return any(lines[at : at + len(block)] == block for at in range(len(lines) - len(block) + 1))


blocks, missing = 0, []
for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
    for found in re.finditer(r"^```cpp\n(.*?)^```", page.read_text(), re.M | re.S):
        blocks += 1
        block = [line.strip() for line in textwrap.dedent(found[1]).splitlines() if line.strip()]
        if not any(stands_in(block, lines) for lines in sources.values()):
            missing.append(f"{page.relative_to(root)}: the block that begins with {block[0]!r}")
if blocks == 0:
    sys.exit("no C++ block was found: has the form of the documentation changed?")
if missing:
    sys.exit("not compiled by tests/docs or examples:\n  " + "\n  ".join(missing))
print(f"{blocks} blocks, each compiled")
