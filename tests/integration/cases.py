"""A tiny runner: named cases, one line each, a failure does not stop the rest."""

from __future__ import annotations

import sys
import textwrap
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


LOG_LINES = 40


class Cases:
    """logs: files of which a case that fails shows what was written while it ran."""

    def __init__(self, title: str, *logs: Path):
        self.title, self.failed, self.passed = title, [], 0
        self.logs = logs

    def case(self, name: str, function, *args, **more) -> None:
        began = time.monotonic()
        sizes = [path.stat().st_size if path.exists() else 0 for path in self.logs]
        try:
            function(*args, **more)
        except Exception as problem:  # noqa: BLE001 - every kind of failure is a failed case
            self.failed.append(name)
            print(f"not ok - {name}: {problem!r}", flush=True)
            self.show(sizes)
        else:
            self.passed += 1
            print(f"ok - {name} ({time.monotonic() - began:.2f} s)", flush=True)

    def show(self, sizes: list[int]) -> None:
        """Indented: what stands at the beginning of a line is what a reader looks for."""
        print(textwrap.indent(traceback.format_exc(), "\t"), end="", flush=True)
        for path, size in zip(self.logs, sizes):
            if path.exists():
                lines = path.read_bytes()[size:].decode(errors="replace").splitlines()
                print(f"\t---- {path.name}", *lines[-LOG_LINES:], sep="\n\t", flush=True)

    def refusal(self, name: str, function, machine, *args) -> None:
        """A case after which the signers have called C_Sign no more often than before."""
        def within() -> None:
            with machine.untouched():
                function(machine, *args)
        self.case(name, within)

    def finish(self) -> int:
        print(f"# {self.title}: {self.passed} ok, {len(self.failed)} not ok", *self.failed,
              sep="; ", flush=True)
        return 1 if self.failed else 0


def equal(got, want, what: str = "") -> None:
    if got != want:
        raise AssertionError(f"{what or 'value'}: got {got!r}, want {want!r}")


def true(value, what: str) -> None:
    if not value:
        raise AssertionError(what)
