# SPDX-License-Identifier: BSD-3-Clause
"""Attacks on calls from the outside: floods, forgery, replay, scans; nothing gets in or out

    phone A 198.18.10.2 ──┐                          ┌── PBX B 198.18.20.2
    attackers .66,        ├─ outside ─ trunklined ─ inside
    203.0.113.66 ...  ────┘
"""
import base64
import hashlib
import hmac
import os
import random
import select
import struct
import time

from trunklab import srtp
from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.ng import Client
from trunklab.report import Report, expect, expect_equal
from trunklab.wire import drain, frame, rtp, udp

NEIGHBOUR, PATIENT = "198.18.10.66", "198.18.10.67"  # in the phone's /24
STRANGERS = [f"203.0.113.{n}" for n in range(66, 74)]
STEP = 0.02
FLOOD = 60  # packets a step: 3,000 a second
SUITE = "AES_CM_128_HMAC_SHA1_80"


def sdp(address, port, lines=(), proto="RTP/AVP"):
    return "\r\n".join(["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0",
                        f"m=audio {port} {proto} 0 101", "a=rtpmap:101 telephone-event/8000",
                        *lines]) + "\r\n"


def port_of(text):
    return int(text.split("m=audio ")[1].split()[0])


def crypto_of(text):
    return next(x for x in text.split("\r\n") if x.startswith("a=crypto:"))


class Keys(srtp.Keys):
    """With SRTCP (RFC 3711 section 3.4)."""

    def __init__(self, inline=None):
        self.inline = inline or base64.b64encode(os.urandom(30)).decode()
        super().__init__(SUITE, self.inline)
        self.index = 0

    @classmethod
    def of_crypto(cls, line):
        return cls(line.split("inline:")[1].split()[0])

    def crypto(self):
        return f"a=crypto:1 {SUITE} inline:{self.inline}"

    def seal_rtcp(self, packet):
        self.index += 1
        salt, ssrc = self._derive(5, 14), struct.unpack("!L", packet[4:8])[0]
        iv = int.from_bytes(salt + b"\0\0", "big") ^ ssrc << 64 ^ self.index << 16
        key = self._derive(3, self.key_len)
        out = packet[:8] + srtp.ctr(key, iv.to_bytes(16, "big"), packet[8:])
        out += struct.pack("!L", 1 << 31 | self.index)
        return out + hmac.new(self._derive(4, 20), out, hashlib.sha1).digest()[:10]


class Speaker:
    """A side: its sockets, what it says and what it hears."""

    def __init__(self, namespace, address, port, word, keys=None):
        self.address, self.port, self.word, self.keys, self.theirs = address, port, word, keys, None
        self.sock, self.rtcp = namespace.udp(address, port), namespace.udp(address, port + 1)
        self.to, self.seq, self.sent = None, random.randrange(50000), 0
        self.ssrc = random.randrange(1 << 31)
        self.last = b""
        self.heard, self.bad = {}, 0  # by the first byte of the payload

    def packet(self):
        self.seq += 1
        data = rtp(self.seq, self.seq * 160, self.word * 160, self.ssrc)
        return self.keys.seal(data) if self.keys else data

    def speak(self):
        self.last = self.packet()
        self.sock.sendto(self.last, self.to)
        self.sent += 1

    def listen(self, timeout=0.0):
        while select.select([self.sock, self.rtcp], [], [], timeout)[0]:
            for sock in (self.sock, self.rtcp):
                while select.select([sock], [], [], 0)[0]:
                    data = sock.recv(2000)
                    if sock is self.rtcp or 200 <= data[1] <= 204:
                        what = "rtcp"
                    elif self.theirs:
                        data = self.theirs.open(data)
                        what = chr(data[12]) if data else "forged"
                    else:
                        what = chr(data[12])
                    self.heard[what] = self.heard.get(what, 0) + 1

    def got(self):
        """What was heard since the last time."""
        self.listen(0.15 * w.slow())
        heard, self.heard, self.sent = self.heard, {}, 0
        return heard

    def close(self):
        self.sock.close()
        self.rtcp.close()


class Call:
    """A and B by offer and answer."""
    count = 0

    def __init__(self, lab, a, b, flags=()):
        Call.count += 1
        self.lab, self.a, self.b, self.flags = lab, a, b, list(flags)
        self.id, self.tags = f"attack-{Call.count}", (f"a{Call.count}", f"b{Call.count}")
        self.offer()
        self.answer()

    def offer(self):
        a = self.a
        lines = [a.keys.crypto()] if a.keys else []
        self.offered = self.lab.ng.ok(
            command="offer", call_id=self.id, from_tag=self.tags[0],
            sdp=sdp(a.address, a.port, lines, "RTP/SAVP" if a.keys else "RTP/AVP"),
            direction=["outside", "inside"], flags=self.flags, transport_protocol="RTP/AVP",
            **({"to-tag": self.tags[1]} if hasattr(self, "answered") else {}))["sdp"]
        self.b.to = (w.MEDIA_INSIDE, port_of(self.offered))

    def answer(self):
        a, b = self.a, self.b
        self.answered = self.lab.ng.ok(
            command="answer", call_id=self.id, from_tag=self.tags[0], to_tag=self.tags[1],
            sdp=sdp(b.address, b.port), flags=self.flags)["sdp"]
        a.to = (w.MEDIA_OUTSIDE, port_of(self.answered))
        if a.keys:
            a.theirs = Keys.of_crypto(crypto_of(self.answered))

    def side(self):
        """What `show call` says of the outside leg."""
        return self.lab.pop.cli("show", "call", self.id)["a"]

    def attempts(self):
        """Packets that were kept out, as it shows them."""
        a = self.side()
        return a["refused"] + a["waited"] + a["srtp_auth"] + a["srtp_replay"]

    def end(self):
        self.lab.ng.ok(command="delete", call_id=self.id, from_tag=self.tags[0])
        self.a.close()
        self.b.close()


class Lab:
    def __init__(self, world):
        self.world = world
        for address in (NEIGHBOUR, PATIENT):
            world.customer.run("ip", "addr", "add", f"{address}/24", "dev", "wan")
        world.customer.run("ip", "route", "add", "default", "via", w.POP_OUTSIDE)
        for address in STRANGERS:
            world.customer.run("ip", "addr", "add", f"{address}/32", "dev", "wan")
        self.pop = Daemon(world, pop_config(world, control={
            "ng": ["127.0.0.1:2223", f"{w.POP_INSIDE}:2223"], "ng_allow": ["127.0.0.0/8"]}), [])
        self.pop.start()
        world.pop.run("ip", "route", "add", "203.0.113.0/24", "via", w.GATEWAY)
        world.greet()
        self.ng = Client(world.pop, "127.0.0.1")
        self.wire = world.customer.packets("wan")
        self.seqs = {}
        self.sent = 0
        self.leaked = 0

    def call(self, port, flags=(), secure=False):
        a = Speaker(self.world.customer, w.GATEWAY, port, b"A", Keys() if secure else None)
        b = Speaker(self.world.platform, w.PLATFORM, port, b"B")
        return Call(self, a, b, flags)

    # ---- the attackers ----

    def send(self, source, port, to, data):
        self.wire.send(frame(udp(source, port, *to, data)))
        self.sent += 1

    def rtp_of(self, source, port, ssrc, step=1):
        """The next packet in sequence of a source."""
        seq = self.seqs.get((source, port), random.randrange(60000)) + step
        self.seqs[source, port] = seq
        return rtp(seq, seq * 160, b"X" * 160, ssrc)

    def flood(self, call):
        """One step's share: floods in sequence, many ports, many hosts, the stream's own SSRC, and
        two that have the pace of speech."""
        to, a = call.a.to, call.a
        for _ in range(FLOOD // 4):
            self.send(STRANGERS[0], 6666, to, self.rtp_of(STRANGERS[0], 6666, 0xBAD))
            self.send(NEIGHBOUR, 4000, to, self.rtp_of(NEIGHBOUR, 4000, 0xBAD))
            port = random.randrange(1024, 65535)
            self.send(STRANGERS[1], port, to, rtp(a.seq + 1, a.seq * 160, b"X" * 160, a.ssrc))
            who = random.choice(STRANGERS[3:])
            self.send(who, a.port, to, self.rtp_of(who, a.port, a.ssrc))
        for who in (STRANGERS[2], PATIENT):
            self.send(who, a.port, to, self.rtp_of(who, a.port, 0xBEEF))

    def watch(self):
        """Whatever leaves the PoP for an attacker."""
        attackers = {NEIGHBOUR, PATIENT, *STRANGERS}
        while select.select([self.wire], [], [], 0)[0]:
            data, address = self.wire.recvfrom(65535)
            if address[2] == 4 or data[12:14] != b"\x08\0":
                continue
            self.leaked += ".".join(map(str, data[30:34])) in attackers

    def run(self, seconds, call, attack=None, a=True, b=True):
        """So long the sides speak and listen while the attack goes on."""
        call.a.got(), call.b.got()
        self.sent = self.leaked = 0
        due = time.monotonic()
        for _ in range(round(seconds / STEP)):
            if a:
                call.a.speak()
            if b:
                call.b.speak()
            if attack:
                attack(call)
            call.a.listen()
            call.b.listen()
            self.watch()
            due += STEP
            time.sleep(max(0.0, due - time.monotonic()))
        sent = call.a.sent, call.b.sent
        heard = call.a.got(), call.b.got()
        self.watch()
        return sent, heard

    def expect_tight(self, heard):
        expect_equal(self.leaked, 0, "packets to attackers")
        for who in heard:
            expect(not who.get("X") and not who.get("forged"), f"injected: {who}")


def spoken(sent, heard, what, share=0.98):
    """Both sides were heard. A machine that is busy may lose a packet of AF_XDP's, not a flood."""
    for n, who, word in ((sent[0], heard[1], "A"), (sent[1], heard[0], "B")):
        expect(n * share <= who.get(word, 0) <= n, f"{what}: {who.get(word, 0)} of {n} {word}s")
    return f"{heard[1]['A'] + heard[0]['B']} of {sum(sent)}"


def expect_counted(lab, call, before):
    got = call.attempts() - before
    expect(lab.sent * 0.95 <= got <= lab.sent, f"{got} of {lab.sent} attempts are shown")
    return got


def call_start(lab, t):
    """Nobody has spoken yet but B; the attackers are first."""
    call = lab.call(4000)
    before = call.attempts()
    _, heard = lab.run(2, call, lab.flood, a=False)
    lab.expect_tight(heard)
    shown = expect_counted(lab, call, before)
    flooded = lab.sent
    sent, heard = lab.run(1, call)
    said = spoken(sent, heard, "after the flood")
    t.proved(f"{flooded} packets before the phone's first: 0 leaked, 0 injected, {shown} shown; "
             f"then {said} packets of audio")
    call.end()


def ringing(lab, t):
    """Before the answer, B has early media, and an attacker at the pace of speech has time."""
    a = Speaker(lab.world.customer, w.GATEWAY, 4020, b"A")
    b = Speaker(lab.world.platform, w.PLATFORM, 4020, b"B")
    call = Call.__new__(Call)
    call.lab, call.a, call.b, call.flags = lab, a, b, []
    call.id, call.tags = "attack-ringing", ("ra", "rb")
    call.offer()
    a.to = (w.MEDIA_OUTSIDE, int(call.side()["local"].rsplit(":", 1)[1]))

    flooded = 0
    for who, seconds in ((NEIGHBOUR, 2), (STRANGERS[2], 4)):
        def patient(call, who=who):
            lab.send(who, 4020, call.a.to, lab.rtp_of(who, 4020, 0xBEEF))
        _, heard = lab.run(seconds, call, patient, a=False)
        lab.expect_tight(heard)
        flooded += lab.sent
    shown = call.attempts()
    expect(flooded * 0.95 <= shown <= flooded, f"{shown} of {flooded} attempts are shown")
    call.answer()
    sent, heard = lab.run(1, call)
    t.proved(f"{flooded} packets at the pace of speech while it rings: 0 leaked, 0 injected, "
             f"{shown} shown; then {spoken(sent, heard, 'after the answer')} packets of audio")
    call.end()


def mid_call(lab, t):
    call = lab.call(4004)
    sent, heard = lab.run(0.5, call)
    spoken(sent, heard, "at first")
    before = call.attempts()
    sent, heard = lab.run(3, call, lab.flood)
    lab.expect_tight(heard)
    shown = expect_counted(lab, call, before)
    flooded, said = lab.sent, spoken(sent, heard, "during the flood")
    _, heard = lab.run(1.5, call, lab.flood, a=False)  # the phone is silent
    lab.expect_tight(heard)
    expect_equal(call.side()["seen"], f"{w.GATEWAY}:4004", "where the phone is")
    t.proved(f"{flooded} packets among {said} of audio and {lab.sent} in a silence of 1.5 s: "
             f"0 leaked, 0 injected, {shown} shown")
    call.end()


def re_offer(lab, t):
    """The phone moves to another port by a re-offer; the attackers try to be there first."""
    call = lab.call(4008)
    lab.run(0.5, call)
    old, call.a = call.a, Speaker(lab.world.customer, w.GATEWAY, 4012, b"A")
    call.a.to = old.to
    call.offer()
    _, heard = lab.run(0.5, call, lab.flood, a=False)
    lab.expect_tight(heard)
    call.answer()
    before = call.attempts()
    _, heard = lab.run(1, call, lab.flood, a=False)
    lab.expect_tight(heard)
    shown, flooded = expect_counted(lab, call, before), lab.sent
    sent, heard = lab.run(1, call, lab.flood)
    lab.expect_tight(heard)
    said = spoken(sent, heard, "at the new port")
    old.close()
    t.proved(f"{flooded} packets after the re-offer, before the phone's first: 0 leaked, 0 injected, "
             f"{shown} shown; then {said} of audio at the new port")
    call.end()


def bye(lab, t):
    """RTCP that ends nothing: BYE from strangers, on the RTCP port and on RTP's."""
    call = lab.call(4024)
    lab.run(0.5, call)
    genuine = [struct.pack("!BBHLLLLLL", 0x80, 200, 6, call.a.ssrc, 0, 0, 0, 0, 0)]

    def forge(call):
        while genuine:
            call.a.rtcp.sendto(genuine.pop(), (call.a.to[0], call.a.to[1] + 1))
        for who in (*STRANGERS[:2], NEIGHBOUR):
            report = struct.pack("!BBHL", 0x80, 201, 1, call.a.ssrc)
            byes = report + struct.pack("!BBHL", 0x81, 203, 1, call.a.ssrc)
            lab.send(who, 4025, (call.a.to[0], call.a.to[1] + 1), byes)
            lab.send(who, 4024, call.a.to, byes)
    before = call.side()["rtcp_refused"]
    sent, heard = lab.run(1, call, forge)
    lab.expect_tight(heard)
    expect_equal(heard[1].get("rtcp", 0), 1, "RTCP that B got, of which one was the phone's")
    shown = call.side()["rtcp_refused"] - before
    expect(shown >= lab.sent // 2 * 0.95, f"{shown} forged packets on the RTCP port are shown")
    t.proved(f"{lab.sent} forged RTCP BYEs: none passed, {shown} shown; "
             f"{spoken(sent, heard, 'meanwhile')} of audio meanwhile")
    call.end()


def srtp_forgery(lab, t):
    """From the phone's own address and port, which is no evidence where there are keys."""
    call = lab.call(4028, secure=True)
    sent, heard = lab.run(0.5, call)
    spoken(sent, heard, "at first")
    a = call.a
    before = call.side()
    taken = []
    kinds = {"replayed": 0, "forged": 0}

    def forge(call):
        taken.append(a.last)
        source = (w.GATEWAY, a.port, a.to)
        lab.send(*source, a.last)                  # at once
        lab.send(*source, random.choice(taken))    # later
        kinds["replayed"] += 2
        wrong = bytearray(a.packet())
        a.seq -= 1
        wrong[random.randrange(12, len(wrong))] ^= 1 << random.randrange(8)
        lab.send(*source, bytes(wrong))            # the next one, with a bit turned
        lab.send(*source, Keys().seal(rtp(a.seq + 1, 0, b"X" * 160, a.ssrc)))  # another key
        lab.send(*source, rtp(a.seq + 1, 0, b"X" * 160, a.ssrc))                 # no SRTP at all
        kinds["forged"] += 3
    sent, heard = lab.run(2, call, forge)
    lab.expect_tight(heard)
    said = spoken(sent, heard, "during forgery")
    after = call.side()
    shown = {"replayed": after["srtp_replay"] - before["srtp_replay"],
             "forged": after["srtp_auth"] - before["srtp_auth"]}
    for kind, n in kinds.items():
        expect(n * 0.95 <= shown[kind] <= n, f"{kind}: {shown[kind]} of {n} are shown")
    t.proved(f"{kinds['replayed']} replayed and {kinds['forged']} forged: 0 injected, "
             f"{shown['replayed']} and {shown['forged']} shown; {said} of audio meanwhile")
    call.end()


def srtcp_forgery(lab, t):
    call = lab.call(4032, secure=True)
    lab.run(0.5, call)
    a = call.a
    to = (a.to[0], a.to[1] + 1)
    report = struct.pack("!BBHLLLLLL", 0x80, 200, 6, a.ssrc, 1, 2, 3, 4, 5)
    byes = struct.pack("!BBHL", 0x80, 201, 1, a.ssrc) + struct.pack("!BBHL", 0x81, 203, 1, a.ssrc)
    genuine = a.keys.seal_rtcp(report)
    first = [genuine]

    def forge(_call):
        while first:
            a.rtcp.sendto(first.pop(), to)
        lab.send(w.GATEWAY, a.port + 1, to, genuine)
        lab.send(w.GATEWAY, a.port + 1, to, byes)
        lab.send(w.GATEWAY, a.port + 1, to, Keys().seal_rtcp(byes))
    sent, heard = lab.run(1, call, forge)
    expect_equal(heard[1].get("rtcp", 0), 1, "RTCP that B got")
    t.proved(f"of {lab.sent + 1} SRTCP packets, replayed, plain and with another key, the genuine one "
             f"passed; {spoken(sent, heard, 'meanwhile')} of audio meanwhile")
    call.end()


def port_scan(lab, t):
    """Every media port, with RTP, STUN and nothing sensible: no answer of any kind."""
    call = lab.call(4036)
    lab.run(0.5, call)
    ports = iter([p for p in range(10000, 13000) if p not in (call.a.to[1], call.a.to[1] + 1)])
    stun = struct.pack("!HHL", 1, 0, 0x2112A442) + b"scanscanscan"
    before = lab.pop.drops()

    def scan(_call):
        for _ in range(30):
            port = next(ports)
            for data in (rtp(1, 1, b"X" * 20), stun, b"hello"):
                lab.send(STRANGERS[0], 5555, (w.MEDIA_OUTSIDE, port), data)
    sent, heard = lab.run(1.9, call, scan)
    lab.expect_tight(heard)
    drops = lab.pop.drops()
    named = drops["no-call"] - before["no-call"]
    expect(named >= lab.sent * 0.95, f"{named} of {lab.sent} are dropped as no-call")
    t.proved(f"{lab.sent} packets to {lab.sent // 3} ports: nothing came back, {named} dropped as "
             f"no-call; {spoken(sent, heard, 'meanwhile')} of audio meanwhile")
    call.end()


def ng_strangers(lab, t):
    """Who is not allowed can neither make calls nor end one, nor learn that there is a server."""
    call = lab.call(4040)
    lab.run(0.5, call)
    lab.world.platform.run("ip", "addr", "add", "198.18.20.99/24", "dev", "lan")
    sock = lab.world.platform.udp("198.18.20.99", 0)
    calls = lab.pop.cli("show", "calls")["total"]
    messages = [{"command": "delete", "call-id": call.id, "from-tag": call.tags[0]},
                {"command": "block media", "call-id": call.id, "all": "all"},
                {"command": "offer", "call-id": "theirs", "from-tag": "x",
                 "sdp": sdp("198.18.20.99", 4000)}]
    for i in range(600):
        sock.sendto(lab.ng.frame(b"%d" % i, messages[i % 3]), (w.POP_INSIDE, 2223))
        if i % 50 == 0:
            time.sleep(0.02)
    sent, heard = lab.run(1, call)
    said = spoken(sent, heard, "after the messages")
    expect(not select.select([sock], [], [], 0.2)[0], "a stranger got an answer")
    expect_equal(lab.pop.cli("show", "calls")["total"], calls, "calls")
    drain(sock)
    t.proved(f"600 messages of a stranger: no answer, no call made, none ended; {said} of audio")
    call.end()


def main():
    report = Report("attack")
    random.seed(7362)
    with w.World() as world:
        lab = Lab(world)
        report.on_failure.append(lambda: print(lab.pop.log_tail(8)))
        for part in (call_start, ringing, mid_call, re_offer, bye, srtp_forgery, srtcp_forgery,
                     port_scan, ng_strangers):
            with report.test(part.__name__.replace("_", "-")) as t:
                part(lab, t)
    return report.close()
