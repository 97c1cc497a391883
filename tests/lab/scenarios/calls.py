# SPDX-License-Identifier: BSD-3-Clause
"""Calls as an operator sees them while real packets pass, and what becomes of their ports: states,
filters, top, timers, quarantine, ports that run out."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from trunklab import wire
from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.report import Failed, Report, expect, expect_equal

QUARANTINE = 3
PAIRS = 10  # pairs of ports outside
PACE = 0.02


class Call:
    """A phone outside without a tunnel, and the platform; each sends from where it was said to."""
    count = 0

    def __init__(self, world, daemon, name, timeout=0):
        Call.count += 1
        self.name, self.daemon = name, daemon
        self.port = 4000 + 2 * Call.count
        self.sock = [world.customer.udp(w.GATEWAY, self.port), world.platform.udp(w.PLATFORM, self.port)]
        self.seq = [0, 0]
        added = daemon.cli("call", "add", name, "--timeout", str(timeout),
                           "--a-media", w.MEDIA_OUTSIDE, "--a-remote", f"{w.GATEWAY}:{self.port}",
                           "--b-media", w.MEDIA_INSIDE, "--b-remote", f"{w.PLATFORM}:{self.port}")
        self.to = []
        for side in "ab":
            address, port = added[side]["local"].rsplit(":", 1)
            self.to.append((address, int(port)))

    def say(self, side, skip=False):
        self.seq[side] += 1
        if not skip:
            packet = wire.rtp(self.seq[side], 160 * self.seq[side], b"\x2a" * 160,
                              ssrc=self.port * 2 + side)
            self.sock[side].sendto(packet, self.to[side])

    def heard(self, side):
        """Packets that have come to a side since the last time."""
        return len(wire.receive(self.sock[side], 100000, 0.2))

    def close(self):
        for s in self.sock:
            s.close()


def talk(seconds, *speakers):
    """speakers: (call, side, one packet in so many is lost or 0)."""
    began, n = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        n += 1
        for call, side, lossy in speakers:
            call.say(side, lossy and n % lossy == 0)
        time.sleep(max(0, began + n * PACE - time.monotonic()))


def ids(daemon, *words):
    return [c["id"] for c in daemon.cli("show", "calls", *words)["calls"]]


def views(world, daemon, t):
    """States, filters, orders, and the details of one call."""
    good, lossy, oneway, quiet = (Call(world, daemon, n) for n in ("good", "lossy", "oneway", "quiet"))
    both = [(good, 0, 0), (good, 1, 0), (lossy, 0, 10), (lossy, 1, 0), (oneway, 0, 0)]
    talk(0.3, *both)  # neighbours are asked for
    talk(8, *both)
    stranger = world.customer.udp(w.GATEWAY, 3999)
    for n in range(20):
        stranger.sendto(wire.rtp(n, n, b"\0" * 160, ssrc=1), good.to[0])
    talk(2.5, *both)
    shown = {c["id"]: c for c in daemon.cli("show", "calls")["calls"]}
    expect_equal({k: c["state"] for k, c in shown.items()},
                 {"good": "active", "lossy": "active", "oneway": "one-way", "quiet": "silent"}, "states")
    for words, wanted in ((["--state", "one-way"], ["oneway"]), (["--state", "silent"], ["quiet"]),
                          (["--state", "held"], []), (["--min-loss", "5"], ["lossy"]),
                          (["--max-mos", "3.9"], ["lossy"]), (["--refused"], ["good"]),
                          (["--id", "l"], ["lossy"]), (["--security", "srtp"], [])):
        expect_equal(ids(daemon, *words), wanted, f"show calls {' '.join(words)}")
    expect_equal(ids(daemon, "--security", "plain", "--sort", "newest"),
                 ["quiet", "oneway", "lossy", "good"], "newest first")
    for sort, first in (("loss", "lossy"), ("mos", "lossy"), ("refused", "good")):
        expect_equal(ids(daemon, "--sort", sort)[0], first, f"the first by {sort}")
    a = daemon.cli("show", "call", "goo")["a"]
    expect(a["mos"] >= 4.3 and a["lost"] == 0 and 35 < a["pps"] < 55 and a["codec"] == "G.711"
           and a["seen"] == f"{w.GATEWAY}:{good.port}" and a["refused"] == 20, f"side a of good: {a}")
    bad = daemon.cli("show", "call", "lossy")["a"]
    expect(0.08 < bad["lost_share"] < 0.12 and bad["burst"] == 1 and bad["mos"] < 3.9,
           f"side a of lossy: {bad}")
    Call(world, daemon, "goods").close()
    for word, says in (("g", "2 calls begin with g"), ("bad", "there is no call bad")):
        done = daemon.cli_text("show", "call", word)
        expect(done.returncode == 1 and says in done.stderr, f"show call {word}: {done.stderr}")
    expect_equal(daemon.cli("show", "call", "good")["id"], "good", "an id that others begin with")
    t.proved(f"4 states; MOS {a['mos']:.2f} without loss, {bad['mos']:.2f} with "
             f"{bad['lost_share'] * 100:.1f} %; 20 packets of a stranger are shown")
    return good


def terminal(argv, keys, seconds):
    """What a command draws on a terminal of 30 lines; keys are pressed one a second, then Ctrl-C."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(argv[0], argv)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    out, began, pressed = b"", time.monotonic(), 0
    while time.monotonic() < began + seconds:
        if pressed < len(keys) and time.monotonic() > began + 1 + pressed:
            os.write(fd, keys[pressed].encode())
            pressed += 1
        if select.select([fd], [], [], 0.05)[0]:
            try:
                out += os.read(fd, 65536)
            except OSError:
                break
    try:
        os.write(fd, b"\x03")
        while more := os.read(fd, 65536):
            out += more
    except OSError:
        pass
    return out.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def top(daemon, t):
    """Live in a pipe, as JSON, and on a terminal with keys."""
    text = daemon.cli_text("top", "-n", "2", "--watch=0.5").stdout
    expect(text.count("trunkline ") >= 2 and text.count("calls by loss") == 2 and "\033" not in text,
           f"top in a pipe: {text}")
    first = re.search(r"^CALL .*\n(\S+)", text, re.M)[1]
    expect_equal(first, "lossy", "the first call of top")
    lines = daemon.cli_text("top", "-n", "2", "--watch=0.5", "--json", "--sort", "newest").stdout
    rounds = [json.loads(line) for line in lines.splitlines()]
    expect_equal([(r["total"], r["calls"][0]["id"]) for r in rounds], [(5, "goods")] * 2, "top --json")
    argv = [daemon.binary("trunkline"), "--socket", daemon.socket, "top", "--watch=0.3"]
    out, code = terminal(argv, "nm", 3.5)
    screens = out.split("\033[H")[1:]
    expect_equal(code, 0, f"exit of top after Ctrl-C: {out[-200:]}")
    expect(out.startswith("\033[?1049h") and out.endswith("\033[?25h\033[?1049l"),
           "the terminal is not given back as it was")
    marks = [re.search(r"(\w+) \*", s)[1] for s in screens if " *" in s]
    expect([m for i, m in enumerate(marks) if i == 0 or marks[i - 1] != m] == ["loss", "newest", "mos"],
           f"keys: sorted by {marks}")
    out, code = terminal(argv, "q", 5)
    expect_equal(code, 0, "exit of top after q")
    t.proved(f"2 rounds in a pipe, 2 as JSON, {len(screens)} screens with three orders")


def drops_of(daemon, *names):
    d = daemon.drops()
    return [d.get(n, 0) for n in names]


def quarantine(world, daemon, good, t):
    """A call ends and its phone goes on: nothing reaches anybody, not even the next calls."""
    ended, unknown = drops_of(daemon, "call-ended", "no-call")
    for side in (0, 1):
        good.heard(side)
    daemon.cli("call", "del", "good")
    began = time.monotonic()
    others = [Call(world, daemon, f"next{i}") for i in range(3)]
    expect(good.to[0] not in [o.to[0] for o in others], "a new call has the port already")
    talk(1, (good, 0, 0), (good, 1, 0))
    expect(time.monotonic() < began + QUARANTINE, "too slow for this test")
    now = drops_of(daemon, "call-ended", "no-call")
    expect(now[0] - ended >= 90 and now[1] == unknown,
           f"late packets: {now[0] - ended} call-ended, {now[1] - unknown} no-call")
    expect_equal([c.heard(s) for c in [good, *others] for s in (0, 1)], [0] * 8, "late packets heard")
    expect_equal([c["a"]["rx_packets"] + c["a"]["refused"] for c in
                  daemon.cli("show", "calls", "--id", "next")["calls"]], [0] * 3, "late packets counted")
    time.sleep(max(0, began + QUARANTINE + 0.3 - time.monotonic()))
    talk(0.2, (good, 0, 0))
    expect(drops_of(daemon, "no-call")[0] > unknown, "after the quarantine the port is as any other")
    for call in others:
        daemon.cli("call", "del", call.name)
        call.close()
    t.proved(f"{now[0] - ended} late packets are call-ended, 0 reached anybody; after {QUARANTINE} s "
             "the ports are free")


def exhaustion(world, daemon, t):
    """All ports outside are in use: the next call is refused, and one later is not."""
    time.sleep(QUARANTINE + 0.5)
    have = len(ids(daemon))
    calls = []
    try:
        while len(calls) < PAIRS + 1:
            calls.append(Call(world, daemon, f"many{len(calls)}"))
    except Failed as e:
        expect("Ran out of ports" in str(e), f"said: {e}")
    expect_equal(have + len(calls), PAIRS, "calls until the ports ran out")
    expect_equal(len({c.to[0] for c in calls}), len(calls), "ports")
    daemon.cli("call", "del", calls[0].name)
    done = daemon.cli_text("call", "add", "early", "--a-media", w.MEDIA_OUTSIDE, "--b-media", w.MEDIA_INSIDE)
    expect("Ran out of ports" in done.stderr, f"within the quarantine: {done.stderr}")
    time.sleep(QUARANTINE + 0.3)
    again = Call(world, daemon, "again")
    expect_equal(again.to[0], calls[0].to[0], "the port that came back")
    for call in [*calls[1:], again]:
        daemon.cli("call", "del", call.name)
        call.close()
    t.proved(f"{PAIRS} calls, then \"Ran out of ports\", until one that ended had rested")


def timers(world, daemon, t):
    """A call without packets ends in time, one with packets does not."""
    time.sleep(QUARANTINE + 0.3)
    lives, dies = Call(world, daemon, "lives", 2), Call(world, daemon, "dies", 2)
    began, gone = time.monotonic(), None
    while time.monotonic() < began + 5:
        talk(0.1, (lives, 1, 0))
        if gone is None and "dies" not in ids(daemon):
            gone = time.monotonic() - began
    expect(gone is not None and 1.9 < gone < 3, f"a silent call of 2 s ended after {gone} s")
    expect("lives" in ids(daemon), "a call with packets of one side ended")
    expect("call dies ended: no packets on either leg for 2 s" in daemon.log_tail(), "the log says why")
    time.sleep(3)
    expect("lives" not in ids(daemon), "and goes on without packets")
    dies.close()
    t.proved(f"2 s of silence ended it after {gone:.1f} s; 50 packets/s of one side keep another")


def main():
    report = Report("calls")
    with w.World() as world:
        world.customer.run("ip", "route", "add", f"{w.MEDIA_OUTSIDE}/32", "via", w.POP_OUTSIDE)
        config = pop_config(world, limits={"calls": 20, "port_quarantine": QUARANTINE})
        for media in config["media"]:
            if media["on"] == "outside":
                media["ports"] = f"10000-{10000 + 2 * PAIRS - 1}"
        daemon = Daemon(world, config, []).start()
        world.greet([])
        report.on_failure.append(lambda: print(daemon.log_tail(), daemon.drops()))
        good = None
        with report.test("views") as t:
            good = views(world, daemon, t)
        with report.test("top") as t:
            top(daemon, t)
        with report.test("quarantine") as t:
            quarantine(world, daemon, good, t)
        with report.test("exhaustion") as t:
            exhaustion(world, daemon, t)
        with report.test("timers") as t:
            timers(world, daemon, t)
        with report.test("stop") as t:
            daemon.signal(signal.SIGTERM)
            code, seconds = daemon.stop()
            expect_equal(code, 0, "exit code")
            t.proved(f"stopped in {seconds:.1f} s")
    return report.close()
