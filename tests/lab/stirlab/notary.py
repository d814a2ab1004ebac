# The Notary Agent: registry of token issuers, log of issued tokens.
"""VESPER -05 section 4.2.4: the Notary Agent registers providers, responsible
organisations and claim agents (V-87, V-70), logs the issuance of tokens and
answers receipts (V-88).
"""
from __future__ import annotations

import base64
import hashlib
import threading
import time
from typing import Any

from . import jose, web
from .config import Config
from .pki import Parties
from .store import Store

CONSTRAINT_TYPES = ["JWTClaimConstraints", "EnhancedJWTClaimConstraints"]


class Notary:
    """Registry and log; the authorities and the CA call it directly."""

    name = "notary"

    def __init__(self, config: Config, parties: Parties, store: Store) -> None:
        self._config, self._parties, self._store = config, parties, store
        self._lock = threading.Lock()

    def _issuers(self) -> list[dict[str, Any]]:
        """The registered signers of tokens and what they may sign."""
        return [self._status(row) for row in (
            {"id": "number-authority", "role": "provider",
             "name": self._config.get("number_authority.name"),
             "certificate_sha256": _digest(self._parties.numbers.der),
             "tktypes": ["TNAuthList"]},
            {"id": "claim-agent", "role": "claim-agent",
             "name": self._config.get("claim_agent.name"),
             "certificate_sha256": _digest(self._parties.claims.der),
             "tktypes": CONSTRAINT_TYPES})]

    def _status(self, row: dict[str, Any]) -> dict[str, Any]:
        suspended = row["id"] in self._config.get("notary.suspended")
        return {**row, "status": "suspended" if suspended else "registered"}

    def registry(self) -> list[dict]:
        """Issuers, then the responsible organisations."""
        found = self._issuers()
        for name, account in self._config.get("number_authority.accounts").items():
            found.append(self._status({
                "id": account.get("entity", name),
                "role": "responsible-organisation",
                "name": account.get("organization", name)}))
        return found

    def may_issue(self, certificate: bytes, tktype: str) -> bool:
        """Whether a registered issuer with this certificate gives tktype."""
        digest = _digest(certificate)
        return any(row["certificate_sha256"] == digest
                   and tktype in row["tktypes"]
                   and row["status"] == "registered"
                   for row in self._issuers())

    def record(self, issuer: str, account: str, token: str) -> str:
        """Logs a token without keeping it, and answers the receipt."""
        parsed = jose.Compact(token) if token.count(".") == 2 else None
        claims = parsed.claims() if parsed else {}
        digest = hashlib.sha256(token.encode("ascii")).hexdigest()
        with self._lock:
            sequence = self._store.count("notary") + 1
            row = {"seq": sequence, "time": int(time.time()), "issuer": issuer,
                   "account": account, "jti": claims.get("jti"),
                   "exp": claims.get("exp"), "atc": claims.get("atc"),
                   "sub": claims.get("sub"), "token_sha256": digest}
            self._store.put("notary", str(sequence), row)
        identity = self._parties.notary
        header = {"alg": "ES256", "typ": "JWT", "x5c": [
            base64.b64encode(identity.der).decode("ascii")]}
        return jose.sign_compact(header, {
            "iss": self._config.get("notary.name"), "iat": row["time"],
            "seq": sequence, "jti": claims.get("jti") or "",
            "token_sha256": digest}, identity.key)

    def has_logged(self, token: str) -> bool:
        digest = hashlib.sha256(token.encode("ascii")).hexdigest()
        return any(row["token_sha256"] == digest
                   for _, row in self._store.all("notary"))

    def tokens(self, since: int = 0) -> list[dict]:
        return [row for _, row in self._store.all("notary")
                if row["seq"] > since]

    # -- HTTP --------------------------------------------------------------

    def decorate(self, request: web.Request, response: web.Response) -> None:
        """The notary adds no headers."""

    def route(self, request: web.Request) -> web.Endpoint:
        reads = {"/registry": ("registry", self._get_registry),
                 "/tokens": ("tokens", self._get_tokens)}
        if request.path not in reads:
            return "unknown", web.not_found
        name, action = reads[request.path]
        if request.method not in ("GET", "HEAD"):
            return name, web.method_not_allowed
        return name, action

    def _get_registry(self, _: web.Request) -> web.Response:
        return web.json_response({"registry": self.registry()})

    def _get_tokens(self, request: web.Request) -> web.Response:
        since = request.query.get("since", ["0"])[0]
        if not (since.isascii() and since.isdigit()):
            raise web.Problem(400, "malformed", "since is not a number")
        return web.json_response({"tokens": self.tokens(int(since))})


def _digest(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()
