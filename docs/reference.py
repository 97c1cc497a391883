#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes what the documentation has from tables in the code: docs/reference.md (stages and drop reasons,
from pipelines/*.def) and the tables in docs/ng.md (from lib/ng/ng.def).

With --check, says whether they are current instead (exit status 1 if not).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def entries(table, pattern):
    return re.findall(pattern, (ROOT / table).read_text(), re.M)


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
    for name, text in entries("pipelines/stages.def", r'^STAGE\((\w+), "(.*)"\)$'):
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
    for _, name, text in entries("pipelines/drops.def", r'^DROP\((\w+), "(.*?)", "(.*)"\)$'):
        lines.append(f"| `{name}` | {text} |")
    return "\n".join(lines) + "\n"


def ng_words():
    """The tables of docs/ng.md by the name of their place."""
    table = "lib/ng/ng.def"
    aliases = {}
    for other, word in entries(table, r'^NG_ALIAS\("(.*?)", "(.*?)"\)$'):
        aliases.setdefault(word, []).append(f"`{other}`")

    def row(word, text, more=""):
        also = f" Also {', '.join(aliases[word])}." if word in aliases else ""
        return f"| `{word}{more}` | {text}{also} |"

    verbs = [row(word, text) for _, word, built, text in
             entries(table, r'^NG_VERB\((\w+), "(.*?)", (\d), "(.*)"\)$') if built == "1"]
    keys = [row(word, text) for _, word, _, text in
            entries(table, r'^NG_KEY\((\w+), "(.*?)", (\w+), "(.*)"\)$')]
    flags = [row(word, text) if kind == "FLAG" else row(word, text, "NAME") for kind, _, word, text in
             entries(table, r'^NG_(FLAG|PREFIX)\((\w+), "(.*?)", "(.*)"\)$')]
    return {name: "\n".join([f"| {name[:-1]} | does |", "|---|---|", *rows])
            for name, rows in (("verbs", verbs), ("keys", keys), ("flags", flags))}


def ng():
    text = (ROOT / "docs" / "ng.md").read_text()
    for name, table in ng_words().items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, rest = text.split(begin)
        text = head + begin + "\n\n" + table + "\n\n" + end + rest.split(end)[1]
    return text


def main():
    stale = []
    for name, text in (("reference.md", reference()), ("ng.md", ng())):
        path = ROOT / "docs" / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(f"docs/{name}")
        if sys.argv[1:] != ["--check"]:
            path.write_text(text)
    if sys.argv[1:] != ["--check"]:
        return 0
    if stale:
        print(f"not what the tables in the code say: {', '.join(stale)}; run docs/reference.py")
        return 1
    print("docs/reference.md and docs/ng.md are current")
    return 0


sys.exit(main())
