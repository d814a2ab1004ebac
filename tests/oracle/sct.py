"""Signed certificate timestamps of a leaf: RFC 6962 section 3, protocol.md 6.4,
D-36.  How many logs that may be used have promised to list it?"""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
COUNTED = ("usable",)


def logs(text: str) -> dict[bytes, object]:
    """The keys of the logs that count, by log id."""
    out = {}
    for operator in json.loads(text)["operators"]:
        for log in operator.get("logs", []):
            spki = base64.b64decode(log["key"])
            if log["state"] in COUNTED:
                out[hashlib.sha256(spki).digest()] = serialization.load_der_public_key(spki)
    return out


def _signed(timestamp_ms: int, extensions: bytes, issuer: bytes, tbs: bytes) -> bytes:
    """digitally-signed struct of a precert_entry (section 3.2)."""
    return (b"\0\0" + timestamp_ms.to_bytes(8, "big") + b"\0\1" + hashlib.sha256(issuer).digest() +
            len(tbs).to_bytes(3, "big") + tbs + len(extensions).to_bytes(2, "big") + extensions)


def _holds(log, signature: bytes, octets: bytes) -> bool:
    try:
        log.verify(signature, octets, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def count(leaf: x509.Certificate, issuer: x509.Certificate, known: dict, now_s: int) -> int:
    """Distinct logs; -1: one is dated in the future, which a signer must reject."""
    try:
        rows = leaf.extensions.get_extension_for_oid(LIST).value
    except x509.ExtensionNotFound:
        return 0
    spki = issuer.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = set()
    for row in rows:
        stamp_ms = int(row.timestamp.timestamp()) * 1000 + row.timestamp.microsecond // 1000
        if row.log_id not in known:
            continue
        octets = _signed(stamp_ms, row.extension_bytes, spki, leaf.tbs_precertificate_bytes)
        if not _holds(known[row.log_id], row.signature, octets):
            continue
        if stamp_ms > now_s * 1000:
            return -1
        good.add(row.log_id)
    return len(good)
