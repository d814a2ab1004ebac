# Claim constraints of a certificate against the claims of a PASSporT.
"""RFC 8226 section 8, RFC 9118, and the encodings of VESPER -06."""
from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from .. import jose
from ..constraints import BASE_CLAIMS, Constraints
from .passport import resolve


class ConstraintError(ValueError):
    """A claim is outside of what the certificate allows."""


@dataclass
class Findings:
    """What does not fail but has to be told."""

    warnings: list[str] = field(default_factory=list)
    unverifiable: list[str] = field(default_factory=list)


def check(found: Constraints, claims: dict, salts: dict[str, bytes]) -> Findings:
    """Raises at the first claim that breaks a rule."""
    told = Findings()
    if BASE_CLAIMS & set(found.must_exclude):
        told.warnings.append("mustExclude names a base claim: the extension"
                             " counts as absent (RFC 9118 section 3)")
        return told
    for name in found.must_exclude:
        if name in claims:
            raise ConstraintError(f"{name} is excluded")
    for name in found.must_include:
        if name not in claims:
            raise ConstraintError(f"{name} is required")
    for name, values in found.permitted:
        path, _, mode = name.partition("#")
        base, slash, pointer = path.partition("/")
        if base not in claims:
            continue
        value = resolve(claims[base], slash + pointer)
        if value is None:
            continue
        if mode == "":
            if jose.claim_text(value) not in {_normal(v) for v in values}:
                raise ConstraintError(f"value of {name} is not permitted")
        elif mode == "sha-256":
            if _digest(jose.serialise(value).encode()) not in values:
                raise ConstraintError(f"digest of {name} differs")
        elif mode == "commit-sha-256":
            _commitment(name, path, values, value, salts, found, told)
        elif mode != "salt-sha-256":
            told.warnings.append(f"mode of {name} is not known")
    return told


def _commitment(name: str, path: str, values: list[str], value: Any,
                salts: dict[str, bytes], found: Constraints,
                told: Findings) -> None:
    """V-58 with the salt, V-68 without."""
    salt = salts.get(path)
    if salt is None:
        told.unverifiable.append(path)
        return
    expected = found.values_of(f"{path}#salt-sha-256")
    if expected is not None and _digest(salt) not in expected:
        raise ConstraintError(f"salt of {path} is not the one committed to")
    if _digest(salt + jose.serialise(value).encode()) not in values:
        raise ConstraintError(f"commitment of {name} differs")


def _digest(octets: bytes) -> str:
    return base64.b64encode(hashlib.sha256(octets).digest()).decode().rstrip("=")


def _normal(text: str) -> str:
    """Certificate text that is JSON is brought into RFC 8225 form (D-12)."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return jose.serialise(jose.parse(text))
    except jose.JoseError:
        return text
