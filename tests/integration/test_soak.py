"""Many credentials with short lives, for a long time, while others have a bad day.

The lab fails a share of the requests, answers a share wrongly, and in the middle it is killed and
away for a while.  No credential may be without a certificate in force, none may be in force that
fails a check, and every request is signed; judged from outside (soak_watch.py).

    SOAK_CREDENTIALS=40  SOAK_LIFE_S=60  SOAK_SECONDS=32  SOAK_DOWN_S=3
    SOAK_RATE=50         signatures a second, beside one a second for every tenant
    SOAK_FAILS=0.10      SOAK_WRONGS=0.06
    SOAK_SEED=…          of the faults and of the callers (printed)
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter

from audit_check import stop_and_check
from cases import Cases, equal, true
from soak_watch import Callers, Seen, Watcher, world_of
from world import process
from world.machine import TOP, Machine, end

SLOW = 1 if os.environ.get("SANITIZER", "no") == "no" else 2
CREDENTIALS = int(os.environ.get("SOAK_CREDENTIALS", "40"))
LIFE_S = int(os.environ.get("SOAK_LIFE_S", str(60 * SLOW)))
SECONDS = float(os.environ.get("SOAK_SECONDS", str(32 * SLOW)))
DOWN_S = float(os.environ.get("SOAK_DOWN_S", str(3 * SLOW)))
RATE = float(os.environ.get("SOAK_RATE", "50"))
FAILS = float(os.environ.get("SOAK_FAILS", "0.10"))
WRONGS = float(os.environ.get("SOAK_WRONGS", "0.06"))
SEED = os.environ.get("SOAK_SEED") or str(random.SystemRandom().randrange(10**9))
FIRST = 12025600000
READY_S = 600
BACKDATE_S = 1
POOLED = 4  # kinds of which fewer are expected are judged together


def lab_config() -> dict:
    """Accounts that may have every number; the moments of renewal are the agent's own."""
    config = json.loads((TOP / "tests/lab/lab-example.json").read_text())
    config["number_authority"]["accounts"]["acme"]["numbers"] = [
        {"start": str(FIRST), "count": CREDENTIALS}]
    config["ca"].update({"backdate": BACKDATE_S, "lifetime": {"delegate": LIFE_S}, "ari": {"enabled": False}})
    return config


# ---- the lab's bad day ------------------------------------------------------------


class Weather:
    """What the lab did, added up over its lives."""

    def __init__(self, machine: Machine):
        self.machine, self.lives, self.kinds = machine, 0, {}

    def begin(self) -> None:
        self.machine.control("POST", "/weather", {
            "seed": f"{SEED}-{self.lives}", "fails": FAILS, "wrongs": WRONGS,
            "hang_ms": min(10000, LIFE_S * 1000 // 60), "retry_after": 2})

    def end(self) -> None:
        self.lives += 1
        for kind in self.machine.control("DELETE", "/weather")["kinds"]:
            sums = self.kinds.setdefault((kind["part"], kind["kind"]), Counter())
            sums.update(expected=kind["expected"], struck=kind["struck"])

    def outage(self) -> None:
        """Killed, and away."""
        self.end()
        end(self.machine.lab, signal.SIGKILL)
        time.sleep(DOWN_S)
        self.machine.start_lab()
        self.begin()

    def tell(self) -> None:
        for part in ("fails", "wrongs"):
            rows = {name: k for (p, name), k in self.kinds.items() if p == part}
            print(f"# the lab {part}: {sum(k['struck'] for k in rows.values())}, "
                  f"{sum(k['expected'] for k in rows.values()):.0f} expected: " + ", ".join(
                      f"{name} {k['struck']}/{k['expected']:.1f}" for name, k in rows.items()),
                  flush=True)

    def judged(self) -> None:
        """No kind below half its share."""
        few = {n: k for n, k in self.kinds.items() if k["expected"] < POOLED}
        many = {n: k for n, k in self.kinds.items() if k["expected"] >= POOLED}
        many["those with few"] = sum(few.values(), Counter())
        low = {n: dict(k) for n, k in many.items() if k["struck"] < k["expected"] / 2}
        equal(low, {}, "kinds below half of their share")
        true(len(many) > 1, "too few requests to say anything")


# ---- what it costs ------------------------------------------------------------------


class Cost:
    """Processor and memory of each role, between two moments."""

    def __init__(self, machine: Machine):
        self.machine, self.began = machine, time.monotonic()
        self.before = self.now()

    def now(self) -> dict[str, float]:
        return {role: sum(process.cpu_s(p) for p in pids)
                for role, pids in process.roles(self.machine.agent.pid).items()}

    def tell(self) -> None:
        took, after = time.monotonic() - self.began, self.now()
        print("# processor: " + ", ".join(
            f"{role} {(after[role] - self.before.get(role, 0)) / took:.1%}"
            for role in sorted(after)), flush=True)
        roles = process.roles(self.machine.agent.pid)
        print("# memory, most: " + ", ".join(
            f"{role} " + "+".join(process.status_field(p, "VmHWM") for p in pids)
            for role, pids in sorted(roles.items())), flush=True)


def tell_renewals(left: list[tuple[float, str, float]], seconds: float) -> None:
    most = Counter(int(at) // 10 for at, *_ in left)
    sizes = sorted(s for *_, s in left)
    print(f"# {len(left)} renewals, {len(left) / seconds:.3f} a second, "
          f"{max(most.values(), default=0) / 10} in the fullest ten", flush=True)
    if sizes:
        print(f"# life left at a renewal: worst {sizes[0]:.1f} s of {LIFE_S}, one in a hundred "
              f"{sizes[len(sizes) // 100]:.1f} s, middle {sizes[len(sizes) // 2]:.1f} s", flush=True)


def tell_agent(machine: Machine) -> None:
    """How often it was refused something, by what it says itself."""
    refused, log = Counter(), Counter()
    for path in (machine.dir / "audit").glob("audit-*.jsonl"):
        with open(path, encoding="utf-8") as lines:
            refused.update(json.loads(line)["reason"] for line in lines
                           if '"install_refused"' in line)
    for line in (machine.dir / "vesperd.log").read_text(errors="replace").splitlines():
        for event in ("renewal_refused", "renewal_delayed", "ca_failed"):
            if f"event={event} " in line:
                log[f"{event} {line.partition('reason=')[2].partition(' ')[0]}"] += 1
    print(f"# certificates refused: {dict(refused)}", flush=True)
    print("# " + ", ".join(f"{what} {n}" for what, n in sorted(log.items())), flush=True)


# ---- the run ---------------------------------------------------------------------------


def soak(machine: Machine, numbers: dict[str, str]) -> tuple[Weather, Seen, Seen]:
    world = world_of(machine, numbers, LIFE_S, BACKDATE_S, SEED)
    watcher, callers = Watcher(world), Callers(world, RATE)
    cost, weather, began = Cost(machine), Weather(machine), time.monotonic()
    weather.begin()
    time.sleep((SECONDS - DOWN_S) / 2)
    weather.outage()
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    weather.end()
    cost.tell()
    watched, called = watcher.end(), callers.end()
    print(f"# {called.good / SECONDS:.1f} of {RATE:g} calls a second", flush=True)
    print(f"# {time.monotonic() - began:.0f} s: {called.good} + {watched.good} signatures good, "
          f"{watched.leaves} certificates; {watched.rounds} looks at every tenant, the longest "
          f"pause {watched.pause_s:.2f} s", flush=True)
    tell_renewals(watched.left_s, SECONDS)
    weather.tell()
    tell_agent(machine)
    return weather, watched, called


def judge(cases: Cases, numbers: dict[str, str], weather: Weather, watched: Seen,
          called: Seen) -> None:
    cases.case("the lab was as bad as it was to be", weather.judged)
    cases.case("no credential was without a certificate in force", equal, watched.lapsed[:5], [],
               f"{len(watched.lapsed)} lapses")
    for who, seen in (("watcher", watched), ("callers", called)):
        cases.case(f"{who}: every request was signed, rightly, under a certificate that passes",
                   equal, (seen.wrong, dict(seen.refused)), ([], {}), f"{seen.wrongs} wrong")
    # How fast is the machine's business, and printed; that they called all the time is the test's.
    cases.case("the callers called all the time", true, called.good >= 0.1 * RATE * SECONDS,
               f"{called.good} signatures")
    cases.case("every tenant was looked at again and again", true,
               watched.rounds >= max(2, SECONDS / 10), f"{watched.rounds} rounds")
    renewed = {tenant for _, tenant, _ in watched.left_s}
    # Each is due at three quarters of its life at the latest.
    if SECONDS >= LIFE_S:
        cases.case("every credential was renewed", equal, sorted(set(numbers) - renewed), [])
    cases.case("there were renewals enough", true, len(watched.left_s) >= CREDENTIALS * max(
        0.5, int(SECONDS / LIFE_S)), f"{len(watched.left_s)}")


def main() -> int:
    print(f"# SOAK_SEED={SEED} SOAK_CREDENTIALS={CREDENTIALS} SOAK_LIFE_S={LIFE_S} "
          f"SOAK_SECONDS={SECONDS:g} SOAK_DOWN_S={DOWN_S:g} SOAK_RATE={RATE:g} "
          f"SOAK_FAILS={FAILS:g} SOAK_WRONGS={WRONGS:g}", flush=True)
    cases = Cases("soak")
    numbers = {f"t{i:03d}": str(FIRST + i) for i in range(CREDENTIALS)}
    with Machine(lab_config=lab_config()) as machine:
        began = time.monotonic()
        machine.start(lambda m: {name: m.enterprise(name, (number,))
                                 for name, number in numbers.items()},
                      wait=False, request_timeout_ms=30000)
        machine.wait_ready(*numbers, timeout=READY_S)
        print(f"# ready after {time.monotonic() - began:.1f} s", flush=True)
        judge(cases, numbers, *soak(machine, numbers))
        stop_and_check(machine, cases)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
