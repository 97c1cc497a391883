# SPDX-License-Identifier: BSD-3-Clause
"""Customers with real IKE: a PoP with trunklined and charon, and strongSwan at the customers' side.

Customer i has the gateway 198.18.10.(10 + i), the phone 192.0.2.(10 + i), and two calls with port
numbers of its own. All gateways are addresses of one charon unless a scenario makes more.
"""
import json
import os
import socket
import subprocess
import time

from . import isolate, strongswan
from . import world as w
from .daemon import Daemon, call_config, customer_config, pop_config
from .report import Failed, expect

NETS = [f"{w.MEDIA_OUTSIDE}/32", "198.18.20.0/24"]
PSK = "correct horse battery staple "


class Customer:
    def __init__(self, i, name=None, version=2, proposal="aes256-sha256-ecp256",
                 esp="aes256gcm16-ecp256", calls=1, gateway=None, phone=None, **more):
        self.i, self.name = i, name or f"c{i}"
        self.version, self.proposal, self.esp = version, proposal, esp
        self.calls, self.more = calls, more
        self.gateway = gateway or f"198.18.10.{10 + i}"
        self.phone = phone or f"192.0.2.{10 + i}"
        self.port_a, self.port_b, self.port_echo = (b + 200 * i for b in (10000, 20000, 4000))

    def config(self):
        """The customer's file; more.ike and more.file change it."""
        ike = {"version": self.version, "proposals": [self.proposal], "esp": [self.esp],
               "local_nets": NETS, **self.more.get("ike", {})}
        return customer_config(self.name, [], domain=[f"{self.phone}/32"], gateway=self.gateway,
                               ike=ike, _psk=PSK + self.name, **self.more.get("file", {}))

    def call_configs(self):
        return [call_config(f"{self.name}-{k}", self.port_a + 2 * k, self.port_b + 2 * k,
                            customer=self.name,
                            remote_b=f"{w.PLATFORM}:{self.port_echo + 2 * k}")
                for k in range(self.calls)]

    def children(self):
        """IKEv1 has one network a side in an SA, so it takes one more."""
        return [self.name] + ([f"{self.name}-lan"] if self.version == 1 else [])


    def connection(self):
        """The gateway's side."""
        connection = strongswan.connection(
            self.gateway, [f"{self.phone}/32"], NETS, version=self.version, ike=self.proposal,
            esp=self.esp, child=self.name, more=self.more.get("gw", {}),
            child_more={"replay_window": 1024, **self.more.get("gw_child", {})})
        first = connection["children"][self.name]
        for name, net in zip(self.children(), NETS):
            if self.version == 1:
                connection["children"][name] = {**first, "remote_ts": [net]}
        return connection

    def secret(self):
        return strongswan.psk(self.more.get("psk", PSK + self.name), w.POP_OUTSIDE, self.gateway, name=self.name)


class Pop:
    """trunklined and its charon."""

    def __init__(self, world, customers, settings=None, **more):
        self.world, self.customers = world, customers
        config = pop_config(world, ike={}, calls=[c for x in customers for c in x.call_configs()],
                            **more)
        self.daemon = Daemon(world, config, [c.config() for c in customers])
        self.charon = strongswan.pop_charon(world, settings)

    def start(self):
        self.daemon.start()
        self.charon_start()
        return self

    def charon_start(self, timeout=20.0):
        """Returns when it has the customers' connections from trunklined."""
        self.charon.start()
        deadline = time.monotonic() + timeout * w.slow()
        wanted = {c.name for c in self.customers}
        while wanted - set(self.charon.vici.request("get-conns").get("conns", ())):
            if time.monotonic() > deadline:
                raise Failed("charon has not got its connections:\n" + self.daemon.log_tail())
            time.sleep(0.1)

    def log(self):
        with open(self.daemon.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def drops(self):
        return self.daemon.drops()

    def drops_since(self, before):
        """What was dropped since then, but for what anybody may send to the kernel."""
        now = self.drops()
        return {k: v - before.get(k, 0) for k, v in now.items()
                if v != before.get(k, 0) and not k.startswith("punt")}

    def wait_log(self, text, timeout=5.0, after=0):
        """The line of trunklined's log with text in it; after: bytes of the log to leave out."""
        deadline = time.monotonic() + timeout * w.slow()
        while True:
            for line in self.log()[after:].splitlines():
                if text in line:
                    return line
            if time.monotonic() > deadline:
                raise Failed(f"trunklined's log has no {text!r}:\n" + self.daemon.log_tail())
            time.sleep(0.1)


def gateway(world, customers, settings=None, name="gateway"):
    """The customers' charon, with its addresses and connections; nothing is up yet."""
    ns = world.customer
    subprocess.run(ns.argv("nft", "delete", "table", "netdev", "lab"), check=False,
                   stderr=subprocess.DEVNULL)  # here ESP comes to a socket
    for c in customers:
        subprocess.run(ns.argv("ip", "addr", "add", f"{c.gateway}/24", "dev", "wan"), check=False,
                       stderr=subprocess.DEVNULL)
    charon = strongswan.gateway(world, name, settings)
    gateway_start(charon, customers)
    return charon


def deep_buffers(pid, size=16 << 20):
    """A gateway's kernel is not asleep when charon, which carries ESP there, gets no CPU for a while: its
    sockets take what comes meanwhile."""
    pidfd = os.pidfd_open(pid)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        copy = isolate.libc.syscall(438, pidfd, int(fd), 0)  # pidfd_getfd
        if copy < 0:
            continue
        if not os.readlink(f"/proc/self/fd/{copy}").startswith("socket:"):
            os.close(copy)
            continue
        with socket.socket(fileno=copy) as s:
            if s.type == socket.SOCK_DGRAM and s.family in (socket.AF_INET, socket.AF_INET6):
                s.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
    os.close(pidfd)


def gateway_start(charon, customers):
    """Starts it, for the first time or again: it remembers nothing."""
    charon.start()
    deep_buffers(charon.process.pid)
    for c in customers:
        charon.load(c.name, c.connection(), [c.secret()])


def phones(world, customers):
    strongswan.phones_behind(world, [c.phone for c in customers], NETS)


def children(customers):
    return [x for c in customers for x in c.children()]


def until(what, condition, timeout):
    """Seconds that it took."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout * w.slow():
            raise Failed(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - started


def all_reached(world, customers):
    return all(ping(world.customer, c.phone, w.PLATFORM, 1) for c in customers)


def ping(ns, source, target, count=2):
    """Whether all of count pings are answered."""
    done = subprocess.run(ns.argv("ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-W", "2", "-I",
                                  source, target), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


class Calls:
    """rtpload for a customer's calls: its phone sends, the platform echoes."""

    def __init__(self, world, customer, seconds):
        program = os.path.join(w.build_dir(), "tests", "lab", "rtpload")
        c = customer
        self.echo = world.spawn(world.platform, program, "echo", "--bind", w.PLATFORM, "--port",
                                str(c.port_echo), "--calls", str(c.calls), stdout=-1, text=True)
        if self.echo.stdout.readline().strip() != "ready":
            raise Failed("rtpload echo did not start")
        self.phone = world.spawn(
            world.customer, program, "send", "--bind", c.phone, "--port", str(c.port_a),
            "--to", w.MEDIA_OUTSIDE, "--to-port", str(c.port_a), "--calls", str(c.calls),
            "--seconds", str(seconds), stdout=-1, text=True)

    def running(self):
        return self.phone.poll() is None

    def stop(self):
        """No more is sent: the account, and for how long nothing came back of a call."""
        self.phone.terminate()
        result = self.result()
        return result, result["lost"] / result["calls"] / 50

    def result(self):
        text = self.phone.stdout.read()
        self.phone.wait()
        self.echo.terminate()
        self.echo.wait()
        return json.loads(text)


def gateway_lost(world):
    """What the customer's own kernel threw away because charon, which carries ESP there, was too slow."""
    udp = [x.split() for x in world.customer.run("cat", "/proc/net/snmp").splitlines()
           if x.startswith("Udp:")]
    tun = world.customer.run("cat", f"/sys/class/net/{strongswan.TUN}/statistics/tx_dropped")
    return int(dict(zip(*udp))["RcvbufErrors"]) + int(tun)


def expect_clean(result, what):
    wrong = {k: result[k] for k in ("lost", "duplicated", "damaged", "foreign") if result[k]}
    expect(not wrong and result["received"] == result["sent"] > 0,
           f"{what}: {wrong} of {result['sent']} packets, {result['received']} came back")
