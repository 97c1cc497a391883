# SPDX-License-Identifier: BSD-3-Clause
"""A client of strongSwan's VICI (its README.md in src/libcharon/plugins/vici describes the bytes)."""
import socket
import struct
import time

from .report import Failed

REQUEST, RESPONSE, UNKNOWN, REGISTER, _, CONFIRM, EVENT_UNKNOWN, EVENT = range(8)
SECTION, SECTION_END, VALUE, LIST, ITEM, LIST_END = range(1, 7)


def pack(message):
    """A dictionary of strings, lists and dictionaries as VICI's elements."""
    out = b""
    for key, value in message.items():
        name = struct.pack("!B", len(key)) + key.encode()
        if isinstance(value, dict):
            out += bytes([SECTION]) + name + pack(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            out += bytes([LIST]) + name
            for item in value:
                data = str(item).encode()
                out += struct.pack("!BH", ITEM, len(data)) + data
            out += bytes([LIST_END])
        else:
            data = ("no", "yes")[value].encode() if isinstance(value, bool) else str(value).encode()
            out += bytes([VALUE]) + name + struct.pack("!H", len(data)) + data
    return out


def unpack(data):
    root = {}
    stack, at, items = [root], 0, None

    while at < len(data):
        kind = data[at]
        at += 1
        if kind in (SECTION, VALUE, LIST):
            key = data[at + 1:at + 1 + data[at]].decode()
            at += 1 + data[at]
        if kind in (VALUE, ITEM):
            (length,) = struct.unpack_from("!H", data, at)
            text = data[at + 2:at + 2 + length].decode(errors="replace")
            at += 2 + length
        if kind == SECTION:
            stack[-1][key] = {}
            stack.append(stack[-1][key])
        elif kind == SECTION_END:
            stack.pop()
        elif kind == VALUE:
            stack[-1][key] = text
        elif kind == LIST:
            items = stack[-1][key] = []
        elif kind == ITEM:
            items.append(text)
    return root


class Vici:
    def __init__(self, path, timeout=30.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.events = []  # (name, message) that came between answers
        self.registered = set()

    def close(self):
        self.socket.close()

    def _send(self, kind, name, message=None):
        body = struct.pack("!BB", kind, len(name)) + name.encode() + pack(message or {})
        self.socket.sendall(struct.pack("!L", len(body)) + body)

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise Failed("charon closed its VICI connection")
            data += more
        return data

    def _receive(self):
        body = self._exactly(struct.unpack("!L", self._exactly(4))[0])
        if body[0] == EVENT:
            return EVENT, body[2:2 + body[1]].decode(), unpack(body[2 + body[1]:])
        return body[0], None, unpack(body[1:])

    def _answer(self):
        while True:
            kind, name, message = self._receive()
            if kind != EVENT:
                return kind, message
            self.events.append((name, message))

    def request(self, command, message=None):
        """The answer; Failed if charon says that it did not work."""
        self._send(REQUEST, command, message)
        kind, answer = self._answer()
        if kind != RESPONSE or answer.get("success", "yes") != "yes":
            raise Failed(f"vici {command}: {answer.get('errmsg', 'refused')}")
        return answer

    def stream(self, command, event, message=None):
        """A command that answers by events, then with an empty message."""
        self.register(event)
        self.events.clear()
        self._send(REQUEST, command, message)
        self._answer()
        return [m for n, m in self.events if n == event]

    def register(self, event):
        if event in self.registered:
            return
        self.registered.add(event)
        self._send(REGISTER, event)
        if self._answer()[0] != CONFIRM:
            raise Failed(f"vici: no event {event}")

    def sas(self):
        """IKE SAs by name, as list-sas has them; several of one name come as a list."""
        found = {}
        for message in self.stream("list-sas", "list-sa"):
            for name, sa in message.items():
                found.setdefault(name, []).append(sa)
        return found


def connect(path, timeout=20.0):
    """As soon as there is somebody."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return Vici(path)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
