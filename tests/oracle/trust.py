"""Whom a configuration believes: trust anchors and logs."""

from __future__ import annotations

import re
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

import sct

PEM = "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n"


class Trust:
    def __init__(self, anchors: str, logs: str, now_s: int):
        self.now_s = now_s  # when what is on the disk is judged
        self.anchors = [x509.load_pem_x509_certificate(text.encode())
                        for text in re.findall(PEM, anchors, re.S)]
        self.logs = sct.logs(logs)
        self._counted: dict[tuple, int] = {}

    def anchor(self, leaf: x509.Certificate) -> x509.Certificate | None:
        """Whose key has signed it."""
        for one in self.anchors:
            try:
                if one.subject == leaf.issuer:
                    one.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes,
                                            ec.ECDSA(leaf.signature_hash_algorithm))
                    return one
            except InvalidSignature:
                continue
        return None

    def timestamps(self, leaf: x509.Certificate, issuer: x509.Certificate, now_s: int) -> int:
        what = (leaf.signature, issuer.signature, now_s)
        if what not in self._counted:
            self._counted[what] = sct.count(leaf, issuer, self.logs, now_s)
        return self._counted[what]


@lru_cache(maxsize=16)
def of(anchors: str, logs: str, now_s: int) -> Trust:
    return Trust(anchors, logs, now_s)
