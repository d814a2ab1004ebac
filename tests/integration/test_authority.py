"""Whose number, and how far to attest: a list by reference, a delegate's proof, destinations."""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import sys
import time

from pathlib import Path

from cases import Cases, equal, true
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from world import unixhttp as http
from world.machine import BUILD, Machine, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from stirlab import jose  # noqa: E402

ACME, UNLISTED, DEST = "12025550100", "12025550109", "12125550111"
ORIGID = "123e4567-e89b-12d3-a456-426655440000"


def tenants(machine: Machine) -> dict[str, str]:
    provider = machine.provider("osp", numbers=("12025550150",), dests=[DEST])
    rules = 'attestation { listed = "B" delegate_proof = "A" over_cap = "lower" }'
    true('attest_max = "A"' in provider, "attest_max in the provider's text")
    return {"acme": machine.enterprise("acme", (ACME, UNLISTED)),
            "osp": provider.replace('attest_max = "A"', rules)}


def payload(passport: str) -> dict:
    part = passport.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def call(number: str, dest: str = DEST, **more) -> dict:
    return {"orig": {"tn": number}, "dest": {"tn": [dest]}, **more}


def shaken(number: str, attest: str, dest: str = DEST) -> dict:
    return call(number, dest, attest=attest, origid=ORIGID)


def audited(machine: Machine, request_id: str) -> dict:
    return next(r for r in machine.audit() if r["request_id"] == request_id
                and r.get("ppt") == "shaken")


# ---- a TNAuthList by reference (RFC 8226 s10.1, D-46) ----

def in_force_by_reference(machine: Machine) -> None:
    chain = machine.dir / "state/front/tenants/acme/main/current.pem"
    shown = json.loads(subprocess.run([str(BUILD / "vesper"), "inspect", "--json", str(chain)],
                                      capture_output=True, text=True, check=False).stdout)
    leaf = shown.get("certificates", [shown])[0]
    equal(leaf["tnauthlist_by_reference"], True)
    true("tnauthlist" not in leaf, "no list by value")
    credential = machine.credential("acme")
    equal((credential["state"], credential["tnlist"]["numbers"]), ("ready", 2))
    true(credential["tnlist"]["url"].endswith(".tnauthlist"), "the URL of the list")
    true(credential["tnlist"]["fetched_at"] > 0, "when it was fetched")


def signs_what_the_list_holds(machine: Machine) -> None:
    for number in (ACME, UNLISTED):
        answer = machine.ask("POST", "/v1/passports", {"claims": call(number)})
        equal(answer.status, 200, answer.body.decode())


def no_other_number(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports",
                         {"tenant": "acme", "claims": call("12025550101")})
    equal(answer.reason, "tn_not_authorized")


def survives_a_restart(machine: Machine) -> None:
    """The list is on disk: nothing is fetched before the first signature."""
    machine.stop_lab()
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("acme", "osp")
    signs_what_the_list_holds(machine)


# ---- attestation ----

def listed_is_lowered(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports",
                         {"tenant": "osp", "ppt": "shaken",
                          "claims": shaken("12025550150", "A")},
                         headers={"X-RequestID": "lowered"})
    equal((answer.status, answer.json.get("attest")), (200, "B"), answer.body.decode())
    equal(payload(answer.json["passport"])["attest"], "B")
    equal(audited(machine, "lowered")["attest"],
          {"asked": "A", "granted": "B", "rule": "listed"})


def delegate_of_the_same_call(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/calls", {
        "claims": call(ACME),
        "sign": [{"tenant": "osp", "ppt": "shaken", "claims": {"attest": "A", "origid": ORIGID}},
                 {"tenant": "acme"}]}, headers={"X-RequestID": "proof"})
    equal(answer.status, 200, answer.body.decode())
    equal(payload(answer.json["results"][0]["passport"])["attest"], "A")
    equal(audited(machine, "proof")["attest"],
          {"asked": "A", "granted": "A", "rule": "delegate_proof"})


def unlisted_without_proof(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports", {"tenant": "osp", "ppt": "shaken",
                                                   "claims": shaken(ACME, "A")})
    equal((answer.reason, answer.json["claim"]), ("tn_not_authorized", "orig"))


def proof_that_is_none(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports", {
        "tenant": "osp", "ppt": "shaken", "claims": shaken(ACME, "A"), "delegate": "a.b.c"})
    equal(answer.reason, "tn_not_authorized")


def delegate_is_a_string(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports", {
        "tenant": "osp", "ppt": "shaken", "claims": shaken(ACME, "A"), "delegate": 1})
    equal((answer.status, answer.reason), (400, "invalid_member"))


# ---- destinations ----

def destination_not_allowed(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports", {
        "tenant": "osp", "ppt": "shaken", "claims": shaken("12025550150", "B", "911")})
    equal((answer.status, answer.reason, answer.json["claim"]), (403, "dest_not_allowed", "dest"))


# ---- the STI-PA's list of trusted CAs ----

def publish_roots(machine: Machine, key: ec.EllipticCurvePrivateKey, sequence: int,
                  *roots: str) -> None:
    """As the STI-PA's API answers it, at the lab's repository."""
    claims = {"version": "1.0", "sequence": sequence, "exp": int(time.time()) + 86400,
              "trustList": list(roots)}
    signed = jose.sign_compact({"alg": "ES256", "typ": "JWT", "x5u": "https://pa.example/c.pem"},
                               claims, key)
    (Path(machine.info["www"]) / "lists" / "ca-list.json").write_text(
        json.dumps({"status": "success", "caList": signed}))


def signer(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "STI-PA")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(7)
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())).public_bytes(serialization.Encoding.PEM).decode()


def roots_by_list(machine: Machine) -> None:
    """The CA is known by the list alone; when it is not listed any more nothing is signed."""
    own = (machine.config / "trust-anchors.pem").read_text()
    other = (machine.config / "authority-anchors.pem").read_text()
    key = ec.generate_private_key(ec.SECP256R1())
    (machine.config / "sti-pa.pem").write_text(signer(key))

    def signs() -> bool:
        return machine.ask("POST", "/v1/passports", {
            "tenant": "osp", "ppt": "shaken",
            "claims": shaken("12025550150", "B")}).status == 200

    def in_force(sequence: int) -> bool:
        return any(each["list"] == "sti_pa" and each["in_force"] and
                   each["sequence"] == sequence for each in machine.status()["trust_lists"])

    publish_roots(machine, key, 1, own)
    machine.write_config(
        tnlist_tls_ca="tls-ca.pem", trust_anchors="authority-anchors.pem",
        sti_pa_url=machine.info["repository"] + "lists/ca-list.json",
        sti_pa_anchors="sti-pa.pem", sti_pa_tls_ca="tls-ca.pem", sti_pa_refresh_s=1)
    http.request(machine.admin_socket, "POST", "/v1/reload", {})
    wait_for("the roots", lambda: in_force(1) and signs(), 60)
    publish_roots(machine, key, 2, other)
    wait_for("the CA that is not listed any more", lambda: in_force(2) and not signs(), 60)
    publish_roots(machine, key, 1, own)
    wait_for("the replay to be refused", lambda: [
        a["list"] for a in machine.status()["alarms"] if a["alarm"] == "trust_list"]
        == ["sti_pa"], 60)
    true(not signs(), "an older list")
    publish_roots(machine, key, 3, own)
    wait_for("the CA that is listed again", lambda: in_force(3) and signs(), 60)


def main() -> int:
    cases = Cases("authority")
    with Machine() as machine:
        machine.start(tenants, lab={"ca": {"tn_list_by_reference": True}},
                      tnlist_tls_ca="tls-ca.pem")
        cases.case("in force by reference (RFC 8226 s10.1)", in_force_by_reference, machine)
        cases.case("signs what the list holds (D-46)", signs_what_the_list_holds, machine)
        cases.refusal("no number that is not configured (D-46)", no_other_number, machine)
        cases.case("listed, lowered", listed_is_lowered, machine)
        cases.case("a delegate of the same call", delegate_of_the_same_call, machine)
        cases.refusal("unlisted, no proof", unlisted_without_proof, machine)
        cases.refusal("a proof that is none", proof_that_is_none, machine)
        cases.refusal("delegate is a string", delegate_is_a_string, machine)
        cases.refusal("dest_not_allowed", destination_not_allowed, machine)
        cases.case("roots by the STI-PA's list (ATIS-1000084)", roots_by_list, machine)
        cases.case("the list survives a restart without the network", survives_a_restart,
                   machine)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
