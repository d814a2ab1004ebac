# A small client of the lab, for its own tests: right and wrong requests.
"""ACME with authority tokens, made so that each part can be spoilt."""
from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import urllib.parse
from dataclasses import dataclass
from typing import Any

from asn1crypto import csr as asn1csr
from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto import core, keys
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from . import der, jose, tnauth
from .store import read_json

CONTENT_TYPE = "application/jose+json"


@dataclass
class Answer:
    """Status, headers and body of one answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """Error type without its prefix, "" where there is none."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return ""
        return self.json["type"].rsplit(":", 1)[-1]


class Http:
    """Keep-alive connections by origin, one set a thread."""

    def __init__(self, tls_ca: str) -> None:
        self._context = ssl.create_default_context(cafile=tls_ca)
        self._local = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Ends the connections of all threads."""
        while self._opened:
            self._opened.pop().close()

    def __del__(self) -> None:
        self.close()

    def send(self, method: str, url: str, body: bytes | None = None,
             headers: dict[str, str] | None = None) -> Answer:
        split = urllib.parse.urlsplit(url)
        pool = self._local.__dict__.setdefault("pool", {})
        target = split.path + (f"?{split.query}" if split.query else "")
        for attempt in (0, 1):
            connection = pool.get(split.netloc)
            if connection is None:
                connection = (http.client.HTTPSConnection(
                    split.netloc, timeout=20, context=self._context)
                    if split.scheme == "https"
                    else http.client.HTTPConnection(split.netloc, timeout=20))
                pool[split.netloc] = connection
                self._opened.append(connection)
            try:
                connection.request(method, target, body, headers or {})
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                del pool[split.netloc]
                if attempt:
                    raise
        raise OSError("unreachable")

    def json(self, method: str, url: str, value: Any = None,
             headers: dict[str, str] | None = None) -> Answer:
        body = None if value is None else json.dumps(value).encode()
        return self.send(method, url, body, {
            "Content-Type": "application/json", **(headers or {})})


class LabClient:
    """What lab-info.json says, and the requests of one account key."""

    def __init__(self, info: dict | str, key: Any = None) -> None:
        self.info = read_json(info) if isinstance(info, str) else info
        self.http = Http(self.info["tls_ca"])
        self.directory = self.http.send("GET", self.info["directory"]).json
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.jwk = jose.public_jwk(self.key)
        self.kid: str | None = None
        self._nonce: str | None = None

    def secret(self, name: str) -> str:
        with open(self.info["secrets"][name], encoding="ascii") as source:
            return source.read().strip()

    def control(self, method: str, path: str, value: Any = None) -> Answer:
        return self.http.json(method, self.info["control"] + path, value)

    @property
    def fingerprint(self) -> str:
        return jose.fingerprint_text(jose.thumbprint(self.jwk))

    # -- ACME ------------------------------------------------------------

    def nonce(self) -> str:
        if self._nonce is None:
            return self.http.send("HEAD", self.directory["newNonce"]
                                  ).headers["Replay-Nonce"]
        nonce, self._nonce = self._nonce, None
        return nonce

    def jws(self, url: str, payload: Any, /, key: Any = None,
            **protected: Any) -> dict:
        """A flattened JWS; a member None is left out of the header."""
        head: dict[str, Any] = {"alg": "ES256", "url": url}
        if "jwk" not in protected and "kid" not in protected:
            protected["kid" if self.kid else "jwk"] = self.kid or self.jwk
        if "nonce" not in protected:
            protected["nonce"] = self.nonce()
        head.update(protected)
        head = {k: v for k, v in head.items() if v is not None}
        body = (b"" if payload is None else payload if isinstance(payload, bytes)
                else json.dumps(payload).encode())
        return jose.flattened(head, body, key or self.key)

    def send(self, url: str, body: Any, content_type: str = CONTENT_TYPE
             ) -> Answer:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.http.send("POST", url, octets,
                                {"Content-Type": content_type})
        self._nonce = answer.headers.get("Replay-Nonce")
        return answer

    def post(self, url: str, payload: Any = None, **protected: Any) -> Answer:
        """A right request, sent again after badNonce at most twice."""
        for _ in range(3):
            answer = self.send(url, self.jws(url, payload, **protected))
            if answer.problem != "badNonce":
                break
        return answer

    def binding(self, kid: str, key: str, jwk: dict | None = None,
                **protected: Any) -> dict:
        """External account binding (RFC 8555 section 7.3.4)."""
        head = {"alg": "HS256", "kid": kid,
                "url": self.directory["newAccount"], **protected}
        first = jose.encode(json.dumps(head).encode())
        second = jose.encode(json.dumps(jwk or self.jwk).encode())
        return {"protected": first, "payload": second, "signature": jose.encode(
            jose.mac("HS256", jose.decode(key), f"{first}.{second}".encode()))}

    def register(self, kid: str = "platform-1") -> Answer:
        answer = self.post(self.directory["newAccount"], {
            "externalAccountBinding": self.binding(kid, self.secret(f"eab-{kid}"))},
            jwk=self.jwk)
        if answer.status in (200, 201):
            self.kid = answer.headers["Location"]
        return answer

    # -- tokens ------------------------------------------------------------

    def token(self, account: str, tktype: str, value: bytes, /, ca: bool = False,
              evidence: str | None = None, **members: Any) -> Answer:
        numbers = tktype == "TNAuthList"
        base = self.info["number_authority" if numbers else "claim_agent"]
        secret = self.secret(("authority-" if numbers else "claims-") + account)
        body = {"tktype": tktype, "tkvalue": jose.encode(value), "ca": ca,
                "fingerprint": self.fingerprint, **members}
        if evidence is not None:
            body["evidence"] = evidence
        return self.http.json("POST", f"{base}/at/account/{account}/token",
                              body, {"Authorization": f"Bearer {secret}"})

    # -- orders --------------------------------------------------------------

    def order(self, identifiers: dict[str, bytes], **members: Any) -> Answer:
        return self.post(self.directory["newOrder"], {"identifiers": [
            {"type": t, "value": jose.encode(v)}
            for t, v in identifiers.items()], **members})

    def ready_order(self, identifiers: dict[str, bytes], account: str,
                    claims_account: str = "acme", **members: Any) -> Answer:
        """An order whose challenges have been answered."""
        order = self.order(identifiers, **members)
        if order.status != 201:
            return order
        for url in order.json["authorizations"]:
            authz = self.post(url).json
            kind = authz["identifier"]["type"]
            value = jose.decode(authz["identifier"]["value"])
            token = self.token(account if kind == "TNAuthList"
                               else claims_account, kind, value)
            self.post(authz["challenges"][0]["url"],
                      {"tkauth": token.json["token"]})
        return order

    def finalize(self, order: Answer, csr: bytes) -> Answer:
        return self.post(order.json["finalize"], {"csr": jose.encode(csr)})

    def chain(self, order: dict) -> list[bytes]:
        """Downloaded chain, DER, leaf first."""
        text = self.post(order["certificate"]).body
        return pem_blocks(text)

    def obtain(self, identifiers: dict[str, bytes], account: str,
               key: Any = None, **members: Any) -> tuple[Any, list[bytes]]:
        """A certificate from nothing but an account: key and chain."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        order = self.ready_order(identifiers, account, **members)
        done = self.finalize(order, make_csr(key, identifiers))
        if done.status != 200:
            raise RuntimeError(f"finalize: {done.body!r}")
        return key, self.chain(done.json)


def pem_blocks(text: bytes) -> list[bytes]:
    found = []
    for part in text.split(b"-----BEGIN CERTIFICATE-----")[1:]:
        found.append(base64.b64decode(part.split(b"-----END")[0]))
    return found


OIDS = {"TNAuthList": tnauth.OID, "JWTClaimConstraints": "1.3.6.1.5.5.7.1.27",
        "EnhancedJWTClaimConstraints": "1.3.6.1.5.5.7.1.33"}


def make_csr(key: Any, identifiers: dict[str, bytes],
             extra: list[tuple[str, bool, bytes]] = (),
             broken: bool = False, subject: str = "") -> bytes:
    """A PKCS #10 request with exactly these extensions, right or wrong."""
    rows = [(OIDS[t], False, v) for t, v in identifiers.items()] + list(extra)
    extensions = []
    for oid, critical, value in rows:
        row = {"extn_id": oid, "extn_value": core.ParsableOctetString(value)}
        if critical:
            row["critical"] = True
        extensions.append(asn1.Extension(row))
    curve = getattr(getattr(key, "curve", None), "name", "")
    digest, algorithm = ((hashes.SHA384(), "sha384_ecdsa")
                         if curve == "secp384r1"
                         else (hashes.SHA256(), "sha256_ecdsa"))
    info = asn1csr.CertificationRequestInfo({
        "version": "v1",
        "subject": asn1.Name.build({"common_name": subject} if subject else {}),
        "subject_pk_info": keys.PublicKeyInfo.load(jose.spki(key)),
        "attributes": [{"type": "extension_request",
                        "values": [asn1.Extensions(extensions)]}]})
    octets = info.dump(force=True)
    signed = key.sign(b"other" if broken else octets, ec.ECDSA(digest))
    return der.tlv(der.SEQUENCE, octets,
                   SignedDigestAlgorithm({"algorithm": algorithm}).dump(),
                   der.tlv(der.BIT_STRING, b"\x00" + signed))
