#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks tests/run itself: hugepages are taken and given back, skipped tests are counted as such."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("run", os.path.join(HERE, "..", "run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
loader.exec_module(run)


class Kernel(run.Hugepages):
    """A machine with so many pages, of which some are in use, and room for some more."""

    def __init__(self, total, used=0, room=1 << 20, writable=True):
        super().__init__()
        self.total, self.used, self.room, self.writable = total, used, room, writable

    def read(self, name):
        return {"nr_hugepages": self.total, "free_hugepages": self.total - self.used}[name]

    def write(self, count):
        if not self.writable:
            raise PermissionError(13, "Permission denied")
        self.total = min(count, self.room)


def reserve(kernel, wanted, says, total):
    before = kernel.total
    said = kernel.reserve(wanted)
    assert (says in said) if says else said is None, said
    assert kernel.total == total, kernel.total
    kernel.give_back()
    assert kernel.total == before, kernel.total


def skipped():
    """A test that exits with 77 is skipped with what it said; other codes are failures."""
    stage = run.Stage("runner-check")
    tests = [{"suite": ["trunkline:x"], "name": str(code), "env": {}, "timeout": 9, "workdir": None,
              "cmd": ["sh", "-c", f"echo because; exit {code}"]} for code in (0, 77, 1)]
    real, run.subprocess.run = run.subprocess.run, lambda *_, **__: type(
        "Done", (), {"stdout": run.json.dumps(tests)})
    said = io.StringIO()
    os.makedirs(os.path.join(run.TOP, "build"), exist_ok=True)
    try:
        with contextlib.redirect_stdout(said):
            stage.units("build")
    finally:
        run.subprocess.run = real
    t = stage.totals
    assert (t.passed, t.skipped, t.bad()) == (1, 1, 1), vars(t)
    assert "SKIP x 77: because" in said.getvalue(), said.getvalue()


def reserve_nowhere():
    pages = run.Hugepages("/nonexistent")
    assert "no hugepages reserved" in pages.reserve(1)
    pages.give_back()


CHECKS = [
    ("none reserved", lambda: reserve(Kernel(0), 300, "300 hugepages", 300)),
    ("some in use", lambda: reserve(Kernel(100, used=60), 300, "260 hugepages", 360)),
    ("enough", lambda: reserve(Kernel(1024, used=700), 300, None, 1024)),
    ("not allowed", lambda: reserve(Kernel(0, writable=False), 300, "no hugepages reserved", 0)),
    ("not all to be had", lambda: reserve(Kernel(10, room=150), 300, "only 150 of 300", 150)),
    ("no such kernel", reserve_nowhere),
    ("skipped tests", skipped),
]


def main():
    failed = 0
    for name, check in CHECKS:
        try:
            check()
            print(f"PASS runner/{name}")
        except AssertionError as e:
            failed += 1
            print(f"FAIL runner/{name}: {e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
