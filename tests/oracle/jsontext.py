"""Strict JSON in (protocol.md 3.3), RFC 8225 section 9 text out."""

from __future__ import annotations

import json

DEPTH_MAX = 16
INTEGER_MAX = 2 ** 53 - 1


class Malformed(Exception):
    """Not the JSON that a PASSporT may carry."""


class Duplicate(Exception):
    """One object names a member twice."""


def _refuse(text: str):
    raise Malformed(f"{text} is no integer")


def _integer(text: str) -> int:
    if text == "-0":
        raise Malformed("-0")
    value = int(text) if len(text) < 20 else INTEGER_MAX + 1
    if abs(value) > INTEGER_MAX:
        raise Malformed("integer too large")
    return value


def _object(pairs: list) -> dict:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Duplicate
    return out


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_refuse,
                            parse_int=_integer, parse_constant=_refuse, strict=True)


def _walk(value, depth: int) -> None:
    if isinstance(value, str):
        # UTF-8 cannot hold a lone surrogate, and U+0000 ends too many strings early.
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise Malformed("U+0000 or a lone surrogate")
    elif isinstance(value, (dict, list)):
        if depth >= DEPTH_MAX:
            raise Malformed("too deep")
        for part in value:
            _walk(part, depth + 1)
        if isinstance(value, dict):
            for part in value.values():
                _walk(part, depth + 1)


def read(octets: bytes):
    try:
        value = _DECODER.decode(octets.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from error
    _walk(value, 0)
    return value


def write(value) -> str:
    """Members by code point, no white space, RFC 8785 3.2.2.2 escapes (D-22, D-23)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def comparable(value) -> str:
    """What a permitted value is compared with (D-12)."""
    return value if isinstance(value, str) else write(value)
