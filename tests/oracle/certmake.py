"""Certificates right and wrong, octet by octet: DER by hand, one CA key."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def integer(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(text: str) -> bytes:
    first, second, *rest = (int(n) for n in text.split("."))
    out = [first * 40 + second]
    for n in rest:
        octets = [n & 0x7F]
        while n := n >> 7:
            octets.append(n & 0x7F | 0x80)
        out += reversed(octets)
    return tlv(6, bytes(out))


def ia5(text: str | bytes) -> bytes:
    return tlv(0x16, text if isinstance(text, bytes) else text.encode())


def tn_list(entries: list[tuple]) -> bytes:
    out = []
    for kind, *rest in entries:
        if kind == "spc":
            out.append(tlv(0xA0, ia5(rest[0])))
        elif kind == "range":
            start, count, *further = rest
            out.append(tlv(0xA1, tlv(0x30, ia5(start), integer(count), *further)))
        elif kind == "one":
            out.append(tlv(0xA2, ia5(rest[0])))
        else:  # octets as they are
            out.append(rest[0])
    return tlv(0x30, *out)


@dataclass
class Constraints:
    enhanced: bool = False
    include: list[str] = field(default_factory=list)
    permitted: list[tuple[str, list[str]]] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)

    def encode(self) -> bytes:
        def names(tag: int, those: list[str]) -> bytes:
            return tlv(tag, tlv(0x30, *map(ia5, those))) if those else b""
        rows = [tlv(0x30, ia5(name), tlv(0x30, *(tlv(0x0C, v.encode()) for v in values)))
                for name, values in self.permitted]
        return tlv(0x30, names(0xA0, self.include),
                   tlv(0xA1, tlv(0x30, *rows)) if rows else b"",
                   names(0xA2, self.exclude))

    def __bool__(self) -> bool:
        return bool(self.include or self.permitted or self.exclude)


@dataclass(frozen=True)
class Sct:
    log: str  # of LOGS
    at_ms: int
    spoiled: bool = False  # of another certificate


# What the list of logs says of each; None: nothing.
LOGS = {"one": "usable", "two": "usable", "old": "retired", "bad": "rejected", "stranger": None}


@dataclass
class Certificate:
    entries: list[tuple] | None
    constraints: Constraints | None
    not_before: int
    not_after: int
    key: str = "p256"
    ca: bool | None = None  # None: no basicConstraints
    usage: int | None = 0x80  # first octet of keyUsage; None: no such extension
    further: list[tuple[str, bool, bytes]] = field(default_factory=list)
    tn_octets: bytes | None = None  # in the place of the encoded entries
    constraint_octets: bytes | None = None
    hosts: list[str] = field(default_factory=list)  # dNSName
    by_reference: bool = False  # a list at a URL, too
    parent: list[tuple] | None = None  # the issuer's TNAuthList
    issuer_validity: tuple[int, int] = (1577836800, 2208988800)
    both: bool = False  # the constraints in both extensions
    scts: tuple = ()  # Sct


def issuer_name(c: Certificate) -> str:
    """Of another name where it is another certificate: nobody then takes one for the other."""
    if c.key == "ca":
        what = (c.not_before, c.not_after, tuple(c.entries or ()))
    else:
        what = (*c.issuer_validity, tuple(c.parent or ()))
    return "Oracle CA " + hashlib.sha256(repr(what).encode()).hexdigest()[:12]


TNAUTHLIST, JWTCC, EJWTCC = (f"1.3.6.1.5.5.7.1.{n}" for n in (26, 27, 33))


SCTS = "1.3.6.1.4.1.11129.2.4.2"
ALGORITHM = tlv(0x30, oid("1.2.840.10045.4.3.2"))


def _time(when: int) -> bytes:
    moment = datetime.fromtimestamp(when, timezone.utc)
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _name(text: str) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3"), tlv(0x0C, text.encode()))))


def _extension(name: str, critical: bool, value: bytes) -> bytes:
    return tlv(0x30, oid(name), b"\x01\x01\xff" if critical else b"", tlv(4, value))


def _spki(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _json(value) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Maker:
    """Keys are made once: making a certificate costs one signature."""

    def __init__(self):
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        self.own = {name: ec.generate_private_key(ec.SECP256R1())
                    for name in ("p256", "another", "delegate")}
        self.log_keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in LOGS}
        self.keys = {**{name: _spki(key) for name, key in self.own.items()},
                     "p384": _spki(ec.generate_private_key(ec.SECP384R1())),
                     "k256": _spki(ec.generate_private_key(ec.SECP256K1())),
                     "rsa": _spki(rsa.generate_private_key(65537, 2048))}
        self.serial = 1 << 60
        self.keys["ca"] = _spki(self.ca_key)
        self.issuers: dict[tuple, str] = {}

    def _extensions(self, c: Certificate, more: tuple) -> bytes:
        out = [_extension("2.5.29.14", False, tlv(4, bytes(20))),
               _extension("2.5.29.35", False, tlv(0x30, tlv(0x80, bytes(20))))]
        if c.ca is not None:
            out.append(_extension("2.5.29.19", True,
                                  tlv(0x30, b"\x01\x01\xff" if c.ca else b"")))
        if c.usage is not None:
            unused = (c.usage & -c.usage).bit_length() - 1
            out.append(_extension("2.5.29.15", True, tlv(3, bytes([unused, c.usage]))))
        if c.tn_octets is not None or c.entries is not None:
            value = c.tn_octets if c.tn_octets is not None else tn_list(c.entries)
            out.append(_extension(TNAUTHLIST, False, value))
        if c.constraints or c.constraint_octets is not None:
            value = c.constraint_octets
            if value is None:
                value = c.constraints.encode()
            enhanced = c.constraints is not None and c.constraints.enhanced
            out.append(_extension(EJWTCC if enhanced else JWTCC, False, value))
            if c.both:
                out.append(_extension(JWTCC if enhanced else EJWTCC, False, value))
        if c.hosts:
            names = [tlv(0x82, host.encode()) for host in c.hosts]
            out.append(_extension("2.5.29.17", False, tlv(0x30, *names)))
        if c.by_reference:
            out.append(_extension("1.3.6.1.5.5.7.1.1", False, tlv(0x30, tlv(
                0x30, oid("1.3.6.1.5.5.7.48.14"), tlv(0x86, b"https://a.example/list")))))
        out += [_extension(*row) for row in c.further] + list(more)
        return tlv(0xA3, tlv(0x30, *out))

    def logs(self) -> str:
        """The list of logs, as a configuration has it."""
        rows = [{"key": base64.b64encode(_spki(self.log_keys[name])).decode(), "state": state}
                for name, state in LOGS.items() if state is not None]
        return json.dumps({"operators": [{"name": "all", "logs": rows}]})

    def _sct(self, sct: Sct, tbs: bytes) -> bytes:
        """RFC 6962 section 3.2, of a precertificate."""
        key, at = self.log_keys[sct.log], sct.at_ms.to_bytes(8, "big")
        signed = (b"\0\0" + at + b"\0\1" + hashlib.sha256(self.keys["ca"]).digest() +
                  len(tbs).to_bytes(3, "big") + tbs + b"\0\0")
        signature = key.sign(signed[:-1] + b"\1" if sct.spoiled else signed,
                             ec.ECDSA(hashes.SHA256()))
        out = (b"\0" + hashlib.sha256(_spki(key)).digest() + at + b"\0\0\4\3" +
               len(signature).to_bytes(2, "big") + signature)
        return len(out).to_bytes(2, "big") + out

    def _tbs(self, c: Certificate, subject: str, *more: bytes) -> bytes:
        return tlv(0x30, tlv(0xA0, integer(2)), integer(self.serial), ALGORITHM,
                   _name(issuer_name(c)), tlv(0x30, _time(c.not_before), _time(c.not_after)),
                   _name(subject), self.keys[c.key], self._extensions(c, more))

    def der(self, c: Certificate, subject: str = "SHAKEN 1234") -> bytes:
        self.serial += 1
        tbs = self._tbs(c, subject)
        if c.scts:
            rows = b"".join(self._sct(sct, tbs) for sct in c.scts)
            rows = len(rows).to_bytes(2, "big") + rows
            tbs = self._tbs(c, subject, _extension(SCTS, False, tlv(4, rows)))
        signature = self.ca_key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        return tlv(0x30, tbs, ALGORITHM, tlv(3, b"\0", signature))

    def chain(self, c: Certificate) -> str:
        """The leaf and its issuer, which many share."""
        return self.pem(c) + self.issuer(c)

    def issuer(self, c: Certificate) -> str:
        what = (*c.issuer_validity, tuple(c.parent or ()))
        if what not in self.issuers:
            ca = Certificate(c.parent, None, *c.issuer_validity, key="ca", ca=True, usage=0x06)
            self.issuers[what] = self.pem(ca, subject=issuer_name(ca))
        return self.issuers[what]

    def sign(self, header: dict, payload: dict, key: str) -> str:
        """A PASSporT in full form."""
        text = ".".join(_url(_json(part)) for part in (header, payload))
        r, s = decode_dss_signature(self.own[key].sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def pem(self, c: Certificate, subject: str = "SHAKEN 1234") -> str:
        text = base64.encodebytes(self.der(c, subject)).decode().replace("\n", "")
        lines = [text[i:i + 64] for i in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines,
                          "-----END CERTIFICATE-----", ""])
