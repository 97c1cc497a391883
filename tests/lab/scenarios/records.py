# SPDX-License-Identifier: BSD-3-Clause
"""call records through the real daemon: what ended calls leave, and that kill -9 loses none"""
import json
import os
import signal
import sqlite3
import stat
import time

from trunklab import bench, wire
from trunklab import world as w
from trunklab.daemon import call_config
from trunklab.report import Report, expect, expect_equal


class Records:
    def __init__(self, b):
        self.b, self.dir = b, os.path.join(b.world.dir, "records")
        self.db = os.path.join(b.world.dir, "calls.sqlite")
        self.live = os.path.join(b.daemon.run_dir, "calls.live")

    def lines(self):
        found = []
        for name in sorted(os.listdir(self.dir)):
            with open(os.path.join(self.dir, name), encoding="utf-8") as f:
                found += [json.loads(x) for x in f]
        return found

    def query(self, sql):
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    def wait(self, call_id, count=1, timeout=5.0):
        """The records of a call, as JSON has them; SQLite has as many."""
        deadline = time.monotonic() + timeout * w.slow()
        while True:
            found = [r for r in self.lines() if r["call_id"] == call_id]
            rows = self.query(f"SELECT uid FROM calls WHERE call_id = '{call_id}'")
            if len(found) == len(rows) == count or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        expect_equal((len(found), len(rows)), (count, count), f"records of {call_id} (JSON, SQLite)")
        return found


def add(b, name, port, **more):
    argv = []
    for key, value in {"a_media": w.MEDIA_OUTSIDE, "a_port": port, "a_customer": "acme",
                       "b_media": w.MEDIA_INSIDE, "b_port": port, "b_remote": f"{w.PLATFORM}:4900",
                       **more}.items():
        argv += ["--" + key.replace("_", "-"), str(value)]
    b.daemon.cli("call", "add", name, *argv)


def speak(b, port, count, back=True):
    """So many packets each way, on a call of add()."""
    platform = b.world.platform.udp(w.PLATFORM, 4900)
    with platform:
        for _ in range(count):
            b.send_esp(b.inner(b.rtp(), sport=14900, dport=port))
            got = wire.receive(platform, 1)
            expect_equal(len(got), 1, "packets at the platform")
            if back:
                platform.sendto(got[0][0], got[0][1])
    wire.drain(b.outside)


def deleted(b, t, r):
    add(b, "said", 31000)
    speak(b, 31000, 40)
    time.sleep(0.3)
    b.daemon.cli("call", "del", "said")
    (record,) = r.wait("said")
    expect(record["reason"] == "delete" and record["via"] == "api" and record["customer"] == "acme"
           and record["start"] == record["answer"] < record["end"] and not record["recovered"], record)
    (stream,) = record["streams"]
    for side, figures in (("a", stream["a"]), ("b", stream["b"])):
        expect_equal([figures[k] for k in ("packets_in", "packets_out", "bytes_in", "lost")],
                     [40, 40, 40 * 172, 0], f"side {side}")
    expect_equal((stream["a"]["peer"], stream["b"]["peer"]),
                 (f"{w.PHONE}:14900", f"{w.PLATFORM}:4900"), "peers")
    rows = r.query(f"SELECT side, packets_in, peer FROM legs WHERE uid = '{record['uid']}' ORDER BY side")
    expect_equal(rows, [("a", 40, f"{w.PHONE}:14900"), ("b", 40, f"{w.PLATFORM}:4900")], "rows in legs")
    t.proved("40 packets each way are in both sides' figures, in JSON and SQLite")


def timed_out(b, t, r):
    add(b, "quiet", 31100, timeout=1)
    (record,) = r.wait("quiet", timeout=10)
    expect(record["reason"] == "silence" and record["streams"][0]["a"]["peer"] is None, record)
    t.proved("reason silence, and no peer where no packet came")


def permissions(b, t, r):
    files = {p: 0o640 for p in (r.db, r.db + "-wal", r.live)}
    files.update({os.path.join(r.dir, n): 0o640 for n in os.listdir(r.dir)})
    files[r.dir] = 0o750
    for path, mode in files.items():
        expect_equal(oct(stat.S_IMODE(os.stat(path).st_mode)), oct(mode), path)
    status = b.daemon.cli("status")["records"]
    expect(status["written"] >= 2 and not any(status[k] for k in ("waiting", "failed", "no_room")), status)
    t.proved(f"{len(files)} files and directories; status: {status['written']} written")


def killed(b, t, r):
    """Calls in progress and calls that end that very moment, whenever it is killed."""
    rounds, calls = (3, 20) if w.quick() else (10, 20)
    ended, cut = [], []
    for number in range(rounds):
        names = [f"k{number}-{i}" for i in range(calls)]
        for i, name in enumerate(names):
            add(b, name, 33000 + 2 * i)
        half = names[:calls // 2]
        for name in half:
            b.daemon.cli("call", "del", name)
        time.sleep(0.002 * number)
        b.daemon.signal(signal.SIGKILL)
        b.daemon.process.wait()
        ended, cut = ended + half, cut + names[calls // 2:]
        b.daemon.start()
        b.world.greet([x.gateway for x in b.tunnels.values()])
    for name in ended + cut:
        (record,) = r.wait(name)
        expect_equal(record["reason"], "delete" if name in ended else "crash", name)
    t.proved(f"killed {rounds} times: {len(ended)} calls that had ended and {len(cut)} in progress, one "
             "record each")


def figures_survive(b, t, r):
    """What was counted until ten seconds before is in the record of a call that was cut off."""
    add(b, "long", 31200)
    speak(b, 31200, 25)
    time.sleep(11 * w.slow())
    b.daemon.signal(signal.SIGKILL)
    killed_at = time.time()
    b.daemon.process.wait()
    b.daemon.start()
    (record,) = r.wait("long")
    expect(record["recovered"] and record["reason"] == "crash", record)
    expect_equal(record["streams"][0]["b"]["packets_in"], 25, "packets")
    end = time.mktime(time.strptime(record["end"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    expect(-2.5 * w.slow() < end - killed_at < 1, f"ended at {record['end']}, killed at {killed_at}")
    t.proved("25 packets each way, and the end is when it was killed, to the second")


def reload_and_stop(b, t, r):
    configured = {c["id"] for c in b.daemon.cli("show", "calls")["calls"]}
    before = {n: len([1 for x in r.lines() if x["call_id"] == n]) for n in configured}
    b.daemon.config["calls"] = [*b.daemon.config["calls"], call_config("late", 31300, 31300)]
    b.daemon.write()
    b.daemon.cli("reload")
    b.daemon.config["calls"] = b.daemon.config["calls"][:-1]
    b.daemon.write()
    b.daemon.cli("reload")
    (record,) = r.wait("late")
    expect(record["via"] == "config" and record["reason"] == "reload", record)
    code, _ = b.daemon.stop()
    expect_equal(code, 0, "exit code")
    now = {n: len([1 for x in r.lines() if x["call_id"] == n]) for n in configured}
    expect(configured and all(now[n] == before[n] + 1 for n in configured), f"{before} became {now}")
    expect(not os.path.exists(r.live), "calls.live is left after a clean stop")
    t.proved(f"a call that a reload took away, and {len(configured)} at the end of the daemon; nothing is left "
             "in progress")


TESTS = [("deleted", deleted), ("timed-out", timed_out), ("permissions", permissions),
         ("killed", killed), ("figures-survive", figures_survive), ("reload-and-stop", reload_and_stop)]


def main():
    report = Report("records")
    with w.World() as world:
        b = bench.Bench(world, records={"json": os.path.join(world.dir, "records"),
                                        "sqlite": os.path.join(world.dir, "calls.sqlite")})
        r = Records(b)
        report.on_failure.append(lambda: print(b.daemon.log_tail()))
        for name, test in TESTS:
            with report.test(name) as t:
                test(b, t, r)
    return report.close()
