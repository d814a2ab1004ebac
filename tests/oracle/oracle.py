"""Would a signer inside the standards sign these claims with this leaf?

Written from RFC 8224-8226, 8588, 8946, 9060, 9118, 9475, 9795, 9970 and the
project's decisions, not from its C code, which it is there to judge.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

import claimset
import constraint
import jsontext
import leaf
import originals
import richcall

ALLOW = "allow"
UNDECODABLE = "undecodable"  # exit status 1 of "vesper check"
# D-01: what each class signs.
DELEGATE_PPTS = {None, "rcd", "rsp", "msg", "div", "div-o"}
SP_PPTS = {"shaken", "div", "rcd", "rph"}
CLASS_PPTS = {"shaken-sp": SP_PPTS, "atis-delegate": DELEGATE_PPTS,
              "vesper-05": DELEGATE_PPTS, "vesper-06": DELEGATE_PPTS, "domain": DELEGATE_PPTS}
# D-16: beyond iat, orig, dest these alone need nobody's word.
STRUCTURAL = {"iat", "orig", "dest", "div", "opt", "mky", "msgi"}


@dataclass
class Question:
    chain: str  # PEM
    claims: bytes
    at: int
    ppt: str | None = None
    profile: str | None = None
    allow: list[str] = field(default_factory=list)
    original: list[str] = field(default_factory=list)
    third: str | None = None  # who speaks about numbers of others
    dno: str | None = None
    encompassing: str | None = None
    salts: list[str] = field(default_factory=list)  # lines: base64, a space, the path


def read_leaf(pem: str) -> leaf.Leaf | None:
    """The leaf, with the validity of its whole chain; None: it does not decode."""
    found = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.S)
    try:
        first, *others = (leaf.Leaf(base64.b64decode(text)) for text in found)
    except leaf.Undecodable:
        return None
    first.above = others
    first.not_before = max([first.not_before] + [c.not_before for c in others])
    first.not_after = min([first.not_after] + [c.not_after for c in others])
    return first


def judge(question: Question, certificate: leaf.Leaf | None) -> str:
    """ALLOW, UNDECODABLE or a reason token; certificate is read_leaf(question.chain)."""
    if certificate is None:
        return UNDECODABLE
    try:
        claims = jsontext.read(question.claims)
    except jsontext.Malformed:
        return "malformed_json"
    except jsontext.Duplicate:
        return "duplicate_member"
    if not isinstance(claims, dict):
        return "invalid_member"
    if question.ppt not in claimset.TYPES:
        return "unsupported_ppt"
    if question.profile and question.ppt not in CLASS_PPTS[question.profile]:
        return "unsupported_ppt"
    if certificate.unusable(question.profile, bool(question.salts)) or not certificate.encompassed(
            question.encompassing, question.profile):
        return "credential_unusable"
    try:
        return _decide(question, certificate, claims)
    except (claimset.Refusal, originals.Refusal) as refusal:
        return refusal.args[0]


def _call(question: Question, claims: dict) -> originals.Call | None:
    """What is answered, for the types that answer."""
    if question.ppt not in originals.ANSWERING:
        if question.original:
            raise originals.Refusal("invalid_member", "original")
        return None
    # vesper(1): without it the claims are judged by themselves; the agent wants it.
    if question.original:
        return originals.Call(question.original)
    # RFC 8946 section 5: a div-o holds what it answers.
    if question.ppt == "div-o" and claimset.FORMS["opt"](claims.get("opt")):
        return originals.Call([claims["opt"]])
    return None


def _authorised(question: Question, certificate: leaf.Leaf, claims: dict) -> str | None:
    """Numbers; rich call data of third parties (D-52); doNotOriginate (D-42)."""
    covered = question.profile == "shaken-sp" or all(
        certificate.numbers.covers(number)
        for number in claimset.authorising(claims, question.ppt))
    if question.dno in certificate.oids and claimset.TYPES[question.ppt].authority == "orig":
        return "tn_not_authorized"
    if "iss" in claims:
        if not question.third:
            return "tn_not_authorized"
        if covered and question.profile != "shaken-sp":
            return "invalid_claim"
        return None if claims["iss"] == question.third else "value_not_permitted"
    return None if covered else "tn_not_authorized"


def _decide(question: Question, certificate: leaf.Leaf, claims: dict) -> str:
    constraints = certificate.constraints
    further = set(question.allow) | (constraints.named() if constraints else set())
    call = _call(question, claims)
    if call:
        claims = call.fill(claims, question.ppt)
    claims = claimset.prepare(claims, question.ppt, question.at, further)
    if call:
        call.match(claims, question.ppt, question.at)
    # D-44: no allowance at either end.  RFC 8224 section 6.1: the Date, which iat is, as well.
    if not all(certificate.not_before <= moment <= certificate.not_after
               for moment in (question.at, claims["iat"])):
        return "credential_expired"
    reason = _authorised(question, certificate, claims)
    if reason:
        return reason
    if constraints:
        reason = constraint.judge(constraints, claims, question.salts)
        if reason:
            return reason
    if question.profile == "vesper-06":
        for name in set(claims) - STRUCTURAL:
            if not (constraints and constraints.vetted(name, claims[name])):
                return "claim_not_vetted"
    # RFC 9795 section 4, mode 2: what is referred to has a digest.
    if "rcd" in claims and "rcdi" not in claims and richcall.references(claims["rcd"]):
        return "missing_claim"
    return ALLOW
