# SPDX-License-Identifier: BSD-3-Clause
"""IKEv1 and IKEv2 with every suite, group and PFS that customers have: 20 tunnels, ping and RTP each."""
import time

from trunklab import ike
from trunklab import world as w
from trunklab.report import Report, expect

GROUPS = {14: "modp2048", 19: "ecp256", 20: "ecp384"}
IKE = {14: "aes256-sha256-modp2048", 19: "aes128-sha256-ecp256", 20: "aes256-sha384-ecp384"}
ESP = ["aes128gcm16", "aes256gcm16", "aes128-sha1", "aes256-sha1", "aes128-sha256",
       "aes256-sha256", "aes128-sha384", "aes256-sha384"]
SECONDS = 3


def plan():
    """Every ESP suite with either version; groups and PFS in turn, so that each pair of them is there."""
    rows, group = [], [14, 19, 20]
    for version in (2, 1):
        for k, esp in enumerate(ESP):
            rows.append((version, esp, group[(k + version) % 3], (k // 3 + k) % 2 == 0))
    for version in (2, 1):
        rows += [(version, "aes256gcm16", g, not any(
            r == (version, "aes256gcm16", g, True) for r in rows)) for g in (14, 20)]
    return rows


def customers():
    made = []
    for i, (version, esp, group, pfs) in enumerate(plan()):
        made.append(ike.Customer(i, version=version, proposal=IKE[group],
                                 esp=esp + (f"-{GROUPS[group]}" if pfs else "")))
    return made


def rekeyed(gateway, pop, c):
    """PFS shows only in a rekey: the first child of IKEv2 has none."""
    before = {x["spi-in"] for x in gateway.children()[c.name]}
    gateway.vici.request("rekey", {"child": c.name})
    deadline = time.monotonic() + 5 * w.slow()
    while time.monotonic() < deadline:
        new = [x for x in gateway.children().get(c.name, ()) if x["spi-in"] not in before]
        if new:
            return new[0]
        time.sleep(0.1)
    raise ike.Failed(f"{c.name}: no rekey:\n{pop.daemon.log_tail()}")


def main():
    report = Report("ike_suites")
    with w.World() as world, report.test("set-up") as t:
        all_of_them = customers()
        pop = ike.Pop(world, all_of_them).start()
        gateway = ike.gateway(world, all_of_them)
        ike.phones(world, all_of_them)
        world.greet([c.gateway for c in all_of_them])
        started = time.monotonic()
        children = [x for c in all_of_them for x in c.children()]
        gateway.up(children, 30)
        t.proved(f"{len(all_of_them)} tunnels of {len(children)} SA pairs in "
                 f"{time.monotonic() - started:.1f} s")
        for call in [ike.Calls(world, c, 1) for c in all_of_them]:
            call.result()  # legs have latched and neighbours are known before packets count
        calls = [ike.Calls(world, c, SECONDS) for c in all_of_them]
        for c, call in zip(all_of_them, calls):
            with report.test(f"ikev{c.version}-{c.proposal}-{c.esp}") as t2:
                one(world, gateway, pop, c, call, t2)
        drops = {k: v for k, v in pop.daemon.drops().items() if v and not k.startswith("punt")}
        with report.test("drops") as t2:
            expect(not set(drops) - {"no-sa", "neighbour"}, f"drops: {drops}")
            t2.proved(f"nothing was dropped on any of them ({drops or 'no drop at all'})")
    return report.close()


def one(world, gateway, pop, c, call, t):
    ike.expect_clean(call.result(), "RTP")
    child = gateway.children()[c.name][0]
    expect(ike.ping(world.customer, c.phone, w.PLATFORM), "ping from the phone")
    expect(ike.ping(world.platform, w.PLATFORM, c.phone), "ping to the phone")
    again = rekeyed(gateway, pop, c)
    pfs = any(c.esp.endswith(g) for g in GROUPS.values())
    expect(("dh-group" in again) == pfs, f"PFS {pfs}, group {again.get('dh-group')}")
    expect(ike.ping(world.customer, c.phone, w.PLATFORM), "ping after the rekey")
    suite = "-".join(child[k] for k in ("encr-alg", "encr-keysize", "integ-alg") if k in child)
    t.proved(f"{suite}, PFS {again.get('dh-group', 'none')}: RTP and pings both ways, before and "
             "after a rekey")
