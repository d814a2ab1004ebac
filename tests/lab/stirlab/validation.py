# What the CA checks: authority tokens and certificate signing requests.
"""The checks of RFC 9448 section 6, and those on a CSR.

Decisions only: no store and no HTTP but the fetch of an x5u.
"""
from __future__ import annotations

import base64
import ssl
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, Callable

from asn1crypto import csr as asn1csr
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from . import der, jose, tnauth
from .constraints import TYPES
from .pki import validity
from .tnauth import TNAuthList

_CRLDP = "2.5.29.31"
_POLICIES = "2.5.29.32"
_KEY_USAGE = "2.5.29.15"
_BASIC = "2.5.29.19"
_SKI = "2.5.29.14"

EXTENSION_OF = {"TNAuthList": tnauth.OID, **TYPES}


class TokenError(ValueError):
    """A token that is refused; `kind` is the ACME error type."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


class CsrError(ValueError):
    """A CSR that is refused (badCSR)."""


@dataclass(frozen=True)
class Token:
    """The parts of an accepted token that matter later."""

    jti: str
    exp: int
    issuer: str
    tktype: str
    tkvalue: str
    value: bytes
    fingerprint: str
    ca: bool
    evidence: dict | None


class TokenValidator:
    """Judges authority tokens against anchors and a registry."""

    def __init__(self, anchors: list[bytes],
                 may_issue: Callable[[bytes, str], bool],
                 fetch: Callable[[str], bytes]) -> None:
        self._anchors, self._may_issue, self._fetch = anchors, may_issue, fetch

    def check(self, text: Any, tktype: str, now: float | None = None) -> Token:
        """Everything that needs neither the account nor the order."""
        now = time.time() if now is None else now
        try:
            token = jose.Compact(text)
            claims = token.claims()
        except jose.JoseError as error:
            raise TokenError("incorrectResponse", str(error)) from None
        if token.header.get("alg") != "ES256":
            raise TokenError("incorrectResponse", "alg of the token is not"
                                                  " ES256")
        if token.header.get("typ", "JWT") != "JWT" or "crit" in token.header:
            raise TokenError("incorrectResponse", "header of the token")
        atc = _atc(claims)
        leaf = self._signer(token.header, now)
        key = leaf.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) \
                or not token.verify(key):
            raise TokenError("unauthorized", "signature of the token is wrong")
        if atc["tktype"] != tktype:
            raise TokenError("incorrectResponse", "tktype is not the type of"
                                                  " the identifier")
        if not self._may_issue(leaf.public_bytes(Encoding.DER), tktype):
            raise TokenError("unauthorized", "issuer of the token is not"
                             f" registered for {tktype}")  # V-87, V-70
        exp = claims.get("exp")
        if not isinstance(exp, int) or isinstance(exp, bool):
            raise TokenError("incorrectResponse", "exp is missing")
        if exp <= now:
            raise TokenError("incorrectResponse", "the token has expired")
        for name in ("iat", "nbf"):
            when = claims.get(name, 0)
            if not isinstance(when, int) or when > now + 60:
                raise TokenError("incorrectResponse", f"{name} of the token")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise TokenError("incorrectResponse", "jti is missing")
        try:
            value = jose.decode_any(atc["tkvalue"], "tkvalue")
        except jose.JoseError as error:
            raise TokenError("incorrectResponse", str(error)) from None
        evidence = claims.get("evidence")
        return Token(jti, exp, str(claims.get("iss", "")), tktype,
                     atc["tkvalue"], value, atc["fingerprint"],
                     atc.get("ca", False),
                     evidence if isinstance(evidence, dict) else None)

    def check_for(self, text: Any, identifier: dict, fingerprints: list[str],
                  numbers: TNAuthList | None) -> Token:
        """The checks of RFC 9448 section 6 for one challenge.

        `numbers` is the TNAuthList of the same order; a constraints token
        that names its evidence must be bound to it (V-64, V-65).
        """
        token = self.check(text, identifier["type"])
        if token.value != jose.decode(identifier["value"]):
            raise TokenError("incorrectResponse", "tkvalue is not the value of"
                                                  " the identifier")
        if token.fingerprint not in fingerprints:
            raise TokenError("incorrectResponse", "fingerprint is not that of"
                                                  " the account key")
        if token.evidence is not None and numbers is not None:
            try:
                bound = TNAuthList.decode(
                    jose.decode(token.evidence.get("tkvalue"), "evidence"))
            except (jose.JoseError, der.DerError) as error:
                raise TokenError("incorrectResponse",
                                 f"evidence: {error}") from None
            if not numbers.within(bound):
                raise TokenError("incorrectResponse", "the constraints token"
                                 " is bound to other numbers")
        return token

    def _signer(self, header: dict, now: float) -> x509.Certificate:
        """Leaf of x5c or x5u after path validation."""
        try:
            if "x5c" in header:
                raw = header["x5c"]
                if not isinstance(raw, list) or not raw or len(raw) > 5:
                    raise ValueError("x5c is not a short array")
                chain = [x509.load_der_x509_certificate(
                    base64.b64decode(c, validate=True)) for c in raw]
            elif "x5u" in header:
                url = header["x5u"]
                if not isinstance(url, str) or not url.startswith("https://"):
                    raise ValueError("x5u is not an https URL")
                body = self._fetch(url)
                chain = [x509.load_pem_x509_certificate(
                    b"-----BEGIN CERTIFICATE-----" + part)
                    for part in body.split(b"-----BEGIN CERTIFICATE-----")[1:]]
                if not chain:
                    raise ValueError("x5u serves no certificate")
            else:
                raise ValueError("neither x5c nor x5u in the header")
        except (ValueError, TypeError, OSError) as error:
            raise TokenError("unauthorized",
                             f"certificate of the token: {error}") from None
        # Loaded anew: certificate objects of python3-cryptography are not to
        # be shared by threads.
        anchors = map(x509.load_der_x509_certificate, self._anchors)
        if not any(_chains(chain, anchor, now) for anchor in anchors):
            raise TokenError("unauthorized", "signer of the token is not under"
                                             " a trusted root")
        return chain[0]


def _atc(claims: dict) -> dict:
    atc = claims.get("atc")
    if not isinstance(atc, dict):
        raise TokenError("incorrectResponse", "atc is missing")
    for name in ("tktype", "tkvalue", "fingerprint"):
        if not isinstance(atc.get(name), str) or not atc[name]:
            raise TokenError("incorrectResponse", f"atc has no {name}")
    if not isinstance(atc.get("ca", False), bool):
        raise TokenError("incorrectResponse", "ca is not a boolean")
    return atc


def _chains(chain: list[x509.Certificate], anchor: x509.Certificate,
            now: float) -> bool:
    """Names, signatures, validity and CA flags up to one anchor."""
    path = chain if chain[-1] == anchor else [*chain, anchor]
    try:
        for index, certificate in enumerate(path):
            begin, end = validity(certificate)
            if not begin <= now <= end:
                return False
            is_ca = certificate.extensions.get_extension_for_class(
                x509.BasicConstraints).value.ca
            if is_ca != (index > 0):
                return False
        for child, parent in zip(path, path[1:]):
            if child.issuer != parent.subject:
                return False
            parent.public_key().verify(
                child.signature, child.tbs_certificate_bytes,
                ec.ECDSA(child.signature_hash_algorithm))
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError,
            AttributeError):
        return False
    return True


def https_fetch(tls_ca: str, hosts: Callable[[], set[str]]
                ) -> Callable[[str], bytes]:
    """A bounded fetch that follows no redirect and knows its hosts."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any, **kwargs: Any) -> None:
            return None

    def fetch(url: str) -> bytes:
        if urllib.parse.urlsplit(url).hostname not in hosts():
            raise ValueError("x5u is on a host that is not configured")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), NoRedirect(),
            urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=tls_ca)))
        with opener.open(url, timeout=5) as answer:
            return answer.read(65536)

    return fetch


# -- certificate signing requests ------------------------------------------

@dataclass(frozen=True)
class CsrRules:
    """What a CSR has to agree with."""

    extensions: dict[str, bytes]
    ca: bool
    account_keys: Callable[[bytes], bool]


def check_csr(octets: bytes, rules: CsrRules) -> bytes:
    """Judges a CSR and answers its SubjectPublicKeyInfo."""
    try:
        request = x509.load_der_x509_csr(octets)
        parsed = asn1csr.CertificationRequest.load(octets, strict=True)
        if parsed.copy().dump(force=True) != octets:
            raise ValueError("not DER")
        version = parsed["certification_request_info"]["version"].native
        key = request.public_key()
        found = list(request.extensions)
        raw = _raw_extensions(parsed)
    except (ValueError, TypeError, x509.DuplicateExtension) as error:
        raise CsrError(f"CSR cannot be parsed: {error}") from None
    if version != "v1":
        raise CsrError("version of the CSR is not 0")
    if not isinstance(key, ec.EllipticCurvePublicKey) \
            or not isinstance(key.curve, ec.SECP256R1):
        raise CsrError("the key is not on P-256 (RFC 8226 section 4)")
    if request.signature_algorithm_oid.dotted_string != "1.2.840.10045.4.3.2":
        raise CsrError("the CSR is not signed with ecdsa-with-SHA256")
    if not request.is_signature_valid:
        raise CsrError("signature of the CSR is wrong")
    spki = jose.spki(key)
    if rules.account_keys(spki):
        raise CsrError("an account key may not be in a certificate (RFC 8555"
                       " section 11.1)")
    for oid, value in rules.extensions.items():
        if oid not in raw:
            raise CsrError(f"extension {oid} of the order is missing")
        critical, octets_found = raw[oid]
        if critical:
            raise CsrError(f"extension {oid} is not critical by its RFC")
        if octets_found != value:
            raise CsrError(f"extension {oid} differs from the order")
    allowed = {_BASIC, _KEY_USAGE, _CRLDP, _POLICIES, _SKI, *rules.extensions}
    extra = sorted(set(raw) - allowed)
    if extra:
        raise CsrError("extension not of the order: " + ", ".join(extra))
    _check_usage(found, rules.ca)
    return spki


def _raw_extensions(parsed: asn1csr.CertificationRequest
                    ) -> dict[str, tuple[bool, bytes]]:
    found: dict[str, tuple[bool, bytes]] = {}
    attributes = 0
    for attribute in parsed["certification_request_info"]["attributes"]:
        if attribute["type"].dotted != "1.2.840.113549.1.9.14":
            continue
        attributes += 1
        for value in attribute["values"]:
            for extension in value:
                found[extension["extn_id"].dotted] = (
                    bool(extension["critical"].native),
                    extension["extn_value"].contents)
    if attributes > 1:
        raise ValueError("extensionRequest is there twice")
    return found


def _check_usage(found: list[x509.Extension], ca: bool) -> None:
    asked_ca = False
    for extension in found:
        if extension.oid == ExtensionOID.BASIC_CONSTRAINTS:
            asked_ca = extension.value.ca
        if extension.oid == ExtensionOID.KEY_USAGE:
            usage = extension.value
            if not ca and (usage.key_cert_sign or usage.crl_sign):
                raise CsrError("keyUsage of a CA in an end-entity CSR")
            if not ca and not usage.digital_signature:
                raise CsrError("keyUsage without digitalSignature")
    if asked_ca != ca:
        raise CsrError("cA of basicConstraints is not the ca flag of the token"
                       " (RFC 9448 section 6)")
