# SPDX-License-Identifier: BSD-3-Clause
"""100 calls of 50 packets a second each way: none lost, none reordered, with one worker and two."""
import json
import os
import subprocess
import time

from trunklab import world as w
from trunklab.daemon import Daemon, call_config, cpus, customer_config, pop_config
from trunklab.esp import Tunnel
from trunklab.report import Report, expect, expect_equal

CALLS = 100
HARMLESS = {"punt-limit", "punt-source"}


def gateway_daemon(world, tunnel):
    """A trunklined at the customer's, mirrored: its customer is the PoP."""
    sa = tunnel.config()
    sa.update(spi_in=sa["spi_out"], spi_out=sa["spi_in"], key_in=sa["key_out"],
              key_out=sa["key_in"], local=tunnel.gateway, peer=tunnel.pop,
              local_nets=[w.PHONES], remote_nets=["198.18.30.0/24"])
    config = pop_config(world, pop="customer", media=[])
    config["workers"] = [cpus()[0]]
    config["ports"] = [
        {"name": "outside", "device": world.device("wan"), "addresses": [f"{w.GATEWAY}/24"]},
        {"name": "inside", "device": world.device("lan"), "addresses": [f"{w.PHONES_GATEWAY}/24"]},
    ]
    customer = customer_config("pop", [sa], domain=["198.18.30.0/24"], allow=[f"{w.PHONES} any"])
    return Daemon(world, config, [customer], namespace=world.customer, name="gateway")


def pair(world, workers=1, calls=CALLS, suite="aes128gcm16", udp=False, **more):
    """The PoP and a trunklined as the customer's gateway, started, with their calls."""
    tunnel = Tunnel(suite, 0x1001, 0x20000001, udp=udp, window=1024)
    call_list = [call_config(f"call{i}", 10000 + 2 * i, 20000 + 2 * i,
                             remote_b=f"{w.PLATFORM}:{4000 + 2 * i}") for i in range(calls)]
    pop = Daemon(world, pop_config(world, workers=workers, calls=call_list, **more),
                 [customer_config("acme", [tunnel.config()])])
    gateway = gateway_daemon(world, tunnel)
    pop.start()
    gateway.start()
    return pop, gateway


class Traffic:
    """rtpload at both ends: phones send, the platform echoes."""

    def __init__(self, world, calls=CALLS, seconds=60, namespace=None, phone=w.PHONE):
        program = os.path.join(w.build_dir(), "tests", "lab", "rtpload")
        self.platform = world.spawn(world.platform, program, "echo", "--bind", w.PLATFORM, "--port",
                                    "4000", "--calls", str(calls), stdout=-1, text=True)
        if self.platform.stdout.readline().strip() != "ready":
            raise RuntimeError("rtpload echo did not start")
        self.phones = world.spawn(
            namespace or world.phones or world.customer, program, "send", "--bind", phone,
            "--port", "14000", "--to", w.MEDIA_OUTSIDE, "--to-port", "10000",
            "--calls", str(calls), "--seconds", str(seconds), stdout=-1, text=True)

    def running(self):
        return self.phones.poll() is None

    def result(self, early=False):
        """The account of it; early: no more is sent from now on."""
        if early:
            self.phones.terminate()
        text = self.phones.stdout.read()
        self.phones.wait()
        self.platform.terminate()
        self.platform.wait()
        return json.loads(text)


def expect_clean(result, sent=None):
    if sent is not None:
        expect_equal(result["sent"], sent, "packets sent")
    wrong = {k: result[k] for k in ("lost", "reordered", "duplicated", "damaged", "foreign")
             if result[k]}
    expect(not wrong, f"{wrong} of {result['sent']}")
    expect(result["received"] == result["sent"] > 0, str(result))


def warm_up(world, calls=CALLS):
    """Neighbours are known and legs have latched before packets count."""
    world.greet()
    ping = world.phones.argv("ping", "-n", "-q", "-c", "1", "-W", "1", w.PHONES_GATEWAY)
    for _ in range(10):
        if subprocess.run(ping, stdout=subprocess.DEVNULL, check=False).returncode == 0:
            break
    return Traffic(world, calls, 2).result()


def drops_of(daemon):
    return {k: v for k, v in daemon.drops().items() if v and k not in HARMLESS}


def run_load(report, name, seconds, workers):
    with w.World(phones=True, queues=1) as world, report.test(name) as t:
        pop, gateway = pair(world, workers=workers)
        try:
            warm_up(world)
            before = drops_of(pop), drops_of(gateway)
            result = Traffic(world, seconds=seconds).result()
            expect_clean(result, seconds * 50 * CALLS)
            expect_equal((drops_of(pop), drops_of(gateway)), before, "drops while loaded")
            rtt = result["rtt_us"]
            text = (f"{result['received']} of {result['sent']} packets of {CALLS} calls came back "
                    f"through ESP and relay in {seconds} s, none reordered; round trip p50 "
                    f"{rtt['p50'] / 1000:.2f} ms, p99 {rtt['p99'] / 1000:.2f} ms")
            if workers > 1:
                text += "; " + handed_over(pop, result["sent"])
            t.proved(text)
        except Exception:
            print("pop:", pop.log_tail(), "gateway:", gateway.log_tail(), sep="\n")
            with_drops = [drops_of(d) for d in (pop, gateway) if d.process.poll() is None]
            print(f"drops (pop, gateway): {with_drops}; machine's load {os.getloadavg()}")
            for daemon in (pop, gateway):
                if daemon.process.poll() is None:
                    for port in daemon.cli("show", "ports")["ports"]:
                        print(daemon.name, {k: port[k] for k in (
                            "name", "rx_packets", "tx_packets", "rx_missed", "rx_errors",
                            "tx_errors", "rx_nombuf")})
            raise


def handed_over(pop, sent):
    """The ports have one queue each, so what the other worker owns has to cross by ring."""
    shown = pop.cli("show", "workers")["workers"]
    out = sum(x["handed_over"] for x in shown)
    taken = sum(x["taken_over"] for x in shown)
    expect(out > 0, "nothing was handed over to the other worker")
    time.sleep(0.1)
    expect_equal(out, taken, "handed over and taken over")
    expect(out >= sent // 2, f"{out} packets were handed over, of {2 * sent} that crossed the PoP")
    return f"{out} packets were handed over between the workers, {taken} taken over"


def main():
    report = Report("load")
    seconds = 20 if w.quick() else 60
    run_load(report, "100-calls", seconds, 1)
    run_load(report, "two-workers", 20, 2)
    return report.close()
