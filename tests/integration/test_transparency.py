"""Logs that keep their promises, logs that do not, and who notices (V-43, RFC 6962 s4.5)."""

from __future__ import annotations

import base64
import json
import shutil
import sys
import time

from pathlib import Path

from cases import Cases, equal, true
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from world import unixhttp as http
from world.machine import Machine, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from stirlab.client import LabClient  # noqa: E402
from stirlab.tnauth import TNAuthList  # noqa: E402

ACME = "12025550100"
MMD_S = 1  # a log that merges at once may say so: proofs are due soon


def tenants(machine: Machine) -> dict[str, str]:
    """Two enterprises; the list of logs with a merge delay that a test can wait for."""
    listed = json.loads((machine.config / "ct-logs.json").read_text())
    for log in logs_of(listed):
        log["mmd"] = MMD_S
    (machine.config / "logs-fast.json").write_text(json.dumps(listed))
    return {"acme": machine.enterprise("acme", (ACME,))}


def logs_of(listed: dict) -> list[dict]:
    return [log for operator in listed["operators"] for log in operator["logs"]]


def shown(machine: Machine) -> list[dict]:
    return http.request(machine.admin_socket, "GET", "/v1/ct").json["logs"]


def named(machine: Machine, part: str) -> dict:
    return next(log for log in shown(machine) if part in log["url"])


def names(machine: Machine) -> list[str]:
    """The logs' own names, which faults are matched by."""
    return [log["url"].rstrip("/").rsplit("/", 1)[1] for log in shown(machine)]


def wrong(machine: Machine, endpoint: str, what: str, log: str) -> None:
    machine.control("POST", "/faults", {"endpoint": endpoint, "action": "wrong", "what": what,
                                        "match": f"/{log}/"})


def alarms(machine: Machine, kind: str) -> list[dict]:
    return [a for a in machine.status()["alarms"] if a["alarm"] == kind]


def still_signs(machine: Machine) -> None:
    equal(machine.sign(ACME).status, 200)


# ---- what is proven ----

# RFC 6962 s4.5
def promises_are_kept(machine: Machine) -> None:
    """Every log that timestamped the certificate proves that it has it."""
    def proven() -> bool:
        logged = machine.credential("acme")["logged"]
        return bool(logged) and all(row["state"] == "proven" for row in logged)
    wait_for("the proofs of both logs", proven, 60)
    logged = machine.credential("acme")["logged"]
    true(all(row["index"] < row["tree_size"] for row in logged), logged)
    equal({row["log"] for row in logged} <= {log["log"] for log in shown(machine)}, True)
    out = machine.vesper("cert", "show", "acme/main")
    equal(out.returncode, 0, out.stderr)
    equal(out.stdout.count("proven, entry "), len(logged), out.stdout)


def logs_are_well(machine: Machine) -> None:
    out = machine.vesper("ct", "status")
    equal(out.returncode, 0, out.stdout + out.stderr)
    equal([log["state"] for log in shown(machine)], ["well"] * len(shown(machine)))
    equal(alarms(machine, "ct_log"), [])


def trees_grow(machine: Machine) -> None:
    """A second certificate: both trees go on, provably, and its promises are kept as well."""
    before = {log["log"]: log["tree_size"] for log in shown(machine)}
    machine.write_tenant("second", machine.enterprise("second", ("12025550101",)))
    http.request(machine.admin_socket, "POST", "/v1/reload", {})
    machine.wait_ready("second")
    wait_for("larger trees", lambda: all(
        log["tree_size"] > before[log["log"]] for log in shown(machine)), 60)
    wait_for("its proofs", lambda: all(
        row["state"] == "proven" for row in machine.credential("second")["logged"]), 60)
    equal([log["state"] for log in shown(machine)], ["well"] * len(shown(machine)))


# ---- what was not ordered here ----

def nothing_foreign(machine: Machine) -> None:
    """Both logs are read to their end, and all that is there of ours was ordered here."""
    wait_for("all entries", lambda: all(
        log["watch"]["read"] == log["tree_size"] > 0 for log in shown(machine)), 60)
    out = machine.vesper("ct", "watch")
    equal(out.returncode, 0, out.stdout + out.stderr)
    equal([log["watch"]["found"] for log in shown(machine)], [[], []])


def foreign_is_reported(machine: Machine) -> None:
    """Another account obtains a certificate for acme's number: the logs tell."""
    client = LabClient(machine.info)
    equal(client.register().status, 201)
    numbers = TNAuthList.from_config([ACME]).encode()
    _, chain = client.obtain({"TNAuthList": numbers}, "acme")
    serial = f"{x509.load_der_x509_certificate(chain[0]).serial_number:x}"
    wait_for("the foreign certificate", lambda: all(
        serial in [f["serial"] for f in log["watch"]["found"]] for log in shown(machine)), 60)
    found = shown(machine)[0]["watch"]["found"][0]
    equal((found["tenant"], found["what"]), ("acme", ACME))
    out = machine.vesper("ct", "watch")
    equal(out.returncode, 3, out.stdout + out.stderr)
    true(serial in out.stdout and "acme" in out.stdout, out.stdout)
    wait_for("its alarm", lambda: [
        a["tenant"] for a in alarms(machine, "certificate_not_ordered")] == ["acme"], 30)
    true(ACME not in (machine.dir / "vesperd.log").read_text(), "no number in the log")
    still_signs(machine)


# ---- what is not ----

def wrong_answers_are_noticed(machine: Machine) -> None:
    """One log signs with another key, one breaks its word: both alarm, signing goes on."""
    lying, broken = names(machine)[:2]
    wrong(machine, "get-sth", "other-key", lying)
    wrong(machine, "get-sth", "shrunk", broken)
    wait_for("the wrong signature", lambda: named(machine, lying)["state"] == "wrong", 60)
    wait_for("the shrunk tree", lambda: named(machine, broken)["state"] == "broken", 60)
    wait_for("two alarms", lambda: len(alarms(machine, "ct_log")) == 2, 90)
    still_signs(machine)
    equal(machine.vesper("ct", "status").returncode, 3)
    metrics = http.request(machine.admin_socket, "GET", "/metrics").body.decode()
    true('vesper_alarms{alarm="ct_log"} 2' in metrics, "the metric")
    equal(metrics.count("vesper_ct_log_alarming{"), len(shown(machine)))
    events = http.request(machine.admin_socket, "GET", "/v1/events?after=0").json["events"]
    begun = [e for e in events if e["event"] == "alarm_begins" and e["alarm"] == "ct_log"]
    equal({e["log"] for e in begun}, {named(machine, n)["log"][:32] for n in (lying, broken)})


def evidence_is_kept(machine: Machine) -> None:
    """What a log has signed against itself stays over a restart; a wrong answer does not."""
    lying, broken = names(machine)[:2]
    machine.control("DELETE", "/faults")
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("acme")
    wait_for("the log that answers well again",
             lambda: any(lying in log["url"] and log["state"] == "well"
                         and log["tree_size"] for log in shown(machine)), 60)
    log = named(machine, broken)
    equal(log["state"], "broken")
    head, evidence = json.loads(log["tree_head"]), json.loads(log["evidence"])
    true(evidence["tree_size"] < head["tree_size"], log)
    true(evidence["timestamp"] > 0 and evidence["tree_head_signature"], log)
    still_signs(machine)


def a_promise_that_is_not_kept(machine: Machine) -> None:
    """A log that proves nothing of a certificate after its merge delay raises an alarm."""
    for log in names(machine):
        wrong(machine, "get-proof-by-hash", "other-path", log)
    machine.write_tenant("third", machine.enterprise("third", ("12025550102",)))
    http.request(machine.admin_socket, "POST", "/v1/reload", {})
    machine.wait_ready("third")
    wait_for("a proof that leads elsewhere", lambda: any(
        row["state"] == "missing" for row in machine.credential("third")["logged"]), 60)
    wait_for("its alarm", lambda: [
        a["tenant"] for a in alarms(machine, "certificate_not_logged")] == ["third"], 30)
    equal(machine.sign("12025550102").status, 200)


# ---- a list that its publisher signs ----

class Publisher:
    """Signs lists of logs, and has them at the lab's repository."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.key = machine, ec.generate_private_key(ec.SECP256R1())
        self.listed = json.loads((machine.config / "logs-fast.json").read_text())
        self.issued = int(time.time()) - 1000
        (machine.config / "list-key.pem").write_bytes(self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))

    def publish(self, listed: dict, key: ec.EllipticCurvePrivateKey) -> int:
        """Dated a second after the one before."""
        self.issued += 1
        date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.issued))
        text = json.dumps({**listed, "log_list_timestamp": date}).encode()
        www = Path(self.machine.info["www"]) / "lists"
        (www / "logs.sig").write_bytes(key.sign(text, ec.ECDSA(hashes.SHA256())))
        (www / "logs.json").write_bytes(text)
        return self.issued

    def withdrawn(self) -> dict:
        """Another log alone is usable: those of the lab are not trusted any more."""
        other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {"operators": [*({**o, "logs": [{**log, "state": "retired"} for log in o["logs"]]}
                                for o in self.listed["operators"]),
                              {"name": "new", "logs": [{
                                  "key": base64.b64encode(other).decode(), "state": "usable"}]}]}


def fetched(machine: Machine) -> dict:
    return next(iter(machine.status()["trust_lists"]), {"issued": None})


def lists_are_fetched(machine: Machine) -> None:
    """In force when its signature is good; else the one before, an alarm, and signing goes on."""
    publisher = Publisher(machine)
    machine.control("DELETE", "/faults")
    lists = f"{machine.info['repository']}lists/"
    good = publisher.publish(publisher.listed, publisher.key)
    machine.write_config(ct_logs="logs-fast.json", ct_tls_ca="tls-ca.pem", ct_watch=True,
                         ct_logs_url=lists + "logs.json",
                         ct_logs_signature_url=lists + "logs.sig", ct_logs_key="list-key.pem",
                         ct_logs_tls_ca="tls-ca.pem", ct_logs_refresh_s=1)
    http.request(machine.admin_socket, "POST", "/v1/reload", {})
    wait_for("the list", lambda: fetched(machine)["issued"] == good, 60)
    still_signs(machine)
    publisher.publish(publisher.withdrawn(), ec.generate_private_key(ec.SECP256R1()))
    wait_for("the alarm", lambda: [a["list"] for a in alarms(machine, "trust_list")]
             == ["ct_logs"], 60)
    equal(fetched(machine)["issued"], good)
    still_signs(machine)
    true("ct_logs" in machine.vesper("status").stdout, "status says it")


# RFC 6962 s3
def a_log_is_withdrawn(machine: Machine) -> None:
    """By its publisher: what has timestamps of it alone is refused, also after a restart."""
    publisher = Publisher(machine)
    publisher.issued += 500  # later than the one in force
    last = publisher.publish(publisher.withdrawn(), publisher.key)
    http.request(machine.admin_socket, "POST", "/v1/reload", {})
    wait_for("the list", lambda: fetched(machine)["issued"] == last, 60)
    equal((machine.sign(ACME).status, machine.sign(ACME).json["reason"]), (403, "sct_policy"))
    shutil.rmtree(Path(machine.info["www"]) / "lists")  # a start needs no network
    machine.stop_agent()
    machine.start_agent()
    wait_for("the list that was kept", lambda: fetched(machine)["issued"] == last, 60)
    equal((machine.sign(ACME).status, machine.sign(ACME).json["reason"]), (403, "sct_policy"))


def main() -> int:
    cases = Cases("transparency")
    with Machine() as machine:
        machine.start(tenants, ct_logs="logs-fast.json", ct_tls_ca="tls-ca.pem", ct_proofs=True,
                      ct_watch=True)
        for function in (promises_are_kept, logs_are_well, trees_grow, nothing_foreign,
                         foreign_is_reported, wrong_answers_are_noticed,
                         evidence_is_kept, a_promise_that_is_not_kept,
                         lists_are_fetched, a_log_is_withdrawn):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
