"""JWTClaimConstraints and the enhanced form: RFC 8226 section 8, RFC 9118,
protocol.md section 2, D-07 to D-16."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import claimset
import der
import jsonpointer
import jsontext
import persona

BASE_CLAIMS = ("iat", "orig", "dest")
# What an orig, and what a dest, has one of; orig.uri needs a switch that there is not here (D-26).
ALTERNATIVES = (((("orig", "/tn"),), ()),
                ((("dest", "/tn"), ("dest", "/tn/0")), (("dest", "/uri"), ("dest", "/uri/0"))))
VALUE, HASH, COMMIT, SALT = "", "sha-256", "commit-sha-256", "salt-sha-256"


class Useless(Exception):
    """Well formed, and never to be activated."""


class Constraints:
    def __init__(self):
        self.include: list[str] = []
        self.exclude: list[str] = []
        self.never_met = False  # unless committed values are asserted (D-15)
        # (claim, pointer) -> mode -> the values that every entry of it lists
        self.permitted: dict[tuple[str, str], dict[str, set[str]]] = {}

    def vetted(self, claim: str, value) -> bool:
        """D-16: named as a whole, or by paths that leave no part of the value out."""
        return claim in self.include or self._covers(claim, "", value)

    def _covers(self, claim: str, pointer: str, value) -> bool:
        if (claim, pointer) in self.permitted:
            return True
        if isinstance(value, list):
            value = {str(i): part for i, part in enumerate(value)}
        return isinstance(value, dict) and bool(value) and all(
            self._covers(claim, f"{pointer}/{jsonpointer.escape(name)}", part)
            for name, part in value.items())

    def named(self) -> set[str]:
        """What D-51 calls named: any mention."""
        return (set(self.include) | set(self.exclude) |
                {claim for claim, _ in self.permitted})


def _names(value: bytes) -> list[str]:
    found = der.items(der.only(value, der.SEQUENCE))
    if not found or any(tag != der.IA5 for tag, _ in found):
        raise der.DerError("no JWTClaimNames")
    return [der.ia5(name) for _, name in found]


def _permitted(value: bytes) -> list[tuple[str, list[str]]]:
    out = []
    for tag, entry in der.items(der.only(value, der.SEQUENCE)):
        if tag != der.SEQUENCE:
            raise der.DerError("no JWTClaimPermittedValues")
        parts = der.items(entry)
        if len(parts) != 2 or parts[0][0] != der.IA5 or parts[1][0] != der.SEQUENCE:
            raise der.DerError("no claim and values")
        values = der.items(parts[1][1])
        if not values or any(t != der.UTF8 for t, _ in values):
            raise der.DerError("no permitted values")
        out.append((der.ia5(parts[0][1]), [der.utf8(v) for _, v in values]))
    if not out:
        raise der.DerError("no permitted values")
    return out


def _split(name: str) -> tuple[str, str, str]:
    """claim, JSON Pointer, mode of a permittedValues name (D-13, D-14, D-15)."""
    mode = VALUE
    if "#" in name:
        name, _, mode = name.rpartition("#")
        if mode not in (HASH, COMMIT, SALT):
            raise Useless("unknown mode")
    claim, slash, rest = name.partition("/")
    pointer = slash + rest
    if not claim or re.search("~(?![01])", pointer):
        raise Useless("no claim name, or no JSON Pointer")
    return claim, pointer, mode


def _is_rfc8225(text: str) -> bool:
    try:
        return jsontext.write(jsontext.read(text.encode())) == text
    except (jsontext.Malformed, jsontext.Duplicate):
        return False


def _no_json(text: str):
    raise ValueError(f"{text} is Python's and not JSON's (RFC 8259 section 6)")


def _is_structured(text: str) -> bool:
    """An object or array by RFC 8259; not what its numbers are worth, nor that it is short."""
    try:
        value = json.loads(text, parse_constant=_no_json, parse_float=str, parse_int=str)
    except ValueError:
        return False  # a string that only looks like JSON
    except RecursionError:
        return True
    return isinstance(value, (dict, list))


def _readings(text: str) -> list:
    """The values that have this text (D-12)."""
    values: list = [text]
    try:
        value = jsontext.read(text.encode())
        values += [] if isinstance(value, str) else [value]  # never with its quotes
    except (jsontext.Malformed, jsontext.Duplicate):
        pass
    return values


def _can_be(claim: str, text: str) -> bool:
    """Is there a PASSporT in which the claim has this text?  What nobody knows may."""
    return any(claimset.can_be(claim, value) for value in _readings(text))


def _judge_base_part(claim: str, pointer: str, texts: set[str] | None) -> None:
    """RFC 8225 section 5.2.1: orig and dest have numbers and URIs, and iat has no parts."""
    part = re.fullmatch("/(tn|uri)(?:/(0|[1-9][0-9]*))?", pointer)
    if part is None or claim == "iat" or part[2] is not None and (
            claim == "orig" or int(part[2]) >= claimset.DEST_MAX):
        raise Useless("no PASSporT has such a part")
    if texts is not None and not any(
            claimset.part_can_be(claim, part[1], part[2] is not None, value)
            for text in texts for value in _readings(text)):
        raise Useless("the part never has such a value")


def _check_value(mode: str, text: str) -> None:
    if mode == VALUE:
        if _is_structured(text) and not _is_rfc8225(text):
            raise Useless("structured value is not in RFC 8225 form")  # D-12
        return
    if not re.fullmatch("[A-Za-z0-9+/]{43}", text):
        raise Useless("digest is not 32 octets in unpadded base64")
    if base64.b64encode(base64.b64decode(text + "=")).decode() != text + "=":
        raise Useless("digest has stray bits")


def _judge_modes(modes: dict[str, set[str]]) -> None:
    if any(len(modes.get(mode, ())) > 1 for mode in (COMMIT, SALT)):
        raise Useless("one claim has one commitment, and that one salt")
    if any(not values for values in modes.values()):
        raise Useless("no value is left")  # D-11
    kinds = set(modes) - {SALT}
    if len(kinds) != 1 or (SALT in modes and COMMIT not in modes):
        raise Useless("not exactly one encoding")  # V-53


def decode(octets: bytes, enhanced: bool) -> Constraints:
    out = Constraints()
    last, members = 0x9F, der.items(der.only(octets, der.SEQUENCE))
    if not members:
        raise der.DerError("no member")
    entries: list[tuple[str, list[str]]] = []
    for tag, value in members:
        if tag <= last or tag > (0xA2 if enhanced else 0xA1):
            raise der.DerError("unknown or misplaced member")
        last = tag
        if tag == 0xA0:
            out.include = _names(value)
        elif tag == 0xA1:
            entries = _permitted(value)
        else:
            out.exclude = _names(value)
    _activate(out, entries)
    return out


def _activate(c: Constraints, entries: list[tuple[str, list[str]]]) -> None:
    for name in c.include + c.exclude:
        if "/" in name or "#" in name:
            raise Useless("a path outside permittedValues")  # D-13
    if set(c.exclude) & set(BASE_CLAIMS):
        raise Useless("base claim excluded")  # D-09
    if set(c.exclude) & set(c.include):
        raise Useless("claim demanded and excluded")  # RFC 9118 section 8
    for name, values in entries:
        claim, pointer, mode = _split(name)
        for text in values:
            _check_value(mode, text)
        modes = c.permitted.setdefault((claim, pointer), {})
        modes[mode] = modes[mode] & set(values) if mode in modes else set(values)
    for (claim, pointer), modes in c.permitted.items():
        _judge_modes(modes)
        needed = not pointer or (claim == "vper" and pointer[1:] in persona.MEMBERS)  # V-44
        if COMMIT in modes and needed and claim in c.include + list(BASE_CLAIMS):
            c.never_met = True  # demanded, and not to be sent in clear
        # RFC 9118 section 8: demanded, and permitted only what it cannot be.
        if VALUE in modes and not pointer and claim in c.include + list(BASE_CLAIMS) and \
                not any(_can_be(claim, text) for text in modes[VALUE]):
            raise Useless("no value of a demanded claim")
        if pointer and claim in BASE_CLAIMS:
            _judge_base_part(claim, pointer, modes.get(VALUE))
    for one, other in ALTERNATIVES:
        # RFC 8225 section 5.2.1: there is one of them.
        c.never_met |= _committed(c, one) and _committed(c, other)


def _committed(c: Constraints, paths: tuple) -> bool:
    return not paths or any(COMMIT in c.permitted.get(path, ()) for path in paths)


def _unproven(modes: dict[str, set[str]], value, salt: bytes | None,
              unsalted: bool) -> str | None:
    """A committed value in clear, with its salt at hand or not."""
    if salt is None:
        return None if unsalted else "commitment_not_provable"
    good = {COMMIT: salt + jsontext.write(value).encode(), SALT: salt}
    if any(_hash(good[mode]) not in modes[mode] for mode in modes):
        return "value_not_permitted"
    return None


def _hash(octets: bytes) -> str:
    return base64.b64encode(hashlib.sha256(octets).digest()).decode().rstrip("=")


def judge(c: Constraints, claims: dict, lines: list[str], unsalted: bool = False) -> str | None:
    """The reason class of the refusal, in the order of protocol.md 3.10 step 5.

    unsalted: commit_without_salt = allow (D-15)."""
    if any(name in claims for name in c.exclude):
        return "claim_excluded"
    if any(name not in claims for name in c.include):
        return "claim_missing_by_constraint"
    salts = {path: base64.b64decode(text + "==") for text, path in
             (line.split(" ", 1) for line in lines)}
    for (claim, pointer), modes in c.permitted.items():
        value = jsonpointer.follow(claims[claim], pointer) if claim in claims else jsonpointer.ABSENT
        if value is jsonpointer.ABSENT:
            continue  # D-08
        if COMMIT in modes:
            reason = (_unproven(modes, value, salts.get(claim + pointer), unsalted) if lines
                      else "private_claim_in_clear")  # D-15, assert_committed = no
            if reason:
                return reason
            continue
        text = jsontext.comparable(value)
        if HASH in modes:
            # V_bytes of VESPER -06: the serialisation, a string with its quotes.
            text = _hash(jsontext.write(value).encode())
        if text not in modes.get(HASH if HASH in modes else VALUE):
            return "value_not_permitted"
    return None
