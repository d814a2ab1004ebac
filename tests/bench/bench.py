"""scripts/bench: this agent beside raw C_Sign on the same token, in one run.

    bench.py [--seconds N] [--rounds N] [--json]

Rounds are interleaved (raw one process, raw two processes, agent with base and
shaken), so that a machine that slows down slows all of them; what is reported
is the median of the rounds' ratios with their spread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from world.machine import BUILD, TOKEN_LABEL, Machine  # noqa: E402

ORIG, DEST = "12025550100", "12125550111"


def raw(machine: Machine, seconds: float, processes: int) -> dict:
    command = [str(BUILD / "rawsign"), machine.module, TOKEN_LABEL,
               str(machine.config / "secrets/pin"), str(seconds)]
    running = []
    for _ in range(processes):
        # SoftHSM 2.6.1 loses sight of the token when two processes start at once.
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE,
                                        env=machine.softhsm_env()))
        time.sleep(0.2)
    results = [json.loads(p.communicate()[0]) for p in running]
    return {"rate": sum(r["signatures"] / r["seconds"] for r in results),
            "p50_us": statistics.median(r["p50_us"] for r in results),
            "p99_us": max(r["p99_us"] for r in results),
            "cpu_us": sum(r["cpu_seconds"] for r in results) * 1e6
            / sum(r["signatures"] for r in results)}


def agent(machine: Machine, seconds: float, connections: int, *more: str) -> dict:
    done = subprocess.run(
        [str(BUILD / "vesper"), "bench", "--orig", ORIG, "--dest", DEST, "--connections",
         str(connections), "--seconds", str(seconds), "--json", *more], capture_output=True,
        text=True, env={**os.environ, "VESPER_SOCKET": machine.socket,
                        "VESPER_ADMIN_SOCKET": machine.admin_socket})
    if done.returncode != 0:
        raise SystemExit(f"bench: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def fdatasync_p50_us(folder: Path) -> float:
    """What one record costs the disk that the audit is on."""
    path = folder / "fdatasync-probe"
    samples = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(200):
            os.write(fd, b"x" * 500)
            began = time.perf_counter()
            os.fdatasync(fd)
            samples.append((time.perf_counter() - began) * 1e6)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(samples)


def file_system(folder: Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True,
                          text=True).stdout.strip()


def measure(machine: Machine, seconds: float, rounds: int) -> dict:
    kinds = {
        "raw, 1 process": lambda: raw(machine, seconds, 1),
        "raw, 2 processes": lambda: raw(machine, seconds, 2),
        "agent, base, 1 connection": lambda: agent(machine, seconds, 1, "--tenant", "acme"),
        "agent, base, 8 connections": lambda: agent(machine, seconds, 8, "--tenant", "acme"),
        "agent, base, 64 connections": lambda: agent(machine, seconds, 64, "--tenant", "acme"),
        "agent, shaken, 64 connections": lambda: agent(
            machine, seconds, 64, "--tenant", "osp", "--ppt", "shaken", "--attest", "A"),
    }
    results: dict[str, list[dict]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, run in kinds.items():
            results[name].append(run())
    report = {}
    for name, runs in results.items():
        ratios = [r["rate"] / one["rate"] for r, one in zip(runs, results["raw, 1 process"])]
        report[name] = {
            "rate": round(statistics.median(r["rate"] for r in runs)),
            "ratio": round(statistics.median(ratios), 2),
            "spread": [round(min(ratios), 2), round(max(ratios), 2)],
            "p50_us": round(statistics.median(r["p50_us"] for r in runs), 1),
            "p99_us": round(statistics.median(r["p99_us"] for r in runs), 1),
            "refused": sum(r.get("refused", 0) for r in runs),
            "failed": sum(r.get("failed", 0) for r in runs),
        }
    return report


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


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    folder = Path(os.environ.get("BENCH_DIR", "/var/tmp"))
    work = folder / f"vesper-bench-{os.getpid()}"
    with Machine(work) as machine:
        machine.own_directory = True
        machine.start()
        report = {
            "schema": "vesper/scripts-bench/1",
            "machine": {"cpus": os.cpu_count(), "kernel": platform.release(),
                        "module": machine.module, "audit_file_system": file_system(work),
                        "fdatasync_p50_us": round(fdatasync_p50_us(work), 1)},
            "rounds": args.rounds, "seconds": args.seconds,
            "results": measure(machine, args.seconds, args.rounds)}
    report["decisions"] = decisions()
    if args.json:
        print(json.dumps(report, indent=1))
        return 0
    print("machine: " + ", ".join(f"{k} {v}" for k, v in report["machine"].items()))
    print(f"{args.rounds} interleaved rounds of {args.seconds:g} s; ratio to raw C_SignInit+C_Sign "
          "of one process, median (spread)\n")
    print(f"{'':32}{'per second':>11}{'ratio':>8}  {'spread':13}{'p50 µs':>9}{'p99 µs':>10}")
    for name, r in report["results"].items():
        spread = f"{r['spread'][0]:.2f}-{r['spread'][1]:.2f}"
        print(f"{name:32}{r['rate']:>11}{r['ratio']:>8.2f}  {spread:13}{r['p50_us']:>9}"
              f"{r['p99_us']:>10}" + (f"  refused {r['refused']} failed {r['failed']}"
                                      if r["refused"] or r["failed"] else ""))
    print_decisions(report["decisions"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
