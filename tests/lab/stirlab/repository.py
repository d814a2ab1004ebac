# The certificate repository: serves files of DIR/www over HTTPS.
"""Immutable files by GET, as x5u and the CRL need them (RFC 9060 section 7)."""
from __future__ import annotations

import datetime
import os
import posixpath
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from . import web
from .faults import FaultPlan
from .pki import Parties
from .store import write_file

MEDIA_TYPES = {".pem": "application/pem-certificate-chain",
               ".crl": "application/pkix-crl", ".cer": "application/pkix-cert",
               ".der": "application/pkix-cert", ".json": "application/json",
               ".tnauthlist": "application/tnauthlist"}

#: A file under another media type, or one octet changed.
WRONG_FILES = frozenset({"content-type", "altered"})

_LIMIT = 16 << 20


class RepositoryService:
    """Read-only file service without listings."""

    name = "repository"

    def __init__(self, root: str, base_url: str, faults: FaultPlan) -> None:
        self._root, self._base = os.path.realpath(root), base_url
        self._faults = faults
        os.makedirs(self._root, mode=0o755, exist_ok=True)
        for name in ("", "certs", "ca", "authority", "crl", "lists"):
            path = os.path.join(self._root, name)
            if not os.path.isdir(path):
                os.mkdir(path)
                os.chmod(path, 0o755)
        os.chmod(self._root, 0o755)

    def publish(self, name: str, text: str | bytes) -> str:
        """Writes a file of the lab's own and answers its URL."""
        write_file(os.path.join(self._root, name), text)
        return self._base + name

    def decorate(self, request: web.Request, response: web.Response) -> None:
        if response.status == 200:
            response.headers.append(("Cache-Control", "max-age=60"))

    def route(self, request: web.Request) -> web.Endpoint:
        if request.method not in ("GET", "HEAD"):
            return "repository", web.method_not_allowed
        return "repository", self._serve

    def _serve(self, request: web.Request) -> web.Response:
        path = urllib.parse.unquote(request.path)
        if "\0" in path or posixpath.normpath(path) != path.rstrip("/"):
            return web.not_found(request)
        name = os.path.realpath(os.path.join(self._root, path.lstrip("/")))
        if not name.startswith(self._root + os.sep):
            return web.not_found(request)
        try:
            with open(name, "rb") as source:
                body = source.read(_LIMIT)
        except OSError:
            return web.not_found(request)
        kind = MEDIA_TYPES.get(os.path.splitext(name)[1],
                               "application/octet-stream")
        wrong = self._faults.wrongs("repository", request.path, WRONG_FILES)
        if "content-type" in wrong:
            kind = "text/html"
        if "altered" in wrong and body:
            middle = len(body) // 2
            other = b"A" if body[middle:middle + 1] != b"A" else b"B"
            body = body[:middle] + other + body[middle + 1:]
        return web.Response(200, body, kind)


def revocation_list(parties: Parties,
                    revoked: list[tuple[int, int, int]]) -> bytes:
    """Indirect CRL in the manner of the STI-PA: it signs for the CA."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(
        microsecond=0, tzinfo=None)
    builder = (x509.CertificateRevocationListBuilder()
               .issuer_name(parties.crl.certificate.subject)
               .last_update(now)
               .next_update(now + datetime.timedelta(days=7))
               .add_extension(x509.IssuingDistributionPoint(
                   None, None, False, False, None, True, False), True)
               .add_extension(x509.CRLNumber(time.time_ns() // 1000), False)
               .add_extension(
                   x509.AuthorityKeyIdentifier.from_issuer_public_key(
                       parties.crl.key.public_key()), False))
    issuer = x509.CertificateIssuer(x509.GeneralNames(
        [x509.DirectoryName(parties.sti_ca.certificate.subject)]))
    reasons = {1: x509.ReasonFlags.key_compromise,
               3: x509.ReasonFlags.affiliation_changed,
               4: x509.ReasonFlags.superseded,
               5: x509.ReasonFlags.cessation_of_operation,
               9: x509.ReasonFlags.privilege_withdrawn}
    for serial, when, reason in revoked:
        row = (x509.RevokedCertificateBuilder()
               .serial_number(serial)
               .revocation_date(datetime.datetime.fromtimestamp(
                   when, datetime.timezone.utc).replace(tzinfo=None))
               .add_extension(issuer, True))
        if reason in reasons:
            row = row.add_extension(x509.CRLReason(reasons[reason]), False)
        builder = builder.add_revoked_certificate(row.build())
    return builder.sign(parties.crl.key, hashes.SHA256()).public_bytes(
        serialization.Encoding.DER)
