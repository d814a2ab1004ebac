# Keys and certificates of the parties themselves.
"""Made at the first start, kept under DIR/ca with mode 0600, used again.

Two trees besides TLS: the STI tree (root, one intermediate) that signs
delegate and SHAKEN certificates, and the tree of the token signers.
"""
from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .store import write_file

YEARS = datetime.timedelta(days=3650)


@dataclass
class Identity:
    """A private key with its certificate; every issuer here is a root."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return der(self.certificate)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def validity(certificate: x509.Certificate) -> tuple[float, float]:
    """notBefore and notAfter in Unix seconds, with old and new libraries."""
    if hasattr(certificate, "not_valid_before_utc"):
        return (certificate.not_valid_before_utc.timestamp(),
                certificate.not_valid_after_utc.timestamp())
    zone = datetime.timezone.utc
    return (certificate.not_valid_before.replace(tzinfo=zone).timestamp(),
            certificate.not_valid_after.replace(tzinfo=zone).timestamp())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def pem_chain(chain: list[bytes]) -> str:
    return "".join(pem(x509.load_der_x509_certificate(c)) for c in chain)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str, organization: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
                      x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def key_usage(*names: str) -> x509.KeyUsage:
    flags = {name: name in names for name in (
        "digital_signature", "content_commitment", "key_encipherment",
        "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
        "encipher_only", "decipher_only")}
    return x509.KeyUsage(**flags)


def make(common: str, organization: str, issuer: Identity | None,
         key: ec.EllipticCurvePrivateKey, path_length: int | None = None,
         is_ca: bool = False, address: str | None = None,
         any_policy: bool = False, usage: str = "digital_signature"
         ) -> x509.Certificate:
    """A certificate of the parties' own trees."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    name = _name(common, organization)
    builder = (x509.CertificateBuilder()
               .subject_name(name)
               .issuer_name(issuer.certificate.subject if issuer else name)
               .public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + YEARS)
               .add_extension(x509.BasicConstraints(is_ca, path_length), True)
               .add_extension(key_usage("key_cert_sign", "crl_sign") if is_ca
                              else key_usage(usage), True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                   key.public_key()), False)
               .add_extension(
                   x509.AuthorityKeyIdentifier.from_issuer_public_key(
                       (issuer.key if issuer else key).public_key()), False))
    if address:
        builder = builder.add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address(address))]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH]), False)
    if any_policy:
        builder = builder.add_extension(x509.CertificatePolicies(
            [x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"),
                                    None)]), False)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())


class Parties:
    """All identities of one lab, from DIR/ca."""

    def __init__(self, directory: str, address: str, organization: str) -> None:
        self._directory = directory
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        org = organization
        self.tls_ca = self._get("tls-ca", "Lab TLS CA", org, None, ca=True)
        self.tls = self._get("tls-server", "Lab TLS Server", org, self.tls_ca,
                             address=address)
        self.sti_root = self._get("sti-root", "Lab STI Root", org, None,
                                  ca=True)
        self.sti_ca = self._get("sti-ca", "Lab STI Intermediate", org,
                                self.sti_root, ca=True, path_length=1,
                                any_policy=True)
        self.authority_root = self._get(
            "authority-root", "Lab Token Authority Root", org, None, ca=True)
        self.numbers = self._get("number-authority", "Lab Number Authority",
                                 org, self.authority_root)
        self.claims = self._get("claim-agent", "Lab Claim Agent", org,
                                self.authority_root)
        self.notary = self._get("notary", "Lab Notary Agent", org,
                                self.authority_root)
        self.crl = self._get("crl-issuer", "Lab STI-PA CRL", org,
                             self.sti_root, usage="crl_sign")
        # Parties that exist to be refused: one under the right root but in
        # no registry, one under a root that nobody trusts, and a CA with the
        # name of the intermediate.
        self.unregistered = self._get("unregistered", "Lab Unregistered",
                                      org, self.authority_root)
        self.foreign_root = self._get("foreign-root", "Foreign Root", org,
                                      None, ca=True)
        self.foreign = self._get("foreign", "Foreign Authority", org,
                                 self.foreign_root)
        self.foreign_log = self._get("foreign-log", "Foreign Log", org, None)

    def _get(self, name: str, common: str, organization: str,
             issuer: Identity | None, ca: bool = False,
             path_length: int | None = None, address: str | None = None,
             any_policy: bool = False,
             usage: str = "digital_signature") -> Identity:
        base = os.path.join(self._directory, name)
        key = self.key(name)
        certificate = None
        if os.path.exists(base + ".pem"):
            with open(base + ".pem", "rb") as source:
                certificate = x509.load_pem_x509_certificate(source.read())
            if address and address not in _addresses(certificate):
                certificate = None  # the lab moved to another address
        if certificate is None:
            certificate = make(common, organization, issuer, key,
                               path_length, ca, address, any_policy, usage)
            write_file(base + ".pem", pem(certificate), 0o600)
        return Identity(key, certificate)

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """A key of this name, made at first use."""
        path = os.path.join(self._directory, name + ".key")
        if os.path.exists(path):
            with open(path, "rb") as source:
                return serialization.load_pem_private_key(source.read(), None)
        key = new_key()
        write_file(path, key_pem(key), 0o600)
        return key

    def server_context(self) -> ssl.SSLContext:
        """TLS of all services, with the certificate for the address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(
            os.path.join(self._directory, "tls-server.pem"),
            os.path.join(self._directory, "tls-server.key"))
        return context


def _addresses(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value
    return [str(a) for a in names.get_values_for_type(x509.IPAddress)]
