# SPDX-License-Identifier: BSD-3-Clause
"""What cli.py and api.py share: the daemon's real API server over a made-up control thread
(cli_fake.c), started for each test, and a client of it.

usage of both: TRUNKLINE CLI_FAKE SOURCE_DIR [unittest's arguments]
"""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TRUNKLINE, FAKE, SOURCE = (os.path.abspath(a) for a in sys.argv[1:4])


def frame(data):
    return struct.pack(">I", len(data)) + data


def receive(sock):
    """One answer; None if the server hung up before it was whole."""
    data = b""
    while True:
        want = 4 + struct.unpack(">I", data[:4])[0] if len(data) >= 4 else 4
        if len(data) == want and want > 4:
            break
        try:
            more = sock.recv(want - len(data))
        except ConnectionResetError:
            return None
        if not more:
            return None
        data += more
    return json.loads(data[4:])


class Daemon:
    def __init__(self, where, *limits):
        self.path = os.path.join(where, "api.sock")
        self.log_path = os.path.join(where, "log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen([FAKE, self.path, *map(str, limits)], stderr=log)
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), self.connect():
                return
            if time.monotonic() > end:
                raise RuntimeError("cli_fake does not listen")
            time.sleep(0.02)

    def connect(self, timeout=20):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect(self.path)
        except OSError:
            s.close()
            raise
        return s

    def ask(self, message):
        with self.connect() as s:
            s.sendall(frame(message if isinstance(message, bytes) else json.dumps(message).encode()))
            return receive(s)

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Case(unittest.TestCase):
    limits = ()

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.daemon = Daemon(self.dir.name, *self.limits)

    def tearDown(self):
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log())
        self.assertFalse(os.path.exists(self.daemon.path), "the socket file is left behind")
        self.dir.cleanup()

    def cli(self, *words, code=0, stdin="", env=None, path=None):
        environ = {k: v for k, v in os.environ.items() if k != "TRUNKLINE_SOCKET"}
        environ.update({"TRUNKLINE_SOCKET": path or self.daemon.path, **(env or {})})
        p = subprocess.run([TRUNKLINE, *words], input=stdin, capture_output=True, text=True,
                           env=environ, timeout=60)
        self.assertEqual(p.returncode, code, f"{words}: {p.stdout}{p.stderr}")
        return p.stdout if code == 0 else p.stderr

    def data(self, *words):
        return json.loads(self.cli(*words, "--json"))
