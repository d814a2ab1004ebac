"""A tiny runner: named cases, one line each, a failure does not stop the rest."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


class Cases:
    def __init__(self, title: str):
        self.title, self.failed, self.passed = title, [], 0

    def case(self, name: str, function, *args, **more) -> None:
        began = time.monotonic()
        try:
            function(*args, **more)
        except Exception as problem:  # noqa: BLE001 - every kind of failure is a failed case
            self.failed.append(name)
            print(f"not ok - {name}: {problem!r}", flush=True)
            traceback.print_exc(file=sys.stdout)
        else:
            self.passed += 1
            print(f"ok - {name} ({time.monotonic() - began:.2f} s)", flush=True)

    def refusal(self, name: str, function, machine, *args) -> None:
        """A case after which the signers have called C_Sign no more often than before."""
        def within() -> None:
            with machine.untouched():
                function(machine, *args)
        self.case(name, within)

    def finish(self) -> int:
        print(f"# {self.title}: {self.passed} ok, {len(self.failed)} not ok", flush=True)
        return 1 if self.failed else 0


def equal(got, want, what: str = "") -> None:
    if got != want:
        raise AssertionError(f"{what or 'value'}: got {got!r}, want {want!r}")


def true(value, what: str) -> None:
    if not value:
        raise AssertionError(what)
