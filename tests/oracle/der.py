"""Strict DER (X.690 section 10) as far as the STIR extensions need it."""

from __future__ import annotations


class DerError(Exception):
    """Not DER, or not the type that was expected."""


SEQUENCE, INTEGER, IA5, UTF8 = 0x30, 0x02, 0x16, 0x0C


def items(data: bytes) -> list[tuple[int, bytes]]:
    """All TLVs of data, to its last octet."""
    out, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            raise DerError("no length")
        tag, length, at = data[at], data[at + 1], at + 2
        if tag & 0x1F == 0x1F:
            raise DerError("long tag")
        if length == 0x80 or length > 0x84:
            raise DerError("indefinite or huge length")
        if length > 0x80:
            count = length - 0x80
            octets = data[at:at + count]
            length, at = int.from_bytes(octets, "big"), at + count
            if len(octets) != count or length < 0x80 or octets[0] == 0:
                raise DerError("length is not minimal")
        if at + length > len(data):
            raise DerError("value ends early")
        out.append((tag, data[at:at + length]))
        at += length
    return out


def only(data: bytes, tag: int) -> bytes:
    """The value of the one TLV that data is."""
    found = items(data)
    if len(found) != 1 or found[0][0] != tag:
        raise DerError(f"expected one {tag:#x}")
    return found[0][1]


def ia5(value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError as error:
        raise DerError("IA5String has other characters") from error


def utf8(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DerError("UTF8String is not UTF-8") from error


def integer(value: bytes) -> int:
    if not value:
        raise DerError("INTEGER without octets")
    if len(value) > 1 and ((value[0] == 0 and value[1] < 0x80) or
                           (value[0] == 0xFF and value[1] >= 0x80)):
        raise DerError("INTEGER is not minimal")
    return int.from_bytes(value, "big", signed=True)
