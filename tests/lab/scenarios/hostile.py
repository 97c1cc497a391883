# SPDX-License-Identifier: BSD-3-Clause
"""Clients of the API socket that die, stall, flood and lie, while calls are on: nobody is hurt."""
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import time

from load import Traffic, drops_of, expect_clean, pair, warm_up
from trunklab import world as w
from trunklab.report import Report, expect

CALLS = 20


def connect(pop, timeout=5.0):
    """A client; it waits for its turn if the queue of new ones is full."""
    deadline = time.monotonic() + timeout
    while True:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(5.0)
        try:
            s.connect(pop.socket)
            return s
        except BlockingIOError:
            s.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def request(cmd, args=None):
    data = json.dumps({"v": 1, "cmd": cmd, "args": args or {}}).encode()
    return struct.pack("!L", len(data)) + data


def answer(s):
    head = b""
    while len(head) < 4:
        head += s.recv(4 - len(head)) or exit_early()
    data, length = b"", struct.unpack("!L", head)[0]
    while len(data) < length:
        data += s.recv(length - len(data)) or exit_early()
    return json.loads(data)


def exit_early():
    raise ConnectionError("closed by the daemon")


def expect_answers(pop, within=5.0):
    """A well-behaved client is served."""
    within *= w.slow()
    started = time.monotonic()
    expect(pop.cli("status", timeout=2 * within)["pop"] == "lab", "status is odd")
    took = time.monotonic() - started
    expect(took < within, f"trunkline status took {took:.1f} s")
    return took


def thousand_connections(pop, _rng):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    many, refused = [], 0
    try:
        for _ in range(1000):
            try:
                many.append(connect(pop, 0))
            except OSError:
                refused += 1
        time.sleep(0.5)
    finally:
        for s in many:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    took = expect_answers(pop)
    return f"{len(many)} connections at once, {refused} refused; then an answer in {took:.2f} s"


def connect_and_die(pop, _rng):
    for _ in range(300):
        s = connect(pop)
        s.sendall(request("show drops", {"all": True}))
        s.close()  # without reading the answer
    return f"300 clients left before their answer; then one in {expect_answers(pop):.2f} s"


def half_requests(pop, rng):
    whole = request("status")
    held = []
    for i in range(100):
        s = connect(pop)
        s.sendall(whole[:rng.randrange(len(whole))] if i else b"")
        held.append(s)
    took = expect_answers(pop)
    for s in held[:50]:
        s.close()
    for s in held[50:]:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    expect_answers(pop)
    return f"100 half-sent requests were held open; an answer in {took:.2f} s meanwhile"


def byte_by_byte(pop, _rng):
    s = connect(pop)
    for b in request("status"):
        s.sendall(bytes([b]))
        time.sleep(0.002)
    expect(answer(s)["ok"], "a request sent byte by byte was not answered")
    s.close()
    return "a request sent byte by byte is answered"


def never_reads(pop, _rng):
    """A client that asks and asks and reads nothing: its buffer is bounded, others are served."""
    before = pop.rss_kb()
    s = connect(pop)
    s.setblocking(False)
    ask, sent = request("show drops", {"all": True}), 0
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if not select.select([], [s], [], 0.1)[1]:
            continue
        try:
            sent += s.send(ask)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            break
    took = expect_answers(pop)
    grown = pop.rss_kb() - before
    expect(grown < 40000, f"the daemon grew by {grown} kB for one client that doesn't read")
    s.close()
    return (f"{sent // len(ask)} requests without reading one answer: daemon grew by {grown} kB, "
            f"others got an answer in {took:.2f} s")


def announced_lengths(pop, _rng):
    """Lengths that are 0, huge, or more than what follows."""
    closed = 0
    for length in (0, 5 << 20, 1 << 31, 0xFFFFFFFF):
        s = connect(pop)
        s.sendall(struct.pack("!L", length) + b"{" * 64)
        try:
            while s.recv(4096):
                pass
            closed += 1
        except ConnectionError:
            closed += 1
        s.close()
    expect(closed == 4, f"{closed} of 4 impossible lengths ended the connection")
    expect_answers(pop)
    return "4 impossible lengths were refused"


def garbage(pop, rng):
    refused = 0
    texts = [b"", b"null", b"[]", b"{", b"{}" * 4, b'{"v":1}', b'{"v":2,"cmd":"status"}',
             b'{"v":1,"cmd":"status","args":[]}', b'{"v":1,"cmd":"' + b"x" * 100000 + b'"}',
             b'{"v":1,"cmd":"no such"}', b'{"v":1,"cmd":"show call","args":{}}',
             b'{"v":1,"cmd":"sa add","args":{"customer":"acme"}}', b"[" * 10000, b"\0" * 50,
             b'{"v":1,"cmd":"status","cmd":"status"}', b'{"v":1e999,"cmd":"status"}',
             b'{"v":1,"cmd":"show call","args":{"id":"\\u0000"}}', b"\xff\xfe{}"]
    texts += [rng.randbytes(rng.randrange(1, 2000)) for _ in range(200)]
    for text in texts:
        s = connect(pop)
        s.sendall(struct.pack("!L", len(text)) + text)
        try:
            refused += not answer(s)["ok"]
        except (ConnectionError, OSError):
            refused += 1
        s.close()
    expect(refused == len(texts), f"{len(texts) - refused} of {len(texts)} were taken as requests")
    expect_answers(pop)
    return f"{refused} requests of garbage were refused, each with an answer or a hang-up"


def stopped_cli(pop, _rng):
    """A trunkline that is stopped in the middle of a watch, then killed."""
    import subprocess
    children = [subprocess.Popen([pop.binary("trunkline"), "--socket", pop.socket, "watch",
                                  "status"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for _ in range(5)]
    time.sleep(0.6)
    for child in children:
        os.kill(child.pid, signal.SIGSTOP)
    took = expect_answers(pop)
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    expect_answers(pop)
    return f"5 stopped watchers; an answer in {took:.2f} s meanwhile"


ATTACKS = [("1000-connections", thousand_connections), ("dead-clients", connect_and_die),
           ("half-requests", half_requests), ("byte-by-byte", byte_by_byte),
           ("never-reads", never_reads), ("lengths", announced_lengths), ("garbage", garbage),
           ("stopped-cli", stopped_cli)]


def main():
    report = Report("hostile")
    rng = random.Random(4303)
    with w.World(phones=True) as world:
        pop, _gateway = pair(world, calls=CALLS)
        report.on_failure.append(lambda: print(pop.log_tail()))
        warm_up(world, CALLS)
        before = drops_of(pop)
        traffic = Traffic(world, CALLS, 600)
        for name, attack in ATTACKS:
            with report.test(name) as t:
                t.proved(attack(pop, rng))
        with report.test("calls-meanwhile") as t:
            expect(traffic.running(), "the attacks took longer than the calls")
            result = traffic.result(early=True)
            expect(result["sent"] > 1000, f"only {result['sent']} packets were sent meanwhile")
            expect_clean(result)
            expect(drops_of(pop) == before, f"drops {drops_of(pop)}")
            t.proved(f"{result['received']} of {result['sent']} packets of {CALLS} calls came "
                     "back meanwhile, none reordered")
    return report.close()
