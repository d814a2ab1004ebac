# Transparency logs (RFC 6962; path and names as in the STI-CT draft too).
"""Logs with a real Merkle tree; entries survive a restart.

The logs accept precertificates only, from any issuer whose chain ends at the
STI root, as the STI-CT draft has it (V-17, V-72).
"""
from __future__ import annotations

import base64
import hashlib
import struct
import threading
import time
from typing import Any, Callable

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from . import jose, merkle, sct, web
from .faults import FaultPlan
from .store import Store

API = ("/ct/v1/", "/stict/v1/")
MAX_ENTRIES = 256

WRONG_SCTS = frozenset({"unknown-log", "future-timestamp", "bad-signature"})

WRONG_HEADS = frozenset({"other-key", "other-root", "shrunk", "stale", "future"})
WRONG_PROOFS = frozenset({"other-path", "too-long"})
WRONG_ENTRIES = frozenset({"other-leaf", "cut-leaf", "too-many"})

WRONGS = {"add-pre-chain": WRONG_SCTS, "get-sth": WRONG_HEADS,
          "get-sth-consistency": WRONG_PROOFS, "get-proof-by-hash": WRONG_PROOFS,
          "get-entries": WRONG_ENTRIES}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Log:
    """One log: key, entries, tree."""

    def __init__(self, name: str, operator: str, key: ec.EllipticCurvePrivateKey,
                 roots: list[bytes], store: Store, faults: FaultPlan,
                 foreign_key: ec.EllipticCurvePrivateKey) -> None:
        self.name, self.operator = name, operator
        self.key, self._foreign = key, foreign_key
        self.spki = jose.spki(key)
        self.log_id = hashlib.sha256(self.spki).digest()
        self._roots, self._store, self._faults = roots, store, faults
        self._kind = f"log-{name}"
        self._lock = threading.Lock()
        self._tree = merkle.Tree()
        self._leaves: list[bytes] = []
        self._extra: list[bytes] = []
        self._index: dict[bytes, int] = {}
        self._known: dict[bytes, sct.Sct] = {}
        for _, row in store.all(self._kind):
            self._append(base64.b64decode(row["leaf"]),
                         base64.b64decode(row["extra"]))
            self._known[base64.b64decode(row["entry"])] = sct.Sct.decode(
                base64.b64decode(row["sct"]))

    def _append(self, leaf: bytes, extra: bytes) -> None:
        digest = merkle.leaf_hash(leaf)
        self._index[digest] = self._tree.append(digest)
        self._leaves.append(leaf)
        self._extra.append(extra)

    def submit(self, chain: list[bytes]) -> sct.Sct:
        """add-pre-chain: checks the chain, signs, merges at once."""
        if not chain:
            raise web.Problem(400, "malformed", "chain is empty")
        wrongs = self._faults.wrongs("add-pre-chain", f"/{self.name}/", WRONG_SCTS)
        tbs, issuer = self._accept(chain)
        entry = sct.precert_entry(issuer, tbs)
        digest = hashlib.sha256(entry).digest()
        with self._lock:
            if digest in self._known and not wrongs:
                return self._known[digest]
            now = int(time.time() * 1000)
            if "future-timestamp" in wrongs:
                now += 86400_000
            key = self._foreign if "unknown-log" in wrongs else self.key
            signature = key.sign(sct.signed_data(now, entry),
                                 ec.ECDSA(hashes.SHA256()))
            if "bad-signature" in wrongs:
                signature = key.sign(b"something else",
                                     ec.ECDSA(hashes.SHA256()))
            found = sct.Sct(hashlib.sha256(jose.spki(key)).digest(), now,
                            signature)
            leaf = sct.merkle_leaf(now, entry)
            rest = b"".join(len(c).to_bytes(3, "big") + c for c in chain[1:])
            extra = (len(chain[0]).to_bytes(3, "big") + chain[0]
                     + len(rest).to_bytes(3, "big") + rest)
            self._store.put(self._kind, str(len(self._leaves)), {
                "leaf": _b64(leaf), "extra": _b64(extra),
                "entry": _b64(digest), "sct": _b64(found.encode())})
            self._append(leaf, extra)
            self._known[digest] = found
        return found

    def _accept(self, chain: list[bytes]) -> tuple[bytes, bytes]:
        """TBSCertificate without poison, and the SPKI of the issuer."""
        try:
            parsed = [x509.load_der_x509_certificate(c) for c in chain]
            precert = asn1.Certificate.load(chain[0], strict=True)
            poison = [e for e in precert["tbs_certificate"]["extensions"]
                      if e["extn_id"].dotted == sct.OID_POISON]
            if len(poison) != 1 or not poison[0]["critical"].native \
                    or poison[0]["extn_value"].contents != b"\x05\x00":
                raise ValueError("no critical poison extension")
            roots = [x509.load_der_x509_certificate(r) for r in self._roots]
            if chain[-1] not in self._roots:
                parsed += [r for r in roots if r.subject == parsed[-1].issuer][:1]
            if parsed[-1] not in roots or len(parsed) < 2:
                raise ValueError("chain does not end at an accepted root")
            for child, parent in zip(parsed, parsed[1:]):
                if child.issuer != parent.subject:
                    raise ValueError("issuer and subject differ")
                parent.public_key().verify(
                    child.signature, child.tbs_certificate_bytes,
                    ec.ECDSA(child.signature_hash_algorithm))
            return (sct.strip(precert["tbs_certificate"], sct.OID_POISON),
                    jose.spki(parsed[1].public_key()))
        except InvalidSignature:
            raise web.Problem(400, "malformed", "a signature of the chain is"
                                                " wrong") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise web.Problem(400, "malformed", str(error)) from None

    # -- the read side ---------------------------------------------------

    def _wrongs(self, endpoint: str) -> frozenset[str]:
        return self._faults.wrongs(endpoint, f"/{self.name}/", WRONGS[endpoint])

    def sth(self, _: dict[str, Any]) -> dict:
        wrongs = self._wrongs("get-sth")
        with self._lock:
            size = len(self._tree) - ("shrunk" in wrongs)
            root = self._tree.root(size)
        if "other-root" in wrongs:
            root = hashlib.sha256(root).digest()
        now = int(time.time() * 1000)
        now += {"stale": -86400_000, "future": 86400_000}.get(
            next(iter(wrongs & {"stale", "future"}), ""), 0)
        key = self._foreign if "other-key" in wrongs else self.key
        signature = key.sign(sct.tree_head(now, size, root), ec.ECDSA(hashes.SHA256()))
        return {"tree_size": size, "timestamp": now,
                "sha256_root_hash": _b64(root),
                "tree_head_signature": _b64(
                    b"\x04\x03" + struct.pack(">H", len(signature)) + signature)}

    def consistency(self, query: dict[str, list[str]]) -> dict:
        first, second = _number(query, "first"), _number(query, "second")
        with self._lock:
            if not first <= second <= len(self._tree):
                raise web.Problem(400, "malformed", "no such tree sizes")
            path = self._tree.consistency(first, second)
        return {"consistency": self._path("get-sth-consistency", path)}

    def _path(self, endpoint: str, path: list[bytes]) -> list[str]:
        wrongs = self._wrongs(endpoint)
        if "other-path" in wrongs:
            path = [hashlib.sha256(n).digest() for n in path]
        if "too-long" in wrongs:
            path = [*path, hashlib.sha256(b"one more").digest()]
        return [_b64(n) for n in path]

    def proof(self, query: dict[str, list[str]]) -> dict:
        size = _number(query, "tree_size")
        try:
            digest = base64.b64decode(query.get("hash", [""])[0].replace(
                " ", "+"), validate=True)
        except ValueError:
            raise web.Problem(400, "malformed", "hash is not base64") from None
        with self._lock:
            index = self._index.get(digest)
            if index is None or index >= size:
                raise web.Problem(404, "malformed", "no such entry")
            if size > len(self._tree):
                raise web.Problem(400, "malformed", "no such tree size")
            path = self._tree.inclusion(index, size)
        return {"leaf_index": index, "audit_path": self._path("get-proof-by-hash", path)}

    def entries(self, query: dict[str, list[str]]) -> dict:
        start, end = _number(query, "start"), _number(query, "end")
        with self._lock:
            if start > end or start >= len(self._leaves):
                raise web.Problem(400, "malformed", "no such entries")
            end = min(end, len(self._leaves) - 1, start + MAX_ENTRIES - 1)
            rows = [(self._leaves[i], self._extra[i]) for i in range(start, end + 1)]
        wrongs = self._wrongs("get-entries")
        if "other-leaf" in wrongs:  # dated otherwise
            rows = [(leaf[:9] + bytes([leaf[9] ^ 1]) + leaf[10:], more) for leaf, more in rows]
        if "cut-leaf" in wrongs:
            rows = [(leaf[:-1], more) for leaf, more in rows]
        if "too-many" in wrongs:
            rows = [*rows, *rows, *rows]
        return {"entries": [{"leaf_input": _b64(leaf), "extra_data": _b64(more)}
                            for leaf, more in rows]}

    def entry_and_proof(self, query: dict[str, list[str]]) -> dict:
        index, size = _number(query, "leaf_index"), _number(query, "tree_size")
        with self._lock:
            if not index < size <= len(self._tree):
                raise web.Problem(400, "malformed", "no such entry")
            return {"leaf_input": _b64(self._leaves[index]),
                    "extra_data": _b64(self._extra[index]),
                    "audit_path": [_b64(n) for n in
                                   self._tree.inclusion(index, size)]}

    def roots(self, _: dict[str, Any]) -> dict:
        return {"certificates": [_b64(root) for root in self._roots]}


def _number(query: dict[str, list[str]], name: str) -> int:
    text = query.get(name, [""])[0]
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise web.Problem(400, "malformed", f"{name} is not a number")
    return int(text)


class LogService:
    """All logs on one port, each under its name."""

    name = "logs"

    def __init__(self, logs: list[Log]) -> None:
        self.logs = {log.name: log for log in logs}

    def decorate(self, request: web.Request, response: web.Response) -> None:
        """Logs add no headers."""

    def route(self, request: web.Request) -> web.Endpoint:
        parts = request.path.split("/", 2)
        log = self.logs.get(parts[1]) if len(parts) == 3 else None
        rest = "/" + parts[2] if len(parts) == 3 else ""
        for prefix in API:
            if log and rest.startswith(prefix):
                return self._endpoint(log, rest[len(prefix):], request)
        return "unknown", web.not_found

    def _endpoint(self, log: Log, name: str, request: web.Request) -> web.Endpoint:
        if name == "add-pre-chain":
            if request.method != "POST":
                return name, web.method_not_allowed
            return name, lambda r: _add(log, r)
        reads: dict[str, Callable[[dict], dict]] = {
            "get-sth": log.sth, "get-sth-consistency": log.consistency,
            "get-proof-by-hash": log.proof, "get-entries": log.entries,
            "get-entry-and-proof": log.entry_and_proof, "get-roots": log.roots}
        if name not in reads:
            return "unknown", web.not_found
        if request.method not in ("GET", "HEAD"):
            return name, web.method_not_allowed
        return name, lambda r: web.json_response(reads[name](r.query))


def _add(log: Log, request: web.Request) -> web.Response:
    try:
        found = jose.parse_object(request.body, "body")
        chain = [base64.b64decode(c, validate=True) for c in found["chain"]]
    except (ValueError, KeyError, TypeError):
        raise web.Problem(400, "malformed", "body is not {\"chain\": [base64]}"
                          ) from None
    answer = log.submit(chain)
    signature = (b"\x04\x03" + struct.pack(">H", len(answer.signature))
                 + answer.signature)
    return web.json_response({
        "sct_version": 0, "id": _b64(answer.log_id),
        "timestamp": answer.timestamp, "extensions": "",
        "signature": _b64(signature)})


def log_list(logs: list[Log], url_of: Callable[[str], str]) -> dict:
    """Browser list v3: operators, logs, keys, states."""
    operators: dict[str, list[dict]] = {}
    for log in logs:
        operators.setdefault(log.operator, []).append({
            "description": f"{log.operator} '{log.name}'",
            "log_id": _b64(log.log_id), "key": _b64(log.spki),
            "url": url_of(log.name), "mmd": 60,
            "state": {"usable": {"timestamp": "2026-01-01T00:00:00Z"}}})
    return {"version": "1.0", "log_list_timestamp": "2026-01-01T00:00:00Z",
            "operators": [{"name": name, "email": [], "logs": found}
                          for name, found in operators.items()]}
