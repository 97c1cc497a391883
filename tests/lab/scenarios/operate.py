# SPDX-License-Identifier: BSD-3-Clause
"""What an operator does by hand while the daemon runs: SAs and calls by the CLI, and a packet's trace."""
import os
import re

from load import Traffic, drops_of, expect_clean, pair, warm_up
from trunklab import world as w
from trunklab.esp import Tunnel
from trunklab.report import Report, expect, expect_equal

CALLS = 4
WAY = ["classify", "esp_decap", "policy", "rtp_relay", "rtp_send", "tx"]


def sa_words(tunnel, keys, turned=False):
    """The arguments of "sa add", seen from the PoP or from the gateway."""
    sa = tunnel.config()
    spi = (sa["spi_in"], sa["spi_out"])
    ends = (tunnel.pop, tunnel.gateway)
    nets = ("198.18.30.0/24", w.PHONES)
    material = (sa["key_in"], sa["key_out"])
    if turned:
        spi, ends, nets, material = spi[::-1], ends[::-1], nets[::-1], material[::-1]
    with open(keys, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(f"key-in {material[0]}\nkey-out {material[1]}\n")
    return ["sa", "add", "--customer", "pop" if turned else "acme", "--suite", tunnel.suite,
            "--spi-in", str(spi[0]), "--spi-out", str(spi[1]), "--local", ends[0], "--peer",
            ends[1], "--local-net", nets[0], "--remote-net", nets[1], "--key-file", keys]


def refused(daemon, words, why):
    done = daemon.cli_text(*words)
    expect(done.returncode != 0 and re.search(why, done.stderr), f"{words}: {done.stderr}")


def sa_change(world, pop, gateway, t):
    """The tunnel's SAs go at both ends: nothing passes. Others come: everything does."""
    for daemon, spi in ((pop, 0x1001), (gateway, 0x20000001)):
        daemon.cli("sa", "del", str(spi))
    lost = Traffic(world, CALLS, 1).result()
    expect_equal(lost["received"], 0, "packets that passed without an SA")
    other = Tunnel("chacha20poly1305", 0x1002, 0x20000002, window=1024)
    keys = os.path.join(world.dir, "keys")
    wide = sa_words(other, keys)
    wide[wide.index("--remote-net") + 1] = "0.0.0.0/0"
    refused(pop, wide, r"0\.0\.0\.0/0 is outside the domain of customer acme")
    same = sa_words(other, keys)
    with open(keys, "w", encoding="utf-8") as f:
        f.write(f"key-in {other.config()['key_in']}\nkey-out {other.config()['key_in']}\n")
    refused(pop, same, "key_out is the same as key_in")
    for daemon, turned in ((pop, False), (gateway, True)):
        daemon.cli(*sa_words(other, keys, turned))
    warm_up(world, CALLS)
    result = Traffic(world, CALLS, 2).result()
    expect_clean(result)
    shown = {sa["spi"] for sa in pop.cli("show", "sas")["sas"]}
    t.proved(f"0 of {lost['sent']} packets passed without SAs, {result['received']} of "
             f"{result['sent']} with those of \"sa add\" ({len(shown)} shown)")


def call_change(world, pop, _gateway, t):
    """A call of the configuration goes, one of the CLI takes its ports."""
    before = drops_of(pop).get("call-ended", 0)
    pop.cli("call", "del", "call0")
    lost = Traffic(world, 1, 1).result()
    expect_equal(lost["received"], 0, "packets that passed without a call")
    expect(drops_of(pop).get("call-ended", 0) >= before + lost["sent"],
           "call-ended does not count them")
    pop.cli("call", "add", "byhand", "--a-media", w.MEDIA_OUTSIDE, "--a-port", "10000",
            "--a-customer", "acme", "--b-media", w.MEDIA_INSIDE, "--b-remote",
            f"{w.PLATFORM}:4000")
    warm_up(world, 1)
    result = Traffic(world, 1, 2).result()
    expect_clean(result)
    t.proved(f"0 of {lost['sent']} packets passed without the call (call-ended), "
             f"{result['received']} of {result['sent']} with that of \"call add\"")


def trace(world, pop, _gateway, t):
    """Packets of a call are followed through the stages, by name and in order."""
    pop.cli("trace", "start", "--count", "6")
    Traffic(world, 1, 1).result()
    pop.cli("trace", "stop")
    ways = {}
    for step in pop.cli("trace", "show")["steps"]:
        ways.setdefault(step["packet"], []).append(step["stage"])
    expect(WAY in ways.values(), f"no packet went {' '.join(WAY)}: {ways}")
    pop.cli("trace", "start", "--call", "byhand", "--count", "2")
    Traffic(world, 1, 1).result()
    pop.cli("trace", "stop")
    steps = pop.cli("trace", "show")["steps"]
    expect(steps and {s["packet"] for s in steps} <= {1, 2}, f"a trace of one call: {steps}")
    t.proved(f"{len(ways)} packets traced, one of them by {' → '.join(WAY)}")


def main():
    report = Report("operate")
    with w.World(phones=True) as world:
        pop, gateway = pair(world, calls=CALLS)
        report.on_failure.append(lambda: print(pop.log_tail(), drops_of(pop), drops_of(gateway)))
        warm_up(world, CALLS)
        for test in (sa_change, call_change, trace):
            with report.test(test.__name__.replace("_", "-")) as t:
                test(world, pop, gateway, t)
    return report.close()
