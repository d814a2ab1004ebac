# Bad weather: a share of all requests fails, a share is answered wrongly.
"""Faults by probability and seed, counted by kind.

`faults` strikes where and as often as a test says; this strikes anywhere, as
an ecosystem on a bad day does.  Of as many requests as hold one that fails, one
is drawn, and so of those that are answered wrongly; of the kinds that are
possible at its endpoint it is the one that is furthest behind its share.  So a
short run has its share of all, too.
"""
from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

from .faults import Fault, FaultError

FAILS, WRONGS = "fails", "wrongs"

_TOKENS = ("token", "claims-token")
_OBJECTS = ("new-order", "order", "finalize", "authz", "challenge")
_POSTS = (*_OBJECTS, "certificate", "new-account")
_ALL = (*_POSTS, *_TOKENS, "directory", "new-nonce")
_BODIES = (*_OBJECTS, "certificate", "directory", *_TOKENS)

_MEMBERS = {"seed": (str, int), FAILS: (int, float), WRONGS: (int, float),
            "hang_ms": (int,), "retry_after": (int,)}

#: A wrong that only one endpoint has is drawn there this much more often than
#: one that all have: there are a dozen requests to a certificate.
_OWN = 5


@dataclass
class Kind:
    """One way to fail or to be wrong, where it is possible, and its account."""

    name: str
    part: str
    endpoints: tuple[str, ...]
    fault: dict[str, Any]
    weight: int = 1
    expected: float = field(default=0.0)
    struck: int = field(default=0)


def _kinds(retry_after: int, hang_ms: int) -> list[Kind]:
    def status(number: int, problem: str, **more: Any) -> dict[str, Any]:
        return {"action": "status", "status": number, "problem": problem, **more}

    found = [
        Kind("500", FAILS, _ALL, status(500, "serverInternal")),
        Kind("503", FAILS, _ALL, status(503, "serverInternal",
                                        retry_after=retry_after)),
        Kind("rateLimited", FAILS, _ALL, status(429, "rateLimited",
                                                retry_after=retry_after)),
        Kind("badNonce", FAILS, _POSTS, status(400, "badNonce")),
        Kind("reset", FAILS, _ALL, {"action": "reset"}),
        Kind("hung up", FAILS, _ALL, {"action": "drop"}),
        Kind("hung up when done", FAILS, _ALL, {"action": "drop-after"}),
        Kind("hung", FAILS, _ALL, {"action": "drop", "delay_ms": hang_ms}),
        Kind("truncated", WRONGS, _BODIES, {"action": "truncate"})]
    found += [Kind(action, WRONGS, _BODIES, {"action": action})
              for action in ("html", "half", "garbage", "empty")]
    for endpoints, names in (
            (("new-order", "authz", "order"), ("foreign-urls",)),
            (("new-order",), ("no-location",)),
            (("order", "finalize"), ("error",)),
            (("authz",), ("no-challenges", "other-identifier")),
            (_TOKENS, ("tkvalue", "fingerprint", "expired", "bad-signature",
                       "untrusted", "unregistered")),
            (("finalize",), ("other-key", "wider-tnauthlist",
                             "other-constraints", "missing-sct", "too-long",
                             "bad-signature")),
            (("certificate",), ("another",))):
        found += [Kind(f"{endpoints[0]}: {what}", WRONGS, endpoints,
                       {"action": "wrong", "what": what}, _OWN)
                  for what in names]
    return found


class Part:
    """Fails, or wrongs: one in each stretch of requests, anywhere in it."""

    def __init__(self, share: float, chance: random.Random) -> None:
        self.share, self._chance = share, chance
        self._sum, self._stretch = 0.0, 0
        self._next = chance.random()

    def passes(self) -> bool:
        """One more request; True when it is due to be struck, until struck()."""
        self._sum += self.share
        return self.share > 0 and self._sum >= self._next

    def struck(self) -> None:
        self._stretch += 1
        self._next = self._stretch + self._chance.random()


class Weather:
    """Fair until it is set; then until it is cleared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = threading.local()
        self._kinds: list[Kind] = []
        self._parts: dict[str, Part] = {}
        self._requests = 0
        self._seed: Any = None
        self._chance = random.Random()

    def set(self, found: Any) -> None:
        if not isinstance(found, dict) or not set(found) <= set(_MEMBERS):
            raise FaultError("members are " + ", ".join(sorted(_MEMBERS)))
        for name, value in found.items():
            if not isinstance(value, _MEMBERS[name]) \
                    or isinstance(value, bool) \
                    or not isinstance(value, str) and value < 0:
                raise FaultError(f"{name} is out of bounds")
        share = {part: float(found.get(part, 0)) for part in (FAILS, WRONGS)}
        if sum(share.values()) > 1:
            raise FaultError("more than all requests")
        with self._lock:
            self._requests, self._seed = 0, found.get("seed", 0)
            self._chance = random.Random(self._seed)
            self._parts = {name: Part(value, self._chance)
                           for name, value in share.items()}
            self._kinds = _kinds(found.get("retry_after", 2),
                                 found.get("hang_ms", 5000))

    def clear(self) -> dict:
        """Fair again; what it was like."""
        told = self.report()
        with self._lock:
            self._kinds, self._parts = [], {}
        return told

    def strike(self, endpoint: str) -> list[Fault]:
        """What befalls this request; a wrong answer is taken by wrongs()."""
        self._here.kind = None
        if not self._kinds or endpoint not in _ALL:
            return []
        with self._lock:
            kind = self._draw(endpoint)
            if kind is None:
                return []
            if kind.fault["action"] != "wrong":
                kind.struck += 1
            fault = Fault(0, endpoint, **self._bounded(kind.fault))
        self._here.kind = kind
        return [fault]

    def _draw(self, endpoint: str) -> Kind | None:
        self._requests += 1
        found = None
        for name, part in self._parts.items():
            able = [k for k in self._kinds
                    if k.part == name and endpoint in k.endpoints]
            if not able:
                continue
            total = sum(kind.weight for kind in able)
            for kind in able:
                kind.expected += part.share * kind.weight / total
            if part.passes() and found is None:
                part.struck()
                self._chance.shuffle(able)
                found = max(able, key=lambda k: k.expected - k.struck)
        return found

    def _bounded(self, fault: dict[str, Any]) -> dict[str, Any]:
        """The times of a template are the most."""
        found = dict(fault)
        for name, least in (("delay_ms", 100), ("retry_after", 1)):
            if name in found:
                found[name] = self._chance.randint(
                    least, max(least, found[name]))
        return found

    def wrongs(self, among: frozenset[str]) -> frozenset[str]:
        """The semantic wrong of this thread's request, if it is of these."""
        kind = getattr(self._here, "kind", None)
        if kind is None or kind.fault.get("what") not in among:
            return frozenset()
        with self._lock:
            kind.struck += 1
        self._here.kind = None
        return frozenset({kind.fault["what"]})

    def report(self) -> dict:
        with self._lock:
            return {"seed": self._seed, "requests": self._requests,
                    "shares": {n: p.share for n, p in self._parts.items()},
                    "kinds": [
                        {"kind": k.name, "part": k.part,
                         "expected": round(k.expected, 2), "struck": k.struck}
                        for k in self._kinds]}


def told(report: dict) -> str:
    """The report as people read it, a line a kind."""
    lines = [f"weather: {report['requests']} requests, seed {report['seed']}"]
    for part, share in report["shares"].items():
        kinds = [k for k in report["kinds"] if k["part"] == part]
        struck = sum(k["struck"] for k in kinds)
        lines.append(f"{part}: {struck} of {share:.1%} = "
                     f"{sum(k['expected'] for k in kinds):.0f}")
        lines += [f"  {k['kind']}: {k['struck']} of {k['expected']:.1f}"
                  for k in kinds]
    return "\n".join(lines)
