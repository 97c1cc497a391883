# SPDX-License-Identifier: BSD-3-Clause
"""(make demo) a phone's speech through ESP into trunklined, to the platform, echoed and recorded."""
import os
import shlex
import subprocess
import sys
import time

from trunklab import audio, tap, wire
from trunklab import world as w
from trunklab.daemon import Daemon, call_config, customer_config, pop_config
from trunklab.esp import Tunnel
from trunklab.report import Failed

SPEECH = ("Hello, this is a phone behind a V P N gateway. My voice goes through an encrypted tunnel "
          "to the point of presence, is relayed to the platform, and comes back to me. "
          "If you can hear this, every packet has made it there and back again.")
SUITE = "aes256gcm16"
OUT = os.path.join(w.TOP, "build", "demo")
PORT_A, PORT_B, PHONE_PORT, ECHO_PORT = 10000, 20000, 14000, 4000


class Screen:
    """The live table: redrawn in place on a terminal, a line every two seconds elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.lines, self.last = 0, 0.0
        self.worst_jitter = 0.0

    def show(self, daemon, started):
        status = daemon.cli("status")
        call = daemon.cli("show", "call", "demo")
        a, b = call["a"], call["b"]
        self.worst_jitter = max(self.worst_jitter, a["jitter_ms"], b["jitter_ms"])
        now = time.monotonic()
        if not self.live:
            if now - self.last >= 2:
                self.last = now
                print(f"  {now - started:4.1f} s  tunnels {status['customers']['up']} up  calls "
                      f"{status['calls']['total']}  in {a['rx_packets']} pkts  out "
                      f"{a['tx_packets']} pkts  jitter {a['jitter_ms']:.1f} ms  lost {a['lost']}  "
                      f"drops {status['drops']['total']}", flush=True)
            return
        sa_in, sa_out = sorted(daemon.cli("show", "sas")["sas"], key=lambda s: s["direction"])[:2]
        text = [
            f"trunkline at {status['pop']}, {now - started:4.1f} s of the call",
            f"tunnels  {status['customers']['up']} up    calls {status['calls']['total']}    "
            f"traffic in {status['traffic']['in']['pps']:5.0f} pkt/s, "
            f"out {status['traffic']['out']['pps']:5.0f} pkt/s",
            f"  ESP in   spi {sa_in['spi']}  {sa_in['packets']:5} pkts   "
            f"replayed {sa_in['replayed']}  forged {sa_in['forged']}",
            f"  ESP out  spi {sa_out['spi']}  {sa_out['packets']:5} pkts",
            "leg              from                   pkts   lost   jitter",
            *(f"  {n} {t:13} {str(leg['remote']):22} {leg['rx_packets']:5}  {leg['lost']:5}   "
              f"{leg['jitter_ms']:4.1f} ms"
              for n, t, leg in (("A", "phone", a), ("B", "platform", b))),
            f"drops    {status['drops']['total']}"
            + "".join(f"  {d['name']} {d['packets']}" for d in status["drops"]["reasons"]),
        ]
        sys.stdout.write((f"\x1b[{self.lines}A" if self.lines else "")
                         + "".join(line[:100] + "\x1b[K\n" for line in text))
        sys.stdout.flush()
        self.lines = len(text)


def look_script(tunnel):
    """A script that opens the capture with the keys in Wireshark, or prints it by tshark."""
    path = os.path.join(OUT, "look")
    options = ["-o", "esp.enable_encryption_decode:TRUE", "-o",
               "esp.enable_authentication_check:TRUE"]
    for line in tunnel.tshark_sa():
        options += ["-o", "uat:esp_sa:" + line]
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n# The demo's capture, decrypted with its keys.\n"
                'show=wireshark\ncommand -v wireshark >/dev/null || show=tshark\n'
                'cd "$(dirname "$0")" && exec $show -r outside.pcapng '
                + " ".join(map(shlex.quote, options)) + ' "$@"\n')
    os.chmod(path, 0o755)
    return options


def tshark_good(options):
    done = subprocess.run(["tshark", "-n", "-r", os.path.join(OUT, "outside.pcapng"), "-Y", "esp",
                           "-T", "fields", "-e", "esp.icv_good", *options],
                          capture_output=True, text=True, check=True)
    lines = done.stdout.split()
    return lines.count("1"), len(lines)


def relay_delay(encrypted, relayed):
    """Microseconds from an ESP packet's arrival at the PoP to its RTP's at the platform."""
    if not encrypted or len(encrypted) != len(relayed):
        return None
    delays = sorted((z[0] - a[0]) / 1000 for a, z in zip(encrypted, relayed))
    return delays[len(delays) // 2], delays[int(len(delays) * 0.99)]


def call(world, daemon, wav):
    """The call itself; returns what was sent and received by the phone, and what taps saw."""
    screen = Screen()
    phone = tap.Tap(world.customer, "tun0", lambda ip, _: ip[9] == 17, cooked=True)
    encrypted = tap.Tap(world.customer, "wan", lambda ip, out: out and wire.is_esp(ip))
    relayed = tap.Tap(world.platform, "lan", lambda ip, out: not out and ip[9] == 17)
    echo = tap.Echo(world.platform, w.PLATFORM, ECHO_PORT)
    started = time.monotonic()
    ffmpeg = world.spawn(world.customer, *audio.ffmpeg_rtp(wav, w.MEDIA_OUTSIDE, PORT_A, PHONE_PORT),
                         log="ffmpeg.log")
    while ffmpeg.poll() is None:
        screen.show(daemon, started)
        time.sleep(0.25)
    if ffmpeg.returncode != 0:
        with open(os.path.join(world.dir, "ffmpeg.log"), encoding="utf-8") as f:
            raise Failed(f"ffmpeg: exit {ffmpeg.returncode}: {f.read()}")
    time.sleep(0.5)
    screen.last = 0
    screen.show(daemon, started)
    echo.stop()
    seen = phone.stop()
    return seen, relay_delay(encrypted.stop(), relayed.stop()), screen.worst_jitter


def phone_rtp(seen, outgoing):
    """RTP payloads that the phone sent or received, in the order of their numbers."""
    found = {}
    for _, out, ip in seen:
        if out != outgoing:
            continue
        packet = audio.rtp_payload(wire.udp_parts(ip)[4])
        if packet:
            found[packet[0]] = packet[1]
    first = min(found, default=0)
    if max(found, default=0) - first > 32768:  # the numbers wrapped
        return [found[k] for k in sorted(found, key=lambda n: (n + 32768) & 0xFFFF)]
    return [found[k] for k in sorted(found)]


def main():
    os.makedirs(OUT, exist_ok=True)
    print("A phone behind a scapy VPN gateway (independent ESP) calls the platform through "
          "trunklined.", flush=True)
    with w.World() as world:
        wav, ulaw = audio.speak(SPEECH, OUT)
        tunnel = Tunnel(SUITE, 0x1001, 0x20000001)
        calls = [call_config("demo", PORT_A, PORT_B, remote_b=f"{w.PLATFORM}:{ECHO_PORT}")]
        daemon = Daemon(world, pop_config(world, calls=calls),
                        [customer_config("acme", [tunnel.config()])]).start()
        world.greet()
        w.scapy_gateway(world, tunnel)
        dumpcap = world.spawn(world.customer, "dumpcap", "-q", "-i", "wan", "-w",
                              os.path.join(OUT, "outside.pcapng"), log="dumpcap.log")
        time.sleep(0.8)
        before = {k: v for k, v in daemon.drops().items() if v}
        seen, delay, jitter = call(world, daemon, wav)
        drops = {k: v - before.get(k, 0) for k, v in daemon.drops().items()
                 if v - before.get(k, 0)}
        dumpcap.terminate()
        dumpcap.wait()
        code, _ = daemon.stop()
    sent, back = phone_rtp(seen, True), phone_rtp(seen, False)
    audio.write_wav(os.path.join(OUT, "received.wav"), b"".join(back))
    good, total = tshark_good(look_script(tunnel))
    same = sum(x == y for x, y in zip(sent, back)) if len(sent) == len(back) else 0
    speech_intact = b"".join(back) == ulaw
    lost = len(sent) - len(back)
    fine = (speech_intact and lost == 0 and same == len(sent) > 0 and good == total > 0
            and not drops and code == 0)
    print()
    print(f"A phone behind a scapy gateway called a platform phone through trunklined. "
          f"{len(ulaw) / 8000:.1f} s of speech went\neach way through ESP {SUITE} (ports: "
          f"{world.driver}): {same} of {len(sent)} packets came back"
          + (", byte for byte what was sent." if speech_intact else ", NOT what was sent."))
    if delay:
        print(f"Delay in the PoP p50 {delay[0]:.0f} µs, p99 {delay[1]:.0f} µs; worst jitter "
              f"{jitter:.1f} ms; ", end="")
    print(f"{sum(drops.values())} drops{' ' + str(drops) if drops else ''}; Wireshark's own check "
          f"found the ICV of {good} of {total} ESP packets good.")
    print("Listen: build/demo/received.wav    Look: build/demo/outside.pcapng, with its keys by "
          "build/demo/look\nTry: tests/lab/lab up")
    if not fine:
        print("FAILED: something above is not as it should be")
    return 0 if fine else 1
