# The verification service: all steps in order, one verdict.
"""RFC 8224 section 6.2 with the STIR certificate rules and SCTs."""
from __future__ import annotations

import base64
import ssl
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Callable

from cryptography import x509

from .. import constraints, der, jose, sct, tnauth
from ..constraints import Constraints
from ..pki import validity
from ..tnauth import TNAuthList
from . import claims, passport, path, transparency

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_MAX_CHAIN = 262144

#: VESPER: certificates are short-lived (V-05, V-12).
_MAX_LIFE = 7 * 86400

#: Claims that need no vetting under VESPER -06: the base claims, and those
#: that a ppt is made of.
_STRUCTURAL = frozenset({"iat", "orig", "dest", "div", "opt", "mky", "msgi"})


@dataclass
class Policy:
    """What the verifier trusts and how strict it is."""

    anchors: list[x509.Certificate]
    logs: dict[bytes, transparency.KnownLog] | None = None
    min_scts: int | None = None
    max_age: int = 60
    max_age_div: int = 3 * 3600
    lenient: bool = False
    vesper: bool = False
    fetch: Callable[[str], bytes] | None = None
    salts: dict[str, bytes] = field(default_factory=dict)


class Failure(ValueError):
    """A step failed; `code` is that of RFC 8224 section 6.2.2."""

    def __init__(self, step: str, code: int, detail: str) -> None:
        super().__init__(detail)
        self.step, self.code, self.detail = step, code, detail


def verify(text: str, policy: Policy, at: float | None = None,
           orig: str | None = None, dest: str | None = None,
           original: str | None = None) -> dict:
    """The verdict as a JSON object.

    `orig` and `dest` come from signalling; `original` is the PASSporT that
    an rsp or div answers.
    """
    run = _Run(policy, time.time() if at is None else at)
    try:
        run.all(text, orig, dest, original)
    except Failure as failure:
        run.steps.append({"step": failure.step, "result": "fail",
                          "detail": failure.detail})
        return run.verdict("fail", failure)
    return run.verdict("pass", None)


class _Run:
    """State of one verification."""

    def __init__(self, policy: Policy, at: float) -> None:
        self.policy, self.at = policy, at
        self.steps: list[dict] = []
        self.facts: dict[str, Any] = {}
        self.warnings: list[str] = []

    def verdict(self, result: str, failure: Failure | None) -> dict:
        return {"schema": "lab/verify/1", "verdict": result,
                "step": failure.step if failure else None,
                "code": failure.code if failure else None,
                "detail": failure.detail if failure else None,
                **self.facts, "warnings": self.warnings, "steps": self.steps}

    def _passed(self, step: str, detail: str = "") -> None:
        self.steps.append({"step": step, "result": "pass", "detail": detail})

    def all(self, text: str, orig: str | None, dest: str | None,
            original: str | None) -> None:
        identity = self._parse(text)
        self._compare(identity, orig, dest)
        self._against(identity, original)
        chain = self._credential(identity)
        full = self._path(identity, chain)
        self._freshness(identity)
        self._signature(identity, chain[0])
        self._authority(identity, chain[0])
        self._constraints(identity, chain[0])
        if self.policy.vesper:
            self._vesper(identity, chain[0])
        self._transparency(full)
        self._domain(identity, chain[0])

    def _parse(self, text: str) -> passport.Identity:
        try:
            found = passport.parse(text, self.policy.lenient)
            if found.ppt not in passport.SUPPORTED:
                raise Failure("parse", 438, f"ppt {found.ppt} is not supported")
            passport.check_claims(found)
        except (passport.PassportError, jose.JoseError) as error:
            raise Failure("parse", 438, str(error)) from None
        self.warnings += found.warnings
        self.facts.update(
            ppt=found.ppt or None, orig=found.claims["orig"],
            dest=found.claims["dest"], iat=found.claims["iat"],
            info=found.info, header=found.header if "x5c" not in found.header
            else {**found.header, "x5c": len(found.header["x5c"])},
            claims=found.claims)
        self._passed("parse")
        return found

    def _compare(self, identity: passport.Identity, orig: str | None,
                 dest: str | None) -> None:
        """Section 6.2.4: the identity comes from signalling."""
        if orig is None:
            self.warnings.append("orig not compared")
        elif identity.claims["orig"].get("tn") != canonical(orig):
            raise Failure("orig", 438, "orig is not the calling number")
        if dest is not None and canonical(dest) \
                not in identity.claims["dest"].get("tn", []):
            raise Failure("dest", 438, "dest does not hold the called number")
        self._passed("signalling")

    def _against(self, identity: passport.Identity, original: str | None) -> None:
        """rsp: V-41 in its strict form; div: RFC 8946 sections 3 and 5."""
        if identity.ppt not in ("rsp", "div"):
            return
        if original is None:
            self.warnings.append("not compared with the original PASSporT")
            return
        try:
            before = passport.parse(original, self.policy.lenient)
            passport.check_claims(before)
        except (passport.PassportError, jose.JoseError) as error:
            raise Failure("original", 438, str(error)) from None
        old, new = before.claims, identity.claims
        if new["orig"] != old["orig"]:
            raise Failure("original", 438, "orig differs from the original")
        if identity.ppt == "rsp" and new["dest"] != old["dest"]:
            raise Failure("original", 438, "dest differs from the original")
        if identity.ppt == "div":
            name, value = next((k, v) for k, v in new["div"].items()
                               if k in ("tn", "uri"))
            if value not in old["dest"].get(name, []):
                raise Failure("original", 438, "div is not a dest of the original")
            if new["dest"] == old["dest"]:
                raise Failure("original", 438, "dest of a div has not changed")
        self._passed("original")

    def _credential(self, identity: passport.Identity) -> list[x509.Certificate]:
        """x5c before x5u (V-06, V-07, V-08)."""
        header = identity.header
        try:
            if "x5c" in header:
                if not isinstance(header["x5c"], list) or not header["x5c"]:
                    raise ValueError("x5c is not a list")
                chain = [x509.load_der_x509_certificate(
                    base64.b64decode(c, validate=True)) for c in header["x5c"]]
                self.facts["conveyance"] = "x5c"
            else:
                if self.policy.fetch is None:
                    raise ValueError("no x5c, and x5u is not fetched")
                chain = load_certificates(self.policy.fetch(header["x5u"]))
                self.facts["conveyance"] = "x5u"
            if not chain:
                raise ValueError("no certificate")
        except (ValueError, TypeError, OSError) as error:
            raise Failure("credential", 436, str(error)) from None
        self.facts["certificate"] = {
            "subject": chain[0].subject.rfc4514_string(),
            "serial": f"{chain[0].serial_number:x}", "chain": len(chain)}
        self._passed("credential")
        return chain

    def _path(self, identity: passport.Identity,
              chain: list[x509.Certificate]) -> list[x509.Certificate]:
        try:
            full = path.validate(chain, self.policy.anchors, [
                self.at, float(identity.claims["iat"])])
        except (path.PathError, der.DerError, ValueError, TypeError) as error:
            raise Failure("path", 437, str(error)) from None
        self._passed("path")
        return full

    def _freshness(self, identity: passport.Identity) -> None:
        age = self.at - identity.claims["iat"]
        limit = (self.policy.max_age_div if identity.ppt == "div"
                 else self.policy.max_age)
        if not -self.policy.max_age <= age <= limit:
            raise Failure("freshness", 403, f"iat is {int(age)} s old")
        self._passed("freshness")

    def _signature(self, identity: passport.Identity,
                   leaf: x509.Certificate) -> None:
        raw = identity.token.signature
        values = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        if len(raw) != 64 or not all(0 < v < P256_ORDER for v in values):
            raise Failure("signature", 438, "not an ES256 signature value")
        if not identity.token.verify(leaf.public_key()):
            raise Failure("signature", 438, "signature is wrong")
        self._passed("signature")

    def _authority(self, identity: passport.Identity,
                   leaf: x509.Certificate) -> None:
        octets = path.extension(leaf, tnauth.OID)
        if octets is None:
            raise Failure("authority", 437, "no TNAuthList")
        try:
            scope = TNAuthList.decode(octets)
            number = passport.authorising_number(identity)
        except (der.DerError, passport.PassportError) as error:
            raise Failure("authority", 437, str(error)) from None
        kind = "delegate" if scope.has_numbers else "sp"
        self.facts.update({"class": kind, "spcs": list(scope.spcs)})
        if identity.ppt not in passport.PPT_OF_CLASS[kind]:
            raise Failure("authority", 437, f"ppt {identity.ppt or 'base'} under"
                          f" a certificate of class {kind}")
        if kind == "sp":
            if len(scope.spcs) != 1:
                raise Failure("authority", 437, "not exactly one SPC")
        elif number is None or not scope.covers(number):
            raise Failure("authority", 437, "TNAuthList does not cover"
                                            f" {number or 'a URI'}")
        self.facts["verified"] = number
        if identity.ppt == "shaken":
            self.facts["attest"] = identity.claims["attest"]
        self._passed("authority", kind)

    def _constraints(self, identity: passport.Identity,
                     leaf: x509.Certificate) -> None:
        plain = path.extension(leaf, constraints.OID)
        enhanced = path.extension(leaf, constraints.OID_ENHANCED)
        if plain is not None and enhanced is not None:
            raise Failure("constraints", 437, "both constraints extensions"
                                              " (RFC 9118 section 6)")
        if plain is None and enhanced is None:
            self._passed("constraints", "none in the certificate")
            return
        try:
            found = Constraints.decode(plain or enhanced, enhanced is not None)
            told = claims.check(found, identity.claims, self.policy.salts)
        except der.DerError as error:
            raise Failure("constraints", 437, str(error)) from None
        except (claims.ConstraintError, jose.JoseError) as error:
            raise Failure("constraints", 438, str(error)) from None
        self.warnings += told.warnings
        self.facts["constraints"] = found.as_json()
        self.facts["not_presently_verifiable"] = told.unverifiable
        self._passed("constraints")

    def _vesper(self, identity: passport.Identity,
                leaf: x509.Certificate) -> None:
        """VESPER -06: x5c (V-03), short life (V-12), vetted claims (V-16)."""
        if "x5c" not in identity.header:
            raise Failure("vesper", 438, "x5c is missing")
        begin, end = validity(leaf)
        if end - begin > _MAX_LIFE + 3600:
            raise Failure("vesper", 437, "the certificate is not short-lived")
        rows = self.facts.get("constraints") or {}
        vetted = set(rows.get("must_include", ()))
        vetted |= {row["claim"].partition("#")[0].partition("/")[0]
                   for row in rows.get("permitted_values", ())}
        extra = sorted(set(identity.claims) - _STRUCTURAL - vetted)
        if extra:
            raise Failure("vesper", 438, "claims that the certificate does not"
                          " name: " + ", ".join(extra))
        self._passed("vesper")

    def _transparency(self, full: list[x509.Certificate]) -> None:
        if self.policy.logs is None:
            self.warnings.append("SCTs not checked: no list of logs")
            return
        least = self.policy.min_scts
        if least is None:
            least = 1 if self.facts["class"] == "delegate" else 0
        try:
            rows = transparency.judge(full[0], full[1], self.policy.logs, self.at)
        except (sct.SctError, ValueError) as error:
            raise Failure("transparency", 437, str(error)) from None
        valid = sum(row["valid"] for row in rows)
        self.facts["scts"] = rows
        if valid < least:
            raise Failure("transparency", 437, f"{valid} valid SCTs, {least} due")
        self._passed("transparency", f"{valid} valid SCTs")

    def _domain(self, identity: passport.Identity, leaf: x509.Certificate) -> None:
        """Domain binding: exactly one name, and x5u is there (D-49)."""
        try:
            names = leaf.extensions.get_extension_for_class(
                x509.SubjectAlternativeName).value.get_values_for_type(
                    x509.DNSName)
        except x509.ExtensionNotFound:
            return
        host = urllib.parse.urlsplit(identity.header.get("x5u", "")).hostname
        if len(names) != 1 or (host or "").lower() != names[0].lower():
            raise Failure("domain", 437, "x5u is not on the domain of the"
                                         " certificate")
        self._passed("domain", names[0])


def canonical(number: str) -> str:
    """RFC 8224 section 8.3 for a number written with separators."""
    return "".join(c for c in number if c.isascii() and (c.isdigit() or c in "#*"))


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """All certificates of PEM text."""
    parts = data.split(b"-----BEGIN CERTIFICATE-----")[1:]
    return [x509.load_pem_x509_certificate(
        b"-----BEGIN CERTIFICATE-----" + part) for part in parts]


def https_fetch(tls_ca: str | None) -> Callable[[str], bytes]:
    """Fetch of an x5u: https only, no redirect, bounded in size and time."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any, **kwargs: Any) -> None:
            return None

    def fetch(url: str) -> bytes:
        split = urllib.parse.urlsplit(url)
        if split.scheme != "https" or split.username or split.fragment:
            raise ValueError("x5u is not a plain https URL")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), NoRedirect(),
            urllib.request.HTTPSHandler(
                context=ssl.create_default_context(cafile=tls_ca)))
        with opener.open(url, timeout=5) as answer:
            kind = answer.headers.get_content_type()
            if kind != "application/pem-certificate-chain":
                raise ValueError(f"x5u serves {kind}")
            body = answer.read(_MAX_CHAIN + 1)
        if len(body) > _MAX_CHAIN:
            raise ValueError("x5u serves too much")
        return body

    return fetch
