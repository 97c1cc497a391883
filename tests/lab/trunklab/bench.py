# SPDX-License-Identifier: BSD-3-Clause
"""The PoP with three customers and a call each, for tests that send it single packets."""
import os
import time

from . import wire
from . import world as w
from .daemon import Daemon, call_config, customer_config, pop_config
from .esp import Tunnel
from .report import expect, expect_equal

PORT_A, PORT_B, PLATFORM_PORT = 10000, 20000, 4000
NOISE = {"punt-limit", "punt-source", "not-for-us", "ethertype"}  # what the kernels' own chatter may cause
PHONE_OF = {"acme": w.PHONE, "cbc": "192.0.2.130", "nat": "192.0.2.200"}
OFFSET = {"acme": 0, "cbc": 2, "nat": 4}


class Bench:
    """acme: AES-GCM, window 64. cbc: AES-CBC with SHA-256. nat: AES-GCM in UDP."""

    def __init__(self, world, **config):
        self.world = world
        self.tunnels = {
            "acme": Tunnel("aes128gcm16", 0x1001, 0x20000001, domain="192.0.2.0/25", window=64),
            "cbc": Tunnel("aes128-sha256", 0x1002, 0x20000002, gateway="198.18.10.3",
                          domain="192.0.2.128/26"),
            "nat": Tunnel("aes256gcm16", 0x1003, 0x20000003, udp=True, gateway="198.18.10.4",
                          domain="192.0.2.192/26"),
        }
        self.acme, self.cbc, self.nat = self.tunnels.values()
        calls = [call_config(n, PORT_A + o, PORT_B + o, n, f"{w.PLATFORM}:{PLATFORM_PORT + o}")
                 for n, o in OFFSET.items()]
        customers = [customer_config(n, [t.config()], domain=[t.domain])
                     for n, t in self.tunnels.items()]
        self.daemon = Daemon(world, pop_config(world, calls=calls, **config), customers).start()
        for tunnel in (self.cbc, self.nat):
            world.customer.run("ip", "addr", "add", f"{tunnel.gateway}/24", "dev", "wan")
        world.greet([t.gateway for t in self.tunnels.values()])
        self.outside = world.customer.packets("wan")
        self.inside = world.platform.packets("lan")
        self.platform = {n: world.platform.udp(w.PLATFORM, PLATFORM_PORT + o)
                         for n, o in OFFSET.items()}
        self.sequence = 0
        self.before = {}
        for name in OFFSET:
            self.still_passes(name)

    def rtp(self, payload=160):
        self.sequence += 1
        return wire.rtp(self.sequence, 160 * self.sequence, os.urandom(payload))

    def inner(self, packet=None, who="acme", src=None, sport=14000, dst=w.MEDIA_OUTSIDE,
              dport=None, **kw):
        """What who's phone sends to its call."""
        return wire.udp(src or PHONE_OF[who], sport, dst, dport or PORT_A + OFFSET[who],
                        self.rtp() if packet is None else packet, **kw)

    def send(self, ip):
        self.outside.send(wire.frame(ip))

    def send_inside(self, ip):
        self.inside.send(wire.frame(ip, w.MAC["veth-in"], w.MAC["platform"]))

    def send_esp(self, inner, who="acme", **kw):
        outer = self.tunnels[who].encrypt(inner, **kw)
        self.send(outer)
        return outer

    def more(self, also=()):
        """Drops since mark(), without what the kernels' chatter causes unless it is wanted."""
        now = self.daemon.drops()
        return {k: v - self.before.get(k, 0) for k, v in now.items()
                if v != self.before.get(k, 0) and k not in NOISE - set(also)}

    def mark(self):
        for s in self.platform.values():
            wire.drain(s)
        wire.drain(self.outside)
        wire.drain(self.inside)
        self.before = self.daemon.drops()

    def drops(self, wanted, timeout=3.0):
        """What was dropped since mark(), once it is what is wanted or the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            more = self.more(wanted)
            if more == wanted or time.monotonic() > deadline:
                return more
            time.sleep(0.02)

    def still_passes(self, who="acme"):
        """A good packet gets to the platform, and nothing that is bad did before it."""
        packet = self.rtp()
        self.send_esp(self.inner(packet, who), who)
        got = wire.receive(self.platform[who], 1)
        expect(len(got) == 1, f"a good packet of {who} does not pass")
        expect(got[0][0] == packet, "something that should have been dropped got through")

    def plaintext(self, who, plain, seq=None):
        """An authentic packet with any plaintext: payload, padding, pad length, next header."""
        from scapy.layers.ipsec import _ESPPlain
        tunnel = self.tunnels[who]
        sa = tunnel.out

        class Exactly(_ESPPlain):
            def data_for_encryption(self):
                return plain

        esp = Exactly(spi=sa.spi, seq=seq or sa.seq_num, iv=sa.crypt_algo.generate_iv())
        out = sa.crypt_algo.encrypt(sa, esp, sa.crypt_key)
        sa.auth_algo.sign(out, sa.auth_key)
        if seq is None:
            sa.seq_num += 1
        if tunnel.udp:
            return wire.udp(tunnel.gateway, 4500, tunnel.pop, 4500, bytes(out), csum=0)
        return wire.ipv4(tunnel.gateway, tunnel.pop, 50, bytes(out))


def case(report, bench, name, send, wanted):
    """send(bench) sends bad packets; exactly the drops that are wanted are counted, and good
    packets pass afterwards. send may return a text for the result."""
    with report.test(name) as t:
        bench.mark()
        more = send(bench)
        wanted = wanted(bench) if callable(wanted) else wanted
        expect_equal(bench.drops(wanted), wanted, "drops")
        bench.still_passes()
        t.proved(", ".join(f"{v} × {k}" for k, v in wanted.items())
                 + (f"; {more}" if more else "") + "; good ones pass")


def run(name, cases, **config):
    """main() of a scenario that is a table of (name, send, wanted drops)."""
    from .report import Report
    report = Report(name)
    with w.World() as world:
        bench = Bench(world, **config)
        report.on_failure.append(lambda: print(bench.daemon.log_tail()))
        for case_name, send, wanted in cases:
            case(report, bench, case_name, send, wanted)
        with report.test("still-running") as t:
            expect(bench.daemon.process.poll() is None, "trunklined ended")
            code, seconds = bench.daemon.stop()
            expect_equal(code, 0, "exit code after SIGTERM")
            t.proved(f"trunklined lived through all of it and stopped in {seconds:.1f} s")
    return report.close()
