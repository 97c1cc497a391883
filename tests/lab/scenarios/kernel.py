# SPDX-License-Identifier: BSD-3-Clause
"""Ping, ARP, routes, TTL, path MTU and link state: the PoP as its kernel and its neighbours see it."""
import errno
import socket
import struct
import time

from trunklab import bench, wire
from trunklab import world as w
from trunklab.report import Report, expect, expect_equal


def ping_from(ns, source, target, count=5):
    out = ns.run("ping", "-n", "-q", "-i", "0.05", "-c", str(count), "-W", "2", "-I", source,
                 target)
    expect(f"{count} received" in out, out)
    return float(out.rsplit("= ", 1)[1].split("/")[1])


def ping(b, t):
    outside = ping_from(b.world.customer, w.GATEWAY, w.POP_OUTSIDE)
    inside = ping_from(b.world.platform, w.PLATFORM, w.POP_INSIDE)
    t.proved(f"both sides answer: outside in {outside:.2f} ms, inside in {inside:.2f} ms")


def arp_again(b, t):
    for ns, interface in ((b.world.customer, "wan"), (b.world.platform, "lan")):
        ns.run("ip", "neigh", "flush", "dev", interface)
    ping_from(b.world.customer, w.GATEWAY, w.POP_OUTSIDE, 1)
    ping_from(b.world.platform, w.PLATFORM, w.POP_INSIDE, 1)
    b.still_passes()
    b.world.pop.run("ip", "neigh", "flush", "dev", "inside")
    deadline = time.monotonic() + 5
    while True:  # the kernel resolves it again; the packets until then are the price
        packet = b.rtp()
        b.send_esp(b.inner(packet))
        if wire.receive(b.platform["acme"], 1, 0.3):
            break
        expect(time.monotonic() < deadline, "the platform is not resolved again")
    b.mark()
    b.still_passes()
    expect_equal(b.more(), {}, "drops")
    t.proved("after both sides and the PoP forgot each other, calls go on")


def routes(b, t):
    """What the kernel is told with ip route is what packets do."""
    ip = b.world.pop.run

    def way():
        (r,) = b.daemon.cli("show", "routes", "203.0.113.5")["routes"]
        return r["kind"], r["gateway"]

    def table():
        shown = b.daemon.cli("show", "routes")["routes"]
        return {r["prefix"]: r["kind"] for r in shown if r["prefix"].startswith("203.0.113.")}

    def wait_for(wanted_way, wanted_table):
        deadline = time.monotonic() + 3
        while (way(), table()) != (wanted_way, wanted_table) and time.monotonic() < deadline:
            time.sleep(0.05)
        expect_equal((way(), table()), (wanted_way, wanted_table), "way to 203.0.113.5, routes")

    before = way()
    ip("ip", "route", "add", "203.0.113.0/24", "via", w.PLATFORM)
    wait_for(("neighbour", w.PLATFORM), {"203.0.113.0/24": "neighbour"})
    ip("ip", "route", "add", "203.0.113.4/31", "via", w.GATEWAY)
    wait_for(("neighbour", w.GATEWAY),
             {"203.0.113.0/24": "neighbour", "203.0.113.4/31": "neighbour"})
    ip("ip", "route", "add", "blackhole", "203.0.113.5/32")
    wait_for(("blackhole", None), {"203.0.113.0/24": "neighbour", "203.0.113.4/31": "neighbour",
                                   "203.0.113.5/32": "blackhole"})
    for prefix in ("203.0.113.5/32", "203.0.113.4/31", "203.0.113.0/24"):
        ip("ip", "route", "del", prefix)
    wait_for(before, {})
    t.proved("ip route add and del of /24, /31 and a blackhole are followed within milliseconds")


def transit(b, t):
    """The phone's SIP, say: through the tunnel to the platform and back."""
    server = b.world.platform.udp(w.PLATFORM, 5060)
    for size in (1, 300, 1200):
        data = bytes([size & 255]) * size
        b.send_esp(b.inner(data, sport=5062, dst=w.PLATFORM, dport=5060))
        got = wire.receive(server, 1)
        expect(len(got) == 1 and got[0] == (data, (w.PHONE, 5062)), f"{size} bytes: {got[:1]}")
        server.sendto(data, got[0][1])
        back = esp_back(b, 1)
        expect_equal(wire.udp_parts(back[0]), (w.PLATFORM, 5060, w.PHONE, 5062, data), "answer")
    server.close()
    t.proved("UDP of 1, 300 and 1200 bytes goes through the tunnel to the platform and back")


def esp_back(b, count, who="acme", timeout=3.0):
    """Inner packets of what the PoP sends to who's gateway."""
    tunnel = b.tunnels[who]
    outer = wire.frames_in(
        b.outside, lambda ip: wire.is_esp(ip) and tunnel.seq(ip)[0] == tunnel.spi_from_pop,
        timeout, count)
    expect_equal(len(outer), count, "ESP packets from the PoP")
    return [tunnel.decrypt(ip) for ip in outer]


def icmp_parts(ip):
    """(source, destination, type, code, rest of header, quoted packet); checks the checksum."""
    expect_equal(ip[9], 1, "protocol (ICMP)")
    data = ip[20:]
    expect_equal((wire.checksum(ip[:20]), wire.checksum(data)), (0, 0), "checksums of ICMP error")
    return (socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20]), data[0], data[1],
            struct.unpack_from("!L", data, 4)[0], data[8:])


def ttl(b, t):
    b.mark()
    probe = b.inner(b"x" * 20, dst=w.PLATFORM, dport=33434, ttl=1)
    b.send_esp(probe)
    source, to, kind, code, _, quoted = icmp_parts(esp_back(b, 1)[0])
    expect_equal((to, kind, code), (w.PHONE, 11, 0), "answer to TTL 1 from the tunnel")
    expect(quoted[12:28] == probe[12:28], "quotes the probe")
    b.send_inside(wire.udp(w.PLATFORM, 33000, w.PHONE, 33434, b"y" * 20, ttl=1))
    back = wire.frames_in(b.inside, lambda ip: ip[9] == 1, count=1)
    expect(len(back) == 1, "no answer to TTL 1 from the platform")
    inner_source, to, kind, code, _, _ = icmp_parts(back[0])
    expect_equal((to, kind, code), (w.PLATFORM, 11, 0), "answer to TTL 1 from the platform")
    expect_equal(b.drops({"ip-ttl": 2}), {"ip-ttl": 2}, "drops")
    t.proved(f"TTL 1 is answered from {source} (tunnel) and {inner_source} (platform): "
             "traceroute shows the PoP")


def path_mtu(b, t):
    """DF and too big for the tunnel: ICMP says what fits, and what fits then passes."""
    b.mark()
    data = bytes(1452)  # 1480 bytes of IP
    b.send_inside(wire.udp(w.PLATFORM, 5060, w.PHONE, 5062, data, flags=2))
    back = wire.frames_in(b.inside, lambda ip: ip[9] == 1, count=1)
    expect(len(back) == 1, "no ICMP for a packet that is too big and must not be fragmented")
    _, to, kind, code, mtu, _ = icmp_parts(back[0])
    expect_equal((to, kind, code), (w.PLATFORM, 3, 4), "ICMP fragmentation needed")
    mtu &= 0xFFFF
    expect(1400 <= mtu <= 1446, f"announced MTU {mtu}")  # 1500 - 20 - 8 - 8 - 2 - 16 = 1446
    expect_equal(b.drops({"too-big": 1}), {"too-big": 1}, "drops")
    fits = bytes(mtu - 28)
    wire.drain(b.outside)
    b.send_inside(wire.udp(w.PLATFORM, 5060, w.PHONE, 5062, fits, flags=2))
    expect_equal(wire.udp_parts(esp_back(b, 1)[0])[4], fits, "what fits")
    told = router_says(b, fits, mtu)
    t.proved(f"ICMP announces {mtu}; {mtu} bytes pass in one piece; once a router behind the gateway says 1400, "
             f"{told}, also to the PoP's own kernel")


def router_says(b, fits, before):
    """A router between PoP and gateway has a smaller MTU. Who guesses at SPIs is not believed."""
    tunnel = b.tunnels["acme"]
    wire.drain(b.outside)
    b.send_inside(wire.udp(w.PLATFORM, 5060, w.PHONE, 5062, fits, flags=2))
    (outer,) = wire.frames_in(b.outside, wire.is_esp, count=1)
    wrong = bytearray(outer[:28])
    wrong[20] ^= 1
    for quoted, wanted in ((bytes(wrong), before), (outer[:28], None)):
        b.send(wire.ipv4("198.18.10.77", tunnel.pop, 1, wire.icmp(3, 4, 1400, quoted)))
        time.sleep(0.3)
        b.send_inside(wire.udp(w.PLATFORM, 5060, w.PHONE, 5062, bytes(before - 27), flags=2))
        *_, mtu, _ = icmp_parts(wire.frames_in(b.inside, lambda ip: ip[9] == 1, count=1)[-1])
        mtu &= 0xFFFF
        expect(mtu == wanted if wanted else 1300 < mtu <= 1346, f"announced MTU {mtu}, before {before}")
    b.send_inside(wire.udp(w.PLATFORM, 5060, w.PHONE, 5062, bytes(mtu - 28), flags=2))
    (outer,) = wire.frames_in(b.outside, wire.is_esp, count=1)
    expect(len(outer) <= 1400, f"{len(outer)} bytes outside")
    kernel = b.world.pop.udp("0.0.0.0", 5099)
    kernel.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    kernel.sendto(bytes(before - 28), (w.PHONE, 5062))
    time.sleep(0.3)
    try:
        kernel.sendto(bytes(before - 28), (w.PHONE, 5062))
    except OSError as e:
        expect_equal(e.errno, errno.EMSGSIZE, "what the kernel says")
    else:
        expect(False, "the PoP's kernel has not heard what fits")
    kernel.close()
    return mtu


def fragmentation(b, t):
    """Without DF it is fragmented before encryption, and the peer puts it together."""
    count = 0
    for size in (1419, 1452, 1472):
        data = bytes(range(256)) * 6
        data = data[:size]
        wire.drain(b.outside)
        b.send_inside(wire.udp(w.PLATFORM, 5060, w.PHONE, 5062, data))
        parts = esp_back(b, 2)
        whole = {}
        for part in parts:
            expect_equal(wire.checksum(part[:20]), 0, "checksum of a fragment")
            offset = (struct.unpack_from("!H", part, 6)[0] & 0x1FFF) * 8
            more = part[6] >> 5 & 1
            expect_equal(more, int(offset == 0), f"more-fragments at offset {offset}")
            whole[offset] = part[20:]
        payload = b"".join(whole[k] for k in sorted(whole))
        expect(payload[8:] == data, f"{size} bytes came together wrong")
        count += 1
    t.proved(f"{count} sizes without DF came as two fragments each and are whole again")


def link(b, t):
    def up():
        return {p["name"]: p["up"] for p in b.daemon.cli("show", "ports")["ports"]}

    def wait_for(wanted):
        deadline = time.monotonic() + 5
        while up() != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        expect_equal(up(), wanted, "links")

    wait_for({"outside": True, "inside": True})
    b.world.platform.run("ip", "link", "set", "lan", "down")
    wait_for({"outside": True, "inside": False})
    b.world.platform.run("ip", "link", "set", "lan", "up")
    b.world.platform.run("ip", "route", "replace", "default", "via", w.POP_INSIDE)
    wait_for({"outside": True, "inside": True})
    b.world.greet([x.gateway for x in b.tunnels.values()])
    b.still_passes()
    t.proved("a link that goes down and up is shown, and calls go on afterwards")


def hairpin(b, t):
    """Two calls whose far legs are each other's ports: from acme's phone straight to cbc's."""
    media = w.MEDIA_INSIDE
    b.daemon.cli("call", "add", "left", "--a-media", w.MEDIA_OUTSIDE, "--a-port", "31000",
                 "--a-customer", "acme", "--a-remote", f"{w.PHONE}:14100",
                 "--b-media", media, "--b-port", "32000", "--b-remote", f"{media}:32100")
    b.daemon.cli("call", "add", "right", "--a-media", w.MEDIA_OUTSIDE, "--a-port", "31100",
                 "--a-customer", "cbc", "--a-remote", "192.0.2.130:14100",
                 "--b-media", media, "--b-port", "32100", "--b-remote", f"{media}:32000")
    b.mark()
    for _ in range(20):
        packet = b.rtp()
        b.send_esp(b.inner(packet, sport=14100, dport=31000))
        inner = esp_back(b, 1, "cbc")[0]
        expect_equal(wire.udp_parts(inner), (w.MEDIA_OUTSIDE, 31100, "192.0.2.130", 14100, packet),
                     "what cbc's phone gets")
        packet = b.rtp()
        b.send_esp(b.inner(packet, "cbc", sport=14100, dport=31100), "cbc")
        inner = esp_back(b, 1, "acme")[0]
        expect_equal(wire.udp_parts(inner), (w.MEDIA_OUTSIDE, 31000, w.PHONE, 14100, packet),
                     "what acme's phone gets")
    expect_equal(b.more(), {}, "drops")
    seen = wire.frames_in(b.inside, lambda ip: ip[9] == 17, 0.2)
    expect_equal(len(seen), 0, "packets of the call on the inside link")
    for call in ("left", "right"):
        b.daemon.cli("call", "del", call)
    t.proved("40 packets went from customer to customer, none of them over the inside link")


def rtcp(b, t):
    """RTCP both ways on a fresh call, before any RTP and after, on its own ports and muxed."""
    for mux, ports in ((False, (33000, 34000)), (True, (33100, 34100))):
        name = "mux" if mux else "rtcp"
        remote = b.world.platform.udp(w.PLATFORM, 4100 + (0 if mux else 1))
        b.daemon.cli("call", "add", name, "--a-media", w.MEDIA_OUTSIDE, "--a-port", str(ports[0]),
                     "--a-customer", "acme", "--b-media", w.MEDIA_INSIDE, "--b-port", str(ports[1]),
                     "--b-remote", f"{w.PLATFORM}:4100", *(["--a-mux", "--b-mux"] if mux else []))
        more = 0 if mux else 1
        for number in range(3):
            report = struct.pack("!BBHLLLLLL", 0x80, 200, 6, number, 2, 3, 4, 5, 6)
            b.send_esp(b.inner(report, sport=14200 + more, dport=ports[0] + more))
            got = wire.receive(remote, 1)
            expect_equal(got, [(report, (w.MEDIA_INSIDE, ports[1] + more))], f"{name} in")
            remote.sendto(report, got[0][1])
            inner = esp_back(b, 1)[0]
            expect_equal(wire.udp_parts(inner), (w.MEDIA_OUTSIDE, ports[0] + more, w.PHONE,
                                                 14200 + more, report), f"{name} back")
        remote.close()
        b.daemon.cli("call", "del", name)
    expect_equal(b.more(), {}, "drops")
    t.proved("3 reports each way before any RTP, on ports of their own and muxed; no drops")


TESTS = [("ping", ping), ("arp", arp_again), ("routes", routes), ("transit", transit),
         ("ttl", ttl), ("path-mtu", path_mtu), ("fragmentation", fragmentation),
         ("hairpin", hairpin), ("rtcp", rtcp), ("link", link)]


def main():
    report = Report("kernel")
    with w.World() as world:
        b = bench.Bench(world)
        report.on_failure.append(lambda: print(b.daemon.log_tail()))
        for name, test in TESTS:
            with report.test(name) as t:
                b.mark()
                test(b, t)
    return report.close()
