"""One JSON value, many spellings."""

from __future__ import annotations

import random

SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
         "\t": "\\t"}


class Raw(str):
    """Text that stands in the JSON as it is."""


def _character(rng: random.Random, c: str, fancy: bool) -> str:
    if c in SHORT:
        return SHORT[c]
    if c < " " or (fancy and rng.random() < 0.15):
        units = c.encode("utf-16-be")
        form = "\\u%04x" if rng.random() < 0.5 else "\\u%04X"
        return "".join(form % int.from_bytes(units[i:i + 2], "big")
                       for i in range(0, len(units), 2))
    if c == "/" and fancy and rng.random() < 0.5:
        return "\\/"
    return c


def _space(rng: random.Random, fancy: bool) -> str:
    return rng.choice(("", "", " ", "\n", "\t", "\r\n  ")) if fancy else ""


def spell(rng: random.Random, value, fancy: bool) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(_character(rng, c, fancy) for c in value) + '"'
    if isinstance(value, dict):
        rows = list(value.items())
        rng.shuffle(rows)
        parts = [spell(rng, name, fancy) + _space(rng, fancy) + ":" + _space(rng, fancy) +
                 spell(rng, part, fancy) for name, part in rows]
        return "{" + ",".join(_space(rng, fancy) + part for part in parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_space(rng, fancy) + spell(rng, part, fancy)
                              for part in value) + _space(rng, fancy) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
