# SPDX-License-Identifier: BSD-3-Clause
"""(make demo) a phone behind a strongSwan gateway calls a platform phone through Kamailio

    customer                                  PoP                              platform
    baresip 192.0.2.10 ─ charon ── ESP ── trunklined, charon ── RTP ── baresip 198.18.20.2
              └────────── SIP, in the tunnel ──────┴─────── Kamailio 198.18.20.2 ── NG ─┘

Two calls, with speech both ways: the first with RTP, the second with SRTP between customer and PoP.
"""
import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter

from trunklab import audio, ike, sip, strongswan, tap, wire
from trunklab import world as w
from trunklab.daemon import Daemon, ike_customer_config, pop_config
from trunklab.phone import Phone
from trunklab.report import Failed

SECONDS, PAUSE = 12, 1.0  # of speech; before somebody speaks
CUSTOMER_SAYS = ("Hello, this is a phone behind a V P N gateway. My voice goes through an encrypted tunnel "
                 "to the point of presence, and is relayed to the platform. If you can hear this, every "
                 "packet has made it.")
PLATFORM_SAYS = ("Good morning, this is the platform. I hear you well. What I say goes into the tunnel at "
                 "the point of presence, and comes out of it at your gateway. Have a nice day.")
IKE, SUITE = "aes256-sha256-ecp256", "aes256gcm16"
OUT = os.path.join(w.TOP, "build", "demo")
SIP_PORT, PLATFORM_PHONE = 5060, 5080


class Screen:
    """The live table: redrawn in place on a terminal, a line every two seconds elsewhere."""

    def __init__(self, daemon, title):
        self.daemon, self.title = daemon, title
        self.live = sys.stdout.isatty()
        self.lines, self.last, self.started = 0, 0.0, time.monotonic()
        self.drops, self.call = None, None  # as last seen during the call

    def show(self):
        """False: there is no call (any more)."""
        status = self.daemon.cli("status")
        drops = self.daemon.drops()
        calls = self.daemon.cli("show", "calls")["calls"]
        if not calls:
            return False
        self.call, self.drops = calls[0], drops
        now = time.monotonic()
        if self.live or now - self.last >= 2:
            self.last = now
            (self.draw if self.live else self.line)(status, now - self.started)
        return True

    def line(self, status, seconds):
        a, b = self.call["a"], self.call["b"]
        print(f"  {seconds:4.1f} s  SAs {status['sas']['in']} in, {status['sas']['out']} out  "
              f"from the customer {a['rx_packets']} pkts  from the platform "
              f"{b['rx_packets']} pkts  lost {a['lost'] + b['lost']}", flush=True)

    def draw(self, status, seconds):
        sas = sorted(self.daemon.cli("show", "sas")["sas"], key=lambda s: s["direction"])[:2]
        text = [
            f"trunkline at {status['pop']}: {self.title}, {seconds:4.1f} s",
            f"SAs      {status['sas']['in']} in, {status['sas']['out']} out    "
            f"traffic in {status['traffic']['in']['pps']:5.0f} pkt/s, "
            f"out {status['traffic']['out']['pps']:5.0f} pkt/s",
            *(f"  ESP {s['direction']:4} spi {s['spi']}  {s['packets']:5} pkts" for s in sas),
            "leg              from                   pkts   lost   jitter",
            *(f"  {n} {t:13} {str(leg['remote']):22} {leg['rx_packets']:5}  {leg['lost']:5}   "
              f"{leg['jitter_ms']:4.1f} ms"
              for n, t, leg in (("A", "customer", self.call["a"]), ("B", "platform", self.call["b"]))),
        ]
        sys.stdout.write((f"\x1b[{self.lines}A" if self.lines else "")
                         + "".join(line[:100] + "\x1b[K\n" for line in text))
        sys.stdout.flush()
        self.lines = len(text)


# ---- what Wireshark needs ----

def tunnel_keys(gateway):
    """[(source, destination, spi, key with salt)] of the child SA, from the gateway's own log."""
    text = gateway.log_text()
    keys = {}
    for who in ("initiator", "responder"):
        found = re.search(rf"encryption {who} key => (\d+) bytes[^\n]*\n((?:[^\n]*\n){{1,4}})", text)
        if not found:
            raise Failed(f"the gateway's log has no {who} key")
        digits = "".join(re.findall(r"\b[0-9A-F]{2}\b", "".join(
            line.split(":", 3)[-1][:50] for line in found[2].splitlines() if re.search(
                r"\d+: (?:[0-9A-F]{2} )+", line))))
        keys[who] = digits[:2 * int(found[1])].lower()
    (child,) = gateway.children()["net"]
    return [(w.GATEWAY, w.POP_OUTSIDE, child["spi-out"], keys["initiator"]),
            (w.POP_OUTSIDE, w.GATEWAY, child["spi-in"], keys["responder"])]


def look_script(keys):
    """A script that opens the capture with the keys in Wireshark, or prints it by tshark."""
    path = os.path.join(OUT, "look")
    options = ["-o", "esp.enable_encryption_decode:TRUE", "-o",
               "esp.enable_authentication_check:TRUE"]
    for source, destination, spi, key in keys:
        options += ["-o", f'uat:esp_sa:"IPv4","{source}","{destination}","0x{spi}",'
                          f'"AES-GCM with 16 octet ICV [RFC4106]","0x{key}","NULL",""']
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n# The demo's capture, decrypted with its keys.\n"
                'show=wireshark\ncommand -v wireshark >/dev/null || show=tshark\n'
                'cd "$(dirname "$0")" && exec $show -r outside.pcapng '
                + " ".join(map(shlex.quote, options)) + ' "$@"\n')
    os.chmod(path, 0o755)
    return options


def tshark_good(options):
    """(ESP packets whose ICV is right by Wireshark's own check, ESP packets, SIP messages seen inside)"""
    done = subprocess.run(["tshark", "-n", "-r", os.path.join(OUT, "outside.pcapng"), "-Y", "esp",
                           "-T", "fields", "-e", "esp.icv_good", "-e", "sip.Method", *options],
                          capture_output=True, text=True, check=True)
    lines = [x.split("\t") for x in done.stdout.splitlines()]
    return (sum(x[0] in ("1", "True") for x in lines), len(lines),
            sum(len(x) > 1 and x[1] != "" for x in lines))


# ---- the calls ----

def relay_delay(encrypted, relayed):
    """Microseconds (p50, p99) from an ESP packet's arrival at the PoP to its RTP's at the platform. All RTP
    of a call has one size, nothing else of it has."""
    if not encrypted:
        return None
    (size, _), = Counter(len(ip) for _, _, ip in encrypted).most_common(1)
    encrypted = [x for x in encrypted if len(x[2]) == size]
    if len(encrypted) != len(relayed):
        return None
    delays = sorted((z[0] - a[0]) / 1000 for a, z in zip(encrypted, relayed))
    return delays[len(delays) // 2], delays[int(len(delays) * 0.99)]


def is_voice(ip, outgoing):
    return not outgoing and ip[9] == 17 and len(ip) == 20 + 8 + 12 + 160


def speech_begins(heard, said):
    """Where in what was heard; of the silence before, the first packets may have come before their call was
    answered. The whole, or most of it."""
    whole = heard.find(said)
    if whole >= 0:
        return whole
    places = range(0, int(PAUSE * 2 * 16000), 320)
    return max(places, key=lambda at: sum(heard[at + i:at + i + 320] == said[i:i + 320]
                                          for i in range(0, len(said), 320)))


class Call:
    """One call from the customer's phone to the platform's."""

    def __init__(self, lab, name, secure):
        self.lab, self.secure = lab, secure
        world = lab.world
        self.called = Phone(world, world.platform, f"{name}-called", "called", w.PLATFORM,
                            lab.platform_wav, port=PLATFORM_PHONE, rtp=32000, answers=True).start()
        self.called.wait_ready()
        self.caller = Phone(world, world.customer, f"{name}-caller", "phone", w.PHONE, lab.customer_wav,
                            proxy=f"{w.PLATFORM}:{SIP_PORT}", secure=secure)
        self.delay = self.drops = None

    def run(self):
        lab = self.lab
        encrypted = tap.Tap(lab.world.customer, "wan", lambda ip, out: out and wire.is_esp(ip))
        relayed = tap.Tap(lab.world.platform, "lan", is_voice)
        before = None
        screen = Screen(lab.daemon, "SRTP" if self.secure else "RTP")
        self.caller.start(f"/dial sip:called@{w.PLATFORM}")
        deadline = time.monotonic() + SECONDS + 20
        while screen.show() or screen.call is None:
            if time.monotonic() > deadline:
                raise Failed(f"the call does not end\n{self.caller.said()[-1500:]}")
            if screen.call is None and self.caller.process.poll() is not None:
                raise Failed(f"no call:\n{self.caller.said()[-1500:]}")
            if before is None and "Call established" in self.caller.said():
                time.sleep(0.3)  # nobody speaks yet, and what came too early has been refused
                before = lab.daemon.drops()
            time.sleep(0.25)
        for phone in (self.caller, self.called):
            phone.wait_said("terminated (duration", 5)
            phone.stop()
        self.delay = relay_delay(encrypted.stop(), relayed.stop())
        self.drops = {k: v - before[k] for k, v in screen.drops.items() if v != before[k]}
        return self

    def result(self):
        """[(20 ms pieces of speech sent, of which were heard in their place)] to and from the platform."""
        found = []
        for phone, said in ((self.called, self.lab.customer_pcm), (self.caller, self.lab.platform_pcm)):
            heard = phone.heard()
            begins = speech_begins(heard, said)
            pieces = range(0, len(said), 320)
            found.append((len(pieces), sum(heard[begins + i:begins + i + 320] == said[i:i + 320]
                                           for i in pieces)))
        return found


class Lab:
    def __init__(self, world):
        self.world = world
        self.customer_wav, self.customer_pcm = audio.speak_alaw(
            CUSTOMER_SAYS, world.dir, "customer-says", seconds=SECONDS, before=PAUSE, after=0.5)
        # It speaks on for a little, so that it is the customer who hangs up.
        self.platform_wav, self.platform_pcm = audio.speak_alaw(
            PLATFORM_SAYS, world.dir, "platform-says", "en-gb", SECONDS, PAUSE, 3)
        secret = os.urandom(24).hex()
        self.daemon = Daemon(world, pop_config(
            world, ike={}, control={"ng": [f"{w.POP_INSIDE}:2223"], "ng_allow": ["198.18.20.0/24"]}),
            [ike_customer_config("acme", secret)]).start()
        world.greet()
        self.pop = strongswan.pop_charon(world).start()
        self.gateway = self.tunnel(secret)
        self.kamailio = sip.Kamailio(
            world, world.platform, w.PLATFORM, f"{w.POP_INSIDE}:2223",
            {"called": f"{w.PLATFORM}:{PLATFORM_PHONE}"}, to="RTP/AVP", back="RTP/SAVP").start()

    def tunnel(self, secret):
        """The customer's gateway, its tunnel up."""
        world = self.world
        world.customer.run("nft", "delete", "table", "netdev", "lab")  # here ESP comes to a socket
        gateway = strongswan.gateway(world, settings={"filelog": {"log": {"chd": 4}}}).start()
        gateway.load("pop", strongswan.connection(w.GATEWAY, [f"{w.PHONE}/32"], ike.NETS, ike=IKE,
                                                  esp=SUITE + "-ecp256"),
                     [strongswan.psk(secret, w.POP_OUTSIDE, w.GATEWAY)])
        strongswan.phones_behind(world, [w.PHONE], ike.NETS)
        deadline = time.monotonic() + 20
        while True:  # until the PoP's charon has been told of the customer
            try:
                gateway.up(["net"], 2)
                return gateway
            except Failed:
                if time.monotonic() > deadline:
                    raise


def report(calls, good, total, messages, code):
    results = [c.result() for c in calls]
    fine = (all(sent == right > 0 for r in results for sent, right in r) and good == total > 0
            and messages > 0 and code == 0 and not any(c.drops for c in calls))
    counts = [f"{sum(x[1] for x in r)} of {sum(x[0] for x in r)}" for r in results]
    intact = all(sent == right for r in results for sent, right in r)
    print()
    print(f"A phone behind a strongSwan gateway called a platform phone through Kamailio, twice. {SECONDS} s "
          f"of speech went each\nway through IKEv2 {SUITE}, with RTP ({counts[0]} packets) and with SRTP "
          f"({counts[1]}):\n" + ("byte for byte what was said. " if intact else "NOT what was said. "), end="")
    delays = [c.delay for c in calls]
    if all(delays):
        print(f"Delay in the PoP p50 {delays[0][0]:.0f} µs, p99 {delays[0][1]:.0f} µs; with SRTP p50 "
              f"{delays[1][0]:.0f} µs, p99 {delays[1][1]:.0f} µs.", end="")
    drops = sum(sum(c.drops.values()) for c in calls)
    print(f"\n{drops} drops{' ' + str([c.drops for c in calls]) if drops else ''}. Wireshark's own check found the "
          f"ICV of {good} of {total} ESP packets good, and {messages} SIP requests in them.")
    print("Listen: build/demo/platform-heard.wav, customer-heard.wav    Look: build/demo/outside.pcapng, by "
          "build/demo/look with its keys\nTry: tests/lab/lab up")
    if not fine:
        print("FAILED: something above is not as it should be")
    return 0 if fine else 1


def main():
    os.makedirs(OUT, exist_ok=True)
    print("A customer's phone behind a strongSwan gateway calls a platform phone through Kamailio.", flush=True)
    with w.World() as world:
        dumpcap = world.spawn(world.customer, "dumpcap", "-q", "-i", "wan", "-w",
                              os.path.join(OUT, "outside.pcapng"), log="dumpcap.log")
        lab = Lab(world)
        print(f"The tunnel is up: IKEv2, {IKE}, {SUITE}. First call, RTP:", flush=True)
        calls = [Call(lab, "plain", False).run()]
        print("Second call, SRTP from the phone to the PoP:", flush=True)
        calls.append(Call(lab, "secure", True).run())
        keys = tunnel_keys(lab.gateway)
        time.sleep(0.3)
        dumpcap.terminate()
        dumpcap.wait()
        audio.write_pcm(os.path.join(OUT, "platform-heard.wav"), calls[1].called.heard())
        audio.write_pcm(os.path.join(OUT, "customer-heard.wav"), calls[1].caller.heard())
        lab.gateway.kill()
        code, _ = lab.daemon.stop()
        good, total, messages = tshark_good(look_script(keys))
        return report(calls, good, total, messages, code)
