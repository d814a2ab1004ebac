#!/usr/bin/python3
"""tests/bench/decisions runs, and a decision costs what docs/PERFORMANCE.md promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BUILD = Path(os.environ.get("top_builddir", "."))
JUDGED = os.environ.get("SANITIZER", "no") == "no" and "VESPER_SLOW" not in os.environ
MOST_NS = 10_000  # a shaken request under five constraints
PARTS_NS = 50_000  # fifty parts of a claim, each with a long list: once 65,000, now 12,000
DECISIONS = {("decision, shaken", 1, n) for n in (0, 5, 50)} | {
    ("decision, base", entries, n) for entries in (1, 4000) for n in (0, 5, 50)} | {
    ("decision, parts", 1, n) for n in (5, 50)}


def main() -> int:
    done = subprocess.run([BUILD / "tests/bench/decisions", "--json", "--tenants", "100",
                           "--certificates", "10"], capture_output=True, check=False, timeout=600)
    if done.returncode != 0:
        print(f"not ok - decisions ended with {done.returncode}: {done.stderr.decode()}")
        return 1
    cost = {(r["what"], r["entries"], r["constraints"]): r["ns"] for r in json.loads(done.stdout)}
    missing = DECISIONS - cost.keys()
    print(f"{'not ok' if missing else 'ok'} - a cost for every kind {sorted(missing) or ''}")
    ns = cost.get(("decision, shaken", 1, 5), MOST_NS)
    slow = JUDGED and ns >= MOST_NS
    print(f"{'not ok' if slow else 'ok'} - a shaken request under five constraints: {ns} ns")
    parts = cost.get(("decision, parts", 1, 50), PARTS_NS)
    dear = JUDGED and parts >= PARTS_NS
    print(f"{'not ok' if dear else 'ok'} - fifty parts under lists of values: {parts} ns")
    return 1 if missing or slow or dear else 0


if __name__ == "__main__":
    sys.exit(main())
