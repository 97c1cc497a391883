# SPDX-License-Identifier: BSD-3-Clause
"""(for tests/lab/selftest) namespaces without a daemon, until it is killed"""
import time

from trunklab import world as w
from trunklab.esp import Tunnel


def main():
    with w.World() as world:
        tunnel = Tunnel("aes128gcm16", 0x1001, 0x20000001)
        w.scapy_gateway(world, tunnel)
        world.spawn(world.platform, "sleep", "1000")
        time.sleep(0.5)  # both children are in their namespaces then
        print("ready", flush=True)
        time.sleep(1000)
