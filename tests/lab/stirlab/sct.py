# Signed certificate timestamps: structures of RFC 6962 sections 3.1 to 3.3.
"""What a log signs, and how an SCT list is written into a certificate."""
from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from asn1crypto import x509 as asn1

from . import der

OID_LIST = "1.3.6.1.4.1.11129.2.4.2"
OID_POISON = "1.3.6.1.4.1.11129.2.4.3"


class SctError(ValueError):
    """An SCT list that cannot be decoded."""


@dataclass(frozen=True)
class Sct:
    """Version 1, ECDSA over SHA-256."""

    log_id: bytes
    timestamp: int
    signature: bytes
    extensions: bytes = b""

    def encode(self) -> bytes:
        return (b"\x00" + self.log_id + struct.pack(">Q", self.timestamp)
                + struct.pack(">H", len(self.extensions)) + self.extensions
                + b"\x04\x03" + struct.pack(">H", len(self.signature))
                + self.signature)

    @classmethod
    def decode(cls, data: bytes) -> "Sct":
        if len(data) < 43 or data[0] != 0:
            raise SctError("not a version 1 SCT")
        length = struct.unpack_from(">H", data, 41)[0]
        tail = 43 + length
        if len(data) < tail + 4:
            raise SctError("truncated SCT")
        if data[tail:tail + 2] != b"\x04\x03":
            raise SctError("SCT is not ECDSA with SHA-256")
        size = struct.unpack_from(">H", data, tail + 2)[0]
        if len(data) != tail + 4 + size:
            raise SctError("length of the SCT signature is wrong")
        return cls(data[1:33], struct.unpack_from(">Q", data, 33)[0],
                   data[tail + 4:], data[43:tail])


def encode_list(scts: list[Sct]) -> bytes:
    """Contents of extnValue: an OCTET STRING around the TLS list."""
    body = b"".join(struct.pack(">H", len(s)) + s
                    for s in (sct.encode() for sct in scts))
    return der.tlv(der.OCTET_STRING, struct.pack(">H", len(body)) + body)


def decode_list(value: bytes) -> list[Sct]:
    reader = der.Reader(value)
    try:
        body = reader.take(der.OCTET_STRING, "SCT list")
        reader.end("SCT list")
    except der.DerError as error:
        raise SctError(str(error)) from None
    if len(body) < 2 or struct.unpack_from(">H", body)[0] != len(body) - 2:
        raise SctError("length of the SCT list is wrong")
    found, position = [], 2
    while position < len(body):
        if position + 2 > len(body):
            raise SctError("truncated SCT list")
        size = struct.unpack_from(">H", body, position)[0]
        position += 2
        if size == 0 or position + size > len(body):
            raise SctError("truncated SCT list")
        found.append(Sct.decode(body[position:position + size]))
        position += size
    return found


def strip(tbs: asn1.TbsCertificate, oid: str) -> bytes:
    """TBSCertificate without one extension (RFC 6962 section 3.2)."""
    copy = tbs.copy()
    kept = [e for e in copy["extensions"] if e["extn_id"].dotted != oid]
    if len(kept) != len(copy["extensions"]) - 1:
        raise SctError(f"extension {oid} is not there exactly once")
    copy["extensions"] = asn1.Extensions(kept) if kept else None
    return copy.dump(force=True)


def precert_entry(issuer_spki: bytes, tbs: bytes) -> bytes:
    """PreCert: issuer key hash and TBSCertificate."""
    return (hashlib.sha256(issuer_spki).digest()
            + len(tbs).to_bytes(3, "big") + tbs)


def signed_data(timestamp: int, entry: bytes, extensions: bytes = b"") -> bytes:
    """The digitally-signed struct of an SCT for a precertificate."""
    return (b"\x00\x00" + struct.pack(">Q", timestamp) + b"\x00\x01" + entry
            + struct.pack(">H", len(extensions)) + extensions)


def merkle_leaf(timestamp: int, entry: bytes, extensions: bytes = b"") -> bytes:
    """MerkleTreeLeaf with a TimestampedEntry of type precert_entry."""
    return (b"\x00\x00" + struct.pack(">Q", timestamp) + b"\x00\x01" + entry
            + struct.pack(">H", len(extensions)) + extensions)


def tree_head(timestamp: int, size: int, root: bytes) -> bytes:
    """What a log signs for its signed tree head (section 3.5)."""
    return b"\x00\x01" + struct.pack(">QQ", timestamp, size) + root
