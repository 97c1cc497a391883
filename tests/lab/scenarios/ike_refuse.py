# SPDX-License-Identifier: BSD-3-Clause
"""Gateways that are refused, each with a line that an operator understands, while a call goes on."""
import contextlib
import os
import struct
import time

from trunklab import ike, wire
from trunklab import world as w
from trunklab.report import Failed, Report, expect, expect_equal

STRANGER = "198.18.10.99"


def customers():
    good = ike.Customer(0, "good")
    return good, {
        "wrong-psk": (ike.Customer(1, "wrongpsk", psk="something else entirely"),
                      "pre-shared key"),
        "wrong-psk-ikev1": (ike.Customer(2, "wrongpsk1", version=1, psk="something else entirely"),
                            "pre-shared key"),
        "no-ike-proposal": (ike.Customer(3, "oldike", gw={"proposals": ["aes128-sha1-modp1536"]}),
                            "no common proposal for IKE"),
        "no-esp-proposal": (ike.Customer(4, "oldesp", gw_child={"esp_proposals": ["aes128-sha512"]}),
                            "no common proposal for ESP"),
        "outside-domain": (ike.Customer(5, "greedy", gw_child={"local_ts": ["203.0.113.0/24"]}),
                           "traffic selectors"),
        "anothers-selectors": (ike.Customer(6, "thief", gw_child={"local_ts": [f"{good.phone}/32"]}),
                               "traffic selectors"),
    }


def state(pop, good):
    """What an attacker must not change."""
    mine = [sa for sa in pop.charon.vici.sas().get(good.name, ()) if sa["state"] == "ESTABLISHED"]
    return [(sa["remote-host"], sa["remote-port"],
             sorted((x["spi-in"], x["spi-out"]) for x in sa["child-sas"].values())) for sa in mine]


def refused(pop, gateway, c, text, t):
    after = len(pop.log())
    with contextlib.suppress(Failed):
        gateway.initiate(c.children()[0], 3)
        raise AssertionError(f"{c.name} has got a tunnel")
    line = pop.wait_log(text, after=after)
    expect(c.name in line or c.gateway in line, f"the line doesn't say whose it is: {line}")
    expect(not [x for x in pop.charon.vici.sas().get(c.name, ()) if x.get("child-sas")],
           f"{c.name} has a tunnel")
    t.proved(line.split(" ", 2)[2])


def stranger(world, pop, gateway, t):
    c = ike.Customer(7, "nobody", gateway=STRANGER)
    world.customer.run("ip", "addr", "add", f"{STRANGER}/24", "dev", "wan")
    gateway.load(c.name, c.connection(), [c.secret()])
    refused(pop, gateway, c, "no customer has", t)


def malformed(world, pop, t):
    after = len(pop.log())
    s = world.customer.udp("0.0.0.0", 5500)
    spi = os.urandom(8)
    header = spi + bytes(8) + struct.pack("!BBBBLL", 33, 0x20, 34, 0x08, 0, 60)
    for port, marker in ((500, b""), (4500, bytes(4))):
        to = (w.POP_OUTSIDE, port)
        s.sendto(marker + os.urandom(20), to)                       # no IKE at all
        s.sendto(marker + header[:20], to)                          # cut short
        s.sendto(marker + header + os.urandom(32), to)              # payloads that are none
        s.sendto(marker + header[:24] + struct.pack("!L", 1 << 30) + os.urandom(32), to)
    line = pop.wait_log("invalid IKE header", after=after)
    t.proved(line.split(" ", 2)[2])


def forged(world, pop, good, t):
    """The right SPI, sequence numbers ahead, from the gateway's own address and from another."""
    before, after = state(pop, good), len(pop.log())
    drops = pop.drops()
    (spi,) = {int(x["spi-in"], 16) for sa in pop.charon.vici.sas()[good.name]
              for x in sa["child-sas"].values()}
    raw = world.customer.packets("wan")
    port = int(before[0][1])
    for k in range(200):
        esp = struct.pack("!LL", spi, 1000000 + k) + os.urandom(80)
        for source, sport in ((good.gateway, port), (STRANGER, 4500), (good.gateway, 7777)):
            raw.send(wire.frame(wire.udp(source, sport, w.POP_OUTSIDE, 4500, esp)))
    time.sleep(1)
    expect_equal(state(pop, good), before, "the tunnel")
    seen = pop.drops_since(drops)
    expect_equal(seen, {"esp-forged": 600}, "drops")
    expect("moved" not in pop.log()[after:], "the peer counts as moved:\n" + pop.daemon.log_tail())
    t.proved("600 packets with the right SPI and wrong keys, from the right and from wrong addresses: "
             "all dropped as esp-forged, and neither window nor peer moved")


def main():
    report = Report("ike_refuse")
    good, bad = customers()
    with w.World() as world:
        everybody = [good] + [c for c, _ in bad.values()]
        pop = ike.Pop(world, everybody).start()
        gateway = ike.gateway(world, everybody)
        ike.phones(world, [good])
        world.greet([c.gateway for c in everybody])
        gateway.up(good.children())
        ike.Calls(world, good, 1).result()
        before = state(pop, good)
        calls = ike.Calls(world, good, 200)
        for name, (c, text) in bad.items():
            with report.test(name) as t:
                refused(pop, gateway, c, text, t)
        with report.test("unknown-address") as t:
            stranger(world, pop, gateway, t)
        with report.test("malformed") as t:
            malformed(world, pop, t)
        with report.test("forged-esp") as t:
            forged(world, pop, good, t)
        with report.test("meanwhile") as t:
            result, _ = calls.stop()
            ike.expect_clean(result, "the call that was on")
            expect_equal(state(pop, good), before, "the tunnel that was there")
            t.proved(f"{result['received']} of {result['sent']} packets of a call came back meanwhile, and "
                     "its tunnel is as it was")
    return report.close()
