# SPDX-License-Identifier: BSD-3-Clause
"""the NG server: transports, cookies, retransmissions, who may ask"""
import socket

from trunklab import world as w
from trunklab.daemon import Daemon, pop_config
from trunklab.ng import Client, bencode
from trunklab.report import Report, expect, expect_equal


def transports(world, t):
    for tcp in (False, True):
        for as_json in (False, True):
            client = Client(world.pop, "127.0.0.1", tcp=tcp, as_json=as_json)
            expect_equal(client.ask(command="ping"), {"result": "pong"}, f"{tcp=} {as_json=}")
            client.close()
    t.proved("ping by UDP and TCP, in bencode and JSON")


def pieces(world, t):
    """Frames of a stream in pieces, several at once, and what is none."""
    client = Client(world.pop, "127.0.0.1", tcp=True)
    ping = b"a d7:command4:pinge"
    for byte in ping:
        client.sock.sendall(bytes([byte]))
    expect_equal(client.sock.recv(1000), b"a d6:result4:ponge", "a frame byte by byte")
    client.sock.sendall(ping + b"b {\"command\":\"ping\"}\n" + b"c d7:command4:pinge")
    want = b"a d6:result4:ponge" + b"b {\"result\":\"pong\"}" + b"c d6:result4:ponge"
    got = b""
    while len(got) < len(want):
        got += client.sock.recv(1000)
    expect_equal(got, want, "three frames at once")
    client.sock.sendall(b"no frame at all\n")
    expect_equal(client.sock.recv(1000), b"", "what is no frame")
    client.close()
    t.proved("frames byte by byte and three at once; what is none ends the connection")


def cookies(world, t):
    client = Client(world.pop, "127.0.0.1")
    first = client.exchange(b"cookie " + bencode({"command": "ping"}))
    again = client.exchange(b"cookie " + bencode({"command": "dance"}))
    expect_equal(again, first, "the answer to a cookie that came before")
    other = Client(world.pop, "127.0.0.1").exchange(b"cookie " + bencode({"command": "dance"}))
    expect(other != first, "another source's cookie got this one's answer")
    t.proved("the same cookie and source get the same bytes, another source its own")


def errors(world, t):
    client = Client(world.pop, "127.0.0.1")
    for message, reason in (({"command": "dance"}, "Unrecognized command"),
                            ({"command": "start forwarding"},
                             'Command "start forwarding" is not supported'),
                            ({"call-id": "x"}, 'Dictionary contains no key "command"')):
        expect_equal(client.ask(message), {"result": "error", "error-reason": reason}, message)
    answer = client.decode(client.exchange(b"1 d5:x"))[1]
    expect(answer["result"] == "error" and answer["error-reason"].startswith("bencode, byte"),
           answer)
    t.proved("unknown and unbuilt verbs and broken bencode get an error that says so")


def strangers(world, t):
    client = Client(world.platform, w.POP_INSIDE, timeout=1.0)
    expect_equal(client.ask(command="ping"), {"result": "pong"}, "an allowed proxy")
    with world.platform.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket()
    sock.bind(("198.18.20.99", 0))
    sock.settimeout(1.0)
    sock.sendto(b"1 d7:command4:pinge", (w.POP_INSIDE, 2223))
    tcp.bind(("198.18.20.99", 0))
    tcp.settimeout(2.0)
    for who in (sock, tcp):
        try:
            if who is tcp:
                tcp.connect((w.POP_INSIDE, 2223))
            got = who.recv(1000)
        except (socket.timeout, ConnectionResetError):
            got = b""
        expect_equal(got, b"", "a stranger's answer")
    t.proved("a source in control.ng_allow is answered, one that is not gets nothing")


def main():
    report = Report("ng")
    with w.World() as world:
        world.platform.run("ip", "addr", "add", "198.18.20.99/24", "dev", "lan")
        Daemon(world, pop_config(world, control={
            "ng": ["127.0.0.1:2223", f"{w.POP_INSIDE}:2223"],
            "ng_allow": ["127.0.0.0/8", f"{w.PLATFORM}/32"]}), []).start()
        world.greet()
        for part in (transports, pieces, cookies, errors, strangers):
            with report.test(part.__name__) as t:
                part(world, t)
    return report.close()
