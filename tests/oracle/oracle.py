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


def read_leaf(pem: str) -> leaf.Leaf | None:
    """The leaf, with the validity of its whole chain; None: it does not decode."""
    found = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.S)
    try:
        first, *others = (leaf.Leaf(base64.b64decode(text)) for text in found)
    except leaf.Undecodable:
        return None
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
    if certificate.unusable(question.profile):
        return "credential_unusable"
    try:
        return _decide(question, certificate, claims)
    except claimset.Refusal as refusal:
        return refusal.args[0]


def _decide(question: Question, certificate: leaf.Leaf, claims: dict) -> str:
    constraints = certificate.constraints
    further = set(question.allow) | (constraints.named() if constraints else set())
    claims = claimset.prepare(claims, question.ppt, question.profile, question.at, further)
    # D-44: no allowance at either end.
    if not certificate.not_before <= question.at <= certificate.not_after:
        return "credential_expired"
    # D-05: under shaken-sp the numbers are the tenant's configuration.
    if question.profile != "shaken-sp" and not all(
            certificate.numbers.covers(number)
            for number in claimset.authorising(claims, question.ppt)):
        return "tn_not_authorized"
    if "iss" in claims:
        return "tn_not_authorized"  # D-52: rich call data of third parties is not switched on
    if constraints:
        reason = constraint.judge(constraints, claims)
        if reason:
            return reason
    if question.profile == "vesper-06":
        for name in set(claims) - STRUCTURAL:
            if not (constraints and constraints.vetted(name, claims[name])):
                return "claim_not_vetted"
    return ALLOW
