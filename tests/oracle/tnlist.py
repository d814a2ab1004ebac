"""Telephone numbers and TNAuthList (RFC 8226 section 9, protocol.md section 1)."""

from __future__ import annotations

import der

DIGITS = "0123456789"
ALPHABET = DIGITS + "*#"
SEPARATORS = "-.() "
ENTRIES_MAX = 4096


def canonical(text: str) -> str | None:
    """RFC 8224 section 8.3 without guessing (protocol.md 1.3); None: no number."""
    if text.startswith("+"):
        text = text[1:]
    kept = [c for c in text if c not in SEPARATORS]
    if not 1 <= len(kept) <= 15 or any(c not in ALPHABET for c in kept):
        return None
    return "".join(kept)


def _number(value: bytes) -> str:
    text = der.ia5(value)
    if not 1 <= len(text) <= 15 or any(c not in ALPHABET for c in text):
        raise der.DerError("no TelephoneNumber")
    return text


def _range(value: bytes) -> tuple[str, int]:
    parts = der.items(value)
    if len(parts) < 2 or parts[0][0] != der.IA5 or parts[1][0] != der.INTEGER:
        raise der.DerError("no TelephoneNumberRange")
    start = _number(parts[0][1])
    count = der.integer(parts[1][1])
    if count < 2 or any(c not in DIGITS for c in start):
        raise der.DerError("count < 2, or a count without digits")
    if int(start) + count >= 10 ** len(start):  # D-03: to all nines, too
        raise der.DerError("range leaves its number of digits")
    return start, count  # further components are legal (D-04)


class TNList:
    def __init__(self, spcs: list[str], spans: list[tuple[int, int, int]], special: set[str]):
        self.spcs, self.spans, self.special = spcs, spans, special

    @property
    def has_numbers(self) -> bool:
        return bool(self.spans or self.special)

    def inside(self, other: "TNList") -> bool:
        """Every number of this list is in the other, whose ranges join."""
        merged: list[list[int]] = []
        for length, low, high in sorted(other.spans):
            if merged and merged[-1][0] == length and low <= merged[-1][2] + 1:
                merged[-1][2] = max(high, merged[-1][2])
            else:
                merged.append([length, low, high])
        return self.special <= other.special and all(
            any(length == size and start <= low and high <= end for size, start, end in merged)
            for length, low, high in self.spans)

    def covers(self, number: str) -> bool:
        """Entries add up (D-55); length and value are the key; * and # are letters (D-02)."""
        if number in self.special:
            return True
        if any(c not in DIGITS for c in number):
            return False
        size, value = len(number), int(number)
        return any(size == length and low <= value <= high
                   for length, low, high in self.spans)


def decode(octets: bytes) -> TNList:
    spcs, spans, special = [], [], set()
    entries = der.items(der.only(octets, der.SEQUENCE))
    if not entries:
        raise der.DerError("empty list")
    if len(entries) > ENTRIES_MAX:
        raise der.DerError("too many entries")
    for tag, value in entries:
        if tag == 0xA0:
            spc = der.ia5(der.only(value, der.IA5))
            if not spc:
                raise der.DerError("empty SPC")  # D-06
            spcs.append(spc)
        elif tag == 0xA1:
            start, count = _range(der.only(value, der.SEQUENCE))
            spans.append((len(start), int(start), int(start) + count - 1))
        elif tag == 0xA2:
            number = _number(der.only(value, der.IA5))
            if all(c in DIGITS for c in number):
                spans.append((len(number), int(number), int(number)))
            else:
                special.add(number)
        else:
            raise der.DerError("unknown entry")
    return TNList(spcs, spans, special)
