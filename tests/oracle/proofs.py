"""What a delegate's PASSporT shows of a call: docs/PROTOCOL.md (delegate),
vesperd.conf(5) (delegate_proof, delegate_profile, delegate_encompassing),
RFC 8224 section 6.2, RFC 9060."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import constraint
import jsontext
import leaf
import tnlist
from trust import Trust

PAST_S = 60
EARLY_S = 60  # D-44: who verifies allows for clocks before notBefore, and never after notAfter
WEEK_S = 7 * 86400
PROOFS = (None, "rcd")
SHORT_LIVED = ("vesper-05", "vesper-06", "domain")


@dataclass(frozen=True)
class Policy:
    profile: str
    encompassing: str

    def takes(self, read: leaf.Leaf, timestamps: int, host: str | None) -> bool:
        """The certificate of who signs it, here or elsewhere."""
        if self.profile in SHORT_LIVED and (read.life > WEEK_S or timestamps < 1):
            return False
        if self.profile == "domain" and (
                host is None or [name.lower() for name in read.hosts] != [host.lower()]):
            return False
        return timestamps >= 0 and read.encompassed(self.encompassing, self.profile)


def policy(rules: dict) -> Policy:
    return Policy(rules.get("delegate_profile", "vesper-06"),
                  rules.get("delegate_encompassing", "if-present"))


class Nothing(Exception):
    """It proves nothing."""


def _read(text: str) -> tuple[dict, dict, bytes, bytes]:
    token = text.partition(";")[0]
    if not re.fullmatch(r"([A-Za-z0-9_-]+\.){2}[A-Za-z0-9_-]+", token):
        raise Nothing  # the compact form has no claims
    try:
        header, payload, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
                                      for part in token.split("."))
        header, claims = jsontext.read(header), jsontext.read(payload)
    except (binascii.Error, ValueError, jsontext.Malformed, jsontext.Duplicate):
        raise Nothing from None
    if not isinstance(header, dict) or not isinstance(claims, dict) or len(signature) != 64:
        raise Nothing
    return header, claims, signature, token.rpartition(".")[0].encode()


def _signer(header: dict) -> leaf.Leaf:
    try:
        return leaf.Leaf(base64.b64decode(header["x5c"][0], validate=True))
    except (KeyError, IndexError, ValueError, leaf.Undecodable):
        raise Nothing from None


def _parties(claims: dict) -> tuple:
    dest = claims["dest"]
    return (tnlist.canonical(claims["orig"]["tn"]),
            {tnlist.canonical(tn) for tn in dest.get("tn", [])}, set(dest.get("uri", [])))


def _check_signature(read: leaf.Leaf, signature: bytes, octets: bytes) -> None:
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    try:
        read.certificate.public_key().verify(encode_dss_signature(r, s), octets,
                                             ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Nothing from None


def _check_leaf(read: leaf.Leaf, anchor: x509.Certificate, claims: dict, at: int) -> None:
    above = leaf.Leaf(anchor.public_bytes(leaf.ENCODING))
    read.above = [above]
    for moment in (at, claims["iat"]):
        if not all(c.not_before - EARLY_S <= moment <= c.not_after for c in (read, above)):
            raise Nothing
    if read.problems or not read.numbers.covers(tnlist.canonical(claims["orig"]["tn"])):
        raise Nothing
    if read.constraints and constraint.judge(read.constraints, claims, []):
        raise Nothing


def _verify(text: str, claims: dict, at: int, asked: Policy, dno: str | None,
            trust: Trust) -> None:
    header, said, signature, octets = _read(text)
    if (header.get("alg"), header.get("typ")) != ("ES256", "passport") or \
            header.get("ppt") not in PROOFS or "iss" in said:
        raise Nothing
    if not at - PAST_S <= said["iat"] <= at + PAST_S or _parties(said) != _parties(claims):
        raise Nothing
    read = _signer(header)
    anchor = trust.anchor(read.certificate)
    if anchor is None or dno in read.oids:
        raise Nothing
    _check_signature(read, signature, octets)
    _check_leaf(read, anchor, said, at)
    if not asked.takes(read, trust.timestamps(read.certificate, anchor, at),
                       urlsplit(header["x5u"]).hostname):
        raise Nothing


def holds(text: str, claims: dict, at: int, asked: Policy, dno: str | None, trust: Trust) -> bool:
    """Does a PASSporT from elsewhere show the right to this call's orig?"""
    try:
        _verify(text, claims, at, asked, dno, trust)
    except Nothing:
        return False
    return True


def same_call(one: dict, other: dict) -> bool:
    return _parties(one) == _parties(other)
