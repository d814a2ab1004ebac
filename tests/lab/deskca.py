#!/usr/bin/python3
# A CA that speaks no ACME: a request on standard input, its chain on standard output.
"""deskca.py DIR [WRONG|aged]: the lab's STI CA in DIR/ca signs what is asked for.

What an operator carries by hand, or a command does for the agent. WRONG is
one of issue.WRONG_CERTIFICATES; aged: most of its life is over.
"""
from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding, PublicFormat, load_pem_private_key)

from stirlab import constraints, issue, tnauth
from stirlab.pki import Identity, pem_chain

LIFETIME_S = 3600
ISSUERS = ("sti-root", "sti-ca", "foreign-root", "foreign")


def parties(directory: Path) -> SimpleNamespace:
    """What an issuer needs of the lab's parties; nothing is made, unlike in pki.Parties."""
    found = SimpleNamespace()
    for name in ISSUERS:
        certificate = (directory / f"{name}.pem").read_bytes()
        key = (directory / f"{name}.key").read_bytes()
        setattr(found, name.replace("-", "_"), Identity(
            load_pem_private_key(key, None), x509.load_pem_x509_certificate(certificate)))
    return found


def extension(request: x509.CertificateSigningRequest, oid: str) -> bytes | None:
    found = [e for e in request.extensions if e.oid.dotted_string == oid]
    return found[0].value.value if found else None


def end_of(directory: Path) -> int:
    """Each certificate ends later than those before it, also within a second."""
    now = time.time()
    return int(now + LIFETIME_S + 100 * (now - (directory / "sti-ca.key").stat().st_mtime))


def chain_for(directory: str, text: bytes, wrong: frozenset[str], backdate_s: int) -> str:
    request = x509.load_pem_x509_csr(text)
    if not request.is_signature_valid:
        raise ValueError("the request is not signed by its key")
    numbers = extension(request, tnauth.OID)
    if numbers is None:
        raise ValueError("the request has no TNAuthList")
    limits = extension(request, constraints.OID)
    spki = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    now = int(time.time())
    issuer = issue.Issuer(parties(Path(directory, "ca")), [], lambda log: False)
    return pem_chain(issuer.issue(issue.Wanted(
        "delegate", numbers, spki, now - backdate_s, end_of(Path(directory, "ca")), "Lab Desk", "US",
        (constraints.OID, limits) if limits else None, wrong=wrong)))


def main() -> int:
    wrong = frozenset(sys.argv[2:]) - {"aged"}
    if len(sys.argv) < 2 or not wrong <= issue.WRONG_CERTIFICATES:
        print("usage: deskca.py DIR [WRONG|aged]", file=sys.stderr)
        return 2
    try:
        print(chain_for(sys.argv[1], sys.stdin.buffer.read(), wrong,
                        72 * LIFETIME_S if "aged" in sys.argv else 60), end="")
    except ValueError as problem:
        print(f"deskca: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
