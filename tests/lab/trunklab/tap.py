# SPDX-License-Identifier: BSD-3-Clause
"""Listens on interfaces in the background and remembers packets with the kernel's time stamps."""
import socket
import struct
import threading

from .wire import PACKET_OUTGOING

SO_TIMESTAMPNS = 35


class Tap(threading.Thread):
    """Packets of an interface for which wanted(ip, outgoing) is true, as (ns, outgoing, ip)."""

    def __init__(self, namespace, interface, wanted, cooked=False):
        super().__init__(daemon=True)
        kind = socket.SOCK_DGRAM if cooked else socket.SOCK_RAW
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, kind, socket.htons(3))
            self.socket.bind((interface, 3))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.settimeout(0.2)
        self.skip = 0 if cooked else 14
        self.wanted, self.packets, self.ended = wanted, [], False
        self.start()

    def run(self):
        while not self.ended:
            try:
                data, extra, _, address = self.socket.recvmsg(65535, 64)
            except TimeoutError:
                continue
            if address[1] != 0x0800:
                continue
            seconds, ns = struct.unpack("qq", extra[0][2])
            ip, outgoing = data[self.skip:], address[2] == PACKET_OUTGOING
            if self.wanted(ip, outgoing):
                self.packets.append((seconds * 1000000000 + ns, outgoing, ip))

    def stop(self):
        self.ended = True
        self.join()
        self.socket.close()
        return self.packets


class Echo(threading.Thread):
    """A phone that sends back what it hears, on an RTP and its RTCP port."""

    def __init__(self, namespace, address, port):
        super().__init__(daemon=True)
        self.sockets = [namespace.udp(address, port + i, 0.1) for i in (0, 1)]
        self.heard, self.ended = [], False
        self.threads = [threading.Thread(target=self.serve, args=(s, i == 0), daemon=True)
                        for i, s in enumerate(self.sockets)]
        for t in self.threads:
            t.start()

    def serve(self, s, keep):
        while not self.ended:
            try:
                data, peer = s.recvfrom(65535)
            except TimeoutError:
                continue
            if keep:
                self.heard.append(data)
            s.sendto(data, peer)

    def stop(self):
        self.ended = True
        for t in self.threads:
            t.join()
        for s in self.sockets:
            s.close()
