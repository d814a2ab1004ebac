# Certification path of a PASSporT: RFC 5280 as RFC 8226 and 9060 use it.
"""Builds nothing: the chain comes in order, signer first."""
from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .. import constraints, sct, tnauth
from ..pki import validity
from ..tnauth import TNAuthList

_UNDERSTOOD = frozenset({
    "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.31",
    "2.5.29.32", "2.5.29.35", "1.3.6.1.5.5.7.1.1", tnauth.OID, constraints.OID,
    constraints.OID_ENHANCED, sct.OID_LIST})


class PathError(ValueError):
    """The chain does not lead to an anchor."""


def extension(certificate: x509.Certificate, oid: str) -> bytes | None:
    """Contents of extnValue."""
    try:
        found = certificate.extensions.get_extension_for_oid(
            x509.ObjectIdentifier(oid))
    except x509.ExtensionNotFound:
        return None
    return found.value.public_bytes()


def validate(chain: list[x509.Certificate], anchors: list[x509.Certificate],
             times: list[float]) -> list[x509.Certificate]:
    """The whole path, anchor last."""
    if not chain:
        raise PathError("the chain is empty")
    last = chain[-1]
    if last in anchors:
        path = list(chain)
    else:
        above = [a for a in anchors if a.subject == last.issuer
                 and _identifiers_meet(last, a)]
        if not above:
            raise PathError("no anchor issued the last certificate")
        path = [*chain, above[0]]
    if len(path) < 2:
        raise PathError("an anchor does not sign PASSporTs")
    for index, certificate in enumerate(path):
        _check_one(certificate, index, times)
    for child, parent in zip(path, path[1:]):
        if child.issuer != parent.subject:
            raise PathError("issuer and subject differ: the chain is out of"
                            " order or incomplete")
        if not _identifiers_meet(child, parent):
            raise PathError("AKI is not the SKI of the issuer (RFC 9060)")
        _check_signature(child, parent)
        _check_encompassing(child, parent)
    return path


def _check_one(certificate: x509.Certificate, index: int,
               times: list[float]) -> None:
    name = certificate.subject.rfc4514_string()
    begin, end = validity(certificate)
    for when in times:
        if not begin - (60 if index == 0 else 0) <= when <= end:
            raise PathError(f"{name} is not valid at {int(when)}")
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension) as error:
        raise PathError(f"{name}: {error}") from None
    for found in extensions:
        if found.critical and found.oid.dotted_string not in _UNDERSTOOD:
            raise PathError(f"{name}: critical {found.oid.dotted_string}")
    basic = _value(extensions, x509.BasicConstraints)
    usage = _value(extensions, x509.KeyUsage)
    if index == 0:
        if basic is not None and basic.ca:
            raise PathError("the signer's certificate is one of a CA")
        if usage is not None and not usage.digital_signature:
            raise PathError("keyUsage of the signer lacks digitalSignature")
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) \
                or key.curve.name != "secp256r1":
            raise PathError("the signer's key is not on P-256")
        return
    if basic is None or not basic.ca:
        raise PathError(f"{name} is not a CA")
    if usage is not None and not usage.key_cert_sign:
        raise PathError(f"{name} may not sign certificates")
    if basic.path_length is not None and index - 1 > basic.path_length:
        raise PathError(f"{name}: path length is exceeded")


def _value(extensions: x509.Extensions, kind: type) -> object | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _identifiers_meet(child: x509.Certificate, parent: x509.Certificate) -> bool:
    aki = _value(child.extensions, x509.AuthorityKeyIdentifier)
    ski = _value(parent.extensions, x509.SubjectKeyIdentifier)
    own = _value(child.extensions, x509.SubjectKeyIdentifier)
    return (aki is not None and ski is not None and own is not None
            and aki.key_identifier == ski.digest)


def _check_signature(child: x509.Certificate, parent: x509.Certificate) -> None:
    key, digest = parent.public_key(), child.signature_hash_algorithm
    if not isinstance(digest, (hashes.SHA256, hashes.SHA384)):
        raise PathError("a certificate is signed with a weak digest")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(child.signature, child.tbs_certificate_bytes,
                       ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(child.signature, child.tbs_certificate_bytes,
                       padding.PKCS1v15(), digest)
        else:
            raise PathError("a CA key is of a kind that is not accepted")
    except InvalidSignature:
        raise PathError("a signature of the chain is wrong") from None


def _check_encompassing(child: x509.Certificate, parent: x509.Certificate) -> None:
    """RFC 9060 section 4, where the parent has a list with numbers only."""
    inner, outer = extension(child, tnauth.OID), extension(parent, tnauth.OID)
    if inner is None or outer is None:
        return
    scope = TNAuthList.decode(outer)
    numbers = TNAuthList(e for e in TNAuthList.decode(inner).entries
                         if e.spc is None)
    if not scope.spcs and not numbers.within(scope):
        raise PathError("TNAuthList is wider than that of the issuer")
