# SPDX-License-Identifier: BSD-3-Clause
"""Results: one line a test, with what it proved and how long it took."""
import contextlib
import sys
import time
import traceback


class Failed(AssertionError):
    pass


def expect(condition, text):
    """A check whose text says what was seen."""
    if not condition:
        raise Failed(text)


def expect_equal(seen, wanted, what):
    if seen != wanted:
        raise Failed(f"{what}: {seen!r}, wanted {wanted!r}")


class Test:
    def __init__(self):
        self.text = ""

    def proved(self, text):
        self.text = text


class Report:
    def __init__(self, suite):
        self.suite = suite
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.on_failure = []  # callables that print what helps

    @contextlib.contextmanager
    def test(self, name):
        started = time.monotonic()
        t = Test()
        try:
            yield t
        except Exception as e:  # a test that breaks is a failure, the next one runs
            self.failed += 1
            print(f"FAIL {self.suite}/{name}: {e or type(e).__name__} "
                  f"({time.monotonic() - started:.1f} s)", flush=True)
            if not isinstance(e, Failed):
                traceback.print_tb(e.__traceback__, limit=-4, file=sys.stdout)
            for helper in self.on_failure:
                with contextlib.suppress(Exception):
                    helper()
        else:
            self.passed += 1
            print(f"PASS {self.suite}/{name}: {t.text} ({time.monotonic() - started:.1f} s)",
                  flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f"SKIP {self.suite}/{name}: {why}", flush=True)

    def close(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.suite}: {self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed or self.passed == 0 else 0
