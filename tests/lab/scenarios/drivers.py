# SPDX-License-Identifier: BSD-3-Clause
"""Ports on AF_PACKET and on AF_XDP, memory with and without hugepages: calls run on each."""
import os
import time

from load import Traffic, expect_clean, pair, warm_up
from scapy.all import ARP, Ether, rdpcap, wrpcap
from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.isolate import has_real_root
from trunklab.report import Report, expect, expect_equal

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


def other_ports(report):
    """pcap: what the file holds is answered into the other one. ring, tap: up, and clean at the end."""
    with w.World() as world, report.test("pcap") as t:
        files = [os.path.join(world.dir, name) for name in ("in.pcap", "out.pcap", "none.pcap", "x.pcap")]
        ask = Ether(src=w.MAC["wan"], dst="ff:ff:ff:ff:ff:ff") / ARP(
            hwsrc=w.MAC["wan"], psrc=w.GATEWAY, pdst=w.POP_OUTSIDE)
        wrpcap(files[0], [ask] * 3)
        wrpcap(files[2], [Ether() / ARP(pdst="203.0.113.1")])
        pop = daemon_on(world, f"pcap:{files[0]},{files[1]}", f"pcap:{files[2]},{files[3]}")
        time.sleep(1)
        shown = pop.cli("show", "ports")["ports"][0]
        expect_equal(shown["rx_packets"], 3, "packets read from the file")
        expect_equal(pop.stop()[0], 0, "exit code")
        answers = [p for p in rdpcap(files[1]) if ARP in p and p[ARP].op == 2
                   and p[ARP].psrc == w.POP_OUTSIDE]
        expect_equal(len(answers), 3, "ARP answers in the other file")
        t.proved("3 ARP requests were read from one file, 3 answers are in the other")
    for kind, names in (("ring", ("ring:r0", "ring:r1")), ("tap", ("tap:wan0", "tap:lan0"))):
        with w.World() as world, report.test(kind) as t:
            pop = daemon_on(world, *names)
            world.pop.run("sh", "-c", f"ping -c 1 -W 1 {w.PLATFORM} || true")
            expect(all(p["up"] for p in pop.cli("show", "ports")["ports"]), "a port is down")
            expect_equal(pop.stop()[0], 0, "exit code")
            t.proved("two ports came up, the kernel's frames left by them, exit 0")


def daemon_on(world, outside, inside):
    config = pop_config(world)
    for port, device in zip(config["ports"], (outside, inside)):
        port["device"] = device
    config["memory"]["hugepages"] = "off"
    pop = Daemon(world, config, [])
    pop.start()
    return pop


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
    other_ports(report)
    return report.close()
