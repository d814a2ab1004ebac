# The ACME front of the STI-CA: requests, nonces, accounts, key change.
"""RFC 8555 sections 6 and 7.1 to 7.3.  Orders are in `orders`."""
from __future__ import annotations

import hmac
import random
import re
import secrets
import threading
import time
from typing import Any, Callable

from . import jose, star, web
from .calls import Call, malformed, unauthorized
from .config import Config
from .faults import FaultPlan
from .store import Store

#: Wrongs of any ACME answer, applied to its headers and members.
WRONG_ANSWERS = frozenset({"no-nonce", "no-location", "content-type",
                           "foreign-urls", "http-urls"})

_NONCES = 100_000
_MAILTO = re.compile(r"mailto:[^@\s,?]+@[^@\s,?]+\Z")


class Nonces:
    """Anti-replay nonces (RFC 8555 section 6.5); lost at a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, None] = {}

    def fresh(self) -> str:
        nonce = jose.encode(secrets.token_bytes(16))
        with self._lock:
            self._open[nonce] = None
            if len(self._open) > _NONCES:
                del self._open[next(iter(self._open))]
        return nonce

    def spend(self, nonce: str) -> bool:
        with self._lock:
            return self._open.pop(nonce, False) is None


class Accounts:
    """Account objects by id and by key thumbprint."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_key: dict[str, str] = {}
        self._keys: dict[bytes, str] = {}
        for name, account in store.all("account"):
            self._remember(name, account["jwk"])

    def _remember(self, name: str, jwk: dict) -> None:
        self._by_key[jose.encode(jose.thumbprint(jwk))] = name
        self._keys[jose.spki(jose.load_jwk(jwk))] = name

    def get(self, name: str) -> dict | None:
        return self._store.get("account", name)

    def find(self, jwk: dict) -> str | None:
        return self._by_key.get(jose.encode(jose.thumbprint(jwk)))

    def save(self, name: str, account: dict) -> None:
        self._store.put("account", name, account)
        self._remember(name, account["jwk"])

    def rekey(self, name: str, jwk: dict) -> None:
        account = self.get(name) or {}
        self._by_key.pop(jose.encode(jose.thumbprint(account["jwk"])), None)
        self.save(name, {**account, "jwk": jwk})

    def is_account_key(self, spki: bytes) -> bool:
        """Also keys that an account had before a key change."""
        return spki in self._keys


class AcmeService:
    """Routes of the CA; authentication and accounts are done here."""

    name = "ca"

    def __init__(self, config: Config, store: Store, faults: FaultPlan,
                 origin: str, crl_url: str,
                 orders: Callable[["AcmeService"], Any]) -> None:
        self.config, self.store, self.faults = config, store, faults
        self.origin, self.crl_url = origin, crl_url
        self.lock = threading.RLock()
        self.nonces = Nonces()
        self.accounts = Accounts(store)
        self.orders = orders(self)

    def url(self, path: str) -> str:
        return self.origin + path

    # -- routing ---------------------------------------------------------

    def route(self, request: web.Request) -> web.Endpoint:
        parts = request.path.strip("/").split("/")
        head = parts[0]
        if request.path == "/directory":
            return "directory", self._read(self._directory)
        if request.path == "/new-nonce":
            return "new-nonce", self._read(self._new_nonce)
        if request.path == "/new-account":
            return "new-account", self._post(self._new_account)
        if request.path == "/key-change":
            return "key-change", self._post(self._signed(self._key_change))
        if head == "account" and len(parts) == 2:
            return "account", self._post(self._signed(
                lambda call: self._account(call, parts[1])))
        if head == "renewal-info" and len(parts) == 2:
            return "renewal-info", self._read(
                lambda r: self.orders.certificates.renewal_info(
                    r, parts[1]))
        if request.path == "/revoke-cert":
            return "revoke-cert", self._post(
                self.orders.certificates.revoke)
        if head == "star" and len(parts) == 2:
            return "star-certificate", self._either(
                lambda r: self.orders.series(r, parts[1]),
                self._signed(lambda call: self.orders.series_of(
                    call, parts[1])))
        found = self.orders.route(parts)
        if found:
            return found[0], self._post(self._signed(found[1]))
        return "unknown", web.not_found

    @staticmethod
    def _read(action: Callable[[web.Request], web.Response]
              ) -> Callable[[web.Request], web.Response]:
        def serve(request: web.Request) -> web.Response:
            if request.method not in ("GET", "HEAD"):
                return web.method_not_allowed(request)
            return action(request)
        return serve

    @staticmethod
    def _post(action: Callable[[web.Request], web.Response]
              ) -> Callable[[web.Request], web.Response]:
        def serve(request: web.Request) -> web.Response:
            if request.method != "POST":
                return web.method_not_allowed(request)
            return action(request)
        return serve

    @staticmethod
    def _either(get: Callable[[web.Request], web.Response],
                post: Callable[[web.Request], web.Response]
                ) -> Callable[[web.Request], web.Response]:
        def serve(request: web.Request) -> web.Response:
            if request.method in ("GET", "HEAD"):
                return get(request)
            return post(request)
        return serve

    def _signed(self, action: Callable[[Call], web.Response]
                ) -> Callable[[web.Request], web.Response]:
        return lambda request: action(self.authenticate(request))

    def decorate(self, request: web.Request, response: web.Response) -> None:
        """Headers that every answer carries, and their wrong forms."""
        wrong = self.faults.wrongs(request.endpoint, request.path, WRONG_ANSWERS)
        if request.method == "POST" or request.endpoint == "new-nonce":
            if "no-nonce" not in wrong:
                response.headers.append(("Replay-Nonce", self.nonces.fresh()))
            response.headers.append(("Cache-Control", "no-store"))
        if request.endpoint != "directory":
            response.headers.append(
                ("Link", f'<{self.url("/directory")}>;rel="index"'))
        if "no-location" in wrong:
            response.headers = [h for h in response.headers if h[0] != "Location"]
        if "content-type" in wrong:
            response.content_type = "text/html"
        if "foreign-urls" in wrong:
            self._replace_origin(response, "https://ca.example.net")
        if "http-urls" in wrong:
            self._replace_origin(response, self.origin.replace("https", "http"))

    def _replace_origin(self, response: web.Response, origin: str) -> None:
        old = self.origin
        response.body = response.body.replace(old.encode(), origin.encode())
        response.headers = [(n, v.replace(old, origin))
                            for n, v in response.headers]

    # -- authentication --------------------------------------------------

    def parse(self, request: web.Request) -> jose.Flattened:
        """Form of a request: media type, flattened JWS, alg, url."""
        if request.header("Content-Type") != "application/jose+json":
            raise malformed("application/jose+json is due", 415)
        try:
            outer = jose.Flattened(jose.parse(request.body, "body"))
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        protected = outer.protected
        if protected.get("alg") not in jose.SIGNATURE_ALGORITHMS:
            raise web.Problem(400, "badSignatureAlgorithm",
                              f"alg {protected.get('alg')!r} is not accepted",
                              algorithms=list(jose.SIGNATURE_ALGORITHMS))
        if ("jwk" in protected) == ("kid" in protected):
            raise malformed("exactly one of jwk and kid is due")
        url = protected.get("url")
        if not isinstance(url, str):
            raise malformed("url is missing from the protected header")
        if url != self.url(request.notes["target"]):
            raise unauthorized("url of the protected header is not the URL of"
                               " the request (RFC 8555 section 6.4)")
        nonce = protected.get("nonce")
        if nonce is None:
            raise web.Problem(400, "badNonce", "nonce is missing")
        try:
            jose.decode(nonce, "nonce")
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        return outer

    def verify(self, outer: jose.Flattened, jwk: dict) -> None:
        """Signature, then nonce, so that only a true signer spends one."""
        try:
            good = outer.verify(jose.load_jwk(jwk))
        except jose.BadKeyError as error:
            raise web.Problem(400, "badPublicKey", str(error)) from None
        except jose.AlgorithmError as error:
            raise web.Problem(400, "badSignatureAlgorithm", str(error),
                              algorithms=list(jose.SIGNATURE_ALGORITHMS)
                              ) from None
        if not good:
            raise malformed("signature of the request is wrong")
        if not self.nonces.spend(outer.protected["nonce"]):
            raise web.Problem(400, "badNonce", "nonce is not one of ours, or"
                                               " was used")
        if random.random() < float(self.config.get("ca.bad_nonce_share")):
            raise web.Problem(400, "badNonce", "refused by bad_nonce_share")

    def authenticate(self, request: web.Request) -> Call:
        """A request by an account (kid)."""
        outer = self.parse(request)
        if "kid" not in outer.protected:
            raise malformed("kid is due here, not jwk (RFC 8555 section 6.2)")
        name, account = self.account_of(outer)
        request.notes["account"] = name
        self.verify(outer, account["jwk"])
        if account["status"] != "valid":
            raise unauthorized(f"account is {account['status']}", 401)
        return Call(request, outer.payload, name, account, account["jwk"])

    def account_of(self, outer: jose.Flattened) -> tuple[str, dict]:
        kid = outer.protected["kid"]
        prefix = self.url("/account/")
        if not isinstance(kid, str) or not kid.startswith(prefix):
            raise malformed("kid is not an account URL of this CA")
        name = kid[len(prefix):]
        account = self.accounts.get(name)
        if account is None:
            raise web.Problem(400, "accountDoesNotExist", "no such account")
        return name, account

    # -- directory and nonce -----------------------------------------------

    def _directory(self, _: web.Request) -> web.Response:
        meta: dict[str, Any] = {"externalAccountRequired": bool(
            self.config.get("ca.eab_required"))}
        terms = self.config.get("ca.terms_of_service")
        if terms:
            meta["termsOfService"] = terms
        renewal = star.capabilities(self.config)
        if renewal:
            meta["auto-renewal"] = renewal
        profiles = self.config.get("ca.profiles")
        if profiles:  # draft-ietf-acme-profiles
            meta["profiles"] = {name: profile["description"]
                                for name, profile in profiles.items()}
        found: dict[str, Any] = {
            "newNonce": self.url("/new-nonce"),
            "newAccount": self.url("/new-account"),
            "newOrder": self.url("/new-order"),
            "revokeCert": self.url("/revoke-cert"),
            "keyChange": self.url("/key-change"), "meta": meta}
        if self.config.get("ca.ari.enabled"):
            found["renewalInfo"] = self.url("/renewal-info")
        return web.json_response(found)

    @staticmethod
    def _new_nonce(request: web.Request) -> web.Response:
        status = 200 if request.method == "HEAD" else 204
        return web.Response(status, b"", "")

    # -- accounts -----------------------------------------------------------

    def _new_account(self, request: web.Request) -> web.Response:
        outer = self.parse(request)
        if "jwk" not in outer.protected:
            raise malformed("jwk is due here, not kid")
        jwk = outer.protected["jwk"]
        self.verify(outer, jwk)
        try:
            found = jose.parse_object(outer.payload, "payload")
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        with self.lock:
            name = self.accounts.find(jwk)
            if name is not None:
                account = self.accounts.get(name)
                if account["status"] != "valid":
                    raise unauthorized("account is deactivated", 401)
                return self._answer_account(name, account, 200)
            if found.get("onlyReturnExisting") is True:
                raise web.Problem(400, "accountDoesNotExist",
                                  "no account has this key")
            contact = _contacts(found.get("contact", []))
            if self.config.get("ca.terms_of_service") \
                    and found.get("termsOfServiceAgreed") is not True:
                raise web.Problem(403, "userActionRequired",
                                  "the terms of service are not agreed to")
            kid = self._external_binding(found, jwk)
            name = jose.encode(secrets.token_bytes(9))
            account = {"status": "valid", "contact": contact, "jwk": {
                m: jwk[m] for m in ("crv", "kty", "x", "y", "e", "n")
                if m in jwk}, "eab_kid": kid, "created": int(time.time())}
            if found.get("termsOfServiceAgreed") is True:
                account["terms"] = True
            self.accounts.save(name, account)
        request.notes["account"] = name
        return self._answer_account(name, account, 201)

    def _external_binding(self, found: dict, jwk: dict) -> str | None:
        """RFC 8555 section 7.3.4."""
        binding = found.get("externalAccountBinding")
        if binding is None:
            if self.config.get("ca.eab_required"):
                raise web.Problem(403, "externalAccountRequired",
                                  "an external account binding is due")
            return None
        try:
            inner = jose.Flattened(binding, "externalAccountBinding")
            payload = jose.parse_object(inner.payload, "binding payload")
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        head = inner.protected
        if head.get("alg") not in ("HS256", "HS384", "HS512"):
            raise web.Problem(400, "badSignatureAlgorithm",
                              "alg of the binding is not a MAC",
                              algorithms=["HS256", "HS384", "HS512"])
        if "nonce" in head:
            raise malformed("the binding has a nonce")
        if head.get("url") != self.url("/new-account"):
            raise malformed("url of the binding is not that of the request")
        if payload != jwk:
            raise malformed("payload of the binding is not the account key")
        kid = head.get("kid")
        known = self.config.section("ca.eab", kid) \
            if isinstance(kid, str) else None
        if known is None:
            raise unauthorized("kid of the binding is not known")
        expected = jose.mac(head["alg"], jose.decode(known["key"]), inner.signed)
        if not hmac.compare_digest(expected, inner.signature):
            raise unauthorized("MAC of the binding is wrong")
        return kid

    def _answer_account(self, name: str, account: dict, status: int
                        ) -> web.Response:
        found = {"status": account["status"], "contact": account["contact"],
                 "orders": self.url(f"/account/{name}/orders")}
        if account.get("terms"):
            found["termsOfServiceAgreed"] = True
        return web.json_response(
            found, status, [("Location", self.url(f"/account/{name}"))])

    def _account(self, call: Call, name: str) -> web.Response:
        if name != call.account_id:
            raise unauthorized("that is another account")
        if call.is_get:
            return self._answer_account(name, call.account, 200)
        found = call.body()
        with self.lock:
            account = dict(call.account)
            if "contact" in found:
                account["contact"] = _contacts(found["contact"])
            if found.get("status", "valid") not in ("valid", "deactivated"):
                raise malformed("status can only become deactivated")
            if found.get("status") == "deactivated":
                account["status"] = "deactivated"
                self.orders.cancel_all(name)
            self.accounts.save(name, account)
        return self._answer_account(name, account, 200)

    # -- key change --------------------------------------------------------

    def _key_change(self, call: Call) -> web.Response:
        """RFC 8555 section 7.3.5."""
        try:
            inner = jose.Flattened(jose.parse(call.payload, "payload"), "inner JWS")
            found = jose.parse_object(inner.payload, "inner payload")
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        head = inner.protected
        if "nonce" in head:
            raise malformed("the inner JWS has a nonce")
        if "jwk" not in head or "kid" in head:
            raise malformed("the inner JWS has jwk and no kid")
        if head.get("url") != self.url("/key-change"):
            raise malformed("url of the inner JWS is not that of the outer")
        if head.get("alg") not in jose.SIGNATURE_ALGORITHMS:
            raise web.Problem(400, "badSignatureAlgorithm", "alg of the inner"
                              " JWS", algorithms=list(jose.SIGNATURE_ALGORITHMS))
        try:
            if not inner.verify(jose.load_jwk(head["jwk"])):
                raise malformed("signature of the inner JWS is wrong")
        except jose.BadKeyError as error:
            raise web.Problem(400, "badPublicKey", str(error)) from None
        except jose.AlgorithmError as error:
            raise web.Problem(400, "badSignatureAlgorithm", str(error),
                              algorithms=list(jose.SIGNATURE_ALGORITHMS)
                              ) from None
        if found.get("account") != self.url(f"/account/{call.account_id}"):
            raise malformed("account of the inner payload is not the kid")
        old = found.get("oldKey")
        try:
            same = (isinstance(old, dict) and jose.thumbprint(old)
                    == jose.thumbprint(call.jwk))
        except (KeyError, TypeError):
            same = False
        if not same:
            raise malformed("oldKey is not the key of the account")
        with self.lock:
            other = self.accounts.find(head["jwk"])
            if other is not None:
                problem = malformed("another account has this key", 409)
                problem.headers.append(
                    ("Location", self.url(f"/account/{other}")))
                raise problem
            self.accounts.rekey(call.account_id, {
                m: head["jwk"][m] for m in ("crv", "kty", "x", "y", "e", "n")
                if m in head["jwk"]})
        return self._answer_account(
            call.account_id, self.accounts.get(call.account_id), 200)


def _contacts(found: Any) -> list[str]:
    """RFC 8555 section 7.3: mailto without header fields, one address."""
    if not isinstance(found, list) or not all(isinstance(c, str) for c in found):
        raise malformed("contact is not an array of URLs")
    for contact in found:
        if not contact.startswith("mailto:"):
            raise web.Problem(400, "unsupportedContact", "only mailto is known")
        if not _MAILTO.match(contact):
            raise web.Problem(400, "invalidContact", "not one plain address")
    return list(found)
