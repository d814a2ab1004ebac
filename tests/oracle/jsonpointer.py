"""JSON Pointer, RFC 6901."""

from __future__ import annotations

import re

ABSENT = object()


def escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def follow(value, pointer: str):
    """RFC 6901; ABSENT where it leads nowhere."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif (isinstance(value, list) and re.fullmatch("0|[1-9][0-9]*", part) and
              int(part) < len(value)):
            value = value[int(part)]
        else:
            return ABSENT
    return value
