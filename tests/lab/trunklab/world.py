# SPDX-License-Identifier: BSD-3-Clause
"""Namespaces and links.

    phones             customer                  pop                     platform
    192.0.2.0/24       (the gateway)             (trunklined)            (proxy, PBX)
    ┌──────────┐      ┌───────────────┐      ┌──────────────────┐      ┌─────────────┐
    │ eth0 ────┼─veth─┼─ lan     wan ─┼─veth─┼─ veth-out veth-in┼─veth─┼─ lan        │
    │ .10 …    │      │ .1  198.18.10.2│     │ TAP outside  TAP inside│  │ 198.18.20.2 │
    └──────────┘      │ or phones on  │      │ 198.18.10.1  198.18.20.1│ └─────────────┘
     only if the      │ a TUN: tun0   │      │ media 198.18.30.1, .2   │
     gateway is a     └───────────────┘      └──────────────────┘
     trunklined

The addresses of the PoP live on the TAPs that trunklined makes. The veth ends in the PoP carry
none: the kernel must not answer there what trunklined answers. AF_PACKET ports get a copy of what
the kernel gets too, so an nft ingress hook drops the kernel's copy (taps see a packet first).
"""
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from . import isolate
from .report import Failed

GATEWAY = "198.18.10.2"
POP_OUTSIDE = "198.18.10.1"
POP_INSIDE = "198.18.20.1"
PLATFORM = "198.18.20.2"
MEDIA_INSIDE = "198.18.30.1"
MEDIA_OUTSIDE = "198.18.30.2"
PHONES = "192.0.2.0/24"
PHONE = "192.0.2.10"
PHONES_GATEWAY = "192.0.2.1"

MAC = {  # fixed, so that tests can build frames
    "veth-out": "02:54:4c:01:00:01",
    "wan": "02:54:4c:01:00:02",
    "veth-in": "02:54:4c:02:00:01",
    "platform": "02:54:4c:02:00:02",
    "gw-lan": "02:54:4c:03:00:01",
    "phone": "02:54:4c:03:00:02",
}

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def build_dir():
    return os.path.abspath(os.environ.get("TRUNKLINE_BUILD", os.path.join(TOP, "build")))


def quick():
    return os.environ.get("QUICK", "0") not in ("", "0")


def slow():
    """How much longer things may take: the build under test is instrumented."""
    return float(os.environ.get("TRUNKLINE_LAB_SLOW", "1"))


def run(*argv, **kw):
    """A command that has to work; its output if it doesn't."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout.strip()}")
    return done.stdout


class Namespace:
    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        run("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")
        for which in ("all", "default"):
            self.write(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6", "1")

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv, **kw):
        return run(*self.argv(*argv), **kw)

    def popen(self, *argv, **kw):
        return subprocess.Popen(self.argv(*argv), **kw)

    def write(self, path, text):
        self.run("sh", "-c", f"echo {text} > {path}")

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules)

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace; sockets and TUN devices opened here stay in it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        isolate.setns(self.path)
        try:
            yield
        finally:
            isolate.setns(f"/proc/self/fd/{home}")
            os.close(home)

    def udp(self, address, port, timeout=2.0):
        """A UDP socket bound in the namespace."""
        with self.entered():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((address, port))
        s.settimeout(timeout)
        return s

    def packets(self, interface, timeout=2.0):
        """A raw socket that sends and receives whole frames of an interface."""
        with self.entered():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            s.bind((interface, 3))
        s.settimeout(timeout)
        return s


def offloads_off(interface):
    """In the current namespace: every packet is whole and carries its real checksums."""
    set_commands = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        import ctypes
        import fcntl
        for command in set_commands.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
            with contextlib.suppress(OSError):  # a veth has no rx checksum switch of its own
                fcntl.ioctl(s, 0x8946, request)  # SIOCETHTOOL


class World:
    """customer, pop and platform, joined; with phones=True also a namespace for the phones."""

    def __init__(self, phones=False, mtu=1500, driver=None, queues=1):
        self.driver = driver or os.environ.get("TRUNKLINE_LAB_DRIVER") or (
            "af_xdp" if isolate.has_real_root() else "af_packet")
        self.dir = tempfile.mkdtemp(prefix="trunkline-lab-", dir="/run")
        self.names = {}
        self.daemons = []
        self.children = []
        self.queues = queues
        for name in ("customer", "pop", "platform") + (("phones",) if phones else ()):
            self.names[name] = Namespace(name)
        self.customer, self.pop = self.names["customer"], self.names["pop"]
        self.platform = self.names["platform"]
        self.phones = self.names.get("phones")
        self._link(self.pop, "veth-out", MAC["veth-out"], self.customer, "wan", MAC["wan"], mtu)
        self._link(self.pop, "veth-in", MAC["veth-in"], self.platform, "lan", MAC["platform"], mtu)
        self._quiet(self.pop, "veth-out")
        self._quiet(self.pop, "veth-in")
        self.platform.run("ip", "addr", "add", f"{PLATFORM}/24", "dev", "lan")
        self.platform.run("ip", "route", "add", "default", "via", POP_INSIDE)
        if phones:
            self._link(self.customer, "lan", MAC["gw-lan"], self.phones, "eth0", MAC["phone"], mtu)
            self._quiet(self.customer, "lan")
            self._quiet(self.customer, "wan")
            self.phones.run("ip", "addr", "add", f"{PHONE}/24", "dev", "eth0")
            self.phones.run("ip", "route", "add", "default", "via", PHONES_GATEWAY)
        else:
            self.customer.run("ip", "addr", "add", f"{GATEWAY}/24", "dev", "wan")
            # The kernel has no ESP and must not complain of it to the PoP.
            self.customer.nft("""table netdev lab {
                chain tunnel {
                    type filter hook ingress device wan priority 0;
                    ip protocol esp drop
                    ip frag-off & 0x3fff != 0 drop
                    udp dport 4500 drop
                }
            }
            """)

    def _link(self, a, a_if, a_mac, b, b_if, b_mac, mtu):
        queue = ["numrxqueues", str(self.queues), "numtxqueues", str(self.queues)]
        run("ip", "link", "add", a_if, "address", a_mac, "mtu", str(mtu), *queue,
            "netns", a.name, "type", "veth", "peer", "name", b_if, "address", b_mac,
            "mtu", str(mtu), *queue, "netns", b.name)
        for ns, interface in ((a, a_if), (b, b_if)):
            with ns.entered():
                offloads_off(interface)
            ns.run("ip", "link", "set", interface, "up")

    @staticmethod
    def _quiet(ns, interface):
        """trunklined has this link; the kernel hears nothing of it."""
        table = interface.replace("-", "_")
        ns.nft(f"""table netdev lab_{table} {{
            chain in {{
                type filter hook ingress device {interface} priority 0; policy drop;
            }}
        }}
        """)
        ns.write(f"/proc/sys/net/ipv4/conf/{interface}/arp_ignore", "8")

    def device(self, interface, driver=None):
        return f"{driver or self.driver}:{interface}"

    def greet(self, gateways=(GATEWAY,), timeout=10.0):
        """Both sides ping the PoP: its kernel then knows them, and no packet waits for ARP."""
        pings = [(self.platform, PLATFORM, POP_INSIDE)]
        if not self.phones:
            pings += [(self.customer, g, POP_OUTSIDE) for g in gateways]
        deadline = time.monotonic() + timeout
        for ns, source, target in pings:
            while True:
                ping = ns.argv("ping", "-n", "-q", "-c", "1", "-W", "1", "-I", source, target)
                if subprocess.run(ping, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  check=False).returncode == 0:
                    break
                if time.monotonic() > deadline:
                    raise Failed(f"{target} does not answer {source}'s ping")

    def spawn(self, ns, *argv, log=None, **kw):
        """A process in a namespace that ends with the world."""
        if log:
            kw.setdefault("stdout", open(os.path.join(self.dir, log), "wb"))
            kw.setdefault("stderr", subprocess.STDOUT)
        child = ns.popen(*argv, **kw)
        self.children.append(child)
        return child

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
        for daemon in self.daemons:
            daemon.kill()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        keep = os.environ.get("TRUNKLINE_LAB_KEEP")
        if keep:
            shutil.copytree(self.dir, keep, dirs_exist_ok=True,
                            ignore=lambda d, names: [n for n in names if not os.path.isdir(
                                os.path.join(d, n)) and not os.path.isfile(os.path.join(d, n))])
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind and issubclass(kind, Exception):
            for daemon in self.daemons:
                print(f"--- log of {daemon.name}:\n{daemon.log_tail()}", flush=True)
        self.close()


def scapy_gateway(world, tunnel, phones=(PHONE,), name="gateway"):
    """Starts tests/lab/scapy_gateway.py for a tunnel; phones are addresses on its TUN."""
    customer, tun = world.customer, "tun0"
    customer.run("ip", "tuntap", "add", tun, "mode", "tun")
    for phone in phones:
        customer.run("ip", "addr", "add", f"{phone}/32", "dev", tun)
    customer.run("ip", "link", "set", tun, "mtu", "1400", "up")
    for net in ("198.18.30.0/24", "198.18.20.0/24"):
        customer.run("ip", "route", "add", net, "dev", tun, "src", phones[0])
    spec = os.path.join(world.dir, name + ".json")
    tunnel.save(spec, tun=tun, wan="wan")
    program = os.path.join(TOP, "tests", "lab", "scapy_gateway.py")
    child = world.spawn(customer, "/usr/bin/python3", program, spec,
                        stdout=subprocess.PIPE, text=True)
    if child.stdout.readline().strip() != "ready":
        raise RuntimeError(f"{program} did not start")
    return child
