"""The claims of a PASSporT by its type: RFC 8225, 8588, 8946, 9475, 9795, 9970,
8443 and 9027; protocol.md section 3."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote

import jsontext
import persona
import richcall
import tnlist

DEST_MAX = MKY_MAX = 16
IAT_PAST_S, IAT_FUTURE_S = 60, 5  # D-21
DIV_PAST_S = 3 * 3600
UUID = re.compile("[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
URI = re.compile("[A-Za-z][A-Za-z0-9+.-]*:.+")
# RFC 8224 section 8.5, RFC 3986 section 6.2.2: escaped is only what is not unreserved.
UNRESERVED = "(?:4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|3[0-9]|2[DE]|5F|7E)"
CANON_URI = re.compile(f"sips?:(?:[^A-Z:%@]|%(?i:(?!{UNRESERVED})[0-9A-F]{{2}}))+@"
                       r"(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])")
BASE = ("iat", "orig", "dest")
WITH_URI = (None, "rcd", "msg")  # D-26


@dataclass(frozen=True)
class Type:
    demanded: tuple = ()
    own: tuple = ()  # and these need nobody's leave
    closed: bool = False  # nothing beside them, whoever allows it
    authority: str = "orig"  # whose number the certificate must cover
    past_s: int = IAT_PAST_S


RICH = ("rcd", "rcdi", "crn")
TYPES = {
    None: Type(own=("mky",)),
    "shaken": Type(("attest", "origid"), ("mky", *RICH)),
    "rcd": Type(own=("mky", "iss", *RICH)),
    "div": Type(("div",), closed=True, authority="div", past_s=DIV_PAST_S),
    "div-o": Type(("div", "opt"), closed=True, authority="div", past_s=DIV_PAST_S),
    "rsp": Type(own=("mky",), authority="dest"),
    "msg": Type(own=("msgi", "mky")),
    "rph": Type(("rph",), ("sph", "mky")),
}
# Claims that mean something in their own types alone, wherever they are allowed.
BOUND = {"div": ("div", "div-o"), "opt": ("div-o",), "msgi": ("msg",), "rph": ("rph",),
         "sph": ("rph",), "iss": ("rcd",)}


class Refusal(Exception):
    """args: the reason class and the claim."""


def _number(text, claim: str) -> str:
    if not isinstance(text, str):
        raise Refusal("invalid_claim", claim)
    number = tnlist.canonical(text)
    if number is None:
        raise Refusal("invalid_tn", claim)
    return number


def _orig(value, uris: bool) -> dict:
    if not isinstance(value, dict) or len(value) != 1:
        raise Refusal("invalid_claim", "orig")
    if uris and "uri" in value:  # D-26
        return {"uri": _domain_uri(value["uri"])}
    if "tn" not in value:
        raise Refusal("invalid_claim", "orig")
    return {"tn": _number(value["tn"], "orig")}


def _domain_uri(text) -> str:
    """Of a user who is no telephone number (RFC 8224 section 8.1)."""
    if not isinstance(text, str) or not CANON_URI.fullmatch(text):
        raise Refusal("invalid_claim", "orig")
    user = text.partition(":")[2].rpartition("@")[0]
    if tnlist.canonical(user) is not None or unquote(user).startswith("+"):
        raise Refusal("invalid_claim", "orig")
    return text


def _uri(text) -> str:
    if not isinstance(text, str) or not URI.fullmatch(text):
        raise Refusal("invalid_claim", "dest")
    if re.match("sips?:", text, re.I) and not CANON_URI.fullmatch(text):
        raise Refusal("invalid_claim", "dest")  # RFC 8224 section 8.5
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


def _iat(value, now: int, past_s: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal("invalid_claim", "iat")
    if not now - past_s <= value <= now + IAT_FUTURE_S:
        raise Refusal("stale_iat", "iat")
    return value


def _attest(value) -> bool:
    return value in ("A", "B", "C")


def _origid(value) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None  # D-48


def _mky(value) -> bool:
    """RFC 8225 section 5.2.2: sorted by alg, then dig; upper-case hex without colons."""
    sizes = {"sha-256": 64, "sha-384": 96, "sha-512": 128}
    if not isinstance(value, list) or not 1 <= len(value) <= MKY_MAX:
        return False
    for row in value:
        if not isinstance(row, dict) or set(row) != {"alg", "dig"} or \
                not all(isinstance(text, str) for text in row.values()) or \
                not re.fullmatch("[0-9A-F]{%d}" % sizes.get(row["alg"], 0), row["dig"] or "-"):
            return False
    order = [(row["alg"], row["dig"]) for row in value]
    return order == sorted(set(order))


def _msgi(value) -> bool:
    try:
        richcall.digest(value)
    except richcall.Bad:
        return False
    return True


def _opt(value) -> bool:
    """A PASSporT in full form (RFC 8946 section 5)."""
    if not isinstance(value, str) or not re.fullmatch(r"([A-Za-z0-9_-]+\.){2}[A-Za-z0-9_-]+", value):
        return False
    try:
        octets = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
                  for part in value.split(".")]
        header, payload = (jsontext.read(part) for part in octets[:2])
    except (binascii.Error, ValueError, jsontext.Malformed, jsontext.Duplicate):
        return False
    return isinstance(header, dict) and isinstance(payload, dict) and len(octets[2]) == 64


def _rph(value) -> bool:
    """RFC 8443: values as in RFC 4412, namespace "." priority."""
    token = "[A-Za-z0-9!%*_+`'~-]+"
    return (isinstance(value, dict) and set(value) == {"auth"} and
            isinstance(value["auth"], list) and value["auth"] != [] and
            all(isinstance(v, str) and re.fullmatch(rf"{token}\.{token}", v)
                for v in value["auth"]))


FORMS = {"attest": _attest, "origid": _origid, "mky": _mky, "msgi": _msgi, "opt": _opt,
         "rph": _rph, "sph": lambda value: value == "psap-callback", "crn": richcall.is_display,
         "vper": persona.is_vper,
         "iss": lambda value: isinstance(value, str) and value != ""}


def _div(value) -> dict:
    if not isinstance(value, dict) or "tn" not in value or not set(value) <= {"tn", "hi"}:
        raise Refusal("invalid_claim", "div")
    index = value.get("hi", "1")
    if not isinstance(index, str) or not re.fullmatch(r"[0-9]+(\.[0-9]+)*", index):
        raise Refusal("invalid_claim", "div")
    return {**value, "tn": _number(value["tn"], "div")}


def _forms(claims: dict) -> None:
    """The claims whose form is fixed, whatever they ride in."""
    for name, good in FORMS.items():
        if name in claims and not good(claims[name]):
            raise Refusal("invalid_claim", name)
    if "rcdi" in claims and "rcd" not in claims:
        raise Refusal("missing_claim", "rcd")  # RFC 9795 section 6
    try:
        if "rcd" in claims:
            richcall.check_rcd(claims["rcd"])
        if "rcdi" in claims:
            richcall.check_rcdi(claims["rcd"], claims["rcdi"])
    except richcall.Bad as problem:
        raise Refusal("invalid_claim", *problem.args) from problem


def can_be(name: str, value) -> bool:
    """Could a claim of some PASSporT be just this: in its form, and in the canonical one?"""
    try:
        if name == "orig":
            return _orig(value, False) == value
        if name == "dest":
            return _dest(value) == value
        if name == "iat":
            return isinstance(value, int) and not isinstance(value, bool)
        if name == "div":
            return bool(_div(value))
        if name == "rcd":
            richcall.check_rcd(value)
        if name == "rcdi":
            return isinstance(value, dict) and value != {} and all(
                path.startswith("/") and richcall.digest(text) for path, text in value.items())
        return FORMS.get(name, lambda _: True)(value)
    except (Refusal, richcall.Bad):
        return False


def part_can_be(name: str, member: str, element: bool, value) -> bool:
    """The same of a number or URI of orig or dest, or of the list of them."""
    whole = {member: [value] if element else value}
    try:
        return (_orig(whole, True) if name == "orig" else _dest(whole)) == whole
    except Refusal:
        return False


def _names(claims: dict, ppt: str | None, further: set[str], attested: bool) -> None:
    kind = TYPES[ppt]
    own = BASE + kind.demanded + kind.own
    for name in claims:
        bound = name in BOUND and ppt not in BOUND[name]
        # D-38: attest says nothing in a response unless a switch says so.
        bound |= name == "attest" and ppt == "rsp" and not attested
        if bound or (name not in own and (kind.closed or name not in further)):
            raise Refusal("unknown_claim", name)  # D-51
    for name in ("orig", "dest") + kind.demanded:
        if name not in claims:
            raise Refusal("missing_claim", name)
    if ppt == "rcd" and not {"rcd", "crn"} & set(claims):
        raise Refusal("missing_claim", "rcd")


def _diversion(out: dict) -> None:
    out["div"] = _div(out["div"])
    targets = [text for texts in out["dest"].values() for text in texts]
    if len(targets) != 1:
        raise Refusal("invalid_claim", "dest")  # D-25
    if out["dest"].get("tn") == [out["div"]["tn"]]:
        raise Refusal("invalid_claim", "dest")  # RFC 8946 section 4.1: nothing was diverted


def prepare(claims: dict, ppt: str | None, now: int, further: set[str], attested: bool = False,
            uris: bool = False) -> dict:
    """The claims as they would be signed, or Refusal.  attested: attest in rsp; uris: orig.uri."""
    _names(claims, ppt, further, attested)
    out = dict(claims)
    out["orig"] = _orig(claims["orig"], uris and ppt in WITH_URI)
    out["dest"] = _dest(claims["dest"])
    _forms(claims)
    if "div" in claims:
        _diversion(out)
    if ppt == "rsp" and "uri" in out["dest"]:
        raise Refusal("invalid_claim", "dest")  # no number, so no authority (D-26)
    out["iat"] = _iat(claims.get("iat", now), now, TYPES[ppt].past_s)
    return out


def authorising(claims: dict, ppt: str | None) -> list[str]:
    """The numbers that the certificate must cover, all of them (protocol.md 1.4)."""
    name = TYPES[ppt].authority
    if "uri" in claims[name] and name == "orig":
        return []
    return claims["dest"]["tn"] if name == "dest" else [claims[name]["tn"]]
