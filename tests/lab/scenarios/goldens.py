# SPDX-License-Identifier: BSD-3-Clause
"""NG goldens (tests/ng/goldens): text in, text out, then packets, in bencode and in JSON"""
import glob
import os

from trunklab import goldens
from trunklab import world as w
from trunklab.daemon import Daemon, customer_config, pop_config
from trunklab.esp import Tunnel
from trunklab.ng import Client
from trunklab.report import Failed, Report, expect

LEAST = 120


def play(client, world, cases):
    player, failed = goldens.Player(world, client), []
    for case in cases:
        try:
            player.play(case)
        except Failed as e:
            failed.append(f"{case.where} {case.title}\n      {e}")
    return failed


def main():
    report = Report("goldens")
    folder = os.path.join(w.TOP, "tests", "ng", "goldens")
    only = os.environ.get("TRUNKLINE_GOLDENS", "")
    with w.World() as world:
        world.customer.run("ip", "route", "add", "198.18.30.0/24", "via", w.POP_OUTSIDE)
        world.customer.run("ip", "addr", "add", f"{goldens.OUTSIDE[1]}/24", "dev", "wan")
        world.platform.run("ip", "addr", "add", f"{goldens.INSIDE[1]}/24", "dev", "lan")
        tunnel = Tunnel("aes256gcm16", 0x1001, 0x20000001)
        daemon = Daemon(world, pop_config(world, control={"ng": ["127.0.0.1:2223"]},
                                          recordings=os.path.join(world.dir, "recordings")),
                        [customer_config("acme", [tunnel.config()])]).start()
        world.greet(gateways=goldens.OUTSIDE)
        world.platform.run("ping", "-n", "-q", "-c", "1", "-I", goldens.INSIDE[1], w.POP_INSIDE)
        clients = {"bencode": Client(world.pop, "127.0.0.1"),
                   "JSON": Client(world.pop, "127.0.0.1", as_json=True)}
        count = 0
        for path in sorted(glob.glob(os.path.join(folder, f"*{only}*.txt"))):
            cases = goldens.parse(path)
            count += len(cases)
            with report.test(os.path.basename(path)[:-4]) as t:
                for name, client in clients.items():
                    failed = play(client, world, cases)
                    expect(not failed, f"{name}, {len(failed)} of {len(cases)} cases:\n    "
                           + "\n    ".join(failed))
                t.proved(f"{len(cases)} cases in bencode and JSON")
        with report.test("end") as t:
            left = clients["JSON"].ok(command="list")["calls"]
            expect(not left, f"calls that are left: {left}")
            expect(only or count >= LEAST, f"{count} cases; there should be {LEAST}")
            code, _ = daemon.stop()
            expect(code == 0, f"exit {code}")
            t.proved(f"{count} cases, no call is left")
    return report.close()
