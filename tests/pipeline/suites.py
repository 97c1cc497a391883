# SPDX-License-Identifier: BSD-3-Clause
"""Every ESP suite, plain and in UDP, with and without ESN, both directions, against scapy and tshark."""
import os
import random
import subprocess

from trunklab import wire
from trunklab import world as w
from trunklab.daemon import Daemon, call_config, customer_config, pop_config
from trunklab.esp import SUITES, Tunnel
from trunklab.report import Report, expect, expect_equal

SIZES = [0, 1, 2, 3, 4, 5, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65, 80, 160, 240, 320, 640, 1200]


def combinations():
    number = 0
    for suite in SUITES:
        for udp in (False, True):
            for esn in (False, True):
                yield number, suite, udp, esn
                number += 1


def make_customer(number, suite, udp, esn):
    gateway = f"198.18.10.{10 + number}"
    tunnel = Tunnel(suite, 0x1001 + number, 0x20000001 + number, udp=udp, esn=esn,
                    gateway=gateway, domain=f"192.0.2.{10 + number}/32")
    tunnel.phone = f"192.0.2.{10 + number}"
    tunnel.media_port, tunnel.platform_media = 10000 + 2 * number, 20000 + 2 * number
    tunnel.platform_port = 4000 + 2 * number
    return tunnel


def through(world, tunnel, outside, platform, capture):
    """RTP of every size through the PoP, in and back; what came back is checked by scapy."""
    rng = random.Random(tunnel.media_port)
    wire.drain(outside)
    sent = []
    for i, size in enumerate(SIZES):
        packet = wire.rtp(1000 + i, 160 * i, rng.randbytes(size))
        inner = wire.udp(tunnel.phone, 14000, w.MEDIA_OUTSIDE, tunnel.media_port, packet)
        outside.send(wire.frame(tunnel.encrypt(inner)))
        sent.append(packet)
    got = wire.receive(platform, len(sent))
    expect_equal(len(got), len(sent), "packets that reached the platform")
    expect([g[0] for g in got] == sent, "a payload changed or the order did")
    expect_equal({g[1] for g in got}, {(w.MEDIA_INSIDE, tunnel.platform_media)}, "relayed from")
    for packet in sent:
        platform.sendto(packet, (w.MEDIA_INSIDE, tunnel.platform_media))
    spi = tunnel.spi_from_pop
    outer = wire.frames_in(
        outside, lambda ip: wire.is_esp(ip) and tunnel.seq(ip)[0] == spi, count=len(sent))
    expect_equal(len(outer), len(sent), "ESP packets that came back")
    numbers = []
    for ip, packet in zip(outer, sent):
        expect_equal(wire.checksum(ip[:20]), 0, "outer header checksum")
        inner = tunnel.decrypt(ip)  # raises if the ICV or the padding is wrong
        expect_equal(wire.udp_parts(inner),
                     (w.MEDIA_OUTSIDE, tunnel.media_port, tunnel.phone, 14000, packet),
                     "inner packet")
        numbers.append(tunnel.seq(ip)[1])
        capture.write(ip)
    expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))),
           f"sequence numbers {numbers}")
    return len(sent)


def tshark(capture, tunnels):
    """Frames whose ICV Wireshark's dissector found good, and the number that it should have."""
    command = ["tshark", "-n", "-r", capture.path, "-T", "fields", "-e", "esp.icv_good",
               "-e", "esp.spi", "-Y", "esp",
               "-o", "esp.enable_encryption_decode:TRUE",
               "-o", "esp.enable_authentication_check:TRUE"]
    known = set()
    for tunnel in tunnels:
        for line in tunnel.tshark_sa():
            command += ["-o", "uat:esp_sa:" + line]
            known.add(tunnel.spi_from_pop)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    good = bad = 0
    for line in done.stdout.splitlines():
        fields = line.split("\t")
        if int(fields[1], 16) in known:
            good += fields[0] == "1"
            bad += fields[0] != "1"
    return good, bad


def main():
    report = Report("suites")
    with w.World() as world:
        made = {n: make_customer(n, s, u, e) for n, s, u, e in combinations()}
        customers, calls = [], []
        for number, tunnel in made.items():
            world.customer.run("ip", "addr", "add", f"{tunnel.gateway}/24", "dev", "wan")
            name = f"c{number}"
            customers.append(customer_config(name, [tunnel.config()], domain=[tunnel.domain]))
            calls.append(call_config(name, tunnel.media_port, tunnel.platform_media, name,
                                     f"{w.PLATFORM}:{tunnel.platform_port}"))
        daemon = Daemon(world, pop_config(world, calls=calls), customers)
        report.on_failure.append(lambda: print(daemon.log_tail()))
        daemon.start()
        world.greet([t.gateway for t in made.values()])
        outside = world.customer.packets("wan")
        capture = wire.Pcap(os.path.join(world.dir, "outside.pcap"))
        for number, suite, udp, esn in combinations():
            tunnel = made[number]
            name = f"{suite}{'-udp' if udp else ''}{'-esn' if esn else ''}"
            platform = world.platform.udp(w.PLATFORM, tunnel.platform_port)
            with report.test(name) as t:
                count = through(world, tunnel, outside, platform, capture)
                t.proved(f"{count} of {count} RTP packets of {len(set(SIZES))} sizes in, same back, "
                         f"every ICV good for scapy")
            platform.close()
        capture.close()
        with report.test("tshark") as t:
            checkable = [x for x in made.values() if x.tshark_sa()]
            good, bad = tshark(capture, checkable)
            expect_equal((good, bad), (len(checkable) * len(SIZES), 0), "ICVs (good, bad) for tshark")
            t.proved(f"{good} of {good} packets that the PoP sent have a good ICV for tshark "
                     f"({len(checkable)} tunnels; it knows no ChaCha20 and no ESN)")
        with report.test("no-drops") as t:
            drops = {k: v for k, v in daemon.drops().items() if v and not k.startswith("punt-")}
            expect(not drops, f"drops {drops}")
            t.proved("nothing was dropped")
    return report.close()
