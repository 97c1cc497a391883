#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line, driven as a person and as a script would. See cli_case.py."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.dont_write_bytecode = True
from cli_case import SOURCE, TRUNKLINE, Case, Daemon

SUITE_BYTES = {"aes128gcm16": 20, "aes256-sha512": 96, "chacha20poly1305": 36}
SA = ["sa", "add", "--customer", "acme", "--suite", "aes128gcm16", "--spi-in", "0x1001",
      "--spi-out", "4098", "--local", "198.18.10.1", "--peer", "203.0.113.9",
      "--remote-net", "192.0.2.0/24", "--remote-net=192.0.3.0/24"]


def keys(suite):
    n = SUITE_BYTES[suite]
    inward = bytes(range(n)).hex()
    outward = bytes(255 - i for i in range(n)).hex()
    return f"# static keys\nkey-in 0x{inward}\n\nkey-out: {outward}  # the other way\n"


class Answers(Case):
    def test_status(self):
        lines = self.cli("status").splitlines()
        self.assertEqual(lines[0], "trunkline 0.1.0 at ashburn, up 12 d 4 h, 2 workers, "
                                   "1 of 2 ports DOWN")
        self.assertEqual(lines[1], "tunnels 212 up, 1 DOWN (acme: its gateway does not answer, "
                                   "for 41 s); 1 SA EXHAUSTED")
        self.assertEqual(self.data("status")["tunnels"], {"total": 213, "up": 212, "worst": {
            "customer": "acme", "why": "its gateway does not answer", "for": 41.0}})
        self.assertEqual(lines[2], "calls   8,412 of 30,000 (3 silent, 5 one-way, 62 hairpinned)")
        self.assertIn("3.10 Gbit/s in (1.20 M/s packets)", lines[3])
        self.assertIn("busiest worker 38 %", lines[3])
        self.assertEqual(lines[4], "drops   14/s: tier-in 12/s, esp-replayed 2/s; 1,234,567 since "
                                   "start")
        self.assertLessEqual(len(lines), 24)
        d = self.data("status")
        self.assertEqual(d["calls"], {"total": 8412, "max": 30000, "hairpin": 62, "silent": 3, "one_way": 5,
                                      "held": 1040, "ringing": 17})
        self.assertEqual(d["traffic"]["in"], {"pps": 1204512.5, "bps": 3100000000})
        self.assertEqual([r["name"] for r in d["drops"]["reasons"]], ["tier-in", "esp-replayed"])

    def test_tunnel(self):
        lines = self.cli("show", "tunnels", "acme").splitlines()
        self.assertEqual(lines[0], "acme  203.0.113.9:4500 → 198.18.10.1:4500  up")
        self.assertEqual(lines[1], "  IKEv2 aes256gcm16-prfsha384-ecp256 with gw.acme.example.net, up "
                                   "for 3 h, new keys in 41 min; we initiate")
        self.assertEqual(lines[2], "  in  SPI 0xc1000a2f  aes256gcm16  1.20 G packets  288 GB  last "
                                   "12 ms ago  replayed 2  forged 0, up 30 min, new keys in 25 min")
        self.assertIn("sequence at 31 %", lines[3])
        self.assertEqual(lines[4], "  in all 2 SAs in, 1 out; trunkline show sas acme")
        self.assertEqual(lines[5], "  tier 100 Mbit/s  in 41.2 Mbit/s  out 41.0 Mbit/s  calls 402")
        lines = self.cli("show", "tunnels", "many").splitlines()
        self.assertEqual(lines[0], "many  203.0.113.77 → 198.18.10.1  DOWN: its gateway does not "
                                   "answer, for 41 s")
        self.assertEqual(lines[1], "  IKE SA down; its gateway initiates")
        self.assertEqual(lines[2:4], ["  in  no SA", "  out no SA"])
        d = self.data("show", "tunnels", "acme")["tunnels"][0]
        self.assertEqual((d["in"]["spi"], d["out"]["rekey"], d["ike"]["version"]),
                         ("0xc1000a2f", 1500.0, 2))

    def test_tunnel_orders(self):
        self.assertEqual(self.cli("tunnel", "up", "acme"), "acme is up\n")
        self.assertEqual(self.cli("tunnel", "down", "many"), "many was down already\n")
        said = self.cli("tunnel", "rekey", "acme", code=1)
        self.assertIn("the keys differ", said)
        self.assertIn("there is no customer nobody", self.cli("tunnel", "up", "nobody", code=1))

    def test_tables(self):
        for words, must in {
            ("show", "ports"): ["outside", "DOWN", "1.55 Gbit/s", "602 k/s", "198.18.10.1/24"],
            ("show", "workers"): ["38 %", "812.4", "0.5/s"],
            ("show", "stages"): ["classify", "40.2", "10.0"],
            ("show", "sas"): ["0xc1000a2f", "1.20 G", "288 GB", "12 ms", "never", "UDP ESN"],
            ("show", "tunnels"): ["acme", "DOWN", "203.0.113.9:4500", "12 ms", "25 min",
                                  "its gateway does not answer"],
            ("show", "calls"): ["7f3a", "2 min 41 s", "192.0.2.17:14004", "0.10 %", "3.1"],
            ("show", "routes"): ["0.0.0.0/0", "198.18.10.254", "tunnel"],
            ("show", "customers"): ["100 Mbit/s", "41.2 Mbit/s", "no limit", "1.5/s"],
        }.items():
            out = self.cli(*words)
            for text in must:
                self.assertIn(text, out, words)
            self.assertEqual(len({len(self.columns(line)) for line in out.splitlines()[:1]}), 1)
            self.assertNotIn("\033", out, "escape sequences in a pipe")
            self.assertIsInstance(self.data(*words)[words[1]], list)

    @staticmethod
    def columns(line):
        return re.split(r"  +", line.strip())

    def test_right_aligned(self):
        out = self.cli("show", "drops").splitlines()
        ends = {re.search(r"(TOTAL|[\d,]+)  (?=\S*\s?\S)(?=[A-Za-z])", line).end(1) for line in out}
        self.assertEqual(len(ends), 1, out)

    def test_drops(self):
        self.assertNotIn("rx-malformed", self.cli("show", "drops"))
        self.assertIn("rx-malformed", self.cli("show", "drops", "--all"))
        self.assertEqual(len(self.data("show", "drops", "all")["drops"]), 3)

    def test_stages_per_worker(self):
        self.assertNotIn("WORKER", self.cli("show", "stages"))
        self.assertIn("WORKER", self.cli("show", "stages", "--per-worker"))

    def test_call(self):
        out = self.cli("show", "call", "7f3a")
        for text in ("192.0.2.17:14004 in the tunnel of acme", "latch learned", "lost 8 (0.10 %)",
                     "jitter 3.1 ms", "DSCP 46", "not heard of yet", "last never"):
            self.assertIn(text, out)
        self.assertIsNone(self.data("show", "call", "7f3a")["b"]["remote"])
        for text in ("one-way", "G.711, SRTP AES_CM_128_HMAC_SHA1_80, sendrecv", "MOS 4.35",
                     "at most 3 in a row", "round trip 21.4 ms", "silent 12 %", "now 50/s",
                     "refused 1 from a wrong source, 4 with a wrong SRTP tag",
                     "codec not known, plain RTP", "nothing was refused"):
            self.assertIn(text, out)
        self.assertIn("no call nope", self.cli("show", "call", "nope", code=1))
        self.assertIn("2 calls begin with 7f", self.cli("show", "call", "7f", code=1))

    def test_call_ids(self):
        """An id that a shell would take apart is quoted; JSON has it as it is."""
        self.assertIn("'a(b)c@h'  one-way", self.cli("show", "call", "weird"))
        d = self.data("show", "call", "weird")
        self.assertEqual((d["id"], len(d["more_streams"])), ("a(b)c@h", 1))
        self.assertEqual(d["more_streams"][0]["id"], "a(b)c@h")
        self.assertIn("is no call's id", self.cli("show", "call", "a b", code=2))
        self.assertIn("no call a\\x20b", self.cli("show", "call", "a\\x20b", code=1))

    def test_filters(self):
        for words, n in ((["--state", "one-way"], 1), (["--state", "held"], 0),
                         (["--min-loss", "0.09"], 1), (["--min-loss", "0.1"], 0),
                         (["--max-mos", "4.4"], 1), (["--max-mos", "4.3"], 0)):
            self.assertEqual(len(self.data("show", "calls", *words)["calls"]), n, words)
        for words, says in ((["--state", "dead"], "none of ringing|active"),
                            (["--sort", "x"], "none of oldest|newest"),
                            (["--min-loss", "a lot"], "is no number"),
                            (["--min-loss", "101"], "a number, 0..100"),
                            (["--min-loss", "nan"], "number")):
            self.assertIn(says, self.cli("show", "calls", *words, code=2))

    def test_limit(self):
        self.assertIn("5 of 3,000 calls; --limit 0 shows all",
                      self.cli("show", "calls", "many", "--limit", "5"))
        d = self.data("show", "calls", "many")
        self.assertEqual((len(d["calls"]), d["total"]), (1000, 3000))
        for limit, n in (("0", 3000), ("2001", 2001), ("2000", 2000), ("40000", 3000)):
            self.assertEqual(len(self.data("show", "calls", "many", "limit", limit)["calls"]), n)
        self.assertIsNone(self.data("show", "calls", "many", "--limit", "0")["next"])
        last = self.data("show", "calls", "many", "--limit", "29")["next"]
        rest = self.data("show", "calls", "many", "--limit", "0", "--after", last)
        self.assertEqual((len(rest["calls"]), rest["next"]), (3000 - 29, None))
        for place in ("1", "/", "1/", "1/x", "1/-1", "nan/1", "inf/1", "1/1x"):
            self.assertIn("is no place", self.cli("show", "calls", "--after", place, code=1))

    def test_pages_are_short(self):
        """No answer is so long that making it keeps the control loop."""
        args = {"customer": "many", "limit": 0}
        self.daemon.ask({"v": 1, "cmd": "ping"})
        began = time.monotonic()
        answer = self.daemon.ask({"v": 1, "cmd": "show calls", "args": args})
        self.assertEqual(len(answer["data"]["calls"]), 40)
        self.assertLess(time.monotonic() - began, 1)

    def test_unknown_customer(self):
        for what in ("calls", "sas"):
            self.assertIn("no customer nobody", self.cli("show", what, "nobody", code=1))

    def test_trace(self):
        self.assertIn("tracing 5 packets", self.cli("trace", "start", "count", "5"))
        self.assertIn("is running", self.cli("trace", "start", code=1))
        out = self.cli("trace", "show")
        self.assertIn("192.0.2.17:14004 > 198.18.30.1:10000 UDP ttl 63 tos 0xb8", out)
        self.assertIn("no-call", out)
        self.assertEqual(len(self.data("trace", "show", "2")["steps"]), 1)
        err = self.cli("reload", code=1)  # the fake has mistakes while it traces
        self.assertEqual(err.splitlines()[0], "customers.d/acme.yaml:7: routes[1]: private")
        self.assertIn("2 mistakes; nothing was applied", err)
        self.cli("trace", "stop")
        self.assertIn("1 customer changed", self.cli("reload"))

    def test_call_add(self):
        out = self.cli("call", "add", "c1", "--a-media", "198.18.30.1", "--a-customer", "acme",
                       "--b-media", "198.18.30.1", "--b-remote", "192.0.2.1:4000", "--b-port=30000")
        self.assertEqual(out, "call c1: A sends to 198.18.30.1:20000; B sends to "
                              "198.18.30.1:30000 and is at 192.0.2.1:4000\n")
        self.assertIn("there is a call c1", self.cli(
            "call", "add", "c1", "--a-media", "1.1.1.1", "--b-media", "1.1.1.1", code=1))
        self.cli("call", "del", "c1")
        self.cli("call", "del", "c1", code=1)
        for words, says in [(["--a-port", "30001"], "odd"), (["--a-remote", "1.1.1.1"], "port"),
                            (["--a-customer", "nobody"], "no customer nobody")]:
            self.assertIn(says, self.cli("call", "add", "c2", "--a-media", "1.1.1.1", "--b-media",
                                         "1.1.1.1", *words, code=1))


class Keys(Case):
    def test_from_stdin_and_file(self):
        out = self.cli(*SA, "--key-file", "-", stdin=keys("aes128gcm16"))
        self.assertIn("in 0x00001001, out 0x00001002", out)
        self.assertIn("0x00001001", self.cli(*SA, "--key-file", "-", code=1,
                                             stdin=keys("aes128gcm16")))
        self.cli("sa", "del", "0x1001")
        self.cli("sa", "del", "0x1001", code=1)
        path = os.path.join(self.dir.name, "keys")
        for mode, warned in ((0o600, False), (0o644, True)):
            with open(path, "w") as f:
                f.write(keys("chacha20poly1305"))
            os.chmod(path, mode)
            words = [w if w != "aes128gcm16" else "chacha20poly1305" for w in SA]
            p = subprocess.run([TRUNKLINE, "--socket", self.daemon.path, *words, "--key-file", path,
                                "--encap", "--esn"], capture_output=True, text=True, timeout=60)
            self.assertEqual(p.returncode, 0, p.stderr)
            self.assertIn("198.18.10.1:4500 to 203.0.113.9:4500", p.stdout)
            self.assertEqual("can be read by others" in p.stderr, warned)
            self.cli("sa", "del", "4097")

    def test_never_shown(self):
        secret = "c0ffee" * 6 + "badc0de1"
        wrong = [f"key-in {secret}\nkey-out {secret}\n",      # accepted form, wrong material
                 f"key-in {secret}ff\nkey-out {secret}\n",    # wrong length
                 f"key-in {secret}zz\nkey-out {secret}\n",    # no hex
                 f"{secret}\n", f"key-in {secret} {secret}\n", f"{secret} {secret}\n",
                 f"key-in {secret}{secret * 9}\nkey-out 00\n"]
        for text in wrong:
            p = subprocess.run([TRUNKLINE, "--socket", self.daemon.path, *SA, "--key-file", "-"],
                               input=text, capture_output=True, text=True, timeout=60)
            self.assertNotEqual(p.returncode, 0)
            self.assertNotIn("c0ffee", p.stdout + p.stderr)
        args = {"customer": "acme", "suite": "aes128gcm16", "spi_in": 4097, "spi_out": "0x1002",
                "local": "198.18.10.1", "peer": "203.0.113.9", "remote_net": ["192.0.2.0/24"]}
        for key in (secret, secret + "zz", [secret], {"x": secret}, secret + "00"):
            answer = self.daemon.ask({"v": 1, "cmd": "sa add",
                                      "args": {**args, "key_in": key, "key_out": secret}})
            self.assertFalse(answer["ok"])
            self.assertNotIn("c0ffee", json.dumps(answer))
        answer = self.daemon.ask(('{"v":1,"cmd":"sa add","args":{"key_in":"%s" oops' %
                                  secret).encode())
        self.assertNotIn("c0ffee", json.dumps(answer))
        self.assertNotIn("c0ffee", self.daemon.log())

    def test_not_in_memory(self):
        """After the answer, the daemon's memory has no copy of the key as it was sent."""
        self.cli(*SA, "--key-file", "-", stdin=keys("aes128gcm16"))
        # An allocator writes into the first bytes of what is freed, so the rest is looked for.
        secret = bytes(range(20)).hex()[20:].encode()
        found = control = 0
        with open(f"/proc/{self.daemon.process.pid}/maps") as maps:
            ranges = [re.match(r"(\w+)-(\w+) rw", line) for line in maps]
        with open(f"/proc/{self.daemon.process.pid}/mem", "rb", 0) as mem:
            for m in filter(None, ranges):
                low, high = int(m[1], 16), int(m[2], 16)
                if high - low > 1 << 28:
                    continue
                with contextlib.suppress(OSError):
                    mem.seek(low)
                    memory = mem.read(high - low)
                    found += memory.count(secret)
                    control += memory.count(self.daemon.path.encode())
        self.assertGreater(control, 0, "the search finds nothing at all")
        self.assertEqual(found, 0)

    def test_not_from_the_command_line(self):
        err = self.cli(*SA, "--key-in", "00" * 20, code=2)
        self.assertIn("--key-file", err)
        self.assertNotIn("0000", err)
        self.assertIn("--key-file", self.cli(*SA, code=2))
        self.assertIn("No such file", self.cli(*SA, "--key-file", "/nonexistent", code=2))

    def test_refused(self):
        for change, says in [
                (["--window", "1000"], "no power of two"), (["--ports", "1-2"], "proto"),
                (["--local-net", "1.2.3.4/8"], "beyond"), (["--esn=perhaps"], "yes or no"),
                (["--suite", "aes128gcm16"], "twice"), (["--tfc-pad", "9001"], "0..9000")]:
            p = subprocess.run([TRUNKLINE, "--socket", self.daemon.path, *SA, *change,
                                "--key-file", "-"], input=keys("aes128gcm16"),
                               capture_output=True, text=True, timeout=60)
            self.assertIn(p.returncode, (1, 2))
            self.assertIn(says, p.stderr, change)
        words = [w if w != "aes128gcm16" else "aes128gmc16" for w in SA]
        self.assertIn("did you mean aes128gcm16?",
                      self.cli(*words, "--key-file", "-", code=2, stdin=keys("aes128gcm16")))


class Usage(Case):
    def test_no_words(self):
        self.assertIn("usage: trunkline", self.cli())

    def test_help_names_everything(self):
        listed = self.cli("--help")
        for name, args in commands():
            self.assertIn(name, listed)
            text = self.cli("help", *name.split())
            self.assertEqual(text, self.cli(*name.split(), "--help"))
            for arg, kind in args:
                if kind != "KEY":
                    self.assertIn("--" + arg.replace("_", "-"), text)
        group = self.cli("show", "--help")
        self.assertIn("show ports", group)
        self.assertNotIn("sa add", group)

    def test_abbreviations(self):
        self.assertEqual(self.cli("sh", "po"), self.cli("show", "ports"))
        self.assertEqual(self.cli("st"), self.cli("status"))
        self.assertEqual(self.cli("show", "sas", "--lim", "1"), self.cli("show", "sas", "limit=1"))
        self.assertIn("may mean", self.cli("sh", "ca", code=2))

    def test_wrong(self):
        for words, says in [(["foo"], "no command"), (["show"], "what?"),
                            (["show", "callz"], 'did you mean "show calls"'),
                            (["statsu"], 'did you mean "status"'),
                            (["show", "sas", "--custmer", "a"], "did you mean --customer?"),
                            (["show", "call"], "needs ID"), (["show", "calls", "--limit"], "value"),
                            (["show", "calls", "--limit", "x"], "whole number"),
                            (["show", "calls", "a b"], "no name"), (["--socket"], "path"),
                            (["show", "ports", "extra"], "too much"), (["-x"], "no command"),
                            (["log", "level", "loud"], "error|warn"),
                            (["show", "routes", "1.2.3"], "no IP address"),
                            (["--watch=0", "status"], "seconds"),
                            (["watch", "reload"], "changes something")]:
            self.assertIn(says, self.cli(*words, code=2), words)

    def test_unreachable(self):
        missing = os.path.join(self.dir.name, "none")
        err = self.cli("status", code=3, path=missing)
        self.assertIn(f"cannot reach trunklined at {missing}: no such socket; is it running? "
                      "systemctl status trunklined", err)
        dead = os.path.join(self.dir.name, "dead")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(dead)
        self.assertIn("nobody answers", self.cli("status", code=3, path=dead))
        self.assertIn("longer than", self.cli("status", code=3, path="/" + "x" * 200))

    def test_version(self):
        self.assertRegex(self.cli("--version"), r"^trunkline \d+\.\d+\.\d+\n$")
        self.assertEqual(self.cli("version"), self.cli("--version"))

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            p = subprocess.run([TRUNKLINE, "--socket", self.daemon.path, "status"], stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn("No space left", p.stderr)


class Watching(Case):
    def test_pipe(self):
        for words in (["watch", "0.1", "status"], ["status", "--watch=0.1"],
                      ["--watch", "0.1", "status"]):
            p = subprocess.Popen([TRUNKLINE, "--socket", self.daemon.path, *words],
                                 stdout=subprocess.PIPE, text=True)
            seen = [p.stdout.readline() for _ in range(24)]
            p.send_signal(signal.SIGINT)
            rest = p.stdout.read()
            p.stdout.close()
            self.assertEqual(p.wait(20), 0)
            self.assertGreaterEqual(sum(s.startswith("drops") for s in seen), 2, seen)
            self.assertNotIn("\033", "".join(seen) + rest)

    def test_json_lines(self):
        p = subprocess.Popen([TRUNKLINE, "--socket", self.daemon.path, "watch", "0.1", "ping",
                              "--json"], stdout=subprocess.PIPE, text=True)
        for _ in range(3):
            self.assertEqual(json.loads(p.stdout.readline())["api"], 1)
        p.terminate()
        p.stdout.close()
        p.wait(20)

    def terminal(self, *words, seconds, env=None, size=(24, 80), redraws=None, keys=""):
        """What it writes in so many seconds, or until it has redrawn so many times. keys are
        pressed after the first drawing."""
        pid, fd = pty.fork()
        if pid == 0:
            os.environ.update({"TERM": "xterm", **(env or {})})
            os.execv(TRUNKLINE, [TRUNKLINE, "--socket", self.daemon.path, *words])
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        out, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if redraws is not None and out.count(b"\033[H") > redraws:
                break
            if keys and b"\033[H" in out:
                os.write(fd, keys.encode())
                keys = ""
            if select.select([fd], [], [], 0.05)[0]:
                try:
                    out += os.read(fd, 65536)
                except OSError:
                    break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        with contextlib.suppress(OSError):
            while more := os.read(fd, 65536):
                out += more
        status = os.waitpid(pid, 0)[1]
        os.close(fd)
        return out.decode(), os.waitstatus_to_exitcode(status)

    def test_terminal_redraws(self):
        out, code = self.terminal("watch", "0.2", "show", "calls", "many", seconds=30, redraws=3)
        self.assertEqual(code, 0)
        self.assertGreaterEqual(out.count("\033[H"), 3)
        self.assertIn("\033[?25h", out, "the cursor stays hidden")
        for screen in out.split("\033[H")[2:]:
            self.assertLessEqual(screen.count("\n"), 24)

    def test_top(self):
        out = self.cli("top", "-n", "2", "--watch=0.1")
        self.assertEqual(out.count("trunkline 0.1.0 at ashburn"), 2)
        self.assertEqual(out.count("calls by loss"), 2)
        self.assertNotIn("\033", out, "escape sequences in a pipe")
        lines = self.cli("top", "-n", "3", "--watch=0.1", "--json", "--sort", "mos").splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            d = json.loads(line)
            self.assertEqual((d["total"], d["calls"][0]["id"]), (1, "7f3a"))
            self.assertEqual(d["status"]["calls"]["total"], 8412)
        self.assertEqual(len(json.loads(self.cli("top", "many", "-n", "1", "--json"))["calls"]), 20)
        for words, says in ((["-n"], "-n needs"), (["-n", "0"], "-n needs"),
                            (["--nonsense"], "too much"), (["--state", "dead"], "none of ringing")):
            self.assertIn(says, self.cli("top", *words, code=2))
        self.assertIn("no customer nobody", self.cli("top", "nobody", "-n", "1", code=1))

    def test_top_on_a_terminal(self):
        out, code = self.terminal("top", "many", "--watch=0.2", seconds=30, redraws=3, keys="m",
                                  size=(30, 100))
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("\033[?1049h\033[?25l"), repr(out[:40]))
        self.assertTrue(out.endswith("\033[?25h\033[?1049l"), "the screen is given back")
        screens = out.split("\033[H")[1:]
        self.assertIn("l loss *", screens[0])
        self.assertIn("m mos *", screens[-1])
        for screen in screens[:-1]:
            text = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", screen)
            self.assertLessEqual(len(text.splitlines()), 30)
            self.assertLessEqual(max(len(line.rstrip()) for line in text.splitlines()), 100)
        out, code = self.terminal("top", "--watch=60", seconds=30, keys="q")
        self.assertEqual(code, 0)
        self.assertLess(out.count("\033[H"), 3, "q ends it at once")

    def test_terminal_fits(self):
        out, code = self.terminal("watch", "0.2", "show", "ports", seconds=30, redraws=2)
        plain = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", out.split("\033[H")[-1])
        for line in plain.splitlines():
            if not line.startswith("(not shown"):
                self.assertLessEqual(len(line.rstrip()), 80, line)
        self.assertIn("not shown for lack of room", plain)
        self.assertEqual(code, 0)

    def test_colour(self):
        self.assertIn("\033[1;31mDOWN", self.terminal("show", "ports", seconds=2)[0])
        self.assertNotIn("\033[", self.terminal("show", "ports", seconds=2,
                                                env={"NO_COLOR": "1"})[0])
        self.assertNotIn("\033[", self.terminal("show", "ports", seconds=2,
                                                env={"TERM": "dumb"})[0])

    def test_daemon_restarts(self):
        p = subprocess.Popen([TRUNKLINE, "--socket", self.daemon.path, "watch", "0.1", "ping"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        p.stdout.readline()
        self.daemon.stop()
        self.assertEqual(p.wait(20), 3)
        p.stdout.close()
        p.stderr.close()
        self.daemon = Daemon(self.dir.name)


def commands():
    """Names and arguments in commands.def, read on their own."""
    with open(os.path.join(SOURCE, "lib/api/commands.def")) as f:
        text = re.sub(r"^\s*//.*$", "", f.read(), flags=re.M)
    found = []
    for block in text.split("COMMAND(")[1:]:
        name = re.match(r'\w+, "([^"]+)"', block)[1]
        found.append((name, re.findall(r'ARG\("(\w+)", (\w+)', block)))
    return found


class Documented(unittest.TestCase):
    def test_man_page_has_every_command(self):
        with open(os.path.join(SOURCE, "docs/man/trunkline.1")) as f:
            man = f.read()
        self.assertGreaterEqual(len(commands()), 20)
        sections = re.split(r"^\.It Ic ", man, flags=re.M)
        listed = {s.splitlines()[0].replace(" Ar", "").strip(): s for s in sections[1:]}
        for name, args in commands():
            mine = [s for head, s in listed.items() if head == name]
            self.assertEqual(len(mine), 1, f"{name} in trunkline.1")
            for arg, kind in args:
                if kind != "KEY":
                    self.assertIn("Fl -" + arg.replace("_", "-"), mine[0], name)
        known = {name for name, _ in commands()} | {"watch", "top", "help", "completion", "version"}
        self.assertEqual(set(listed) - known, set(), "in the man page, but no command")


class Completion(Case):
    def complete(self, *words):
        index = len(words)
        out = self.cli("complete", str(index), "trunkline", *words)
        return out.split()

    def test_words(self):
        self.assertEqual(set(self.complete("sh")), {"show"})
        self.assertEqual(set(self.complete("show", "ca")), {"calls", "call"})
        self.assertIn("completion", self.complete("comp"))
        self.assertEqual(self.complete("log", "level", "de"), ["debug"])
        self.assertEqual(self.complete("show", "drops", "--a"), ["--all"])
        self.assertEqual(self.complete("help", "trace", "sh"), ["show"])
        self.assertIn("--key-file", self.complete("sa", "add", "--"))
        self.assertNotIn("--key-in", self.complete("sa", "add", "--"))
        self.assertEqual(self.complete("sa", "add", "--suite", "chacha"), ["chacha20poly1305"])
        self.assertEqual(set(self.complete("completion", "")), {"bash", "zsh"})

    def test_what_the_daemon_knows(self):
        self.assertIn("7f3a", self.complete("show", "call", ""))
        self.assertEqual(self.complete("call", "del", "7"), ["7f3a"])
        self.assertEqual(self.complete("sa", "del", ""), ["0xc1000a2f", "--spi", "--json", "--help"])
        self.assertEqual(self.complete("show", "sas", "ac"), ["acme"])
        self.assertEqual(self.complete("show", "sas", "--customer", ""), ["acme", "many"])

    def test_in_bash(self):
        script = self.cli("completion", "bash")
        test = script + ('COMP_WORDS=("%s" show call 7); COMP_CWORD=3; _trunkline; '
                         'printf "%%s\\n" "${COMPREPLY[@]}"' % TRUNKLINE)
        p = subprocess.run(["bash", "-c", test], capture_output=True, text=True, timeout=60,
                           env={**os.environ, "TRUNKLINE_SOCKET": self.daemon.path})
        self.assertEqual(p.stdout, "7f3a\n", p.stderr)
        self.assertIn("bashcompinit", self.cli("completion", "zsh"))
        self.cli("completion", "fish", code=2)

    def test_without_daemon(self):
        out = self.cli("complete", "3", "trunkline", "show", "call", "7", path="/nonexistent")
        self.assertEqual(out, "")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
