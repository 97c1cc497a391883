# SPDX-License-Identifier: BSD-3-Clause
"""A gateway dies in mid-call: DPD takes its tunnel and routes away. It comes back, and so do its calls."""
import signal
import time

from trunklab import ike
from trunklab import world as w
from trunklab.report import Report, expect, expect_equal

DELAY = 2  # s
RETRANSMITTED = 13.2  # s until charon gives up, as strongswan.py sets it


def routes(pop, customers):
    """Those of the customers' phones."""
    shown = pop.daemon.cli("show", "routes")["routes"]
    return [r for r in shown if any(str(r.get("prefix")) == f"{c.phone}/32" for c in customers)]


def main():
    report = Report("ike_dpd")
    customers = [ike.Customer(0, "two", ike={"dpd_delay": DELAY}),
                 ike.Customer(1, "one", version=1, ike={"dpd_delay": DELAY, "dpd_timeout": 8})]
    with w.World() as world:
        pop = ike.Pop(world, customers).start()
        gateway = ike.gateway(world, customers)
        ike.phones(world, customers)
        world.greet([c.gateway for c in customers])
        gateway.up(ike.children(customers))
        for call in [ike.Calls(world, c, 1) for c in customers]:
            call.result()
        calls = [ike.Calls(world, c, 100) for c in customers]
        time.sleep(1)
        with report.test("gone") as t:
            expect_equal(sum(map(len, pop.charon.children().values())), 3, "tunnels")
            expect_equal(len(routes(pop, customers)), 2, "routes to the phones")
            gateway.kill(signal.SIGKILL)
            took = ike.until("DPD", lambda: not pop.charon.children() and not routes(pop, customers),
                             DELAY + RETRANSMITTED + 5)
            for c in customers:
                expect(not ike.ping(world.platform, w.PLATFORM, c.phone, 1), "a phone answers")
            t.proved(f"{took:.1f} s after the gateways had died their tunnels and the routes to their "
                     f"phones were gone (dpd_delay {DELAY} s)")
        with report.test("back") as t:
            ike.gateway_start(gateway, customers)
            ike.phones(world, customers)
            gateway.up(ike.children(customers))
            took = ike.until("traffic", lambda: ike.all_reached(world, customers), 10)
            time.sleep(1)
            before = [c.name for c, x in zip(customers, calls) if not x.running()]
            expect(not before, f"calls of {before} have ended")
            for c, x in zip(customers, calls):
                result, _ = x.stop()
                # While there is no gateway its phones can send nothing: what counts is from before and after.
                expect(result["send_errors"] > 0 and result["received"] > 75
                       and result["duplicated"] == 0, f"{c.name}: {result}")
            t.proved(f"the gateways came back and nobody did anything at the PoP: traffic after "
                     f"{took:.1f} s, and the calls that were on went on")
    return report.close()
