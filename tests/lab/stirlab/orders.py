# Orders of the STI-CA: identifiers, challenges, finalize.
"""RFC 8555 sections 7.1.3 to 7.5, RFC 9447, RFC 9448."""
from __future__ import annotations

import datetime
import hashlib
import secrets
import time
from typing import Any, Callable

from . import der, issue, jose, star, tnauth, validation, web
from .acme import AcmeService
from .calls import Call, malformed, unauthorized
from .certificates import Certificates, rfc3339
from .constraints import TYPES, Constraints
from .pki import pem_chain
from .tnauth import TNAuthList

WRONG_ORDERS = frozenset({"stuck-processing", "stuck-pending", "error",
                          "other-identifiers", "other-profile", "no-profile",
                          "x5u-missing", "x5u-http", "x5u-elsewhere"})

WRONG_AUTHORIZATIONS = frozenset({"other-challenge", "foreign-hint",
                                  "other-identifier", "no-challenges"})

_PAGE = 50


def parse_rfc3339(text: Any, what: str) -> int:
    try:
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        if found.tzinfo is None or "T" not in text:
            raise ValueError
    except (AttributeError, ValueError):
        raise malformed(f"{what} is not a time of RFC 3339") from None
    return int(found.timestamp())


class Orders:
    """Everything behind an authenticated account request."""

    def __init__(self, acme: AcmeService, validator: validation.TokenValidator,
                 issuer: issue.Issuer, publish: Callable[[str, str], str],
                 logged: Callable[[str], bool],
                 revoked: Callable[[list[tuple[int, int, int]]], None]) -> None:
        self._acme, self._config = acme, acme.config
        self._store, self._lock = acme.store, acme.lock
        self._validator, self._issuer = validator, issuer
        self._publish, self._logged = publish, logged
        self.certificates = Certificates(acme, self._held, revoked)
        self._finalizing: set[str] = set()
        self._by_account: dict[str, list[str]] = {}
        self._replacing: dict[str, list[str]] = {}
        for name, order in self._store.all("order"):
            self._index_order(name, order)

    def _index_order(self, name: str, order: dict) -> None:
        self._by_account.setdefault(order["account"], []).append(name)
        if order.get("replaces"):
            self._replacing.setdefault(order["replaces"], []).append(name)

    def route(self, parts: list[str]
              ) -> tuple[str, Callable[[Call], web.Response]] | None:
        if parts == ["new-order"]:
            return "new-order", self._new_order
        if len(parts) == 3 and parts[0] == "account" and parts[2] == "orders":
            return "orders", lambda c: self._list(c, parts[1])
        if len(parts) == 2 and parts[0] == "order":
            return "order", lambda c: self._order(c, parts[1])
        if len(parts) == 3 and parts[0] == "order" and parts[2] == "finalize":
            return "finalize", lambda c: self._finalize(c, parts[1])
        if len(parts) == 2 and parts[0] == "authz":
            return "authz", lambda c: self._authz(c, parts[1])
        if len(parts) == 2 and parts[0] == "challenge":
            return "challenge", lambda c: self._challenge(c, parts[1])
        if len(parts) == 2 and parts[0] == "certificate":
            return "certificate", lambda c: self.certificates.serve(c, parts[1])
        return None

    # -- newOrder ----------------------------------------------------------

    def _new_order(self, call: Call) -> web.Response:
        found = call.body()
        identifiers, kind = self._identifiers(found.get("identifiers"))
        begin, end = self._window(found, kind, call.account)
        profile = self._profile(found.get("profile"))
        series = star.parse(found, self._config, self._limit(
            "max_lifetime", kind, call.account), parse_rfc3339)
        now = int(time.time())
        with self._lock:
            replaces = self._replaces(found.get("replaces"), call, identifiers)
            name = jose.encode(secrets.token_bytes(9))
            expires = now + self._config.get("ca.order_lifetime")
            order = {"account": call.account_id, "status": "pending",
                     "kind": kind, "identifiers": identifiers,
                     "expires": expires, "authorizations": []}
            for key, value in (("not_before", begin), ("not_after", end),
                               ("replaces", replaces), ("profile", profile),
                               ("series", series)):
                if value is not None:
                    order[key] = value
            for identifier in identifiers:
                authz = jose.encode(secrets.token_bytes(9))
                self._store.put("authz", authz, {
                    "account": call.account_id, "order": name,
                    "identifier": identifier, "status": "pending",
                    "expires": expires, "challenge": {
                        "status": "pending",
                        "token": jose.encode(secrets.token_bytes(16))}})
                order["authorizations"].append(authz)
            self._store.put("order", name, order)
            self._index_order(name, order)
        return self._answer_order(name, order, 201)

    @staticmethod
    def _identifiers(found: Any) -> tuple[list[dict], str]:
        """Accepted types, strict DER, and the kind of certificate."""
        if not isinstance(found, list) or not found:
            raise malformed("identifiers is not a list with elements")
        numbers: TNAuthList | None = None
        constraint = False
        problems = []
        for item in found:
            if not isinstance(item, dict) or set(item) != {"type", "value"} \
                    or not all(isinstance(v, str) for v in item.values()):
                raise malformed("an identifier has type and value")
            kind = item["type"]
            if kind != "TNAuthList" and kind not in TYPES:
                problems.append(web.Problem(
                    400, "unsupportedIdentifier", f"type {kind!r} is not"
                    " supported", identifier=item))
                continue
            try:
                octets = jose.decode(item["value"], "value")
                if kind == "TNAuthList":
                    if numbers is not None:
                        raise web.Problem(400, "rejectedIdentifier",
                                          "two TNAuthList identifiers")
                    numbers = TNAuthList.decode(octets)
                else:
                    faults = Constraints.decode(
                        octets, kind.startswith("Enhanced")).faults()
                    if constraint:
                        raise web.Problem(
                            400, "rejectedIdentifier", "a certificate has one"
                            " constraints extension (RFC 9118 section 6)")
                    constraint = True
                    if faults:
                        raise web.Problem(400, "rejectedIdentifier",
                                          "; ".join(faults))
            except (jose.JoseError, der.DerError) as error:
                raise malformed(f"{kind}: {error}") from None
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise web.Problem(400, "compound", "several identifiers are not"
                              " supported",
                              subproblems=[p.as_json() for p in problems])
        if numbers is None:  # V-14
            raise web.Problem(400, "rejectedIdentifier",
                              "a TNAuthList identifier is due")
        if numbers.has_numbers:
            return found, "delegate"
        if len(numbers.spcs) != 1 or constraint:
            raise web.Problem(400, "rejectedIdentifier", "a SHAKEN certificate"
                              " has exactly one SPC and no constraints")
        return found, "shaken"

    def _limit(self, name: str, kind: str, account: dict) -> int:
        """Lifetimes: of the EAB account, else of the CA."""
        eab = self._config.section("ca.eab", account.get("eab_kid") or "") or {}
        return (eab.get(name) or {}).get(
            kind, self._config.get(f"ca.{name}.{kind}"))

    def _window(self, found: dict, kind: str, account: dict
                ) -> tuple[int | None, int | None]:
        eab = self._config.section("ca.eab", account.get("eab_kid") or "") or {}
        if kind not in eab.get("kinds", [kind]):
            raise web.Problem(403, "rejectedIdentifier",
                              f"no {kind} certificates for this account")
        now = int(time.time())
        begin = end = None
        if found.get("notBefore") is not None:
            begin = parse_rfc3339(found["notBefore"], "notBefore")
            if not now - 3600 <= begin <= now + 7 * 86400:
                raise malformed("notBefore is outside of what this CA does")
        if found.get("notAfter") is not None:
            end = parse_rfc3339(found["notAfter"], "notAfter")
            start = begin if begin is not None else now
            if end <= start:
                raise malformed("notAfter is not after notBefore")
            if end - start > self._limit("max_lifetime", kind, account):
                raise malformed("the lifetime is longer than this CA allows")
        return begin, end

    def _profile(self, name: Any) -> str | None:
        """draft-ietf-acme-profiles: one of those that the directory lists."""
        if name is None:
            return None
        if not isinstance(name, str) \
                or name not in self._config.get("ca.profiles"):
            raise web.Problem(400, "invalidProfile",
                              f"there is no profile {name!r} here")
        return name

    def _replaces(self, cert_id: Any, call: Call, identifiers: list[dict]
                  ) -> str | None:
        """RFC 9773 section 5."""
        if cert_id is None:
            return None
        row = self.certificates.find(cert_id)
        if row is None:
            raise malformed("replaces names no certificate of this CA")
        if row["account"] != call.account_id:
            raise unauthorized("replaces names another account's certificate")
        old = self._store.get("order", row["order"])["identifiers"]
        if not any(item in old for item in identifiers):
            raise malformed("replaces names a certificate without a common"
                            " identifier")
        for other in self._replacing.get(cert_id, []):
            if self._refresh(self._store.get("order", other))["status"] \
                    != "invalid":
                raise web.Problem(409, "alreadyReplaced",
                                  "another order replaces this certificate")
        return cert_id

    # -- reading orders ------------------------------------------------------

    def _refresh(self, order: dict) -> dict:
        """Lets time pass: expiry, and processing that has come to its end."""
        now = time.time()
        if order["status"] == "processing" and now >= order["ready_at"]:
            order["status"] = "valid"
        elif order["status"] in ("pending", "ready"):
            states = [self._refresh_authz(self._store.get("authz", a))["status"]
                      for a in order["authorizations"]]
            if any(s not in ("pending", "valid") for s in states) \
                    or now > order["expires"]:
                order["status"] = "invalid"
            elif all(s == "valid" for s in states):
                order["status"] = "ready"
        return order

    @staticmethod
    def _refresh_authz(authz: dict) -> dict:
        challenge = authz["challenge"]
        if challenge["status"] == "processing" \
                and time.time() >= challenge["ready_at"]:
            challenge["status"] = challenge["outcome"]
            authz["status"] = challenge["outcome"]
        if authz["status"] == "pending" and time.time() > authz["expires"]:
            authz["status"] = "expired"
        return authz

    def _answer_order(self, name: str, order: dict, status: int = 200
                      ) -> web.Response:
        acme = self._acme
        wrong = acme.faults.wrongs("order", f"/order/{name}",
                                   WRONG_ORDERS | star.WRONG_SERIES)
        found: dict[str, Any] = {
            "status": order["status"], "expires": rfc3339(order["expires"]),
            "identifiers": order["identifiers"],
            "authorizations": [acme.url(f"/authz/{a}")
                               for a in order["authorizations"]],
            "finalize": acme.url(f"/order/{name}/finalize")}
        for key, label in (("not_before", "notBefore"),
                           ("not_after", "notAfter")):
            if key in order:
                found[label] = rfc3339(order[key])
        for key in ("replaces", "error", "profile"):
            if key in order:
                found[key] = order[key]
        if "series" in order and "no-auto-renewal" not in wrong:
            found["auto-renewal"] = star.as_json(order["series"], rfc3339, wrong)
        if "stuck-processing" in wrong and order["status"] == "valid":
            found["status"] = "processing"
        if "stuck-pending" in wrong and order["status"] == "ready":
            found["status"] = "pending"
        if "error" in wrong:
            found["status"] = "invalid"
            found["error"] = web.Problem(500, "serverInternal",
                                         "fault injected by the lab").as_json()
        if "other-identifiers" in wrong:
            found["identifiers"] = [{"type": "TNAuthList", "value": jose.encode(
                TNAuthList.from_config(["19995550199"]).encode())}]
        if "other-profile" in wrong:
            found["profile"] = "another"
        if "no-profile" in wrong:
            found.pop("profile", None)
        headers = [("Location", acme.url(f"/order/{name}"))]
        if found["status"] == "valid":
            if "series" not in order:
                found["certificate"] = acme.url(
                    f"/certificate/{order['certificate']}")
            elif "no-star-url" not in wrong:
                found["star-certificate"] = acme.url(f"/star/{name}")
            if "x5u" in order:
                found["x5u"] = order["x5u"]  # RFC 9448 section 7
            if "x5u-missing" in wrong:
                found.pop("x5u", None)
            if "x5u-http" in wrong:
                found["x5u"] = found["x5u"].replace("https:", "http:")
            if "x5u-elsewhere" in wrong:
                found["x5u"] = "https://certs.example.net/leaf.pem"
        if found["status"] in ("processing", "pending"):
            headers.append(("Retry-After",
                            str(self._config.get("ca.poll_seconds"))))
        return web.json_response(found, status, headers)

    def _order(self, call: Call, name: str) -> web.Response:
        order = call.own(self._store, "order", name)
        with self._lock:
            self._refresh(order)
            if not call.is_get:
                self._cancel(name, order, call.body())
        return self._answer_order(name, order)

    def _cancel(self, name: str, order: dict, body: dict) -> None:
        """RFC 8739 section 3.1.2."""
        if body != {"status": "canceled"}:
            raise malformed("an order can only be canceled")
        if order["status"] != "valid" or "series" not in order:
            raise web.Problem(400, "autoRenewalCancellationInvalid",
                              f"the order is {order['status']}")
        order["status"] = "canceled"
        self._store.put("order", name, order)

    # -- series ----------------------------------------------------------------

    def series(self, request: web.Request, name: str) -> web.Response:
        """RFC 8739 section 3.4: for anybody, where the order says so."""
        order = self._store.get("order", name)
        if order is None or "series" not in order:
            raise malformed("no such series", 404)
        if not order["series"]["get"]:
            raise unauthorized("this one is for its account alone")
        return self._rolling(name, order)

    def series_of(self, call: Call, name: str) -> web.Response:
        order = call.own(self._store, "order", name)
        call.require_get()
        if "series" not in order:
            raise malformed("no such series", 404)
        return self._rolling(name, order)

    def _rolling(self, name: str, order: dict) -> web.Response:
        """Section 3.3; the next one is made when it is first asked for."""
        with self._lock:
            self._refresh(order)
            star.refuse_ended(order["status"], order["series"])
            if order["status"] != "valid":
                raise web.Problem(403, "orderNotReady", "not issued yet")
            number = star.due(order["series"], time.time())
            if number != order["series"]["number"]:
                self._issue_next(name, order, number)
        begin, end = star.validity(order["series"], order["series"]["number"])
        return web.Response(
            200, self.certificates.pem(order["certificate"]),
            "application/pem-certificate-chain", star.headers(begin, end))

    def _issue_next(self, name: str, order: dict, number: int) -> None:
        spki = jose.decode(order["series"]["spki"])
        order["series"]["number"] = number
        wanted = self._wanted(self._acme.accounts.get(order["account"]), order,
                              _extensions(order), spki, False, 0)
        wanted.wrong = self._acme.faults.wrongs(
            "certificate", f"/star/{name}", issue.WRONG_CERTIFICATES)
        chain = self._issuer.issue(wanted)
        order["certificate"] = self.certificates.keep(
            order["account"], name, chain, chain[0], spki)
        self._store.put("order", name, order)

    def _list(self, call: Call, account: str) -> web.Response:
        if account != call.account_id:
            raise unauthorized("that is another account")
        call.require_get()
        cursor = call.request.query.get("cursor", ["0"])[0]
        start = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
        with self._lock:
            names = [n for n in self._by_account.get(account, ())
                     if self._refresh(self._store.get("order", n))["status"]
                     != "invalid"]
        headers = []
        if start + _PAGE < len(names):
            more = self._acme.url(
                f"/account/{account}/orders?cursor={start + _PAGE}")
            headers.append(("Link", f'<{more}>;rel="next"'))
        return web.json_response({"orders": [
            self._acme.url(f"/order/{n}") for n in names[start:start + _PAGE]]},
            200, headers)

    def cancel_all(self, account: str) -> None:
        """An account was deactivated: its open orders end."""
        for name in self._by_account.get(account, ()):
            order = self._store.get("order", name)
            if self._refresh(order)["status"] in ("pending", "ready"):
                order["status"] = "invalid"
                self._store.put("order", name, order)

    # -- authorizations and challenges -----------------------------------------

    def _answer_authz(self, name: str, authz: dict) -> web.Response:
        found = {"status": authz["status"],
                 "expires": rfc3339(authz["expires"]),
                 "identifier": authz["identifier"],
                 "challenges": [self._challenge_object(name, authz)]}
        wrong = self._acme.faults.wrongs("authz", f"/authz/{name}",
                                         WRONG_AUTHORIZATIONS)
        challenge = found["challenges"][0]
        if "other-challenge" in wrong:
            challenge.update({"type": "http-01"})
            del challenge["tkauth-type"]
        if "foreign-hint" in wrong:
            challenge["token-authority"] = "https://authority.example.net"
        if "other-identifier" in wrong:
            found["identifier"] = {"type": "TNAuthList", "value": jose.encode(
                TNAuthList.from_config(["19995550199"]).encode())}
        if "no-challenges" in wrong:
            found["challenges"] = []
        headers = []
        if authz["status"] == "pending":
            headers.append(("Retry-After",
                            str(self._config.get("ca.poll_seconds"))))
        return web.json_response(found, 200, headers)

    def _challenge_object(self, name: str, authz: dict) -> dict:
        """RFC 9447 section 3."""
        challenge = authz["challenge"]
        found = {"type": "tkauth-01", "tkauth-type": "atc",
                 "url": self._acme.url(f"/challenge/{name}"),
                 "status": challenge["status"], "token": challenge["token"]}
        hint = self._config.get("ca.token_authority_hint")
        if hint:
            found["token-authority"] = hint
        if challenge["status"] == "invalid":
            found["error"] = challenge["error"]
        if challenge.get("validated"):
            found["validated"] = rfc3339(challenge["validated"])
        return found

    def _authz(self, call: Call, name: str) -> web.Response:
        authz = call.own(self._store, "authz", name)
        with self._lock:
            self._refresh_authz(authz)
            if not call.is_get:
                if call.body() != {"status": "deactivated"}:
                    raise malformed("an authorization can only be deactivated")
                if authz["status"] not in ("pending", "valid"):
                    raise malformed(f"authorization is {authz['status']}")
                authz["status"] = "deactivated"
                self._store.put("authz", name, authz)
        return self._answer_authz(name, authz)

    def _challenge(self, call: Call, name: str) -> web.Response:
        authz = call.own(self._store, "authz", name)
        with self._lock:
            self._refresh_authz(authz)
        if not call.is_get and authz["status"] == "pending" \
                and authz["challenge"]["status"] == "pending":
            self._respond(call, name, authz)
        response = web.json_response(self._challenge_object(name, authz))
        response.headers.append(
            ("Link", f'<{self._acme.url(f"/authz/{name}")}>;rel="up"'))
        if authz["challenge"]["status"] == "processing":
            response.headers.append(
                ("Retry-After", str(self._config.get("ca.poll_seconds"))))
        return response

    def _respond(self, call: Call, name: str, authz: dict) -> None:
        found = call.body()
        style = self._config.get("ca.challenge_response")
        names = ("tkauth", "atc") if style == "both" else (style,)
        given = [found[n] for n in names if n in found]
        if len(given) != 1 or not isinstance(given[0], str):
            raise malformed(f"the response has exactly one of {names}, a token")
        outcome, error, token = "valid", None, None
        order = self._store.get("order", authz["order"])
        try:
            token = self._validator.check_for(
                given[0], authz["identifier"], self._fingerprints(call.jwk),
                _numbers_of(order))
            if self._config.get("notary.require_logged") \
                    and not self._logged(given[0]):
                raise validation.TokenError(
                    "unauthorized", "the notary has not logged this token")
        except validation.TokenError as refused:
            outcome = "invalid"
            error = web.Problem(403, refused.kind, refused.detail).as_json()
        with self._lock:
            challenge = authz["challenge"]
            if challenge["status"] != "pending":
                return
            if token and not self._spend(token):
                outcome = "invalid"
                error = web.Problem(403, "incorrectResponse",
                                    "jti of the token was used").as_json()
            delay = self._config.get("ca.validation_delay_ms") / 1000
            challenge.update(status="processing", outcome=outcome,
                             ready_at=time.time() + delay,
                             validated=int(time.time()))
            if outcome == "invalid":
                challenge["error"] = error
                call.request.notes["problem"] = error["type"]
            else:
                authz["ca"], authz["token_exp"] = token.ca, token.exp
            self._refresh_authz(authz)
            self._store.put("authz", name, authz)

    def _fingerprints(self, jwk: dict) -> list[str]:
        """RFC 9447: of the JWK thumbprint; STI-PA: of the SPKI (D-29)."""
        found, kinds = [], self._config.get("ca.fingerprints")
        if "jwk" in kinds:
            found.append(jose.fingerprint_text(jose.thumbprint(jwk)))
        if "spki" in kinds:
            octets = jose.spki(jose.load_jwk(jwk))
            found.append(jose.fingerprint_text(hashlib.sha256(octets).digest()))
        return found

    def _spend(self, token: validation.Token) -> bool:
        """One use of a jti, where that is configured (D-31)."""
        key = hashlib.sha256(f"{token.issuer}\0{token.jti}".encode()).hexdigest()
        used = self._store.get("jti", key) is not None
        if not used:
            self._store.put("jti", key, {"exp": token.exp})
        return not (used and self._config.get("ca.one_time_jti"))

    # -- finalize --------------------------------------------------------------

    def _finalize(self, call: Call, name: str) -> web.Response:
        order = call.own(self._store, "order", name)
        with self._lock:
            status = self._refresh(order)["status"]
            if status in ("processing", "valid"):
                return self._answer_order(name, order)
            if status == "invalid":
                raise malformed("the order is invalid")
            if status != "ready":
                raise web.Problem(403, "orderNotReady", f"order is {status}")
            if name in self._finalizing:
                raise web.Problem(403, "orderNotReady",
                                  "the order is being finalized")
            self._finalizing.add(name)
        try:
            self._issue(call, name, order)
        finally:
            self._finalizing.discard(name)
        return self._answer_order(name, order)

    def _issue(self, call: Call, name: str, order: dict) -> None:
        try:
            octets = jose.decode(call.body().get("csr"), "csr")
        except jose.JoseError as error:
            raise malformed(str(error)) from None
        authzs = [self._store.get("authz", a) for a in order["authorizations"]]
        flags = {a["ca"] for a in authzs}
        if True in flags and not self._config.get("ca.allow_ca_certificates"):
            raise web.Problem(403, "unauthorized", "this CA issues no CA"
                                                   " certificates")
        if len(flags) != 1:
            raise web.Problem(400, "badCSR", "the tokens differ in their ca flag")
        is_ca = True in flags
        # V-59, V-65: the octets of the order, neither wider nor narrower.
        extensions = _extensions(order)
        try:
            spki = validation.check_csr(octets, validation.CsrRules(
                extensions, is_ca, self._acme.accounts.is_account_key))
            if self.certificates.is_burnt(spki):
                raise validation.CsrError("the key was revoked as compromised")
        except validation.CsrError as error:
            raise web.Problem(400, "badCSR", str(error)) from None
        if "series" in order:
            order["series"].update(
                first=time.time(), number=0, spki=jose.encode(spki))
        wanted = self._wanted(call.account, order, extensions, spki, is_ca,
                              min(a["token_exp"] for a in authzs))
        wanted.wrong = self._acme.faults.wrongs(
            "certificate", call.request.path, issue.WRONG_CERTIFICATES)
        try:
            chain = self._issuer.issue(wanted)
        except issue.SctFailure as error:
            raise web.Problem(503, "serverInternal", str(error),
                              retry_after=1) from None
        self._keep(name, order, chain, spki)

    def _wanted(self, account: dict, order: dict, extensions: dict[str, bytes],
                spki: bytes, ca: bool, token_exp: int) -> issue.Wanted:
        config, kind = self._config, order["kind"]
        now = int(time.time())
        begin = order.get("not_before", now - config.get("ca.backdate"))
        end = order.get("not_after")
        if end is None:
            end = max(now, begin) + self._lifetime(order, kind, account)
        if "series" in order:
            begin, end = star.validity(order["series"], order["series"]["number"])
        elif config.get("ca.cap_by_token"):  # RFC 9447 section 3: not beyond exp
            end = min(end, token_exp)
        if end <= max(begin, now):
            raise web.Problem(403, "unauthorized",
                              "nothing is left of the lifetime")
        numbers = extensions[tnauth.OID]
        constraint = next(((oid, octets) for oid, octets in extensions.items()
                           if oid != tnauth.OID), None)
        eab = config.section("ca.eab", account.get("eab_kid") or "") or {}
        organization = eab.get("organization", config.get("ca.organization"))
        spcs = TNAuthList.decode(numbers).spcs
        if kind == "shaken":
            organization = config.get("ca.organizations").get(
                spcs[0], organization)
        reference = None
        if kind == "delegate" and config.get("ca.tn_list_by_reference"):
            reference = self._publish(
                f"lists/{hashlib.sha256(numbers).hexdigest()}.tnauthlist", numbers)
        return issue.Wanted(
            kind, numbers, spki, begin, end, organization,
            config.get("ca.country"), constraint, ca,
            (eab.get("scts") or {}).get(kind, config.get(f"ca.scts.{kind}")),
            config.get("ca.policy_oid"),
            self._acme.crl_url if kind == "shaken" and config.get("ca.crldp")
            else None, reference)

    def _lifetime(self, order: dict, kind: str, account: dict) -> int:
        profile = self._config.section("ca.profiles", order.get("profile") or "")
        if order.get("profile") and profile is None:
            raise web.Problem(400, "invalidProfile",
                              "the profile of the order is no more")
        return (profile or {}).get("lifetime") \
            or self._limit("lifetime", kind, account)

    def _keep(self, name: str, order: dict, chain: list[bytes], spki: bytes
              ) -> None:
        with self._lock:
            leaf = next((c for c in chain if c != self._issuer.intermediate),
                        chain[0])
            order["certificate"] = self.certificates.keep(
                order["account"], name, chain, leaf, spki)
            if self._config.get("ca.order_x5u"):
                digest = hashlib.sha256(leaf).hexdigest()
                order["x5u"] = self._publish(f"ca/{digest}.pem", pem_chain(chain))
            order["status"] = "processing"
            order["ready_at"] = time.time() \
                + self._config.get("ca.finalize_delay_ms") / 1000
            self._refresh(order)
            self._store.put("order", name, order)

    def _held(self, account: str) -> list[dict]:
        """Identifiers that an account has valid authorizations for."""
        return [authz["identifier"] for order in self._by_account.get(account, ())
                for authz in (self._store.get("authz", a) for a in
                              self._store.get("order", order)["authorizations"])
                if authz["status"] == "valid"]


def _extensions(order: dict) -> dict[str, bytes]:
    return {validation.EXTENSION_OF[i["type"]]: jose.decode(i["value"])
            for i in order["identifiers"]}


def _numbers_of(order: dict) -> TNAuthList | None:
    for identifier in order["identifiers"]:
        if identifier["type"] == "TNAuthList":
            return TNAuthList.decode(jose.decode(identifier["value"]))
    return None
