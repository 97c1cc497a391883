# SPDX-License-Identifier: BSD-3-Clause
"""Packets: RTP as bytes, frames, and what came out of an interface."""
import select
import socket
import struct
import time

from . import world as w

PACKET_OUTGOING = 4


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(ip, dst=w.MAC["veth-out"], src=w.MAC["wan"], ethertype=0x0800):
    """An Ethernet frame around an IP packet, from the customer's gateway to the PoP by default."""
    return mac(dst) + mac(src) + struct.pack("!H", ethertype) + bytes(ip)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ipv4(src, dst, proto, payload, ttl=64, ident=1, flags=0, offset=0, tos=0, options=b"",
         total=None, version=4, ihl=None, csum=None):
    """An IPv4 packet; every field can be told to lie. offset in bytes."""
    ihl = (20 + len(options)) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, tos, total, ident,
                       flags << 13 | offset // 8, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    csum = checksum(head) if csum is None else csum
    return head[:10] + struct.pack("!H", csum) + head[12:] + payload


def udp(src, sport, dst, dport, payload, length=None, csum=None, **ip):
    """A UDP packet; length and csum can be told to lie."""
    length = 8 + len(payload) if length is None else length
    head = struct.pack("!HHHH", sport, dport, length, 0)
    if csum is None:
        pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 17, length)
        csum = checksum(pseudo + head + payload) or 0xFFFF
    return ipv4(src, dst, 17, head[:6] + struct.pack("!H", csum) + payload, **ip)


def rtp(seq, timestamp, payload, ssrc=0x7E1E, payload_type=0, marker=False, version=2):
    return struct.pack("!BBHLL", version << 6, marker << 7 | payload_type, seq & 0xFFFF,
                       timestamp & 0xFFFFFFFF, ssrc) + payload


def rtp_seq(packet):
    return struct.unpack_from("!H", packet, 2)[0]


def udp_parts(ip):
    """(source, source port, destination, destination port, payload) of an IP/UDP packet; checks
    lengths and both checksums."""
    ihl = (ip[0] & 15) * 4
    total = struct.unpack_from("!H", ip, 2)[0]
    if ip[9] != 17 or total > len(ip) or checksum(ip[:ihl]) != 0:
        raise ValueError("no UDP packet, or a wrong IP header")
    data = ip[ihl:total]
    sport, dport, length, csum = struct.unpack_from("!HHHH", data)
    if length != len(data):
        raise ValueError(f"UDP length {length}, packet has {len(data)}")
    pseudo = ip[12:20] + struct.pack("!BBH", 0, 17, length)
    if csum and checksum(pseudo + data) != 0:
        raise ValueError("wrong UDP checksum")
    return (socket.inet_ntoa(ip[12:16]), sport, socket.inet_ntoa(ip[16:20]), dport, data[8:])


def drain(sock):
    """Throws away what waits in a socket."""
    while select.select([sock], [], [], 0)[0]:
        sock.recvfrom(65535)


def frames_in(sock, wanted, timeout=3.0, count=None):
    """IP packets that came in by a raw socket and for which wanted(ip) is true, until count of them
    are there or the time is over."""
    found = []
    deadline = time.monotonic() + timeout
    while count is None or len(found) < count:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([sock], [], [], left)[0]:
            break
        data, address = sock.recvfrom(65535)
        if address[2] == PACKET_OUTGOING or address[1] != 0x0800:
            continue
        ip = data[14:]
        ip = ip[:struct.unpack_from("!H", ip, 2)[0]]
        if wanted(ip):
            found.append(ip)
    return found


def icmp(kind, code, rest, quoted):
    """An ICMP message; rest is the second word of its header."""
    head = struct.pack("!BBHL", kind, code, 0, rest)
    return head[:2] + struct.pack("!H", checksum(head + quoted)) + head[4:] + quoted


def is_esp(ip):
    return ip[9] == 50 or (ip[9] == 17 and struct.unpack_from("!H", ip, 20)[0] == 4500)


def receive(sock, count, timeout=3.0):
    """Up to count datagrams of a UDP socket, as (payload, (address, port))."""
    found = []
    deadline = time.monotonic() + timeout
    while len(found) < count:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([sock], [], [], left)[0]:
            break
        found.append(sock.recvfrom(65535))
    return found


class Pcap:
    """A capture file of Ethernet frames."""

    def __init__(self, path):
        self.path, self.count = path, 0
        self.f = open(path, "wb")
        self.f.write(struct.pack("=LHHLLLL", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))

    def write(self, ip):
        data = frame(ip)
        now = time.time()
        self.f.write(struct.pack("=LLLL", int(now), int(now % 1 * 1e6), len(data), len(data)) + data)
        self.count += 1

    def close(self):
        self.f.close()
