# SPDX-License-Identifier: BSD-3-Clause
"""SIP in the laboratory: Kamailio with its rtpengine module, and phones made by SIPp.

Kamailio is a proxy without registrations: who is called is told by the user part, and where that one is
by a table. Its rtpengine module controls whoever answers the NG protocol at the address given.
"""
import contextlib
import csv
import json
import os
import re
import socket
import subprocess
import time

from . import world as w
from .report import Failed

MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
KAMAILIO = """#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=4
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
server_header="Server: lab"
listen=udp:%(address)s:%(port)d
mpath="%(modules)s"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "corex.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:%(ng)s")
modparam("rtpengine", "rtpengine_tout_ms", 2000)
modparam("rtpengine", "rtpengine_disable_tout", 5)
modparam("rtpengine", "extra_id_pv", "$avp(phone)")
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", %(ringing)d)

request_route {
	if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (is_method("CANCEL")) {
		if (t_check_trans()) { rtpengine_delete("%(flags)s"); t_relay(); }
		exit;
	}
	if (has_totag()) {
		if (!loose_route()) {
			if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
			if (!is_method("ACK")) sl_send_reply("404", "Not Here");
			exit;
		}
		if (is_method("BYE")) rtpengine_delete("%(flags)s");
		if (is_method("INVITE|UPDATE|ACK") && has_body("application/sdp")) {
			if (is_direction("downstream")) rtpengine_manage("%(flags)s %(to)s");
			else rtpengine_manage("%(flags)s %(back)s");
		}
		t_on_reply("MEDIA");
		t_relay();
		exit;
	}
	if (!is_method("INVITE")) { sl_send_reply("200", "OK"); exit; }
	if (t_check_trans()) exit;
	record_route();
%(table)s
%(several)s
	if ($du == $null) { sl_send_reply("404", "Not Found"); exit; }
	if (has_body("application/sdp") && !rtpengine_offer("%(flags)s %(to)s")) {
		sl_send_reply("503", "No Media");
		exit;
	}
	t_on_reply("MEDIA");
	t_on_failure("MEDIA");
	t_relay();
}
onreply_route[MEDIA] {
	if (status =~ "^(18[0-9]|2[0-9][0-9])$" && has_body("application/sdp"))
		rtpengine_answer("%(flags)s");
}
failure_route[MEDIA] {
	rtpengine_delete("%(flags)s");
}
branch_route[PHONE] {
	$avp(phone) = "phone-" + $T_branch_idx;
	rtpengine_manage("%(flags)s %(to)s via-branch=extra");
}
onreply_route[PHONE] {
	$avp(phone) = "phone-" + $T_branch_idx;
	rtpengine_manage("%(flags)s via-branch=extra");
}
"""


class Kamailio:
    """phones: user part (a regular expression) → address:port. to, back: what offers from caller to
    called and from called to caller say besides flags, directions for one. several: phones that ring at once
    for the user "several", each with an offer of its own."""

    def __init__(self, world, namespace, address, ng, phones, port=5060, to="", back="",
                 flags="replace-origin replace-session-connection", ringing_ms=30000, several=()):
        self.world, self.namespace, self.address, self.port = world, namespace, address, port
        table = "".join(f'\tif ($rU =~ "^{user}$") $du = "sip:{where}";\n'
                        for user, where in phones.items())
        fork = "".join(f'\t\tappend_branch("sip:called@{where}");\n' for where in several[1:])
        if several:
            fork = (f'\tif ($rU == "several") {{\n\t\t$ru = "sip:called@{several[0]}";\n{fork}'
                    '\t\tt_on_branch("PHONE");\n\t\tt_on_reply("PHONE");\n\t\tt_relay();\n\t\texit;\n\t}')
        self.file = os.path.join(world.dir, "kamailio.cfg")
        self.log = os.path.join(world.dir, "kamailio.log")
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(KAMAILIO % {"address": address, "port": port, "modules": MODULES, "ng": ng,
                                "flags": flags, "to": to, "back": back, "table": table,
                                "several": fork,
                                "ringing": ringing_ms})
        self.process = None

    def start(self, timeout=15.0):
        self.process = self.world.spawn(
            self.namespace, "kamailio", "-DD", "-E", "-f", self.file, "-m", "128", "-M", "8",
            "-Y", self.world.dir, "-w", self.world.dir, "-u", "root", "-g", "root",
            "-P", os.path.join(self.world.dir, "kamailio.pid"), log="kamailio.log")
        probe = self.namespace.udp(self.address, 0, 0.2)
        ask = (f"OPTIONS sip:{self.address} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address}:"
               f"{probe.getsockname()[1]};branch=z9hG4bK1\r\nFrom: <sip:a@lab>;tag=1\r\n"
               f"To: <sip:b@lab>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\n"
               "Content-Length: 0\r\n\r\n").encode()
        deadline = time.monotonic() + timeout
        with probe:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    break
                with contextlib.suppress(OSError):
                    probe.sendto(ask, (self.address, self.port))
                    if probe.recv(4096).startswith(b"SIP/2.0 200"):
                        return self
        raise Failed(f"kamailio does not answer:\n{self.log_tail()}")

    def log_tail(self, lines=30):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def kill(self, signo):
        """The whole of it: it is several processes."""
        self.process.send_signal(signo)
        self.process.wait()


# ---- SIPp ----

SDP = """v=0
o=- 1 %(version)s IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio %(media)s RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
%(lines)s"""


def sdp(version=1, direction="sendrecv", media="[rtpstream_audio_port]"):
    return SDP % {"version": version, "media": media, "lines": f"a={direction}\n"}


def message(first, body="", **headers):
    """A message of a scenario: SIPp puts call ids, tags and lengths in."""
    lines = [first] + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    lines += ["Content-Type: application/sdp"] if body else []
    return "\n".join(lines + ["Content-Length: [len]", "", body])


def send(text, retrans=True, more=""):
    attributes = 'retrans="500" ' if retrans else ""
    return f"<send {attributes}{more}><![CDATA[\n{text}\n]]></send>"


def request(method, cseq, body="", to_tag="[peer_tag_param]", uri="[next_url]", retrans=True,
            branch="[branch]"):
    """From the caller. Inside the dialog unless to_tag is empty."""
    more = {"Route": ""} if to_tag and branch == "[branch]" else {}
    text = message(
        f"{method} {uri} SIP/2.0", body,
        Via="SIP/2.0/UDP [local_ip]:[local_port];branch=" + branch,
        From="<sip:[field_from]@lab>;tag=[call_number]", To=f"<sip:[service]@lab>{to_tag}",
        Call_ID="[call_id]", CSeq=f"{cseq} {method}", Max_Forwards="70",
        Contact="<sip:caller@[local_ip]:[local_port]>", **more)
    text = text.replace("[field_from]", "caller").replace("Route: \n", "[routes]\n")
    return send(text, retrans)


def expect_reply(code, more="", optional=False):
    attributes = 'optional="true" ' if optional else ""
    return f'<recv response="{code}" {attributes}{more}/>'


def pause(ms):
    return f'<pause milliseconds="{int(ms)}"/>'


def play(wav):
    """Plays a WAV of G.711 again and again, beside what follows."""
    return f'<nop><action><exec rtp_stream="{wav},-1,0,PCMU/8000"/></action></nop>'


def play_stop():
    return '<nop><action><exec rtp_stream="pause"/></action></nop>'


def caller(steps):
    return ('<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="caller">\n'
            + "\n".join(steps) + "\n</scenario>\n")


URI = "sip:[service]@[remote_ip]:[remote_port]"


def invite_steps(body=None):
    """INVITE until 200 and ACK; early responses are taken."""
    return [request("INVITE", 1, body or sdp(), "", URI),
            expect_reply(100, optional=True), expect_reply(180, 'rrs="true" ', optional=True),
            expect_reply(183, 'rrs="true" ', optional=True),
            expect_reply(200, 'rrs="true" rtd="true" '), request("ACK", 1, retrans=False)]


def reinvite_steps(cseq, body):
    return [request("INVITE", cseq, body), expect_reply(100, optional=True), expect_reply(200),
            request("ACK", cseq, retrans=False)]


def hangup_steps(cseq):
    """Its audio has arrived before the call ends."""
    return [play_stop(), pause(500), request("BYE", cseq), expect_reply(200)]


def call_steps(wav, ms):
    """INVITE, 200, ACK, speech for so long, BYE."""
    return invite_steps() + [play(wav), pause(ms)] + hangup_steps(2)


def response(code, reason, body=""):
    return send(message(f"SIP/2.0 {code} {reason}", body,
                        CSeq="").replace(
        "CSeq: \n", "[last_Via:]\n[last_From:]\n[last_To:];tag=b[call_number]\n[last_Call-ID:]\n"
                    "[last_CSeq:]\n[last_Record-Route:]\n"
                    "Contact: <sip:called@[local_ip]:[local_port]>\n"), retrans=code >= 200 and body)


def called_steps(ring_ms=100, media="[media_port]"):
    """Answers, takes re-INVITEs, and ends when the caller does. Its audio is an echo (-rtp_echo, or whose
    port is told)."""
    echo = sdp(media=media)
    again = response(200, "OK", echo).replace(";tag=b[call_number]", "")
    return ['<recv request="INVITE"/>', response(180, "Ringing"), pause(ring_ms),
            response(200, "OK", echo), '<recv request="ACK" crlf="true"/>',
            '<label id="1"/>', '<recv request="INVITE" optional="true" next="2"/>',
            '<recv request="BYE"/>',
            response(200, "OK").replace(";tag=b[call_number]", ""), pause(200),
            '<nop next="3"/>', '<label id="2"/>', again, '<recv request="ACK" next="1"/>',
            '<label id="3"/>', pause(1)]


def in_dialog(text):
    """A response whose To has its tag already."""
    return text.replace(";tag=b[call_number]", "")


def bye_from_called():
    """The called side hangs up: From and To change places. SIPp numbers its calls from 1, so the only call
    of both sides has the same number."""
    text = message(
        "BYE [next_url] SIP/2.0", Via="SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]",
        From="<sip:[service]@lab>;tag=b[call_number]", To="<sip:caller@lab>;tag=[call_number]",
        Call_ID="[call_id]", CSeq="1 BYE", Max_Forwards="70", Route="")
    return send(text.replace("Route: \n", "[routes]\n"))


class Sipp:
    """One SIPp with a scenario; its figures once it has ended."""

    def __init__(self, world, namespace, name, scenario, address, port=5060, target=None,
                 media_port=6000, media_ip=None, options=()):
        self.world, self.name = world, name
        self.dir = os.path.join(world.dir, name)
        os.makedirs(self.dir)
        path = os.path.join(self.dir, "scenario.xml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(scenario)
        self.stat = os.path.join(self.dir, "stat.csv")
        argv = ["sipp", "-sf", path, "-i", address, "-p", str(port), "-mi", media_ip or address, "-nostdin",
                "-mp", str(media_port), "-buff_size", "4194304", "-rtp_buffsize", "4194304",
                "-trace_stat", "-stf", self.stat, "-fd", "1",
                "-trace_err", "-error_file", os.path.join(self.dir, "errors.log"), *options]
        if os.environ.get("TRUNKLINE_LAB_KEEP"):
            argv += ["-trace_msg", "-message_file", os.path.join(self.dir, "messages.log")]
        self.process = world.spawn(namespace, "sh", "-c", 'cd "$0" && exec "$@"', self.dir, *argv,
                                   *([target] if target else []), stdin=subprocess.DEVNULL,
                                   log=os.path.join(name, "out.log"))

    def wait(self, timeout):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"{self.name} has not ended after {timeout} s:\n{self.errors()}") from e
        return self.figures()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def errors(self, lines=12):
        text = ""
        for name in ("errors.log", "out.log"):
            with contextlib.suppress(OSError), open(os.path.join(self.dir, name), encoding="utf-8",
                                                    errors="replace") as f:
                text += "".join(x for x in f.readlines()[:lines] if x.strip())
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)

    def figures(self):
        """successful, failed, created calls; retransmissions; the worst call-set-up time."""
        if not os.path.exists(self.stat):
            raise Failed(f"{self.name} did not start:\n{self.errors()}")
        with open(self.stat, encoding="utf-8") as f:
            last = list(csv.DictReader(f, delimiter=";"))[-1]
        return {"successful": int(last["SuccessfulCall(C)"]), "failed": int(last["FailedCall(C)"]),
                "created": int(last["TotalCallCreated"]),
                "retransmissions": int(last["Retransmissions(C)"])}


def ng_ping(namespace, address, port, timeout=5.0):
    """Waits for a pong of the NG server; the seconds that it took to come up."""
    started = time.monotonic()
    with namespace.entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.2)
    with s:
        while time.monotonic() - started < timeout:
            with contextlib.suppress(OSError):
                s.sendto(b"1_1_1 d7:command4:pinge", (address, port))
                if b"pong" in s.recv(2048):
                    return time.monotonic() - started
            time.sleep(0.05)
    raise Failed(f"no NG server answers at {address}:{port}")


# ---- the network that only SIP uses, and counting ----

SIP_CALLER, SIP_PROXY = "198.18.40.1", "198.18.40.2"


def signalling_link(world):
    """The customer's side reaches the proxy beside the PoP, so that what the PoP carries is media only."""
    w.run("ip", "link", "add", "sip", "netns", world.customer.name, "type", "veth", "peer", "name",
          "sip", "netns", world.platform.name)
    for ns, address in ((world.customer, SIP_CALLER), (world.platform, SIP_PROXY)):
        ns.run("ip", "addr", "add", f"{address}/24", "dev", "sip")
        ns.run("ip", "link", "set", "sip", "up")
        with contextlib.suppress(RuntimeError):  # older kernels have one for all namespaces
            ns.write("/proc/sys/net/core/rmem_default", "4194304")
    world.customer.run("ip", "route", "add", "198.18.30.0/24", "via", w.POP_OUTSIDE)


class RtpCount:
    """Counts a namespace's RTP with the media network in the kernel: packets by (our address, our port,
    the peer's port), in each direction. Odd ports are RTCP's."""

    def __init__(self, ns, media="198.18.30.0/24"):
        self.ns = ns
        element = "type ipv4_addr . inet_service . inet_service; size 65536; flags dynamic; counter;"
        ns.nft(f"""table ip rtp_count {{
            set came {{ {element} }}
            set went {{ {element} }}
            chain input {{
                type filter hook input priority 0;
                ip saddr {media} udp sport & 1 == 0 update @came {{ ip saddr . udp sport . udp dport counter }}
            }}
            chain output {{
                type filter hook output priority 0;
                ip daddr {media} udp dport & 1 == 0 update @went {{ ip daddr . udp dport . udp sport counter }}
            }}
        }}
        """)

    def read(self):
        """(came, went): {(address, port of ours): packets}"""
        found = []
        for name in ("came", "went"):
            text = self.ns.run("nft", "-j", "list", "set", "ip", "rtp_count", name)
            count = {}
            for item in json.loads(text)["nftables"]:
                for e in item.get("set", {}).get("elem", ()):
                    address, ours, _ = e["elem"]["val"]["concat"]
                    key = (address, ours)
                    count[key] = count.get(key, 0) + e["elem"]["counter"]["packets"]
            found.append(count)
        return found

    def clear(self):
        for name in ("came", "went"):
            self.ns.run("nft", "flush", "set", "ip", "rtp_count", name)
