# TNAuthorizationList (RFC 8226 section 9): codec and set algebra.
"""What a certificate may sign, as a list of codes, ranges and numbers.

The module tagging of RFC 8226 is EXPLICIT, so that a choice is a constructed
context tag around the full inner element.
"""
from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import Iterable, Iterator

from . import der

OID = "1.3.6.1.5.5.7.1.26"

#: id-ad-stirTNList (RFC 8226 section 10.1).
OID_LIST = "1.3.6.1.5.5.7.48.14"

_NUMBER = re.compile(r"[0-9#*]{1,15}\Z")
_DIGITS = re.compile(r"[0-9]{1,15}\Z")


@dataclass(frozen=True)
class Entry:
    """One TNEntry: `spc`, or `start` with `count` (1 for a single number)."""

    spc: str | None = None
    start: str = ""
    count: int = 1

    def numbers(self) -> Iterator[str]:
        width = len(self.start)
        if self.count == 1:
            yield self.start
            return
        first = int(self.start)
        for value in range(first, first + self.count):
            yield f"{value:0{width}d}"

    def as_json(self) -> dict:
        if self.spc is not None:
            return {"spc": self.spc}
        if self.count == 1:
            return {"one": self.start}
        return {"range": {"start": self.start, "count": self.count}}


def _inside(spans: list[tuple[int, int]], first: int, last: int) -> bool:
    """Whether one of the sorted, merged spans holds first to last."""
    index = bisect.bisect_right(spans, first, key=lambda span: span[0]) - 1
    return index >= 0 and last <= spans[index][1]


def _check_range(start: str, count: int) -> None:
    if not _DIGITS.match(start):
        raise der.DerError("a range starts with digits only")
    if count < 2:
        raise der.DerError("count of a range is at least 2")
    if int(start) + count >= 10 ** len(start):
        raise der.DerError("start + count reaches beyond the digits of start"
                           " (RFC 8226 section 9)")


class TNAuthList:
    """An ordered list of entries and the set of numbers they stand for."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)

    @classmethod
    def decode(cls, data: bytes) -> "TNAuthList":
        """Strict DER; an unknown choice makes the value undecodable."""
        reader = der.whole(data, der.SEQUENCE, "TNAuthorizationList")
        entries = []
        while not reader.at_end():
            tag, contents = reader.any()
            inner = der.Reader(contents)
            if tag == der.explicit(0):
                code = der.ia5(inner.take(der.IA5_STRING, "spc"), "spc")
                if not code:
                    raise der.DerError("empty service provider code")
                entries.append(Entry(spc=code))
            elif tag == der.explicit(1):
                fields = der.Reader(inner.take(der.SEQUENCE, "range"))
                start = der.ia5(fields.take(der.IA5_STRING, "start"), "start")
                raw = fields.take(der.INTEGER, "count")
                if len(raw) > 8:
                    raise der.DerError("count is out of bounds")
                count = der.integer(raw)
                while not fields.at_end():
                    fields.any()  # extension marker of TelephoneNumberRange
                _check_range(start, count)
                entries.append(Entry(start=start, count=count))
            elif tag == der.explicit(2):
                number = der.ia5(inner.take(der.IA5_STRING, "one"), "one")
                if not _NUMBER.match(number):
                    raise der.DerError("not a telephone number of RFC 8226")
                entries.append(Entry(start=number))
            elif tag in (0x80, 0x81, 0x82):
                raise der.DerError("choice is tagged IMPLICIT, the module of"
                                   " RFC 8226 is EXPLICIT")
            else:
                raise der.DerError(f"unknown choice {tag:#04x}")
            inner.end("TNEntry")
        if not entries:
            raise der.DerError("TNAuthorizationList is empty")
        return cls(entries)

    @classmethod
    def from_config(cls, items: Iterable[object]) -> "TNAuthList":
        """Entries as people write them: "1202…", {"start","count"}, {"spc"}."""
        entries = []
        for item in items:
            if isinstance(item, str):
                if not _NUMBER.match(item):
                    raise ValueError(f"not a telephone number: {item!r}")
                entries.append(Entry(start=item))
            elif isinstance(item, dict) and set(item) == {"spc"}:
                entries.append(Entry(spc=str(item["spc"])))
            elif isinstance(item, dict) and set(item) == {"start", "count"}:
                start, count = str(item["start"]), int(item["count"])
                if count > 1:
                    _check_range(start, count)
                entries.append(Entry(start=start, count=count))
            else:
                raise ValueError(f"not an entry of a number list: {item!r}")
        return cls(entries)

    def encode(self) -> bytes:
        parts = []
        for entry in self.entries:
            if entry.spc is not None:
                parts.append(der.tlv(der.explicit(0), der.write_ia5(entry.spc)))
            elif entry.count == 1:
                parts.append(der.tlv(der.explicit(2), der.write_ia5(entry.start)))
            else:
                parts.append(der.tlv(der.explicit(1), der.tlv(
                    der.SEQUENCE, der.write_ia5(entry.start),
                    der.write_integer(entry.count))))
        return der.tlv(der.SEQUENCE, *parts)

    @property
    def spcs(self) -> tuple[str, ...]:
        return tuple(e.spc for e in self.entries if e.spc is not None)

    @property
    def has_numbers(self) -> bool:
        return any(e.spc is None for e in self.entries)

    def number_count(self) -> int:
        return sum(e.count for e in self.entries if e.spc is None)

    def numbers(self) -> Iterator[str]:
        for entry in self.entries:
            if entry.spc is None:
                yield from entry.numbers()

    def _intervals(self) -> dict[int, list[tuple[int, int]]]:
        """Merged [first, last] intervals by number of digits."""
        found: dict[int, list[tuple[int, int]]] = {}
        for entry in self.entries:
            if entry.spc is None and entry.start.isdigit():
                first = int(entry.start)
                found.setdefault(len(entry.start), []).append(
                    (first, first + entry.count - 1))
        for width, spans in found.items():
            merged: list[tuple[int, int]] = []
            for first, last in sorted(spans):
                if merged and first <= merged[-1][1] + 1:
                    merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
                else:
                    merged.append((first, last))
            found[width] = merged
        return found

    def _literals(self) -> set[str]:
        """Numbers with dial-pad characters, which are literal (RFC 8226)."""
        return {e.start for e in self.entries
                if e.spc is None and not e.start.isdigit()}

    def covers(self, number: str) -> bool:
        """Whether a canonical number is in the list; codes cover none."""
        if not number.isdigit():
            return number in self._literals()
        value = int(number)
        return _inside(self._intervals().get(len(number), []), value, value)

    def within(self, other: "TNAuthList") -> bool:
        """Subset of another list (RFC 9060 section 4): numbers and codes."""
        if not set(self.spcs) <= set(other.spcs):
            return False
        if not self._literals() <= other._literals():
            return False
        outer = other._intervals()
        return all(_inside(outer.get(width, []), first, last)
                   for width, spans in self._intervals().items()
                   for first, last in spans)

    def as_json(self) -> list[dict]:
        return [entry.as_json() for entry in self.entries]
