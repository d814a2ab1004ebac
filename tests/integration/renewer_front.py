"""A front with software keys, for the renewer's own test against the lab.

It answers the operations of docs/ARCHITECTURE.md "The renewer's channel",
keeps what was installed, and can be told to refuse.  It judges nothing but
what the test looks at: the real checks are the front's own tests.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from stirlab import der, jose  # noqa: E402
from stirlab.client import make_csr  # noqa: E402

CHANNEL_MAX = 131072
CONTROL = struct.Struct("=11I64s")  # agent/role.h
CONTROL_HOOK, CONTROL_HOOK_END = 10, 11


def epoch(moment) -> int:
    return int((moment - type(moment)(1970, 1, 1)).total_seconds())


class Refusal(Exception):
    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Credential:
    """What the configuration asks for, and what is in force."""

    def __init__(self, tenant: str, name: str, tnauthlist: bytes, authority: str,
                 constraints: bytes | None = None, claim_agent: str | None = None, ca: str = "lab",
                 domain: str | None = None):
        self.tenant, self.name, self.ca, self.domain = tenant, name, ca, domain
        self.tnauthlist, self.constraints = tnauthlist, constraints
        self.authority, self.claim_agent = authority, claim_agent
        self.key = None
        self.pending: tuple | None = None  # what the request is for
        self.csr = b""
        self.ordered: tuple | None = None
        self.chains: list[x509.Certificate] = []  # leaves that were installed
        self.pem = ""  # the last chain
        self.ari = False  # its front knows RFC 9773
        self.dates: tuple[int, int] | None = None  # that its order asks for
        self.replaced: list[str | None] = []  # what each order named
        self.installed_at: int | None = None
        self.schedule: dict = {}

    @staticmethod
    def ari_id(leaf: x509.Certificate) -> str:
        """RFC 9773 section 4.1."""
        aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        octets = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
        return f"{jose.encode(aki.key_identifier)}.{jose.encode(octets)}"

    @property
    def leaf(self) -> x509.Certificate | None:
        return self.chains[-1] if self.chains else None

    def row(self) -> dict:
        leaf = self.leaf
        return {
            "tenant": self.tenant, "name": self.name, "ca": self.ca, "authority": self.authority,
            "claim_agent": self.claim_agent, "tnauthlist": jose.encode(self.tnauthlist),
            "constraints": self.constraints and jose.encode(self.constraints),
            "constraints_form": "jwt" if self.constraints else None, "domain": self.domain,
            "active": leaf and {
                "serial": f"{leaf.serial_number:x}", "not_before": epoch(leaf.not_valid_before),
                "not_after": epoch(leaf.not_valid_after), "ari_id": self.ari and self.ari_id(leaf),
                "as_configured": True},
            "installed_at": self.installed_at}


class Front:
    """The channel's other end, and the renewer as a child."""

    terms = True  # are agreed to

    def __init__(self, program: Path, config: Path, log: Path, user: str | None = None):
        self.program, self.config, self.log = program, config, log
        self.user = ["--user", user] if user else []
        self.account_key = ec.generate_private_key(ec.SECP256R1())
        self.credentials: dict[tuple[str, str], Credential] = {}
        self.refuse: dict[str, list[Refusal]] = {}  # op -> answers to give first
        self.asked: list[str] = []
        self.hook = lambda kind, name, text: 1  # runs an operator's command: its exit status
        self.process: subprocess.Popen | None = None
        self.thread: threading.Thread | None = None

    def add(self, credential: Credential) -> Credential:
        self.credentials[credential.tenant, credential.name] = credential
        return credential

    # ---- the renewer -------------------------------------------------------

    def start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 40) for s in (theirs, their_control)]
        command = ('peer=$1 control=$2 log=$3; shift 3; exec "$0" "$@" 3<&"$peer" 4<&"$control" '
                   '2>>"$log"')
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", command, str(self.program), *(str(fd) for fd in high),
             str(self.log), "--config", self.config.name, "--run-id", "00", *self.user],
            pass_fds=high, cwd=self.config.parent, stdin=subprocess.DEVNULL)
        for each in (theirs, their_control):
            each.close()
        for fd in high:
            os.close(fd)
        self.peer, self.control = ours, control
        self.thread = threading.Thread(target=self.serve, args=(ours,), daemon=True)
        self.thread.start()
        self.supervisor = threading.Thread(target=self.supervise, args=(control,), daemon=True)
        self.supervisor.start()

    def stop(self, how: int | None = None) -> int:
        """End it by a signal, or as the supervisor does: by closing its pairs."""
        if how is not None:
            self.process.send_signal(how)
        else:
            self.control.shutdown(socket.SHUT_RDWR)
        code = self.process.wait(timeout=90)
        self.thread.join(10)
        self.supervisor.join(10)
        self.peer.close()
        self.control.close()
        return code

    def end(self) -> None:
        """After a case that failed: nothing of it goes on."""
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGKILL)

    def event(self, **members) -> None:
        self.peer.send(json.dumps(members).encode())

    # ---- the supervisor's part ---------------------------------------------

    def supervise(self, control: socket.socket) -> None:
        """Operators' commands: what one reads and how it ends."""
        while True:
            try:
                text, fds, _, _ = socket.recv_fds(control, CONTROL.size, 1)
            except OSError:
                return
            if not text:
                return
            kind, *rest, name = CONTROL.unpack(text)
            if kind != CONTROL_HOOK:
                continue
            hook, serial = rest[7], rest[8]
            with socket.socket(fileno=fds[0]) as ends:
                task = b"".join(iter(lambda: ends.recv(65536), b""))
                status = self.hook(hook, name.rstrip(b"\0").decode(), task)
            answer = [CONTROL_HOOK_END, *[0] * 8, serial, status, b""]
            try:
                control.send(CONTROL.pack(*answer))
            except OSError:
                return

    # ---- the channel -------------------------------------------------------

    def serve(self, peer: socket.socket) -> None:
        while True:
            try:
                text = peer.recv(CHANNEL_MAX)
            except OSError:
                return
            if not text:
                return
            message = json.loads(text)
            answer = self.answer(message)
            try:
                peer.send(json.dumps({"id": message["id"], **answer}).encode())
            except OSError:
                return

    def answer(self, message: dict) -> dict:
        op = message["op"]
        self.asked.append(op)
        try:
            if self.refuse.get(op):
                raise self.refuse[op].pop(0)
            return {"ok": True, **getattr(self, "op_" + op.replace("-", "_"))(message)}
        except Refusal as refusal:
            return {"ok": False, "reason": refusal.reason, "detail": refusal.detail}

    def one(self, message: dict) -> Credential:
        return self.credentials[message["tenant"], message["name"]]

    def jws(self, message: dict, payload: object, **header) -> dict:
        body = b"" if payload is None else json.dumps(payload).encode()
        head = {"alg": "ES256", "nonce": message["nonce"], "url": message["url"], **header}
        return {"jws": jose.flattened(head, body, self.account_key)}

    def op_plan(self, message: dict) -> dict:
        after = tuple((message.get("after") or "/").split("/"))
        rows = [c.row() for key, c in sorted(self.credentials.items()) if key > after]
        return {"credentials": rows[:2], "more": len(rows) > 2}  # short pages: all are walked

    def op_lists(self, _: dict) -> dict:
        return {"lists": []}  # no certificate here has its TNAuthList elsewhere

    def op_documents(self, _: dict) -> dict:
        return {"documents": []}  # no certificate here names a revocation list

    def op_rtu(self, _: dict) -> dict:
        return {}  # the right to use the numbers is the real front's to judge

    def op_account_word(self, _: dict) -> dict:
        return {}

    def op_errands(self, _: dict) -> dict:
        return {"errands": []}  # no operator asks for anything

    def op_account(self, _: dict) -> dict:
        import hashlib
        return {"jwk": jose.public_jwk(self.account_key),
                "jwk_fingerprint": jose.fingerprint_text(
                    jose.thumbprint(jose.public_jwk(self.account_key))),
                "spki_fingerprint": jose.fingerprint_text(
                    hashlib.sha256(jose.spki(self.account_key)).digest())}

    def op_new_account(self, message: dict) -> dict:
        payload = {"termsOfServiceAgreed": True} if self.terms else {}
        if message["eab"] is not None:
            payload["externalAccountBinding"] = message["eab"]
        return self.jws(message, payload, jwk=jose.public_jwk(self.account_key))

    def identifiers(self, credential: Credential, message: dict) -> list[dict]:
        ids = [{"type": "TNAuthList", "value": message["tnauthlist"]}]
        if credential.domain:
            ids.append({"type": "dns", "value": credential.domain})
        if message["constraints"] is not None:
            ids.append({"type": "JWTClaimConstraints", "value": message["constraints"]})
        return ids

    def op_new_order(self, message: dict) -> dict:
        credential = self.one(message)
        if jose.decode(message["tnauthlist"]) != credential.tnauthlist:
            raise Refusal("tnauthlist_differs")
        ids = self.identifiers(credential, message)
        credential.ordered = (message["tnauthlist"], message["constraints"])
        payload = {"identifiers": ids}
        credential.replaced.append(message.get("replaces"))
        if message.get("replaces"):
            payload["replaces"] = message["replaces"]
        for member, moment in zip(("notBefore", "notAfter"), credential.dates or ()):
            payload[member] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        return self.jws(message, payload, kid=message["kid"])

    def op_challenge(self, message: dict) -> dict:
        token = message["token"]
        return self.jws(message, {"tkauth": token} if token else {}, kid=message["kid"])

    def op_post_as_get(self, message: dict) -> dict:
        return self.jws(message, None, kid=message["kid"])

    def request(self, credential: Credential, ids: dict[str, bytes]) -> bytes:
        names = [("2.5.29.17", False, der.tlv(der.SEQUENCE, der.tlv(0x82, name.encode())))
                 for name in [credential.domain] if name]
        return make_csr(credential.key, ids, names)

    def op_csr(self, message: dict) -> dict:
        credential = self.one(message)
        wanted = (message["tnauthlist"], message["constraints"])
        if credential.pending != wanted:
            credential.key = ec.generate_private_key(ec.SECP256R1())
            ids = {"TNAuthList": jose.decode(wanted[0])}
            if wanted[1] is not None:
                ids["JWTClaimConstraints"] = jose.decode(wanted[1])
            credential.csr = self.request(credential, ids)
            credential.pending = wanted
        return {"csr": jose.encode(credential.csr)}

    def op_finalize(self, message: dict) -> dict:
        credential = self.one(message)
        if credential.pending is None:
            raise Refusal("no_pending_csr")
        return self.jws(message, {"csr": jose.encode(credential.csr)}, kid=message["kid"])

    def op_install(self, message: dict) -> dict:
        credential = self.one(message)
        leaf = x509.load_pem_x509_certificate(message["chain"].encode())
        if credential.pending is None:
            raise Refusal("no_pending_csr")
        if jose.spki(leaf.public_key()) != jose.spki(credential.key.public_key()):
            raise Refusal("key_differs", "the certificate is for another key")
        credential.pending = None
        credential.chains.append(leaf)
        credential.pem = message["chain"]
        credential.installed_at = int(time.time())
        row = credential.row()["active"]
        return {name: row[name] for name in ("serial", "not_before", "not_after", "ari_id")}

    def op_schedule(self, message: dict) -> dict:
        self.one(message).schedule = {"renew_at": message["renew_at"],
                                      "problem": message["problem"]}
        return {}
