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
STAGES = ["classify", "esp_decap", "policy", "rtp_relay", "hairpin", "rtp_send", "route", "tier",
          "esp_encap", "tx"]
COMMANDS = ["quick", "limit", "path", "latency", "tiers", "control", "daemon", "peers"]


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
            add(what, f"at most {limit:.2f} x raw", f"{c['ratio']:.2f} x ({c['cycles_per_packet']:.0f} of "
                f"{c['limit_cycles']:.0f} cycles)", verdict(c["ratio"], limit))
    ratio("esp_gcm128_relay_plain_c10000", "ESP (AES-GCM-128) in, relay, plain out, 10 000 calls", 1.5)
    ratio("esp_gcm128_relay_plain_c1", "the same, 1 call", 1.35)
    ratio("esp_cbc256sha256_relay_plain_c10000", "AES-CBC-256/SHA-256, 10 000 calls", 1.25)
    plain = path.get("plain_relay_c10000", {})
    if "over_floor" in plain:
        add("plain relay, 10 000 calls", "at most 150 cycles over the ring ports' floor",
            f"{plain['over_floor']:.0f}", verdict(plain["over_floor"], 150))
    few, many = (path.get(f"esp_gcm128_relay_plain_c{n}", {}) for n in (100, 50000))
    if "ratio" in few and "ratio" in many:
        x = many["cycles_per_packet"] / few["cycles_per_packet"]
        add("50 000 calls beside 100", "at most 1.40 x", f"{x:.2f} x", verdict(x, 1.4))
    tiers = cases(results, "tiers", "tier_")
    if tiers:
        lost = sum(c.get("lost", 1) for c in tiers.values())
        add("each tier, both directions", "nothing lost", f"{lost} lost", verdict(lost, 0))
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
        add("AF_XDP on veth, packets/s without loss", "at least 5 x rtpengine", f"{x:.1f} x",
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
            f"{c['ratio']:.2f}", f"{c['least_cycles']:.0f}",
            f"{c['cycles_per_packet'] / c['least_cycles']:.2f}", f"{c['mpps']:.2f}"]


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
             f"{c['lossless_share_of_tier'] * 100:.1f} %"]
            for c in cases(results, "tiers", "tier_").values()]
    text = table(["tier", "packets/s of a full tier, both ways", "sent", "lost",
                  "highest rate without loss"], rows) if rows else ""
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
            rows.append([c["name"], c["error"], "", "", "", ""])
        elif "p50_us" in c:
            rows.append([c["name"], thin(c["mpps"] * 1e6), f"{c['cpu_us_per_packet']:.2f}",
                         f"{c['p50_us']:.0f}", f"{c['p99_us']:.0f}", f"{c['p9999_us']:.0f}"])
        else:
            rows.append([c["name"], thin(c["mpps"] * 1e6), "", "", "", ""])
    return table(["relay", "packets/s without loss", "CPU us a packet", "p50 us", "p99 us", "p99.99 us"],
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
Cycles are TSC cycles a packet on one worker core. Every packet that a case sends is checked when it comes
out: link address, headers and checksums, tunnel, replay number, call, order, payload. A case with a
wrong answer has no figure.

"""

SECTIONS = [
    ("Wanted and reached", targets, "", None),
    ("The main cases", lambda r: path(r, "quick"),
     """The real stages on ring ports, generator and sink on another core, 32 packets a poll, G.711 packets of 200
bytes (256 in AES-GCM ESP), 1 000 customers where there are as many calls, arrival in random order.
*Limit* is raw intel-ipsec-mb with one key over 4 096 buffers that only it touches (for a plain relay: the ring
ports' floor). *Least program* is the least that anything can do with these packets: receive
them, make the same raw calls, send them. Limit and path are measured in turn; figures are medians.
""", None),
    ("Where the cycles go", stages, "", plot_stages),
    ("Cost by number of calls", lambda r: "", "", plot_calls),
    ("The limit", limit, "Raw intel-ipsec-mb, in place; *seal* encrypts, *open* decrypts. AES-GCM by "
     "direct calls, AES-CBC with HMAC in bursts of 32.\n", None),
    ("Latency", latency, """From the receive ring to the transmit ring, in microseconds, at a share of the
highest rate. Rounds in which the machine took a core away for 100 us or more are counted and left out, but
for the last column.
""", plot_latency),
    ("Tiers", tiers, "G.711 in AES-GCM ESP, both directions at once, with the real buckets (20 ms deep, "
     "which is why short trials pass a little more than the tier).\n", None),
    ("Control", control, "The control thread's own code while the worker is half loaded.\n", None),
    ("Peers", peers, """Plain RTP of 100 calls in one direction over the same veth pairs. rtpengine in userspace
with one thread; Trunkline with one worker that polls, so its CPU a packet is that of a whole core. Latency
and CPU at 80 % of the highest rate. `generator_alone` is what the generator itself can do.
""", plot_peers),
    ("Every case", lambda r: path(r, "path"), "", None),
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
