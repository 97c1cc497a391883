# SPDX-License-Identifier: BSD-3-Clause
"""ESP that is wrong: truncated, forged, replayed, unknown, badly padded; each has its drop."""
import os
import struct
import time

from trunklab import bench, wire
from trunklab import world as w
from trunklab.report import expect_equal


def truncated(b):
    """Every length below a valid packet's, in outer packets that are sound."""
    whole = b.acme.encrypt(b.inner())
    b.whole = len(whole) - 20
    for length in range(b.whole):
        b.send(wire.ipv4(b.acme.gateway, b.acme.pop, 50, whole[20:20 + length]))
        if length % 32 == 0:
            time.sleep(0.002)
    return f"every length from 0 to {b.whole - 1}"


def truncated_wanted(b):
    """GCM: SPI, number, IV, one block of 4, ICV of 16; then multiples of 4. The rest is forged."""
    short = sum(1 for n in range(b.whole) if n < 36 or n % 4)
    return {"esp-truncated": short, "esp-forged": b.whole - short}


def truncated_cbc(b):
    whole = b.cbc.encrypt(b.inner(who="cbc"))
    b.whole = len(whole) - 20
    for length in range(b.whole):
        b.send(wire.ipv4(b.cbc.gateway, b.cbc.pop, 50, whole[20:20 + length]))
        if length % 32 == 0:
            time.sleep(0.002)
    return f"every length from 0 to {b.whole - 1}"


def truncated_cbc_wanted(b):
    """CBC with SHA-256: SPI, number, IV of 16, blocks of 16, ICV of 16."""
    short = sum(1 for n in range(b.whole) if n < 56 or (n - 40) % 16)
    return {"esp-truncated": short, "esp-forged": b.whole - short}


def truncated_udp(b):
    """ESP in UDP with less than an ESP header, and the keepalive that RFC 3948 allows."""
    for payload in (b"", b"\x01", b"\0\0\x10", b"\0\0\x10\x03", b"\0\0\x10\x03\0\0\0"):
        b.send(wire.udp(b.nat.gateway, 4500, b.nat.pop, 4500, payload, csum=0))
    b.send(wire.udp(b.nat.gateway, 4500, b.nat.pop, 4500, b"\xff", csum=0))


def forged(b):
    """One bit wrong: in the sequence number, the IV, the ciphertext, the ICV."""
    for at in (27, 28, 35, 36, 60, 150, -17, -16, -1):
        outer = bytearray(b.acme.encrypt(b.inner()))
        outer[at] ^= 1
        b.send(bytes(outer))
    for at in (28, 43, 44, 100, -17, -16, -1):
        outer = bytearray(b.cbc.encrypt(b.inner(who="cbc")))
        outer[at] ^= 0x80
        b.send(bytes(outer))


def forged_far_ahead(b):
    """A forged packet with a huge sequence number must not move the window."""
    outer = bytearray(b.acme.encrypt(b.inner(), seq_num=0x7FFFFFFF))
    outer[-1] ^= 1
    b.send(bytes(outer))


def replayed(b):
    top = b.acme.out.seq_num + 100
    for seq in range(top, top + 5):
        b.send_esp(b.inner(), seq_num=seq)
    expect_equal(len(wire.receive(b.platform["acme"], 5)), 5, "fresh packets that passed")
    for seq in [*range(top, top + 5), top + 4 - 64, top - 90, 1]:  # seen, or left of the window
        b.send_esp(b.inner(), seq_num=seq)
    b.acme.out.seq_num = top + 10


def replayed_in_a_burst(b):
    top = b.acme.out.seq_num + 10
    frames = [wire.frame(b.acme.encrypt(b.inner(), seq_num=top + i // 2)) for i in range(40)]
    for f in frames:
        b.outside.send(f)
    expect_equal(len(wire.receive(b.platform["acme"], 21, 1.0)), 20, "of 20 numbers sent twice")
    b.acme.out.seq_num = top + 50


def window_edges(b):
    """Late packets within the window of 64 pass once, in any order."""
    top = b.acme.out.seq_num + 200
    order = [top, top - 63, top - 1, top - 62, top - 30]
    for seq in order:
        b.send_esp(b.inner(), seq_num=seq)
    expect_equal(len(wire.receive(b.platform["acme"], len(order))), len(order),
                 "late packets within the window that passed")
    b.send_esp(b.inner(), seq_num=top - 64)
    b.send_esp(b.inner(), seq_num=top - 63)
    b.acme.out.seq_num = top + 1


def sequence_zero(b):
    outer = bytearray(b.plaintext("acme", b"\x45" + bytes(61) + b"\0\x04", seq=1))
    struct.pack_into("!L", outer, 24, 0)
    b.send(bytes(outer))


def unknown_spi(b):
    outer = bytearray(b.acme.encrypt(b.inner()))
    for spi in (1, 255, 256, 0x9999, 0x11001, 0xFFFF1001, 0xFFFFFFFF):
        struct.pack_into("!L", outer, 20, spi)
        b.send(bytes(outer))


def wrong_encapsulation(b):
    outer = b.acme.encrypt(b.inner())
    b.send(wire.udp(b.acme.gateway, 4500, b.acme.pop, 4500, outer[20:], csum=0))
    outer = b.nat.encrypt(b.inner(who="nat"))
    b.send(wire.ipv4(b.nat.gateway, b.nat.pop, 50, outer[28:]))


def padded(inner, padding, pad_len=None, next_header=4):
    return inner + padding + bytes([len(padding) if pad_len is None else pad_len, next_header])


def bad_padding(b):
    inner = b.inner(wire.rtp(1, 1, bytes(160)))  # 200 bytes: 200 + 2 + 2 = 204
    b.send(b.plaintext("acme", padded(inner, b"\0\0")))
    b.send(b.plaintext("acme", padded(inner, b"\x02\x01")))
    b.send(b.plaintext("acme", padded(inner, bytes([*range(1, 10), 99]))))
    b.send(b.plaintext("acme", padded(inner, b"\x01\x02", pad_len=255)))  # longer than all
    b.send(b.plaintext("acme", padded(inner, b"\x01\x02", pad_len=204)))
    inner = b.inner(wire.rtp(1, 1, bytes(152)), who="cbc")  # 192
    b.send(b.plaintext("cbc", padded(inner, bytes(14))))


def long_padding_passes(b):
    """Padding up to 255 bytes is legal (RFC 4303 section 2.4), and so is TFC padding behind the
    inner packet (section 2.7)."""
    packets = []
    for n in (2, 6, 10, 126, 254):
        packets.append(b.rtp())
        b.send(b.plaintext("acme", padded(b.inner(packets[-1]), bytes(range(1, n + 1)))))
    for extra in (4, 100, 400):
        packets.append(b.rtp())
        b.send(b.plaintext("acme", padded(b.inner(packets[-1]) + os.urandom(extra), b"\x01\x02")))
    got = [g[0] for g in wire.receive(b.platform["acme"], len(packets))]
    expect_equal(got == packets, True, "legally padded packets pass")
    return "8 packets with up to 254 bytes of padding and 400 of TFC padding pass"


def dummies(b):
    for n in (2, 62, 1002):
        b.send(b.plaintext("acme", padded(os.urandom(n), b"", next_header=59)))


def next_headers(b):
    inner = b.inner(wire.rtp(1, 1, bytes(160)))
    for next_header in (0, 1, 6, 17, 41, 50, 255):
        b.send(b.plaintext("acme", padded(inner, b"\x01\x02", next_header=next_header)))


def bad_inner(b):
    good = b.inner(wire.rtp(1, 1, bytes(160)))

    def change(at, value):
        bad = bytearray(good)
        bad[at:at + len(value)] = value
        return bytes(bad)

    for inner in (change(0, b"\x65"), change(0, b"\x44"), change(0, b"\x05"),
                  change(2, struct.pack("!H", 201)), change(2, struct.pack("!H", 65535)),
                  change(2, struct.pack("!H", 19)), change(2, b"\0\0")):
        b.send(b.plaintext("acme", padded(inner, b"\x01\x02")))
    for n in (2, 6, 18):  # not even a header
        b.send(b.plaintext("acme", padded(b"\x45" + bytes(n - 1), b"")))


def inner_options(b):
    b.send_esp(b.inner(options=b"\x01\x01\x01\x00"))
    b.send_esp(b.inner(options=b"\x83\x07\x04\xc0\x00\x02\x01\x00"))  # loose source route


def wrong_selectors(b):
    """Authentic packets with addresses that are not this tunnel's."""
    b.send_esp(b.inner(src="192.0.2.130"))  # another customer's phone
    b.send_esp(b.inner(src="203.0.113.9"))
    b.send_esp(b.inner(src=w.PLATFORM))
    b.send_esp(b.inner(src=w.MEDIA_INSIDE))
    b.send_esp(b.inner(dst="203.0.113.9"))  # local_nets are 198.18.0.0/16
    b.send_esp(b.inner(who="cbc", src=w.PHONE), "cbc")


def not_allowed(b):
    """What the tunnel may carry but the customer's allow-list does not name."""
    b.send_esp(b.inner(dst="198.18.99.1"))
    b.send_esp(b.inner(dst=w.POP_OUTSIDE, dport=22))


def ecn_mangled(b):
    """Outer CE on an inner packet that can't carry it (RFC 6040)."""
    outer = bytearray(b.acme.encrypt(b.inner()))
    outer[1] |= 3
    struct.pack_into("!H", outer, 10, 0)
    struct.pack_into("!H", outer, 10, wire.checksum(bytes(outer[:20])))
    b.send(bytes(outer))


CASES = [
    ("truncated-gcm", truncated, truncated_wanted),
    ("truncated-cbc", truncated_cbc, truncated_cbc_wanted),
    ("truncated-udp", truncated_udp, {"esp-truncated": 5, "nat-keepalive": 1}),
    ("forged", forged, {"esp-forged": 16}),
    ("forged-far-ahead", forged_far_ahead, {"esp-forged": 1}),
    ("replayed", replayed, {"esp-replayed": 8}),
    ("replayed-in-a-burst", replayed_in_a_burst, {"esp-replayed": 20}),
    ("window-edges", window_edges, {"esp-replayed": 2}),
    ("sequence-zero", sequence_zero, {"esp-replayed": 1}),
    ("unknown-spi", unknown_spi, {"spi-unknown": 7}),
    ("wrong-encapsulation", wrong_encapsulation, {"sa-mode": 2}),
    ("bad-padding", bad_padding, {"esp-padding": 6}),
    ("long-padding-passes", long_padding_passes, {}),
    ("dummy-packets", dummies, {"esp-dummy": 3}),
    ("next-header", next_headers, {"esp-next-header": 7}),
    ("bad-inner", bad_inner, {"esp-inner": 10}),
    ("inner-options", inner_options, {"ip-options": 2}),
    ("wrong-selectors", wrong_selectors, {"selector": 6}),
    ("not-allowed", not_allowed, {"not-allowed": 2}),
    ("ecn", ecn_mangled, {"ecn": 1}),
]


def main():
    return bench.run("bad_esp", CASES)
