"""scripts/bench: this agent beside raw C_Sign on the same token, in one run.

    bench.py [--seconds N] [--rounds N] [--start N] [--peers] [--json]

Rounds are interleaved (raw, the agent, the others, and again), so that a
machine that slows down slows all of them.  A ratio is one round's; what is
reported is the median of the rounds with their spread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import peers  # noqa: E402
from fixture import Fixture  # noqa: E402
from measure import agent, fdatasync_p50_us, file_system, raw, start  # noqa: E402
from world.machine import BUILD  # noqa: E402

RAW, RAW2 = "raw, 1 process", "raw, 2 processes"
FULL, ONE, OPEN = "agent, 64 connections", "agent, 1 connection", "agent, at 70 %, open loop"


def kinds(fixture: Fixture, unsynced: Fixture, seconds: float, with_peers: bool) -> dict:
    """What one round does, in this order; each gets what the round has so far."""
    machine = fixture.machine
    rows = {
        RAW: lambda r: raw(machine, seconds, 1),
        RAW2: lambda r: raw(machine, seconds, 2),
        FULL: lambda r: agent(fixture, seconds, 64),
        ONE: lambda r: agent(fixture, seconds, 1),
        OPEN: lambda r: agent(fixture, seconds, 64, rate=0.7 * r[FULL]["rate"]),
        "agent, x5u only, 64": lambda r: agent(fixture, seconds, 64, "x5u"),
        "agent, no audit sync, 64": lambda r: agent(unsynced, seconds, 64),
    }
    if with_peers and shutil.which("p11-kit") and peers.P11_CLIENT.exists():
        rows["p11-kit server, 2 clients"] = lambda r: peers.p11_kit(machine, seconds)
    if with_peers and shutil.which("ssh-agent") and shutil.which("pkcs11-tool"):
        peers.make_ssh_key(machine)
        rows["ssh-agent, 1 client"] = lambda r: peers.ssh_agent(machine, seconds)
    return rows


def run(rows: dict, rounds: int) -> list[dict]:
    done = []
    for _ in range(rounds):
        results: dict = {}
        for name, measure in rows.items():
            results[name] = measure(results)
        done.append(results)
    return done


def spread(values) -> dict:
    values = list(values)
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3),
            "max": round(max(values), 3)}


def table(rounds: list[dict]) -> dict:
    out = {}
    for name in rounds[0]:
        runs = [r[name] for r in rounds]
        out[name] = {
            "rate": round(statistics.median(r["rate"] for r in runs)),
            "ratio": spread(r[name]["rate"] / r[RAW]["rate"] for r in rounds),
            "p50_us": spread(r["p50_us"] for r in runs),
            "p99_us": spread(r["p99_us"] for r in runs),
            "refused": sum(r.get("refused", 0) for r in runs),
            "failed": sum(r.get("failed", 0) for r in runs)}
        if "loop_us" in runs[0]:
            out[name]["loop_us"] = spread(r["loop_us"] for r in runs)
            out[name]["beyond_us"] = spread(
                r[name]["cpu_us"] - r[RAW2]["cpu_us"] for r in rounds)
    return out


def figures(rounds: list[dict], sync_us: float) -> dict:
    """What is promised, each as (what it is, floor, aim, measured); smaller is better but once."""
    def beyond(r):
        return r[ONE]["p50_us"] - max(r[RAW]["p50_us"], sync_us)

    return {
        "rate to raw, 64 connections": ("0.95 and more", "1.1",
                                        spread(r[FULL]["rate"] / r[RAW]["rate"] for r in rounds)),
        "CPU per request beyond raw, us": ("35", "15", spread(
            r[FULL]["cpu_us"] - r[RAW2]["cpu_us"] for r in rounds)),
        "event loop's CPU per request, us": ("20", "10",
                                             spread(r[FULL]["loop_us"] for r in rounds)),
        "one connection: p50 beyond token or disk, us": ("60", "35",
                                                         spread(beyond(r) for r in rounds)),
        "p99 to p50 at 70 %": ("5", "3",
                               spread(r[OPEN]["p99_us"] / r[OPEN]["p50_us"] for r in rounds)),
    }


def starts(work: Path, credentials: int, rounds: int) -> dict:
    with Fixture(work, many=credentials) as fixture:
        runs = [start(fixture.machine, credentials) for _ in range(rounds)]
    return {name: spread(r[name] for r in runs) for name in runs[0]}


def decisions() -> list[dict]:
    """What a decision and an activation cost, in processor time (tests/bench/decisions.c)."""
    out = subprocess.run([str(BUILD / "tests/bench/decisions"), "--json"], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def print_decisions(rows: list[dict]) -> None:
    print(f"\n{'processor time':28}{'numbers':>10}{'entries':>9}{'constraints':>13}{'ns':>11}")
    for row in rows:
        print(f"{row['what']:28}{row['numbers']:>10}{row['entries']:>9}"
              f"{row['constraints']:>13}{row['ns']:>11}")


def measure(args, folder: Path) -> dict:
    work = folder / f"vesper-bench-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        fixture = stack.enter_context(Fixture(work))
        unsynced = stack.enter_context(Fixture(Path(f"{work}-unsynced"), audit_sync="none"))
        disk = {"audit_file_system": file_system(work),
                "fdatasync_p50_us": round(fdatasync_p50_us(work), 1)}
        rounds = run(kinds(fixture, unsynced, args.seconds, args.peers), args.rounds)
        module = fixture.machine.module
    report = {"schema": "vesper/scripts-bench/2",
              "machine": {"cpus": os.cpu_count(), "kernel": platform.release(),
                          "load_average": round(os.getloadavg()[0], 1), "module": module, **disk},
              "rounds": args.rounds, "seconds": args.seconds, "results": table(rounds),
              "figures": figures(rounds, disk["fdatasync_p50_us"])}
    if args.start:
        report["start"] = {"credentials": args.start,
                           **starts(Path(f"{work}-start"), args.start, args.rounds)}
    report["decisions"] = decisions()
    return report


def text(s: dict, digits: int = 2) -> str:
    return f"{s['median']:.{digits}f} ({s['min']:.{digits}f}-{s['max']:.{digits}f})"


def show(report: dict) -> None:
    print("machine: " + ", ".join(f"{k} {v}" for k, v in report["machine"].items()))
    print(f"{report['rounds']} interleaved rounds of {report['seconds']:g} s, medians (spread); "
          "ratio to raw C_SignInit+C_Sign of one process\n")
    print(f"{'':28}{'per second':>11}  {'ratio':20}{'p50 us':>24}{'p99 us':>26}")
    for name, r in report["results"].items():
        print(f"{name:28}{r['rate']:>11}  {text(r['ratio']):20}{text(r['p50_us'], 0):>24}"
              f"{text(r['p99_us'], 0):>26}"
              + (f"  refused {r['refused']} failed {r['failed']}"
                 if r["refused"] or r["failed"] else ""))
    print(f"\n{'':46}{'floor':>14}{'aim':>6}  measured")
    for name, (floor, aim, value) in report["figures"].items():
        print(f"{name:46}{floor:>14}{aim:>6}  {text(value)}")
    if "start" in report:
        s = report["start"]
        print(f"\nstart with {s['credentials']} credentials: first {text(s['first_s'])} s, all "
              f"{text(s['all_s'])} s; C_Initialize, login and find alone {text(s['token_s'])} s")
    print_decisions(report["decisions"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--start", type=int, default=0, metavar="N",
                        help="also start with N credentials, up to 1000")
    parser.add_argument("--peers", action="store_true", help="p11-kit server, ssh-agent")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not 0 <= args.start <= 1000 or args.rounds < 1:
        parser.error("--start is 0 to 1000, --rounds 1 and more")
    report = measure(args, Path(os.environ.get("BENCH_DIR", "/var/tmp")))
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
