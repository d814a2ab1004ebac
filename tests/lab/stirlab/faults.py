# Injected faults: which endpoint fails, how, and how often.
"""The plan of faults that tests set through the control endpoint."""
from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Callable

ACTIONS = ("status", "delay", "drop", "drop-after", "reset", "truncate", "half",
           "garbage", "empty", "html", "wrong")

_MEMBERS = {"endpoint", "action", "status", "problem", "detail",
            "retry_after", "delay_ms", "count", "skip", "what", "match"}


class FaultError(ValueError):
    """A rule that cannot be understood."""


@dataclass
class Fault:
    """One rule: `count` None means until it is removed."""

    number: int
    endpoint: str
    action: str
    status: int = 500
    problem: str = "serverInternal"
    detail: str = "fault injected by the lab"
    retry_after: Any = None
    delay_ms: int = 0
    count: int | None = None
    skip: int = 0
    what: str = ""
    match: str = ""
    hits: int = field(default=0)

    def as_json(self) -> dict:
        return dict(vars(self))


class FaultPlan:
    """All rules in force, in the order they were set."""

    def __init__(self, more: Callable[[frozenset[str]], frozenset[str]]
                 = lambda _: frozenset()) -> None:
        """`more`: further wrongs of the present request, of those asked about."""
        self._more = more
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._next = 1

    def add(self, found: Any, known: dict[str, frozenset[str]]) -> Fault:
        """Adds a rule; `known` maps endpoints to their semantic wrongs."""
        if not isinstance(found, dict) or not set(found) <= _MEMBERS:
            raise FaultError("members are " + ", ".join(sorted(_MEMBERS)))
        endpoint, action = found.get("endpoint"), found.get("action")
        if not isinstance(endpoint, str) or endpoint not in {*known, "*"}:
            raise FaultError(f"unknown endpoint {endpoint!r}; known: "
                             + ", ".join(sorted(known)))
        if action not in ACTIONS:
            raise FaultError("actions are " + ", ".join(ACTIONS))
        if action == "wrong" and (
                endpoint == "*"
                or str(found.get("what")) not in known[endpoint]):
            raise FaultError(f"wrongs of {endpoint}: " + ", ".join(
                sorted(known.get(endpoint, ()))))
        for name, low, high in (("status", 100, 599), ("delay_ms", 0, 600000),
                                ("count", 1, 10**9), ("skip", 0, 10**9)):
            value = found.get(name)
            if value is not None and (
                    not isinstance(value, int) or isinstance(value, bool)
                    or not low <= value <= high):
                raise FaultError(f"{name} is out of bounds")
        for name in ("problem", "detail", "what", "match"):
            if not isinstance(found.get(name, ""), str):
                raise FaultError(f"{name} is not a string")
        with self._lock:
            rule = Fault(number=self._next, **found)
            self._next += 1
            self._rules.append(rule)
        return rule

    def take(self, endpoint: str, path: str = "") -> list[Fault]:
        """Transport rules that strike this request, delays first."""
        return sorted(self._strike(endpoint, path, wrong=False),
                      key=lambda rule: rule.action != "delay")

    def wrongs(self, endpoint: str, path: str,
               among: frozenset[str]) -> frozenset[str]:
        """Semantic wrongs that strike this answer, of those asked about."""
        return self._more(among) | frozenset(rule.what for rule in self._strike(
            endpoint, path, wrong=True, among=among))

    def _strike(self, endpoint: str, path: str, wrong: bool,
                among: frozenset[str] = frozenset()) -> list[Fault]:
        struck = []
        if not self._rules:
            return struck
        with self._lock:
            for rule in list(self._rules):
                if (rule.action == "wrong") != wrong \
                        or rule.endpoint not in (endpoint, "*") \
                        or (wrong and rule.what not in among) \
                        or (rule.match and rule.match not in path):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.hits += 1
                if rule.count is not None:
                    rule.count -= 1
                    if rule.count == 0:
                        self._rules.remove(rule)
                struck.append(rule)
                if rule.action not in ("delay", "wrong"):
                    break
        return struck

    def clear(self, number: int | None = None) -> int:
        with self._lock:
            before = len(self._rules)
            self._rules = [r for r in self._rules
                           if number is not None and r.number != number]
            return before - len(self._rules)

    def as_json(self) -> list[dict]:
        with self._lock:
            return [rule.as_json() for rule in self._rules]
