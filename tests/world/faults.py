"""The control file of the fault-injecting PKCS#11 module (tests/fault/switches.h)."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

TEXT, TEXT_LEN = 16, 4080
RULES, RULE_MAX = TEXT + TEXT_LEN, 16
PINS, PIN_MAX = RULES + 16 * RULE_MAX, 16
COUNTERS = PINS + 24 * PIN_MAX  # odd_digests, signatures, errors
CALLS, FUNCTIONS = COUNTERS + 24, 80
NAMES, NAME_LEN = CALLS + 8 * FUNCTIONS, 32
SIZE = NAMES + NAME_LEN * FUNCTIONS


def fnv1a(text: str) -> int:
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


class Switches:
    def __init__(self, path: Path):
        path.write_bytes(bytes(SIZE))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def number(self, at: int) -> int:
        return struct.unpack_from("<Q", self.map, at)[0]

    def set(self, *rules: str) -> None:
        """These rules from the next call on; none: no fault."""
        text = "\n".join(rules).encode()
        if len(text) >= TEXT_LEN or len(rules) > RULE_MAX:
            raise ValueError("too many rules")
        serial = self.number(8)
        struct.pack_into("<Q", self.map, 8, serial + 1)
        self.map[TEXT:TEXT + TEXT_LEN] = text.ljust(TEXT_LEN, b"\0")
        self.map[RULES:PINS] = bytes(PINS - RULES)
        struct.pack_into("<Q", self.map, 8, serial + 2)

    def loaded(self) -> bool:
        return self.map[:8] == b"p11fault"

    def fired(self) -> int:
        """Calls that the rules changed since they were set."""
        return sum(self.fired_by(i) for i in range(RULE_MAX))

    def fired_by(self, rule: int) -> int:
        return self.number(RULES + 16 * rule + 8)

    def pin(self, pin: str) -> tuple[int, int]:
        """How often this PIN was given to C_Login, and how often refused."""
        for i in range(PIN_MAX):
            if self.number(PINS + 24 * i) == fnv1a(pin):
                return self.number(PINS + 24 * i + 8), self.number(PINS + 24 * i + 16)
        return 0, 0

    @property
    def odd_digests(self) -> int:
        return self.number(COUNTERS)

    @property
    def signatures(self) -> int:
        return self.number(COUNTERS + 8)

    @property
    def errors(self) -> int:
        return self.number(COUNTERS + 16)

    def calls(self, function: str) -> int:
        for i in range(FUNCTIONS):
            name = self.map[NAMES + NAME_LEN * i:NAMES + NAME_LEN * (i + 1)].rstrip(b"\0")
            if name == function.encode():
                return self.number(CALLS + 8 * i)
        return 0
