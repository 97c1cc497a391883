# SPDX-License-Identifier: BSD-3-Clause
"""1,000 tunnels set up by one charon with 1,000 addresses: rate, memory, and no effect on running calls."""
import time

from trunklab import ike
from trunklab import world as w
from trunklab.report import Report, expect, expect_equal

CALLS = 5
MOST_KB = 64  # of each daemon for a tunnel
TABLE = {"ikesa_table_size": 1024, "ikesa_table_segments": 16, "cookie_threshold": 0,
         "block_threshold": 0, "retransmit_tries": 8}
AT_ONCE = 50  # as many as the sockets' buffers hold


def address(net, i):
    return f"198.19.{net + i // 250}.{i % 250 + 1}"


def main():
    report = Report("ike_many")
    many = 200 if w.quick() else 1000
    good = ike.Customer(0, "good", calls=CALLS)
    crowd = [ike.Customer(i, f"m{i}", calls=0, gateway=address(100, i), phone=address(0, i))
             for i in range(many)]
    with w.World() as world, report.test(f"{many}-tunnels") as t:
        pop = ike.Pop(world, [good] + crowd, settings=TABLE)
        pop.daemon.start()
        world.pop.run("ip", "route", "add", "198.19.100.0/22", "via", w.GATEWAY, "dev", "outside")
        loaded = time.monotonic()
        pop.charon_start(60)
        loaded = time.monotonic() - loaded
        ns = world.customer
        ns.run("ip", "-batch", "-", input="".join(
            f"addr add {x}/32 dev lo\n" for c in crowd for x in (c.gateway, c.phone)))
        gateway = ike.gateway(world, [good], settings=TABLE)
        for c in crowd:
            gateway.load(c.name, c.connection(), [c.secret()])
        ike.phones(world, [good])
        world.greet([good.gateway])
        gateway.up(good.children())
        ike.Calls(world, good, 1).result()
        before = pop.daemon.rss_kb(), pop.charon.rss_kb(), pop.drops()
        calls = ike.Calls(world, good, 300)
        time.sleep(1)
        started = time.monotonic()
        for i in range(0, many, AT_ONCE):
            gateway.up([c.name for c in crowd[i:i + AT_ONCE]], 60)
        took = time.monotonic() - started
        time.sleep(1)
        daemon, charon = pop.daemon.rss_kb() - before[0], pop.charon.rss_kb() - before[1]
        result, _ = calls.stop()
        up = sum(map(len, pop.charon.children().values()))
        expect_equal(up, many + 1, "tunnels at the PoP")
        expect(ike.ping(ns, crowd[-1].phone, w.PLATFORM), "the last tunnel carries nothing")
        ike.expect_clean(result, "calls that were on meanwhile")
        seen = pop.drops_since(before[2])
        expect(not seen, f"drops meanwhile: {seen}")
        for name, kb in (("trunklined", daemon), ("charon", charon)):
            expect(kb < MOST_KB * many, f"{name} has grown by {kb} kB for {many} tunnels")
        t.proved(f"{many} tunnels in {took:.1f} s ({many / took:.0f} a second; charon had its "
                 f"connections {loaded:.1f} s after its start); trunklined grew by {daemon / many:.1f} "
                 f"kB a tunnel, charon by {charon / many:.1f} kB; {result['received']} of "
                 f"{result['sent']} packets of {CALLS} calls came back meanwhile")
    return report.close()
