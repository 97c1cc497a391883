# SPDX-License-Identifier: BSD-3-Clause
"""Ports on AF_PACKET and on AF_XDP, memory with and without hugepages: calls run on each."""
from load import Traffic, expect_clean, pair, warm_up
from trunklab import world as w
from trunklab.isolate import has_real_root
from trunklab.report import Report, expect_equal

CALLS, SECONDS = 40, 5


def one(report, driver, hugepages):
    name = f"{driver.replace('_', '-')}{'-hugepages' if hugepages == 'on' else ''}"
    with w.World(phones=True, driver=driver) as world, report.test(name) as t:
        pop, _ = pair(world, calls=CALLS,
                      memory={"hugepages": hugepages, "megabytes": 512, "mbufs": 16384})
        warm_up(world, CALLS)
        result = Traffic(world, CALLS, SECONDS).result()
        expect_clean(result, CALLS * SECONDS * 50)
        expect_equal(pop.cli("status")["memory"]["hugepages"], hugepages == "on", "hugepages")
        t.proved(f"{result['received']} of {result['sent']} packets of {CALLS} calls came back, "
                 f"round trip p99 {result['rtt_us']['p99'] / 1000:.2f} ms")


def free_hugepages():
    with open("/proc/meminfo", encoding="utf-8") as f:
        found = dict(line.split(":") for line in f)
    return int(found["HugePages_Free"]) * int(found["Hugepagesize"].split()[0]) // 1024


def main():
    report = Report("drivers")
    one(report, "af_packet", "off")
    if has_real_root():
        one(report, "af_xdp", "off")
        if free_hugepages() >= 1200:
            one(report, "af_xdp", "on")
        else:
            report.skip("af-xdp-hugepages", "fewer than 1200 MB of hugepages are free")
    else:
        report.skip("af-xdp", "needs root")
    return report.close()
