# Building delegate and SHAKEN certificates, with SCTs, right or wrong.
"""The certificate of an accepted order.

The TBSCertificate is put together by hand, so that the extension octets are
those of the order and so that every wrong certificate can be made.
"""
from __future__ import annotations

import base64
import datetime
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Callable

from asn1crypto import core, keys
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from . import constraints, der, jose, sct, tnauth
from .ctlog import Log
from .pki import Identity, Parties
from .tnauth import TNAuthList

WRONG_CERTIFICATES = frozenset({
    "other-key", "wider-tnauthlist", "narrower-tnauthlist",
    "missing-tnauthlist", "malformed-tnauthlist", "missing-constraints",
    "other-constraints", "both-constraints", "missing-sct", "unknown-log-sct",
    "future-sct", "bad-sct-signature", "same-log-scts", "malformed-sct-list",
    "wrong-ski", "wrong-aki", "missing-ski", "missing-aki", "ca-true",
    "expired", "not-yet-valid", "too-long", "p384", "unknown-critical",
    "unknown-extension", "two-spcs", "missing-policy", "bad-signature",
    "foreign-issuer", "poison-left", "chain-order", "chain-no-intermediate",
    "chain-with-root", "chain-foreign-intermediate", "chain-duplicate",
    "later-end", "earlier-end", "earlier-begin"})

_SHAKEN, _DELEGATE = "shaken", "delegate"


class SctFailure(RuntimeError):
    """Too few logs answered."""


@dataclass
class Wanted:
    """What goes into one certificate."""

    kind: str
    numbers: bytes
    spki: bytes
    not_before: int
    not_after: int
    organization: str
    country: str
    constraint: tuple[str, bytes] | None = None
    ca: bool = False
    scts: int = 0
    policy: str | None = None
    crldp: str | None = None
    list_url: str | None = None  # where the numbers are, in the place of the list
    wrong: frozenset[str] = field(default_factory=frozenset)


class Issuer:
    """Signs with the intermediate after the logs have seen the precert."""

    def __init__(self, parties: Parties, logs: list[Log],
                 log_guard: Callable[[Log], bool]) -> None:
        self._parties, self._logs, self._guard = parties, logs, log_guard

    @property
    def intermediate(self) -> bytes:
        return self._parties.sti_ca.der

    def issue(self, wanted: Wanted) -> list[bytes]:
        """The chain as it is downloaded: leaf, intermediate."""
        wrong = wanted.wrong
        issuer = self._parties.sti_ca
        if "foreign-issuer" in wrong:
            issuer = Identity(self._parties.foreign.key, issuer.certificate)
        base = self._extensions(wanted, issuer)
        tbs = _tbs(wanted, issuer, base)
        scts = self._scts(wanted, tbs, base, issuer)
        if "poison-left" in wrong:
            base = [*base, _extension(sct.OID_POISON, True, b"\x05\x00")]
        if scts is not None:
            base = [*base, _extension(sct.OID_LIST, False, scts)]
        tbs["extensions"] = asn1.Extensions(base)
        leaf = _signed(tbs, issuer, broken="bad-signature" in wrong)
        return self._chain(leaf, wrong)

    def _chain(self, leaf: bytes, wrong: frozenset[str]) -> list[bytes]:
        above = self._parties.sti_ca.der
        if "chain-order" in wrong:
            return [above, leaf]
        if "chain-no-intermediate" in wrong:
            return [leaf]
        if "chain-with-root" in wrong:
            return [leaf, above, self._parties.sti_root.der]
        if "chain-foreign-intermediate" in wrong:
            return [leaf, self._parties.foreign_root.der]
        if "chain-duplicate" in wrong:
            return [leaf, above, above]
        return [leaf, above]

    # -- extensions ------------------------------------------------------

    def _extensions(self, wanted: Wanted, issuer: Identity
                    ) -> list[asn1.Extension]:
        wrong = wanted.wrong
        is_ca = wanted.ca or "ca-true" in wrong
        found = [
            _extension("2.5.29.19", True, der.tlv(
                der.SEQUENCE, der.tlv(der.BOOLEAN, b"\xff") if is_ca else b"")),
            _extension("2.5.29.15", True, der.tlv(
                der.BIT_STRING, b"\x02\x84" if is_ca else b"\x07\x80"))]
        if "missing-ski" not in wrong:
            found.append(_extension("2.5.29.14", False, der.tlv(
                der.OCTET_STRING, _key_id(wanted.spki) if "wrong-ski"
                not in wrong else secrets.token_bytes(20))))
        if "missing-aki" not in wrong:
            key_id = (_key_id(jose.spki(issuer.certificate.public_key()))
                      if "wrong-aki" not in wrong else secrets.token_bytes(20))
            found.append(_extension("2.5.29.35", False, der.tlv(
                der.SEQUENCE, der.tlv(0x80, key_id))))
        if wanted.policy and "missing-policy" not in wrong:
            found.append(_extension("2.5.29.32", False, der.tlv(
                der.SEQUENCE, der.tlv(der.SEQUENCE,
                                      der.write_oid(wanted.policy)))))
        if wanted.crldp:
            found.append(_extension("2.5.29.31", False, _crldp(
                wanted.crldp, self._parties.crl)))
        found += self._stir_extensions(wanted)
        if "unknown-critical" in wrong:
            found.append(_extension("1.3.6.1.4.1.99999.1", True, b"\x05\x00"))
        if "unknown-extension" in wrong:
            found.append(_extension("1.3.6.1.4.1.99999.2", False, b"\x05\x00"))
        return found

    @staticmethod
    def _stir_extensions(wanted: Wanted) -> list[asn1.Extension]:
        wrong, found = wanted.wrong, []
        if wanted.list_url:
            found.append(_extension("1.3.6.1.5.5.7.1.1", False, der.tlv(
                der.SEQUENCE, der.tlv(
                    der.SEQUENCE, der.write_oid(tnauth.OID_LIST)
                    + der.tlv(0x86, wanted.list_url.encode("ascii"))))))
        elif "missing-tnauthlist" not in wrong:
            found.append(_extension(tnauth.OID, False,
                                    _numbers(wanted.numbers, wrong)))
        constraint = wanted.constraint
        if "missing-constraints" in wrong:
            constraint = None
        if "other-constraints" in wrong:
            constraint = (constraint[0] if constraint else constraints.OID,
                          constraints.Constraints(["x-lab-other"]).encode())
        if constraint:
            found.append(_extension(constraint[0], False, constraint[1]))
        if "both-constraints" in wrong:
            for oid in (constraints.OID, constraints.OID_ENHANCED):
                if not constraint or constraint[0] != oid:
                    found.append(_extension(oid, False, constraints.Constraints(
                        ["attest"]).encode()))
        return found

    # -- transparency ----------------------------------------------------

    def _scts(self, wanted: Wanted, tbs: asn1.TbsCertificate,
              base: list[asn1.Extension], issuer: Identity) -> bytes | None:
        wrong = wanted.wrong
        if "missing-sct" in wrong or wanted.scts == 0:
            return None
        tbs = tbs.copy()
        tbs["extensions"] = asn1.Extensions(
            [*base, _extension(sct.OID_POISON, True, b"\x05\x00")])
        honest = self._parties.sti_ca
        precert = _signed(tbs, honest)
        logs = self._logs[:1] * wanted.scts if "same-log-scts" in wrong \
            else self._by_operator()
        found: list[sct.Sct] = []
        for log in logs:
            if len(found) == wanted.scts:
                break
            if self._guard(log):
                found.append(log.submit([precert, honest.der]))
        if len(found) < wanted.scts:
            raise SctFailure(f"{len(found)} of {wanted.scts} SCTs")
        if {"unknown-log-sct", "future-sct", "bad-sct-signature"} & wrong:
            entry = sct.precert_entry(jose.spki(honest.key),
                                      sct.strip(tbs, sct.OID_POISON))
            found = [self._spoiled(s, entry, wrong) for s in found]
        if "malformed-sct-list" in wrong:
            return der.tlv(der.OCTET_STRING, b"\x00\x05" + found[0].encode())
        return sct.encode_list(found)

    def _by_operator(self) -> list[Log]:
        """Logs so that the first ones are of different operators."""
        seen: dict[str, int] = {}
        ranked = []
        for log in self._logs:
            rank = seen.get(log.operator, 0)
            seen[log.operator] = rank + 1
            ranked.append((rank, log))
        return [log for _, log in sorted(ranked, key=lambda pair: pair[0])]

    def _spoiled(self, good: sct.Sct, entry: bytes,
                 wrong: frozenset[str]) -> sct.Sct:
        log = next(l for l in self._logs if l.log_id == good.log_id)
        key = log.key
        when = good.timestamp
        if "unknown-log-sct" in wrong:
            key = self._parties.foreign_log.key
        if "future-sct" in wrong:
            when += 86400_000
        data = sct.signed_data(when, entry)
        if "bad-sct-signature" in wrong:
            data = b"something else"
        return sct.Sct(hashlib.sha256(jose.spki(key)).digest(), when,
                       key.sign(data, ec.ECDSA(hashes.SHA256())))


def _numbers(octets: bytes, wrong: frozenset[str]) -> bytes:
    """The TNAuthList, or a wrong one."""
    if "malformed-tnauthlist" in wrong:
        return der.tlv(der.SEQUENCE, der.tlv(0x82, b"12025550100"))
    found = TNAuthList.decode(octets)
    entries = list(found.entries)
    if "two-spcs" in wrong:
        entries.append(tnauth.Entry(spc=(found.spcs or ("1234",))[0] + "X"))
    if "wider-tnauthlist" in wrong:
        entries.append(tnauth.Entry(start="19995550199"))
    if "narrower-tnauthlist" in wrong:
        if len(entries) > 1:
            entries = entries[:1]
        elif entries[0].count > 1:
            entries = [tnauth.Entry(start=entries[0].start)]
    return TNAuthList(entries).encode() if tuple(entries) != found.entries \
        else octets


def _key_id(spki: bytes) -> bytes:
    """Method 1 of RFC 5280 section 4.2.1.2."""
    info = keys.PublicKeyInfo.load(spki)
    return hashlib.sha1(bytes(info["public_key"])).digest()


def _extension(oid: str, critical: bool, value: bytes) -> asn1.Extension:
    found = {"extn_id": oid,
             "extn_value": core.ParsableOctetString(value)}
    if critical:
        found["critical"] = True
    return asn1.Extension(found)


def _crldp(url: str, issuer: Identity) -> bytes:
    """One distribution point with its cRLIssuer."""
    name = asn1.Certificate.load(issuer.der).subject.dump()
    return der.tlv(der.SEQUENCE, der.tlv(
        der.SEQUENCE,
        der.tlv(0xA0, der.tlv(0xA0, der.tlv(0x86, url.encode("ascii")))),
        der.tlv(0xA2, der.tlv(0xA4, name))))


def _subject(wanted: Wanted) -> asn1.Name:
    """SHAKEN subjects are "SHAKEN" and the code; delegates name their list."""
    if wanted.kind == _SHAKEN:
        common = "SHAKEN " + TNAuthList.decode(wanted.numbers).spcs[0]
    else:
        common = "Delegate " + hashlib.sha256(wanted.numbers).hexdigest()[:16]
    return asn1.Name.build({"country_name": wanted.country,
                            "organization_name": wanted.organization,
                            "common_name": common})


def _time(seconds: int) -> asn1.Time:
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return asn1.Time({"utc_time": when} if when.year < 2050
                     else {"general_time": when})


def _tbs(wanted: Wanted, issuer: Identity,
         extensions: list[asn1.Extension]) -> asn1.TbsCertificate:
    wrong = wanted.wrong
    begin, end, spki = wanted.not_before, wanted.not_after, wanted.spki
    if "expired" in wrong:
        begin, end = begin - 7200, begin - 3600
    if "not-yet-valid" in wrong:
        begin, end = end + 3600, end + 7200
    if "later-end" in wrong:
        end += 3600
    if "earlier-end" in wrong:
        end -= 3600
    if "earlier-begin" in wrong:
        begin -= 7200
    if "too-long" in wrong:
        end += 400 * 86400
    if "other-key" in wrong:
        spki = jose.spki(ec.generate_private_key(ec.SECP256R1()))
    if "p384" in wrong:
        spki = jose.spki(ec.generate_private_key(ec.SECP384R1()))
    return asn1.TbsCertificate({
        "version": "v3",
        "serial_number": secrets.randbits(126) | 1 << 126,
        "signature": {"algorithm": "sha256_ecdsa"},
        "issuer": asn1.Certificate.load(issuer.der).subject,
        "validity": {"not_before": _time(begin), "not_after": _time(end)},
        "subject": _subject(wanted),
        "subject_public_key_info": keys.PublicKeyInfo.load(spki),
        "extensions": asn1.Extensions(extensions)})


def _signed(tbs: asn1.TbsCertificate, issuer: Identity,
            broken: bool = False) -> bytes:
    octets = tbs.dump(force=True)
    signature = issuer.key.sign(b"other" if broken else octets,
                                ec.ECDSA(hashes.SHA256()))
    algorithm = tbs["signature"].dump()
    return der.tlv(der.SEQUENCE, octets, algorithm,
                   der.tlv(der.BIT_STRING, b"\x00" + signature))


def cert_id(leaf: bytes) -> str:
    """Identifier of RFC 9773 section 4.1."""
    parsed = asn1.Certificate.load(leaf)
    key_id = parsed.authority_key_identifier_value
    serial = parsed["tbs_certificate"]["serial_number"].contents
    return (jose.encode(key_id["key_identifier"].native if key_id else b"")
            + "." + jose.encode(serial))


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
