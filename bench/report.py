#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/performance.md and its plots from the results in bench/out.

usage: bench/report.py [--results DIR] [--docs DIR]
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAGES = ["classify", "esp_decap", "policy", "srtp_open", "rtp_relay", "hairpin", "srtp_seal", "rtp_send", "route", "tier",
          "esp_encap", "tx"]
COMMANDS = ["quick", "instructions", "limit", "path", "latency", "tiers", "control", "daemon", "peers"]


def load(directory):
    found = {}
    for name in COMMANDS:
        path = os.path.join(directory, name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                found[name] = json.load(f)
    return found


def cases(results, command, prefix=""):
    return {c["name"]: c for c in results.get(command, {}).get("cases", [])
            if c["name"].startswith(prefix)}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "|" + "|".join(" :-- " if i == 0 else " --: " for i in range(len(head))) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(x) for x in row) + " |" for row in rows]) + "\n"


def thin(x, digits=0):
    return f"{x:,.{digits}f}".replace(",", " ")


# ---- sections: each returns its text, "" without results ----

def machine(results):
    for name in COMMANDS:
        r = results.get(name, {})
        if "machine" in r:
            m, v = r["machine"], r["versions"]
            return (f"{m['cpu']} (model {m['model']}, stepping {m['stepping']}), {m['cpus']} CPUs, TSC "
                    f"{m['tsc_ghz']:.2f} GHz, L2 {m['l2']}, L3 {m['l3']}, "
                    f"{'hugepages' if m['hugepages'] else 'no hugepages'}; kernel {v['kernel']}.\n\n"
                    f"Trunkline {v['trunkline']} at commit {v['commit']}, {v['crypto']}, DPDK "
                    f"{v['dpdk']}, compiler {v['compiler']}; {v['time'][:10]}.\n")
    return ""


def verdict(value, limit, most=True):
    good = value <= limit if most else value >= limit
    return "yes" if good else "**no**"


def targets(results):
    path = cases(results, "path") | cases(results, "quick")
    rows = []

    def add(what, want, got, ok):
        rows.append([what, want, got, ok])

    def ratio(name, what, limit):
        c = path.get(name, {})
        if "ratio" in c:
            raw, cycles, bound = c["limit_cycles"], c["cycles_per_packet"], c.get("bound_cycles")
            got = f"{c['ratio']:.2f} x (limit {raw:.0f}, path {cycles:.0f} cycles)"
            if bound:
                got = (f"{c['ratio']:.2f} x (limit {raw:.0f}, bound {bound:.0f}, path {cycles:.0f} cycles; "
                       f"bound {bound / raw:.2f} x the limit, path {cycles / bound:.2f} x the bound)")
            least, worse = c.get("limit_fastest_cycles"), c["ratio"]
            if least:
                got += f"; fastest {c['fastest_cycles'] / least:.2f} x ({c['fastest_cycles']:.0f} of {least:.0f})"
                worse = max(worse, c["fastest_cycles"] / least)  # a raw call that was disturbed reaches nothing
            add(what, f"at most {limit:.2f} x raw", got, verdict(worse, limit))
    ratio("esp_gcm128_relay_plain_c10000", "ESP (AES-GCM-128) in, relay, plain out, 10 000 calls", 1.5)
    ratio("esp_gcm128_relay_plain_c1", "the same, 1 call", 1.35)
    ratio("esp_cbc256sha256_relay_plain_c10000", "AES-CBC-256/SHA-256, 10 000 calls", 1.25)
    for suite, text in (("cm128_80", "AES_CM_128_HMAC_SHA1_80"), ("gcm128", "AEAD_AES_128_GCM")):
        ratio(f"srtp_{suite}_relay_plain_c10000", f"SRTP ({text}) in, relay, plain out, 10 000 calls", 1.5)
        ratio(f"relay_srtp_{suite}_c10000", "plain in, relay, the same out", 1.5)
    c = path.get("guard_and_statistics")
    if c:
        whole = path.get("plain_relay_c10000", {}).get("stages", {}).get("rtp_relay")
        add("guard and statistics of a leg together", "at most 40 cycles a packet",
            f"{c['cycles_per_packet']:.0f}" + (f" (all of rtp_relay: {whole:.0f})" if whole else ""),
            verdict(c["cycles_per_packet"], 40))
    plain = path.get("plain_relay_c10000", {})
    if "over_floor" in plain:
        add("plain relay, 10 000 calls", "at most 150 cycles over the ring ports' floor",
            f"{plain['over_floor']:.0f}; fastest {plain['fastest_cycles'] - plain['limit_fastest_cycles']:.0f}",
            verdict(plain["over_floor"], 150))
    few, many = (path.get(f"esp_gcm128_relay_plain_c{n}", {}) for n in (100, 50000))
    if "ratio" in few and "ratio" in many:
        x = many["cycles_per_packet"] / few["cycles_per_packet"]
        add("50 000 calls beside 100", "at most 1.40 x", f"{x:.2f} x", verdict(x, 1.4))
    tiers = cases(results, "tiers", "tier_")
    if tiers:
        lost = sum(c.get("lost", 1) for c in tiers.values())
        unmeasured = [c["name"].split("_")[1] for c in tiers.values() if not c.get("measured", True)]
        add("each tier, both directions", "nothing lost",
            f"{lost} lost" + (f"; {', '.join(unmeasured)}: too few undisturbed rounds" if unmeasured else ""),
            "not known" if unmeasured and lost == 0 else verdict(lost, 0))
    c = cases(results, "tiers").get("customers_1G_one_worker")
    if c:
        add("1G customers of one worker, sum of both directions", "at least 8",
            f"{2 * c['customers']} ({c['customers']} full both ways)",
            verdict(2 * c["customers"], 8, False))
    c = cases(results, "latency").get("latency_esp_gcm128_relay_plain_c10000_load80")
    if c and "p9999_us" in c:
        add("latency at 80 % load, p99.99", "below 100 us", f"{c['p9999_us']:.0f} us",
            verdict(c["p9999_us"], 100))
    peers = cases(results, "peers")
    x = peers.get("trunkline_af_xdp", {}).get("times_rtpengine")
    if x:
        alone = peers.get("generator_alone", {}).get("mpps")
        share = f" ({peers['trunkline_af_xdp']['mpps'] / alone:.0%} of what the generator can do alone)" \
            if alone else ""
        floor = peers["trunkline_af_xdp"].get("share_of_floor")
        if floor:
            share += f"; {floor:.0%} of testpmd's on the same ports"
        ours, least = (peers.get(n, {}).get("times_rtpengine_a_cpu_second")
                       for n in ("trunkline_af_xdp", "testpmd_af_xdp"))
        if ours and least:
            share += f"; a CPU second {ours:.1f} x, of which testpmd makes {least:.1f} x"
        add("AF_XDP on veth, packets/s without loss", "at least 5 x rtpengine", f"{x:.1f} x{share}",
            verdict(x, 5, False))
    control = cases(results, "control")
    for name, what, limit in (("control_calls_set_up", "calls set up a second, half load", 20000),
                              ("control_sas_installed", "SAs installed a second, half load", 5000)):
        c = control.get(name)
        if c:
            add(what, f"{thin(limit)}, nothing lost", f"{thin(c['per_second'])}, {c['lost']} lost",
                "yes" if c["per_second"] >= limit and c["lost"] == 0 else "**no**")
    return table(["figure", "wanted", "measured", "reached"], rows) if rows else ""


def path_row(c):
    if "error" in c:
        return [f"`{c['name']}`", "failed: " + c["error"], "", "", "", "", ""]
    return [f"`{c['name']}`", f"{c['cycles_per_packet']:.0f}", f"{c['limit_cycles']:.0f}",
            f"{c['ratio']:.2f}", f"{c['least_cycles']:.0f}" if c["least_cycles"] else "",
            f"{c['cycles_per_packet'] / c['least_cycles']:.2f}" if c["least_cycles"] else "", f"{c['mpps']:.2f}"]


PATH_HEAD = ["case", "cycles", "limit", "ratio", "least program", "ratio to it", "Mpps"]


def path(results, command):
    rows = [path_row(c) for c in cases(results, command).values() if "ratio" in c or "error" in c]
    return table(PATH_HEAD, rows) if rows else ""


def stages(results):
    rows = []
    for c in cases(results, "quick").values():
        if "stages" not in c:
            continue
        shown = [c["stages"].get(s) for s in STAGES]
        rest = c["cycles_per_packet"] - sum(x for x in shown if x)
        rows.append([f"`{c['name']}`"] + ["" if x is None else f"{x:.0f}" for x in shown]
                    + [f"{rest:.0f}"])
    return table(["case"] + STAGES + ["rx, tx burst, loop"], rows) if rows else ""


def srtp_share(quick):
    plain, rows = quick.get("plain_relay_c10000", {}).get("fastest_cycles"), []
    for name in ("srtp_cm128_80_relay_plain", "relay_srtp_cm128_80", "srtp_gcm128_relay_plain", "relay_srtp_gcm128"):
        raw = quick.get(f"{name}_c10000", {}).get("limit_fastest_cycles")
        if raw and plain:
            rows.append([f"`{name}_c10000`", f"{raw:.0f}", f"{plain:.0f}", f"{raw + plain:.0f} ({(raw + plain) / raw:.2f} x)",
                         f"{raw / 2 - plain:.0f}"])
    return "\n" + table(["fastest passes", "raw call", "plain relay", "both", "left of 1.5 x for SRTP"], rows) if rows else ""


def bounds(results):
    quick = cases(results, "quick")
    rows = []
    for c in quick.values():
        if c.get("bound_cycles"):
            raw = c["limit_cycles"]
            rows.append([f"`{c['name']}`", f"{raw:.0f}"]
                        + [f"{c[k]:.0f} ({c[k] / raw:.2f} x)" for k in ("least_cycles", "bound_cycles",
                                                                       "cycles_per_packet")]
                        + [f"{c['cycles_per_packet'] / c['bound_cycles']:.2f}"])
    text = table(["case", "raw call", "least program", "bound", "path", "path to bound"], rows) if rows else ""
    text += srtp_share(quick)
    rows = [[c["what"], f"{c['cycles_per_line']:.1f}"] for c in quick.values() if "cycles_per_line" in c]
    return text + ("\n" + table(["a line of memory, one of a stream asked for ahead", "cycles"], rows)
                   if rows else "")


def instructions(results):
    found = cases(results, "instructions").values()
    names = [s for s in ["rx"] + STAGES if any(s in c["stages"] for c in found)]
    rows = [[f"`{c['name']}`", f"{c['instructions']:.0f}"]
            + [f"{c['stages'][s]:.0f}" if s in c["stages"] else "" for s in names] for c in found]
    return table(["case", "all but the cipher"] + names, rows) if rows else ""


def limit(results):
    rows = [[f"`{c['name'][4:]}`", c["cipher_len"], f"{c['cycles_per_packet']:.0f}",
             f"{c['keys1000_cold_cycles']:.0f}", f"{c['keys1000_prefetched_cycles']:.0f}",
             f"{c['mpps']:.2f}"] for c in cases(results, "limit", "raw_").values()]
    text = table(["suite, direction, packet", "bytes", "one key", "1 000 keys, cold", "prefetched",
                  "Mpps"], rows) if rows else ""
    rows = [[f"`{c['name']}`", f"{c['cycles_per_packet']:.0f}", f"{c['mpps']:.1f}"]
            for c in cases(results, "limit", "ring_").values()]
    return text + ("\n" + table(["ring ports", "cycles", "Mpps"], rows) if rows else "")


def latency(results):
    rows = [[f"`{c['name'][8:]}`", f"{c['mpps']:.2f}", f"{c['p50_us']:.1f}", f"{c['p99_us']:.1f}",
             f"{c['p9999_us']:.1f}", f"{c['max_us']:.1f}", c["lost"],
             f"{c['rounds_disturbed']} of {c['rounds']}", f"{c['all_p9999_us']:.1f}"]
            for c in cases(results, "latency").values()]
    return table(["case", "Mpps", "p50", "p99", "p99.99", "max", "lost", "rounds disturbed",
                  "p99.99 of all rounds"], rows) if rows else ""


def tiers(results):
    rows = [[c["name"].split("_")[1], thin(c["mpps"] * 1e6), thin(c["packets"]), c["lost"],
             f"{c['lossless_share_of_tier'] * 100:.1f} %",
             f"{c['rounds_disturbed']} of {c['rounds']}" if "rounds" in c else ""]
            for c in cases(results, "tiers", "tier_").values()]
    text = table(["tier", "packets/s of a full tier, both ways", "sent", "lost",
                  "highest rate without loss", "rounds disturbed"], rows) if rows else ""
    c = cases(results, "tiers").get("customers_1G_one_worker")
    if c:
        text += (f"\nOne worker carries {c['customers']} customers of 1G at once, each full in both "
                 f"directions: {c['mpps']:.2f} Mpps, {c['gbits']:.1f} Gbit/s of ESP.\n")
    return text


def control(results):
    rows = [[c["name"].replace("control_", "").replace("_", " "), thin(c["count"]),
             thin(c["per_second"]), thin(c["per_second_alone"]), f"{c['worker_load_percent']:.0f} %",
             c["lost"], thin(c["bytes_each"])]
            for c in cases(results, "control").values() if "bytes_each" in c]
    text = table(["operation", "count", "a second", "on a core of its own", "worker busy",
                  "packets lost", "bytes each"], rows) if rows else ""
    c = cases(results, "control").get("control_memory")
    if c:
        text += (f"\nOf the pools: {c['legs_bytes']} bytes for the two legs of a call, {c['sa_in_bytes']} + "
                 f"{c['sa_out_bytes']} for an SA pair, {c['customer_bytes']} for a customer.\n")
    rows = []
    for c in cases(results, "daemon").values():
        if "error" in c:
            rows.append([c["name"], "failed: " + c["error"][:80]])
        elif "seconds" in c:
            rows.append([f"start-up with {thin(c['customers'])} customers and {thin(c['calls'])} calls",
                         f"{c['seconds']:.2f} s, {c['rss_mb']:.0f} MB resident"])
        else:
            rows.append([c["name"].replace("api_", "by the API: ").replace("_", " "),
                         f"{thin(c['per_second'])} a second"])
    return text + ("\n" + table(["the real daemon", ""], rows) if rows else "")


def peers(results):
    rows = []
    for c in cases(results, "peers").values():
        if "error" in c:
            rows.append([c["name"], c["error"], "", "", "", "", "", ""])
        elif "p50_us" in c:
            rows.append([c["name"], thin(c["mpps"] * 1e6), f"{c['cpu_us_per_packet']:.2f}",
                         f"{c['cpu_us_overloaded']:.2f}" if "cpu_us_overloaded" in c else "",
                         f"{c['softirq_us_per_packet']:.2f}" if "softirq_us_per_packet" in c else "",
                         f"{c['p50_us']:.0f}", f"{c['p99_us']:.0f}", f"{c['p9999_us']:.0f}"])
        else:
            rows.append([c["name"], thin(c["mpps"] * 1e6), "", "", "", "", "", ""])
    return table(["relay", "packets/s without loss", "CPU us a packet", "overloaded", "softirq us", "p50 us", "p99 us", "p99.99 us"],
                 rows) if rows else ""


# ---- plots ----

def gnuplot(args, name, script, data):
    """Draws docs/performance/NAME.svg. False without gnuplot."""
    program = shutil.which("gnuplot")
    if program is None or not data:
        return False
    os.makedirs(os.path.join(args.docs, "performance"), exist_ok=True)
    out = os.path.join(args.docs, "performance", name + ".svg")
    head = f"set terminal svg size 900,420 background 'white'\nset output '{out}'\n$data << EOD\n"
    lines = "\n".join("\t".join(f'"{x}"' if isinstance(x, str) else f"{x:g}" for x in row)
                      for row in data)
    subprocess.run([program], input=f"{head}{lines}\nEOD\n{script}\n", text=True, check=True)
    with open(out, encoding="utf-8") as f:
        first, rest = f.read().split("\n", 1)
    with open(out, "w", encoding="utf-8") as f:
        f.write(f"{first}\n<!-- SPDX-License-Identifier: BSD-3-Clause -->\n{rest}")
    return True


def plot_stages(args, results):
    rows = []
    for c in cases(results, "quick").values():
        if "stages" in c:
            shown = [c["stages"].get(s, 0) for s in STAGES]
            rows.append([c["name"].replace("_", " "), c["limit_cycles"]] + shown
                        + [max(0, c["cycles_per_packet"] - sum(shown))])
    names = [s.replace("_", " ") for s in STAGES] + ["rx, tx burst, loop"]
    plots = ", ".join(f"'' using {i + 3}:xtic(1) title '{n}'" for i, n in enumerate(names))
    return gnuplot(args, "stages", "set style data histogram\nset style histogram rowstacked\n"
                   "set style fill solid 0.8 border -1\nset boxwidth 0.7\nset key outside right\n"
                   "set xtics rotate by -25 font ',9' noenhanced\nset ylabel 'TSC cycles a packet'\n"
                   "set yrange [0:*]\nset bmargin 6\nplot $data " + plots[2:]
                   + ", '' using 0:2 with points pt 7 ps 0.8 lc 'black' title 'raw crypto'", rows)


def plot_calls(args, results):
    found = cases(results, "path") | cases(results, "quick")
    series = ["esp_gcm128_relay_plain", "relay_esp_gcm128", "hairpin_gcm128",
              "esp_cbc256sha256_relay_plain", "plain_relay"]
    rows = []
    for calls in (1, 100, 10000, 50000):
        row = [found.get(f"{s}_c{calls}", {}).get("cycles_per_packet") for s in series]
        if all(row):
            rows.append([calls] + row)
    plots = ", ".join(f"$data using 1:{i + 2} with linespoints lw 2 title '{s}' noenhanced"
                      for i, s in enumerate(series))
    return gnuplot(args, "calls", "set logscale x\nset key outside right\nset xlabel 'calls'\n"
                   "set ylabel 'TSC cycles a packet'\nset yrange [0:*]\nset xrange [0.8:70000]\nplot " + plots, rows)


def plot_latency(args, results):
    series = {n: c for n, c in cases(results, "latency").items()
              if n.startswith("latency_esp_gcm128_relay_plain_c10000_")}
    rows, lists = [], [c["percentiles"] for c in series.values()]
    for points in zip(*lists):
        rows.append([1 / (1 - points[0][0] / 100)] + [p[1] for p in points])
    plots = ", ".join(f"$data using 1:{i + 2} with linespoints lw 2 title '{n.rsplit('load', 1)[1]} % load'"
                      for i, n in enumerate(series))
    return gnuplot(args, "latency", "set logscale x\nset logscale y\nset key left top\n"
                   "set xtics ('50' 2, '90' 10, '99' 100, '99.9' 1000, '99.99' 10000, '99.999' 100000)\n"
                   "set xlabel 'percentile'\nset ylabel 'microseconds, rx to tx'\nset grid\nplot " + plots,
                   rows)


def plot_peers(args, results):
    rows = [[c["name"].replace("_", " "), c["mpps"]] for c in cases(results, "peers").values()
            if "p50_us" in c]
    return gnuplot(args, "peers", "set style fill solid 0.8 border -1\nset boxwidth 0.6\nset yrange [0:*]\n"
                   "unset key\nset ylabel 'million packets a second without loss'\n"
                   "plot $data using 0:2:xtic(1) with boxes lc rgb '#3b6ea5'", rows)


INTRO = """# Performance

Written by `bench/report.py` from the results of `make bench` in `bench/out`; don't edit it, run it.
`make bench` takes some 17 minutes on two free cores, `make bench-quick` (the main cases) about one.
Cycles are TSC cycles a packet on one worker core. Every packet that a case sends is checked when it comes
out: link address, headers and checksums, tunnel, replay number, call, order, payload. A case with a
wrong answer has no figure.

"""

SECTIONS = [
    ("Wanted and reached", targets, """*Fastest* is the fastest batch of the path and the fastest pass of the raw call: both with nobody else's work on the
core or beside it. A ratio is reached if it is by both. What the machine decides: the ratio to the raw call falls as the raw call gets slower. Where the
cipher works on 512 bits at once (VAES with AVX512), a raw call took 65 to 100 cycles, and what is not cipher (replay
window, selectors, tier, latch, statistics, headers, and bringing in what a packet needs) was most of the path. And a veth
pair carries no more than its generator sends: `generator_alone` is that limit, with no relay at all. *Bound* is explained
under "What bounds it".
""", None),
    ("The main cases", lambda r: path(r, "quick"),
     """The real stages on ring ports, generator and sink on another core, 32 packets a poll, G.711 packets of 200
bytes (256 in AES-GCM ESP), 1 000 customers where there are as many calls, arrival in random order.
*Limit* is raw intel-ipsec-mb with one key over 4 096 buffers that only it touches (for a plain relay: the ring
ports' floor). *Least program* does little with these packets: it receives them, makes the same raw calls with one key,
and sends them, each burst brought into the cache during the one before.
Limit and path are measured in turn; figures are medians.
""", None),
    ("Where the cycles go", stages, "", plot_stages),
    ("What bounds it", bounds, """What the path's memory costs, measured in the same run. The *raw call* has one key and buffers of its
core. The *least program* has packets that another core wrote: their lines cross over, four or five and the mbuf's. The
*bound* (`bench/bound.h`) has the packets' own keys, in the same bursts and the same layout of memory as the path, and loads
once each line that the answer depends on: for ESP the SA, replay bitmap, selectors, bucket, port entry and both legs, for
SRTP the port entry, both legs, the context and its stream. It asks for them ahead; it checks, counts and decides nothing.
What the path adds to it is its work: headers and checksums checked, the window moved, selectors, tier, latch, statistics,
new headers.

The bound is one such program, not a proof that none is faster: it asks for a burst's state when the burst is there, the path
for entries and legs of SRTP and of what goes into a tunnel one burst earlier (`pipelines/chain.h`).
Not tried: another layout of the state or of the keys. Tried on the path and left out, by fastest batches:

| tried | where | cycles without | with |
| :-- | :-- | --: | --: |
| AES-CM in parts of 8 packets, so that a part's keys come in while the one before is computed | EPYC, family 25; 10 000 calls in, out; 100 in | 1050, 1056; 632 | 976, 1095; 675 |
| the same, 16 packets | | 1050, 1056; 632 | 1028, 1154; 662 |
| contexts and streams of SRTP one burst earlier, too (GCM) | Xeon, model 85; 10 000 calls in, out; 100 in | 738, 710; 561 | 755, 723; 579 |
| SAs of ESP one burst earlier | the same Xeon; 1, 100, 10 000, 50 000 calls | 526, 563, 612, 668 | 535, 585, 628, 658 |
| link-time optimisation | the same Xeon; ESP with 1, 10 000 calls; plain relay | 524, 626; 233 | 521, 623; 225 |

For SRTP, 1.5 times the raw call leaves half of it for everything else: for receiving, classifying, the guard, statistics,
new headers and sending, which are what the relay of plain packets costs, and for what SRTP adds: contexts, keys, indexes,
windows, and the UDP checksum of a new payload. The second table has both from this run: what is left of 1.5 for SRTP's own
work once plain packets can be relayed. Of that work, timed in place on a Zen 5 with AES-CM and 100 calls, in cycles a packet:
asking for contexts and packets 10, checks and nonces 20, jobs 11, hash 145, tags 3, cipher 26, windows 9, lengths and
checksum 20, asking for the next burst 8.

Where all state is in the core's caches (`--cpus 1,1 --batch 128`, 100 calls), the fastest batches of ESP took 445 cycles on
an EPYC of family 25, 215 of them the cipher's: 230 for 1 161 instructions, five a TSC cycle (the next table but one has what there are by now). Nothing waits there; 1.35 times
the cipher would leave room for some 400 instructions, and 1.5 times for some 550. The rest, up to the cost with 10 000 calls, is memory: 15
lines a packet for ESP, some 11 for SRTP with AES-CM, at what the table of lines says. A hypervisor may add to it: where it
backs hugepages with small pages, 4 096 lines in one piece took 5.6 cycles each, and the same on as many pages of 4 KB 12.
""", None),
    ("Instructions a packet", instructions, """Counted by valgrind's callgrind (`bench/instructions`), without the cipher's. Unlike cycles they are
the same on every run and every machine of the architecture, so they tell what a change to a stage costs. *rx* is polling,
the runner and the loop.
""", None),
    ("Cost by number of calls", lambda r: "", "", plot_calls),
    ("The limit", limit, "Raw intel-ipsec-mb, in place; *seal* encrypts, *open* decrypts. AES-GCM by "
     "direct calls, AES-CBC with HMAC in bursts of 32.\n", None),
    ("Latency", latency, """From the receive ring to the transmit ring, in microseconds, at a share of the
highest rate. Rounds in which the machine took a core away for 100 us or more are counted and left out, but
for the last column. A second of traffic for each load, or a million packets.
""", plot_latency),
    ("Tiers", tiers, "G.711 in AES-GCM ESP, both directions at once, with the real buckets (20 ms deep, "
     "so that rounds of 100 ms pass up to a fifth more than the tier). Rounds that lost something while the machine took "
     "a core away, or held the generator up, are counted and left out.\n", None),
    ("Control", control, "The control thread's own code while the worker is half loaded.\n", None),
    ("Peers", peers, """Plain RTP of 100 calls in one direction over the same veth pairs. rtpengine in userspace
with one thread; Trunkline with one worker that polls, so its CPU a packet is that of a whole core. Latency
and CPU at 80 % of the highest rate; *overloaded* is the CPU time of a packet at twice the highest rate, where nobody
waits for packets: what a packet costs. *Softirq* is the kernel's time on both cores, the generator's share with it; some
of rtpengine's work is there, and none of it is in its own CPU time. `testpmd_af_xdp` rewrites link addresses and does
nothing else, on the same ports with the same driver: the least that was measured there; other programs, drivers and
settings were not tried. `generator_alone` is what the generator itself can do, measured once; the others are medians.
""", plot_peers),
    ("Every case", lambda r: path(r, "path"), "Medians of five; of the main cases above, of nine.\n", None),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", default=os.path.join(TOP, "bench", "out"))
    parser.add_argument("--docs", default=os.path.join(TOP, "docs"))
    args = parser.parse_args()
    results = load(args.results)
    if not results:
        sys.exit(f"report.py: no results in {args.results}; run make bench")
    text = [INTRO, machine(results)]
    for title, section, words, plot in SECTIONS:
        body = section(results)
        drawn = plot is not None and plot(args, results)
        if not body and not drawn:
            continue
        text.append(f"\n## {title}\n\n" + (words + "\n" if words else "") + body)
        if drawn:
            name = plot.__name__.removeprefix("plot_")
            text.append(f"\n![{title}](performance/{name}.svg)\n")
    path_out = os.path.join(args.docs, "performance.md")
    with open(path_out, "w", encoding="utf-8") as f:
        f.write("".join(text))
    print(f"written: {path_out}")


if __name__ == "__main__":
    main()
