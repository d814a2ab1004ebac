# Issued certificates of the STI-CA: download, revocation, renewal information.
"""RFC 8555 sections 7.4.2 and 7.6, RFC 9773."""
from __future__ import annotations

import base64
import datetime
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Callable

from cryptography import x509

from . import issue, jose, web
from .calls import Call, malformed, unauthorized
from .pki import pem_chain, validity

if TYPE_CHECKING:
    from .acme import AcmeService

WRONG_RENEWAL_INFO = frozenset({"inverted", "past", "far", "no-retry-after",
                                "not-a-time"})

WRONG_DOWNLOADS = frozenset({"another"})

#: Reasons of RFC 5280 section 5.3.1 that a subscriber may give.
_REASONS = frozenset({0, 1, 3, 4, 5, 9})


def rfc3339(seconds: float) -> str:
    when = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Certificates:
    """Certificates by id, by the leaf and by the identifier of RFC 9773."""

    def __init__(self, acme: AcmeService, held: Callable[[str], list[dict]],
                 revoked: Callable[[list[tuple[int, int, int]]], None]) -> None:
        self._acme, self._config = acme, acme.config
        self._store, self._lock = acme.store, acme.lock
        self._held, self._on_revocation = held, revoked
        self._by_leaf: dict[str, str] = {}
        self._by_cert_id: dict[str, str] = {}
        for name, row in self._store.all("certificate"):
            self._index(name, row)
        self._tell_revocations()

    def _index(self, name: str, row: dict) -> None:
        self._by_leaf[row["leaf_sha256"]] = name
        self._by_cert_id[row["cert_id"]] = name

    def find(self, cert_id: Any) -> dict | None:
        name = self._by_cert_id.get(cert_id) if isinstance(cert_id, str) else None
        return self._store.get("certificate", name) if name else None

    def is_burnt(self, spki: bytes) -> bool:
        """Whether the key was in a certificate revoked as compromised."""
        digest = hashlib.sha256(spki).hexdigest()
        return self._store.get("burnt-key", digest) is not None

    def keep(self, account: str, order: str, chain: list[bytes], leaf: bytes,
             spki: bytes) -> str:
        """Stores a chain and answers its id."""
        certificate = x509.load_der_x509_certificate(leaf)
        begin, end = validity(certificate)
        row = {"account": account, "order": order,
               "chain": [issue.b64(c) for c in chain],
               "leaf_sha256": hashlib.sha256(leaf).hexdigest(),
               "cert_id": issue.cert_id(leaf),
               "serial": f"{certificate.serial_number:x}",
               "not_before": begin, "not_after": end,
               "key_sha256": hashlib.sha256(spki).hexdigest()}
        name = jose.encode(secrets.token_bytes(9))
        self._store.put("certificate", name, row)
        self._index(name, row)
        return name

    def pem(self, name: str) -> bytes:
        chain = self._store.get("certificate", name)["chain"]
        return pem_chain([base64.b64decode(c) for c in chain]).encode("ascii")

    def serve(self, call: Call, name: str) -> web.Response:
        """The chain, by POST-as-GET of its order's account."""
        row = call.own(self._store, "certificate", name)
        call.require_get()
        if self._acme.faults.wrongs(
                "certificate", f"/order/{row['order']}/certificate/{name}",
                WRONG_DOWNLOADS):
            name = self._another(name)
        return web.Response(200, self.pem(name),
                            "application/pem-certificate-chain")

    def _another(self, name: str) -> str:
        """The certificate of somebody else's order, the newest."""
        return next((n for n in reversed(list(self._by_leaf.values()))
                     if n != name), name)

    # -- revocation ----------------------------------------------------------

    def revoke(self, request: web.Request) -> web.Response:
        """RFC 8555 section 7.6: by the account or by the certificate key."""
        acme = self._acme
        outer = acme.parse(request)
        account_id = None
        if "kid" in outer.protected:
            account_id, account = acme.account_of(outer)
            request.notes["account"] = account_id
            acme.verify(outer, account["jwk"])
            if account["status"] != "valid":
                raise unauthorized(f"account is {account['status']}", 401)
        else:
            acme.verify(outer, outer.protected["jwk"])
        try:
            found = jose.parse_object(outer.payload, "payload")
            leaf = jose.decode(found.get("certificate"), "certificate")
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        identity = self._by_leaf.get(hashlib.sha256(leaf).hexdigest())
        if identity is None:
            raise malformed("not a certificate of this CA", 404)
        row = self._store.get("certificate", identity)
        if account_id is not None:
            if not self._may_revoke(account_id, row):
                raise unauthorized("the account neither ordered the certificate"
                                   " nor holds its identifiers")
        else:
            key = jose.spki(jose.load_jwk(outer.protected["jwk"]))
            if hashlib.sha256(key).hexdigest() != row["key_sha256"]:
                raise unauthorized("not the key of the certificate")
        reason = found.get("reason", 0)
        if isinstance(reason, bool) or not isinstance(reason, int) \
                or reason not in _REASONS:
            raise web.Problem(400, "badRevocationReason",
                              f"reasons are {sorted(_REASONS)}")
        if "series" in self._store.get("order", row["order"]):
            raise web.Problem(403, "autoRenewalRevocationNotSupported",
                              "cancel the order (RFC 8739 section 3.1.2)")
        with self._lock:
            if "revoked" in row:
                raise web.Problem(400, "alreadyRevoked", "it is revoked")
            row["revoked"] = {"time": int(time.time()), "reason": reason}
            self._store.put("certificate", identity, row)
            if reason == 1:
                self._store.put("burnt-key", row["key_sha256"], {"reason": 1})
            self._tell_revocations()
        return web.Response(200, b"", "")

    def revoke_by_ca(self, serial: str, reason: int) -> bool:
        """The CA's own doing: whoever holds the certificate learns it from the list."""
        with self._lock:
            for identity, row in self._store.all("certificate"):
                if row["serial"].lower() != serial.lower() or "revoked" in row:
                    continue
                row["revoked"] = {"time": int(time.time()), "reason": reason}
                self._store.put("certificate", identity, row)
                self._tell_revocations()
                return True
        return False

    def _may_revoke(self, account: str, row: dict) -> bool:
        if row["account"] == account:
            return True
        wanted = self._store.get("order", row["order"])["identifiers"]
        held = self._held(account)
        return all(identifier in held for identifier in wanted)

    def _tell_revocations(self) -> None:
        self._on_revocation([
            (int(row["serial"], 16), row["revoked"]["time"],
             row["revoked"]["reason"])
            for _, row in self._store.all("certificate") if "revoked" in row])

    # -- renewal information -----------------------------------------------

    def renewal_info(self, _: web.Request, cert_id: str) -> web.Response:
        """RFC 9773 section 4; unauthenticated."""
        if not self._config.get("ca.ari.enabled"):
            raise malformed("no renewal information here", 404)
        row = self.find(cert_id)
        if row is None:
            raise malformed("no such certificate", 404)
        begin, end = row["not_before"], row["not_after"]
        life = end - begin
        start = begin + life * self._config.get("ca.ari.start")
        stop = begin + life * self._config.get("ca.ari.end")
        if "revoked" in row:
            start, stop = time.time() - 7200, time.time() - 3600
        if int(stop) <= int(start):
            stop = start + 1
        wrong = self._acme.faults.wrongs(
            "renewal-info", f"/renewal-info/{cert_id}", WRONG_RENEWAL_INFO)
        if "inverted" in wrong:
            start, stop = stop, start
        if "past" in wrong:
            start, stop = time.time() - 7200, time.time() - 3600
        if "far" in wrong:
            start, stop = end + 86400, end + 90000
        pause = max(1, min(self._config.get("ca.ari.retry_after"),
                           int(life / 10)))
        window = {"start": rfc3339(start), "end": rfc3339(stop)}
        if "not-a-time" in wrong:
            window["start"] = "soon"
        return web.json_response(
            {"suggestedWindow": window}, 200, [] if "no-retry-after" in wrong
            else [("Retry-After", str(pause))])
