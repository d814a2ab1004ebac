# Identity header and PASSporT: syntax and the rules of each ppt.
"""RFC 8224 section 4, RFC 8225, RFC 8588, RFC 8946, RFC 9795, RFC 9970."""
from __future__ import annotations

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from .. import jose

SUPPORTED = frozenset({"", "shaken", "div", "rcd", "rsp", "msg"})

#: ppt values that a credential of each class signs.
PPT_OF_CLASS = {"sp": frozenset({"shaken", "div", "rcd"}),
                "delegate": frozenset({"", "rcd", "rsp", "msg", "div"})}

_HEADER_MEMBERS = {"typ", "alg", "ppt", "x5u", "x5c"}
_NUMBER = re.compile(r"[0-9#*]{1,15}\Z")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+\Z")


class PassportError(ValueError):
    """The header value or token breaks a rule."""


@dataclass
class Identity:
    """A parsed header value; a bare PASSporT has no parameters."""

    token: jose.Compact
    header: dict
    claims: dict
    info: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def ppt(self) -> str:
        return self.header.get("ppt", "")


def parse(text: str, lenient: bool = False) -> Identity:
    """A header value (with or without its name), or a bare PASSporT."""
    text = text.strip()
    if text[:9].lower() == "identity:":
        text = text[9:].strip()
    if any(ord(c) < 0x20 or ord(c) > 0x7E for c in text):
        raise PassportError("the value is not one line of ASCII")
    body, _, rest = text.partition(";")
    info, parameters = _parameters(rest) if rest else (None, {})
    try:
        token = jose.Compact(body.strip(), "PASSporT")
        claims = token.claims("PASSporT")
    except jose.JoseError as error:
        raise PassportError(str(error)) from None
    found = Identity(token, token.header, claims, info, parameters)
    for what, octets, value in (("header", token.header_octets, token.header),
                                ("payload", token.payload, claims)):
        try:
            same = jose.serialise(value).encode("utf-8") == octets
        except (jose.JoseError, UnicodeEncodeError) as error:
            raise PassportError(f"{what}: {error}") from None
        if not same:
            note = f"{what} is not in the form of RFC 8225 section 9"
            if not lenient:
                raise PassportError(note)
            found.warnings.append(note)
    _check_header(found)
    return found


def _parameters(rest: str) -> tuple[str, dict[str, str]]:
    """ident-info and its parameters; info comes first by the ABNF."""
    match = re.match(r"\s*info\s*=\s*<([^<>\s]+)>\s*(?:;|\Z)", rest)
    if not match:
        raise PassportError("info=<URI> is due after the token")
    parameters: dict[str, str] = {}
    tail = rest[match.end():]
    for part in tail.split(";") if tail.strip() else ():
        name, equal, value = (p.strip() for p in part.partition("="))
        if not equal or not _TOKEN.match(name):
            raise PassportError(f"parameter {part.strip()!r} is malformed")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if not _TOKEN.match(value):
            raise PassportError(f"value of {name} is malformed")
        if name.lower() in parameters or name.lower() == "info":
            raise PassportError(f"parameter {name} is there twice")
        parameters[name.lower()] = value
    return match.group(1), parameters


def _check_header(found: Identity) -> None:
    header = found.header
    unknown = set(header) - _HEADER_MEMBERS
    if unknown:
        raise PassportError("unknown header member " + ", ".join(sorted(unknown)))
    if header.get("typ") != "passport":
        raise PassportError("typ is not passport")
    if header.get("alg") != "ES256":
        raise PassportError("alg is not ES256")
    if "ppt" in header and (not isinstance(header["ppt"], str)
                            or not header["ppt"]):
        raise PassportError("ppt is not a string")
    if "x5u" in header and not isinstance(header["x5u"], str):
        raise PassportError("x5u is not a string")
    if not {"x5u", "x5c"} & set(header):
        raise PassportError("neither x5u nor x5c in the header")
    if found.info is not None:
        if "x5u" in header and header["x5u"] != found.info:
            raise PassportError("info and x5u differ (RFC 8224 section 4.1)")
        if found.parameters.get("alg", "ES256") != "ES256":
            raise PassportError("parameter alg is not ES256")
        if found.parameters.get("ppt", found.ppt) != found.ppt:
            raise PassportError("parameter ppt differs from the header")
        if found.ppt and "ppt" not in found.parameters:
            raise PassportError("parameter ppt is missing")


# -- claims -------------------------------------------------------------

def check_number(value: Any, what: str) -> str:
    if not isinstance(value, str) or not _NUMBER.match(value):
        raise PassportError(f"{what} is not a canonical number")
    return value


def _identity(value: Any, what: str, more: frozenset[str] = frozenset()) -> dict:
    """An object with exactly one of tn and uri, as strings."""
    if not isinstance(value, dict) \
            or len({"tn", "uri"} & set(value)) != 1 \
            or set(value) - {"tn", "uri"} - more:
        raise PassportError(f"{what} has exactly one of tn and uri")
    if "tn" in value:
        check_number(value["tn"], f"{what}.tn")
    elif not isinstance(value["uri"], str):
        raise PassportError(f"{what}.uri is not a string")
    return value


def check_claims(found: Identity) -> None:
    """Base claims (RFC 8225 section 5.2), then the rules of the ppt."""
    claims = found.claims
    iat = claims.get("iat")
    if not isinstance(iat, int) or isinstance(iat, bool) or iat < 0:
        raise PassportError("iat is not an integer")
    _identity(claims.get("orig"), "orig")
    dest = claims.get("dest")
    if not isinstance(dest, dict) or not dest or set(dest) - {"tn", "uri"}:
        raise PassportError("dest is an object with tn or uri")
    for name, values in dest.items():
        if not isinstance(values, list) or not values \
                or not all(isinstance(v, str) for v in values):
            raise PassportError(f"dest.{name} is not an array of strings")
        for value in values if name == "tn" else ():
            check_number(value, "dest.tn")
        if values != sorted(values):
            found.warnings.append(f"dest.{name} is not sorted")
    rules = {"shaken": _shaken, "div": _div, "rcd": _rcd_ppt, "rsp": _rsp}
    if found.ppt in rules:
        rules[found.ppt](claims)
    if "rcd" in claims or "rcdi" in claims:
        _rcd(claims)
    if "vper" in claims:
        _vper(claims["vper"])


def _shaken(claims: dict) -> None:
    if claims.get("attest") not in ("A", "B", "C"):
        raise PassportError("attest is not A, B or C")
    try:
        spelling = str(uuid.UUID(claims.get("origid")))
    except (ValueError, TypeError, AttributeError):
        spelling = ""
    if not spelling or claims["origid"].lower() != spelling:
        raise PassportError("origid is not a UUID")


def _div(claims: dict) -> None:
    _identity(claims.get("div"), "div", frozenset({"hi"}))
    if "opt" in claims:
        raise PassportError("opt does not belong in div")


def _rsp(claims: dict) -> None:
    if "div" in claims or "attest" in claims:
        raise PassportError("div and attest do not belong in rsp")


def _rcd_ppt(claims: dict) -> None:
    if "rcd" not in claims and "crn" not in claims:
        raise PassportError("ppt rcd needs rcd or crn")


def _rcd(claims: dict) -> None:
    """RFC 9795 section 5, with every digest of inline content recomputed."""
    rcd = claims.get("rcd")
    if not isinstance(rcd, dict):
        raise PassportError("rcd is not an object")
    if not isinstance(rcd.get("nam"), str):
        raise PassportError("rcd.nam is missing")
    if "jcd" in rcd and "jcl" in rcd:
        raise PassportError("rcd has jcd and jcl")
    rcdi = claims.get("rcdi", {})
    if not isinstance(rcdi, dict):
        raise PassportError("rcdi is not an object")
    for pointer, digest in rcdi.items():
        if not isinstance(digest, str):
            raise PassportError("a digest of rcdi is not a string")
        value = resolve(rcd, pointer)
        if value is None:
            if not pointer.startswith("/jcl"):
                raise PassportError(f"rcdi names {pointer}, which is not there")
            continue
        if isinstance(value, str) and value.startswith("https:"):
            continue  # content of another server
        name, _, given = digest.partition("-")
        if name not in ("sha256", "sha384", "sha512"):
            raise PassportError(f"rcdi {pointer}: unknown algorithm")
        octets = hashlib.new(name, jose.serialise(value).encode()).digest()
        if base64.b64encode(octets).decode().rstrip("=") != given.rstrip("="):
            raise PassportError(f"rcdi {pointer}: digest differs")


def resolve(value: Any, pointer: str) -> Any:
    """RFC 6901 pointer; None where it leads nowhere."""
    if pointer == "":
        return value
    if not pointer.startswith("/"):
        return None
    for token in pointer[1:].split("/"):
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and re.fullmatch(r"0|[1-9][0-9]*", token) \
                and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def _vper(vper: Any) -> None:
    """V-44, V-46."""
    if not isinstance(vper, dict) \
            or set(vper) != {"id", "glue", "name", "domain"}:
        raise PassportError("vper has exactly id, glue, name, domain")
    if not all(isinstance(vper[n], str) and vper[n]
               for n in ("id", "name", "domain")):
        raise PassportError("a member of vper is not a string")
    glue = vper["glue"]
    if not isinstance(glue, list) or not glue or not all(
            isinstance(g, str) and g.startswith("urn:glue:") for g in glue):
        raise PassportError("vper.glue is not a list of GLUE URNs")


def authorising_number(found: Identity) -> str | None:
    """The number that the certificate must cover; None for a URI."""
    claims = found.claims
    if found.ppt == "div":
        return claims["div"].get("tn")
    if found.ppt == "rsp":
        numbers = claims["dest"].get("tn", [])
        if len(numbers) != 1 or "uri" in claims["dest"]:
            raise PassportError("rsp has exactly one dest")
        return numbers[0]
    return claims["orig"].get("tn")
