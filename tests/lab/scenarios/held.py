# SPDX-License-Identifier: BSD-3-Clause
"""As many calls as the defaults allow, held at once: what they take, and that the daemon answers."""
import json
import os
import socket
import struct
import subprocess
import tempfile
import time

from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.report import Report, expect, expect_equal

CALLS = 5000 if w.quick() else 50000
ADDRESSES = 8  # a side: ports for all calls four times over, so that those of ended calls can rest
UNDER_WAY = 64
LEAK = 2  # bytes a call in two rounds; a leak would be at least 16


class Api:
    """The control socket; requests overtake the answers to those before."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def send(self, cmd, **args):
        data = json.dumps({"v": 1, "cmd": cmd, "args": args}).encode()
        self.sock.sendall(struct.pack(">I", len(data)) + data)

    def receive(self):
        answer = json.loads(self.file.read(struct.unpack(">I", self.file.read(4))[0]))
        expect(answer["ok"], f"the API says {answer}")
        return answer.get("data")

    def ask(self, cmd, **args):
        self.send(cmd, **args)
        return self.receive()

    def all(self, requests):
        """Seconds that they take, a few under way at a time."""
        began, under_way = time.monotonic(), 0
        for cmd, args in requests:
            self.send(cmd, **args)
            under_way += 1
            if under_way == UNDER_WAY:
                self.receive()
                under_way -= 1
        for _ in range(under_way):
            self.receive()
        return time.monotonic() - began


def outside(i):
    return f"198.18.30.{10 + i % ADDRESSES}"


def inside(i):
    return f"198.18.30.{20 + i % ADDRESSES}"


def adds():
    for i in range(CALLS):
        yield "call add", {"id": f"call-{i}", "timeout": 3600, "a_media": outside(i),
                           "a_remote": f"{w.GATEWAY}:{10000 + i % 50000}", "b_media": inside(i),
                           "b_remote": f"{w.PLATFORM}:{10000 + i % 50000}"}


def dels():
    for i in range(CALLS):
        yield "call del", {"id": f"call-{i}"}


def heap(api):
    return api.ask("status")["memory"]["heap_bytes"]


def held(daemon, t):
    """Three times all calls, and what they take of memory: the heap in use is the same each time, with them and
    without. (What is resident grows once, in the second round, by free memory between what is in use.)"""
    api = Api(daemon.socket)
    before = daemon.rss_kb()
    peak, rates, full, empty = [], [], [], []
    for _ in range(3):
        seconds = api.all(adds())
        expect_equal(api.ask("status")["calls"]["total"], CALLS, "calls")
        peak.append(daemon.rss_kb())
        full.append(heap(api))
        rates.append(CALLS / seconds)
        if CALLS == 50000:
            done = daemon.cli_text("call", "add", "more", "--a-media", outside(0), "--b-media", inside(0))
            expect("Parallel session limit reached" in done.stderr, f"one more: {done.stderr}")
        api.all(dels())
        expect_equal(api.ask("status")["calls"]["total"], 0, "calls afterwards")
        time.sleep(1)  # what workers may still look at is freed a little later, before the next round
        empty.append(heap(api))
    for what, seen in (("with all calls", full), ("without calls", empty)):
        expect(seen[2] < seen[0] + LEAK * CALLS, f"the heap grows {what}: {seen} bytes")
    expect(peak[2] < peak[1] * 1.05 + 2000, f"memory grows: {peak} kB")
    t.proved(f"{CALLS} calls three times, {min(rates):.0f} set up a second, "
             f"{(peak[0] - before) * 1024 / CALLS:.0f} bytes each beside the pools; "
             f"{peak[0] // 1024}, {peak[1] // 1024} and {peak[2] // 1024} MB resident, "
             f"{empty[0] // 1024}, {empty[1] // 1024} and {empty[2] // 1024} kB of heap in use afterwards")


def pings(api, until, pause):
    """Seconds that each took, for as long as until() says, and afterwards once."""
    waits = []
    while not until() or not waits:
        began = time.monotonic()
        api.ask("ping")
        waits.append(time.monotonic() - began)
        time.sleep(pause)
    return sorted(waits)


def answers(daemon, t):
    """With all of them there, orders and filters find the few, and nobody else waits long."""
    api = Api(daemon.socket)
    api.all(adds())
    other, waits, views = Api(daemon.socket), [], []
    end = time.monotonic() + 5
    while time.monotonic() < end:
        began = time.monotonic()
        page = api.ask("show calls", sort="loss", limit=40)
        views.append(time.monotonic() - began)
        until = time.monotonic() + 0.1
        waits += pings(other, lambda: time.monotonic() > until, 0.005)
    expect_equal((page["total"], len(page["calls"])), (CALLS, 40), "calls of a view")
    expect_equal(api.ask("show call", id=f"call-{CALLS - 1}")["id"], f"call-{CALLS - 1}", "the last call")
    # A call is silent 5 s after it began, and each is looked at once in 2 s.
    some, silent = len([i for i in range(CALLS) if f"call-{i}".startswith("call-123")]), 0
    end = time.monotonic() + 5 * w.slow()
    while silent != some and time.monotonic() < end:
        silent = api.ask("show calls", id="call-123", state="silent")["total"]
        time.sleep(0.05)
    expect_equal(silent, some, "silent ones")
    waits.sort()
    p99 = waits[len(waits) * 99 // 100] * 1000
    expect(p99 < 20 * w.slow(), f"ping takes {p99:.1f} ms")
    t.proved(f"of {CALLS} calls the worst 40 in {max(views) * 1000:.0f} ms at most; ping meanwhile: "
             f"p99 {p99:.2f} ms")


def show_calls(daemon, limit, *order):
    """The ids in the list, and how long pings took meanwhile."""
    with tempfile.TemporaryFile() as out:
        show = subprocess.Popen([daemon.binary("trunkline"), "--socket", daemon.socket, "--json", "show", "calls",
                                 "--limit", str(limit), *order], stdout=out)
        waits = pings(Api(daemon.socket), lambda: show.poll() is not None, 0.003)
        expect_equal(show.returncode, 0, "show calls")
        out.seek(0)
        return [call["id"] for call in json.load(out)["calls"]], waits


def listed(daemon, t):
    """Page after page calls are listed in their order, each once, and whoever asks meanwhile waits for one page at most."""
    every, many, some = [f"call-{i}" for i in range(CALLS)], CALLS * 2 // 5, CALLS // 20
    began = time.monotonic()
    ids, waits = show_calls(daemon, many)
    took = time.monotonic() - began
    expect(ids == every[:many], f"{len(ids)} calls, {len(set(ids))} different ones")
    ids, sorted_waits = show_calls(daemon, some, "--sort", "newest")
    expect(ids == every[:-some - 1:-1], f"{len(ids)} newest calls, {len(set(ids))} different ones")
    after = daemon.cli("show", "calls", "--limit", "1")["next"]
    daemon.cli("call", "del", every[0])  # where a list goes on: its place outlives the call
    ids = [call["id"] for call in daemon.cli("show", "calls", "--limit", "2", "--after", after)["calls"]]
    expect_equal(ids, every[1:3], "the calls behind one that has ended")
    p99 = [ms[len(ms) * 99 // 100] * 1000 for ms in (waits, sorted_waits)]
    expect(p99[0] < 15 * w.slow() and p99[1] < 30 * w.slow(), f"p99 of ping: {p99} ms")
    t.proved(f"{many} of {CALLS} calls in {took:.1f} s; ping meanwhile: p99 {p99[0]:.1f} ms, "
             f"at most {waits[-1] * 1000:.1f} ms; sorted: p99 {p99[1]:.1f} ms, at most {sorted_waits[-1] * 1000:.1f} ms")


def main():
    report = Report("held")
    with w.World() as world:
        config = pop_config(world)
        config["memory"] = {"hugepages": config["memory"]["hugepages"]}  # sizes are the defaults
        config["media"] = [{"address": at(i), "ports": "4000-63999", "on": on}
                           for at, on in ((outside, "outside"), (inside, "inside"))
                           for i in range(ADDRESSES)]
        daemon = Daemon(world, config, []).start()
        report.on_failure.append(lambda: print(daemon.log_tail(5)))
        with report.test("held") as t:
            held(daemon, t)
        with report.test("answers") as t:
            answers(daemon, t)
        with report.test("listed") as t:
            listed(daemon, t)
    return report.close()
