"""POST /v1/calls, all the PASSporTs of a call, and dry runs on both native routes."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time

from cases import Cases, equal, true
from test_reasons import set_file_limit
from world import process
from world import unixhttp as http
from world.machine import BUILD, Machine, wait_for

ACME, OTHER, DEST = "12025550100", "12025550101", "12125550111"
ORIGID = "123e4567-e89b-12d3-a456-426655440000"
URL = "/v1/calls"
SHARED = {"orig": {"tn": "+1 202-555-0100"}, "dest": {"tn": [DEST]}}
BASE = {"tenant": "acme"}
SHAKEN = {"tenant": "osp", "ppt": "shaken", "claims": {"attest": "A", "origid": ORIGID}}
CALL = {"claims": SHARED, "sign": [SHAKEN, BASE]}


def with_(**changes) -> dict:
    return {**CALL, **changes}


def payload(passport: str) -> dict:
    part = passport.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def header(passport: str) -> dict:
    part = passport.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def records(machine: Machine, request_id: str, n: int) -> list[dict]:
    """The records of one request, when there are n of them."""
    def found() -> list[dict] | None:
        own = [r for r in machine.audit() if r["request_id"] == request_id]
        return own if len(own) >= n else None
    own = wait_for(f"{n} records of {request_id}", found, 10)
    equal(len(own), n, str(own))
    return own


# ---- what is signed ----

def both_are_signed(machine: Machine) -> None:
    with machine.untouched(signed=2):
        answer = machine.ask("POST", URL, with_(context={"call_id": "a1"}),
                             headers={"X-RequestID": "both-1"})
    equal(answer.status, 200, answer.body.decode())
    results = answer.json["results"]
    # Answered in the order of the request, whatever was decided first.
    equal([(r["tenant"], r["credential"]) for r in results], [("osp", "main"), ("acme", "main")])
    equal([header(r["passport"]).get("ppt") for r in results], ["shaken", None])
    equal(answer.json["identities"], [r["identity"] for r in results])
    equal(answer.json["request_id"], "both-1")
    claims = [payload(r["passport"]) for r in results]
    equal(claims[0]["iat"], claims[1]["iat"], "iat")
    equal([c["orig"] for c in claims], [{"tn": ACME}] * 2)
    equal((claims[0]["attest"], "attest" in claims[1]), ("A", False))
    own = records(machine, "both-1", 2)
    # The number's holder was decided first: the attestation may rest on it.
    equal([(r["event"], r["tenant"], r["context"]) for r in own],
          [("sign", t, {"call_id": "a1"}) for t in ("acme", "osp")])


def iat_is_that_of_all(machine: Machine) -> None:
    now = int(time.time()) - 7
    answer = machine.ask("POST", URL, with_(claims={**SHARED, "iat": now}))
    equal([payload(r["passport"])["iat"] for r in answer.json["results"]], [now, now])


def claims_of_their_own(machine: Machine) -> None:
    """What is not given for all, each brings; here two callees."""
    answer = machine.ask("POST", URL, {"claims": {"orig": {"tn": ACME}}, "sign": [
        {"tenant": "acme", "claims": {"dest": {"tn": [DEST]}}},
        {"tenant": "acme", "claims": {"dest": {"tn": ["12125550112"]}}}]})
    equal(answer.status, 200, answer.body.decode())
    equal([payload(r["passport"])["dest"]["tn"] for r in answer.json["results"]],
          [[DEST], ["12125550112"]])


def as_many_as_allowed(machine: Machine) -> None:
    with machine.untouched(signed=16):
        answer = machine.ask("POST", URL, with_(sign=[BASE] * 16))
    equal((answer.status, len(answer.json["identities"])), (200, 16))


# ---- all or nothing ----

# name, the second of the two, reason of the answer, its claim
REFUSED = [
    ("number of another", {"tenant": "late"}, "caller_not_allowed", None),
    ("class", {"tenant": "osp"}, "no_credential", None),
    ("attest", {**SHAKEN, "tenant": "low"}, "attest_not_allowed", "attest"),
    ("claim", {**BASE, "claims": {"foo": 1}}, "unknown_claim", "foo"),
    ("shaken without attest", {"tenant": "osp", "ppt": "shaken"}, "missing_claim", "attest"),
]


def all_or_nothing(machine: Machine, second: dict, reason: str, claim: str | None) -> None:
    name = f"all-{reason.replace('_', '-')}-{os.urandom(3).hex()}"
    answer = machine.ask("POST", URL, with_(sign=[BASE, second]), headers={"X-RequestID": name})
    equal((answer.reason, answer.json.get("claim")), (reason, claim), answer.body.decode())
    equal(answer.json["status"], answer.status)
    true("identities" not in answer.json and b"passport" not in answer.body, answer.body.decode())
    equal([r["reason"] for r in answer.json["results"]], ["call_refused", reason])
    equal(answer.json["results"][1]["status"], answer.status)
    own = records(machine, name, 2)
    equal(sorted((r["event"], r["reason"]) for r in own),
          sorted([("refuse", "call_refused"), ("refuse", reason)]))


def too_large(machine: Machine) -> None:
    """What is refused after the decision refuses the others just so."""
    uris = [f"sip:{i:02d}{'a' * 400}@example.com" for i in range(16)]
    answer = machine.ask("POST", URL, {"claims": {"orig": {"tn": ACME}}, "sign": [
        {"tenant": "acme", "claims": {"dest": {"tn": [DEST]}}},
        {"tenant": "acme", "claims": {"dest": {"uri": uris}}}]})
    equal((answer.status, answer.reason), (403, "identity_too_large"), answer.body.decode())
    equal(answer.json["results"][0]["reason"], "call_refused")


def best_effort(machine: Machine) -> None:
    body = with_(mode="best_effort", sign=[{"tenant": "osp"}, BASE, SHAKEN])
    with machine.untouched(signed=2):
        answer = machine.ask("POST", URL, body, headers={"X-RequestID": "effort-1"})
    equal(answer.status, 200, answer.body.decode())
    equal(len(answer.json["identities"]), 2)
    equal([r.get("reason") for r in answer.json["results"]], ["no_credential", None, None])
    equal(answer.json["results"][0]["status"], 403)
    equal(sorted(r["event"] for r in records(machine, "effort-1", 3)), ["refuse", "sign", "sign"])


def best_effort_of_nothing(machine: Machine) -> None:
    answer = machine.ask("POST", URL, with_(mode="best_effort", sign=[{"tenant": "osp"}] * 2))
    equal((answer.status, answer.reason), (403, "no_credential"))
    equal([r["reason"] for r in answer.json["results"]], ["no_credential"] * 2)


def each_counts_for_the_rate(machine: Machine) -> None:
    slow = {"tenant": "slow", "claims": {"orig": {"tn": "12025550115"}}}
    answer = machine.ask("POST", URL, {"claims": {"dest": {"tn": [DEST]}}, "mode": "best_effort",
                                       "sign": [slow, slow, slow]})
    equal([r.get("reason") for r in answer.json["results"]], [None, "rate_limited", "rate_limited"])


# ---- policies ----

def attested_by_the_delegate(machine: Machine) -> None:
    """A provider that lists no number attests A because the holder was allowed in the same call."""
    shaken = {"tenant": "prov", "ppt": "shaken", "claims": {"attest": "A", "origid": ORIGID}}
    answer = machine.ask("POST", URL, with_(sign=[shaken, BASE]), headers={"X-RequestID": "proof-1"})
    equal(answer.status, 200, answer.body.decode())
    equal(payload(answer.json["results"][0]["passport"])["attest"], "A")
    own = [r for r in records(machine, "proof-1", 2) if r["tenant"] == "prov"]
    equal(own[0]["attest"], {"asked": "A", "granted": "A", "rule": "delegate_proof"})
    # Alone, and beside a holder that is refused, it has no right to the number.
    for sign in ([shaken], [{**BASE, "claims": {"foo": 1}}, shaken]):
        answer = machine.ask("POST", URL, with_(sign=sign, mode="best_effort"))
        equal(answer.json["results"][-1]["reason"], "tn_not_authorized", answer.body.decode())


def attested_by_a_supplied_delegate(machine: Machine) -> None:
    """The holder's PASSporT comes with the request: verified with its SCTs, and of this call."""
    held = machine.sign(ACME, tenant="acme")
    ask = {"tenant": "prov", "ppt": "shaken",
           "claims": {**CALL["claims"], "attest": "A", "origid": ORIGID}}
    for i, text in enumerate((held.json["identity"], held.json["passport"])):
        answer = machine.ask("POST", "/v1/passports", {**ask, "delegate": text},
                             headers={"X-RequestID": f"supplied-{i}"})
        equal(answer.status, 200, answer.body.decode())
        equal(payload(answer.json["passport"])["attest"], "A")
        own = records(machine, f"supplied-{i}", 1)[0]
        equal(own["attest"], {"asked": "A", "granted": "A", "rule": "delegate_proof"})
    elsewhere = machine.sign(ACME, tenant="acme", claims={"dest": {"tn": ["12125550119"]}})
    with machine.untouched():
        for text in (held.json["passport"][:-4] + "AAAA", elsewhere.json["passport"]):
            answer = machine.ask("POST", "/v1/passports", {**ask, "delegate": text})
            equal((answer.status, answer.reason), (403, "tn_not_authorized"))


def attested_by_none(machine: Machine) -> None:
    """The holder was allowed, but its PASSporT is too long to be given out: nothing rests on it."""
    shaken = {"tenant": "prov", "ppt": "shaken", "claims": {"attest": "A", "origid": ORIGID}}
    fits = machine.sign("12025550116", tenant="long")
    limit = len(fits.json["identity"]) + 64
    machine.write_tenant("long", machine.enterprise("long", ("12025550116",)).replace(
        "identity_max_bytes = 8192", f"identity_max_bytes = {limit}"))
    job = http.request(machine.admin_socket, "POST", "/v1/reload").json["job"]
    wait_for("the reload", lambda: http.request(
        machine.admin_socket, "GET", f"/v1/jobs/{job}").json["state"] == "done")
    with machine.untouched():
        answer = machine.ask("POST", URL, {
            "claims": {"orig": {"tn": "12025550116"},
                       "dest": {"tn": [f"121255501{i:02}" for i in range(16)]}},
            "sign": [{"tenant": "long"}, shaken], "mode": "best_effort"})
    equal([r["reason"] for r in answer.json["results"]],
          ["identity_too_large", "tn_not_authorized"], answer.body.decode())


def observed(machine: Machine) -> None:
    """What a watched rule would refuse is signed, recorded and counted."""
    with machine.untouched(signed=1):
        answer = machine.sign(ACME, tenant="watch", ppt="shaken",
                              claims={"attest": "A", "origid": ORIGID})
    equal(answer.status, 200, answer.body.decode())
    equal(payload(answer.json["passport"])["attest"], "A")
    record = records(machine, answer.json["request_id"], 1)[0]
    equal((record["event"], record["reason"]), ("sign", None))
    equal([(o["rule"], o["reason"], o["claim"]) for o in record["observed"]],
          [("ppts", "no_credential", None), ("dests", "dest_not_allowed", "dest"),
           ("attest", "attest_not_allowed", "attest")])
    true(DEST not in json.dumps(record["observed"]), "a whole number")
    log = machine.dir / "vesperd.log"
    wait_for("the log's line", lambda: "event=observed rule=dests would_refuse=1" in log.read_text(),
             5)
    true(DEST not in log.read_text() and ACME not in log.read_text(), "a number in the log")
    metrics = http.request(machine.admin_socket, "GET", "/metrics").body.decode()
    true('vesper_observed_total{rule="attest"} 1' in metrics, metrics)
    refused = machine.sign("13035550100", tenant="watch", ppt="shaken",
                           claims={"attest": "C", "origid": ORIGID})
    equal(refused.reason, "tn_not_authorized")


# ---- dry runs ----

def dry_run(machine: Machine) -> None:
    answer = machine.ask("POST", URL + "?dry_run=1", CALL, headers={"X-RequestID": "dry-1"})
    equal(answer.status, 200, answer.body.decode())
    equal([r["dry_run"] for r in answer.json["results"]], [True, True])
    equal(answer.json["identities"], [])
    true(b'"passport"' not in answer.body, answer.body.decode())
    own = records(machine, "dry-1", 2)
    equal([r["event"] for r in own], ["dry_run", "dry_run"])
    true(all(len(r["digest"]) == 64 for r in own), str(own))


def dry_run_refused(machine: Machine) -> None:
    answer = machine.ask("POST", URL + "?dry_run=1", with_(sign=[BASE, {"tenant": "osp"}]),
                         headers={"X-RequestID": "dry-2"})
    equal((answer.status, answer.reason), (403, "no_credential"))
    equal([(r["event"], r["dry_run"]) for r in records(machine, "dry-2", 2)],
          [("refuse", True)] * 2)


def dry_run_of_one(machine: Machine) -> None:
    """The same rights and the same words as without; nothing is signed."""
    url = "/v1/passports?dry_run=1"
    body = {"tenant": "acme", "claims": SHARED}
    answer = machine.ask("POST", url, body, headers={"X-RequestID": "dry-3"})
    equal((answer.status, answer.json["dry_run"], answer.json["tenant"]), (200, True, "acme"))
    true("passport" not in answer.json and "identity" not in answer.json, answer.body.decode())
    equal([r["event"] for r in records(machine, "dry-3", 1)], ["dry_run"])
    wrong = {"tenant": "osp", "claims": SHARED}
    for target in (url, "/v1/passports"):
        answer = machine.ask("POST", target, wrong)
        equal((answer.status, answer.reason), (403, "no_credential"))
    own = machine.ask("POST", url, wrong, headers={"X-RequestID": "dry-4"})
    equal(own.reason, "no_credential")
    equal([(r["event"], r["reason"], r["dry_run"]) for r in records(machine, "dry-4", 1)],
          [("refuse", "no_credential", True)])


def dry_runs_count_for_the_rate(machine: Machine) -> None:
    time.sleep(1.1)
    body = {"claims": {"orig": {"tn": "12025550115"}, "dest": {"tn": [DEST]}}}
    answers = [machine.ask("POST", "/v1/passports?dry_run=1", body).reason for _ in range(3)]
    true("rate_limited" in answers, str(answers))


# ---- the command ----

def vesper(machine: Machine, call: dict, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "vesper", "sign", "--socket", machine.socket, "--call", "-",
                           *arguments], input=json.dumps(call), capture_output=True, text=True)


def by_the_command(machine: Machine) -> None:
    done = vesper(machine, CALL)
    equal((done.returncode, done.stderr), (0, ""))
    lines = done.stdout.splitlines()
    equal([line.partition(";ppt=")[2] for line in lines], ["shaken", ""])
    done = vesper(machine, CALL, "-o", "jwt")
    equal([line.count(".") for line in done.stdout.splitlines()], [2, 2])
    done = vesper(machine, CALL, "--json")
    equal(len(json.loads(done.stdout)["identities"]), 2)


def refused_by_the_command(machine: Machine) -> None:
    some = with_(mode="best_effort", sign=[{"tenant": "osp"}, BASE])
    done = vesper(machine, some, "--dry-run")
    equal((done.returncode, done.stdout), (4, "it would be signed\n"))
    true("sign[0]: no_credential" in done.stderr, done.stderr)
    done = vesper(machine, with_(sign=[{"tenant": "osp"}, BASE]))
    equal((done.returncode, done.stdout), (4, ""))
    true("no_credential" in done.stderr, done.stderr)
    done = vesper(machine, with_(mode="x"))
    equal(done.returncode, 4)
    equal(vesper(machine, CALL, "--dry-run").stdout, "it would be signed\n" * 2)


# ---- what is wrong ----

# name, target, body, status, reason, claim
WRONG = [
    ("no claims", URL, {"sign": [BASE]}, 400, "missing_member", "claims"),
    ("no sign", URL, {"claims": SHARED}, 400, "missing_member", "sign"),
    ("claims a list", URL, with_(claims=[]), 400, "invalid_member", "claims"),
    ("sign an object", URL, with_(sign=BASE), 400, "invalid_member", "sign"),
    ("sign empty", URL, with_(sign=[]), 400, "invalid_member", "sign"),
    ("sign of seventeen", URL, with_(sign=[BASE] * 17), 400, "invalid_member", "sign"),
    ("sign of numbers", URL, with_(sign=[1]), 400, "invalid_member", "sign"),
    ("mode unknown", URL, with_(mode="some"), 400, "invalid_member", "mode"),
    ("mode a flag", URL, with_(mode=True), 400, "invalid_member", "mode"),
    ("member unknown", URL, with_(tenant="acme"), 400, "unknown_member", "tenant"),
    ("member of one unknown", URL, with_(sign=[{**BASE, "mode": "all"}]), 400, "unknown_member",
     "mode"),
    ("context of one", URL, with_(sign=[{**BASE, "context": {}}]), 400, "unknown_member", "context"),
    ("context a list", URL, with_(context=[]), 400, "invalid_member", "context"),
    ("ppt unknown", URL, with_(sign=[BASE, {"ppt": "nope"}]), 400, "unsupported_ppt", None),
    ("ppt a number", URL, with_(sign=[{"ppt": 1}]), 400, "invalid_member", "ppt"),
    ("tenant a number", URL, with_(sign=[{"tenant": 1}]), 400, "invalid_member", "tenant"),
    ("claims of one a list", URL, with_(sign=[{"claims": []}]), 400, "invalid_member", "claims"),
    ("claim of all that is one's", URL, with_(claims={**SHARED, "attest": "A"}), 400,
     "unknown_claim", "attest"),
    ("orig twice", URL, with_(sign=[{"claims": {"orig": {"tn": ACME}}}]), 400, "duplicate_member",
     "orig"),
    ("dest twice, differently", URL, with_(sign=[{"claims": {"dest": {"tn": ["1"]}}}]), 400,
     "duplicate_member", "dest"),
    ("iat of one", URL, with_(sign=[{"claims": {"iat": 1}}]), 400, "invalid_claim", "iat"),
    ("iat stale", URL, with_(claims={**SHARED, "iat": 1443208345}), 400, "stale_iat", "iat"),
    ("no orig at all", URL, with_(claims={"dest": {"tn": [DEST]}}), 400, "missing_claim", "orig"),
    ("query", URL + "?dry_run=2", CALL, 400, "invalid_member", None),
    ("query of two", URL + "?dry_run=1&dry_run=1", CALL, 400, "invalid_member", None),
    ("not JSON", URL, b"{", 400, "malformed_json", None),
    ("a list", URL, b"[]", 400, "malformed_json", None),
    ("empty", URL, b"", 400, "malformed_json", None),
    ("claim twice in one", URL, b'{"claims":{},"sign":[{"claims":{"a":1,"a":2}}]}', 400,
     "duplicate_member", None),
    ("query of /v1/passports", "/v1/passports?dry_run", {"claims": SHARED}, 400, "invalid_member",
     None),
]


def wrong(machine: Machine, target: str, body, status: int, reason: str, claim) -> None:
    answer = machine.ask("POST", target, body)
    equal((answer.status, answer.reason), (status, reason), answer.body.decode(errors="replace"))
    if claim is not None:
        equal(answer.json.get("claim"), claim)
    for member in ("type", "status", "title", "reason", "detail", "request_id"):
        true(member in answer.json, f"no {member} in {answer.json}")


def method_and_types(machine: Machine) -> None:
    answer = machine.ask("GET", URL)
    equal((answer.status, answer.reason, answer.headers.get("allow")),
          (405, "method_not_allowed", "POST"))
    answer = machine.ask("POST", URL, CALL, headers={"Content-Type": "text/plain"})
    equal(answer.reason, "unsupported_media_type")
    answer = machine.ask("POST", URL, CALL, headers={"Accept": "text/plain"})
    equal(answer.reason, "not_acceptable")


def every_prefix(machine: Machine) -> None:
    text = json.dumps(CALL).encode()
    for n in range(len(text)):
        equal(machine.ask("POST", URL, text[:n]).reason, "malformed_json", text[:n].decode())


# ---- when the token or the disk fails ----

def no_signer_answers(machine: Machine) -> None:
    """All or nothing in time, and one answer; what was announced is taken back in the trail."""
    signers = process.roles(machine.agent.pid)["signer"]
    for pid in signers:
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = machine.ask("POST", URL, CALL, headers={"X-RequestID": "hung-1"})
    finally:
        for pid in signers:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    equal((answer.status, answer.reason), (503, "hsm_timeout"), answer.body.decode())
    true("retry-after" in answer.headers, "no Retry-After")
    own = records(machine, "hung-1", 4)
    equal(sorted(r["event"] for r in own), ["sign", "sign", "sign_failed", "sign_failed"])
    signs = {r["seq"]: (r["tenant"], r["credential"]) for r in own if r["event"] == "sign"}
    fails = {r["of"]: (r["tenant"], r["credential"]) for r in own if r["event"] == "sign_failed"}
    equal(fails, signs)  # each by the seq of its line
    wait_for("signing again", lambda: machine.ask("POST", URL, CALL).status == 200, 15)


def no_audit(machine: Machine) -> None:
    front = process.roles(machine.agent.pid)["front"][0]
    set_file_limit(front, "1")
    try:
        answers = [machine.ask("POST", URL, CALL) for _ in range(3)]
    finally:
        set_file_limit(front, "unlimited")
    equal({a.status for a in answers}, {503}, answers[-1].body.decode())
    equal({a.reason for a in answers}, {"audit_unavailable"})
    true(all(b"passport" not in a.body for a in answers), "signed without a record")
    wait_for("signing again", lambda: machine.ask("POST", URL, CALL).status == 200, 15)


def tenants(machine: Machine) -> dict[str, str]:
    return {"acme": machine.enterprise("acme", (ACME, OTHER)),
            "osp": machine.provider("osp"),
            "low": machine.provider("low", spc="1234", attest_max="B"),
            "prov": machine.provider("prov", numbers=("12025550190",)).replace(
                '\tattest_max = "A"', '\tattestation { listed = "B" delegate_proof = "A" }'),
            "watch": machine.provider("watch", attest_max="C", dests=["44..."], ppts=["div"],
                                      observe=["attest", "dests", "ppts"]),
            "long": machine.enterprise("long", ("12025550116",)),
            "slow": machine.enterprise("slow", ("12025550115",), rate=1)}


def main() -> int:
    cases = Cases("calls")
    with Machine() as machine:
        machine.kills = True  # hung signers, a full disk
        machine.start(tenants, request_timeout_ms=1500)
        for function in (both_are_signed, iat_is_that_of_all, claims_of_their_own,
                         as_many_as_allowed, best_effort, each_counts_for_the_rate,
                         by_the_command, attested_by_the_delegate,
                         attested_by_a_supplied_delegate, attested_by_none, observed):
            cases.case(function.__name__, function, machine)
        for name, *rest in REFUSED:
            cases.refusal(f"all or nothing: {name}", all_or_nothing, machine, *rest)
        for function in (too_large, best_effort_of_nothing, dry_run, dry_run_refused, dry_run_of_one,
                         dry_runs_count_for_the_rate, refused_by_the_command):
            cases.refusal(function.__name__, function, machine)
        for name, *rest in WRONG:
            cases.refusal(f"wrong: {name}", wrong, machine, *rest)
        cases.refusal("method_and_types", method_and_types, machine)
        cases.refusal("every_prefix", every_prefix, machine)
        for function in (no_signer_answers, no_audit):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
