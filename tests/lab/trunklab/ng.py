# SPDX-License-Identifier: BSD-3-Clause
"""A client of the NG protocol: bencode and JSON, over UDP and TCP."""
import itertools
import json
import socket

from .report import Failed


def bencode(value):
    if isinstance(value, bool):
        value = int(value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, (list, tuple)):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in value.items()) + b"e"


def bdecode(data, at=0):
    """The value that begins at a byte, and where it ends."""
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        values, at = [], at + 1
        while data[at:at + 1] != b"e":
            value, at = bdecode(data, at)
            values.append(value)
        if kind == b"d":
            return dict(zip(values[::2], values[1::2])), at + 1
        return values, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end].decode("utf-8", "replace"), end


class Client:
    """Asks one server. Answers are dictionaries."""
    cookies = itertools.count(1)

    def __init__(self, namespace, address, port=2223, tcp=False, as_json=False, timeout=3.0):
        self.to, self.tcp, self.as_json = (address, port), tcp, as_json
        with namespace.entered():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp
                                      else socket.SOCK_DGRAM)
        self.sock.settimeout(timeout)
        if tcp:
            self.sock.connect(self.to)

    def cookie(self):
        return b"1_%d_%d" % (id(self) % 10000, next(Client.cookies))

    def frame(self, cookie, message):
        return cookie + b" " + (json.dumps(message).encode() if self.as_json else bencode(message))

    def exchange(self, data):
        """Bytes out, bytes in."""
        if not self.tcp:
            self.sock.sendto(data, self.to)
            return self.sock.recv(65535)
        self.sock.sendall(data)
        got = b""
        while True:
            more = self.sock.recv(65535)
            if not more:
                raise Failed(f"NG: the connection ended after {got!r}")
            got += more
            try:
                self.decode(got)
                return got
            except (ValueError, IndexError):
                continue

    def decode(self, data):
        cookie, body = data.split(b" ", 1)
        if body[:1] == b"{":
            return cookie, json.loads(body)
        value, end = bdecode(body)
        if end != len(body):
            raise ValueError("something follows the answer")
        return cookie, value

    def ask(self, message=None, cookie=None, **keys):
        """A message as a dictionary, or by keyword: underscores become hyphens."""
        message = dict(message or {}, **{k.replace("_", "-"): v for k, v in keys.items()})
        cookie = cookie or self.cookie()
        for attempt in range(3):
            try:
                got, answer = self.decode(self.exchange(self.frame(cookie, message)))
                break
            except socket.timeout:
                if attempt == 2:
                    raise Failed(f"NG: no answer to {message}") from None
        if got != cookie:
            raise Failed(f"NG: answer to {got!r}, not to {cookie!r}")
        return answer

    def ok(self, message=None, **keys):
        answer = self.ask(message, **keys)
        if answer.get("result") not in ("ok", "pong"):
            raise Failed(f"NG: {message or keys}: {answer}")
        return answer

    def close(self):
        self.sock.close()
