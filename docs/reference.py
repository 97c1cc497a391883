#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes docs/reference.md, the stages and drop reasons, from their tables in pipelines/.

With --check, says whether the file is current instead (exit status 1 if not).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "reference.md"


def entries(table, pattern):
    text = (ROOT / "pipelines" / table).read_text()
    return re.findall(pattern, text, re.M)


def reference():
    lines = [
        "# Stages and drop reasons",
        "",
        "Made from `pipelines/stages.def` and `pipelines/drops.def` by `docs/reference.py`.",
        "",
        "## Stages, in the order in which a worker runs them",
        "",
        "| stage | does |",
        "|---|---|",
    ]
    for name, text in entries("stages.def", r'^STAGE\((\w+), "(.*)"\)$'):
        lines.append(f"| `{name}` | {text} |")
    lines += [
        "",
        "## Drop reasons",
        "",
        "Unit: packets. `trunkline show drops` shows those that are not zero, with their rates.",
        "",
        "| reason | means |",
        "|---|---|",
    ]
    for _, name, text in entries("drops.def", r'^DROP\((\w+), "(.*?)", "(.*)"\)$'):
        lines.append(f"| `{name}` | {text} |")
    return "\n".join(lines) + "\n"


def main():
    text = reference()
    if sys.argv[1:] == ["--check"]:
        if OUT.exists() and OUT.read_text() == text:
            print("docs/reference.md is current")
            return 0
        print("docs/reference.md is not what pipelines/*.def say; run docs/reference.py")
        return 1
    OUT.write_text(text)
    return 0


sys.exit(main())
