# SPDX-License-Identifier: BSD-3-Clause
"""Runs the laboratory where it can leave nothing behind.

The laboratory's process becomes process 1 of PID, mount and network namespaces of its own
(and of a user namespace if it isn't root). Network namespaces made in there are named in a /run that
nobody else sees, so two laboratories don't meet; when the launcher dies for whatever reason, the
kernel kills process 1, with it every process of the laboratory, and takes all of it away.
"""
import ctypes
import json
import os
import signal
import subprocess
import sys

MARK = "TRUNKLINE_LAB"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def state_dir():
    return f"/tmp/trunkline-lab-{os.getuid()}"


def inside():
    return os.environ.get(MARK) == "1"


def has_real_root():
    """Root of the machine, not of a user namespace: AF_XDP and hugepages are for that one."""
    return os.environ.get("TRUNKLINE_LAB_ROOT") == "1"


def running():
    """Laboratories that run now, as {launcher's pid: what it runs}; forgets those that are gone."""
    found = {}
    os.makedirs(state_dir(), mode=0o700, exist_ok=True)
    for name in os.listdir(state_dir()):
        path = os.path.join(state_dir(), name)
        try:
            os.kill(int(name), 0)
            with open(path, encoding="utf-8") as f:
                found[int(name)] = json.load(f)
        except (ValueError, ProcessLookupError, json.JSONDecodeError):
            os.unlink(path)
        except OSError:
            pass
    return found


def enter(argv, what):
    """Runs argv inside, with this terminal, and returns its exit code."""
    env = dict(os.environ)
    env[MARK] = "1"
    env["TRUNKLINE_LAB_ROOT"] = "1" if os.getuid() == 0 else "0"
    flags = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid() != 0:
        flags += ["--user", "--map-root-user"]

    def die_with_parent():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    proc = subprocess.Popen(["unshare"] + flags + argv, env=env, preexec_fn=die_with_parent)
    running()
    path = os.path.join(state_dir(), str(os.getpid()))
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"what": what, "unshare": proc.pid}, f)

    def stop(signo, _frame):
        proc.send_signal(signo)

    # A terminal sends SIGINT to the whole group; process 1 inside cleans up and ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: proc.kill())
    signal.signal(signal.SIGHUP, stop)
    try:
        return proc.wait()
    finally:
        os.unlink(path)


def child_of(pid):
    """The first child of a process, or None."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
            return int(f.read().split()[0])
    except (OSError, IndexError, ValueError):
        return None


def prepare():
    """First thing inside: a private /run for names of namespaces and for DPDK's files."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def setns(path):
    """Moves this thread to a network namespace."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(fd)


def interrupted(_signo, _frame):
    sys.exit(130)
