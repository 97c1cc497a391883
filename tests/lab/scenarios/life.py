# SPDX-License-Identifier: BSD-3-Clause
"""Start, reload and end of the daemon while calls are on, and configurations that are wrong."""
import os
import re
import signal
import subprocess
import time

from load import Traffic, drops_of, expect_clean, pair, warm_up
from trunklab import world as w
from trunklab.daemon import call_config, customer_config
from trunklab.esp import Tunnel
from trunklab.report import Report, expect, expect_equal

CALLS = 20
MISSING = re.compile(r"(\d+) of (\d+) packet buffers were not given back")
AF_XDP_RING = 2048 + 64  # what the AF_XDP driver of DPDK 22.11 keeps of each queue when it closes


def expect_buffers_back(daemon):
    """Every packet buffer is in the pool again when the daemon ends; it complains if not."""
    log = daemon.log_tail(50)
    expect(log.rstrip().endswith("ended"), "the log does not end with its end:\n" + log[-500:])
    found = MISSING.search(log)
    missing = int(found[1]) if found else 0
    kept = sum(AF_XDP_RING for p in daemon.config["ports"] if p["device"].startswith("af_xdp"))
    expect(missing <= kept, f"{missing} packet buffers were not given back")
    return daemon.config["memory"]["mbufs"]


def reload_adds(world, pop, _gateway, t):
    """SIGHUP with one more customer and one more call; the calls that are on don't notice."""
    traffic = Traffic(world, CALLS, 4)
    time.sleep(1)
    before = drops_of(pop)
    other = Tunnel("aes256-sha512", 0x1777, 0x20001777, gateway="198.18.10.9",
                   domain="203.0.113.0/24")
    pop.customers.append(customer_config("globex", [other.config()], domain=[other.domain]))
    pop.config["calls"].append(call_config("globex", 30000, 40000, "globex"))
    pop.write()
    pop.signal(signal.SIGHUP)
    time.sleep(0.7)
    names = {c["name"] for c in pop.cli("show", "customers")["customers"]}
    expect("globex" in names, f"customers after the reload: {names}")
    pop.customers.pop()
    pop.config["calls"].pop()
    pop.write()
    pop.signal(signal.SIGHUP)
    time.sleep(0.7)
    names = {c["name"] for c in pop.cli("show", "customers")["customers"]}
    expect_equal(names, {"acme"}, "customers after the second reload")
    result = traffic.result()
    expect_clean(result)
    expect_equal(drops_of(pop), before, "drops during the reloads")
    t.proved(f"a customer and a call came and went by SIGHUP; {result['received']} of "
             f"{result['sent']} packets of other calls came back")


def reload_broken(world, pop, _gateway, t):
    """SIGHUP with mistakes: the log has each, nothing changes, calls go on."""
    traffic = Traffic(world, CALLS, 3)
    time.sleep(0.5)
    good = pop.customers[0]
    pop.customers[0] = dict(good, tier="9M", domain=["10.0.0.0/8"])
    pop.write()
    pop.signal(signal.SIGHUP)
    time.sleep(1)
    log = pop.log_tail(10)
    pop.customers[0] = good
    pop.write()
    expect("acme.yaml:" in log and "tier" in log and "domain" in log,
           f"the log names both mistakes:\n{log}")
    result = traffic.result()
    expect_clean(result)
    t.proved(f"both mistakes are in the log with file and line; {result['received']} of "
             f"{result['sent']} packets of the calls came back")


def term_under_load(world, pop, gateway, t):
    traffic = Traffic(world, CALLS, 30)
    time.sleep(1.5)
    code, seconds = pop.stop()
    expect_equal(code, 0, "exit code")
    expect(seconds < 5, f"took {seconds:.1f} s to end; 5 are allowed")
    buffers = expect_buffers_back(pop)
    expect(not os.path.exists(pop.socket), "the socket is still there")
    traffic.phones.kill()
    traffic.platform.kill()
    code, _ = gateway.stop()
    expect_equal(code, 0, "exit code of the gateway")
    expect_buffers_back(gateway)
    t.proved(f"SIGTERM under {CALLS} calls: exit 0 after {seconds:.1f} s, all {buffers} packet "
             "buffers back")


def again(world, pop, _gateway, t):
    """The same daemon starts again at once, and a second one beside it does not."""
    pop.start()
    second = subprocess.run(
        pop.namespace.argv(pop.binary("trunklined"), "-c", pop.file), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    expect(second.returncode == 1, f"a second daemon ended with {second.returncode}")
    expect(pop.cli("status")["pop"] == "lab", "the first one does not answer any more")
    code, _ = pop.stop()
    expect_equal(code, 0, "exit code")
    said = second.stdout.strip().splitlines()
    t.proved(f"it starts again after its end; a second one beside it gives up: {said[-1][:120]!r}")


def crash_recovery(world, pop, _gateway, t):
    pop.start()
    pop.signal(signal.SIGKILL)
    pop.process.wait()
    pop.start()
    code, _ = pop.stop()
    expect_equal(code, 0, "exit code")
    t.proved("after SIGKILL it starts again: nothing that it left is in its way")


def check_option(world, pop, _gateway, t):
    code, text = pop.check()
    expect_equal(code, 0, f"--check of a good configuration ({text})")
    good = dict(pop.config)
    pop.config["workers"] = [9999]
    pop.config["media"] = [{"address": "10.0.0.300", "ports": "9-x", "on": "nowhere"}]
    pop.write()
    code, text = pop.check()
    pop.config.clear()
    pop.config.update(good)
    pop.write()
    expect_equal(code, 1, "--check of a broken configuration")
    lines = [l for l in text.splitlines() if re.match(r".*trunkline\.yaml:\d+: ", l)]
    expect(len(lines) >= 4, f"mistakes with file and line: {text}")
    t.proved(f"--check finds nothing in a good file and {len(lines)} mistakes in a broken one")


def keys_stay_secret(world, pop, gateway, t):
    keys = set()
    for daemon in (pop, gateway):
        for customer in daemon.customers:
            for sa in customer["sas"]:
                keys |= {sa["key_in"], sa["key_out"]}
    pop.start()
    pop.signal(signal.SIGHUP)
    said = ""
    for argv in (["status"], ["show", "sas"], ["show", "customers"], ["show", "routes"],
                 ["--json", "show", "sas"], ["--json", "show", "customers"]):
        done = pop.cli_text(*argv)
        expect_equal(done.returncode, 0, f"trunkline {' '.join(argv)}")
        said += done.stdout + done.stderr
    pop.stop()
    for path in (pop.log, gateway.log):
        with open(path, encoding="utf-8", errors="replace") as f:
            said += f.read()
    for key in keys:
        for at in range(0, len(key) - 16, 2):
            expect(key[at:at + 16].lower() not in said.lower(), "a part of a key was shown")
    expect(len(said) > 1000, "too little output to judge")
    t.proved(f"no 8 bytes of any of {len(keys)} keys in {len(said)} characters of output and logs")


def main():
    report = Report("life")
    # On AF_PACKET: of its buffers, not one may be missing at the end.
    with w.World(phones=True, driver="af_packet") as world:
        pop, gateway = pair(world, calls=CALLS)
        report.on_failure.append(lambda: print(pop.log_tail()))
        warm_up(world, CALLS)
        for name, test in (("reload", reload_adds), ("reload-broken", reload_broken),
                           ("sigterm", term_under_load), ("start-again", again),
                           ("crash", crash_recovery), ("check", check_option),
                           ("secrets", keys_stay_secret)):
            with report.test(name) as t:
                test(world, pop, gateway, t)
    return report.close()
