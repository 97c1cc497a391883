# SPDX-License-Identifier: BSD-3-Clause
"""trunklined in a namespace: its configuration, its life, and its command line."""
import json
import os
import subprocess
import time

import yaml

from . import world as w
from .isolate import has_real_root
from .report import Failed


def cpus():
    return sorted(os.sched_getaffinity(0))


def pop_config(world, workers=1, **more):
    """The PoP of the picture in world.py, as the main configuration file has it."""
    have = cpus()
    config = {
        "pop": "lab",
        "workers": [have[(1 + i) % len(have)] for i in range(workers)],
        "idle": "sleep",
        "memory": {
            "hugepages": os.environ.get("TRUNKLINE_LAB_HUGEPAGES")
            or ("auto" if has_real_root() else "off"),
            "megabytes": 512,
            "mbufs": 16384,
        },
        "ports": [
            {"name": "outside", "device": world.device("veth-out"),
             "addresses": [f"{w.POP_OUTSIDE}/24"]},
            {"name": "inside", "device": world.device("veth-in"),
             "addresses": [f"{w.POP_INSIDE}/24"]},
        ],
        "media": [
            {"address": w.MEDIA_INSIDE, "ports": "10000-59999", "on": "inside"},
            {"address": w.MEDIA_OUTSIDE, "ports": "10000-59999", "on": "outside"},
        ],
        "customers": "customers.d",
    }
    config.update(more)
    return config


def customer_config(name, sas, domain=None, **more):
    """A customer file. sas: see trunklab.esp.Tunnel.config()."""
    config = {
        "name": name,
        "tier": "none",
        "domain": domain or [w.PHONES],
        "allow": ["198.18.20.0/24 any"],
        "sas": sas,
    }
    config.update(more)
    return config


def ike_customer_config(name, psk, ike=None, domain=None, gateway=w.GATEWAY, **more):
    """A customer whose gateway negotiates by IKE: the PoP's configuration needs ike={}. ike: what the
    defaults don't have. gateway None: not known, which needs ike's remote_id. psk is written to a file
    of its own, beside the customer's; None: there is no such file."""
    config = {"name": name, "tier": "none", "domain": domain or [w.PHONES],
              "allow": ["198.18.20.0/24 any"], "ike": ike or {}, "_psk": psk}
    if gateway:
        config["gateway"] = gateway
    config.update(more)
    return config


def call_config(call_id, port_a, port_b, customer="acme", remote_b=None, remote_a=None):
    """Leg a: the customer's phone, on the customer's media address. Leg b: the platform."""
    a = {"media": w.MEDIA_OUTSIDE, "port": port_a, "customer": customer}
    b = {"media": w.MEDIA_INSIDE, "port": port_b}
    if remote_a:
        a["remote"] = remote_a
    if remote_b:
        b["remote"] = remote_b
    return {"id": call_id, "a": a, "b": b}


class Daemon:
    def __init__(self, world, config, customers, namespace=None, name="pop"):
        self.world, self.config, self.customers = world, config, customers
        self.namespace = namespace or world.pop
        self.name = name
        self.dir = os.path.join(world.dir, name)
        self.run_dir = os.path.join(self.dir, "run")
        self.file = os.path.join(self.dir, "trunkline.yaml")
        self.log = os.path.join(self.dir, "trunklined.log")
        self.socket = os.path.join(self.run_dir, "api.sock")
        self.process = None
        os.makedirs(self.run_dir)
        world.daemons.append(self)
        self.write()

    def write(self):
        """(Re)writes the configuration files from config and customers."""
        directory = os.path.join(self.dir, "customers.d")
        os.makedirs(directory, exist_ok=True)
        for old in os.listdir(directory):
            os.unlink(os.path.join(directory, old))
        self.config["run_dir"] = self.run_dir
        self.write_file(self.file, yaml.safe_dump(self.config, sort_keys=False))
        for customer in self.customers:
            path = os.path.join(directory, customer["name"])
            self.write_file(path + ".yaml",
                            yaml.safe_dump({k: v for k, v in customer.items() if k[0] != "_"},
                                           sort_keys=False))
            if customer.get("_psk"):
                self.write_file(path + ".psk", customer["_psk"] + "\n")

    @staticmethod
    def write_file(path, text):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            f.write(text)

    @staticmethod
    def binary(name):
        path = os.path.join(w.build_dir(), "app", name, name)
        if not os.access(path, os.X_OK):
            raise Failed(f"{path} is not built; run make")
        return path

    def check(self):
        """trunklined --check: exit code and what it said."""
        done = subprocess.run(
            self.namespace.argv(self.binary("trunklined"), "--check", "-c", self.file),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        return done.returncode, done.stdout

    def start(self, timeout=60.0):
        """Starts it and returns when it answers and its ports are up."""
        with open(self.log, "ab") as log:
            self.process = self.namespace.popen(
                self.binary("trunklined"), "-c", self.file,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + timeout
        last = "no answer"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"trunklined ended at start, exit {self.process.returncode}:\n"
                             + self.log_tail())
            try:
                ports = self.cli("show", "ports", timeout=5)["ports"]
                if ports and all(p["up"] for p in ports):
                    return self
                last = f"ports: {ports}"
            except (Failed, KeyError, subprocess.TimeoutExpired) as e:
                last = str(e)
            time.sleep(0.05)
        raise Failed(f"trunklined is not ready after {timeout:.0f} s ({last}):\n" + self.log_tail())

    def log_tail(self, lines=30):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                noise = ("libbpf: ", "libxdp: ")
                said = [x for x in f if not x.startswith(noise)]
            for i, line in enumerate(said):  # a sanitizer's report says most at its head
                if "ERROR: " in line and "Sanitizer" in line or "runtime error: " in line:
                    return "".join(said[i:i + 2 * lines])
            return "".join(said[-lines:])
        except OSError as e:
            return str(e)

    def pid(self):
        """The daemon itself: ip netns exec becomes it, so it is our child."""
        return self.process.pid

    def cli_text(self, *argv, timeout=20):
        return subprocess.run(
            [self.binary("trunkline"), "--socket", self.socket, *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False)

    def cli(self, *argv, timeout=20):
        done = self.cli_text("--json", *argv, timeout=timeout)
        if done.returncode != 0:
            raise Failed(f"trunkline {' '.join(argv)}: exit {done.returncode}: "
                         f"{(done.stderr or done.stdout).strip()}")
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as e:
            raise Failed(f"trunkline --json {' '.join(argv)} is no JSON ({e}): "
                         f"{done.stdout[:200]!r}") from e

    def drops(self):
        """Packets dropped by reason since the start."""
        return {d["name"]: d["packets"] for d in self.cli("show", "drops", "--all")["drops"]}

    def rss_kb(self):
        with open(f"/proc/{self.pid()}/status", encoding="utf-8") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise Failed("no VmRSS")

    def signal(self, signo):
        os.kill(self.pid(), signo)

    def stop(self, timeout=30):
        """SIGTERM; returns (exit code, seconds)."""
        started = time.monotonic()
        self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"trunklined still runs {timeout} s after SIGTERM:\n"
                         + self.log_tail()) from e
        return code, time.monotonic() - started

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
