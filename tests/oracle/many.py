"""What both comparisons share: families side by side, what is counted and has
to hold of the counts, and how a disagreement is told.

ORACLE_SEED, ORACLE_WORKERS and ORACLE_FAMILY; a family is made from seed and
index alone, ORACLE_FAMILY=n makes that one again.
"""

from __future__ import annotations

import collections
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import oracle

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("top_builddir", ".")).resolve()
SANITIZED = os.environ.get("SANITIZER", "no") != "no"
SEED = os.environ.get("ORACLE_SEED") or str(int(time.time()))
WORKERS = int(os.environ.get("ORACLE_WORKERS", 2))
PAIRS_PER_FAMILY = 40
SHOWN = 10  # disagreements that are printed and written


class Program:
    """One of this folder that answers a line for each record."""

    def __init__(self, name: str):
        self.name = name
        self.process = subprocess.Popen([BUILD / "tests/oracle" / name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def put(self, octets: bytes) -> None:
        self.process.stdin.write(octets)

    def flush(self) -> None:
        self.process.stdin.flush()

    def line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has ended: {self.process.wait(60)}")
        return line.decode("utf-8", "replace").rstrip("\n")

    def close(self) -> None:
        self.process.stdin.close()
        if self.process.wait(60) != 0:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}")


def _counter():
    return field(default_factory=collections.Counter)


@dataclass
class Found:
    """What one worker, or all of them, have seen."""
    reasons: collections.Counter = _counter()
    names: collections.Counter = _counter()  # of changes
    watched: collections.Counter = _counter()
    wrong: list = field(default_factory=list)
    sample: list = field(default_factory=list)

    def take(self, other: "Found") -> None:
        for mine, others in ((self.reasons, other.reasons), (self.names, other.names),
                             (self.watched, other.watched)):
            mine.update(others)
        self.wrong += other.wrong
        self.sample += other.sample


def _work(look, indexes: range, out) -> None:
    try:
        out.put(look(indexes))
    except BaseException as problem:
        out.put(f"{type(problem).__name__}: {problem}")
        raise


def run(look, families: range) -> Found:
    """look(indexes) is a worker's Found."""
    queue = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=_work, args=(look, families[i::WORKERS], queue))
               for i in range(WORKERS)]
    for worker in workers:
        worker.start()
    parts = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    if any(isinstance(part, str) for part in parts):
        raise SystemExit("\n".join(part for part in parts if isinstance(part, str)))
    found = Found()
    for part in parts:
        found.take(part)
    return found


# ---- one of the comparisons --------------------------------------------------------------

@dataclass
class Contest:
    pairs: int
    what: str  # "pairs", "requests"
    reasons: list  # each of them has to come up
    look: object  # indexes of families: Found
    replay: object  # say: everything that was once wrong
    explain: object  # a disagreement: its text, and the case that is kept of it
    least: int  # of each reason, in 100,000
    few: int = 0  # below that many pairs the reasons are only counted
    further: object = None  # say, Found


def _families(count: int) -> range:
    if "ORACLE_FAMILY" in os.environ:
        only = int(os.environ["ORACLE_FAMILY"])
        return range(only, only + 1)
    return range(max(1, -(-count // PAIRS_PER_FAMILY)))


def _print_counts(found: Found) -> None:
    for what, counts in (("", found.reasons), ("  by ", found.names),
                         ("  observed ", found.watched)):
        for name, n in sorted(counts.items()):
            print(f"#   {what}{name} {n}")


def _report(c: Contest, wrong: list) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oracle-wrong-"))
    kinds = {}
    for a in wrong:
        kinds.setdefault((a.name, a.verdict(), a.got.partition("\t")[0]), []).append(a)
    for number, rows in enumerate(list(kinds.values())[:SHOWN]):
        text, case = c.explain(rows[0])
        print(f"# {len(rows)} times, first in family {rows[0].family}, "
              f"{rows[0].name or 'unchanged'}: {text}")
        (folder / f"{number}-{rows[0].name}.json").write_text(
            json.dumps({"why": "", **case}, indent=1) + "\n")
    print(f"# written to {folder}")


def _judge_counts(c: Contest, found: Found, total: int, say) -> None:
    share = 100 * found.reasons[oracle.ALLOW] / total
    say(total >= c.pairs and 30 <= share <= 70, f"{total} {c.what}, {share:.1f} % allowed")
    rarest = min(c.reasons, key=lambda reason: found.reasons[reason])
    text = (f"each of {len(c.reasons)} reasons comes up, the rarest is {rarest} with "
            f"{found.reasons[rarest]}")
    if c.pairs < c.few:
        print(f"# {text}")
    else:
        say(found.reasons[rarest] * 100000 >= c.least * c.pairs, text)


def hold(c: Contest) -> int:
    """All of it; the exit status."""
    failed = 0

    def say(good: bool, text: str) -> None:
        nonlocal failed
        failed += not good
        print(f"{'ok' if good else 'not ok'} - {text}", flush=True)

    began, families = time.monotonic(), _families(c.pairs)
    print(f"# ORACLE_SEED={SEED} ORACLE_PAIRS={c.pairs}", flush=True)
    c.replay(say)
    found = run(c.look, families)
    total = sum(found.reasons.values())
    _print_counts(found)
    if found.wrong:
        _report(c, found.wrong)
    say(not found.wrong, f"oracle and agent agree on {total - len(found.wrong)} of {total} {c.what}")
    if len(families) > 1:
        _judge_counts(c, found, total, say)
    if c.further:
        c.further(say, found)
    print(f"# {time.monotonic() - began:.1f} s", flush=True)
    return 1 if failed else 0
