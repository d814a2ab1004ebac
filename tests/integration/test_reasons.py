"""Every reason token that a caller can see, provoked on the socket and, where
the decision needs no agent, by "vesper check"; each refusal by itself leaves the
signers' count of C_Sign where it was.

The list of tokens is read from stir/fault.h, so a token without a case fails.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import test_routes
from cases import Cases, equal, true
from world import process
from world import unixhttp as http
from world.machine import BUILD, TOP, Machine, is_root, wait_for

MANY = 450  # more than two stopped signers and a queue of four take
ACME, OTHER, DEST = "12025550100", "12025550101", "12125550111"
ORIGID = "123e4567-e89b-12d3-a456-426655440000"
BASE = {"orig": {"tn": ACME}, "dest": {"tn": [DEST]}}
SHAKEN = {**BASE, "attest": "A", "origid": ORIGID}

# Reasons whose cause cannot be made from outside; the named unit test asserts them.
ELSEWHERE = {"internal_error": "an invariant of ours: nothing outside can break it",
             "clock_not_credible": "tests/unit/test_decide",
             "rcd_content_unknown": "tests/integration/test_rcd",
             "dest_not_allowed": "tests/unit/test_decide",
             "originator_not_listed": "tests/unit/test_decide",
             "rtu_withdrawn": "tests/integration/rights.py",
             "call_refused": "tests/integration/test_calls.py"}

SALT, SECRET = bytes(range(7, 39)), "only for some"


def base64_bare(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def commitment() -> str:
    """A commitment to crn, made by hashlib and not by us (D-15)."""
    digest = base64_bare(hashlib.sha256(SALT + json.dumps(SECRET).encode()).digest())
    return ('\t\t\tform = "jwt"\n\t\t\tpermitted "crn#commit-sha-256" '
            f'{{ values = {{ "{digest}" }} }}')


def write_salts(machine: Machine) -> None:
    path = machine.config / "crn.salts"
    path.write_text(f"{base64_bare(SALT)} crn\n")
    path.chmod(0o600)
    if is_root():
        shutil.chown(path, "vesper-front")


def tenants(machine: Machine) -> dict[str, str]:
    """Tenants that differ in one thing each.  Numbers keep them apart."""
    write_salts(machine)

    def bound(name: str, number: str, constraints: str, extra: str = "", **keys) -> str:
        text = machine.enterprise(name, (number,), credential=extra, **keys)
        return re.sub(r"constraints \{.*?\n\t\t\}", "constraints {\n" + constraints + "\n\t\t}",
                      text, flags=re.S)
    return {
        "acme": machine.enterprise("acme", (ACME,), ppts=["base"]),
        "osp": machine.provider("osp", numbers=(ACME, OTHER), attest_max="B"),
        "excluded": bound("excluded", "12025550110",
                          '\t\t\tform = "enhanced"\n\t\t\tmust_exclude = { "rcd" }\n'
                          '\t\t\tmust_include = { "crn" }',
                          '\t\textra_claims = { "rcd" }'),
        "valued": bound("valued", "12025550111", '\t\t\tform = "jwt"\n\t\t\tpermitted "rcd" '
                        '{ values = { "{\\"nam\\":\\"ACME Corp\\"}" } }'),
        "unvetted": bound("unvetted", "12025550112", '\t\t\tform = "jwt"\n\t\t\tmust_include = '
                          '{ "crn" }', '\t\textra_claims = { "foo" }'),
        "twin1": machine.enterprise("twin1", ("12025550113",)),
        "twin2": machine.enterprise("twin2", ("12025550113",)),
        "off": machine.enterprise("off", ("12025550114",), enabled=False),
        "slow": machine.enterprise("slow", ("12025550115",), rate=1),
        "sealed": bound("sealed", "12025550120", commitment()),
        "unsalted": bound("unsalted", "12025550118", commitment(), "\t\tassert_committed = yes"),
        "salted": bound("salted", "12025550119", commitment(),
                        '\t\tassert_committed = yes\n\t\tsalts = "file:crn.salts"',
                        entity_id="entity-salted"),
        "foreign": machine.enterprise("foreign", ("12025550116",), allow_user=["54321"]),
    }


def claims(number: str, **more) -> dict:
    return {"orig": {"tn": number}, "dest": {"tn": [DEST]}, **more}


def unsigned(payload: dict, ppt: str | None = None) -> str:
    """A PASSporT that reads well and that nobody signed; its chain is elsewhere."""
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    header = {"alg": "ES256", **({"ppt": ppt} if ppt else {}), "typ": "passport",
              "x5u": "https://certs.example.org/a.pem"}
    return ".".join([*(part(json.dumps(p, sort_keys=True, separators=(",", ":")).encode())
                       for p in (header, payload)), part(bytes(64))])


def answering(**more) -> dict:
    """A div for a call to ACME, whose original is not yet in it."""
    return {"ppt": "div", "claims": claims(OTHER, div={"tn": ACME}), **more}


RECENT = {"orig": {"tn": OTHER}, "dest": {"tn": [ACME]}, "iat": int(time.time())}

# reason, claim or None, body of POST /v1/passports
DECISIONS = [
    # RFC 8224 s6.1
    ("tn_not_authorized", "orig", {"claims": claims("13035550199")}),
    ("tn_not_authorized", "orig", {"tenant": "acme", "claims": claims(OTHER)}),
    # D-59
    ("no_credential", None, {"tenant": "acme", "ppt": "shaken", "claims": SHAKEN}),  # its class
    ("no_credential", None, {"tenant": "acme", "ppt": "msg", "claims": BASE}),  # its ppts
    ("no_credential", None, {"tenant": "osp", "claims": BASE}),
    ("no_credential", None, {"tenant": "acme", "credential": "other", "claims": BASE}),
    ("attest_not_allowed", "attest", {"tenant": "osp", "ppt": "shaken", "claims": SHAKEN}),
    ("rph_not_allowed", "rph", {"tenant": "osp", "ppt": "rph",
                                "claims": {**BASE, "rph": {"auth": ["ets.0"]}}}),
    ("missing_original", "original", answering()),
    ("missing_original", "original", {"ppt": "rsp", "claims": BASE}),
    ("original_invalid", "original", answering(original=["a.b.c"])),
    ("original_mismatch", "orig",
     answering(original=[unsigned({**RECENT, "orig": {"tn": DEST}})])),
    ("original_mismatch", "div",
     answering(original=[unsigned({**RECENT, "dest": {"tn": [DEST]}})])),
    # RFC 9118 s3
    ("claim_excluded", "rcd", {"claims": claims("12025550110", crn="x", rcd={"nam": "A"})}),
    # RFC 8226 s8
    ("claim_missing_by_constraint", "crn", {"claims": claims("12025550110")}),
    # V-21, V-66
    ("value_not_permitted", "rcd", {"claims": claims("12025550111", rcd={"nam": "Other"})}),
    # V-16
    ("claim_not_vetted", "foo", {"claims": claims("12025550112", crn="x", foo=1)}),
    ("private_claim_in_clear", "crn", {"claims": claims("12025550120", crn=SECRET)}),
    ("private_claim_in_clear", "crn", {"claims": claims("12025550120", crn="another")}),
    # D-59
    ("ambiguous_credential", None, {"claims": claims("12025550113")}),
    # V-80
    ("tenant_disabled", None, {"tenant": "off", "claims": claims("12025550114")}),
    ("caller_not_allowed", None, {"tenant": "foreign", "claims": claims("12025550116")}),
    ("caller_not_allowed", None, {"tenant": "nobody-knows", "claims": BASE}),
]

# The same offline: reason, tenant whose chain is used, claims, further arguments.
CHECKS = [
    (None, "acme", BASE, ()),
    (None, "osp", SHAKEN, ("--ppt", "shaken", "--profile", "shaken-sp")),
    ("tn_not_authorized", "acme", claims(OTHER), ()),
    ("claim_excluded", "excluded", claims("12025550110", crn="x", rcd={"nam": "A"}),
     ("--allow-claim", "rcd")),
    ("claim_missing_by_constraint", "excluded", claims("12025550110"), ()),
    ("value_not_permitted", "valued", claims("12025550111", rcd={"nam": "Other"}), ()),
    ("private_claim_in_clear", "sealed", claims("12025550120", crn=SECRET), ()),
    ("claim_not_vetted", "unvetted", claims("12025550112", crn="x", foo=1),
     ("--profile", "vesper-06", "--allow-claim", "foo")),
    ("unknown_claim", "acme", {**BASE, "foo": 1}, ()),
    ("missing_claim", "acme", {"orig": {"tn": ACME}}, ()),
    ("missing_claim", "osp", {**BASE, "origid": ORIGID}, ("--ppt", "shaken")),
    ("invalid_claim", "acme", {**BASE, "dest": {"tn": DEST}}, ()),
    ("invalid_tn", "acme", claims("1800FLOWERS"), ()),
    ("stale_iat", "acme", {**BASE, "iat": 1443208345}, ()),
    ("unsupported_ppt", "acme", BASE, ("--ppt", "nope")),
    ("unsupported_ppt", "acme", SHAKEN, ("--ppt", "shaken", "--profile", "vesper-06")),
    ("credential_expired", "acme", {**BASE, "iat": 4102444800}, ("--at", "4102444800")),
    ("malformed_json", "acme", '{"orig":', ()),
    ("duplicate_member", "acme", '{"orig":{"tn":"1"},"orig":{"tn":"2"}}', ()),
]


def decide(machine: Machine, reason: str, claim: str | None, body: dict) -> None:
    answer = machine.ask("POST", "/v1/passports", body)
    equal(answer.reason, reason, answer.body.decode())
    equal(answer.status, answer.json["status"])
    if claim is not None:
        equal(answer.json.get("claim"), claim, "claim")
    dry = machine.ask("POST", "/v1/passports?dry_run=1", body)
    equal(dry.reason, reason, "dry run: " + dry.body.decode())


def count_moves(machine: Machine) -> None:
    """What the cases compare is a count that moves at once."""
    for n in range(20):
        with machine.untouched(signed=1):
            equal(machine.sign(ACME, tenant="acme").status, 200)


def refused(machine: Machine, reason: str, number: str, **more) -> http.Answer:
    """Asked for once more, it is refused for this reason, without the token."""
    with machine.untouched():
        answer = machine.sign(number, **more)
        equal(answer.reason, reason, answer.body.decode())
    return answer


def check(machine: Machine, reason: str | None, tenant: str, body, arguments: tuple) -> None:
    chain = machine.state("front", "tenants", tenant, "main", "current.pem")
    path = machine.dir / "claims.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    done = subprocess.run([str(BUILD / "vesper"), "check", "--json", "--cert", str(chain),
                           "--claims", str(path), *arguments], capture_output=True, text=True,
                          env={**os.environ, "VESPER_SOCKET": "/nonexistent"})
    equal(done.returncode, 0 if reason is None else 4, done.stdout + done.stderr)
    verdict = json.loads(done.stdout)
    equal((verdict["allow"], verdict["reason"]), (reason is None, reason), done.stdout)


def no_permitted_value_is_told(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports", {"claims": claims("12025550111",
                                                                    rcd={"nam": "Other"})})
    true("ACME Corp" not in answer.body.decode(), answer.body.decode())


# V-83
def good_ones_are_signed(machine: Machine) -> None:
    for body in ({"claims": claims("12025550110", crn="x")},
                 {"claims": claims("12025550111", rcd={"nam": "ACME Corp"})},
                 {"tenant": "twin1", "claims": claims("12025550113")},
                 {"tenant": "osp", "ppt": "shaken", "claims": {**SHAKEN, "attest": "B"}}):
        answer = machine.ask("POST", "/v1/passports", body)
        equal(answer.status, 200, answer.body.decode())


def commitments_are_proven(machine: Machine) -> None:
    """With the salt the value is signed, without it or with another value not."""
    def ask(number: str, value: str, query: str = "") -> http.Answer:
        return machine.ask("POST", f"/v1/passports{query}", {"claims": claims(number, crn=value)})
    equal(machine.ask("POST", "/v1/passports", {"claims": claims("12025550120")}).status, 200)
    with machine.untouched():
        equal(ask("12025550118", SECRET).reason, "commitment_not_provable")
        equal(ask("12025550119", "another").reason, "value_not_permitted")
    answer = ask("12025550119", SECRET)
    equal(answer.status, 200, answer.body.decode())
    record = [r for r in machine.audit() if r["request_id"] == answer.json["request_id"]]
    equal([r.get("entity") for r in record], ["entity-salted"])
    true(SECRET not in json.dumps(record), "the audit shows a private value")
    # A dry run is no oracle: right and wrong value get the same answer but for its id.
    told = []
    for value in (SECRET, "another"):
        dry = ask("12025550119", value, "?dry_run=1").json
        equal(dry.pop("reason"), "private_claim_in_clear")
        dry.pop("request_id")
        told.append(dry)
    equal(told[0], told[1])


def salts_are_nowhere_else(machine: Machine) -> None:
    """V-60: not in state, certificates, requests, logs, audit, nor in any answer."""
    forms = [SALT, SALT.hex().encode(), base64_bare(SALT).encode()]
    equal(machine.ask("GET", "/v1/credentials").status, 200)
    answers = [machine.ask("GET", "/v1/credentials").body, machine.ask("GET", "/v1/status").body]
    for path in machine.dir.rglob("*"):
        if path.is_file() and path.name != "crn.salts":
            answers.append(path.read_bytes())
    true(len(answers) > 20, "nothing was looked at")
    for data in answers:
        true(not any(form in data for form in forms), "a salt got out")


def rate_limited(machine: Machine) -> None:
    before = machine.signatures()
    answers = [machine.sign("12025550115") for _ in range(5)]
    limited = [a for a in answers if a.reason == "rate_limited"]
    equal(machine.signatures() - before, len(answers) - len(limited), "C_Sign")
    true(limited, str([(a.status, a.reason) for a in answers]))
    equal(limited[0].status, 429)


def ask_as(machine: Machine, uid: str, what: dict) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "curl", "-sS",
         "--unix-socket", machine.socket, "-H", "Content-Type: application/json", "-d",
         json.dumps({"claims": what}), "http://localhost/v1/passports"],
        capture_output=True, text=True)


# V-81
# RFC 8224 s6.1
def stranger_is_refused(machine: Machine) -> None:
    """Another user of the host; root gains nothing by being root."""
    if not is_root():
        return
    for uid in ("54322", "65534"):
        with machine.untouched():
            done = ask_as(machine, uid, BASE)
        if uid == "65534" and done.returncode != 0:
            continue  # the connection itself is refused
        equal(json.loads(done.stdout)["reason"], "caller_not_allowed", done.stdout)
    done = ask_as(machine, "54321", claims("12025550116"))
    true(json.loads(done.stdout).get("passport"), done.stdout)


# D-60
def number_pending(machine: Machine) -> None:
    """A number that was configured after the certificate was issued."""
    path = machine.config / "tenants.d/acme.conf"
    text = path.read_text()
    path.write_text(text.replace(f'"{ACME}" }}\n', f'"{ACME}", "12025550177" }}\n', 1))
    true(path.read_text() != text, "the configuration was not changed")
    machine.reload()
    refused(machine, "number_pending", "12025550177", tenant="acme")
    equal(machine.sign(ACME, tenant="acme").status, 200)
    path.write_text(text)
    machine.reload()


def number_removed(machine: Machine) -> None:
    """The right to sign is certificate and configuration together (D-60)."""
    path = machine.config / "tenants.d/twin1.conf"
    text = path.read_text()
    path.write_text(text.replace('numbers = { "12025550113" }', 'numbers = { "12025550178" }'))
    machine.reload()
    refused(machine, "tn_not_authorized", "12025550113", tenant="twin1")
    path.write_text(text)
    machine.reload()
    equal(machine.sign("12025550113", tenant="twin1").status, 200)


def numbers_by_command(machine: Machine, *args: str, stdin: str = "") -> str:
    done = subprocess.run(
        [str(BUILD / "vesper"), "tenant", "numbers", *args], input=stdin, text=True,
        env={**os.environ, "VESPER_ADMIN_SOCKET": machine.admin_socket}, timeout=60,
        capture_output=True, check=False)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


# D-60
def number_removed_by_command(machine: Machine) -> None:
    """At once, and whatever the files say at a reload, until it is added again."""
    said = numbers_by_command(machine, "remove", "twin1", "12025550113")
    equal(said, "twin1: 0 added, 1 removed, 0 numbers\n")
    refused(machine, "tn_not_authorized", "12025550113", tenant="twin1")
    machine.reload()
    refused(machine, "tn_not_authorized", "12025550113", tenant="twin1")
    true("by command 0 added, 1 removed" in numbers_by_command(machine, "list", "twin1"),
         "not listed as removed")
    equal(machine.sign("12025550113", tenant="twin2").status, 200, "another tenant's right")
    numbers_by_command(machine, "add", "twin1", "-", stdin="# back again\n12025550113 # this\n")
    equal(machine.sign("12025550113", tenant="twin1").status, 200)
    equal(numbers_by_command(machine, "list", "twin1").splitlines()[1:], ["12025550113"])


def number_pending_by_command(machine: Machine) -> None:
    """Configured at once; the certificate that covers it is still to come."""
    numbers_by_command(machine, "add", "twin1", "12025550176-12025550177")
    refused(machine, "number_pending", "12025550177", tenant="twin1")
    equal(machine.sign("12025550113", tenant="twin1").status, 200)
    listed = http.request(machine.admin_socket, "GET", "/v1/tenants/twin1/numbers").json
    equal((listed["count"], listed["added"], listed["pending"]), (3, 2, 2))
    true(listed["renumber_at"] is not None, "nothing is gathered")
    numbers_by_command(machine, "remove", "twin1", "12025550176-12025550177")
    refused(machine, "tn_not_authorized", "12025550177", tenant="twin1")


# method, path and body on the administration socket, status, reason
NUMBERS_REFUSED = [
    ("GET", "/v1/tenants/nobody/numbers", None, 404, "not_found"),
    ("POST", "/v1/tenants/nobody/numbers", {"add": ["1"]}, 404, "not_found"),
    ("GET", "/v1/tenants/twin1/numbers?after=", None, 400, "invalid_tn"),
    ("GET", "/v1/tenants/twin1/numbers?after=+1", None, 400, "invalid_tn"),
    ("GET", "/v1/tenants/twin1/numbers?before=1", None, 400, "invalid_member"),
    ("POST", "/v1/tenants/twin1/numbers", {}, 400, "missing_member"),
    ("POST", "/v1/tenants/twin1/numbers", {"add": []}, 400, "missing_member"),
    ("POST", "/v1/tenants/twin1/numbers", {"add": "1"}, 400, "invalid_member"),
    ("POST", "/v1/tenants/twin1/numbers", {"remove": [1]}, 400, "invalid_member"),
    ("POST", "/v1/tenants/twin1/numbers", {"add": ["1"], "set": ["2"]}, 400, "unknown_member"),
    ("POST", "/v1/tenants/twin1/numbers", {"add": ["1"] * 2049}, 413, "too_large"),
    ("PUT", "/v1/tenants/twin1/numbers", {"add": ["1"]}, 405, "method_not_allowed"),
    ("POST", "/v1/tenants/nobody/failover", {"credential": "main"}, 404, "not_found"),
    ("POST", "/v1/tenants/twin1/failover", {}, 400, "missing_member"),
    ("POST", "/v1/tenants/twin1/failback", {"credential": ["main"]}, 400, "invalid_member"),
    ("POST", "/v1/tenants/twin1/failover", {"credential": "main", "to": "x"}, 400,
     "unknown_member"),
    ("GET", "/v1/tenants/twin1/failover", None, 405, "method_not_allowed"),
]


def numbers_refused(machine: Machine) -> None:
    for method, path, body, status, reason in NUMBERS_REFUSED:
        answer = http.request(machine.admin_socket, method, path, body)
        equal((answer.status, answer.reason), (status, reason), f"{method} {path} {body!r:.60}")
    for body, reason in (({"add": ["1202555O100"]}, "invalid_tn"),
                         ({"remove": ["2-1"]}, "invalid_tn"),
                         ({"add": ["15"], "remove": ["10-19"]}, "invalid_member")):
        job = http.request(machine.admin_socket, "POST", "/v1/tenants/twin1/numbers", body).json
        done = wait_for("the job", lambda j=job: (lambda a: a if a["state"] != "running" else None)(
            http.request(machine.admin_socket, "GET", f"/v1/jobs/{j['job']}").json), 30)
        equal((done["state"], done["reason"]), ("failed", reason), str(body))
    equal(machine.ask("POST", "/v1/tenants/twin1/numbers", {"add": ["1"]}).status, 404,
          "the callers' socket")
    equal(numbers_by_command(machine, "list", "twin1").splitlines()[1:], ["12025550113"])


def failed_reload(machine: Machine) -> None:
    """Why it failed names a tenant and its file: no other caller's business."""
    path = machine.config / "tenants.d/twin1.conf"
    text = path.read_text()
    path.write_text("oops")
    machine.reload("failed")
    true("twin1.conf" in machine.status()["reload"]["detail"], machine.status()["reload"])
    seen = machine.status(admin=False)["reload"]
    equal((seen["ok"], seen["detail"]), (False, None))
    equal(machine.sign(ACME, tenant="acme").status, 200)
    path.write_text(text)
    machine.reload()


# D-17
def identity_too_large(machine: Machine) -> None:
    many = {"orig": {"tn": ACME}, "dest": {"uri": [f"sip:{i:02d}{'a' * 240}@example.com" for i in range(16)]}}
    answer = machine.ask("POST", "/v1/passports", {"tenant": "acme", "claims": many})
    equal(answer.reason, "identity_too_large", answer.body.decode())


# V-11, V-72
def sct_policy(machine: Machine) -> None:
    path = machine.config / "ct-logs.json"
    text = path.read_text()
    logs = json.loads(text)
    for operator in logs["operators"]:
        for log in operator["logs"]:
            log["state"] = {"rejected": {"timestamp": "2026-01-01T00:00:00Z"}}
    path.write_text(json.dumps(logs))
    machine.reload()
    refused(machine, "sct_policy", ACME, tenant="acme")
    path.write_text(text)
    machine.reload()
    wait_for("signing again", lambda: machine.sign(ACME, tenant="acme").status == 200, 10)


def set_file_limit(pid: int, limit: str) -> None:
    """The soft limit of a process on the size of files, set as its own user."""
    uid, gid = (process.status_field(pid, f).split()[0] for f in ("Uid", "Gid"))
    user = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"] if is_root() else []
    subprocess.run([*user, "prlimit", f"--pid={pid}", f"--fsize={limit}:"], check=True)


def audit_unavailable(machine: Machine) -> None:
    """The disk takes nothing more: refused, and back when it does."""
    front = process.roles(machine.agent.pid)["front"][0]
    before = machine.signatures()
    set_file_limit(front, "1")
    try:
        answers = [machine.sign(ACME, tenant="acme") for _ in range(4)]
        equal([a.status for a in answers if a.status == 200], [], "signed without an audit record")
        equal(answers[-1].reason, "audit_unavailable", answers[-1].body.decode())
        true("retry-after" in answers[-1].headers, "no Retry-After")
        # A request whose record was under way when the disk failed may have reached
        # the token; its signature was not given out.  Those refused after it do not.
        true(machine.signatures() - before <= 1, "refused requests reached the token")
        refused(machine, "audit_unavailable", ACME, tenant="acme")
    finally:
        set_file_limit(front, "unlimited")
    wait_for("signing again", lambda: machine.sign(ACME, tenant="acme").status == 200, 10)


def hsm_timeout_and_overloaded(machine: Machine) -> None:
    signers = process.roles(machine.agent.pid)["signer"]
    before = machine.signatures()
    for pid in signers:
        os.kill(pid, signal.SIGSTOP)
    body = json.dumps({"tenant": "acme", "claims": BASE}).encode()
    callers = [http.UnixConnection(machine.socket) for _ in range(MANY)]
    for caller in callers:
        caller.request("POST", "/v1/passports", body, {"Content-Type": "application/json"})
    answers = [http.answer_of(caller.getresponse()) for caller in callers]
    for caller in callers:
        caller.close()
    for pid in signers:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # it was replaced, as a hung one must be
    reasons = {a.reason for a in answers}
    equal({a.status for a in answers}, {503}, str(reasons))
    true("overloaded" in reasons, f"nobody was told at once: {reasons}")
    true("hsm_timeout" in reasons, f"nobody met the deadline: {reasons}")
    true(all("retry-after" in a.headers for a in answers), "no Retry-After")
    # Those that met the deadline were at a signer; who was told at once was not.
    late = sum(a.reason == "hsm_timeout" for a in answers)
    true(machine.signatures() - before <= late, "overloaded requests reached the token")
    wait_for("signing again", lambda: machine.sign(ACME, tenant="acme").status == 200, 15)


def hsm_unavailable(machine: Machine) -> None:
    token, away = machine.dir / "token", machine.dir / "token-away"
    token.rename(away)
    for role in ("signer", "admin"):
        for pid in process.roles(machine.agent.pid).get(role, []):
            with contextlib.suppress(ProcessLookupError):  # it may leave by itself
                os.kill(pid, signal.SIGKILL)
    answer = wait_for("hsm_unavailable", lambda: (
        a if (a := machine.sign(ACME, tenant="acme")).reason == "hsm_unavailable" else None), 15)
    equal(answer.status, 503)
    refused(machine, "hsm_unavailable", ACME, tenant="acme")
    away.rename(token)
    wait_for("signing again", lambda: machine.sign(ACME, tenant="acme").status == 200, 30)


def disabled_without_the_token(machine: Machine) -> None:
    """An operator's disabling does not wait for keys that no signer can learn."""
    again, off = (machine.config / f"tenants.d/{name}.conf" for name in ("valued", "twin2"))
    texts = again.read_text(), off.read_text()
    again.unlink()
    machine.reload()
    token, away = machine.dir / "token", machine.dir / "token-away"
    token.rename(away)
    try:
        for pid in process.roles(machine.agent.pid).get("signer", []):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for("hsm_unavailable",
                 lambda: machine.sign(ACME, tenant="acme").reason == "hsm_unavailable", 15)
        again.write_text(texts[0])  # a credential whose key has to be learnt
        off.write_text(texts[1].replace("\n", "\n\tenabled = no\n", 1))
        machine.agent.send_signal(signal.SIGHUP)
        wait_for("tenant_disabled", lambda: machine.sign(
            "12025550113", tenant="twin2").reason == "tenant_disabled", 3)
        refused(machine, "tenant_disabled", "12025550113", tenant="twin2")
        answer = machine.sign("12025550111", claims={"rcd": {"nam": "ACME Corp"}})
        equal(answer.reason, "hsm_unavailable", answer.body.decode())
    finally:
        away.rename(token)
        off.write_text(texts[1])
    wait_for("signing again", lambda: machine.sign(
        "12025550111", claims={"rcd": {"nam": "ACME Corp"}}).status == 200, 30)
    machine.reload()


# V-27
def credential_unusable_and_expired(machine: Machine) -> None:
    """Without the lab nothing is renewed: one file is spoilt, one certificate runs out."""
    machine.control("POST", "/config", {"ca": {"backdate": 1, "lifetime": {"delegate": 12}}})
    machine.write_tenant("short", machine.enterprise("short", ("12025550117",)))
    machine.reload()
    machine.wait_ready("short")
    machine.stop_lab()
    machine.stop_agent()
    chain = machine.state("front", "tenants", "valued", "main", "current.pem")
    chain.write_text(chain.read_text()[:300])
    machine.start_agent()
    wait_for("signing", lambda: machine.sign(ACME, tenant="acme").status == 200, 10)
    refused(machine, "credential_unusable", "12025550111")
    answer = wait_for("the end of the short certificate", lambda: (
        a if (a := machine.sign("12025550117")).status != 200 else None), 20)
    equal((answer.status, answer.reason), (403, "credential_expired"))
    refused(machine, "credential_expired", "12025550117")


def every_token_has_a_case() -> None:
    text = (TOP / "stir/fault.h").read_text()
    tokens = set(re.findall(r'X\([A-Z0-9_]+, "([a-z_]+)", \d+\)', text))
    true(len(tokens) > 30, "the tokens were not found in stir/fault.h")
    here = {row[0] for row in DECISIONS} | {row[0] for row in CHECKS} | set(ELSEWHERE)
    here |= {row[5] for row in test_routes.REQUESTS}
    here |= {"rate_limited", "number_pending", "identity_too_large", "sct_policy",
             "audit_unavailable", "hsm_timeout", "overloaded", "hsm_unavailable",
             "commitment_not_provable",
             "credential_unusable", "credential_expired"}
    here |= set(test_routes.FRAME_REASONS)
    equal(sorted(tokens - here), [], "tokens without a case")


def main() -> int:
    cases = Cases("reasons")
    cases.case("every_token_has_a_case", every_token_has_a_case)
    with Machine() as machine:
        machine.kills = True  # hung signers, a token that is away
        machine.start(tenants, wait=False, max_waiting=4, request_timeout_ms=1500)
        machine.wait_ready(*(set(tenants(machine)) - {"off"}), timeout=90)
        cases.case("count_moves", count_moves, machine)
        for reason, claim, body in DECISIONS:
            cases.refusal(f"{reason}: {body}", decide, machine, reason, claim, body)
        for reason, tenant, body, arguments in CHECKS:
            cases.refusal(f"check {tenant} {arguments}: {reason}", check, machine, reason, tenant,
                          body, arguments)
        for function in (no_permitted_value_is_told, identity_too_large):
            cases.refusal(function.__name__, function, machine)
        for function in (good_ones_are_signed, commitments_are_proven, salts_are_nowhere_else,
                         rate_limited, stranger_is_refused, number_pending,
                         number_removed_by_command, number_pending_by_command,
                         numbers_refused, number_removed, failed_reload, sct_policy, audit_unavailable,
                         hsm_timeout_and_overloaded,
                         hsm_unavailable, disabled_without_the_token, credential_unusable_and_expired):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
