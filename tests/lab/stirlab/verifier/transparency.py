# Embedded SCTs of the signer's certificate against a list of logs.
"""RFC 6962 section 3.2 by an own reconstruction of the TBSCertificate."""
from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .. import jose, sct
from .path import extension

_GOOD_STATES = ("usable", "qualified", "readonly")


@dataclass(frozen=True)
class KnownLog:
    """One log of the list."""

    operator: str
    description: str
    key: ec.EllipticCurvePublicKey


def load(tree: dict) -> dict[bytes, KnownLog]:
    """Logs by id from a list in the shape of the browsers' version 3."""
    found = {}
    for operator in tree.get("operators", []):
        for log in operator.get("logs", []):
            spki = base64.b64decode(log["key"], validate=True)
            log_id = base64.b64decode(log["log_id"], validate=True)
            if hashlib.sha256(spki).digest() != log_id:
                raise ValueError(f"log_id of {log.get('description')} is not"
                                 " the digest of its key")
            if not any(state in log.get("state", {"usable": {}})
                       for state in _GOOD_STATES):
                continue
            found[log_id] = KnownLog(operator["name"],
                                     log.get("description", ""),
                                     serialization.load_der_public_key(spki))
    return found


def judge(leaf: x509.Certificate, issuer: x509.Certificate,
          logs: dict[bytes, KnownLog], at: float) -> list[dict]:
    """One row for each SCT: log, operator, timestamp, valid, reason."""
    value = extension(leaf, sct.OID_LIST)
    if value is None:
        return []
    octets = leaf.public_bytes(serialization.Encoding.DER)
    tbs = sct.strip(asn1.Certificate.load(octets)["tbs_certificate"],
                    sct.OID_LIST)
    entry = sct.precert_entry(jose.spki(issuer.public_key()), tbs)
    rows, seen = [], set()
    for found in sct.decode_list(value):
        log = logs.get(found.log_id)
        reason = None
        if log is None:
            reason = "unknown log"
        elif found.timestamp > at * 1000:
            reason = "timestamp in the future"
        elif found.log_id in seen:
            reason = "second SCT of one log"
        else:
            try:
                log.key.verify(found.signature, sct.signed_data(
                    found.timestamp, entry, found.extensions),
                    ec.ECDSA(hashes.SHA256()))
                seen.add(found.log_id)
            except InvalidSignature:
                reason = "signature is wrong"
        rows.append({"log_id": base64.b64encode(found.log_id).decode(),
                     "operator": log.operator if log else None,
                     "timestamp": found.timestamp, "valid": reason is None,
                     "reason": reason})
    return rows
