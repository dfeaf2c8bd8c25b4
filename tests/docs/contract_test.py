#!/usr/bin/env python3
"""Checks that each rule of docs/contract.md has a test that is named after it.

usage: contract_test.py PROJECT_ROOT

A rule has one if some string literal under tests/ or fuzz/ begins with its id: TEST_CASE("L4 a protocol that dies ...").
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
rules = re.findall(r"^- \*\*([A-Z]\d+)\*\*", (root / "docs/contract.md").read_text(), re.M)
repeated = sorted({rule for rule in rules if rules.count(rule) > 1})
named = set()
for folder in ("tests", "fuzz"):
    for path in (root / folder).rglob("*"):
        if path.suffix in {".cpp", ".hpp"}:
            for ids in re.findall(r'"((?:[A-Z]\d+[ ,]+)+)', path.read_text()):
                named.update(re.findall(r"[A-Z]\d+", ids))
untested = [rule for rule in rules if rule not in named]
if len(rules) < 100:
    sys.exit(f"only {len(rules)} rules were found in docs/contract.md: has its form changed?")
if repeated or untested:
    sys.exit(f"rules that stand twice: {repeated}; rules without a test named after them: {untested}")
print(f"{len(rules)} rules, each with a test named after it")
