"""The rows of scripts/bench: what each measures in a round, and what is promised of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Callable, NamedTuple

import peers
from crowd import Crowd
from fixture import Fixture
from measure import agent, disk, footprint, raw, start

RAW, RAW2, DISK = "raw, 1 process", "raw, 2 processes", "fdatasync of a record"
FULL, ONE, OPEN = "agent, 64 connections", "agent, 1 connection", "agent, at 70 %, open loop"
X5U, UNSYNCED = "agent, x5u only, 64", "agent, no audit sync, 64"
SLOW_RAW, SLOW = "raw, 3 ms, 32 threads", "agent, 3 ms, 2 x 16, 128"
RAW_ALONE, ALONE = "raw, 1 key", "agent, 1 key, 64"
RAW_MANY, MANY = "raw, 10,000 keys in turn", "agent, 10,000 keys, 64"
SIGN_MS, THREADS = 3, 16
FEW_KEYS, MANY_KEYS = 100, 10000

Round = dict  # what one round has measured, by name
Kinds = dict[str, Callable[[Round], dict]]


class Figure(NamedTuple):
    """floor and aim as docs/PERFORMANCE.md has them; higher: more is better."""
    floor: float | None
    aim: float | None
    values: list[float]
    higher: bool = False


class World:
    """What the rows share: agents that are started when the first row asks for them."""

    def __init__(self, folder: Path, seconds: float, stack: contextlib.ExitStack):
        self.work = folder / f"vesper-bench-{os.getpid()}"
        self.seconds = seconds
        self.stack = stack
        self.made: dict[str, object] = {}

    def get(self, name: str, make):
        if name not in self.made:
            self.made[name] = self.stack.enter_context(make(Path(f"{self.work}-{name}")))
        return self.made[name]

    def full(self) -> Fixture:
        return self.get("full", Fixture)

    def unsynced(self) -> Fixture:
        return self.get("unsynced", lambda work: Fixture(work, audit_sync="none"))

    def slow(self) -> Fixture:
        return self.get("slow", lambda work: Fixture(
            work, sign_ms=SIGN_MS, token={"processes": 2, "threads": THREADS}))

    def crowd(self, many: int) -> Crowd:
        return self.get(f"crowd-{many}", lambda work: Crowd(work, many))


def ratio(rounds: list[Round], ours: str, theirs: str) -> list[float]:
    return [r[ours]["rate"] / r[theirs]["rate"] for r in rounds]


# ---- the rate, and what a request costs ---------------------------------------------------


def saturated(w: World) -> Kinds:
    full, unsynced, s = w.full(), w.unsynced(), w.seconds
    return {RAW: lambda r: raw(full.machine, s), RAW2: lambda r: raw(full.machine, s, 2),
            FULL: lambda r: agent(full, s, 64), X5U: lambda r: agent(full, s, 64, "x5u"),
            UNSYNCED: lambda r: agent(unsynced, s, 64)}


def beyond(rounds: list[Round], name: str) -> list[float]:
    return [r[name]["cpu_us"] - r[RAW2]["cpu_us"] for r in rounds]


def saturated_figures(rounds: list[Round]) -> dict[str, Figure]:
    return {
        "rate to raw, 64 connections": Figure(0.95, 1.1, ratio(rounds, FULL, RAW), True),
        "  x5u only": Figure(None, None, ratio(rounds, X5U, RAW), True),
        "  no audit sync": Figure(None, None, ratio(rounds, UNSYNCED, RAW), True),
        "CPU per request beyond raw, us": Figure(35, 15, beyond(rounds, FULL)),
        "  x5u only ": Figure(None, None, beyond(rounds, X5U)),
        "  no audit sync ": Figure(None, None, beyond(rounds, UNSYNCED)),
        "event loop's CPU per request, us": Figure(20, 10, [r[FULL]["loop_us"] for r in rounds]),
    }


# ---- latency ------------------------------------------------------------------------------


def latency(w: World) -> Kinds:
    full, s = w.full(), w.seconds
    return {RAW: lambda r: raw(full.machine, s), DISK: lambda r: disk(w.work.parent),
            ONE: lambda r: agent(full, s, 1)}


def latency_figures(rounds: list[Round]) -> dict[str, Figure]:
    return {"one connection: p50 beyond token or disk, us": Figure(60, 35, [
        r[ONE]["p50_us"] - max(r[RAW]["p50_us"], r[DISK]["p50_us"]) for r in rounds])}


def open_loop(w: World) -> Kinds:
    full, s = w.full(), w.seconds
    return {FULL: lambda r: agent(full, s, 64),
            OPEN: lambda r: agent(full, s, 64, rate=0.7 * r[FULL]["rate"])}


def open_figures(rounds: list[Round]) -> dict[str, Figure]:
    return {"p99 to p50 at 70 %, open loop": Figure(
        5, 3, [r[OPEN]["p99_us"] / r[OPEN]["p50_us"] for r in rounds])}


# ---- other tokens -------------------------------------------------------------------------


def slow(w: World) -> Kinds:
    a, s = w.slow(), w.seconds
    return {SLOW_RAW: lambda r: raw(a.machine, s, env=a.env, threads=2 * THREADS),
            SLOW: lambda r: agent(a, s, 128)}


def slow_figures(rounds: list[Round]) -> dict[str, Figure]:
    return {"3 ms a signature, 2 x 16, to raw with 32 threads": Figure(
        0.97, 0.99, ratio(rounds, SLOW, SLOW_RAW), True)}


def warm_up(crowd: Crowd, limit_s: float = 120) -> None:
    """Until every key has most likely signed in every process: its first signature is verified."""
    done, until = 0, time.monotonic() + limit_s
    while done < 4 * crowd.many and time.monotonic() < until:
        done += crowd.load(1, 64)["good"]


def keys(w: World) -> Kinds:
    many, alone, s = w.crowd(MANY_KEYS), w.crowd(1), w.seconds
    warm_up(many)
    return {RAW_ALONE: lambda r: raw(alone.machine, s), ALONE: lambda r: agent(alone, s, 64),
            RAW_MANY: lambda r: raw(many.machine, s, keys=MANY_KEYS),
            MANY: lambda r: agent(many, s, 64)}


def keys_figures(rounds: list[Round]) -> dict[str, Figure]:
    there, here = ratio(rounds, MANY, RAW_MANY), ratio(rounds, ALONE, RAW_ALONE)
    return {"10,000 keys: ratio to raw, to that with one key": Figure(
        0.9, 1, [a / b for a, b in zip(there, here)], True)}


# ---- a start, and a long run --------------------------------------------------------------


def starts(w: World) -> Kinds:
    return {f"start, {n:,} credentials": lambda r, n=n: start(w.crowd(n))
            for n in (FEW_KEYS, MANY_KEYS)}


def start_figures(rounds: list[Round]) -> dict[str, Figure]:
    few, many = ([r[f"start, {n:,} credentials"] for r in rounds] for n in (FEW_KEYS, MANY_KEYS))
    return {
        "start with 100: first ready, s": Figure(1, 0.5, [r["first_s"] for r in few]),
        "start with 10,000: first beyond the token's own, s": Figure(
            2, 0.5, [r["first_s"] - r["token_s"] for r in many]),
        "start with 10,000: all ready, s": Figure(15, 8, [r["all_s"] for r in many]),
    }


def sign_many(w: World, signatures: int) -> dict:
    """Until so many are signed; what is held after a tenth of them, and at the end."""
    full, done, first = w.full(), 0, None
    while done < signatures:
        done += full.load(10, 64)["good"]
        if first is None and done >= signatures / 10:
            first = {"signatures": done, **footprint(full)}
    return {"first": first, "last": {"signatures": done, **footprint(full)}}


def growth(run: dict) -> dict[str, Figure]:
    first, last = run["first"], run["last"]
    what = f"from {first['signatures']:,} to {last['signatures']:,} signatures"
    grown = {unit: sum(last[k] - first[k] for k in first if k.endswith(unit))
             for unit in ("kB", "fds")}
    held = sum(last[k] for k in last if k.endswith("kB"))
    return {f"{what}: resident memory grown, kB of {held}": Figure(held * 0.02, 0, [grown["kB"]]),
            f"{what}: descriptors more": Figure(0, 0, [grown["fds"]])}


# ---- others -------------------------------------------------------------------------------


def others(w: World) -> Kinds:
    full, s = w.full(), w.seconds
    rows: Kinds = {RAW: lambda r: raw(full.machine, s), RAW2: lambda r: raw(full.machine, s, 2),
                   FULL: lambda r: agent(full, s, 64)}
    if shutil.which("p11-kit") and peers.P11_CLIENT.exists():
        rows["p11-kit server, 2 clients"] = lambda r: peers.p11_kit(full.machine, s)
    if shutil.which("ssh-agent") and shutil.which("pkcs11-tool"):
        peers.make_ssh_key(full.machine)
        rows["ssh-agent, 1 client"] = lambda r: peers.ssh_agent(full.machine, s)
    if shutil.which("secsipidx"):
        rows["secsipidx, soft key, 64"] = lambda r: peers.secsipidx(full.machine.dir, s, 64)
    return rows


class Row(NamedTuple):
    kinds: Callable[[World], Kinds]
    figures: Callable[[list[Round]], dict[str, Figure]]
    what: str


ROWS = {
    "saturated": Row(saturated, saturated_figures, "rate and CPU with 64 connections; x5u only; "
                     "no audit sync"),
    "latency": Row(latency, latency_figures, "one connection"),
    "open": Row(open_loop, open_figures, "70 % of the saturated rate, open loop"),
    "slow": Row(slow, slow_figures, "a module with 3 ms a signature, 2 x 16"),
    "keys": Row(keys, keys_figures, "10,000 keys and credentials, 1,000,000 numbers"),
    "start": Row(starts, start_figures, "a start with 100 and with 10,000 credentials"),
    "peers": Row(others, lambda rounds: {}, "p11-kit server, ssh-agent, secsipidx"),
}


def run(kinds: Kinds, rounds: int) -> list[Round]:
    done = []
    for _ in range(rounds):
        results: Round = {}
        for name, measure in kinds.items():
            results[name] = measure(results)
        done.append(results)
    return done


def spread(values) -> dict:
    values = list(values)
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3),
            "max": round(max(values), 3)}
