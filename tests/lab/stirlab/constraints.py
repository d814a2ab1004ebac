# JWTClaimConstraints (RFC 8226) and EnhancedJWTClaimConstraints (RFC 9118).
"""Codec of both extensions, and the lint that issuers apply."""
from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from . import der

OID = "1.3.6.1.5.5.7.1.27"
OID_ENHANCED = "1.3.6.1.5.5.7.1.33"

#: Identifier type of the ACME profile -> extension.
TYPES = {"JWTClaimConstraints": OID, "EnhancedJWTClaimConstraints": OID_ENHANCED}

#: Claims of every PASSporT; RFC 9118 section 3 keeps them out of mustExclude.
BASE_CLAIMS = frozenset({"iat", "orig", "dest"})

_MODES = ("sha-256", "commit-sha-256", "salt-sha-256")


@dataclass
class Constraints:
    """The three lists; `must_exclude` exists in the enhanced form only."""

    must_include: list[str] = field(default_factory=list)
    permitted: list[tuple[str, list[str]]] = field(default_factory=list)
    must_exclude: list[str] = field(default_factory=list)

    @classmethod
    def decode(cls, data: bytes, enhanced: bool) -> "Constraints":
        what = ("EnhancedJWTClaimConstraints" if enhanced
                else "JWTClaimConstraints")
        reader = der.whole(data, der.SEQUENCE, what)
        found = cls()
        if reader.at_end():
            raise der.DerError(f"{what}: at least one member is due")
        if reader.peek() == der.explicit(0):
            found.must_include = _names(reader.any()[1], "mustInclude")
        if reader.peek() == der.explicit(1):
            found.permitted = _permitted(reader.any()[1])
        if enhanced and reader.peek() == der.explicit(2):
            found.must_exclude = _names(reader.any()[1], "mustExclude")
        reader.end(what)
        return found

    def encode(self) -> bytes:
        parts = []
        if self.must_include:
            parts.append(_write_names(0, self.must_include))
        if self.permitted:
            rows = [der.tlv(der.SEQUENCE, der.write_ia5(claim), der.tlv(
                der.SEQUENCE, *(der.write_utf8(v) for v in values)))
                for claim, values in self.permitted]
            parts.append(der.tlv(der.explicit(1), der.tlv(der.SEQUENCE, *rows)))
        if self.must_exclude:
            parts.append(_write_names(2, self.must_exclude))
        return der.tlv(der.SEQUENCE, *parts)

    def values_of(self, claim: str) -> list[str] | None:
        """Values permitted for a claim; several rows intersect."""
        rows = [values for name, values in self.permitted if name == claim]
        if not rows:
            return None
        return [v for v in rows[0] if all(v in other for other in rows[1:])]

    def as_json(self) -> dict:
        return {"must_include": self.must_include,
                "permitted_values": [{"claim": c, "values": v}
                                     for c, v in self.permitted],
                "must_exclude": self.must_exclude}

    def faults(self) -> list[str]:
        """What makes the constraints unfit for issuance."""
        found = []
        for name in self.must_exclude:
            if name in BASE_CLAIMS:
                found.append(f"mustExclude names {name} (RFC 9118 section 3)")
            if name in self.must_include:
                found.append(f"{name} is both required and excluded")
        encodings: dict[str, set[str]] = {}
        for claim, values in self.permitted:
            if claim in self.must_exclude:
                found.append(f"{claim} has permitted values and is excluded")
            if not self.values_of(claim):
                found.append(f"no value of {claim} is permitted by all rows")
            path, _, mode = claim.partition("#")
            if mode and mode not in _MODES:
                found.append(f"unknown mode of {claim}")
            if mode and any(not _digest(value) for value in values):
                found.append(f"{claim}: not an unpadded base64 SHA-256 digest")
            encodings.setdefault(path, set()).add(
                "commit" if mode in _MODES[1:] else mode or "value")
        for path, modes in encodings.items():
            if len(modes) > 1:  # V-53, V-62: exactly one encoding a path
                found.append(f"{path} is encoded in more than one way")
            if f"{path}#salt-sha-256" in dict(self.permitted) \
                    and f"{path}#commit-sha-256" not in dict(self.permitted):
                found.append(f"{path} has a salt digest without a commitment")
        for name in self.must_include + self.must_exclude:
            if "/" in name or "#" in name:
                found.append(f"{name}: paths and modes are for permitted values")
        return found


def _digest(value: str) -> bool:
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", value):
        return False
    return len(base64.b64decode(value + "=")) == 32


def _names(contents: bytes, what: str) -> list[str]:
    reader = der.whole(contents, der.SEQUENCE, what)
    names = []
    while not reader.at_end():
        names.append(_name(reader.take(der.IA5_STRING, what), what))
    if not names:
        raise der.DerError(f"{what}: empty list")
    return names


def _name(contents: bytes, what: str) -> str:
    name = der.ia5(contents, what)
    if not name:
        raise der.DerError(f"{what}: empty claim name")
    return name


def _permitted(contents: bytes) -> list[tuple[str, list[str]]]:
    reader = der.whole(contents, der.SEQUENCE, "permittedValues")
    rows = []
    while not reader.at_end():
        row = der.Reader(reader.take(der.SEQUENCE, "permittedValues"))
        claim = _name(row.take(der.IA5_STRING, "claim"), "claim")
        items = der.Reader(row.take(der.SEQUENCE, "permitted"))
        row.end("permittedValues")
        values = []
        while not items.at_end():
            values.append(der.utf8(items.take(der.UTF8_STRING, "value"), "value"))
        if not values:
            raise der.DerError("permitted: empty list")
        rows.append((claim, values))
    if not rows:
        raise der.DerError("permittedValues: empty list")
    return rows


def _write_names(tag: int, names: list[str]) -> bytes:
    return der.tlv(der.explicit(tag), der.tlv(
        der.SEQUENCE, *(der.write_ia5(name) for name in names)))
