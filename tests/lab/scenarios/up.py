# SPDX-License-Identifier: BSD-3-Clause
"""(lab up) the PoP with a customer behind a scapy gateway and a call, until Ctrl-C"""
import time

from trunklab import world as w
from trunklab.daemon import Daemon, call_config, customer_config, pop_config
from trunklab.esp import Tunnel


def main():
    with w.World() as world:
        tunnel = Tunnel("aes256gcm16", 0x1001, 0x20000001)
        calls = [call_config("demo", 10000, 20000, remote_b=f"{w.PLATFORM}:4000")]
        daemon = Daemon(world, pop_config(world, calls=calls),
                        [customer_config("acme", [tunnel.config()])]).start()
        w.scapy_gateway(world, tunnel)
        print(f"up. In another terminal: tests/lab/lab shell pop; then\n"
              f"  {daemon.binary('trunkline')} --socket {daemon.socket} status\n"
              f"The phone {w.PHONE} in namespace customer reaches {w.MEDIA_OUTSIDE}:10000, "
              f"the platform is {w.PLATFORM}. Ctrl-C ends it.", flush=True)
        while daemon.process.poll() is None:
            time.sleep(0.2)
        print(daemon.log_tail())
    return 1
