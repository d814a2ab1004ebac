"""A PASSporT's signature, judged by `cryptography`: nothing of the agent's is asked."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(passport: str, key: ec.EllipticCurvePublicKey) -> None:
    """Raise InvalidSignature, or nothing."""
    signed, _, signature = passport.rpartition(".")
    raw = unb64(signature)
    key.verify(utils.encode_dss_signature(int.from_bytes(raw[:32], "big"),
                                          int.from_bytes(raw[32:], "big")),
               signed.encode(), ec.ECDSA(hashes.SHA256()))
