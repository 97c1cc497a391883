#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A customer's VPN gateway of static keys, with scapy's IPsec on a TUN interface.

    phones ── kernel ── tun0 ── this program ── wan ══ ESP ══ PoP

    scapy_gateway.py FILE    FILE: what Tunnel.save() wrote, with "tun" and "wan" interface names

Runs in the customer's namespace, says "ready" and on SIGTERM prints one line of JSON with what it
did. A few hundred packets a second; it shares no code with Trunkline.
"""
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from trunklab.esp import Tunnel  # noqa: E402

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001


def tun_open(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return fd


class Gateway:
    def __init__(self, spec):
        self.tunnel = Tunnel.restore(spec)
        self.tun = tun_open(spec["tun"])
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        # every protocol: such a socket sees packets before the nft hook that hides them from the
        # kernel, one for IPv4 only would come after it
        self.wan = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.wan.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.wan.bind((spec["wan"], 3))
        self.count = {"encrypted": 0, "decrypted": 0, "bad": 0, "out_of_order": 0, "gaps": 0}
        self.last_seq = None
        self.errors = []

    def from_phones(self):
        try:
            inner = os.read(self.tun, 65535)
        except BlockingIOError:
            return
        if inner[0] >> 4 != 4:
            return
        outer = self.tunnel.encrypt(inner)
        self.raw.sendto(outer, (self.tunnel.pop, 0))
        self.count["encrypted"] += 1

    def from_pop(self):
        outer, address = self.wan.recvfrom(65535)
        if address[2] == 4 or address[1] != 0x0800 or not self.ours(outer):
            return
        outer = outer[:struct.unpack_from("!H", outer, 2)[0]]
        try:
            inner = self.tunnel.decrypt(outer)
        except Exception as e:  # whatever is wrong with it, it is a bad packet
            self.count["bad"] += 1
            self.errors.append(f"{type(e).__name__}: {e}"[:200])
            return
        seq = self.tunnel.seq(outer)[1]
        if self.last_seq is not None:
            self.count["out_of_order"] += seq <= self.last_seq
            self.count["gaps"] += seq > self.last_seq + 1
        self.last_seq = seq
        self.count["decrypted"] += 1
        os.write(self.tun, inner)

    def ours(self, ip):
        if ip[9] == 50:
            return not self.tunnel.udp
        return ip[9] == 17 and self.tunnel.udp and struct.unpack_from("!H", ip, 20)[0] == 4500

    def run(self):
        poller = select.poll()
        poller.register(self.tun, select.POLLIN)
        poller.register(self.wan, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == self.tun:
                    self.from_phones()
                else:
                    self.from_pop()


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        spec = json.load(f)
    gateway = Gateway(spec)

    def finish(*_):
        print(json.dumps({**gateway.count, "errors": gateway.errors[:3]}), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    print("ready", flush=True)
    gateway.run()


if __name__ == "__main__":
    main()
