# SPDX-License-Identifier: BSD-3-Clause
"""strongSwan's charon in the laboratory: customers' gateways, and the PoP's with our plugin.

A customer's charon carries ESP itself, by its kernel-libipsec plugin, through a TUN (ipsec0), always in
UDP 4500. Each charon has a mount namespace of its own, with a /run where its sockets are, so that there
may be several on one machine; Debian's profile for it wants them at /run/charon.*.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import time

from . import vici
from . import world as w
from .report import Failed

CHARON = "/usr/lib/ipsec/charon"
PLUGINS = "/usr/lib/ipsec/plugins"
COMMON = ("random nonce openssl aes sha1 sha2 hmac gcm kdf gmp curve25519 pem pkcs1 pubkey x509 "
          "socket-default kernel-netlink vici updown counters")
TUN = "ipsec0"


def settings_text(tree, depth=0):
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += ["\t" * depth + key + " {", settings_text(value, depth + 1), "\t" * depth + "}"]
        else:
            lines.append("\t" * depth + f"{key} = {value}")
    return "\n".join(lines)


def merged(into, more):
    for key, value in more.items():
        if isinstance(value, dict):
            merged(into.setdefault(key, {}), value)
        else:
            into[key] = value
    return into


class Charon:
    """One charon. With own_run, it sees a directory of its own as /run."""

    def __init__(self, world, namespace, name, load, settings=None, own_run=True, plugin=None):
        self.world, self.namespace, self.name = world, namespace, name
        self.dir = os.path.join(world.dir, name)
        os.makedirs(self.dir)
        self.log = os.path.join(self.dir, "charon.log")
        self.own_run = own_run
        self.run = self.dir if own_run else "/run"
        self.socket = os.path.join(self.run, "charon.vici")
        self.conf = os.path.join(self.dir, "strongswan.conf")
        self.plugins = self._plugins(plugin) if plugin else None
        self.process, self._vici = None, None
        charon = {
            "load": load, "install_routes": "no", "install_virtual_ip": "no", "threads": 16,
            "retransmit_timeout": 1.0, "retransmit_base": 1.5, "retransmit_tries": 4,
            "half_open_timeout": 10, "user": "root", "group": "root",
            "filelog": {"log": {"path": self._seen(self.log), "time_format": "%H:%M:%S", "time_add_ms": "yes",
                                "default": 1, "flush_line": "yes"}},
            "plugins": {"vici": {"socket": "unix:///run/charon.vici"}},
        }
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(settings_text({"charon": merged(charon, settings or {})}) + "\n")
        world.daemons.append(self)

    def _seen(self, path):
        """A path below dir as charon sees it."""
        return path.replace(self.dir, "/run") if self.own_run else path

    def _plugins(self, plugin):
        """charon takes plugins from one directory only: a copy of it with ours."""
        if not os.path.exists(plugin):
            raise Failed(f"{plugin} is not built; run make")
        directory = os.path.join(self.dir, "plugins")
        shutil.copytree(PLUGINS, directory)
        shutil.copy(plugin, directory)
        return directory

    def start(self):
        script = f"mount --bind {self.plugins} {PLUGINS} && " if self.plugins else ""
        if self.own_run:
            script += f"mount --bind {self.dir} /run && "
        for old in ("charon.pid", "charon.vici"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.run, old))
        with open(os.path.join(self.dir, "charon.out"), "ab") as out:
            self.process = self.namespace.popen(
                "unshare", "-m", "sh", "-c", script + f"exec {CHARON}", stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT,
                env=dict(os.environ, STRONGSWAN_CONF=self._seen(self.conf)))
        self._vici = vici.connect(self.socket)
        return self

    @property
    def vici(self):
        return self._vici

    def log_tail(self, lines=40):
        text = ""
        for name in ("charon.out", "charon.log"):
            with contextlib.suppress(OSError), open(os.path.join(self.dir, name), encoding="utf-8",
                                                    errors="replace") as f:
                text += "".join(f.readlines()[-lines:])
        return text

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("VmRSS:"))

    def send_signal(self, signo):
        os.kill(self.process.pid, signo)

    def kill(self, signo=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signo)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._vici:
            self._vici.close()

    # ---- what it is told and asked ----

    def load(self, name, connection, secrets=()):
        for secret in secrets:
            self.vici.request("load-shared", secret)
        self.vici.request("load-conn", {name: connection})

    def initiate(self, child, timeout=10.0):
        self.vici.request("initiate", {"child": child, "timeout": int(timeout * 1000),
                                       "loglevel": -1})

    def up(self, children, timeout=20.0):
        """Initiates them all at once and waits until they are there."""
        for child in children:
            self.vici.request("initiate", {"child": child, "timeout": -1})
        self.wait_up(children, timeout)

    def children(self):
        """Child SAs by configured name, those that are installed."""
        found = {}
        for sas in self.vici.sas().values():
            for sa in sas:
                for child in sa.get("child-sas", {}).values():
                    if child["state"] == "INSTALLED":
                        found.setdefault(child["name"], []).append(child)
        return found

    def wait_up(self, children, timeout=20.0):
        deadline = time.monotonic() + timeout * w.slow()
        while True:
            missing = set(children) - set(self.children())
            if not missing:
                return
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: no child SA for {', '.join(sorted(missing)[:8])} after "
                             f"{timeout:.0f} s")
            time.sleep(0.1)


def psk(secret, *owners, name=None):
    return {"id": name or "psk-" + "-".join(owners), "type": "IKE", "data": secret,
            "owners": list(owners)}


def connection(local, phones, nets, remote=w.POP_OUTSIDE, version=2, ike="aes256-sha256-ecp256",
               esp="aes256gcm16-ecp256", child="net", local_id=None, remote_id=None, more=None,
               child_more=None):
    """What a customer's gateway is configured with, for load-conn."""
    conn = {
        "version": version, "local_addrs": [local], "remote_addrs": [remote],
        "proposals": [ike], "dpd_delay": 0, "rekey_time": 0, "reauth_time": 0, "mobike": False,
        "local": {"auth": "psk", "id": local_id or local},
        "remote": {"auth": "psk", "id": remote_id or remote},
        "children": {child: {
            "local_ts": phones, "remote_ts": nets, "esp_proposals": [esp], "rekey_time": 0,
            "mode": "tunnel", "start_action": "none", "dpd_action": "clear"}},
    }
    if more:
        merged(conn, more)
    if child_more:
        conn["children"][child].update(child_more)
    return conn


def gateway(world, name="gateway", settings=None, namespace=None):
    """A customer's charon with kernel-libipsec, in the customer's namespace."""
    return Charon(world, namespace or world.customer, name, "kernel-libipsec " + COMMON,
                  settings)


def phones_behind(world, phones, nets=("198.18.30.0/24", "198.18.20.0/24"), namespace=None):
    """Addresses of phones on the gateway itself, whose way to the PoP's networks is the tunnel."""
    ns = namespace or world.customer
    for phone in phones:
        ns.run("ip", "addr", "replace", f"{phone}/32", "dev", "lo")
    for _ in range(100):
        if subprocess.run(ns.argv("ip", "link", "show", TUN), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0:
            break
        time.sleep(0.05)
    ns.run("ip", "link", "set", TUN, "mtu", "1400", "txqueuelen", "10000", "up")
    for net in nets:
        ns.run("ip", "route", "replace", net, "dev", TUN, "src", phones[0])


def plugin_path():
    return os.path.join(w.build_dir(), "app", "charon", "libstrongswan-trunkline.so")


def pop_charon(world, settings=None):
    """The PoP's charon with our plugin. Its connections come from trunklined."""
    return Charon(world, world.pop, "pop-charon", "trunkline " + COMMON, settings,
                  own_run=False, plugin=plugin_path())
