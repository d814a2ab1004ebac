"""scripts/bench: this agent beside raw C_Sign on the same token, row by row.

    bench.py [ROW...] [--seconds N] [--rounds N] [--signatures N] [--json]

Without a ROW all of them.  The rounds of a row are interleaved (raw, the
agent, the others, and again), so that a machine that slows down slows all of
them.  A figure is one round's; what is reported is the median of the rounds
with their spread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import disk, file_system  # noqa: E402
from rows import ROWS, Figure, Round, World, growth, run, sign_many, spread  # noqa: E402
from world.machine import BUILD, softhsm_module  # noqa: E402

MEMORY, DECISIONS = "memory", "decisions"
UNITS = ("p50_us", "p99_us", "cpu_us", "loop_us", "token_s", "first_s", "all_s")


def table(rounds: list[Round]) -> dict:
    """What each kind of a row measured, over its rounds."""
    out: dict = {}
    for name in rounds[0] if rounds else ():
        runs = [r[name] for r in rounds]
        out[name] = {unit: spread(r[unit] for r in runs) for unit in UNITS if unit in runs[0]}
        if "rate" in runs[0]:
            out[name]["rate"] = round(statistics.median(r["rate"] for r in runs))
            out[name]["unanswered"] = sum(r.get("refused", 0) + r.get("failed", 0) for r in runs)
    return out


def judged(figures: dict[str, Figure]) -> dict:
    return {what: {"floor": f.floor, "aim": f.aim, "higher": f.higher, **spread(f.values),
                   "met": None if f.floor is None else meets(f, f.floor)}
            for what, f in figures.items()}


def meets(f: Figure, bound: float) -> bool:
    median = statistics.median(f.values)
    return median >= bound if f.higher else median <= bound


def decisions() -> list[dict]:
    """What a decision and an activation cost, in processor time (tests/bench/decisions.c)."""
    out = subprocess.run([str(BUILD / "tests/bench/decisions"), "--json"], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def measure_row(name: str, w: World, args) -> dict:
    if name == DECISIONS:
        return {"decisions": decisions()}
    if name == MEMORY:
        held = sign_many(w, args.signatures)
        return {"held": held, "figures": judged(growth(held))}
    row = ROWS[name]
    rounds = run(row.kinds(w), args.rounds)
    return {"results": table(rounds), "figures": judged(row.figures(rounds))}


def machine(folder: Path) -> dict:
    return {"cpus": os.cpu_count(), "kernel": platform.release(), "module": softhsm_module(),
            "load_average": round(os.getloadavg()[0], 1), "niceness": os.nice(0),
            "audit_file_system": file_system(folder),
            "fdatasync_p50_us": round(disk(folder)["p50_us"], 1)}


# ---- for people ---------------------------------------------------------------------------


def text(s: dict, digits: int = 2) -> str:
    return f"{s['median']:.{digits}f} ({s['min']:.{digits}f}-{s['max']:.{digits}f})"


def show_results(results: dict) -> None:
    for name, r in results.items():
        parts = [f"{r['rate']:>8}/s" if "rate" in r else " " * 10]
        parts += [f"{unit.replace('_', ' ')} {text(r[unit], 2 if unit.endswith('_s') else 0)}"
                  for unit in UNITS if unit in r]
        if r.get("unanswered"):
            parts.append(f"refused or failed {r['unanswered']}")
        print(f"{name:28}{'  '.join(parts)}")


def show_figures(figures: dict) -> None:
    for what, f in figures.items():
        bounds = "" if f["floor"] is None else f"floor {f['floor']:g}, aim {f['aim']:g}" + \
            ("" if f["met"] else "  NOT MET")
        print(f"  {what.rstrip():58} {text(f):28}{bounds}")


def show_decisions(rows: list[dict]) -> None:
    print(f"{'processor time':28}{'numbers':>10}{'entries':>9}{'constraints':>13}{'ns':>11}")
    for row in rows:
        print(f"{row['what']:28}{row['numbers']:>10}{row['entries']:>9}"
              f"{row['constraints']:>13}{row['ns']:>11}")


def show_row(name: str, report: dict) -> None:
    print(f"\n{name}")
    for held in report.get("held", {}).values():
        print("  " + ", ".join(f"{k} {v:,}" for k, v in held.items()))
    show_results(report.get("results", {}))
    show_figures(report.get("figures", {}))
    if "decisions" in report:
        show_decisions(report["decisions"])
    sys.stdout.flush()


def measure(args, folder: Path) -> dict:
    report = {"schema": "vesper/scripts-bench/3", "machine": machine(folder),
              "rounds": args.rounds, "seconds": args.seconds, "rows": {}}
    if not args.json:
        print("machine: " + ", ".join(f"{k} {v}" for k, v in report["machine"].items()))
        print(f"{args.rounds} interleaved rounds of {args.seconds:g} s; medians (spread)")
    with contextlib.ExitStack() as stack:
        w = World(folder, args.seconds, stack)
        for name in args.row or [*ROWS, MEMORY, DECISIONS]:
            report["rows"][name] = measure_row(name, w, args)
            if not args.json:
                show_row(name, report["rows"][name])
    report["machine"]["load_average_at_end"] = round(os.getloadavg()[0], 1)
    return report


def main() -> int:
    known = {**{name: row.what for name, row in ROWS.items()},
             MEMORY: "memory and descriptors over --signatures",
             DECISIONS: "processor time of a decision"}
    parser = argparse.ArgumentParser(
        prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:12}{what}" for name, what in known.items()))
    parser.add_argument("row", nargs="*", metavar="ROW", help="one of those below; none: all")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--signatures", type=int, default=1000000, help="of the row memory")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.rounds < 1 or args.signatures < 10 or not set(args.row) <= set(known):
        parser.error(f"rows are {', '.join(known)}; --rounds is 1 and more")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))  # and ends its agents
    report = measure(args, Path(os.environ.get("BENCH_DIR", "/var/tmp")))
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        print(f"\nload average at the end {report['machine']['load_average_at_end']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
