# Strict DER reading and writing of the few ASN.1 shapes that the lab judges.
"""A small TLV layer.

The extensions of RFC 8226 and RFC 9118 are compared octet by octet, so the
reader accepts DER (X.690 section 10) and nothing else: definite lengths in
the shortest form, minimal integers, no trailing octets.
"""
from __future__ import annotations

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
UTF8_STRING = 0x0C
IA5_STRING = 0x16
BOOLEAN = 0x01


class DerError(ValueError):
    """The octets are not the DER that was expected."""


def explicit(number: int) -> int:
    """Identifier octet of a constructed context-specific tag."""
    return 0xA0 | number


class Reader:
    """Reads consecutive TLVs of a byte string."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def at_end(self) -> bool:
        return self._position >= len(self._data)

    def peek(self) -> int:
        """Identifier octet of the next element, -1 at the end."""
        return -1 if self.at_end() else self._data[self._position]

    def any(self) -> tuple[int, bytes]:
        """Next element: identifier octet and contents."""
        data, position = self._data, self._position
        if position + 2 > len(data):
            raise DerError("truncated element")
        tag = data[position]
        if tag & 0x1F == 0x1F:
            raise DerError("tag numbers above 30 are not used here")
        length = data[position + 1]
        position += 2
        if length == 0x80:
            raise DerError("indefinite length is BER, not DER")
        if length > 0x80:
            octets = length & 0x7F
            if octets > 4 or position + octets > len(data):
                raise DerError("length of a length out of bounds")
            raw = data[position:position + octets]
            length = int.from_bytes(raw, "big")
            if raw[0] == 0 or length < 0x80:
                raise DerError("length is not in the shortest form")
            position += octets
        if position + length > len(data):
            raise DerError("element is longer than its container")
        self._position = position + length
        return tag, data[position:position + length]

    def take(self, tag: int, what: str) -> bytes:
        """Contents of the next element, which must have this tag."""
        found = self.peek()
        if found != tag:
            raise DerError(f"{what}: tag {found:#04x} where {tag:#04x} is due"
                           if found >= 0 else f"{what}: missing")
        return self.any()[1]

    def end(self, what: str) -> None:
        if not self.at_end():
            raise DerError(f"{what}: octets after the end")


def whole(data: bytes, tag: int, what: str) -> Reader:
    """A reader over the contents of the single element in data."""
    outer = Reader(data)
    contents = outer.take(tag, what)
    outer.end(what)
    return Reader(contents)


def integer(contents: bytes) -> int:
    """Value of the contents of an INTEGER."""
    if not contents:
        raise DerError("empty INTEGER")
    if len(contents) > 1 and (
            (contents[0] == 0 and contents[1] < 0x80)
            or (contents[0] == 0xFF and contents[1] >= 0x80)):
        raise DerError("INTEGER is not in the shortest form")
    return int.from_bytes(contents, "big", signed=True)


def ia5(contents: bytes, what: str) -> str:
    try:
        return contents.decode("ascii")
    except UnicodeDecodeError:
        raise DerError(f"{what}: not ASCII") from None


def utf8(contents: bytes, what: str) -> str:
    try:
        return contents.decode("utf-8")
    except UnicodeDecodeError:
        raise DerError(f"{what}: not UTF-8") from None


def tlv(tag: int, *parts: bytes) -> bytes:
    """Encodes one element."""
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    raw = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(raw))) + raw + body


def write_integer(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    return tlv(INTEGER, value.to_bytes(size, "big", signed=True))


def write_ia5(text: str) -> bytes:
    return tlv(IA5_STRING, text.encode("ascii"))


def write_utf8(text: str) -> bytes:
    return tlv(UTF8_STRING, text.encode("utf-8"))


def write_oid(dotted: str) -> bytes:
    arcs = [int(arc) for arc in dotted.split(".")]
    out = bytearray()
    for arc in [arcs[0] * 40 + arcs[1], *arcs[2:]]:
        chunk = [arc & 0x7F]
        arc >>= 7
        while arc:
            chunk.append(0x80 | (arc & 0x7F))
            arc >>= 7
        out.extend(reversed(chunk))
    return tlv(OID, bytes(out))
