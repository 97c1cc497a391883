# SPDX-License-Identifier: BSD-3-Clause
"""calls of a SIP proxy: limits, timers, records, reload, and an end with calls in progress"""
import glob
import json
import os
import time
from datetime import datetime

from trunklab import wire
from trunklab import world as w
from trunklab.daemon import Daemon, customer_config, pop_config
from trunklab.esp import Tunnel
from trunklab.ng import Client
from trunklab.report import Report, expect, expect_equal

PAIRS = 10
CALLS = 12
SECOND_NET = "192.0.3.0/24"


def sdp(address, port, sections=1, proto="RTP/AVP", more=""):
    m = "".join(f"m=audio {port + 2 * i} {proto} 0\r\n{more}" for i in range(sections))
    return f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n{m}"


OUT, IN = sdp(w.GATEWAY, 4000), sdp(w.PLATFORM, 5000)


def offer(client, call, tag="a", text=OUT, **more):
    return client.ask(command="offer", call_id=call, from_tag=tag, sdp=text, **more)


def answer(client, call, to="b", text=IN, **more):
    return client.ask(command="answer", call_id=call, from_tag="a", to_tag=to, sdp=text, **more)


def told(reply):
    """The address and the port of ours in an answer."""
    lines = reply["sdp"].split("\r\n")
    c = next(x for x in lines if x.startswith("c="))
    m = next(x for x in lines if x.startswith("m="))
    return c.split()[-1], int(m.split()[1])


def calls(client):
    return client.ok(command="list", limit=1000)["calls"]


def bounds(client, t):
    """Ports run out at ten calls; calls at the limit; branches, tags and sections are bounded."""
    for i in range(PAIRS):
        expect_equal(offer(client, f"p{i}")["result"], "ok", f"call {i + 1} of {PAIRS}")
    expect_equal(offer(client, "more"), {"result": "error", "error-reason": "Ran out of ports"},
                 "a call beyond the ports")
    expect_equal(len(calls(client)), PAIRS, "calls after that")
    for i in range(PAIRS):
        client.ok(command="delete", call_id=f"p{i}", from_tag="a")
    time.sleep(1.2)  # quarantine
    ports = {told(offer(client, f"q{i}"))[1] for i in range(PAIRS)}
    expect_equal(len(ports), PAIRS, "ports of as many calls")
    for i in range(PAIRS):
        client.ok(command="delete", call_id=f"q{i}", from_tag="a")
    time.sleep(1.2)
    reply = offer(client, "wide", text=sdp(w.GATEWAY, 4000, sections=33))
    expect(reply["result"] == "error", f"33 sections: {reply}")
    reply = offer(client, "wide", text=sdp(w.GATEWAY, 4000, sections=PAIRS + 2))
    expect_equal(reply.get("error-reason"), "Ran out of ports", "sections beyond the ports")
    expect_equal(calls(client), [], "calls after that")
    time.sleep(1.2)
    offer(client, "fork")
    for i in range(16):
        expect_equal(answer(client, "fork", to=f"b{i}")["result"], "ok", f"phone {i + 1}")
    reply = answer(client, "fork", to="one-more")
    expect_equal(reply.get("error-reason"), "16 phones have answered this offer already", "phone 17")
    client.ok(command="delete", call_id="fork", flags=["all"])
    t.proved(f"{PAIRS} pairs of ports, {PAIRS} calls, then \"Ran out of ports\"; they come back; 33 sections "
             "and 17 phones are too many")


def limit(client, t):
    """Sections of one call count as calls do."""
    time.sleep(1.2)
    expect_equal(offer(client, "s1", text=sdp(w.GATEWAY, 4000, sections=6))["result"], "ok", "6")
    for i in range(4):
        expect_equal(offer(client, f"t{i}")["result"], "ok", f"and {i + 1}")
    got = {offer(client, f"u{i}").get("error-reason", "ok") for i in range(4)}
    expect(got & {"Ran out of ports", "Parallel session limit reached"}, str(got))
    for call in calls(client):
        client.ok(command="delete", call_id=call)
    expect_equal(calls(client), [], "calls")
    t.proved("what is full says so in a word that proxies know")


def timers(client, t):
    time.sleep(1.2)
    offer(client, "rings")
    offer(client, "silent")
    answer(client, "silent")
    time.sleep(1.5)
    expect_equal(sorted(calls(client)), ["rings", "silent"], "after 1.5 s")
    time.sleep(2.0)
    expect_equal(calls(client), [], "after 3.5 s, with timeouts of 2 s")
    t.proved("a call that nobody answers ends after timeouts.offer, a silent one after timeouts.silence")


def idle(client, t):
    """Branches none of whose sections is relayed end as well, and make room."""
    time.sleep(1.2)
    texts = {"closed": OUT.replace("m=audio 4000", "m=audio 0"), "bare": OUT[:OUT.index("m=")]}
    for i in range(CALLS - 1):
        name = list(texts)[i % 2]
        expect_equal(offer(client, f"{name}{i}", text=texts[name])["result"], "ok", name)
    offer(client, "declined")
    answer(client, "declined", text=IN.replace("m=audio 5000", "m=audio 0"))
    expect_equal(offer(client, "more").get("error-reason"), "Parallel session limit reached", "one more")
    time.sleep(1.0)
    expect_equal(len(calls(client)), CALLS, "calls after 1 s")
    time.sleep(2.5)
    expect_equal(calls(client), [], "after 3.5 s, with timeouts of 2 s")
    t.proved(f"{CALLS} calls with port 0, without m= lines or declined fill the node, and end by timeouts.offer "
             "and timeouts.held")


def forks(world, client, t):
    """Whose figures, answer, end and reason the record has when there are several phones; see end."""
    time.sleep(1.2)
    offer(client, "forked", via_branch="z1")
    offer(client, "forked", via_branch="z2")
    answer(client, "forked", to="early", via_branch="z2")
    back = told(answer(client, "forked", to="winner", via_branch="z1"))
    with world.customer.udp(w.GATEWAY, 4000) as phone:
        for k in range(9):
            phone.sendto(wire.rtp(k, k * 160, bytes(160)), back)
            time.sleep(0.005)
    time.sleep(0.2)
    client.ok(command="delete", call_id="forked", from_tag="a")
    offer(client, "crossed", via_branch="z1")
    offer(client, "crossed", via_branch="z2")
    back = told(answer(client, "crossed", to="winner", via_branch="z1"))
    answer(client, "crossed", to="early", via_branch="z2")
    with world.customer.udp(w.GATEWAY, 4000) as phone:
        for k in range(5):
            phone.sendto(wire.rtp(k, k * 160, bytes(160)), back)
            time.sleep(0.005)
    client.ok(command="delete", call_id="crossed", from_tag="a", to_tag="early", via_branch="z2")
    time.sleep(1.0)
    client.ok(command="delete", call_id="crossed", from_tag="a")
    offer(client, "delayed")
    answer(client, "delayed")
    client.ok(command="delete", call_id="delayed", delete_delay=2)
    offer(client, "left", via_branch="z1")
    answer(client, "left", via_branch="z1")
    offer(client, "left", via_branch="z2")
    client.ok(command="delete", call_id="left", from_tag="a", to_tag="b", via_branch="z1")
    expect_equal(sorted(calls(client)), ["delayed", "left"], "a call to be deleted, and a branch that nobody has")
    time.sleep(3.5)
    expect_equal(calls(client), [], "calls after timeouts.offer")
    t.proved("two phones of a call, and a branch that is left behind; see end")


def operator_ends(daemon, client, t):
    """An operator ends a proxy's call, whatever characters its ID has."""
    time.sleep(1.2)
    name = "op(1);x@[::1]"
    offer(client, name)
    answer(client, name)
    daemon.cli("call", "del", name)
    expect_equal(calls(client), [], "calls")
    t.proved("call del ends a proxy's call")


def one_stream_speaks(world, client, t):
    """Two sections: the silence of one is not the call's."""
    time.sleep(1.2)
    there = told(offer(client, "two", text=sdp(w.GATEWAY, 4000, sections=2)))
    back = told(answer(client, "two", text=sdp(w.PLATFORM, 5000, sections=2)))
    expect_equal(there[0], w.MEDIA_INSIDE, "what the platform is told")
    phone = world.customer.udp(w.GATEWAY, 4000)
    for i in range(45):
        phone.sendto(wire.rtp(i, i * 800, bytes(160)), back)
        time.sleep(0.1)
    expect_equal(calls(client), ["two"], "after 4.5 s in which one stream spoke")
    phone.close()
    time.sleep(4.0)
    expect_equal(calls(client), [], "when both are silent")
    t.proved("a call goes on while one of its streams speaks, and ends when all are silent")


def sections_end(world, client, t):
    """A section is rejected in mid-call, and there are more than a record has streams: no figure is lost."""
    time.sleep(1.2)
    four, five = sdp(w.GATEWAY, 4000, sections=4), sdp(w.PLATFORM, 5000, sections=4)
    offer(client, "four", text=four)
    reply = answer(client, "four", text=five)
    ports = [int(x.split()[1]) for x in reply["sdp"].split("\r\n") if x.startswith("m=")]
    sent = (10, 7, 0, 5)
    for i, n in enumerate(sent):
        with world.customer.udp(w.GATEWAY, 4000 + 2 * i) as phone:
            for k in range(n):
                phone.sendto(wire.rtp(k, k * 160, bytes(160)), (told(reply)[0], ports[i]))
                time.sleep(0.005)
    time.sleep(0.2)
    offer(client, "four", text=four.replace("m=audio 4002", "m=audio 0"), to_tag="b")
    answer(client, "four", text=five.replace("m=audio 5002", "m=audio 0"))
    client.ok(command="delete", call_id="four", from_tag="a")
    t.proved(f"four sections with {sent} packets, the second rejected later; see end")


def reload(world, daemon, client, t):
    """A customer that comes by a reload is found by its address."""
    time.sleep(1.2)
    reply = offer(client, "r1", text=sdp("192.0.3.7", 4000))
    client.ok(command="delete", call_id="r1")
    sa = Tunnel("aes256gcm16", 0x1002, 0x20000002).config()
    sa.update(peer="198.18.10.9", remote_nets=[SECOND_NET])
    daemon.customers.append(customer_config("late", [sa], domain=[SECOND_NET]))
    daemon.write()
    daemon.cli("reload")
    offer(client, "r2", text=sdp("192.0.3.7", 4000))
    answer(client, "r2")
    legs = daemon.cli("show", "call", "r2")
    expect("late" in json.dumps(legs), f"the call's customer: {legs}")
    daemon.customers.pop()
    daemon.write()
    daemon.cli("reload")
    expect_equal(calls(client), [], "calls of a customer that is gone")
    expect(reply["result"] == "ok", str(reply))
    t.proved("a customer that a reload brings has its calls, and takes them with it")


def seconds_of(record):
    ends = [datetime.fromisoformat(record[k].replace("Z", "+00:00")) for k in ("answer", "end")]
    return (ends[1] - ends[0]).total_seconds()


def end(daemon, client, folder, t):
    """What was said of every call above is in the records; the daemon ends with calls in progress."""
    time.sleep(1.2)
    offer(client, "last")
    answer(client, "last")
    code, seconds = daemon.stop()
    expect_equal(code, 0, "exit")
    records = {}
    for path in glob.glob(os.path.join(folder, "*.jsonl")):
        with open(path, encoding="utf-8") as f:
            for line in f:
                record = json.loads(line)
                expect(record["call_id"] not in records, f"two records of {record['call_id']}")
                records[record["call_id"]] = record
    reasons = {call: records.get(call, {}).get("reason") for call in
               ("p0", "rings", "silent", "two", "r1", "r2", "last")}
    expect_equal(reasons, {"p0": "delete", "rings": "offer", "silent": "silence", "two": "silence",
                           "r1": "delete", "r2": "customer", "last": "stop"}, "reasons")
    expect_equal([s["a"]["packets_in"] for s in records["four"]["streams"]], [10, 7, 5],
                 "packets of a stream that ended before its call, and of the third and the fourth together")
    winner = records["forked"]
    expect_equal([winner["to_tag"], winner["streams"][0]["a"]["packets_in"]], ["winner", 9],
                 "who answered last, and what it heard")
    crossed = records["crossed"]
    expect_equal([crossed["to_tag"], crossed["streams"][0]["a"]["packets_in"]], ["winner", 5],
                 "who was heard, though another one answered after it")
    expect(seconds_of(crossed) > 0.9, f"its end comes {seconds_of(crossed)} s after its answer")
    expect_equal(records["delayed"]["reason"], "delete", "delayed")
    expect(seconds_of(records["delayed"]) < 0.5, "the delay of a delete is in the record")
    left = records["left"]
    expect_equal([left["reason"], left["to_tag"]], ["delete", "b"], "the answered branch's end")
    expect(seconds_of(left) < 1.5, f"its end comes {seconds_of(left)} s after its answer")
    expect("more" not in records and "wide" not in records, "records of calls that were refused")
    expect_equal([records["two"]["from_tag"], records["two"]["to_tag"]], ["a", "b"], "tags")
    expect_equal(records["two"]["streams"][0]["a"]["packets_in"], 45, "packets in the record")
    expect(records["rings"]["answer"] is None and records["two"]["answer"], "answers")
    expect_equal(records["r2"]["customer"], "late", "customer")
    t.proved(f"{len(records)} records, each with its reason; the end took {seconds:.1f} s")


def main():
    report = Report("ng_calls")
    with w.World() as world:
        world.customer.run("ip", "route", "add", "198.18.30.0/24", "via", w.POP_OUTSIDE)
        folder = os.path.join(world.dir, "records")
        os.mkdir(folder)
        config = pop_config(world, control={"ng": ["127.0.0.1:2223"]}, records={"json": folder},
                            limits={"calls": CALLS, "port_quarantine": 1},
                            timeouts={"offer": 2, "silence": 2, "held": 2})
        for media in config["media"]:
            media["ports"] = f"10000-{10000 + 2 * PAIRS - 1}"
        tunnel = Tunnel("aes256gcm16", 0x1001, 0x20000001)
        daemon = Daemon(world, config, [customer_config("acme", [tunnel.config()])]).start()
        world.greet()
        client = Client(world.pop, "127.0.0.1", as_json=True)
        for name, part in (("bounds", lambda t: bounds(client, t)),
                           ("limit", lambda t: limit(client, t)),
                           ("timers", lambda t: timers(client, t)),
                           ("idle", lambda t: idle(client, t)),
                           ("forks", lambda t: forks(world, client, t)),
                           ("operator_ends", lambda t: operator_ends(daemon, client, t)),
                           ("one_stream_speaks", lambda t: one_stream_speaks(world, client, t)),
                           ("sections_end", lambda t: sections_end(world, client, t)),
                           ("reload", lambda t: reload(world, daemon, client, t)),
                           ("end", lambda t: end(daemon, client, folder, t))):
            with report.test(name) as t:
                part(t)
    return report.close()
