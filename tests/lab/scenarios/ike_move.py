# SPDX-License-Identifier: BSD-3-Clause
"""A gateway moves in mid-call: a NAT gives it another port, and by MOBIKE it takes another address.

                         customer (gateway)           nat                       pop
    the first half:      10.99.0.2 ── inner ── 10.99.0.1 │ wan 198.18.10.2 ───── 198.18.10.1
"""
import time

from trunklab import ike, strongswan
from trunklab import world as w
from trunklab.report import Report, expect

CALLS = 5
MOST = 1.0  # s
OTHER = "198.18.10.77"


def nat_rules(port):
    """The gateway's port 4500 is this one outside. Without connection tracking, which would go on with
    the mapping that it knows; ESP in UDP has no checksum that could be mended."""
    return f"""
    table ip moving {{
        chain out {{
            type filter hook postrouting priority 0;
            ip saddr 10.99.0.2 udp sport 4500 udp sport set {port}
            ip saddr 10.99.0.2 ip saddr set {w.GATEWAY}
        }}
        chain in {{
            type filter hook prerouting priority -300;
            iifname "wan" udp dport {port} udp dport set 4500 ip daddr set 10.99.0.2 udp checksum set 0
            iifname "wan" udp dport 500 ip daddr set 10.99.0.2 udp checksum set 0
        }}
    }}
    """


def behind_nat(world):
    """A namespace for the gateway behind the customer's, which becomes a NAT."""
    inner = w.Namespace("inner")
    world.names["inner"] = inner
    nat = world.customer
    nat.run("nft", "delete", "table", "netdev", "lab")
    w.run("ip", "link", "add", "in0", "netns", nat.name, "type", "veth", "peer", "name", "eth0",
          "netns", inner.name)
    for ns, link, address in ((nat, "in0", "10.99.0.1/24"), (inner, "eth0", "10.99.0.2/24")):
        with ns.entered():
            w.offloads_off(link)
        ns.run("ip", "addr", "add", address, "dev", link)
        ns.run("ip", "link", "set", link, "up")
    inner.run("ip", "route", "add", "default", "via", "10.99.0.1")
    nat.write("/proc/sys/net/ipv4/ip_forward", "1")
    nat.nft(nat_rules(21001))
    return inner


def remap(nat, port):
    """As a NAT that was restarted: the port is another one, and nothing comes in by the old one."""
    nat.nft("delete table ip moving\n" + nat_rules(port))


def calls_through(world, pop, c, move, t, what):
    ike.Calls(world, c, 1).result()
    drops = pop.drops()
    calls = ike.Calls(world, c, 30)
    time.sleep(2)
    seen = len(pop.log())
    move()
    pop.wait_log("moved from", after=seen, timeout=10)
    time.sleep(2)
    expect(calls.running(), "the calls have ended")
    result, gap = calls.stop()
    expect(result["duplicated"] == 0 and result["damaged"] == 0, str(result))
    expect(gap <= MOST, f"{what}: nothing came back for {gap:.2f} s ({result['lost']} packets of "
           f"{CALLS} calls); drops {pop.drops_since(drops)}")
    expect(ike.ping(world.platform, w.PLATFORM, c.phone), "the phone is not reached")
    t.proved(f"{what}: audio was back after {gap:.2f} s, {result['lost']} of {result['sent']} packets "
             f"of {CALLS} calls were lost")


def main():
    report = Report("ike_move")
    with w.World() as world, report.test("mobike") as t:
        c = ike.Customer(0, "two", calls=CALLS, gateway=w.GATEWAY, ike={"mobike": True},
                         gw={"mobike": True, "local_addrs": ["%any"]})
        pop = ike.Pop(world, [c]).start()
        gateway = ike.gateway(world, [c])
        ike.phones(world, [c])
        world.greet([c.gateway])
        gateway.up(c.children())
        ns = world.customer

        def other_address():
            ns.run("ip", "addr", "add", f"{OTHER}/24", "dev", "wan")
            ns.run("sysctl", "-qw", "net.ipv4.conf.wan.promote_secondaries=1")
            ns.run("ip", "addr", "del", f"{w.GATEWAY}/24", "dev", "wan")

        calls_through(world, pop, c, other_address, t, "another address by MOBIKE")
    with w.World() as world, report.test("nat") as t:
        c = ike.Customer(0, "two", calls=CALLS, gateway=w.GATEWAY,
                         gw={"local_addrs": ["10.99.0.2"]})
        pop = ike.Pop(world, [c]).start()
        inner = behind_nat(world)
        gateway = strongswan.gateway(world, namespace=inner)
        ike.gateway_start(gateway, [c])
        world.customer, nat = inner, world.customer
        ike.phones(world, [c])
        world.greet([])
        gateway.up(c.children())
        calls_through(world, pop, c, lambda: remap(nat, 22002), t, "another port by a NAT")
    return report.close()
