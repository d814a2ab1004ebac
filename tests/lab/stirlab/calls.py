# An authenticated ACME request, and the problems that most of them can meet.
"""RFC 8555 sections 6.3 and 6.7."""
from __future__ import annotations

from dataclasses import dataclass

from . import jose, web
from .store import Store


@dataclass
class Call:
    """An authenticated ACME request."""

    request: web.Request
    payload: bytes
    account_id: str
    account: dict
    jwk: dict

    @property
    def is_get(self) -> bool:
        """POST-as-GET (RFC 8555 section 6.3)."""
        return self.payload == b""

    def body(self) -> dict:
        try:
            return jose.parse_object(self.payload, "payload")
        except jose.JoseError as error:
            raise malformed(str(error)) from None

    def require_get(self) -> None:
        if not self.is_get:
            raise malformed("payload of a POST-as-GET is empty")

    def own(self, store: Store, kind: str, name: str) -> dict:
        """An object of this account; those of others are refused."""
        found = store.get(kind, name)
        if found is None:
            raise malformed(f"no such {kind}", 404)
        if found["account"] != self.account_id:
            raise unauthorized(f"that {kind} is of another account")
        return found


def malformed(detail: str, status: int = 400) -> web.Problem:
    return web.Problem(status, "malformed", detail)


def unauthorized(detail: str, status: int = 403) -> web.Problem:
    return web.Problem(status, "unauthorized", detail)
