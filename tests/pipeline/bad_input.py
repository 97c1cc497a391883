# SPDX-License-Identifier: BSD-3-Clause
"""Frames, IP, UDP, fragments and RTP that are wrong, each dropped by its name."""
import os
import struct
import time

from trunklab import bench, wire
from trunklab import world as w
from trunklab.report import expect, expect_equal

GW, POP = w.GATEWAY, w.POP_OUTSIDE


# ---- frames and IP ----

def truncated_frames(b):
    """The frame ends before its IP packet does, at every length from the Ethernet header on."""
    whole = wire.frame(b.acme.encrypt(b.inner()))
    b.whole = len(whole) - 14
    for length in range(14, len(whole)):
        b.outside.send(whole[:length])
        if length % 32 == 0:
            time.sleep(0.002)
    return f"every length from 14 to {len(whole) - 1}"


def other_hosts(b):
    b.outside.send(wire.frame(b.acme.encrypt(b.inner()), dst="02:54:4c:99:99:99"))


def ethertypes(b):
    for ethertype in (0x8847, 0x88CC, 0x9000, 0x0101):
        b.outside.send(wire.frame(bytes(60), ethertype=ethertype))


def vlans(b):
    good = b.acme.encrypt(b.inner())
    for vid in (1, 100, 4094):
        b.outside.send(wire.frame(struct.pack("!HH", vid, 0x0800) + good, ethertype=0x8100))


def ip_headers(b):
    esp = b.acme.encrypt(b.inner())[20:]
    b.send(wire.ipv4(GW, POP, 50, esp, version=5))
    b.send(wire.ipv4(GW, POP, 50, esp, version=0))
    b.send(wire.ipv4(GW, POP, 50, esp, ihl=4))
    b.send(wire.ipv4(GW, POP, 50, esp, ihl=0))
    b.send(wire.ipv4(GW, POP, 50, esp, total=19))
    b.send(wire.ipv4(GW, POP, 50, esp, total=0))
    b.send(wire.ipv4(GW, POP, 50, esp, ihl=15, total=40))


def total_length_lies(b):
    esp = b.acme.encrypt(b.inner())[20:]
    for more in (1, 100, 60000):
        b.send(wire.ipv4(GW, POP, 50, esp, total=20 + len(esp) + more))


def ip_checksums(b):
    good = b.acme.encrypt(b.inner())
    for at, bit in ((10, 1), (11, 0x80), (8, 1), (1, 4)):
        bad = bytearray(good)
        bad[at] ^= bit
        b.send(bytes(bad))


def ip_options(b):
    esp = b.acme.encrypt(b.inner())[20:]
    b.send(wire.ipv4(GW, POP, 50, esp, options=b"\x01\x01\x01\x00"))
    b.send(wire.ipv4(GW, POP, 50, esp, options=bytes([131, 11, 4]) + bytes(9)))
    b.send(wire.ipv4(GW, POP, 50, esp, options=bytes(40)))


def ip_sources(b):
    esp = b.acme.encrypt(b.inner())[20:]
    for src in ("224.0.0.5", "255.255.255.255", "127.0.0.1", "0.0.0.0", "240.0.0.1"):
        b.send(wire.ipv4(src, POP, 50, esp))


def transit(b):
    """From outside to the platform without a tunnel."""
    b.send(wire.udp(GW, 1, w.PLATFORM, bench.PLATFORM_PORT, b"\x80" * 20))
    b.send(wire.udp(GW, 1, "203.0.113.1", 53, b"x"))
    b.send(wire.udp(w.PHONE, 1, w.PLATFORM, bench.PLATFORM_PORT, b"\x80" * 20))


# ---- UDP and RTP, in the clear on the inside, where leg b is ----

def media(b, payload, sport=bench.PLATFORM_PORT, dport=bench.PORT_B, **kw):
    return wire.udp(w.PLATFORM, sport, w.MEDIA_INSIDE, dport, payload, **kw)


def udp_lengths(b):
    packet = wire.rtp(1, 1, bytes(160))
    for length in (0, 7, 8 + 173, 8 + 300, 65535):
        b.send_inside(media(b, packet, length=length, csum=0))
    for n in range(8):  # less than a UDP header
        b.send_inside(wire.ipv4(w.PLATFORM, w.MEDIA_INSIDE, 17, bytes(n)))


def no_call(b):
    for dport in (10998, 20010, 59998, 59999):
        b.send_inside(media(b, wire.rtp(1, 1, bytes(160)), dport=dport))
    b.send_esp(b.inner(dport=30000))


def rtp_versions(b):
    """First byte by RFC 7983: 128..191 is RTP, 0..3 STUN, 16..19 ZRTP, 20..63 DTLS, 64..79 TURN."""
    for first in (4, 10, 15, 80, 96, 127, 192, 255):
        b.send_inside(media(b, bytes([first]) + bytes(171)))
    for first in (0, 3, 16, 20, 63, 64, 79):
        b.send_inside(media(b, bytes([first]) + bytes(171)))


def rtp_truncated(b):
    whole = wire.rtp(1, 1, b"")
    for n in range(12):
        b.send_inside(media(b, whole[:n]))
    b.send_inside(media(b, b"\x8f" + whole[1:] + bytes(59)))  # 15 CSRCs need 60
    b.send_inside(media(b, b"\x90" + whole[1:] + b"\0\0\0"))  # extension without its header
    b.send_inside(media(b, b"\x90" + whole[1:] + b"\0\0\0\x28" + bytes(159)))  # 40 words: 160
    b.send_inside(media(b, b"\xa0" + whole[1:] + bytes(159) + b"\xff"))  # padding: more than all
    b.send_inside(media(b, b"\xa0" + whole[1:] + bytes(160)))  # padding of 0


def rtcp_truncated(b):
    good = struct.pack("!BBHLLLLLL", 0x80, 200, 6, 1, 2, 3, 4, 5, 6)
    to = {"dport": bench.PORT_B + 1, "sport": bench.PLATFORM_PORT + 1}
    b.send_inside(media(b, b"", **to))
    b.send_inside(media(b, good[:2], **to))
    b.send_inside(media(b, good[:27], **to))
    b.send_inside(media(b, good + b"\x80\xca\0", **to))  # a second one that is cut
    b.send_inside(media(b, good + b"\x80\xca\xff\xff\0\0\0\0", **to))
    b.send_inside(media(b, b"\x81" + good[1:], **to))  # says that it has a report block


def wrong_port_kind(b):
    b.send_inside(media(b, wire.rtp(1, 1, bytes(160)), dport=bench.PORT_B + 1))
    rtcp = struct.pack("!BBHLLLLLL", 0x80, 200, 6, 1, 2, 3, 4, 5, 6)
    b.send_inside(media(b, rtcp))


def wrong_rtp_source(b):
    """The leg knows its peer: others are refused, whatever they send."""
    b.send_inside(media(b, wire.rtp(1, 1, bytes(160)), sport=4444))
    b.send_inside(wire.udp("198.18.20.77", bench.PLATFORM_PORT, w.MEDIA_INSIDE, bench.PORT_B,
                           wire.rtp(1, 1, bytes(160))))
    b.send_esp(b.inner(wire.rtp(1, 1, bytes(160)), sport=14444))
    b.send_esp(b.inner(wire.rtp(1, 1, bytes(160)), src="192.0.2.11"))


def wrong_customer(b):
    """A customer's call is reached through that customer's tunnel only."""
    b.send_esp(b.inner(dport=bench.PORT_A + 2))  # acme to cbc's leg
    b.send_esp(b.inner(dst=w.MEDIA_INSIDE, dport=bench.PORT_B))  # to a leg of no customer
    b.send(wire.udp(w.PHONE, 14000, w.MEDIA_OUTSIDE, bench.PORT_A, wire.rtp(1, 1, bytes(160))))
    b.send_inside(wire.udp(w.PHONE, 14000, w.MEDIA_OUTSIDE, bench.PORT_A,
                           wire.rtp(1, 1, bytes(160))))


# ---- fragments of an outer ESP packet ----

def pieces(ip, cuts, ident=77):
    """Fragments of an IP packet, its payload cut at these offsets."""
    payload = ip[20:]
    src, dst = ".".join(map(str, ip[12:16])), ".".join(map(str, ip[16:20]))
    edges = [0, *cuts, len(payload)]
    return [wire.ipv4(src, dst, ip[9], payload[a:z], ident=ident, offset=a,
                      flags=0 if z == len(payload) else 1) for a, z in zip(edges, edges[1:])]


def big(b, who="acme"):
    packet = b.rtp(1200)
    return packet, b.tunnels[who].encrypt(b.inner(packet, who))


def good_fragments(b):
    count = 0
    for who in ("acme", "nat"):
        for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)):
            packet, outer = big(b, who)
            parts = pieces(outer, (400, 800), ident=100 + count)
            for i in order:
                b.send(parts[i])
            got = wire.receive(b.platform[who], 1)
            expect(len(got) == 1 and got[0][0] == packet, f"order {order} of {who}")
            count += 1
    return f"{count} packets in three fragments, in four orders, plain and in UDP, came together"


def tiny_fragments(b):
    _, outer = big(b)
    for part in pieces(outer, range(8, 8 * 10, 8), ident=300)[:-1]:
        b.send(part)
    b.send(wire.ipv4(GW, POP, 50, bytes(301), ident=301, flags=1))  # no multiple of 8


def duplicate_fragments(b):
    packet, outer = big(b)
    a, m, z = pieces(outer, (400, 800), ident=310)
    for part in (a, a, m, m):
        b.send(part)
    b.send(z)
    got = wire.receive(b.platform["acme"], 1)
    expect(len(got) == 1 and got[0][0] == packet, "a datagram whose fragments came twice")


def overlapping_fragments(b):
    _, outer = big(b)
    parts = pieces(outer, (400, 800), ident=320)
    evil = wire.ipv4(GW, POP, 50, os.urandom(400), ident=320, offset=392, flags=1)
    b.send(parts[0])
    b.send(evil)
    time.sleep(0.05)
    b.send(parts[1])
    b.send(parts[2])
    expect_equal(wire.receive(b.platform["acme"], 1, 0.5), [], "what came of an overlap")


def too_many_fragments(b):
    """More than 16 fragments of one datagram."""
    for i in range(17):
        b.send(wire.ipv4(GW, POP, 50, bytes(256), ident=330, offset=256 * i, flags=1))
        time.sleep(0.001)


def fragment_flood(b):
    """More datagrams at once than are kept: the oldest give way, memory does not grow."""
    for i in range(600):
        b.send(wire.ipv4(GW, POP, 50, bytes(256), ident=1000 + i, flags=1))
        if i % 16 == 0:
            time.sleep(0.002)


def fragment_flood_wanted(b):
    """Kept ones time out a while later; all that were sent are accounted for."""
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        more = b.more()
        if sum(more.values()) >= 600:
            break
        time.sleep(0.1)
    expect(set(more) == {"frag-too-many", "frag-timeout"} and sum(more.values()) == 600,
           f"drops {more}")
    return more


def odd_fragments(b):
    """Fragments of what is not put together here, and for others."""
    b.send(wire.ipv4(GW, "203.0.113.1", 17, bytes(256), ident=340, flags=1))
    b.send_inside(wire.ipv4(w.PLATFORM, w.PHONE, 17, bytes(256), ident=341, flags=1))


def beyond_the_end(b):
    """A fragment that would end beyond 65,535 bytes."""
    b.send(wire.ipv4(GW, POP, 50, bytes(800), ident=350, offset=65512, flags=1))


CASES = [
    ("truncated-frames", truncated_frames, lambda b: {"ip-truncated": b.whole}),
    ("other-hosts", other_hosts, {"not-for-us": 1}),
    ("ethertypes", ethertypes, {"ethertype": 4}),
    ("vlans", vlans, {"vlan-unknown": 3}),
    ("ip-header", ip_headers, {"ip-header": 7}),
    ("total-length-lies", total_length_lies, {"ip-truncated": 3}),
    ("ip-checksum", ip_checksums, {"ip-checksum": 4}),
    ("ip-options", ip_options, {"ip-options": 3}),
    ("ip-source", ip_sources, {"ip-source": 5}),
    ("transit-denied", transit, {"transit-denied": 3}),
    ("udp-length-lies", udp_lengths, {"udp-truncated": 13}),
    ("no-call", no_call, {"no-call": 5}),
    ("rtp-version", rtp_versions, {"rtp-version": 8, "rtp-other": 7}),
    ("rtp-truncated", rtp_truncated, {"rtp-truncated": 17}),
    ("rtcp-truncated", rtcp_truncated, {"rtp-truncated": 6}),
    ("rtp-on-rtcp-port", wrong_port_kind, {"rtp-port": 2}),
    ("rtp-source", wrong_rtp_source, {"rtp-source": 4}),
    ("wrong-customer", wrong_customer, {"rtp-customer": 4}),
    ("fragments-good", good_fragments, {}),
    ("fragments-tiny", tiny_fragments, {"frag-tiny": 10}),
    ("fragments-twice", duplicate_fragments, {"frag-overlap": 2}),
    ("fragments-overlapping", overlapping_fragments, {"frag-overlap": 4}),
    ("fragments-too-many", too_many_fragments, {"frag-too-many": 17}),
    ("fragments-flood", fragment_flood, fragment_flood_wanted),
    ("fragments-odd", odd_fragments, {"fragment": 2}),
    ("fragments-beyond-end", beyond_the_end, {"frag-too-big": 1}),
]


def main():
    return bench.run("bad_input", CASES)
