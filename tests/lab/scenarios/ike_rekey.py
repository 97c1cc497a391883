# SPDX-License-Identifier: BSD-3-Clause
"""50 calls while their IKE and child SAs are rekeyed from either side every few seconds, IKEv1 and IKEv2."""
import time

from trunklab import ike
from trunklab import world as w
from trunklab.report import Failed, Report, expect

CALLS = 25  # of each of the two
PERIOD = 1.5


def newest(charon, c, kind):
    """Number and SPIs of the customer's newest SA: an older one may be there for a while."""
    found = []
    for sa in charon.vici.sas().get(c.name, ()):
        if sa["state"] == "ESTABLISHED" and kind == "ike":
            found.append((int(sa["uniqueid"]), sa["initiator-spi"] + sa["responder-spi"]))
        if kind == "child":
            found += [(int(x["uniqueid"]), x["spi-in"]) for x in sa["child-sas"].values()
                      if x["name"] in (c.name, "net") and x["state"] == "INSTALLED"]
    return max(found, default=(0, ""))


def rekey_all(gateway, pop, customers, calls):
    """What is rekeyed changes in turn: child or IKE SA, by the gateway or by the PoP."""
    done = {c.name: {"child": 0, "ike": 0} for c in customers}
    turns = [(kind, side) for kind in ("child", "ike") for side in (gateway, pop.charon)]
    turn = 0
    while any(x.running() for x in calls):
        kind, side = turns[turn % len(turns)]
        turn += 1
        before = {c: newest(side, c, kind) for c in customers}
        for c in customers:
            if before[c][0]:  # the one before is done
                side.vici.request("rekey", {kind + "-id": before[c][0]})
        time.sleep(PERIOD)
        for c in customers:
            done[c.name][kind] += newest(side, c, kind)[1] != before[c][1]
    return turn, done


def main():
    report = Report("ike_rekey")
    seconds = 20 if w.quick() else 120
    with w.World() as world, report.test("50-calls") as t:
        # With a lifetime, as everybody has one: without, charon deletes an IKEv1 SA as soon as it is replaced.
        hour = {"gw_child": {"rekey_time": 3600}}
        customers = [ike.Customer(0, "two", calls=CALLS, esp="aes256gcm16-ecp256", **hour),
                     ike.Customer(1, "one", version=1, calls=CALLS, esp="aes256-sha256-ecp256",
                                  **hour)]
        pop = ike.Pop(world, customers).start()
        gateway = ike.gateway(world, customers)
        ike.phones(world, customers)
        world.greet([c.gateway for c in customers])
        gateway.up([x for c in customers for x in c.children()])
        for call in [ike.Calls(world, c, 1) for c in customers]:
            call.result()
        before = pop.drops()
        calls = [ike.Calls(world, c, seconds) for c in customers]
        turns, done = rekey_all(gateway, pop, customers, calls)
        results = [x.result() for x in calls]
        drops = pop.drops_since(before)
        ports = [{k: v for k, v in p.items() if k in ("rx_missed", "rx_nombuf", "tx_errors") and v}
                 for p in pop.daemon.cli("show", "ports")["ports"]]
        for c, r in zip(customers, results):
            try:
                ike.expect_clean(r, f"IKEv{c.version}")
            except Failed as e:
                raise Failed(f"{e}; rekeys {done}; drops {drops}; ports {ports}; "
                             f"lost in the gateway's kernel: {ike.gateway_lost(world)}; {results}") from e
            rekeys = done[c.name]["child"] + done[c.name]["ike"]
            expect(rekeys >= 0.8 * turns, f"IKEv{c.version}: only {done[c.name]} in {turns} turns")
        expect(not drops, f"drops: {drops}")
        t.proved("; ".join(
            f"IKEv{c.version}: {r['received']} of {r['sent']} packets came back once through "
            f"{done[c.name]['child']} rekeys of the child SA and {done[c.name]['ike']} of the IKE SA, "
            f"from either side in turn, round trip p99 {r['rtt_us']['p99'] / 1000:.1f} ms"
            for c, r in zip(customers, results)))
    return report.close()
