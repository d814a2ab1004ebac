"""rcd, rcdi and crn: RFC 9795, RFC 7095, protocol.md section 4, D-40, D-41, D-54."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

import jsonpointer
import jsontext

HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


class Bad(Exception):
    """args: the claim."""


# Controls, separators of lines, what turns the direction, and the rest of Unicode's
# Default_Ignorable_Code_Point; noncharacters.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]|[" +
    "".join(chr(plane << 16 | 0xfffe) + chr(plane << 16 | 0xffff) for plane in range(17)) + "]")
JOINED = re.compile("(?<=[\u0620-\u0dff])[\u200c\u200d](?=[\u0620-\u0dff])")
PICTURE = "[\xa9\xae\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
FORMED = re.compile(f"(?<={PICTURE})(?:[\ufe0e\ufe0f]?\u200d(?={PICTURE})|[\ufe0e\ufe0f])")


def is_display(value) -> bool:
    """A string that can be shown: docs/PROTOCOL.md, crn."""
    return isinstance(value, str) and not HIDDEN.search(FORMED.sub("", JOINED.sub("", value)))


def _is_https(value) -> bool:
    return isinstance(value, str) and re.match("https://[^/?#]+", value) is not None


# RFC 6350 section 6: what is a URI whatever the type says, and text that people read.
URIS = {"source", "photo", "impp", "geo", "logo", "member", "sound", "url", "fburl", "caladruri",
        "caluri"}
PROSE = {"fn", "n", "nickname", "adr", "title", "role", "org", "categories", "note"}


def _has_address(value) -> bool:
    if isinstance(value, list):
        return any(_has_address(part) for part in value)
    return isinstance(value, str) and re.search("://|^https?:", value, re.I) is not None


def _hides(row: list) -> bool:
    """A reference where RFC 9795 section 6.1.3 sees none, and rcdi has no digest for it."""
    name, parameters, kind, *values = row
    if any(not re.fullmatch("[a-z0-9-]+", key) for key in parameters):
        return True  # RFC 7095 section 3.4
    if any(_has_address(text) for key, text in parameters.items() if key != "label"):
        return True
    if kind == "uri":
        return False
    return name in URIS or (not (kind == "text" and name in PROSE) and _has_address(values))


def _check_jcard(card) -> None:
    """["vcard", [[name, {parameters}, type, value, …], …]] with a version 4.0."""
    if not isinstance(card, list) or len(card) != 2 or card[0] != "vcard":
        raise Bad("rcd")
    if not isinstance(card[1], list) or not card[1]:
        raise Bad("rcd")
    for row in card[1]:
        if not isinstance(row, list) or len(row) < 4 or not isinstance(row[1], dict) or \
                not isinstance(row[0], str) or not isinstance(row[2], str) or _hides(row):
            raise Bad("rcd")
    # RFC 6350: one VERSION, at least one FN.
    if [row[3:] for row in card[1] if row[0] == "version"] != [["4.0"]] or \
            not any(row[0] == "fn" for row in card[1]):
        raise Bad("rcd")


def check_rcd(rcd) -> None:
    if not isinstance(rcd, dict) or not set(rcd) <= {"nam", "apn", "icn", "jcd", "jcl"}:
        raise Bad("rcd")
    if not is_display(rcd.get("nam")) or ("jcd" in rcd and "jcl" in rcd):
        raise Bad("rcd")
    apn = rcd.get("apn", "1")
    if not isinstance(apn, str) or not re.fullmatch("[0-9*#]{1,15}", apn):
        raise Bad("rcd")
    icon = rcd.get("icn", "https://a/")
    if not _is_https(icon) and not (isinstance(icon, str) and icon.startswith("data:image/")):
        raise Bad("rcd")
    if "jcl" in rcd and not _is_https(rcd["jcl"]):
        raise Bad("rcd")
    if "jcd" in rcd:
        _check_jcard(rcd["jcd"])


def references(rcd: dict) -> set[str]:
    """Pointers to what lies elsewhere."""
    out = {f"/{name}" for name in ("icn", "jcl") if _is_https(rcd.get(name))}
    for i, row in enumerate(rcd.get("jcd", ["vcard", []])[1]):
        if row[2] == "uri":
            out |= {f"/jcd/1/{i}/{j}" for j in range(3, len(row)) if _is_https(row[j])}
    return out


def digest(text) -> tuple:
    """The hash and its octets, of base64 with padding or without (D-40)."""
    kind, _, rest = text.partition("-") if isinstance(text, str) else ("", "", "")
    try:
        octets = base64.b64decode(rest.rstrip("=") + "=" * (-len(rest.rstrip("=")) % 4),
                                  validate=True)
    except (binascii.Error, ValueError) as error:
        raise Bad("rcdi") from error
    if kind not in HASHES or len(octets) != HASHES[kind]().digest_size:
        raise Bad("rcdi")
    return HASHES[kind], octets


def check_rcdi(rcd: dict, rcdi) -> None:
    """Everything that is here is hashed; what lies elsewhere has a digest (D-41)."""
    if not isinstance(rcdi, dict) or not rcdi:
        raise Bad("rcdi")
    elsewhere = references(rcd)
    if not elsewhere <= set(rcdi):
        raise Bad("rcdi")
    for pointer, text in rcdi.items():
        function, octets = digest(text)
        if pointer in elsewhere or ("/jcl" in elsewhere and pointer.startswith("/jcl/")):
            continue
        value = jsonpointer.follow(rcd, pointer) if pointer.startswith("/") else jsonpointer.ABSENT
        if value is jsonpointer.ABSENT:
            raise Bad("rcdi")
        if function(jsontext.write(value).encode()).digest() != octets:
            raise Bad("rcdi")
