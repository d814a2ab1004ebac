# Number authority and claim agent: they issue authority tokens.
"""RFC 9447 and RFC 9448 section 5: `POST {base}/at/account/{id}/token`.

Both parties live on one port under /numbers and /claims.
"""
from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from . import der, grants, jose, validation, web
from .config import Config
from .constraints import TYPES, Constraints
from .faults import FaultPlan
from .notary import Notary
from .pki import Identity, Parties, pem
from .tnauth import TNAuthList

WRONG_TOKENS = frozenset({
    "tkvalue", "narrower", "fingerprint", "tktype", "tktype-case", "ca",
    "expired", "unregistered", "untrusted", "bad-signature", "alg-none",
    "no-jti", "no-exp", "no-atc", "no-x5"})

WRONGS = {"token": WRONG_TOKENS, "claims-token": WRONG_TOKENS}

_PATH = re.compile(r"/(numbers|claims)/(?:at|api/v1)/account/([^/]+)/token\Z")
_FINGERPRINT = re.compile(r"SHA256 [0-9A-F]{2}(:[0-9A-F]{2}){31}\Z")


class TokenRequest:
    """The body of a token request, flat (RFC 9448) or wrapped (RFC 9447)."""

    def __init__(self, body: bytes) -> None:
        found = jose.parse_object(body, "body")
        self.evidence = found.get("evidence")
        if isinstance(found.get("atc"), dict):
            found = found["atc"]
            self.evidence = found.get("evidence", self.evidence)
        self.tktype: str = _text(found, "tktype")
        self.tkvalue: str = _text(found, "tkvalue")
        self.fingerprint: str = _text(found, "fingerprint")
        self.ca = found.get("ca", False)
        if not isinstance(self.ca, bool):
            raise jose.JoseError("ca is not a boolean")
        if not _FINGERPRINT.match(self.fingerprint):
            raise jose.JoseError("fingerprint is not \"SHA256 \" and 32 upper-"
                                 "case octets with colons")


def _text(found: dict, name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise jose.JoseError(f"{name} is missing")
    return value


class AuthorityService:
    """HTTP of both authorities."""

    name = "authorities"

    def __init__(self, config: Config, parties: Parties, notary: Notary,
                 faults: FaultPlan, validator: validation.TokenValidator,
                 x5u_base: str) -> None:
        self._config, self._parties, self._notary = config, parties, notary
        self._faults, self._validator = faults, validator
        self._x5u_base = x5u_base

    def decorate(self, request: web.Request, response: web.Response) -> None:
        response.headers.append(("Cache-Control", "no-store"))

    def route(self, request: web.Request) -> web.Endpoint:
        found = _PATH.match(request.path)
        if not found:
            return "unknown", web.not_found
        party, account = found.groups()
        name = "token" if party == "numbers" else "claims-token"
        if request.method != "POST":
            return name, web.method_not_allowed
        action = self._numbers if party == "numbers" else self._claims
        return name, lambda r: action(r, account)

    def _account(self, request: web.Request, party: str, name: str) -> dict:
        account = self._config.section(f"{party}.accounts", name)
        given = request.header("Authorization")
        expected = f"Bearer {account['secret']}" if account else "Bearer "
        if not hmac.compare_digest(given.encode(), expected.encode()) \
                or account is None:
            problem = web.Problem(401, "unauthorized", "no such account, or"
                                                       " not its secret")
            problem.headers.append(("WWW-Authenticate", "Bearer"))
            raise problem
        request.notes["account"] = name
        return account

    @staticmethod
    def _parse(request: web.Request) -> TokenRequest:
        if request.header("Content-Type").split(";")[0].strip() \
                != "application/json":
            raise web.Problem(415, "malformed", "application/json is due")
        try:
            return TokenRequest(request.body)
        except jose.JoseError as error:
            raise web.Problem(400, "malformed", str(error)) from None

    def _numbers(self, request: web.Request, name: str) -> web.Response:
        account = self._account(request, "number_authority", name)
        asked = self._parse(request)
        if asked.tktype != "TNAuthList":
            raise web.Problem(400, "unsupportedIdentifier",
                              "tktype is TNAuthList here, in this spelling")
        dialect = account.get("dialect", "rfc9448")
        try:
            decode = jose.decode_any if dialect == "sti-pa" else jose.decode
            numbers = TNAuthList.decode(decode(asked.tkvalue, "tkvalue"))
        except (jose.JoseError, der.DerError) as error:
            raise web.Problem(400, "malformed", f"tkvalue: {error}") from None
        try:
            grants.check_numbers(numbers, account)
        except grants.Refusal as error:
            raise web.Problem(403, "unauthorized", str(error)) from None
        if asked.ca and not account.get("allow_ca"):
            raise web.Problem(403, "unauthorized", "no authority for a CA"
                                                   " certificate")
        return self._issue(request, "number_authority", name, account, asked,
                           asked.tkvalue, {}, self._parties.numbers, dialect)

    def _claims(self, request: web.Request, name: str) -> web.Response:
        account = self._account(request, "claim_agent", name)
        asked = self._parse(request)
        if asked.tktype not in TYPES:
            raise web.Problem(400, "unsupportedIdentifier", "tktype is one of "
                              + ", ".join(TYPES))
        if asked.ca:
            raise web.Problem(403, "unauthorized", "constraints are for end-"
                                                   "entity certificates")
        enhanced = asked.tktype.startswith("Enhanced")
        try:
            octets = jose.decode(asked.tkvalue, "tkvalue")
            wanted = Constraints.decode(octets, enhanced)
        except (jose.JoseError, der.DerError) as error:
            raise web.Problem(400, "malformed", f"tkvalue: {error}") from None
        scope, binding = self._evidence(asked, account)
        try:
            granted = grants.grant_constraints(
                wanted, account, scope,
                self._config.get("claim_agent.bind_limit"))
        except grants.Refusal as error:
            raise web.Problem(403, "unauthorized", str(error)) from None
        value = jose.encode(granted.encode())
        return self._issue(request, "claim_agent", name, account, asked, value,
                           binding, self._parties.claims, "rfc9448")

    def _evidence(self, asked: TokenRequest, account: dict
                  ) -> tuple[TNAuthList | None, dict]:
        """Numbers proven by a TNAuthList token, else configured (V-64, V-89)."""
        if asked.evidence is None:
            if account.get("require_evidence"):
                raise web.Problem(403, "unauthorized",
                                  "a TNAuthList token is due as evidence")
            if not account.get("numbers"):
                return None, {}
            scope = TNAuthList.from_config(account["numbers"])
            return scope, {"evidence": {"tktype": "TNAuthList",
                                        "tkvalue": jose.encode(scope.encode())}}
        try:
            proof = self._validator.check(asked.evidence, "TNAuthList")
        except validation.TokenError as error:
            raise web.Problem(403, "unauthorized",
                              f"evidence: {error.detail}") from None
        if proof.fingerprint != asked.fingerprint:
            raise web.Problem(403, "unauthorized", "evidence is for another"
                                                   " account key")
        scope = TNAuthList.decode(proof.value)
        return scope, {"evidence": {
            "tktype": "TNAuthList", "tkvalue": jose.encode(proof.value),
            "jti": proof.jti, "iss": proof.issuer}}

    # -- the token -----------------------------------------------------------

    def _issue(self, request: web.Request, party: str, name: str,
               account: dict, asked: TokenRequest, tkvalue: str,
               more: dict, identity: Identity, dialect: str) -> web.Response:
        wrong = self._faults.wrongs(request.endpoint, request.path, WRONG_TOKENS)
        now = int(time.time())
        lifetime = account.get("token_lifetime",
                               self._config.get(f"{party}.token_lifetime"))
        claims: dict[str, Any] = {
            "iss": self._config.get(f"{party}.name"),
            "sub": account.get("entity", name),  # V-61, V-69
            "iat": now, "exp": now + lifetime,
            "jti": jose.encode(secrets.token_bytes(16)),
            "atc": {"tktype": asked.tktype, "tkvalue": tkvalue,
                    "fingerprint": asked.fingerprint, "ca": asked.ca}, **more}
        if "unregistered" in wrong:
            identity = self._parties.unregistered
        if "untrusted" in wrong:
            identity = self._parties.foreign
        spoil_claims(claims, wrong, now)
        header: dict[str, Any] = {"alg": "ES256", "typ": "JWT"}
        if self._config.get(f"{party}.header") == "x5u":
            header["x5u"] = f"{self._x5u_base}{party}.pem"
        else:
            header["x5c"] = [base64.b64encode(identity.der).decode("ascii")]
        if "no-x5" in wrong:
            header = {"alg": "ES256", "typ": "JWT"}
        token = _sign(header, claims, identity.key, wrong)
        receipt = self._notary.record(
            "number-authority" if party == "number_authority" else "claim-agent",
            name, token)
        if dialect == "sti-pa":
            return web.json_response({
                "status": "success", "message": "SPC Token has been generated",
                "token": token, "crl": self._x5u_base.replace(
                    "/authority/", "/crl/") + "sti-pa.crl",
                "receipt": receipt})
        return web.json_response({"token": token, "receipt": receipt})

    def publish(self, write: Any) -> None:
        """Puts the signers' certificates where x5u points."""
        write("authority/number_authority.pem",
              pem(self._parties.numbers.certificate))
        write("authority/claim_agent.pem", pem(self._parties.claims.certificate))


def spoil_claims(claims: dict, wrong: frozenset[str], now: int) -> None:
    """Makes a token wrong in the ways that tests ask for."""
    atc = claims["atc"]
    if "tkvalue" in wrong:
        atc["tkvalue"] = (
            jose.encode(TNAuthList.from_config(["19995550199"]).encode())
            if atc["tktype"] == "TNAuthList"
            else jose.encode(Constraints(["x-other"]).encode()))
    if "narrower" in wrong and atc["tktype"] == "TNAuthList":
        full = TNAuthList.decode(jose.decode_any(atc["tkvalue"]))
        first = next(iter(full.numbers()), None)
        atc["tkvalue"] = jose.encode(TNAuthList.from_config(
            [first] if first else [{"spc": "9999"}]).encode())
    if "fingerprint" in wrong:
        other = ec.generate_private_key(ec.SECP256R1())
        atc["fingerprint"] = jose.fingerprint_text(
            jose.thumbprint(jose.public_jwk(other)))
    if "tktype" in wrong:
        atc["tktype"] = ("JWTClaimConstraints" if atc["tktype"] == "TNAuthList"
                         else "TNAuthList")
    if "tktype-case" in wrong:
        atc["tktype"] = atc["tktype"].replace("TNAuth", "TnAuth").replace(
            "JWTClaim", "JwtClaim")
    if "ca" in wrong:
        atc["ca"] = not atc["ca"]
    if "expired" in wrong:
        claims["iat"], claims["exp"] = now - 7200, now - 3600
    for name in ("jti", "exp", "atc"):
        if f"no-{name}" in wrong:
            del claims[name]


def _sign(header: dict, claims: dict, key: ec.EllipticCurvePrivateKey,
          wrong: frozenset[str]) -> str:
    if "alg-none" in wrong:
        header = {**header, "alg": "none"}
        return (jose.encode(jose.serialise(header).encode()) + "."
                + jose.encode(jose.serialise(claims).encode()) + ".")
    token = jose.sign_compact(header, claims, key)
    if "bad-signature" in wrong:
        head, body, _ = token.split(".")
        token = f"{head}.{body}." + jose.encode(jose.sign_raw(key, b"other"))
    return token
