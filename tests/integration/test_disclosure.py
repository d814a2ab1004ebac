"""Commitments from end to end by the command line, and foreign code as the
relying party: jwcrypto opens what "vesper disclose" sealed, and hashlib checks
it against the certificate.  No agent and no token take part.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cases import Cases, equal, true
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwcrypto import jwe, jwk
from world.machine import BUILD

VPER = {"id": "entity-1", "glue": ["urn:glue:lei:INR2EJN1ERAN0W5ZP974"],
        "name": "Ünïcode \"& Sons\"", "domain": "acme.example"}
CLAIMS = {"vper": VPER, "pid": {"b": [2], "a": 1}}
TNAUTH = bytes.fromhex("300fa20d160b3132303235353530313030")  # 12025550100
BASE = {"orig": {"tn": "12025550100"}, "dest": {"tn": ["12125550111"]}}


def vesper(*args: str, stdin: str | None = None, want: int = 0) -> str:
    done = subprocess.run([str(BUILD / "vesper"), *args], input=stdin, text=True,
                          capture_output=True, timeout=30, check=False)
    if done.returncode != want:
        raise AssertionError(f"vesper {args[0]}: {done.returncode}, {done.stdout}{done.stderr}")
    return done.stdout if want in (0, 4) and done.stdout else done.stderr


def octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def serialised(value) -> bytes:
    """RFC 8225 section 9, for values without control characters."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"),
                      ensure_ascii=False).encode()


def part(path: str):
    claim, _, pointer = path.partition("/")
    value = CLAIMS[claim]
    for token in pointer.split("/") if pointer else []:
        value = value[token]
    return value


class Entity:
    """Who commits: a folder with claims, salts and a certificate."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        (folder / "claims.json").write_text(json.dumps(CLAIMS))
        self.made = json.loads(self.commit("salts", "--json", "--value", "vper/domain",
                                           "--hash", "vper/glue", "--commit", "vper/name",
                                           "--commit", "pid", "--salt-hash"))
        self.permitted = {one["claim"]: one["values"] for one in self.made["permitted_values"]}
        self.write_certificate("leaf.pem", bytes.fromhex(self.made["der"]))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def commit(self, salts: str, *args: str, want: int = 0) -> str:
        return vesper("commit", "--claims", self.path("claims.json"),
                      "--salts", self.path(salts), *args, want=want)

    def write_certificate(self, name: str, constraints: bytes | None) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "entity")])
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
                   .public_key(self.key.public_key()).serial_number(0x1234)
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(hours=1))
                   .add_extension(x509.UnrecognizedExtension(
                       x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26"), TNAUTH), False))
        if constraints is not None:
            builder = builder.add_extension(x509.UnrecognizedExtension(
                x509.ObjectIdentifier("1.3.6.1.5.5.7.1.27"), constraints), False)
        made = builder.sign(self.key, hashes.SHA256())
        (self.folder / name).write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.leaf = made.public_bytes(serialization.Encoding.DER)

    def disclose(self, key: jwk.JWK, *claims: str, want: int = 0, **other: str) -> str:
        files = {"cert": "leaf.pem", "claims": "claims.json", "salts": "salts", **other}
        (self.folder / "to.jwk").write_text(key.export_public())
        args = [f"--{name}={self.path(value)}" for name, value in files.items()]
        return vesper("disclose", *args, "--to", self.path("to.jwk"), "--audience", "rp.example",
                      *(f"--claim={claim}" for claim in claims), want=want).strip()

    def passport(self, **claims) -> str:
        def b64(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).decode().rstrip("=")
        header = {"alg": "ES256", "typ": "passport",
                  "x5c": [base64.b64encode(self.leaf).decode()],
                  "x5u": "https://cert.example/a.pem"}
        text = b64(serialised(header)) + "." + b64(serialised(
            {**BASE, "iat": int(time.time()), **claims}))
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def opened(sealed: str, key: jwk.JWK) -> dict:
    token = jwe.JWE()
    token.deserialize(sealed, key)
    header = json.loads(base64.urlsafe_b64decode(sealed.split(".")[0] + "=="))
    equal(header["typ"], "vesper-disclosure+jwe")
    equal(header["enc"], "A256GCM")
    return json.loads(token.payload)


# V-52, V-55
def commitments(entity: Entity) -> None:
    """Each entry is what hashlib makes of the salts and the claims."""
    salts = dict(reversed(line.split(" ", 1)) for line in
                 (entity.folder / "salts").read_text().splitlines())
    equal(set(salts), {"vper/name", "pid"})
    for path, salt in salts.items():
        equal(len(octets(salt)), 32)
        equal(entity.permitted[f"{path}#commit-sha-256"],
              [digest(octets(salt) + serialised(part(path)))])
        equal(entity.permitted[f"{path}#salt-sha-256"], [digest(octets(salt))])
    equal(entity.permitted["vper/glue#sha-256"], [digest(serialised(VPER["glue"]))])
    equal(entity.permitted["vper/domain"], [VPER["domain"]])
    true(len(set(salts.values())) == 2, "two paths have one salt")


# V-51
def nothing_is_shown(entity: Entity) -> None:
    """V-56, V-60: neither salt nor value in what is printed, and a file of one's own."""
    equal(stat.S_IMODE(os.stat(entity.path("salts")).st_mode), 0o600)
    shown = json.dumps(entity.made, ensure_ascii=False)
    for line in (entity.folder / "salts").read_text().splitlines():
        true(line.split(" ")[0] not in shown, "a salt is printed")
        true(octets(line.split(" ")[0]).hex() not in shown, "a salt is in the DER")
    true("Sons" not in shown, "a committed value is printed")


# V-56
def salts_are_kept(entity: Entity) -> None:
    """A file of salts is never written over."""
    before = (entity.folder / "salts").read_bytes()
    entity.commit("salts", "--commit", "vper/id", want=1)
    equal((entity.folder / "salts").read_bytes(), before)
    os.symlink("elsewhere", entity.path("link"))
    entity.commit("link", "--commit", "vper/id", want=1)
    true(not (entity.folder / "elsewhere").exists(), "a link was followed")


def to_a_key(entity: Entity, **kind) -> None:
    """The relying party opens it and checks the commitment (V-57, V-58)."""
    key = jwk.JWK.generate(**kind, kid="rp-1")
    got = opened(entity.disclose(key, "vper/name", "pid"), key)
    equal(got["aud"], "rp.example")
    equal(got["certificate"]["sha256"], hashlib.sha256(entity.leaf).hexdigest())
    equal([one["claim"] for one in got["claims"]], ["vper/name", "pid"])
    for one in got["claims"]:
        equal(one["alg"], "sha-256")
        equal(entity.permitted[f"{one['claim']}#commit-sha-256"],
              [digest(octets(one["salt"]) + serialised(one["value"]))])


def only_what_is_named(entity: Entity) -> None:
    key = jwk.JWK.generate(kty="EC", crv="P-256")
    sealed = entity.disclose(key, "pid")
    equal([one["claim"] for one in opened(sealed, key)["claims"]], ["pid"])
    try:
        opened(sealed, jwk.JWK.generate(kty="EC", crv="P-256"))
    except jwe.InvalidJWEData:
        return
    raise AssertionError("another key opens it")


# V-57
def refused(entity: Entity) -> None:
    """What would prove nothing, or is sealed to no public key, is not disclosed."""
    key = jwk.JWK.generate(kty="EC", crv="P-256")
    entity.disclose(key, "vper/id", want=6)  # never committed to
    entity.write_certificate("other.pem", None)
    entity.disclose(key, "pid", cert="other.pem", want=4)
    (entity.folder / "changed.json").write_text(json.dumps({**CLAIMS, "pid": 1}))
    entity.disclose(key, "pid", claims="changed.json", want=4)
    (entity.folder / "open").write_bytes((entity.folder / "salts").read_bytes())
    os.chmod(entity.path("open"), 0o644)
    entity.disclose(key, "pid", salts="open", want=1)
    for bad in ({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA"},
                {**json.loads(key.export_public()), "use": "sig"},
                json.loads(jwk.JWK.generate(kty="RSA", size=2048).export_public()),
                {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}):
        (entity.folder / "bad.jwk").write_text(json.dumps(bad))
        told = vesper("disclose", f"--cert={entity.path('leaf.pem')}",
                      f"--claims={entity.path('claims.json')}",
                      f"--salts={entity.path('salts')}", f"--to={entity.path('bad.jwk')}",
                      "--claim=pid", want=1)
        true("jwk" in told, told)


# V-58
def verified(entity: Entity) -> None:
    """verify: announced, not presently verifiable, proven (V-50, V-68)."""
    key = jwk.JWK.generate(kty="EC", crv="P-256")
    (entity.folder / "rp.jwk").write_text(key.export_private())
    (entity.folder / "sealed").write_text(entity.disclose(key, "vper/name"))

    def verify(token: str, *args: str) -> dict:
        return json.loads(vesper("verify", "--json", *args, "-", stdin=token, want=4))

    bare = verify(entity.passport())
    step = {one["step"]: one for one in bare["steps"]}
    equal(step["constraints"]["verdict"], "pass")
    told = {one["claim"]: one for one in bare["announced"]}
    equal(set(told), {"vper/domain", "vper/glue", "vper/name", "pid"})
    equal(told["vper/domain"]["values"], ["acme.example"])
    equal(told["vper/name"]["verdict"], "authorized but not presently verifiable")
    true("value" not in told["vper/name"], "a value from nowhere")

    args = ("--disclosure", entity.path("sealed"), "--disclosure-key", entity.path("rp.jwk"))
    shown = verify(entity.passport(), *args)
    told = {one["claim"]: one for one in shown["announced"]}
    equal(shown["disclosure"], "holds")
    equal((told["vper/name"]["verdict"], told["vper/name"]["value"]), ("proven", VPER["name"]))
    equal(told["pid"]["verdict"], "authorized but not presently verifiable")

    carried = verify(entity.passport(vper=VPER))
    step = {one["step"]: one for one in carried["steps"]}
    equal(step["constraints"]["verdict"], "warn")
    step = {one["step"]: one for one in verify(entity.passport(vper=VPER), *args)["steps"]}
    equal(step["constraints"]["verdict"], "pass")
    wrong = verify(entity.passport(vper={**VPER, "name": "Other"}), *args)
    step = {one["step"]: one for one in wrong["steps"]}
    equal(step["constraints"]["verdict"], "fail")
    equal(wrong["disclosure"], "something else than the certificate commits to")
    wrong = verify(entity.passport(vper={**VPER, "domain": "other.example"}))
    step = {one["step"]: one for one in wrong["steps"]}
    equal(step["constraints"]["verdict"], "fail", "what fails hides behind what is not provable")


def of_another_certificate(entity: Entity) -> None:
    key = jwk.JWK.generate(kty="EC", crv="P-256")
    plain = opened(entity.disclose(key, "pid"), key)
    plain["certificate"]["sha256"] = "00" * 32
    (entity.folder / "plain.json").write_text(json.dumps(plain))
    told = json.loads(vesper("verify", "--json", "--disclosure", entity.path("plain.json"), "-",
                             stdin=entity.passport(), want=4))
    equal(told["disclosure"], "about another certificate")


def inspected(entity: Entity) -> None:
    """inspect lists what the certificate announces and the PASSporT does not carry."""
    told = json.loads(vesper("inspect", "--json", "-", stdin=entity.passport(vper=VPER), want=0))
    equal([(one["claim"], one["mode"], one["carried"]) for one in told["announced"]],
          [("vper/name", "commit", True), ("pid", "commit", False)])
    der = json.loads(vesper("inspect", "--json", "--type", "jwtcc", "--hex", "-",
                            stdin=entity.made["der"]))
    modes = [one.get("mode", "value") for one in der["permitted_values"]]
    equal(modes, ["value", "hash", "commit", "salt", "commit", "salt"])


def checked(entity: Entity) -> None:
    """check: the gate's word on the same certificate, without a value in it."""
    (entity.folder / "call.json").write_text(json.dumps({**BASE, "pid": CLAIMS["pid"]}))
    told = json.loads(vesper("check", "--cert", entity.path("leaf.pem"),
                             "--claims", entity.path("call.json"), want=4))
    equal((told["reason"], told["claim"]), ("private_claim_in_clear", "pid"))
    true(entity.permitted["pid#commit-sha-256"][0] not in told["detail"], "a digest is told")
    salted = ("check", "--cert", entity.path("leaf.pem"), "--salts", entity.path("salts"),
              "--claims", entity.path("call.json"))
    equal(json.loads(vesper(*salted, want=4))["reason"], "private_claim_in_clear")
    asserted = ("check", "--cert", entity.path("leaf.pem"), "--salts", entity.path("salts"),
                "--assert-committed", "--claims")
    equal(json.loads(vesper(*asserted, entity.path("call.json")))["allow"], True)
    (entity.folder / "call.json").write_text(json.dumps({**BASE, "pid": 1}))
    equal(json.loads(vesper(*asserted, entity.path("call.json"), want=4))["reason"],
          "value_not_permitted")


def main() -> int:
    cases = Cases("disclosure")
    with tempfile.TemporaryDirectory(prefix="vesper-disclosure-") as folder:
        entity = Entity(Path(folder))
        for function in (commitments, nothing_is_shown, salts_are_kept, only_what_is_named,
                         verified, of_another_certificate, inspected, checked):
            cases.case(function.__name__, function, entity)
        for kind in ({"kty": "EC", "crv": "P-256"}, {"kty": "EC", "crv": "P-384"},
                     {"kty": "EC", "crv": "P-521"}):
            cases.case(f"to_a_key {kind}", lambda kind=kind: to_a_key(entity, **kind))
        cases.case("refused", refused, entity)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
