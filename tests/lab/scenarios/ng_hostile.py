# SPDX-License-Identifier: BSD-3-Clause
"""NG messages in any order and shape: offers, answers and deletes of few calls, SDP that is broken
in all ways. The daemon stays, answers each message, and has nothing left when all calls are gone."""
import glob
import json
import os
import random
import re
import select
import time

from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.ng import Client
from trunklab.report import Report, expect, expect_equal

MESSAGES = 4000 if w.quick() else 40000
KEY = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
VERBS = ["offer"] * 6 + ["answer"] * 6 + ["delete"] * 2 + [
    "query", "list", "statistics", "block media", "unblock media", "block DTMF", "unblock DTMF",
    "silence media", "unsilence media", "start recording", "stop recording", "ping", "publish"]
LINES = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive", "a=rtcp:4001", "a=rtcp-mux",
         "a=ptime:20", "a=mid:0", "a=mid:1", "a=label:x", "a=rtpmap:101 telephone-event/8000",
         "a=rtpmap:96 opus/48000/2", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 " + KEY,
         "a=crypto:2 AEAD_AES_256_GCM inline:" + "A" * 59, "a=crypto:9 OTHER x:y",
         "a=fingerprint:sha-1 00", "a=ice-ufrag:u", "a=candidate:1 1 udp 1 1.2.3.4 5 typ host",
         "c=IN IP4 198.18.10.2", "c=IN IP4 0.0.0.0", "c=IN IP6 2001:db8::1", "c=IN IP4 224.0.0.1",
         "a=group:BUNDLE 0 1", "b=AS:64", "i=x", ""]
MEDIA = ["m=audio 4000 RTP/AVP 0 8 101", "m=audio 4002 RTP/SAVP 0", "m=audio 0 RTP/AVP 0",
         "m=video 4004 RTP/AVPF 96", "m=image 4006 udptl t38", "m=audio 9 UDP/TLS/RTP/SAVPF 96"]


def words():
    """Flags and keys of the protocol, from its one table."""
    with open(os.path.join(w.TOP, "lib", "ng", "ng.def"), encoding="utf-8") as f:
        return [x for x in re.findall(r'^NG_(?:FLAG|KEY)\(\w+, "([^"]+)"', f.read(), re.M)
                if x != "command"]


class Liar:
    def __init__(self, seed):
        self.rng, self.words = random.Random(seed), words()

    def sdp(self):
        rng = self.rng
        lines = ["v=0", "o=- 1 %d IN IP4 198.18.10.2" % rng.randrange(5), "s=-",
                 "c=IN IP4 198.18.10.2", "t=0 0"]
        for _ in range(rng.choice((1, 1, 1, 2, 3, 40))):
            lines.append(rng.choice(MEDIA[:rng.choice((1, 2, 6))]))
            lines += [rng.choice(LINES) for _ in range(rng.randrange(6))]
        text = rng.choice(("\r\n", "\r\n", "\n")).join(lines) + "\r\n"
        for _ in range(rng.choice((0, 0, 0, 1, 3))):
            at = rng.randrange(len(text))
            what = rng.randrange(3)
            text = (text[:at] + chr(rng.randrange(256)) * (what != 0)
                    + text[at + (what != 1) * rng.choice((1, 1, 30)):]) or "v"
        return text

    def message(self):
        rng = self.rng
        a, b = rng.choice("abc"), rng.choice("xyz")
        if rng.random() < 0.3:
            a, b = b, a
        message = {"command": rng.choice(VERBS), "call-id": "call %d" % rng.randrange(6),
                   "from-tag": a}
        if rng.random() < 0.7:
            message["to-tag"] = b
        if rng.random() < 0.3:
            message["via-branch"] = rng.choice("12")
        if message["command"] in ("offer", "answer"):
            message["sdp"] = self.sdp()
        if rng.random() < 0.6:
            message["flags"] = [rng.choice(self.words) for _ in range(rng.randrange(5))]
        for key, values in (("transport-protocol", ("RTP/AVP", "RTP/SAVP", "RTP/SAVPF", "x/y")),
                            ("direction", (["outside", "inside"], ["inside", "x"], "outside")),
                            ("replace", (["origin", "session-connection"], ["SDP-version"])),
                            ("rtcp-mux", (["demux"], ["offer", "accept"], ["reject"])),
                            ("codec", ({"strip": ["PCMU"]}, {"mask": ["all"]}, {"offer": 5})),
                            ("SDES", (["off"], ["no-AEAD_AES_256_GCM"], ["only-x"])),
                            ("label", ("l", "a\r\nb", "")), ("TOS", (184, -1, "x")),
                            ("delete-delay", (0, 1, "1")), ("all", ("all", 1, "none")), ("set-label", ("l", "m")),
                            ("media-address", (w.MEDIA_OUTSIDE, "1.2.3.4", "x")),
                            ("received-from", (["IP4", "198.18.10.2"], "IP4 x"))):
            if rng.random() < 0.12:
                message[key] = rng.choice(values)
        if rng.random() < 0.03:
            message[rng.choice(self.words)] = rng.choice((1, "x", ["y"], {"z": {"z": ["z"]}}))
        return message


def flood(lab, client, liar, count):
    """So many messages; each is answered, in the words that proxies know."""
    results = {}
    for _ in range(count):
        message = liar.message()
        answer = client.ask(message)
        expect(isinstance(answer.get("result"), str), f"{message}: {answer}")
        if answer["result"] == "error":
            expect(answer.get("error-reason"), f"{message}: {answer}")
        kind = message["command"], answer["result"]
        results[kind] = results.get(kind, 0) + 1
    expect(lab.process.poll() is None, "the daemon is gone:\n" + lab.log_tail())
    return results


def clean(lab, client):
    for n in range(6):
        client.ask(command="delete", call_id="call %d" % n, all="all", delete_delay=0)
    expect_equal(client.ok(command="list").get("calls"), [], "calls that are left")
    expect_equal(lab.cli("show", "calls")["total"], 0, "streams that are left")


def messages(lab, report, world):
    rss = 0
    for tcp in (False, True):
        for as_json in (False, True):
            with report.test(("tcp" if tcp else "udp") + ("-json" if as_json else "-bencode")) as t:
                client = Client(world.pop, "127.0.0.1", tcp=tcp, as_json=as_json,
                                timeout=5 * w.slow())
                results = flood(lab, client, Liar(f"{tcp}{as_json}"), MESSAGES // 4)
                clean(lab, client)
                client.close()
                ok = sum(n for (_, result), n in results.items() if result in ("ok", "pong"))
                offers = results.get(("offer", "ok"), 0), results.get(("answer", "ok"), 0)
                expect(min(offers) > MESSAGES // 400, f"too few were good: {results}")
                grown = lab.rss_kb() - rss if rss else 0
                rss = lab.rss_kb()
                expect(grown < 30000 * w.slow(), f"the daemon grew by {grown} kB")
                t.proved(f"{MESSAGES // 4} messages, {ok} of them good ({offers[0]} offers, "
                         f"{offers[1]} answers); no call is left, {grown} kB more memory")


def forgotten(lab, world, t):
    """Whatever was said of calls, all of them end by themselves."""
    client, liar, most = Client(world.pop, "127.0.0.1", as_json=True), Liar("forgotten"), 0
    for _ in range(5):
        for _ in range(MESSAGES // 80):
            message = liar.message()
            if message["command"] != "delete":
                message["call-id"] = "call %d" % liar.rng.randrange(60)
                client.ask(message)
        most = max(most, lab.cli("show", "calls")["total"])
        time.sleep(0.3)
    time.sleep(4.5 * w.slow())
    expect_equal(client.ok(command="list", limit=1000)["calls"], [], "calls, 4.5 s after the last message")
    expect_equal(lab.cli("show", "calls")["total"], 0, "streams that are left")
    client.close()
    t.proved(f"{most} streams of calls that nobody deletes are gone after timeouts of 1 s and 3 s")


def garbage(lab, world, t):
    """Datagrams that are no message at all, and messages with bytes turned."""
    rng = random.Random(8866)
    client = Client(world.pop, "127.0.0.1")
    liar = Liar("garbage")
    for i in range(MESSAGES // 4):
        data = bytearray(client.frame(b"%d" % i, liar.message()))
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        client.sock.sendto(data[:rng.choice((len(data), rng.randrange(len(data) + 1)))], client.to)
        if i % 50 == 0:
            while select.select([client.sock], [], [], 0.01)[0]:
                client.sock.recv(65535)
    client.close()
    client = Client(world.pop, "127.0.0.1")
    expect_equal(client.ask(command="ping"), {"result": "pong"}, "ping")
    for call in client.ok(command="list", limit=1000)["calls"]:
        client.ask(command="delete", call_id=call, all="all")
    t.proved(f"{MESSAGES // 4} broken messages; the daemon answers")


def records_of(folder):
    for path in glob.glob(os.path.join(folder, "records", "*.jsonl")):
        with open(path, encoding="utf-8") as f:
            yield from f


def main():
    report = Report("ng_hostile")
    with w.World() as world:
        lab = Daemon(world, pop_config(world, control={
            "ng": ["127.0.0.1:2223"], "ng_allow": ["127.0.0.0/8"]},
            recordings=os.path.join(world.dir, "recordings"),
            records={"json": os.path.join(world.dir, "records")},
            timeouts={"offer": 1, "silence": 1, "held": 1, "final": 3}), []).start()
        world.greet()
        report.on_failure.append(lambda: print(lab.log_tail()))
        messages(lab, report, world)
        with report.test("forgotten") as t:
            forgotten(lab, world, t)
        with report.test("garbage") as t:
            garbage(lab, world, t)
        with report.test("ends") as t:
            code, seconds = lab.stop()
            expect_equal(code, 0, "exit code")
            seen = [json.loads(x) for x in records_of(world.dir)]
            reasons = {r["reason"] for r in seen}
            expect(len({r["uid"] for r in seen}) == len(seen), "a record is there twice")
            expect(reasons >= {"delete", "offer", "held", "silence"}, f"reasons of records: {reasons}")
            t.proved(f"it ends in order, {seconds:.1f} s; {len(seen)} records: {', '.join(sorted(reasons))}")
    return report.close()
