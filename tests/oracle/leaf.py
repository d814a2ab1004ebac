"""What a leaf certificate says to a signer: RFC 8226, RFC 9118, protocol.md 6."""

from __future__ import annotations

from datetime import timezone

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import constraint
import der
import tnlist

TNAUTHLIST, JWTCC, EJWTCC = (f"1.3.6.1.5.5.7.1.{n}" for n in (26, 27, 33))
TNLIST = "1.3.6.1.5.5.7.48.14"
WEEK_S = 7 * 86400
ENCODING = serialization.Encoding.DER
NO_LIST = "no TNAuthList"
# What a signer processes, or may pass over, when it is marked critical.
PROCESSED = {"2.5.29.15", "2.5.29.19", TNAUTHLIST, JWTCC, EJWTCC,
             "2.5.29.14", "2.5.29.35", "2.5.29.17", "2.5.29.37", "2.5.29.32", "2.5.29.31"}


class Undecodable(Exception):
    """Not a certificate, or one of its STIR extensions is not DER of its type."""


class Leaf:
    def __init__(self, octets: bytes):
        self.problems: list[str] = []
        self.hosts: list[str] = []
        self.by_reference = False  # a list elsewhere, which is not at hand
        self.above: list[Leaf] = []  # the rest of its chain
        self.numbers: tnlist.TNList | None = None
        self.constraints: constraint.Constraints | None = None
        try:
            certificate = x509.load_der_x509_certificate(octets)
            extensions = list(certificate.extensions)
        except (ValueError, x509.DuplicateExtension) as error:
            raise Undecodable(str(error)) from error
        self.certificate = certificate
        self.not_before = int(
            certificate.not_valid_before.replace(tzinfo=timezone.utc).timestamp())
        self.not_after = int(
            certificate.not_valid_after.replace(tzinfo=timezone.utc).timestamp())
        self.life = self.not_after - self.not_before
        if certificate.not_valid_after.year == 9999:
            self.problems.append("no end of validity")
        self._key(certificate)
        self.oids = {e.oid.dotted_string for e in extensions}
        for extension in extensions:
            self._extension(extension)
        self._read({e.oid.dotted_string: e.value for e in extensions})

    def _key(self, certificate) -> None:
        try:
            key = certificate.public_key()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no P-256 key
            self.problems.append(f"key: {error}")
            return
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            self.problems.append("key is not P-256")  # D-56, D-57

    def _extension(self, extension) -> None:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            self.problems.append("a CA signs no PASSporT")  # protocol.md 1.6
        elif isinstance(value, x509.KeyUsage) and not value.digital_signature:
            self.problems.append("keyUsage without digitalSignature")
        elif isinstance(value, x509.AuthorityInformationAccess):
            self.by_reference = any(row.access_method.dotted_string == TNLIST for row in value)
        elif isinstance(value, x509.SubjectAlternativeName):
            self.hosts = value.get_values_for_type(x509.DNSName)
        elif extension.critical and extension.oid.dotted_string not in PROCESSED:
            self.problems.append("unknown critical extension")  # RFC 5280 4.2

    def _read(self, values: dict) -> None:
        try:
            if TNAUTHLIST in values:
                self.numbers = tnlist.decode(values[TNAUTHLIST].value)
            for oid in (JWTCC, EJWTCC):
                if oid in values:
                    self._constrain(values[oid].value, oid == EJWTCC)
        except der.DerError as error:
            raise Undecodable(str(error)) from error
        if JWTCC in values and EJWTCC in values:
            self.problems.append("both constraint extensions")  # D-07
        if self.numbers is None:
            self.problems.append(NO_LIST)  # V-14

    def _constrain(self, octets: bytes, enhanced: bool) -> None:
        try:
            self.constraints = constraint.decode(octets, enhanced)
        except constraint.Useless as error:
            self.problems.append(str(error))

    def unusable(self, profile: str | None, told: bool) -> bool:
        """Refused at activation, by itself or under the profile (D-01, V-12)."""
        if self.problems or (self.constraints and self.constraints.never_met and not told):
            return True
        if profile == "domain" and len(self.hosts) != 1:
            return True  # protocol.md 8.2: exactly one name
        if profile in ("vesper-05", "vesper-06", "domain"):
            return self.life > WEEK_S or not self.numbers.has_numbers
        if profile == "atis-delegate":
            return not self.numbers.has_numbers
        if profile == "shaken-sp":
            # protocol.md 1.5, second reading: one SPC and nothing else.
            return len(self.numbers.spcs) != 1 or self.numbers.has_numbers
        return False

    def encompassed(self, mode: str | None, profile: str | None) -> bool:
        """RFC 9060 section 4.1 along the chain, as far as D-45's policy wants it."""
        if mode in (None, "off"):
            return True
        lists = [c.numbers for c in self.above if c.numbers is not None]
        if not lists:
            return mode != "require"
        # A list by reference counts as if it stood here, and nobody has seen it.
        child, proven = self.numbers, not self.by_reference
        for parent in lists:
            # Originators are no scope under VESPER, nor is any SPC without a profile.
            codes = profile != "atis-delegate" or set(child.spcs) <= set(parent.spcs)
            if not (codes and child.inside(parent)):
                if not parent.spcs:
                    return False
                proven = False  # what the parent's codes stand for is not in the list
            child = parent
        return proven or mode != "require"
