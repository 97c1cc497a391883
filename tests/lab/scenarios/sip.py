# SPDX-License-Identifier: BSD-3-Clause
"""Kamailio as Debian has it, and SIPp's phones with audio: 200 calls at once, and what proxies do to calls

    customer                             platform
    SIPp calls 198.18.40.1 ───SIP─── 198.18.40.2 Kamailio ── SIPp answers 198.18.20.2
         media 198.18.10.2 ─── PoP ─── 198.18.20.2 media, an echo

Kamailio controls the PoP by its rtpengine module. RTP is counted for each call at both ends, where it leaves
and where it arrives, by the kernels there; the call records are compared with that.
"""
import contextlib
import json
import os
import signal
import struct
import subprocess
import time

from trunklab import audio, sip
from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.report import Report, expect, expect_equal

CALLED_PORT, OTHER_PORT, MEDIA_PORT, ECHO_PORT = 5080, 5082, 6000, 7000
RINGING_MS = 3000


def local_port(call, side):
    return int(call[side]["local"].rsplit(":", 1)[1])


class Lab:
    def __init__(self, world):
        self.world = world
        sip.signalling_link(world)
        self.records = os.path.join(world.dir, "records")
        self.daemon = Daemon(world, pop_config(
            world, control={"ng": [f"{w.POP_INSIDE}:2223"], "ng_allow": ["198.18.20.0/24"]},
            records={"json": self.records, "sqlite": os.path.join(world.dir, "calls.sqlite")}),
            []).start()
        world.greet()
        sip.ng_ping(world.platform, w.POP_INSIDE, 2223)
        self.caller_rtp, self.called_rtp = (sip.RtpCount(ns) for ns in (world.customer, world.platform))
        self.wav = speech(world.dir)
        self.number, self.running = 0, []
        self.kamailio = sip.Kamailio(
            world, world.platform, sip.SIP_PROXY, f"{w.POP_INSIDE}:2223",
            {"called": f"{w.PLATFORM}:{CALLED_PORT}"}, ringing_ms=RINGING_MS,
            several=[f"{w.PLATFORM}:{p}" for p in (CALLED_PORT, OTHER_PORT)]).start()

    def phones(self, caller, called, calls=1, rate=20, echo=True, other=None):
        """SIPp for each side, with a scenario's steps; they run. other: a phone that rings, too."""
        for phone in self.running:  # of a test that failed
            phone.stop()
        self.left = {c["id"] for c in self.daemon.cli("show", "calls")["calls"]}
        self.number += 1
        self.caller_rtp.clear()
        self.called_rtp.clear()
        self.seen = len(self.read_records())
        self.drops = self.daemon.drops()
        answers = sip.Sipp(
            self.world, self.world.platform, f"called{self.number}", sip.caller(called), w.PLATFORM,
            CALLED_PORT, media_port=MEDIA_PORT,
            options=["-m", str(calls), *(["-rtp_echo"] if echo else [])])
        others = [sip.Sipp(
            self.world, self.world.platform, f"other{self.number}", sip.caller(other), w.PLATFORM, OTHER_PORT,
            media_port=MEDIA_PORT + 100, options=["-m", "1"])] if other else []
        time.sleep(0.5)
        calls_out = sip.Sipp(
            self.world, self.world.customer, f"caller{self.number}", sip.caller(caller), sip.SIP_CALLER,
            5070, f"{sip.SIP_PROXY}:5060", media_port=20000, media_ip=w.GATEWAY,
            options=["-m", str(calls), "-r", str(rate), "-l", str(calls), "-s", "several" if other else "called"])
        self.running = [calls_out, answers, *others]
        return self.running

    def finish(self, phones, timeout, calls=1):
        """Both have ended well, and the PoP has no call any more."""
        for phone in phones:
            seen = phone.wait(timeout * w.slow())
            expect(seen["successful"] == calls and seen["failed"] == 0,
                   f"{phone.name}: {seen}\n{phone.errors()}")
        deadline = time.monotonic() + 5
        while self.calls() and time.monotonic() < deadline:
            time.sleep(0.1)
        expect_equal(self.calls(), [], "calls after the last one ended")
        return phones[0].figures()

    def calls(self):
        return [c for c in self.daemon.cli("show", "calls")["calls"] if c["id"] not in self.left]

    def wait_calls(self, count, timeout=10):
        deadline = time.monotonic() + timeout * w.slow()
        while len(self.calls()) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        calls = self.calls()
        expect_equal(len(calls), count, "calls at once")
        return calls

    def read_records(self):
        lines = []
        for name in sorted(os.listdir(self.records)):
            with open(os.path.join(self.records, name), encoding="utf-8") as f:
                lines += [json.loads(x) for x in f]
        return lines

    def new_records(self, count):
        deadline = time.monotonic() + 5
        while len(self.read_records()) < self.seen + count and time.monotonic() < deadline:
            time.sleep(0.1)
        found = self.read_records()[self.seen:]
        expect_equal(len(found), count, "call records")
        return found

    def totals(self):
        """RTP packets: (sent by callers, arrived at called, echoed, arrived at callers)."""
        caller_came, caller_went = self.caller_rtp.read()
        called_came, called_went = self.called_rtp.read()
        return [sum(x.values()) for x in (caller_went, called_came, called_went, caller_came)]

    def stopped(self):
        """Totals once nothing moves any more."""
        last = None
        while last != (last := self.totals()):
            time.sleep(0.3)
        return last


def speech(directory):
    """WAV of G.711, which is what SIPp plays."""
    _, ulaw = audio.speak("This is a call through Kamailio and Trunkline. Please hold the line.", directory)
    path = os.path.join(directory, "speech.wav")
    ulaw = ulaw[:len(ulaw) // 160 * 160]
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<L", 36 + len(ulaw)) + b"WAVEfmt "
                + struct.pack("<LHHLLHH", 16, 7, 1, 8000, 8000, 1, 8)
                + b"data" + struct.pack("<L", len(ulaw)) + ulaw)
    return path


def echo_start(lab):
    """The called side's audio of all calls: SIPp's own echo reads packet by packet, and loses some where
    two processors do all of this."""
    program = os.path.join(w.build_dir(), "tests", "lab", "rtpload")
    echo = lab.world.spawn(lab.world.platform, program, "echo", "--bind", w.PLATFORM, "--port",
                           str(ECHO_PORT), "--calls", "1", stdout=subprocess.PIPE, text=True)
    expect_equal(echo.stdout.readline().strip(), "ready", "rtpload echo")
    return echo


def many(lab, t):
    calls, seconds, rate = (50, 10, 20) if w.quick() else (200, 60, 20)
    echo = echo_start(lab)
    phones = lab.phones(sip.call_steps(lab.wav, seconds * 1000), sip.called_steps(media=ECHO_PORT), calls,
                        rate, echo=False)
    time.sleep(calls / rate + 2)
    ports = {local_port(c, "a"): local_port(c, "b") for c in lab.wait_calls(calls, 10)}
    figures = lab.finish(phones, seconds + calls / rate + 60, calls)
    echo.terminate()
    echo.wait()
    caller_came, caller_went = lab.caller_rtp.read()
    called_came, called_went = lab.called_rtp.read()
    packets = 0
    expect_equal(len(ports), calls, "ports of the outside")
    for a, b in ports.items():
        seen = (caller_went.get((w.MEDIA_OUTSIDE, a), 0), called_came.get((w.MEDIA_INSIDE, b), 0),
                called_went.get((w.MEDIA_INSIDE, b), 0), caller_came.get((w.MEDIA_OUTSIDE, a), 0))
        expect(min(seen) == max(seen) >= seconds * 50 * 0.98,
               f"port {a}: sent, arrived, echoed, came back {seen} of {seconds * 50}")
        packets += seen[0]
    for r in lab.new_records(calls):
        (stream,) = r["streams"]
        expect(r["reason"] == "delete" and r["answer"] and abs(r["duration"] - seconds) < 5, r)
        expect(all(stream[s]["lost"] == stream[s]["refused"] == 0 for s in "ab")
               and stream["a"]["packets_in"] == stream["b"]["packets_out"]
               == stream["b"]["packets_in"] == stream["a"]["packets_out"], r)
    drops = {k: v - lab.drops[k] for k, v in lab.daemon.drops().items() if v != lab.drops[k]}
    expect_equal(drops, {}, "drops")
    t.proved(f"{calls} of {calls} calls answered; each sent {seconds} s of speech and had it back: 2 × "
             f"{packets} packets, 0 lost; {figures['retransmissions']} SIP retransmissions; "
             f"{calls} call records say the same")


def reinvite(lab, t):
    """The caller moves to another port in mid-call."""
    moved = sip.sdp(2, media="31000")
    steps = (sip.invite_steps() + [sip.play(lab.wav), sip.pause(2000), sip.play_stop(), sip.pause(300)]
             + sip.reinvite_steps(2, moved) + [sip.pause(1500)] + sip.hangup_steps(3))
    phones = lab.phones(steps, sip.called_steps())
    (before,) = lab.wait_calls(1)
    time.sleep(2.2)
    called = lab.stopped()
    expect(called[0] == called[1] == called[2] == called[3] > 80, f"before: {called}")
    deadline = time.monotonic() + 3
    with lab.world.customer.udp(w.GATEWAY, 31000, 0.05) as s:
        got = 0
        for n in range(50):  # the phone's new port
            s.sendto(struct.pack("!BBHLL", 0x80, 0, n, n * 160, 77) + b"\x55" * 160,
                     (w.MEDIA_OUTSIDE, local_port(before, "a")))
            with contextlib.suppress(OSError):
                got += len(s.recv(2000)) == 172
        while got < 50 and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                got += len(s.recv(2000)) == 172
    lab.finish(phones, 20)
    expect_equal(got, 50, "echoes at the new port")
    (record,) = lab.new_records(1)
    expect_equal(record["streams"][0]["a"]["peer"], f"{w.GATEWAY}:31000", "where the caller was last")
    t.proved(f"{called[0]} packets each way, then a re-INVITE with another port, and 50 of 50 from and to "
             "there")


def hold(lab, t):
    """sendonly, and back: nobody hears the called side meanwhile."""
    steps = (sip.invite_steps() + [sip.play(lab.wav), sip.pause(2000)]
             + sip.reinvite_steps(2, sip.sdp(2, "sendonly")) + [sip.pause(2500)]
             + sip.reinvite_steps(3, sip.sdp(3)) + [sip.pause(2500)] + sip.hangup_steps(4))
    phones = lab.phones(steps, sip.called_steps())
    lab.wait_calls(1)
    counts = []
    for wait in (1.2, 1.6, 1.2, 1.6, 1.2):
        time.sleep(wait)
        counts.append(lab.totals())
    lab.finish(phones, 20)
    end = lab.totals()
    talking, held, again = counts[0], [b - a for a, b in zip(counts[1], counts[2])], [
        b - a for a, b in zip(counts[3], end)]
    expect(talking[3] > 40, f"before: {talking}")
    expect(held[1] > 40 and held[2] > 40 and held[3] == 0,
           f"on hold: sent, arrived, echoed, came back {held}")
    expect(again[3] > 40, f"resumed: {again}")
    t.proved(f"on hold (sendonly) {held[1]} packets went to the called side and 0 came back; after the "
             f"resume {again[3]} came back")


def cancel(lab, t):
    bye = sip.in_dialog
    called = ['<recv request="INVITE"/>', sip.response(180, "Ringing"), '<recv request="CANCEL"/>',
              bye(sip.response(200, "OK")), sip.response(487, "Request Terminated", "").replace(
                  "[last_CSeq:]", "CSeq: 1 INVITE"), '<recv request="ACK"/>']
    steps = [sip.request("INVITE", 1, sip.sdp(), "", sip.URI), sip.expect_reply(100, optional=True),
             sip.expect_reply(180), sip.pause(500),
             sip.request("CANCEL", 1, "", "", sip.URI, branch="[branch-4]"), sip.expect_reply(200),
             sip.expect_reply(487), sip.request("ACK", 1, "", "[peer_tag_param]", sip.URI, False,
                                                branch="[branch-7]")]
    lab.finish(lab.phones(steps, called), 20)
    (record,) = lab.new_records(1)
    expect(record["reason"] == "delete" and record["answer"] is None and record["duration"] == 0, record)
    t.proved("487, nothing is left in the PoP, and the record has no answer")


def no_answer(lab, t):
    called = ['<recv request="INVITE"/>', sip.response(180, "Ringing"), '<recv request="CANCEL"/>',
              sip.in_dialog(sip.response(200, "OK")),
              sip.response(487, "Request Terminated", "").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
              '<recv request="ACK"/>']
    steps = [sip.request("INVITE", 1, sip.sdp(), "", sip.URI), sip.expect_reply(100, optional=True),
             sip.expect_reply(180), sip.expect_reply(408),
             sip.request("ACK", 1, "", "[peer_tag_param]", sip.URI, False, branch="[branch-4]")]
    lab.finish(lab.phones(steps, called), 30)
    (record,) = lab.new_records(1)
    expect(record["answer"] is None, record)
    t.proved(f"408 after {RINGING_MS / 1000:.0f} s of ringing, and nothing is left in the PoP")


def early(lab, t):
    """The called side plays before it answers, and the caller hears it."""
    body = sip.sdp()
    called = ['<recv request="INVITE"/>', sip.response(183, "Session Progress", body),
              sip.play(lab.wav), sip.pause(2000), sip.play_stop(), sip.pause(700),
              sip.response(200, "OK", body), '<recv request="ACK"/>', '<recv request="BYE"/>',
              sip.in_dialog(sip.response(200, "OK"))]
    steps = sip.invite_steps() + sip.hangup_steps(2)
    phones = lab.phones(steps, called, echo=False)
    (call,) = lab.wait_calls(1)
    time.sleep(2.3)
    before = lab.stopped()
    lab.finish(phones, 20)
    expect(before[2] == before[3] > 80, f"before the answer: {before}")
    (record,) = lab.new_records(1)
    expect(0.4 < record["duration"] < 1.5, record)
    t.proved(f"{before[2]} of {before[3]} packets of the called side reached the caller before the answer, "
             f"which is {record['duration']:.1f} s before the end")


def of_other(text):
    """A message of the other phone: with a tag of its own."""
    return text.replace(";tag=b[call_number]", ";tag=other[call_number]")


def forked(lab, t, other, ring_ms):
    phones = lab.phones(sip.call_steps(lab.wav, 2000), sip.called_steps(ring_ms), other=other)
    ringing = len(lab.wait_calls(2))
    lab.finish(phones, 20)
    sent, arrived, echoed, came = lab.totals()
    expect(sent == arrived == echoed > 80 and came >= sent, f"sent, arrived, echoed, came back: {lab.totals()}")
    (record,) = lab.new_records(1)
    a = record["streams"][0]["a"]
    expect_equal([record["reason"], record["to_tag"], a["packets_in"]], ["delete", "b1", sent], "record")
    expect(abs(record["duration"] - 2.5) < 1, record)
    t.proved(f"{ringing} streams while they ring, then {sent} packets there and back; the record is of who answered")


def busy(lab, t):
    """Two phones ring. One is busy, which ends its branch and not the other's; that one answers."""
    other = [of_other(x) for x in (
        '<recv request="INVITE"/>', sip.pause(700), sip.response(486, "Busy Here"), '<recv request="ACK"/>')]
    forked(lab, t, other, 2000)


def picked_up(lab, t):
    """Two phones ring, one of them with early media. The other one answers, and the first is cancelled."""
    other = [of_other(x) for x in (
        '<recv request="INVITE"/>', sip.pause(500), sip.response(183, "Session Progress", sip.sdp()),
        '<recv request="CANCEL"/>',
        sip.in_dialog(sip.response(200, "OK")),
        sip.response(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
        '<recv request="ACK"/>')]
    forked(lab, t, other, 1500)


def both_sides(lab, t):
    """Each side hangs up once."""
    lab.finish(lab.phones(sip.call_steps(lab.wav, 500), sip.called_steps()), 20)
    (first,) = lab.new_records(1)
    echo = sip.sdp(media="[media_port]")
    called = ['<recv request="INVITE" rrs="true"/>', sip.response(180, "Ringing"),
              sip.response(200, "OK", echo), '<recv request="ACK"/>', sip.pause(1500),
              sip.bye_from_called(), sip.expect_reply(200)]
    steps = sip.invite_steps() + [sip.play(lab.wav), '<recv request="BYE"/>',
                                  sip.in_dialog(sip.response(200, "OK"))]
    lab.finish(lab.phones(steps, called), 20)
    (second,) = lab.new_records(1)
    for record in (first, second):
        expect(record["reason"] == "delete" and record["streams"][0]["b"]["packets_in"] > 20, record)
    t.proved("the caller's BYE and the called side's end the call in the PoP")


def proxy_restart(lab, t):
    """The proxy dies in mid-call and comes back: media go on, and the BYE finds its way."""
    phones = lab.phones(sip.call_steps(lab.wav, 6000), sip.called_steps())
    lab.wait_calls(1)
    time.sleep(1)
    lab.kamailio.kill(signal.SIGKILL)
    gone = lab.totals()
    time.sleep(2)
    back = lab.totals()
    lab.kamailio.start()
    lab.finish(phones, 30)
    (record,) = lab.new_records(1)
    expect(back[3] - gone[3] > 80, f"without a proxy: {gone} to {back}")
    expect(record["reason"] == "delete" and record["streams"][0]["a"]["lost"] == 0, record)
    t.proved(f"{back[3] - gone[3]} packets came back while there was no proxy, 0 lost; a proxy that knows "
             "nothing of the call ended it")


TESTS = [("reinvite", reinvite), ("hold", hold), ("cancel", cancel), ("no-answer", no_answer),
         ("early-media", early), ("busy", busy), ("picked-up", picked_up), ("both-sides", both_sides),
         ("proxy-restart", proxy_restart), ("many", many)]


def main():
    report = Report("sip")
    only = os.environ.get("TRUNKLINE_LAB_ONLY")
    with w.World() as world:
        lab = Lab(world)
        report.on_failure.append(lambda: print(lab.daemon.log_tail(), lab.kamailio.log_tail()))
        for name, test in TESTS:
            if not only or name in only.split(","):
                with report.test(name) as t:
                    test(lab, t)
    return report.close()
