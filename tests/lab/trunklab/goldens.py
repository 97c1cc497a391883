# SPDX-License-Identifier: BSD-3-Clause
"""NG goldens: what a proxy says, what it must be answered, and which packets then flow.

A file (tests/ng/goldens/*.txt) has cases. A line that begins with "== " opens one and says what it
shows. Then come steps:

    offer a [to=b] KEY=VALUE ...     a command, its keys and flags; "a" is the from-tag. The SDP follows,
    answer a>b KEY=VALUE ...         its lines as a difference: " " goes in and must come out, "-" goes in
                                     and must be gone, "+" must be new. Every byte counts.
    delete a, query, block-media ... commands without SDP; "a>b" sets from-tag and to-tag
    error TEXT                       (after a command) it must be refused in these words; {*} is anything
    = path value                     (likewise) a part of the answer: = totals/RTP/packets 6
    rtp a>b [n=3] [pt=0] [via=...]   a sends, and it must arrive at b, from where b was told, unchanged
    rtp a>b lost                     ... must not arrive; `silent`: arrives with another payload
    rtcp a>b                         likewise, RTCP
    differ NAME NAME                 two things that were captured are different; `same`: equal
    NAME KEY=VALUE ...               the steps of "== macro NAME"; the rest goes to its first step
    wait SECONDS
    moved a 198.18.10.2:4100         from now on a sends from there

In what must come out, {NAME} stands for anything without a blank and captures it; where it is known
already it must be the same; {NAME+1} is a number one higher. Values of keys: text, #NUMBER,
[list of texts], or {"dict": [..]} in JSON; a + in a key and a \\s in a value are blanks. KEY=none
leaves a key out; {CALL} is the call-id. With `lf` in the title lines end with LF, else with CR LF. Addresses: a phone outside is
198.18.10.2 or .3, one inside 198.18.20.2 or .3; our media addresses are 198.18.30.2 and 198.18.30.1.
"""
import json
import re
import socket
import struct
import time

from . import wire
from . import world as w
from .report import Failed, expect, expect_equal
from .srtp import Keys

OUTSIDE = (w.GATEWAY, "198.18.10.3")
INSIDE = (w.PLATFORM, "198.18.20.3")


class Case:
    def __init__(self, title, where):
        self.title, self.where, self.steps = title, where, []
        self.newline = "\n" if " lf" in title else "\r\n"


class Step:
    def __init__(self, text, line):
        self.text, self.line = text, line
        self.sdp, self.checks = [], []


def macros_expand(cases):
    macros = {c.title[6:]: c.steps for c in cases if c.title.startswith("macro ")}
    cases = [c for c in cases if not c.title.startswith("macro ")]
    for case in cases:
        steps = []
        for step in case.steps:
            name, _, rest = step.text.partition(" ")
            if name not in macros:
                steps.append(step)
                continue
            for i, inner in enumerate(macros[name]):
                copy = Step(f"{inner.text} {rest}" if i == 0 else inner.text, step.line)
                copy.sdp, copy.checks = inner.sdp, inner.checks
                steps.append(copy)
            steps[-1].checks = steps[-1].checks + step.checks
        case.steps = steps
    return cases


def parse(path):
    cases = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("== "):
                cases.append(Case(line[3:], f"{path.split('/')[-1]}:{number}"))
            elif not line.strip() or line.startswith("#"):
                continue
            elif line[0] in " -+":
                cases[-1].steps[-1].sdp.append((line[0], line[1:]))
            elif line.startswith(("= ", "error ")):
                cases[-1].steps[-1].checks.append(line)
            else:
                cases[-1].steps.append(Step(line, number))
    return macros_expand(cases)


def value_of(text):
    if text.startswith('{"'):
        return json.loads(text)
    if text.startswith("["):
        return text[1:-1].split()
    return int(text[1:]) if re.fullmatch(r"#\d+", text) else text


class Phone:
    """Who has a tag: where it listens, whom it was told to send to, and its keys."""

    def __init__(self):
        self.listen, self.told = {}, {}
        self.crypto, self.their_crypto = {}, {}
        self.source = {}
        self.seq = 100


class Sdp:
    """What a test has to know of an SDP: addresses, ports, and keys of each section."""

    def __init__(self, text):
        self.sections, session = [], None
        for line in text.replace("\r\n", "\n").split("\n"):
            if line.startswith("c=IN IP4 "):
                if self.sections:
                    self.sections[-1]["address"] = line[9:]
                else:
                    session = line[9:]
            elif line.startswith("m="):
                self.sections.append({"address": session, "port": int(line.split()[1]),
                                      "crypto": {}, "mux": False, "rtcp": None})
            elif line.startswith("a=crypto:"):
                tag, suite, inline = line[9:].split()[:3]
                self.sections[-1]["crypto"][tag] = (suite, inline[7:],
                                                    "UNENCRYPTED_SRTP" not in line.split())
            elif line == "a=rtcp-mux":
                self.sections[-1]["mux"] = True
            elif line.startswith("a=rtcp:"):
                self.sections[-1]["rtcp"] = int(line[7:].split()[0])


class Player:
    def __init__(self, world, client):
        self.world, self.client = world, client
        self.count = 0

    def play(self, case):
        self.case, self.phones, self.names, self.sockets = case, {}, {}, {}
        self.count += 1
        self.call = f"golden-{id(self) % 10000}-{self.count}@lab"
        self.offered = {}
        self.names["CALL"] = self.call
        try:
            for step in case.steps:
                try:
                    self.step(step)
                except Failed as e:
                    raise Failed(f"{case.where.split(':')[0]}:{step.line}: {step.text}: {e}") \
                        from None
        finally:
            self.client.ask({"command": "delete", "call-id": self.call, "flags": ["all"]})
            for s in self.sockets.values():
                s.close()

    def phone(self, name):
        return self.phones.setdefault(name, Phone())

    def step(self, step):
        words = re.findall(r"(?:[^\s\[{]|\[[^\]]*\]|\{[^}]*\})+", step.text)
        verb = words[0]
        if verb == "wait":
            time.sleep(float(words[1]))
        elif verb == "differ":
            expect(self.names[words[1]] != self.names[words[2]], f"both are {self.names[words[1]]}")
        elif verb == "moved":
            address, port = words[2].split(":")
            self.phone(words[1]).source = {0: (address, int(port))}
        elif verb in ("rtp", "rtcp"):
            self.packets(verb, words[1:])
        else:
            self.command(step, verb, words[1:])

    # ---- commands ----

    def command(self, step, verb, words):
        message = {"command": verb.replace("-", " "), "call-id": self.call}
        tags = None
        for word in words:
            if "=" in word and not word.startswith("="):
                key, value = word.split("=", 1)
                message[key.replace("+", " ")] = self.fill(value_of(value.replace("\\s", " ")))
            else:
                tags = word.split(">")
                message["from-tag"] = tags[0]
                if len(tags) > 1:
                    message["to-tag"] = tags[1]
        sent = [t for mark, t in step.sdp if mark in " -"]
        if step.sdp:
            message["sdp"] = self.case.newline.join(map(self.fill, sent)) + self.case.newline
        message = {k: v for k, v in message.items() if v != "none"}
        answer = self.client.ask(message)
        self.check(step, answer)
        if step.sdp and answer.get("result") == "ok":
            self.sdp_check(step, answer)
            self.learn(verb, tags, message, answer)

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda m: self.names.get(m[1], m[0]), value)
        return value

    def check(self, step, answer):
        error = next((c[6:] for c in step.checks if c.startswith("error ")), None)
        if error is not None:
            seen = str(answer.get("error-reason", answer))
            if not re.fullmatch(self.pattern(error), seen):
                raise Failed(f"the error: {seen!r}, wanted {error!r}")
        elif answer.get("result") != "ok" and not any("result" in c for c in step.checks):
            raise Failed(str(answer))
        for check in step.checks:
            if check.startswith("= "):
                path, wanted = check[2:].split(" ", 1)
                self.part_check(answer, path, wanted)

    def part_check(self, answer, path, wanted):
        part = answer
        for key in path.split("/"):
            key = self.fill(key)
            try:
                part = part[int(key)] if isinstance(part, list) else part[key.replace("+", " ")]
            except (KeyError, IndexError, ValueError):
                part = None
            if part is None:
                break
        seen = "none" if part is None else part if isinstance(part, str) else json.dumps(part)
        if not re.fullmatch(self.pattern(wanted), seen):
            raise Failed(f"{path} is {seen}, wanted {self.fill(wanted)}; "
                         f"{json.dumps(answer)[:2000]}")
        self.capture(wanted, seen)

    def pattern(self, line):
        out = ""
        for piece in re.split(r"(\{\w+(?:[+-]\d+)?\}|\{\*\})", line):
            m = re.fullmatch(r"\{(\w+)([+-]\d+)?\}", piece)
            if piece == "{*}":
                out += ".*"
            elif m and m[1] in self.names:
                known = self.names[m[1]]
                out += re.escape(str(int(known) + int(m[2])) if m[2] else known)
            elif m:
                out += r"\S+?"
            else:
                out += re.escape(piece)
        return out

    def capture(self, line, seen):
        names, pattern = [], ""
        for piece in re.split(r"(\{\w+(?:[+-]\d+)?\}|\{\*\})", line):
            m = re.fullmatch(r"\{(\w+)\}", piece)
            if m and m[1] not in self.names and m[1] not in names:
                names.append(m[1])
                pattern += r"(\S+?)"
            else:
                pattern += self.pattern(piece)
        m = re.fullmatch(pattern, seen)
        if m:
            self.names.update(zip(names, m.groups()))

    def sdp_check(self, step, answer):
        end = self.case.newline
        wanted = [t for mark, t in step.sdp if mark in " +"]
        seen = answer["sdp"]
        expect(seen.endswith(end), f"the SDP does not end with a line end: {seen!r}")
        lines = seen[:-len(end)].split(end)
        for i, line in enumerate(wanted):
            if i >= len(lines) or not re.fullmatch(self.pattern(line), lines[i]):
                raise Failed(f"SDP line {i + 1} is {lines[i] if i < len(lines) else None!r}, wanted "
                             f"{self.fill(line)!r}; all of it:\n    " + "\n    ".join(lines))
            self.capture(line, lines[i])
        expect(len(lines) == len(wanted), f"the SDP goes on: {lines[len(wanted):]}")

    def learn(self, verb, tags, message, answer):
        """Who listens where, and whom each was told."""
        if verb == "offer" and len(tags) > 1 and any(o[0] == tags[1] for o in self.offered) \
                and not self.phone(tags[0]).told:
            verb, tags = "answer", tags[::-1]  # what a proxy calls an offer answers one
        sent, got = Sdp(message["sdp"]), Sdp(answer["sdp"])
        if verb == "offer":
            sender, receiver = tags[0], tags[1] if len(tags) > 1 else None
        else:
            sender, receiver = tags[1], tags[0]
        me = self.phone(sender)
        for i, s in enumerate(sent.sections):
            if s["port"] != 0:
                me.listen[i] = s
                self.bind(s)
            me.crypto[i] = s["crypto"]
        if verb == "offer":
            self.offered[sender, message.get("via-branch")] = got
            if receiver is not None:
                self.tell(receiver, got)
        else:
            self.tell(receiver, got)
            offered = self.offered.get((receiver, message.get("via-branch"))) or \
                self.offered.get((receiver, None))
            if offered:
                self.tell(sender, offered)

    def tell(self, name, sdp):
        phone = self.phone(name)
        for i, s in enumerate(sdp.sections):
            phone.told[i] = s
            phone.their_crypto[i] = s["crypto"]

    # ---- packets ----

    def bind(self, s):
        for port in (s["port"], s["rtcp"] or s["port"] + 1):
            self.socket(s["address"], port)

    def socket(self, address, port):
        if (address, port) in self.sockets or address not in OUTSIDE + INSIDE:
            return self.sockets.get((address, port))
        ns = self.world.customer if address in OUTSIDE else self.world.platform
        self.sockets[address, port] = ns.udp(address, port, timeout=0.5)
        return self.sockets[address, port]

    @staticmethod
    def keys(mine, theirs):
        """(suite, what is sent with, what is received with) by the tag that both have."""
        for tag, (suite, inline, encrypted) in mine.items():
            if tag in theirs and theirs[tag][0] == suite:
                return (Keys(suite, inline, encrypted),
                        Keys(theirs[tag][0], theirs[tag][1], theirs[tag][2]))
        return None, None

    def packets(self, kind, words):
        a, b = (self.phone(x) for x in words[0].split(">"))
        options = dict(x.split("=") for x in words[1:] if "=" in x)
        lost, silent, nokey = "lost" in words, "silent" in words, "plain" in words
        i = int(options.get("m", 0))
        n = int(options.get("n", 3))
        told, listen = a.told[i], b.listen[i]
        seal, _ = self.keys(a.crypto.get(i, {}), a.their_crypto.get(i, {}))
        _, unseal = self.keys(b.crypto.get(i, {}), b.their_crypto.get(i, {}))
        if kind == "rtp":
            target, port, source = told["port"], listen["port"], a.listen[i]["port"]
        else:
            mux_a, mux_b = told["mux"] and a.listen[i]["mux"], b.told[i]["mux"] and listen["mux"]
            target = told["port"] if mux_a else told["rtcp"] or told["port"] + 1
            source = a.listen[i]["port"] if mux_a else a.listen[i]["rtcp"] or \
                a.listen[i]["port"] + 1
            port = listen["port"] if mux_b else listen["rtcp"] or listen["port"] + 1
        address, source = a.source.get(i, (a.listen[i]["address"], source))
        if "from" in options:
            address, source = options["from"].split(":")
            source = int(source)
        here = self.socket(address, source)
        there = self.sockets[listen["address"], port]
        wire.drain(there)
        sent = []
        for _ in range(n):
            a.seq += 1
            if kind == "rtp":
                plain = wire.rtp(a.seq, a.seq * 160, bytes([0xD5 if not silent else 0x23]) * 160,
                                 ssrc=id(a) & 0xFFFFFFF | 1, payload_type=int(options.get("pt", 0)))
            else:
                plain = struct.pack("!BBHLLLLLL", 0x80, 200, 6, id(a) & 0xFFFFFFF | 1, 1, 2, 3, 4, 5)
            sent.append(plain)
            here.sendto(seal.seal(plain) if seal and not nokey else plain,
                        (told["address"], target))
            time.sleep(float(options.get("gap", 0.002)))
        got = wire.receive(there, n, timeout=0.15 if lost else 2.0)
        if lost:
            expect(not got, f"{len(got)} packets arrived")
            return
        seen = [unseal.open(p) if unseal else p for p, _ in got]
        if silent:
            expect_equal(len(seen), n, "packets that arrived")
            expect(all(p[12:] not in [s[12:] for s in sent] for p in seen), "audio arrived")
        elif kind == "rtp":
            expect(seen == sent, f"{len(seen)} of {n} packets arrived" if len(seen) != n
                   else "other packets arrived than were sent")
        else:
            expect_equal(len(seen), n, "packets that arrived")
        told_b = b.told[i]
        from_port = told_b["port"] if kind == "rtp" or (told_b["mux"] and listen["mux"]) \
            else told_b["rtcp"] or told_b["port"] + 1
        for _, where in got:
            expect_equal(where, (told_b["address"], from_port), "where they came from")
