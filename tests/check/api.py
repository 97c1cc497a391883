#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The API server against clients that misbehave. See cli_case.py."""
import contextlib
import os
import resource
import select
import stat
import struct
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
from cli_case import FAKE, TRUNKLINE, Case, Daemon, frame, receive


class Server(Case):
    limits = (128, 2, 2, 600, 4 << 20)

    def works(self):
        self.assertEqual(self.data("ping")["api"], 1)

    def test_socket_file(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.daemon.path).st_mode), 0o660)

    def test_bad_requests(self):
        for message, code, says in [
                (b"{", "bad-request", "JSON"), (b"[]", "bad-request", "object"),
                (b"\xff\xfe", "bad-request", "JSON"), (b"{}", "bad-request", '"v"'),
                (b'{"v":1}', "bad-request", '"cmd"'), (b'{"v":1,"cmd":7}', "bad-request", '"cmd"'),
                (b'{"v":2,"cmd":"ping"}', "version", "version 1"),
                (b'{"v":1,"v":1,"cmd":"ping"}', "bad-request", "JSON"),
                (b'{"v":1,"cmd":"pong"}', "unknown-command", 'did you mean "ping"'),
                (b'{"v":1,"cmd":"x\\u0001"}', "unknown-command", "no command"),
                (b'{"v":1,"cmd":"ping","args":[]}', "bad-argument", "object"),
                (b'{"v":1,"cmd":"ping","args":{"a":1}}', "bad-argument", "no arguments"),
                (b'{"v":1,"cmd":"show sas","args":{"custmer":"a"}}', "bad-argument",
                 "did you mean customer?"),
                (b'{"v":1,"cmd":"show sas","args":{"customer":5}}', "bad-argument", "string"),
                (b'{"v":1,"cmd":"show sas","args":{"limit":-1}}', "bad-argument", "0..1000000"),
                (b'{"v":1,"cmd":"show sas","args":{"limit":1e3}}', "bad-argument", "whole"),
                (b'{"v":1,"cmd":"sa del"}', "bad-argument", "needs spi"),
                (b'{"v":1,"cmd":"sa del","args":{"spi":255}}', "bad-argument", "256"),
                (b'{"v":1,"cmd":"show call","args":{"id":"none"}}', "not-found", "no call none"),
                (b"[" * 100000, "bad-request", "deeper"),
                (b'{"v":' + b"[" * 20 + b"]" * 20 + b"}", "bad-request", "deeper")]:
            answer = self.daemon.ask(message)
            self.assertFalse(answer["ok"], message[:80])
            self.assertEqual(answer["code"], code, (message[:80], answer))
            self.assertIn(says, answer["error"])
        self.works()

    def test_answers_that_come_later(self):
        up = b'{"v":1,"cmd":"tunnel up","args":{"customer":"acme"}}'
        gone = self.daemon.connect()  # leaves before its answer is there
        gone.sendall(struct.pack(">I", len(up)) + up)
        with self.daemon.connect() as s:
            s.sendall((struct.pack(">I", len(up)) + up) * 2)  # the second one waits for the first
            gone.close()
            started = time.monotonic()
            self.works()  # the others are served meanwhile
            self.assertLess(time.monotonic() - started, 0.9)
            for _ in range(2):
                self.assertEqual(receive(s)["data"], {"said": "acme is up"})
            self.assertGreater(time.monotonic() - started, 1.5)
        answer = self.daemon.ask(b'{"v":1,"cmd":"tunnel rekey","args":{"customer":"acme"}}')
        self.assertEqual((answer["code"], answer["error"]),
                         ("refused", "acme does not come up: the keys differ"))

    def test_lengths(self):
        for head, code in [(struct.pack(">I", 0), "bad-request"),
                           (struct.pack(">I", (4 << 20) + 1), "too-large"),
                           (b"\xff\xff\xff\xff", "too-large"), (b"GET / HTTP/1.0\r\n", "too-large")]:
            with self.daemon.connect() as s:
                s.sendall(head)
                self.assertEqual(receive(s)["code"], code)
                self.assertIsNone(receive(s), "stays connected")
        largest = b'{"v":1,"cmd":"ping"' + b" " * ((4 << 20) - 20) + b"}"
        self.assertEqual(len(largest), 4 << 20)
        self.assertTrue(self.daemon.ask(largest)["ok"])

    def test_one_byte_at_a_time(self):
        with self.daemon.connect() as s:
            for _ in range(2):
                for byte in frame(b'{"v":1,"cmd":"ping"}'):
                    s.sendall(bytes([byte]))
                    time.sleep(0.002)
                self.assertTrue(receive(s)["ok"])

    def test_requests_in_a_row(self):
        with self.daemon.connect() as s:
            s.sendall(frame(b'{"v":1,"cmd":"ping"}') * 50 + frame(b'{"v":1,"cmd":"nope"}'))
            self.assertTrue(all(receive(s)["ok"] for _ in range(50)))
            self.assertFalse(receive(s)["ok"])

    def test_half_a_request(self):
        with self.daemon.connect() as s:
            s.sendall(frame(b'{"v":1,"cmd":"ping"}')[:9])
            self.works()
            began = time.monotonic()
            self.assertEqual(receive(s)["code"], "timeout")
            self.assertIsNone(receive(s))
            self.assertLess(time.monotonic() - began, 10)

    def test_drip(self):
        """A byte now and then does not stretch the time that a request has."""
        with self.daemon.connect() as s:
            s.sendall(struct.pack(">I", 1000))
            began = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 15:
                    s.sendall(b" ")
                    time.sleep(0.1)
            self.assertLess(time.monotonic() - began, 10)
        self.works()

    def test_dead_clients(self):
        for cut in (0, 2, 4, 10):
            for _ in range(20):
                s = self.daemon.connect()
                s.sendall(frame(b'{"v":1,"cmd":"show calls","args":{"customer":"many"}}')[:cut])
                s.close()
        for _ in range(20):  # gone while the answer is written
            s = self.daemon.connect()
            s.sendall(frame(b'{"v":1,"cmd":"show call","args":{"id":"many"}}'))
            s.close()
        p = subprocess.Popen([TRUNKLINE, "--socket", self.daemon.path, "watch", "0.1", "status"],
                             stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        p.kill()
        p.wait(20)
        self.works()

    def test_slow_reader(self):
        with self.daemon.connect() as s:
            s.sendall(frame(b'{"v":1,"cmd":"show call","args":{"id":"many"}}'))
            time.sleep(0.2)
            self.works()
            began = time.monotonic()
            while "does not read" not in self.daemon.log():
                self.assertLess(time.monotonic() - began, 15)
                time.sleep(0.1)
            with contextlib.suppress(OSError):
                while s.recv(1 << 20):
                    pass

    def test_thousand_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 1200:
            self.skipTest("too few file descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
        held, slowest = [], 0.0
        before = self.daemon.rss()
        for i in range(1000):
            held.append(self.daemon.connect())
            if i % 2:
                held[-1].sendall(b"\0\0")
            if i % 50 == 0:
                began = time.monotonic()
                self.assertTrue(self.daemon.ask({"v": 1, "cmd": "status"})["ok"])
                slowest = max(slowest, time.monotonic() - began)
        self.works()
        self.assertLess(slowest, 2)
        self.assertLess(self.daemon.rss() - before, 32 << 10, "KiB for clients that ask nothing")
        dismissed = sum(1 for s in held if select.select([s], [], [], 0)[0])
        self.assertGreaterEqual(dismissed, 1000 - 128)
        for s in held:
            s.close()
        self.works()

    def test_second_daemon(self):
        p = subprocess.run([FAKE, self.daemon.path], capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn("another trunklined answers", p.stderr)
        self.works()

    def test_socket_left_behind(self):
        self.daemon.process.kill()
        self.daemon.process.wait(20)
        self.assertTrue(os.path.exists(self.daemon.path))
        self.daemon = Daemon(self.dir.name)
        self.works()

    def test_no_socket_in_the_way(self):
        path = os.path.join(self.dir.name, "file")
        with open(path, "w") as f:
            f.write("precious")
        p = subprocess.run([FAKE, path], capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn("no socket", p.stderr)
        with open(path) as f:
            self.assertEqual(f.read(), "precious")

    def test_changes_are_logged(self):
        self.cli("call", "del", "nope", code=1)
        self.cli("log", "level", "debug")
        log = self.daemon.log()
        self.assertRegex(log, r'call del by uid \d+, pid \d+: there is no call nope.*"id":"nope"')
        self.assertRegex(log, r'log level by uid \d+, pid \d+: done \{"level":"debug"\}')


class Budget(Case):
    limits = (128, 10, 30, 600, 4 << 20)

    def test_answers_in_all_are_bounded(self):
        """Many slow readers of large answers are told to come back, and memory stays bounded."""
        readers = [self.daemon.connect() for _ in range(12)]
        for s in readers:
            s.sendall(frame(b'{"v":1,"cmd":"show call","args":{"id":"many"}}'))
        self.assertTrue(self.daemon.ask({"v": 1, "cmd": "ping"})["ok"])
        codes = []
        for s in readers:
            answer = receive(s)
            codes.append(None if answer is None else answer.get("code", "whole"))
            s.close()
        self.assertIn("busy", codes)
        self.assertIn("whole", codes)
        self.assertTrue(self.daemon.ask({"v": 1, "cmd": "ping"})["ok"])


class Idle(Case):
    limits = (2, 10, 30, 1, 64 << 20)

    def test_idle_clients_go(self):
        with self.daemon.connect() as s:
            began = time.monotonic()
            self.assertIsNone(receive(s))
            self.assertLess(time.monotonic() - began, 8)

    def test_the_idlest_makes_room(self):
        first, second = self.daemon.connect(), self.daemon.connect()
        first.sendall(frame(b'{"v":1,"cmd":"ping"}'))
        self.assertTrue(receive(first)["ok"])
        third = self.daemon.connect()
        third.sendall(frame(b'{"v":1,"cmd":"ping"}'))
        self.assertTrue(receive(third)["ok"])
        self.assertEqual(receive(second)["code"], "busy")
        first.sendall(frame(b'{"v":1,"cmd":"ping"}'))
        self.assertTrue(receive(first)["ok"])
        for s in (first, second, third):
            s.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
