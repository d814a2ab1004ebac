"""The claims of a PASSporT by its type: RFC 8225, RFC 8588, protocol.md 3."""

from __future__ import annotations

import re

import persona
import richcall
import tnlist

DEST_MAX = 16
IAT_PAST_S, IAT_FUTURE_S = 60, 5  # D-21
UUID = re.compile("[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
URI = re.compile("[A-Za-z][A-Za-z0-9+.-]*:.+")
# ppt: the claims that it demands beyond orig and dest.
DEMANDED = {None: (), "shaken": ("attest", "origid")}


class Refusal(Exception):
    """args: the reason class and the claim."""


def _number(text, claim: str) -> str:
    if not isinstance(text, str):
        raise Refusal("invalid_claim", claim)
    number = tnlist.canonical(text)
    if number is None:
        raise Refusal("invalid_tn", claim)
    return number


def _orig(value) -> dict:
    # D-26: an orig without a number needs a switch that there is not here.
    if not isinstance(value, dict) or set(value) != {"tn"}:
        raise Refusal("invalid_claim", "orig")
    return {"tn": _number(value["tn"], "orig")}


def _uri(text) -> str:
    if not isinstance(text, str) or not URI.fullmatch(text):
        raise Refusal("invalid_claim", "dest")
    return text


def _dest(value) -> dict:
    if not isinstance(value, dict) or not value or not set(value) <= {"tn", "uri"}:
        raise Refusal("invalid_claim", "dest")
    out = {}
    for kind, read in (("tn", lambda text: _number(text, "dest")), ("uri", _uri)):
        if kind in value:
            if not isinstance(value[kind], list) or not value[kind]:
                raise Refusal("invalid_claim", "dest")
            out[kind] = sorted(read(text) for text in value[kind])
            if len(set(out[kind])) != len(out[kind]):
                raise Refusal("invalid_claim", "dest")  # D-25
    if sum(len(texts) for texts in out.values()) > DEST_MAX:
        raise Refusal("invalid_claim", "dest")
    return out


def _iat(value, now: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal("invalid_claim", "iat")
    if not now - IAT_PAST_S <= value <= now + IAT_FUTURE_S:
        raise Refusal("stale_iat", "iat")
    return value


def _attest(value) -> str:
    if value not in ("A", "B", "C"):
        raise Refusal("invalid_claim", "attest")
    return value


def _origid(value) -> str:
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise Refusal("invalid_claim", "origid")  # D-48
    return value


OWN = {"attest": _attest, "origid": _origid}


def _further(claims: dict) -> None:
    """Claims whose form is fixed, whatever they ride in."""
    if "vper" in claims and not persona.is_vper(claims["vper"]):
        raise Refusal("invalid_claim", "vper")
    if "crn" in claims and not richcall.is_display(claims["crn"]):
        raise Refusal("invalid_claim", "crn")
    if "rcdi" in claims and "rcd" not in claims:
        raise Refusal("missing_claim", "rcd")  # RFC 9795 section 6
    try:
        if "rcd" in claims:
            richcall.check_rcd(claims["rcd"])
        if "rcdi" in claims:
            richcall.check_rcdi(claims["rcd"], claims["rcdi"])
    except richcall.Bad as problem:
        raise Refusal("invalid_claim", *problem.args) from problem


def prepare(claims: dict, ppt: str | None, now: int, further: set[str]) -> dict:
    """The claims as they would be signed, or Refusal."""
    demanded = DEMANDED[ppt]
    for name in claims:
        if name not in ("iat", "orig", "dest") + demanded and name not in further:
            raise Refusal("unknown_claim", name)  # D-51
    for name in ("orig", "dest") + demanded:
        if name not in claims:
            raise Refusal("missing_claim", name)
    out = dict(claims)
    out["orig"] = _orig(claims["orig"])
    out["dest"] = _dest(claims["dest"])
    for name in demanded:
        out[name] = OWN[name](claims[name])
    _further(claims)
    out["iat"] = _iat(claims.get("iat", now), now)
    return out
