# SPDX-License-Identifier: BSD-3-Clause
"""IKE as its operator has it: customers' files become tunnels; up, down, rekey, reload, and what is said of them."""
import os
import re
import time

from trunklab import ike
from trunklab import strongswan as s
from trunklab import world as w
from trunklab.daemon import Daemon, customer_config, ike_customer_config, pop_config
from trunklab.esp import Tunnel
from trunklab.report import Failed, Report, expect, expect_equal

SECRETS = {name: f"{name}-s3cret-{os.urandom(12).hex()}"
           for name in ("acme", "globex", "hooli", "initech", "wrong")}
GATEWAYS = {"acme": "198.18.10.10", "globex": "198.18.10.11", "hooli": "198.18.10.12",
            "initech": "198.18.10.13"}
PHONES = {name: f"192.0.2.{10 + i}" for i, name in enumerate(GATEWAYS)}
NETS = [f"{w.MEDIA_INSIDE}/32", f"{w.MEDIA_OUTSIDE}/32", "198.18.20.0/24"]


def customer(name, **more):
    return ike_customer_config(name, SECRETS[name], more, [f"{PHONES[name]}/32"], GATEWAYS[name])


class Bench:
    """The PoP with trunklined and its charon, and one charon for all gateways."""

    def __init__(self, world):
        self.world = world
        self.seen = []  # all that the command line has said
        still = Tunnel("aes256gcm16", 0x1001, 0x20000001).config()
        still.update(peer="198.18.10.99", remote_nets=["192.0.2.128/25"])
        self.pop = Daemon(world, pop_config(world, ike={}), [
            customer("acme"), customer("globex", start="initiate", dpd_delay=2),
            customer("hooli", version="1", esp=["aes256-sha256-modp2048"],
                     local_nets=["198.18.20.0/24"]),
            customer_config("still", [still], domain=["192.0.2.128/25"])])
        self.charon = s.pop_charon(world)
        for address in GATEWAYS.values():
            world.customer.run("ip", "addr", "add", f"{address}/24", "dev", "wan")
        world.customer.run("nft", "delete", "table", "netdev", "lab")
        self.gateway = s.gateway(world)

    def start(self):
        self.gateway.start()
        for name in ("acme", "globex"):
            self.gateway_load(name)
        self.gateway_load("hooli", version=1, ike="aes256-sha256-modp2048",
                          esp="aes256-sha256-modp2048", nets=NETS[2:])
        s.phones_behind(self.world, list(PHONES.values()))
        self.pop.start()
        self.world.greet(list(GATEWAYS.values()))
        return self

    def gateway_load(self, name, secret=None, nets=None, **more):
        address = GATEWAYS[name]
        self.gateway.load(name, s.connection(
            address, [f"{PHONES[name]}/32"], nets or NETS, child=name,
            **{"ike": "aes256-sha256-ecp256", "esp": "aes256gcm16-ecp256", **more}),
            [s.psk(secret or SECRETS[name], address, w.POP_OUTSIDE, name=name)])

    def cli(self, *argv, fails=False):
        done = self.pop.cli_text(*argv, timeout=40)
        self.seen.append(done.stdout + done.stderr)
        expect((done.returncode != 0) == fails,
               f"trunkline {' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return (done.stderr if fails else done.stdout).strip()

    def tunnel(self, name):
        tunnel = self.pop.cli("show", "tunnels", name)["tunnels"][0]
        self.seen.append(str(tunnel))
        return tunnel

    def wait(self, name, up, timeout=15.0):
        deadline = time.monotonic() + timeout * w.slow()
        while self.tunnel(name)["up"] != up:
            if time.monotonic() > deadline:
                raise Failed(f"{name} is not {'up' if up else 'down'} after {timeout:.0f} s: "
                             f"{self.tunnel(name)}\n{self.pop.log_tail()}")
            time.sleep(0.1)
        return self.tunnel(name)

    def log(self):
        with open(self.pop.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text, after=0, timeout=5.0):
        deadline = time.monotonic() + timeout * w.slow()
        while True:
            for line in self.log()[after:].splitlines():
                if text in line:
                    return line[line.index("ike: "):] if "ike: " in line else line
            if time.monotonic() > deadline:
                raise Failed(f"the log has no {text!r}:\n" + self.log()[after:])
            time.sleep(0.05)

    def routes(self, name):
        return [r["prefix"] for r in self.pop.cli("show", "routes")["routes"]
                if r["customer"] == name]

    def ping(self, name):
        return ike.ping(self.world.customer, PHONES[name], w.PLATFORM)

    def connections(self):
        return set(self.charon.vici.request("get-conns")["conns"])

    def secrets(self):
        return set(self.charon.vici.request("get-shared")["keys"])


def charon_late(b, t):
    """trunklined is there first: it waits, says so, and loads everything as soon as charon is there."""
    b.wait_log("charon does not answer")
    said = b.cli("tunnel", "up", "acme", fails=True)
    expect("charon does not answer at /run/charon.vici" in said, said)
    b.charon.start()
    b.wait_log("strongSwan 5.9.8 is there; 3 customers' connections go to it")
    deadline = time.monotonic() + 5
    while b.connections() != {"acme", "globex", "hooli"} and time.monotonic() < deadline:
        time.sleep(0.05)
    expect_equal(b.connections(), {"acme", "globex", "hooli"}, "connections")
    expect_equal(b.secrets(), {f"trunkline-{n}" for n in ("acme", "globex", "hooli")}, "secrets")
    t.proved(f"before: {said!r}; then 3 connections and 3 secrets are in charon")


def initiated(b, t):
    """start: initiate brings the tunnel up; respond waits for the gateway."""
    started = time.monotonic()
    b.wait("globex", True)
    took = time.monotonic() - started
    expect(not b.tunnel("acme")["up"], "acme was to wait for its gateway")
    expect(not b.routes("acme"), "routes without a tunnel")
    b.gateway.initiate("acme")
    b.gateway.initiate("hooli")
    b.wait("acme", True)
    b.wait("hooli", True)
    for name in ("acme", "globex", "hooli"):
        expect(b.ping(name), f"pings through the tunnel of {name}")
        expect_equal(b.routes(name), [f"{PHONES[name]}/32"], f"routes of {name}")
    t.proved(f"globex is up by itself within {took:.1f} s, acme and hooli when their gateways come; pings "
             "and routes for each")


def shown(b, t):
    """show tunnels says what charon says."""
    charon = b.charon.vici.sas()
    for name, version, suite in (("acme", 2, "aes256gcm16"), ("hooli", 1, "aes256-sha256")):
        tunnel = b.tunnel(name)
        child = next(iter(charon[name][0]["child-sas"].values()))
        expect_equal(tunnel["in"]["spi"], "0x" + child["spi-in"], f"SPI in of {name}")
        expect_equal(tunnel["out"]["spi"], "0x" + child["spi-out"], f"SPI out of {name}")
        expect_equal((tunnel["ike"]["version"], tunnel["ike"]["state"], tunnel["in"]["suite"]),
                     (version, "up", suite), name)
        expect(tunnel["in"]["packets"] >= 2 and tunnel["out"]["bytes"] > 100, f"{name}: {tunnel}")
        expect(3000 < tunnel["in"]["rekey"] < 3600, f"rekey in {tunnel['in']['rekey']} s")
    expect_equal(b.tunnel("acme")["ike"]["suite"], "aes256-sha256-ecp256", "suite of IKE")
    text = b.cli("show", "tunnels", "acme")
    expect("198.18.10.10:4500 → 198.18.10.1:4500  up" in text and "IKEv2" in text, text)
    table = b.cli("show", "tunnels")
    expect_equal(len(table.splitlines()), 5, table)
    expect("still" in table, "the tunnel with static keys")
    expect_equal(b.pop.cli("status")["tunnels"], {"total": 4, "up": 4}, "status")
    t.proved("SPIs, versions and suites of charon's list, packets, next rekey; four tunnels in the table:\n"
             + "\n".join("    " + x for x in text.splitlines()))


def rekeyed(b, t):
    before = {n: b.tunnel(n)["in"]["spi"] for n in ("acme", "globex")}
    after = len(b.log())
    said = b.cli("tunnel", "rekey", "acme")
    expect_equal(said, "acme has new keys", "what is said")
    line = b.wait_log("acme: new keys: SPI", after)
    deadline = time.monotonic() + 5
    while b.tunnel("acme")["out"]["spi"] not in line and time.monotonic() < deadline:
        time.sleep(0.1)
    now = b.tunnel("acme")
    expect(now["in"]["spi"] != before["acme"] and now["in"]["spi"] in line
           and now["out"]["spi"] in line, f"{now} after: {line}")
    expect_equal(b.tunnel("globex")["in"]["spi"], before["globex"], "another's SPI")
    expect(b.ping("acme"), "pings with the new keys")
    t.proved(f"{before['acme']} became {now['in']['spi']}; the log: {line}")


def down_and_up(b, t):
    """An operator's word holds: what is taken down stays down, even if we are to initiate it."""
    after = len(b.log())
    said = b.cli("tunnel", "down", "globex")
    b.wait("globex", False)
    line = b.wait_log("globex: the tunnel is down", after)
    expect("taken down by an operator" in line, line)
    expect(not b.routes("globex"), "routes of a tunnel that is down")
    time.sleep(7)
    expect(not b.tunnel("globex")["up"], "it came up against the operator's word")
    status = b.pop.cli("status")["tunnels"]
    expect_equal((status["up"], status["worst"]["customer"], status["worst"]["why"]),
                 (3, "globex", "taken down by an operator"), "status")
    head = b.cli("status").splitlines()[1]
    expect("1 DOWN (globex: taken down by an operator" in head, head)
    said_none = b.cli("tunnel", "rekey", "globex", fails=True)
    expect("globex is down; there are no keys to replace" in said_none, said_none)
    expect_equal(b.cli("tunnel", "up", "globex"), "globex is up", "what is said")
    expect(b.ping("globex"), "pings after tunnel up")
    expect_equal(b.cli("tunnel", "up", "globex"), "globex is up already", "what is said")
    t.proved(f"{said!r}, held for 7 s; status: {head!r}; then up again")


def refusals(b, t):
    """What does not work is said with its reason."""
    said = [b.cli("tunnel", "up", "nobody", fails=True), b.cli("tunnel", "up", "still", fails=True)]
    expect("there is no customer nobody" in said[0], said[0])
    expect("still has no ike in its file" in said[1], said[1])
    b.cli("tunnel", "down", "acme")
    b.gateway_load("acme", secret=SECRETS["wrong"])
    said.append(b.cli("tunnel", "up", "acme", fails=True))
    expect("the pre-shared key" in said[2], said[2])
    expect("the pre-shared key" in (b.tunnel("acme")["why"] or ""), b.tunnel("acme"))
    b.gateway_load("acme", esp="aes128-sha1")
    said.append(b.cli("tunnel", "up", "acme", fails=True))
    expect("none of our proposals" in said[3], said[3])
    b.cli("tunnel", "down", "acme")
    b.gateway_load("acme")
    expect_equal(b.cli("tunnel", "up", "acme"), "acme is up", "with everything right")
    expect(b.ping("acme"), "pings afterwards")
    t.proved("; ".join(repr(x) for x in said))


def reloaded(b, t):
    """A customer more, one changed, one less: the others' keys and packets notice nothing."""
    before = {n: b.tunnel(n)["in"]["spi"] for n in ("acme", "hooli")}
    ping = b.world.spawn(b.world.customer, "ping", "-n", "-i", "0.02", "-W", "2", "-I",
                         PHONES["acme"], w.PLATFORM, stdout=-1, text=True)
    b.gateway_load("initech")
    b.pop.customers.append(customer("initech", start="initiate"))
    b.pop.write()
    b.cli("reload")
    b.wait("initech", True)
    expect(b.ping("initech"), "pings of the new customer")

    b.pop.customers = [c for c in b.pop.customers if c["name"] != "globex"]
    b.pop.customers[0]["ike"]["dpd_delay"] = 7
    after = len(b.log())
    b.pop.write()
    b.cli("reload")
    b.wait_log("globex: charon has no connection of it any more", after)
    b.wait_log("acme: charon has its connection as it is now configured", after)
    deadline = time.monotonic() + 10
    while "globex" in b.charon.vici.sas() and time.monotonic() < deadline:
        time.sleep(0.1)
    expect_equal(b.connections(), {"acme", "hooli", "initech"}, "connections")
    expect_equal(b.secrets(), {f"trunkline-{n}" for n in ("acme", "hooli", "initech")}, "secrets")
    expect("globex" not in b.charon.vici.sas(), "IKE SAs of a customer that is gone")
    conn = b.charon.vici.stream("list-conns", "list-conn", {"ike": "acme"})[0]["acme"]
    expect_equal(conn["dpd_delay"], "7", "the changed setting in charon")
    ping.send_signal(2)
    text = ping.stdout.read()
    counts = [x for x in text.splitlines() if "transmitted" in x][0]
    answered = sorted(int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", text))
    sent = int(counts.split()[0])
    # The last one may be under way when ping is told to end.
    expect(answered == list(range(1, len(answered) + 1)) and len(answered) >= sent - 1 > 0,
           f"{counts}; answered: {answered}")
    expect_equal({n: b.tunnel(n)["in"]["spi"] for n in before}, before, "others' SPIs")
    t.proved(f"initech came up, globex went, acme's dpd_delay changed; acme's pings meanwhile: {counts}")


def charon_again(b, t):
    """charon dies: tunnels work on; when it is back it has everything, and sets them up anew."""
    after = len(b.log())
    b.charon.kill(9)
    b.wait_log("charon is gone", after)
    expect(b.ping("acme") and b.ping("initech"), "pings without charon")
    expect_equal(b.tunnel("acme")["ike"]["state"], "down", "the state of IKE without charon")
    b.charon.start()
    b.wait_log("strongSwan 5.9.8 is there; 3 customers' connections", after)
    for name in ("initech", "acme", "hooli"):
        b.wait_log(f"{name}: the tunnel is up", after, 20)
        expect(b.ping(name), f"pings of {name}")
    t.proved("pings went on without charon; back again, it has 3 connections and sets the tunnels up anew")


def secrecy(b, t):
    """No key is in any log, answer or file but those for it."""
    texts = {"answers": "\n".join(b.seen)}
    for directory, _, names in os.walk(b.world.dir):
        for name in names:
            path = os.path.join(directory, name)
            if not name.endswith(".psk") and os.path.isfile(path) and "plugins" not in directory:
                with open(path, encoding="utf-8", errors="replace") as f:
                    texts[path] = f.read()
    for what in ("cmdline", "environ"):
        with open(f"/proc/{b.pop.pid()}/{what}", encoding="utf-8", errors="replace") as f:
            texts[what] = f.read()
    for where, text in texts.items():
        for name, secret in SECRETS.items():
            expect(secret not in text, f"{name}'s key is in {where}")
    t.proved(f"{len(SECRETS)} keys are in none of {len(texts)} files and answers, "
             f"{sum(len(x) for x in texts.values())} characters")


def main():
    report = Report("ike_operate")
    with w.World() as world:
        b = Bench(world).start()
        for test in (charon_late, initiated, shown, rekeyed, down_and_up, refusals, reloaded,
                     charon_again, secrecy):
            with report.test(test.__name__.replace("_", "-")) as t:
                test(b, t)
    return report.close()
