# JSON, base64url, JWK and JWS as the parties need them.
"""Strict forms of RFC 7515, RFC 7517, RFC 7638 and RFC 8225 section 9."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature, encode_dss_signature)

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")

_CURVES = {"P-256": (ec.SECP256R1, 32), "P-384": (ec.SECP384R1, 48)}
_EC_ALGORITHMS = {"ES256": ("P-256", hashes.SHA256, 32),
                  "ES384": ("P-384", hashes.SHA384, 48)}
_MACS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}

#: Algorithms of the outer JWS of an ACME request (RFC 8555 section 6.2).
SIGNATURE_ALGORITHMS = ("ES256", "ES384", "RS256")


class JoseError(ValueError):
    """Input that is not the JOSE object it should be."""


class AlgorithmError(JoseError):
    """A JWS algorithm that is not accepted."""


class BadKeyError(JoseError):
    """A JWK that is not accepted."""


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: Any, what: str = "value") -> bytes:
    """Strict base64url without padding (RFC 7515 section 2)."""
    if not isinstance(text, str) or not _BASE64URL.match(text) \
            or len(text) % 4 == 1:
        raise JoseError(f"{what} is not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise JoseError(f"{what} has stray bits after its last octet")
    return data


def decode_any(text: Any, what: str = "value") -> bytes:
    """Either alphabet, padded or not: spellings met for tkvalue (D-28)."""
    if not isinstance(text, str):
        raise JoseError(f"{what} is not a string")
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    if len(text) - len(text.rstrip("=")) > 2:
        raise JoseError(f"{what} has too much padding")
    return decode(plain, what)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JoseError("a JSON object names a member twice")
    return found


def _no_constant(name: str) -> Any:
    raise JoseError(f"{name} is not JSON")


def parse(data: bytes | str, what: str = "JSON") -> Any:
    """JSON without duplicate members and without NaN."""
    try:
        if isinstance(data, bytes):
            data = data.decode("utf-8")
        return json.loads(data, object_pairs_hook=_no_duplicates,
                          parse_constant=_no_constant)
    except JoseError:
        raise
    except (ValueError, RecursionError) as error:
        raise JoseError(f"{what} cannot be parsed: {error}") from None


def parse_object(data: bytes | str, what: str = "JSON") -> dict:
    found = parse(data, what)
    if not isinstance(found, dict):
        raise JoseError(f"{what} is not an object")
    return found


def serialise(value: Any) -> str:
    """Deterministic JSON of RFC 8225 section 9, escapes as in RFC 8785."""
    return json.dumps(_checked(value), ensure_ascii=False, sort_keys=True,
                      separators=(",", ":"), allow_nan=False)


def _checked(value: Any, depth: int = 0) -> Any:
    if depth > 16:
        raise JoseError("JSON is nested too deeply")
    if isinstance(value, float):
        raise JoseError("numbers of a PASSporT are integers")
    if isinstance(value, dict):
        return {k: _checked(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_checked(v, depth + 1) for v in value]
    return value


def claim_text(value: Any) -> str:
    """Text of a claim value in permittedValues (D-12)."""
    return value if isinstance(value, str) else serialise(value)


# -- keys ---------------------------------------------------------------

def public_jwk(key: Any) -> dict:
    """Public JWK of a cryptography key, private or public."""
    public = key.public_key() if hasattr(key, "public_key") else key
    numbers = public.public_numbers()
    if isinstance(public, ec.EllipticCurvePublicKey):
        for name, (curve, size) in _CURVES.items():
            if public.curve.name == curve.name:
                return {"crv": name, "kty": "EC",
                        "x": encode(numbers.x.to_bytes(size, "big")),
                        "y": encode(numbers.y.to_bytes(size, "big"))}
        raise BadKeyError("curve is not supported")
    size = (numbers.n.bit_length() + 7) // 8
    return {"e": encode(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8,
                                           "big")),
            "kty": "RSA", "n": encode(numbers.n.to_bytes(size, "big"))}


def load_jwk(jwk: Any) -> Any:
    """Public key of a JWK; private members are refused."""
    if not isinstance(jwk, dict):
        raise BadKeyError("jwk is not an object")
    if "d" in jwk or "k" in jwk:
        raise BadKeyError("jwk holds private members")
    try:
        if jwk.get("kty") == "EC":
            if not isinstance(jwk.get("crv"), str) or jwk["crv"] not in _CURVES:
                raise BadKeyError("curve is not supported")
            curve, size = _CURVES[jwk["crv"]]
            x, y = decode(jwk.get("x"), "x"), decode(jwk.get("y"), "y")
            if len(x) != size or len(y) != size:
                raise BadKeyError("coordinates have the wrong length")
            return ec.EllipticCurvePublicNumbers(
                int.from_bytes(x, "big"), int.from_bytes(y, "big"),
                curve()).public_key()
        if jwk.get("kty") == "RSA":
            n = int.from_bytes(decode(jwk.get("n"), "n"), "big")
            e = int.from_bytes(decode(jwk.get("e"), "e"), "big")
            if n.bit_length() < 2048 or n.bit_length() > 4096:
                raise BadKeyError("RSA keys have 2048 to 4096 bits")
            return rsa.RSAPublicNumbers(e, n).public_key()
    except BadKeyError:
        raise
    except ValueError as error:
        raise BadKeyError(str(error)) from None
    raise BadKeyError("kty is not supported")


def thumbprint(jwk: dict) -> bytes:
    """SHA-256 thumbprint of RFC 7638."""
    members = (("crv", "kty", "x", "y") if jwk["kty"] == "EC"
               else ("e", "kty", "n"))
    text = json.dumps({m: jwk[m] for m in members}, sort_keys=True,
                      separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).digest()


def spki(key: Any) -> bytes:
    """DER SubjectPublicKeyInfo."""
    public = key.public_key() if hasattr(key, "public_key") else key
    return public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint_text(digest: bytes) -> str:
    """"SHA256 " and upper-case octets with colons (RFC 9447 section 3)."""
    return "SHA256 " + ":".join(f"{octet:02X}" for octet in digest)


# -- signatures ---------------------------------------------------------

def verify_raw(algorithm: Any, key: Any, message: bytes, signature: bytes) -> bool:
    """One JWS signature value against a public key."""
    if algorithm in _EC_ALGORITHMS:
        curve, digest, size = _EC_ALGORITHMS[algorithm]
        if not isinstance(key, ec.EllipticCurvePublicKey) \
                or key.curve.name != _CURVES[curve][0].name:
            raise AlgorithmError(f"{algorithm} does not fit the key")
        if len(signature) != 2 * size:
            return False
        raw = encode_dss_signature(int.from_bytes(signature[:size], "big"),
                                   int.from_bytes(signature[size:], "big"))
        check = (raw, message, ec.ECDSA(digest()))
    elif algorithm == "RS256":
        if not isinstance(key, rsa.RSAPublicKey):
            raise AlgorithmError(f"{algorithm} does not fit the key")
        check = (signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise AlgorithmError(f"alg {algorithm!r} is not accepted")
    try:
        key.verify(*check)
    except InvalidSignature:
        return False
    return True


def sign_raw(key: Any, message: bytes) -> bytes:
    """ES256 signature value, r and s (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_compact(header: dict, claims: dict | bytes, key: Any) -> str:
    """Compact JWS with ES256."""
    body = claims if isinstance(claims, bytes) else serialise(claims).encode()
    text = encode(serialise(header).encode()) + "." + encode(body)
    return text + "." + encode(sign_raw(key, text.encode("ascii")))


def flattened(protected: dict, payload: bytes, key: Any) -> dict:
    """Flattened JSON serialisation with ES256."""
    head, body = encode(serialise(protected).encode()), encode(payload)
    return {"protected": head, "payload": body, "signature": encode(
        sign_raw(key, f"{head}.{body}".encode("ascii")))}


def mac(algorithm: Any, key: bytes, message: bytes) -> bytes:
    if algorithm not in _MACS:
        raise AlgorithmError(f"alg {algorithm!r} is not a MAC")
    return hmac.new(key, message, _MACS[algorithm]).digest()


class Flattened:
    """A parsed flattened JWS (RFC 7515 section 7.2.2, RFC 8555 section 6.2)."""

    def __init__(self, found: Any, what: str = "JWS") -> None:
        if not isinstance(found, dict) \
                or set(found) != {"protected", "payload", "signature"}:
            raise JoseError(f"{what} is not a flattened JWS with exactly"
                            " protected, payload and signature")
        raw = decode(found["protected"], "protected")
        self.protected = parse_object(raw, "protected header")
        self.payload = decode(found["payload"], "payload")
        self.signature = decode(found["signature"], "signature")
        self.signed = f"{found['protected']}.{found['payload']}".encode("ascii")
        if "crit" in self.protected or self.protected.get("b64", True) is not True:
            raise JoseError(f"{what}: crit and b64 are not understood")

    def verify(self, key: Any) -> bool:
        return verify_raw(self.protected.get("alg"), key, self.signed,
                          self.signature)


class Compact:
    """A parsed compact JWS: header, payload octets, signature."""

    def __init__(self, text: Any, what: str = "token") -> None:
        if not isinstance(text, str) or text.count(".") != 2:
            raise JoseError(f"{what} is not a compact JWS")
        head, body, signature = text.split(".")
        self.header_octets = decode(head, f"{what} header")
        self.header = parse_object(self.header_octets, f"{what} header")
        self.payload = decode(body, f"{what} payload")
        self.signature = decode(signature, f"{what} signature")
        self.signed = f"{head}.{body}".encode("ascii")

    def claims(self, what: str = "token") -> dict:
        return parse_object(self.payload, f"{what} payload")

    def verify(self, key: Any) -> bool:
        return verify_raw(self.header.get("alg"), key, self.signed,
                          self.signature)
