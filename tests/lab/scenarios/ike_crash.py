# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 of charon, of trunklined, and of both, in mid-call: calls resume without an operator."""
import signal
import time

from trunklab import ike
from trunklab import world as w
from trunklab.report import Report, expect

CALLS = 5
DELAY = 2  # s of silence before a gateway asks whether we are there
# s, from when what was killed runs again
MOST = {"charon": 1.0, "trunklined": 3.0, "both": 12.0}


def kill(pop, which):
    if which in ("trunklined", "both"):
        pop.daemon.process.kill()
        pop.daemon.process.wait()
    if which in ("charon", "both"):
        pop.charon.kill(signal.SIGKILL)


def start(pop, which):
    """As systemd does."""
    if which in ("trunklined", "both"):
        pop.daemon.start()
    if which in ("charon", "both"):
        pop.charon.start()


def spi(pop, c):
    return {x["spi-in"] for x in pop.charon.children().get("net", ())}


def crash(world, pop, gateway, c, which, t):
    ike.until("traffic before", lambda: ike.all_reached(world, [c]), 10)
    calls = ike.Calls(world, c, 100)
    time.sleep(1)
    killed = time.monotonic()
    kill(pop, which)
    time.sleep(1)
    start(pop, which)
    down = time.monotonic() - killed
    ike.until("traffic", lambda: ike.all_reached(world, [c]), 40)
    ike.until("a tunnel that charon knows", lambda: spi(pop, c), 40)
    known = time.monotonic() - killed
    time.sleep(2)
    expect(calls.running(), "the calls have ended")
    result, gap = calls.stop()
    expect(result["duplicated"] == 0 and result["damaged"] == 0, str(result))
    # trunklined takes its links with it: nothing can come before it is back.
    most = MOST[which] + (0 if which == "charon" else down)
    expect(gap <= most, f"nothing came back for {gap:.2f} s, {most:.1f} s at most; {result}")
    expect(ike.ping(world.platform, w.PLATFORM, c.phone), "the phone is not reached")
    t.proved(f"{which} was away for {down:.1f} s; {CALLS} calls had no audio for {gap:.2f} s "
             f"({result['lost']} of {result['sent']} packets), charon knew a tunnel again after "
             f"{known:.1f} s")


def hung(world, pop, c, t):
    """trunklined does not answer: charon must not wait for it for long."""
    before = spi(pop, c)
    pop.daemon.signal(signal.SIGSTOP)
    try:
        pop.charon.vici.request("rekey", {"child": "net"})
        took = ike.until("charon gives up", lambda: "trunkline: no SPI" in pop.charon.log_text(), 10)
    finally:
        pop.daemon.signal(signal.SIGCONT)
    line = next(x for x in pop.charon.log_text().splitlines() if "trunkline: no SPI" in x)
    back = ike.until("traffic", lambda: ike.all_reached(world, [c]), 30)
    ike.until("a rekeying", lambda: len(spi(pop, c) - before) > 0, 40)
    t.proved(f"charon gave up a rekeying after {took:.1f} s ({line.split('] ', 1)[1]}); once trunklined "
             f"went on there was traffic after {back:.1f} s")


def main():
    report = Report("ike_crash")
    with w.World() as world:
        c = ike.Customer(0, "two", calls=CALLS, ike={"dpd_delay": DELAY, "start": "initiate"},
                         gw={"dpd_delay": DELAY})
        pop = ike.Pop(world, [c]).start()
        gateway = ike.gateway(world, [c])
        ike.phones(world, [c])
        world.greet([c.gateway])
        ike.until("the tunnel", lambda: spi(pop, c), 30)
        ike.Calls(world, c, 1).result()
        for which in ("charon", "trunklined", "both"):
            with report.test(which) as t:
                crash(world, pop, gateway, c, which, t)
        with report.test("hung") as t:
            hung(world, pop, c, t)
        for failed in ([pop.daemon, pop.charon, gateway] if report.failed else ()):
            print(f"--- log of {failed.name}:\n{failed.log_tail()}", flush=True)
    return report.close()
