# SPDX-License-Identifier: BSD-3-Clause
"""a phone's speech through an independent ESP (scapy) to the platform, echoed, recorded and compared"""
import os
import subprocess
import time

from trunklab import audio, tap, wire
from trunklab import world as w
from trunklab.daemon import Daemon, call_config, customer_config, pop_config
from trunklab.esp import Tunnel
from trunklab.report import Failed, Report, expect, expect_equal

SPEECH = ("Hello, this is a phone behind a V P N gateway. My voice goes through an encrypted tunnel "
          "to the point of presence, is relayed to the platform, and comes back to me. "
          "If you can hear this, every packet has made it there and back again.")
PORT_A, PORT_B, PHONE_PORT, ECHO_PORT = 10000, 20000, 14000, 4000


def tshark_good(tunnel, capture):
    """(ESP packets whose ICV is right by Wireshark's own check, ESP packets)"""
    options = ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    for line in tunnel.tshark_sa():
        options += ["-o", "uat:esp_sa:" + line]
    done = subprocess.run(["tshark", "-n", "-r", capture, "-Y", "esp", "-T", "fields", "-e",
                           "esp.icv_good", *options], capture_output=True, text=True, check=True)
    lines = done.stdout.split()
    return lines.count("1"), len(lines)


def relay_delay(encrypted, relayed):
    """Microseconds from an ESP packet's arrival at the PoP to its RTP's at the platform."""
    if not encrypted or len(encrypted) != len(relayed):
        return None
    delays = sorted((z[0] - a[0]) / 1000 for a, z in zip(encrypted, relayed))
    return delays[len(delays) // 2], delays[int(len(delays) * 0.99)]


def call(world, daemon, wav):
    """The call itself; returns what the phone sent and received, the delay in the PoP, and the call's view."""
    phone = tap.Tap(world.customer, "tun0", lambda ip, _: ip[9] == 17, cooked=True)
    encrypted = tap.Tap(world.customer, "wan", lambda ip, out: out and wire.is_esp(ip))
    relayed = tap.Tap(world.platform, "lan", lambda ip, out: not out and ip[9] == 17)
    echo = tap.Echo(world.platform, w.PLATFORM, ECHO_PORT)
    ffmpeg = world.spawn(world.customer, *audio.ffmpeg_rtp(wav, w.MEDIA_OUTSIDE, PORT_A, PHONE_PORT),
                         log="ffmpeg.log")
    if ffmpeg.wait(60) != 0:
        with open(os.path.join(world.dir, "ffmpeg.log"), encoding="utf-8") as f:
            raise Failed(f"ffmpeg: exit {ffmpeg.returncode}: {f.read()}")
    deadline, last = time.monotonic() + 60, -1
    while last != len(phone.packets) and time.monotonic() < deadline:  # until nothing comes back any more
        last = len(phone.packets)
        time.sleep(2)  # the gateway is a script, which takes its time on a busy machine
    seen_call = daemon.cli("show", "call", "speech")
    echo.stop()
    seen = phone.stop()
    return seen, relay_delay(encrypted.stop(), relayed.stop()), seen_call


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


def compare(world, daemon, tunnel, t):
    wav, ulaw = audio.speak(SPEECH, world.dir)
    capture = os.path.join(world.dir, "outside.pcapng")
    dumpcap = world.spawn(world.customer, "dumpcap", "-q", "-i", "wan", "-w", capture, log="dumpcap.log")
    time.sleep(0.8)
    before = daemon.drops()
    seen, delay, seen_call = call(world, daemon, wav)
    drops = {k: v - before[k] for k, v in daemon.drops().items() if v != before[k]}
    dumpcap.terminate()
    dumpcap.wait()
    sent, back = phone_rtp(seen, True), phone_rtp(seen, False)
    expect(len(sent) > 0 and sent == back, f"{len(back)} of {len(sent)} packets came back, "
           f"{sum(x == y for x, y in zip(sent, back))} of them as sent")
    expect(b"".join(back) == ulaw, "the speech that came back is not what was said")
    expect_equal(drops, {}, "drops")
    expect_equal([seen_call[s]["lost"] for s in "ab"], [0, 0], "lost")
    good, total = tshark_good(tunnel, capture)
    expect(good == total > 0, f"the ICV of {good} of {total} ESP packets is good")
    t.proved(f"{len(ulaw) / 8000:.1f} s of speech, {len(sent)} of {len(sent)} packets came back byte for byte; "
             f"delay in the PoP p50 {delay[0]:.0f} µs, p99 {delay[1]:.0f} µs; the ICV of {good} of {total} ESP "
             "packets is good by Wireshark" if delay else "byte for byte, but the taps lost packets")


def main():
    report = Report("speech")
    with w.World() as world:
        tunnel = Tunnel("aes256gcm16", 0x1001, 0x20000001)
        calls = [call_config("speech", PORT_A, PORT_B, remote_b=f"{w.PLATFORM}:{ECHO_PORT}")]
        daemon = Daemon(world, pop_config(world, calls=calls),
                        [customer_config("acme", [tunnel.config()])]).start()
        world.greet()
        w.scapy_gateway(world, tunnel)
        # What comes for a phone that has hung up is no matter of the PoP's.
        world.customer.nft("""table ip quiet {
            chain out {
                type filter hook output priority 0
                icmp type destination-unreachable drop
            }
        }
        """)
        with report.test("speech") as t:
            compare(world, daemon, tunnel, t)
    return report.close()
