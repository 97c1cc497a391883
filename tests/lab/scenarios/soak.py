# SPDX-License-Identifier: BSD-3-Clause
"""(make soak) SOAK_SECONDS of calls, with calls and reloads coming and going: memory and buffers."""
import os
import signal
import time

from life import expect_buffers_back
from load import CALLS, Traffic, drops_of, expect_clean, pair, warm_up
from trunklab import world as w
from trunklab.report import Report, expect, expect_equal

GROWTH_KB = 2048  # what counts as growth between the first minute and the end


def churn(pop, number):
    """What a control side does all day: calls come and go, screens are read, files are read again."""
    name = f"soak{number}"
    pop.cli("call", "add", name, "--a-media", w.MEDIA_OUTSIDE, "--a-customer", "acme",
            "--b-media", w.MEDIA_INSIDE)
    for what in (["status"], ["show", "calls"], ["show", "drops", "--all"], ["show", "sas"]):
        pop.cli(*what)
    pop.cli("call", "del", name)
    if number % 10 == 0:
        pop.signal(signal.SIGHUP)


def main():
    report = Report("soak")
    seconds = int(os.environ.get("SOAK_SECONDS", "600"))
    with w.World(phones=True) as world, report.test(f"{seconds}-seconds") as t:
        report.on_failure.append(lambda: print(pop.log_tail(), gateway.log_tail()))
        pop, gateway = pair(world)
        warm_up(world)
        before = drops_of(pop), drops_of(gateway)
        traffic = Traffic(world, seconds=seconds)
        started = time.monotonic()
        early, used, number = None, [], 0
        while traffic.running():
            churn(pop, number)
            number += 1
            passed = time.monotonic() - started
            rss = pop.rss_kb(), gateway.rss_kb()
            used.append(pop.cli("status")["memory"]["mbufs_used"])
            if early is None and passed > min(60, seconds / 4):
                early = rss
            if number % 15 == 1:
                print(f"  {passed:5.0f} s  memory {rss[0]} kB (gateway {rss[1]} kB), buffers in "
                      f"use {used[-1]}, {number} calls came and went", flush=True)
            time.sleep(1)
        late = pop.rss_kb(), gateway.rss_kb()
        result = traffic.result()
        expect_clean(result, seconds * 50 * CALLS)
        expect_equal((drops_of(pop), drops_of(gateway)), before, "drops")
        for name, a, z in zip(("pop", "gateway"), early, late):
            expect(z - a < GROWTH_KB, f"{name} grew from {a} to {z} kB")
        expect(used[-1] - used[len(used) // 4] < 512, f"buffers in use: {used[:3]} ... {used[-3:]}")
        for daemon in (pop, gateway):
            code, _ = daemon.stop()
            expect_equal(code, 0, "exit code")
        buffers = expect_buffers_back(pop)
        expect_buffers_back(gateway)
        t.proved(f"{result['received']} of {result['sent']} packets came back in {seconds} s, none "
                 f"reordered; {number} calls came and went; memory {early[0]} kB early, {late[0]} kB "
                 f"late; all {buffers} packet buffers back")
    return report.close()
