# The table of wrong requests: what is sent, which answer is due.
"""Rows of (name, function, HTTP status, problem type).

A function takes a registered client and answers what the lab said.  For a
refused token the status is that of the challenge (200) and the problem that
of its error member.
"""
from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Callable

from cryptography.hazmat.primitives.asymmetric import ec

from stirlab import der, jose
from stirlab.client import Answer, LabClient, make_csr
from stirlab.constraints import Constraints
from stirlab.tnauth import TNAuthList

NUMBERS = TNAuthList.from_config(
    [{"start": "12025550100", "count": 10}]).encode()
OTHER_NUMBERS = TNAuthList.from_config(["12025550150"]).encode()
PROVIDER = TNAuthList.from_config([{"spc": "1234"}]).encode()
NAME = Constraints(["rcd"], [("rcd", ['{"nam":"ACME Corp"}'])]).encode()
EXCLUDE = Constraints(["rcd"], [("rcd", ['{"nam":"ACME Corp"}'])],
                      ["crn"]).encode()

DELEGATE = {"TNAuthList": NUMBERS}
BOTH = {"TNAuthList": NUMBERS, "JWTClaimConstraints": NAME}


@dataclass
class Seen:
    """An answer reduced to what the table compares."""

    status: int
    problem: str


@dataclass
class Row:
    name: str
    send: Callable[[LabClient], Any]
    status: int
    problem: str
    config: dict | None = None


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


# -- form of a request (RFC 8555 section 6, RFC 7515) ------------------------

def _account(c: LabClient, **protected: Any) -> Answer:
    """A POST-as-GET of the own account with a spoilt header."""
    return c.send(c.kid, c.jws(c.kid, None, **protected))


def _replayed(c: LabClient) -> Answer:
    nonce = c.nonce()
    c.send(c.kid, c.jws(c.kid, None, nonce=nonce))
    return c.send(c.kid, c.jws(c.kid, None, nonce=nonce))


def _changed(c: LabClient, change: Callable[[dict], Any]) -> Answer:
    """A right JWS whose JSON is changed after signing."""
    body = c.jws(c.kid, None)
    return c.send(c.kid, change(body) or body)


def _duplicate(body: dict) -> bytes:
    return (json.dumps(body)[:-1] + ',"payload":""}').encode()


def _drop_protection(c: LabClient, **head: Any) -> Answer:
    """alg none: no signature at all."""
    protected = {"alg": "none", "url": c.kid, "kid": c.kid,
                 "nonce": c.nonce(), **head}
    return c.send(c.kid, {"protected": jose.encode(
        json.dumps(protected).encode()), "payload": "", "signature": ""})


def _new_account(c: LabClient, payload: dict | None = None,
                 key: Any = None, **protected: Any) -> Answer:
    url = c.directory["newAccount"]
    key = key or new_key()
    protected = protected or {"jwk": jose.public_jwk(key)}
    return c.send(url, c.jws(url, payload or {}, key=key, **protected))


def _off_curve(c: LabClient) -> Answer:
    jwk = dict(c.jwk, y=jose.encode(b"\x01" * 32))
    return _new_account(c, jwk=jwk)


def _private(c: LabClient) -> Answer:
    key = new_key()
    number = key.private_numbers().private_value.to_bytes(32, "big")
    return _new_account(c, key=key, jwk={**jose.public_jwk(key),
                                         "d": jose.encode(number)})


REQUESTS = [
    Row("nonce missing", lambda c: _account(c, nonce=None), 400, "badNonce"),
    Row("nonce replayed", _replayed, 400, "badNonce"),
    Row("nonce of another server", lambda c: _account(
        c, nonce=jose.encode(b"0123456789abcdef")), 400, "badNonce"),
    Row("nonce not base64url", lambda c: _account(c, nonce="!!"), 400,
        "malformed"),
    Row("url of another resource", lambda c: c.send(c.kid, c.jws(
        c.kid + "x", None)), 403, "unauthorized"),
    Row("url missing", lambda c: _account(c, url=None), 400, "malformed"),
    Row("kid unknown", lambda c: _account(c, kid=c.kid + "x"), 400,
        "accountDoesNotExist"),
    Row("kid not of this CA", lambda c: _account(
        c, kid="https://ca.example.net/account/1"), 400, "malformed"),
    Row("kid not a string", lambda c: _account(c, kid=7), 400, "malformed"),
    Row("jwk where kid is due", lambda c: _account(c, jwk=c.jwk), 400,
        "malformed"),
    Row("kid where jwk is due", lambda c: _new_account(c, kid=c.kid), 400,
        "malformed"),
    Row("jwk and kid", lambda c: _account(c, jwk=c.jwk, kid=c.kid), 400,
        "malformed"),
    Row("neither jwk nor kid", lambda c: _account(c, kid=None), 400,
        "malformed"),
    Row("alg none", _drop_protection, 400, "badSignatureAlgorithm"),
    Row("alg HS256", lambda c: _drop_protection(c, alg="HS256"), 400,
        "badSignatureAlgorithm"),
    Row("alg that does not fit the key", lambda c: _account(c, alg="ES384"),
        400, "badSignatureAlgorithm"),
    Row("signature of another key", lambda c: c.send(c.kid, c.jws(
        c.kid, None, key=new_key())), 400, "malformed"),
    Row("signature in DER", lambda c: _changed(c, lambda b: b.update(
        signature=jose.encode(b"\x30\x45" + b"\x01" * 69))), 400, "malformed"),
    Row("wrong content type", lambda c: c.send(c.kid, c.jws(c.kid, None),
                                               "application/json"),
        415, "malformed"),
    Row("unprotected header", lambda c: _changed(c, lambda b: b.update(
        header={})), 400, "malformed"),
    Row("crit in the header", lambda c: _account(c, crit=["url"]), 400,
        "malformed"),
    Row("member twice", lambda c: _changed(c, _duplicate), 400, "malformed"),
    Row("padded base64url", lambda c: _changed(c, lambda b: b.update(
        protected=b["protected"] + "=")), 400, "malformed"),
    Row("body not JSON", lambda c: c.send(c.kid, b"{"), 400, "malformed"),
    Row("general serialisation", lambda c: _changed(c, lambda b: {
        "payload": b["payload"], "signatures": [b]}), 400, "malformed"),
    Row("GET of a resource", lambda c: c.http.send("GET", c.kid), 405,
        "malformed"),
    Row("body too large", lambda c: c.send(c.kid, b" " * 1100000), 413,
        "malformed"),
    Row("jwk off the curve", _off_curve, 400, "badPublicKey"),
    Row("jwk with private member", _private, 400, "badPublicKey"),
]


# -- accounts ----------------------------------------------------------------

def _bound(c: LabClient, kid: str = "platform-1", secret: str | None = None,
           jwk: dict | None = None, **head: Any) -> Answer:
    """newAccount with a spoilt external account binding."""
    key = new_key()
    binding = c.binding(kid, secret or c.secret("eab-platform-1"),
                        jwk or jose.public_jwk(key), **head)
    return _new_account(c, {"externalAccountBinding": binding}, key)


def _contact(c: LabClient, contact: Any) -> Answer:
    return c.post(c.kid, {"contact": contact})


def _deactivated(c: LabClient) -> Answer:
    c.post(c.kid, {"status": "deactivated"})
    return c.post(c.kid)


def _foreign_account(c: LabClient) -> Answer:
    other = second(c)
    return c.post(other.kid)


def second(c: LabClient) -> LabClient:
    """Another registered account of the same lab."""
    other = LabClient(c.info)
    other.register()
    return other


ACCOUNTS = [
    Row("binding missing", lambda c: _new_account(c), 403,
        "externalAccountRequired"),
    Row("binding with wrong MAC", lambda c: _bound(
        c, secret=jose.encode(b"k" * 32)), 403, "unauthorized"),
    Row("binding with unknown kid", lambda c: _bound(c, kid="platform-9"), 403,
        "unauthorized"),
    Row("binding with a nonce", lambda c: _bound(c, nonce="abcd"), 400,
        "malformed"),
    Row("binding of another key", lambda c: _bound(c, jwk=c.jwk), 400,
        "malformed"),
    Row("binding for another url", lambda c: _bound(
        c, url=c.directory["newOrder"]), 400, "malformed"),
    Row("binding with a signature alg", lambda c: _bound(c, alg="ES256"), 400,
        "badSignatureAlgorithm"),
    Row("binding is a string", lambda c: _new_account(
        c, {"externalAccountBinding": "x"}), 400, "malformed"),
    Row("onlyReturnExisting of a new key", lambda c: _new_account(
        c, {"onlyReturnExisting": True}), 400, "accountDoesNotExist"),
    Row("contact is a tel URI", lambda c: _contact(c, ["tel:+12025550100"]),
        400, "unsupportedContact"),
    Row("contact with header fields", lambda c: _contact(
        c, ["mailto:a@example.com?subject=x"]), 400, "invalidContact"),
    Row("contact not a list", lambda c: _contact(c, "mailto:a@example.com"),
        400, "malformed"),
    Row("deactivated account", _deactivated, 401, "unauthorized"),
    Row("another account", _foreign_account, 403, "unauthorized"),
    Row("account to an unknown status", lambda c: c.post(
        c.kid, {"status": "revoked"}), 400, "malformed"),
]


# -- key change ---------------------------------------------------------------

def _key_change(c: LabClient, key: Any = None, signer: Any = None,
                payload: dict | None = None, **head: Any) -> Answer:
    key = key or new_key()
    url = c.directory["keyChange"]
    protected = {"alg": "ES256", "jwk": jose.public_jwk(key), "url": url, **head}
    protected = {k: v for k, v in protected.items() if v is not None}
    body = {"account": c.kid, "oldKey": c.jwk, **(payload or {})}
    inner = jose.flattened(protected, json.dumps(body).encode(), signer or key)
    return c.post(url, inner)


KEY_CHANGES = [
    Row("oldKey is another key", lambda c: _key_change(
        c, payload={"oldKey": jose.public_jwk(new_key())}), 400, "malformed"),
    Row("account is another account", lambda c: _key_change(
        c, payload={"account": c.kid + "x"}), 400, "malformed"),
    Row("new key has an account", lambda c: _key_change(c, second(c).key), 409,
        "malformed"),
    Row("new key is the old key", lambda c: _key_change(c, c.key), 409,
        "malformed"),
    Row("inner url differs", lambda c: _key_change(
        c, url=c.directory["newOrder"]), 400, "malformed"),
    Row("inner nonce", lambda c: _key_change(c, nonce="abcd"), 400,
        "malformed"),
    Row("inner kid", lambda c: _key_change(c, jwk=None, kid=c.kid), 400,
        "malformed"),
    Row("inner signature of another key", lambda c: _key_change(
        c, signer=c.key), 400, "malformed"),
    Row("inner alg none", lambda c: _key_change(c, alg="none"), 400,
        "badSignatureAlgorithm"),
    Row("inner not a JWS", lambda c: c.post(c.directory["keyChange"], {}), 400,
        "malformed"),
]


# -- orders ---------------------------------------------------------------------

def _order_of(kind: str, value: bytes | str) -> Callable[[LabClient], Answer]:
    text = jose.encode(value) if isinstance(value, bytes) else value
    return lambda c: c.post(c.directory["newOrder"], {
        "identifiers": [{"type": kind, "value": text}]})


def _with_constraint(value: bytes, kind: str = "JWTClaimConstraints",
                     numbers: bytes = NUMBERS) -> Callable[[LabClient], Answer]:
    return lambda c: c.order({"TNAuthList": numbers, kind: value})


def _entry(tag: int, *parts: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, der.tlv(tag, *parts))


def _replaced_twice(c: LabClient) -> Answer:
    cert_id = issued_id(c)
    c.order(DELEGATE, replaces=cert_id)
    return c.order(DELEGATE, replaces=cert_id)


def issued_id(c: LabClient) -> str:
    from stirlab.issue import cert_id
    _, chain = c.obtain(DELEGATE, "acme")
    return cert_id(chain[0])


def _foreign_order(c: LabClient) -> Answer:
    other = second(c)
    return c.post(other.order(DELEGATE).headers["Location"])


ORDERS = [
    Row("identifier of type dns", _order_of("dns", "example.com"), 400,
        "unsupportedIdentifier"),
    Row("type in another spelling", _order_of("TnAuthList", NUMBERS), 400,
        "unsupportedIdentifier"),
    Row("several unknown types", lambda c: c.order(
        {"dns": b"a", "ip": b"b"}), 400, "compound"),
    Row("no identifiers", lambda c: c.post(c.directory["newOrder"], {
        "identifiers": []}), 400, "malformed"),
    Row("identifier with a further member", lambda c: c.post(
        c.directory["newOrder"], {"identifiers": [{
            "type": "TNAuthList", "value": "MA", "x": 1}]}), 400, "malformed"),
    Row("TNAuthList not DER", _order_of("TNAuthList", b"\x30\x05abc"), 400,
        "malformed"),
    Row("TNAuthList empty", _order_of("TNAuthList", b"\x30\x00"), 400,
        "malformed"),
    Row("TNAuthList tagged IMPLICIT", _order_of("TNAuthList", _entry(
        0x82, b"12025550100")), 400, "malformed"),
    Row("TNAuthList with unknown choice", _order_of("TNAuthList", _entry(
        0xA3, der.write_ia5("1"))), 400, "malformed"),
    Row("TNAuthList with long length", _order_of(
        "TNAuthList", b"\x30\x81\x08" + PROVIDER[2:]), 400, "malformed"),
    Row("TNAuthList with trailing octets", _order_of(
        "TNAuthList", NUMBERS + b"\x00"), 400, "malformed"),
    Row("TNAuthList in padded base64", _order_of(
        "TNAuthList", base64.b64encode(PROVIDER + b"").decode() + "=="), 400,
        "malformed"),
    Row("number with a plus sign", _order_of("TNAuthList", _entry(
        0xA2, der.write_ia5("+12025550100"))), 400, "malformed"),
    Row("range of one", _order_of("TNAuthList", _entry(0xA1, der.tlv(
        0x30, der.write_ia5("12025550100"), der.write_integer(1)))), 400,
        "malformed"),
    Row("range to all nines", _order_of("TNAuthList", _entry(0xA1, der.tlv(
        0x30, der.write_ia5("10"), der.write_integer(90)))), 400, "malformed"),
    Row("range count beyond 64 bits", _order_of("TNAuthList", _entry(
        0xA1, der.tlv(0x30, der.write_ia5("10"), der.write_integer(
            2 ** 64 + 2)))), 400, "malformed"),
    Row("two codes", _order_of("TNAuthList", TNAuthList.from_config(
        [{"spc": "1234"}, {"spc": "5678"}]).encode()), 400,
        "rejectedIdentifier"),
    Row("constraints alone", _order_of("JWTClaimConstraints", NAME), 400,
        "rejectedIdentifier"),
    Row("constraints with a code", _with_constraint(NAME, numbers=PROVIDER),
        400, "rejectedIdentifier"),
    Row("both constraint types", lambda c: c.order({
        **BOTH, "EnhancedJWTClaimConstraints": EXCLUDE}), 400,
        "rejectedIdentifier"),
    Row("constraints empty", _with_constraint(b"\x30\x00"), 400, "malformed"),
    Row("mustExclude in the plain type", _with_constraint(EXCLUDE), 400,
        "malformed"),
    Row("orig excluded", _with_constraint(
        Constraints(must_exclude=["orig"]).encode(),
        "EnhancedJWTClaimConstraints"), 400, "rejectedIdentifier"),
    Row("one path in two encodings", _with_constraint(Constraints(permitted=[
        ("vper/name", ["A"]), ("vper/name#sha-256", ["A" * 43])]).encode()),
        400, "rejectedIdentifier"),
    Row("notAfter before notBefore", lambda c: c.order(
        DELEGATE, notAfter="2020-01-01T00:00:00Z"), 400, "malformed"),
    Row("notAfter beyond the limit", lambda c: c.order(
        DELEGATE, notAfter="2049-01-01T00:00:00Z"), 400, "malformed"),
    Row("notAfter not a time", lambda c: c.order(DELEGATE, notAfter="soon"),
        400, "malformed"),
    Row("replaces an unknown certificate", lambda c: c.order(
        DELEGATE, replaces="AAAA.BBBB"), 400, "malformed"),
    Row("replaces without common identifier", lambda c: c.order(
        {"TNAuthList": OTHER_NUMBERS}, replaces=issued_id(c)), 400,
        "malformed"),
    Row("replaced a second time", _replaced_twice, 409, "alreadyReplaced"),
    Row("order of another account", _foreign_order, 403, "unauthorized"),
    Row("order that does not exist", lambda c: c.post(
        c.directory["newOrder"].replace("new-order", "order/none")), 404,
        "malformed"),
    Row("POST-as-GET with a payload", lambda c: c.post(c.order(
        DELEGATE).headers["Location"], {}), 400, "malformed"),
]


# -- tokens (RFC 9448 section 6) -------------------------------------------------

def challenge(c: LabClient, identifiers: dict[str, bytes],
              tktype: str = "TNAuthList") -> str:
    """URL of the challenge of one identifier in a new order."""
    for url in c.order(identifiers).json["authorizations"]:
        authz = c.post(url).json
        if authz["identifier"]["type"] == tktype:
            return authz["challenges"][0]["url"]
    raise LookupError(tktype)


def respond(c: LabClient, url: str, token: str, member: str = "tkauth") -> Seen:
    answer = c.post(url, {member: token})
    if answer.problem:
        return Seen(answer.status, answer.problem)
    error = answer.json.get("error", {}).get("type", "")
    return Seen(answer.status, error.rsplit(":", 1)[-1])


def _token_with(what: str, tktype: str = "TNAuthList"
                ) -> Callable[[LabClient], Seen]:
    """A token that the authority was told to spoil."""
    def send(c: LabClient) -> Seen:
        url = challenge(c, BOTH, tktype)
        c.control("POST", "/faults", {
            "endpoint": "token" if tktype == "TNAuthList" else "claims-token",
            "action": "wrong", "what": what, "count": 1})
        return respond(c, url, c.token(
            "acme", tktype, BOTH[tktype]).json["token"])
    return send


def _token_again(c: LabClient) -> Seen:
    token = c.token("acme", "TNAuthList", NUMBERS).json["token"]
    respond(c, challenge(c, DELEGATE), token)
    return respond(c, challenge(c, DELEGATE), token)


def _token_of_other_account(c: LabClient) -> Seen:
    token = second(c).token("acme", "TNAuthList", NUMBERS).json["token"]
    return respond(c, challenge(c, DELEGATE), token)


def _bound_elsewhere(c: LabClient) -> Seen:
    proof = c.token("acme", "TNAuthList", OTHER_NUMBERS).json["token"]
    token = c.token("acme", "JWTClaimConstraints", NAME,
                    evidence=proof).json["token"]
    return respond(c, challenge(c, BOTH, "JWTClaimConstraints"), token)


def _spki_fingerprint(c: LabClient) -> Seen:
    text = jose.fingerprint_text(hashlib.sha256(jose.spki(c.key)).digest())
    token = c.token("acme", "TNAuthList", NUMBERS, fingerprint=text)
    return respond(c, challenge(c, DELEGATE), token.json["token"])


def _given(token: Any) -> Callable[[LabClient], Seen]:
    return lambda c: respond(c, challenge(c, DELEGATE), token)


def _response(**members: Any) -> Callable[[LabClient], Answer]:
    return lambda c: c.post(challenge(c, DELEGATE), members)


def _right_token(c: LabClient) -> Seen:
    return respond(c, challenge(c, DELEGATE), c.token(
        "acme", "TNAuthList", NUMBERS).json["token"])


TOKENS = [
    Row("tkvalue of other numbers", _token_with("tkvalue"), 200,
        "incorrectResponse"),
    Row("tkvalue narrower than the identifier", _token_with("narrower"), 200,
        "incorrectResponse"),
    Row("fingerprint of another key", _token_with("fingerprint"), 200,
        "incorrectResponse"),
    Row("token of another account", _token_of_other_account, 200,
        "incorrectResponse"),
    Row("fingerprint over the SPKI", _spki_fingerprint, 200,
        "incorrectResponse"),
    Row("tktype of another type", _token_with("tktype"), 200,
        "incorrectResponse"),
    Row("tktype in another case", _token_with("tktype-case"), 200,
        "incorrectResponse"),
    Row("expired", _token_with("expired"), 200, "incorrectResponse"),
    Row("unregistered issuer", _token_with("unregistered"), 200,
        "unauthorized"),
    Row("issuer under another root", _token_with("untrusted"), 200,
        "unauthorized"),
    Row("number authority suspended", _right_token, 200, "unauthorized",
        {"notary": {"suspended": ["number-authority"]}}),
    Row("signature wrong", _token_with("bad-signature"), 200, "unauthorized"),
    Row("alg none", _token_with("alg-none"), 200, "incorrectResponse"),
    Row("without jti", _token_with("no-jti"), 200, "incorrectResponse"),
    Row("without exp", _token_with("no-exp"), 200, "incorrectResponse"),
    Row("without atc", _token_with("no-atc"), 200, "incorrectResponse"),
    Row("without x5c and x5u", _token_with("no-x5"), 200, "unauthorized"),
    Row("jti used before", _token_again, 200, "incorrectResponse"),
    Row("constraints token for other constraints", _token_with(
        "tkvalue", "JWTClaimConstraints"), 200, "incorrectResponse"),
    Row("constraints token of unregistered issuer", _token_with(
        "unregistered", "JWTClaimConstraints"), 200, "unauthorized"),
    Row("constraints token bound to other numbers", _bound_elsewhere, 200,
        "incorrectResponse"),
    Row("not a JWS", _given("abc"), 200, "incorrectResponse"),
    Row("response without token", _response(), 400, "malformed"),
    Row("response with both member names", _response(tkauth="a", atc="a"), 400,
        "malformed"),
    Row("response with a number", _response(tkauth=1), 400, "malformed"),
    Row("response by atc where tkauth is due", _response(atc="a.b.c"), 400,
        "malformed", {"ca": {"challenge_response": "tkauth"}}),
]


# -- certificate signing requests ----------------------------------------------

_BASIC_CA = ("2.5.29.19", True, bytes.fromhex("30030101ff"))
_USAGE_CA = ("2.5.29.15", True, bytes.fromhex("03020204"))
_SAN = ("2.5.29.17", False, bytes.fromhex("300d820b6578616d706c652e636f6d"))


def _csr(make: Callable[[LabClient], bytes], identifiers: dict = BOTH
         ) -> Callable[[LabClient], Answer]:
    def send(c: LabClient) -> Answer:
        order = c.ready_order(identifiers, "acme")
        return c.finalize(order, make(c))
    return send


def _csr_of(identifiers: dict[str, bytes], extra: list = (),
            **options: Any) -> Callable[[LabClient], Answer]:
    return _csr(lambda c: make_csr(new_key(), identifiers, extra, **options))


def _critical(c: LabClient) -> bytes:
    return make_csr(new_key(), {"JWTClaimConstraints": NAME},
                    [("1.3.6.1.5.5.7.1.26", True, NUMBERS)])


def _early(c: LabClient) -> Answer:
    return c.finalize(c.order(DELEGATE), make_csr(new_key(), DELEGATE))


def _invalid_order(c: LabClient) -> Answer:
    order = c.order(DELEGATE)
    url = c.post(order.json["authorizations"][0]).json["challenges"][0]["url"]
    respond(c, url, "a.b.c")
    return c.finalize(order, make_csr(new_key(), DELEGATE))


def _second_account_key(c: LabClient) -> bytes:
    return make_csr(second(c).key, BOTH)


def _former_account_key(c: LabClient) -> Answer:
    """The key that the account had before a key change."""
    old, new = c.key, new_key()
    order = c.ready_order(DELEGATE, "acme")
    _key_change(c, new)
    c.key, c.jwk = new, jose.public_jwk(new)
    return c.finalize(order, make_csr(old, DELEGATE))


def _ca_flag(c: LabClient) -> Answer:
    """A token for a CA certificate, a CSR for an end entity."""
    order = c.order(DELEGATE)
    url = c.post(order.json["authorizations"][0]).json["challenges"][0]["url"]
    c.control("POST", "/faults", {"endpoint": "token", "action": "wrong",
                                  "what": "ca", "count": 1})
    respond(c, url, c.token("acme", "TNAuthList", NUMBERS).json["token"])
    return c.finalize(order, make_csr(new_key(), DELEGATE))


def _without_logs(c: LabClient) -> Answer:
    c.control("POST", "/faults", {"endpoint": "add-pre-chain",
                                  "action": "status", "status": 503, "count": 1})
    return _csr_of(BOTH)(c)


FINALIZE = [
    Row("finalize before ready", _early, 403, "orderNotReady"),
    Row("finalize of an invalid order", _invalid_order, 400, "malformed"),
    Row("account key in the CSR", _csr(lambda c: make_csr(c.key, BOTH)), 400,
        "badCSR"),
    Row("another account's key in the CSR", _csr(_second_account_key), 400,
        "badCSR"),
    Row("former account key in the CSR", _former_account_key, 400, "badCSR"),
    Row("CSR for other numbers", _csr_of(
        {**BOTH, "TNAuthList": OTHER_NUMBERS}), 400, "badCSR"),
    Row("CSR without TNAuthList", _csr_of({"JWTClaimConstraints": NAME}), 400,
        "badCSR"),
    Row("CSR with critical TNAuthList", _csr(_critical), 400, "badCSR"),
    Row("CSR with other constraints", _csr_of({
        **BOTH, "JWTClaimConstraints": Constraints(["crn"]).encode()}), 400,
        "badCSR"),
    Row("CSR without constraints", _csr_of(DELEGATE), 400, "badCSR"),
    Row("CSR with constraints not ordered", _csr(
        lambda c: make_csr(new_key(), BOTH), DELEGATE), 400, "badCSR"),
    Row("CSR with a further extension", _csr_of(BOTH, [_SAN]), 400, "badCSR"),
    Row("CSR with cA TRUE", _csr_of(BOTH, [_BASIC_CA]), 400, "badCSR"),
    Row("CSR with keyCertSign", _csr_of(BOTH, [_USAGE_CA]), 400, "badCSR"),
    Row("CSR with a P-384 key", _csr(lambda c: make_csr(
        ec.generate_private_key(ec.SECP384R1()), BOTH)), 400, "badCSR"),
    Row("CSR signed by another key", _csr_of(BOTH, broken=True), 400,
        "badCSR"),
    Row("CSR not DER", _csr(lambda c: b"\x30\x03abc"), 400, "badCSR"),
    Row("CSR with trailing octets", _csr(lambda c: make_csr(
        new_key(), BOTH) + b"\x00"), 400, "badCSR"),
    Row("csr missing", lambda c: c.post(c.ready_order(
        DELEGATE, "acme").json["finalize"], {}), 400, "malformed"),
    Row("csr in PEM", lambda c: c.post(c.ready_order(
        DELEGATE, "acme").json["finalize"], {"csr": "-----BEGIN"}), 400,
        "malformed"),
    Row("ca flag of the token", _ca_flag, 403, "unauthorized"),
    Row("ca flag where CA certificates are issued", _ca_flag, 400, "badCSR",
        {"ca": {"allow_ca_certificates": True}}),
    Row("too few logs answer", _without_logs, 503, "serverInternal"),
]


# -- revocation -------------------------------------------------------------------

def _revoke(c: LabClient, leaf: bytes, key: Any = None, **members: Any) -> Answer:
    url = c.directory["revokeCert"]
    body = {"certificate": jose.encode(leaf), **members}
    if key is None:
        return c.post(url, body)
    return c.post(url, body, key=key, jwk=jose.public_jwk(key))


def _leaf(c: LabClient) -> bytes:
    return c.obtain(DELEGATE, "acme")[1][0]


def _revoke_twice(c: LabClient) -> Answer:
    leaf = _leaf(c)
    _revoke(c, leaf)
    return _revoke(c, leaf)


def _burnt_key(c: LabClient) -> Answer:
    key, chain = c.obtain(DELEGATE, "acme")
    _revoke(c, chain[0], reason=1)
    return c.finalize(c.ready_order(DELEGATE, "acme"), make_csr(key, DELEGATE))


REVOCATION = [
    Row("revoked by another account", lambda c: _revoke(second(c), _leaf(c)),
        403, "unauthorized"),
    Row("revoked by another key", lambda c: _revoke(c, _leaf(c), new_key()),
        403, "unauthorized"),
    Row("revoked already", _revoke_twice, 400, "alreadyRevoked"),
    Row("reason 6", lambda c: _revoke(c, _leaf(c), reason=6), 400,
        "badRevocationReason"),
    Row("reason 7", lambda c: _revoke(c, _leaf(c), reason=7), 400,
        "badRevocationReason"),
    Row("reason a string", lambda c: _revoke(c, _leaf(c), reason="1"), 400,
        "badRevocationReason"),
    Row("certificate of another CA", lambda c: _revoke(c, b"\x30\x00"), 404,
        "malformed"),
    Row("certificate in PEM", lambda c: c.post(
        c.directory["revokeCert"], {"certificate": "-----"}), 400, "malformed"),
    Row("key of a revoked certificate again", _burnt_key, 400, "badCSR"),
]


# -- authorities (RFC 9448 section 5) ---------------------------------------------

def _ask(account: str, tktype: str, value: bytes, **members: Any
         ) -> Callable[[LabClient], Answer]:
    return lambda c: c.token(account, tktype, value, **members)


def _bearer(header: dict[str, str]) -> Callable[[LabClient], Answer]:
    return lambda c: c.http.json(
        "POST", c.info["number_authority"] + "/at/account/acme/token", {
            "tktype": "TNAuthList", "tkvalue": jose.encode(NUMBERS),
            "fingerprint": c.fingerprint}, header)


def _other_secret(c: LabClient) -> Answer:
    return _bearer({"Authorization": "Bearer " + c.secret("authority-osp")})(c)


def _claims(found: Constraints, kind: str = "JWTClaimConstraints",
            account: str = "acme") -> Callable[[LabClient], Answer]:
    return _ask(account, kind, found.encode())


def _evidence_of_other_key(c: LabClient) -> Answer:
    proof = second(c).token("acme", "TNAuthList", NUMBERS).json["token"]
    return c.token("acme", "JWTClaimConstraints", NAME, evidence=proof)


def _evidence_spoilt(c: LabClient) -> Answer:
    proof = c.token("acme", "TNAuthList", NUMBERS).json["token"]
    head, body, _ = proof.split(".")
    return c.token("acme", "JWTClaimConstraints", NAME,
                   evidence=f"{head}.{body}." + jose.encode(b"\x01" * 64))


def _origin_beyond_evidence(c: LabClient) -> Answer:
    proof = c.token("acme", "TNAuthList", NUMBERS).json["token"]
    wanted = Constraints(permitted=[("orig", ['{"tn":"12025550150"}'])])
    return c.token("acme", "JWTClaimConstraints", wanted.encode(),
                   evidence=proof)


AUTHORITIES = [
    Row("token without a secret", _bearer({}), 401, "unauthorized"),
    Row("token with a wrong secret", _bearer({"Authorization": "Bearer x"}),
        401, "unauthorized"),
    Row("token with another account's secret", _other_secret, 401,
        "unauthorized"),
    Row("numbers of nobody", _ask("acme", "TNAuthList", TNAuthList.from_config(
        ["19995550199"]).encode()), 403, "unauthorized"),
    Row("numbers beyond the range", _ask(
        "acme", "TNAuthList", TNAuthList.from_config(
            [{"start": "12025550100", "count": 101}]).encode()), 403,
        "unauthorized"),
    Row("code of another provider", _ask("acme", "TNAuthList", PROVIDER), 403,
        "unauthorized"),
    Row("ca flag without authority", _ask("acme", "TNAuthList", NUMBERS,
                                          ca=True), 403, "unauthorized"),
    Row("tktype in another case", lambda c: c.token(
        "acme", "TNAuthList", NUMBERS, tktype="TnAuthList"), 400,
        "unsupportedIdentifier"),
    Row("fingerprint in lower case", lambda c: c.token(
        "acme", "TNAuthList", NUMBERS, fingerprint=c.fingerprint.lower()), 400,
        "malformed"),
    Row("tkvalue in padded base64", _ask(
        "acme", "TNAuthList", NUMBERS, tkvalue="MAigBhYEMTIzNA=="), 400,
        "malformed"),
    Row("tkvalue not DER", _ask("acme", "TNAuthList", b"\x30\x03abc"), 400,
        "malformed"),
    Row("ca not a boolean", _ask("acme", "TNAuthList", NUMBERS, ca="no"), 400,
        "malformed"),
    Row("claim that the account may not assert", _claims(
        Constraints(["sph"])), 403, "unauthorized"),
    Row("value that the account may not assert", _claims(
        Constraints(permitted=[("rcd", ['{"nam":"Other Corp"}'])])), 403,
        "unauthorized"),
    Row("claim without values, where values are due", _claims(
        Constraints(["rcd"])), 403, "unauthorized"),
    Row("iat excluded", _claims(Constraints(must_exclude=["iat"]),
                                "EnhancedJWTClaimConstraints"), 403,
        "unauthorized"),
    Row("orig without evidence", _claims(Constraints(permitted=[
        ("orig", ['{"tn":"12025550100"}'])])), 403, "unauthorized"),
    Row("orig beyond the evidence", _origin_beyond_evidence, 403,
        "unauthorized"),
    Row("evidence of another account key", _evidence_of_other_key, 403,
        "unauthorized"),
    Row("evidence with wrong signature", _evidence_spoilt, 403,
        "unauthorized"),
    Row("evidence missing where it is due", _claims(
        Constraints(["crn"]), account="acme-bound"), 403, "unauthorized"),
    Row("constraints token for a CA", _ask("acme", "JWTClaimConstraints", NAME,
                                           ca=True), 403, "unauthorized"),
]


# -- the rest ---------------------------------------------------------------------

def _log_add(chain: Callable[[LabClient], list[bytes]]
             ) -> Callable[[LabClient], Answer]:
    return lambda c: c.http.json(
        "POST", c.info["ct_logs"][0] + "ct/v1/add-pre-chain",
        {"chain": [base64.b64encode(x).decode() for x in chain(c)]})


def _get(name: str, path: str) -> Callable[[LabClient], Answer]:
    return lambda c: c.http.send("GET", (
        c.info[name] if name != "ct_logs" else c.info[name][0]) + path)


OTHERS = [
    Row("log: certificate without poison", _log_add(
        lambda c: c.obtain(DELEGATE, "acme")[1]), 400, "malformed"),
    Row("log: chain empty", _log_add(lambda c: []), 400, "malformed"),
    Row("log: proof of an unknown hash", _get(
        "ct_logs", "ct/v1/get-proof-by-hash?tree_size=1&hash=" + "A" * 43
        + "%3D"), 404, "malformed"),
    Row("log: entries beyond the end", _get(
        "ct_logs", "ct/v1/get-entries?start=999999&end=999999"), 400,
        "malformed"),
    Row("renewal information of nobody", lambda c: c.http.send(
        "GET", c.directory["renewalInfo"] + "/AAAA.BBBB"), 404, "malformed"),
    Row("repository: way out of the directory", _get(
        "repository", "..%2fca/sti-root.key"), 404, "malformed"),
    Row("repository: no listing", _get("repository", ""), 404, "malformed"),
]

TABLES = {"request": REQUESTS, "account": ACCOUNTS, "key-change": KEY_CHANGES,
          "order": ORDERS, "token": TOKENS, "finalize": FINALIZE,
          "revocation": REVOCATION, "authority": AUTHORITIES, "other": OTHERS}
