"""ACME accounts as operators change them, the token of one lost, a tenant's end.

A provider and an enterprise share an account at the lab's CA.  Its contacts
are told anew, its key is changed, also where the answer gets lost and the agent
is killed, its URL is forgotten, its token is lost, it is deactivated; each time
certificates are in force throughout and the next ones come by the account.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from cases import Cases, equal, true
from world import unixhttp as http
from world.machine import Machine, quote, wait_for
from world.steps import keys_in_token

SLOW = 1.0 if os.environ.get("SANITIZER", "no") == "no" else 4.0
TENANTS = ("osp", "acme")


def shown(machine: Machine) -> dict:
    return json.loads(machine.good("account", "show", "lab", "--json"))


def registered(machine: Machine) -> list[dict]:
    """The accounts as the CA has them, in the order of their registration."""
    path = machine.lab_dir / "ca" / "state.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT body FROM document WHERE kind = 'account' ORDER BY rowid").fetchall()
    return [json.loads(body) for body, in rows]


def log_of(machine: Machine, endpoint: str, since: int = 0) -> list[int]:
    """The statuses of what was asked there."""
    return [line["status"] for line in machine.control("GET", f"/log?since={since}")["log"]
            if line["endpoint"] == endpoint]


def log_end(machine: Machine) -> int:
    return max((line["seq"] for line in machine.control("GET", "/log")["log"]), default=0)


def signs(machine: Machine) -> None:
    answer = machine.sign("12025550100", tenant="acme")
    equal(answer.status, 200, answer.body.decode())


def renewed(machine: Machine, *tenants: str) -> None:
    """By the account as it is now."""
    time.sleep(1.1)  # one of the same second does not end after the present one: refused
    before = {t: machine.credential(t)["serial"] for t in tenants}
    for tenant in tenants:
        machine.good("cert", "renew", f"{tenant}/main")
    for tenant in tenants:
        wait_for(f"another certificate of {tenant}",
                 lambda t=tenant: machine.credential(t)["serial"] not in (None, before[t]),
                 60 * SLOW)
    signs(machine)


def planned(machine: Machine) -> None:
    """All sign, and the renewer knows when each is due."""
    wait_for("the plan", lambda: all(
        (c := machine.credential(t)) and c["state"] == "ready" and c["next_renewal"]
        for t in TENANTS), 60 * SLOW)


def restart(machine: Machine, how: int = signal.SIGTERM) -> None:
    machine.stop_agent(how)
    machine.start_agent()
    planned(machine)


# ---- the world ----

def make_second_token(machine: Machine) -> None:
    tokens = machine.dir / "token2"
    tokens.mkdir()
    common = "objectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    (machine.config / "second.conf").write_text(f"directories.tokendir = {tokens}\n" + common)
    (machine.config / "second-agent.conf").write_text(
        "directories.tokendir = ../token2\n" + common)
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "second", "--pin",
                    machine.pin, "--so-pin", machine.so_pin], check=True, capture_output=True,
                   env={**os.environ, "SOFTHSM2_CONF": str(machine.config / "second.conf")})
    lock = machine.dir / "second.lock"
    lock.touch()
    machine.give(lock, "hsm_user", 0o600)
    for path in tokens.rglob("token.object"):
        shutil.copy2(path, path.parent / "token.object.copy")
    machine.give(tokens, "hsm_user", 0o700)
    with open(machine.config / "vesperd.conf", "a", encoding="utf-8") as conf:
        conf.write(f'token "second" {{\n\tmodule = {quote(machine.module)}\n'
                   '\tlabel = "second"\n\tpin = "file:secrets/pin"\n'
                   '\tlock_file = "../second.lock"\n'
                   '\tenvironment = { "SOFTHSM2_CONF=second-agent.conf" }\n}\n')


def tenants(machine: Machine) -> dict[str, str]:
    """Their keys are in another token than the account's."""
    make_second_token(machine)
    return {name: text.replace('token = "main"', 'token = "second"')
            for name, text in (("osp", machine.provider()), ("acme", machine.enterprise()))}


# ---- contacts, key, URL ----

# RFC 8555 s7.3.2
def contacts(machine: Machine) -> None:
    equal(registered(machine)[0]["contact"], ["mailto:noc@example.net"])
    conf = machine.config / "vesperd.conf"
    conf.write_text(conf.read_text().replace("mailto:noc@", "mailto:pki@"))
    machine.reload()
    out = machine.good("account", "update", "lab")
    true("contact: done" in out, out)
    equal([a["contact"] for a in registered(machine)], [["mailto:pki@example.net"]])
    renewed(machine, "osp")


def account_keys(machine: Machine) -> list[dict]:
    return [{m: a["jwk"][m] for m in ("x", "y")} for a in registered(machine)]


# RFC 8555 s7.3.5
def another_key(machine: Machine) -> None:
    before, keys = shown(machine), account_keys(machine)
    out = json.loads(machine.good("account", "rekey", "lab", "--json"))
    equal(out["job"]["state"], "done")
    for form in ("jwk_fingerprint", "spki_fingerprint"):
        true(out[form] != before[form], f"the same {form}")
    equal(account_keys(machine), [{m: out["jwk"][m] for m in ("x", "y")}])
    true(account_keys(machine) != keys, "the CA has another key")
    renewed(machine, *TENANTS)
    equal(len(registered(machine)), 1, "accounts")


# RFC 8555 s6.5
def another_key_and_bad_nonces(machine: Machine) -> None:
    """Not signed twice unasked: after each the CA is asked what it has, and that takes no time."""
    before, since = shown(machine), log_end(machine)
    machine.control("POST", "/faults", {"endpoint": "key-change", "action": "status",
                                        "status": 400, "problem": "badNonce", "count": 3})
    out = json.loads(machine.good("account", "rekey", "lab", "--json"))
    equal((out["job"]["state"], out["job"]["answer"]), ("done", ""))
    true(out["jwk_fingerprint"] != before["jwk_fingerprint"], "the same key")
    equal(account_keys(machine), [{m: out["jwk"][m] for m in ("x", "y")}])
    equal([*log_of(machine, "key-change", since)], [400, 400, 400, 200])
    equal(log_of(machine, "new-account", since)[:3], [400, 400, 400])  # it has not


# RFC 8555 s7.3.5
def killed_in_between(machine: Machine) -> None:
    """The CA has the new key, nobody heard of it, and the agent is killed."""
    before, since = shown(machine), log_end(machine)
    machine.control("POST", "/faults", {"endpoint": "key-change", "action": "drop-after",
                                        "count": 1})
    http.request(machine.admin_socket, "POST", "/v1/accounts/lab/key", b"")
    wait_for("the change", lambda: machine.control("GET", "/faults")["faults"] == [], 30 * SLOW)
    machine.stop_agent(signal.SIGKILL)
    machine.start_agent()
    job = shown(machine)["job"]
    equal(job["what"], "key")
    wait_for("the end of it", lambda: shown(machine)["job"]["state"] != "outstanding", 90 * SLOW)
    after = shown(machine)
    equal(after["job"]["state"], "done")
    true(after["jwk_fingerprint"] != before["jwk_fingerprint"], "the key")
    equal(account_keys(machine), [{m: after["jwk"][m] for m in ("x", "y")}])
    true(log_of(machine, "new-account", since)[0] == 200, "it is found by the new key")
    planned(machine)
    renewed(machine, *TENANTS)


# RFC 8555 s7.3.5
def refused_by_the_ca(machine: Machine) -> None:
    """The key that is there stays, the other one goes, and why is told."""
    before = shown(machine)
    machine.control("POST", "/faults", {"endpoint": "key-change", "action": "status",
                                        "status": 403, "problem": "unauthorized"})
    done = machine.vesper("account", "rekey", "lab")
    equal(done.returncode, 4, done.stdout + done.stderr)
    true("acme_unauthorized" in done.stdout, done.stdout)
    machine.control("DELETE", "/faults")
    equal(shown(machine)["jwk_fingerprint"], before["jwk_fingerprint"])
    renewed(machine, "osp")


# RFC 8555 s7.3.1
def url_forgotten(machine: Machine) -> None:
    """The key is known, the URL is not: found, not opened once more, and without a binding."""
    accounts = registered(machine)
    machine.stop_agent()
    shutil.rmtree(machine.state("renewer", "accounts"))
    since = log_end(machine)
    machine.start_agent()
    planned(machine)
    renewed(machine, "osp")
    equal(registered(machine), accounts)
    equal(log_of(machine, "new-account", since), [200])


# ---- the token of the account is lost ----

# docs/HSM.md: "When the token with an ACME account's key is lost"
def token_lost(machine: Machine) -> None:
    """Credentials in the other token go on, and are renewed by an account whose key is there."""
    conf = machine.config / "vesperd.conf"
    before = shown(machine)
    # All of it is gone for good.
    machine.stop_agent()
    shutil.rmtree(machine.dir / "token")
    (machine.dir / "token").mkdir()
    machine.give(machine.dir / "token", "hsm_user", 0o700)
    machine.start_agent()
    wait_for("a signature", lambda: machine.sign("12025550100", tenant="acme").status == 200,
             60 * SLOW)
    planned(machine)
    serial = machine.credential("acme")["serial"]
    machine.good("cert", "renew", "acme/main")
    wait_for("why it is not renewed", lambda: machine.credential("acme")["detail"], 60 * SLOW)
    equal(machine.credential("acme")["serial"], serial)
    signs(machine)
    # 1. and 2. of the steps; the binding may be used again at the lab.
    text = conf.read_text()
    at = text.index('ca "lab"')
    conf.write_text(text[:at] + text[at:].replace('token = "main"', 'token = "second"', 1))
    machine.reload()
    out = json.loads(machine.good("account", "replace", "--yes", "lab", "--json"))
    true(out["jwk_fingerprint"] != before["jwk_fingerprint"], "another key")
    for tenant in TENANTS:
        machine.good("cert", "renew", f"{tenant}/main")
    wait_for("the next certificate", lambda: machine.credential("acme")["serial"] != serial,
             90 * SLOW)
    signs(machine)
    accounts = registered(machine)
    equal([a["status"] for a in accounts], ["valid", "valid"])
    equal(account_keys(machine)[1], {m: out["jwk"][m] for m in ("x", "y")})


# ---- the end of an account ----

# RFC 8555 s7.3.6
def deactivated(machine: Machine) -> None:
    """Nothing is ordered any more, every credential says why, and what is in force signs on."""
    equal(machine.vesper("account", "deactivate", "lab").returncode, 2)
    out = machine.good("account", "deactivate", "--yes", "lab")
    true("deactivated" in out, out)
    equal([a["status"] for a in registered(machine)], ["valid", "deactivated"])
    since = log_end(machine)
    for tenant in TENANTS:
        machine.good("cert", "renew", f"{tenant}/main")
        wait_for(f"{tenant} says so: {machine.credential(tenant)['problems']}", lambda t=tenant: (
            "account_deactivated" in json.dumps(machine.credential(t)["problems"])), 30 * SLOW)
    signs(machine)
    equal(log_of(machine, "new-order", since), [])
    restart(machine)
    equal(shown(machine)["status"], "deactivated")
    equal(machine.vesper("account", "rekey", "lab").returncode, 4)
    machine.good("account", "replace", "--yes", "lab")
    renewed(machine, *TENANTS)
    equal([a["status"] for a in registered(machine)], ["valid", "deactivated", "valid"])
    for tenant in TENANTS:
        true("account_deactivated" not in json.dumps(machine.credential(tenant)["problems"]),
             "it is over")


# ---- the end of a tenant ----

def keys(machine: Machine) -> set[str]:
    """Of the second token, by another program's account; the agent is down."""
    return set(keys_in_token(machine, "second", {
        **os.environ, "SOFTHSM2_CONF": str(machine.config / "second.conf")}))


def key_in_force(machine: Machine, tenant: str) -> str:
    history = json.loads(machine.good("cert", "history", f"{tenant}/main", "--json"))
    return history["certificates"][0]["key"]


def ended(machine: Machine) -> None:
    """Whatever its file says, and nobody else."""
    answer = machine.sign("12025550100", tenant="acme")
    equal((answer.status, answer.reason), (403, "tenant_disabled"))
    wait_for("the other one", lambda: (machine.credential("osp") or {}).get("signable"),
             60 * SLOW)


def killed(machine: Machine) -> set[str]:
    """The keys that are there, and the tenant as before, after a reload as well."""
    machine.stop_agent(signal.SIGKILL)
    there = keys(machine)
    machine.start_agent()
    ended(machine)
    machine.reload()
    ended(machine)
    return there


def off(machine: Machine, *args: str) -> tuple[int, dict]:
    done = machine.vesper("tenant", "offboard", "acme", *args, "--json")
    return done.returncode, json.loads(done.stdout or "{}")


def off_is(machine: Machine, state: str, *trail: str) -> None:
    """Both are waited for: what is killed next has told all of it."""
    wait_for(state, lambda: off(machine, "--status")[1].get("state") == state, 120 * SLOW)
    wait_for(f"the trail of {state}", lambda: list(trail) == [
        line["event"] for line in machine.audit() if line["event"].startswith("offboard")],
        30 * SLOW)


# RFC 8555 s7.6
def offboarded(machine: Machine) -> None:
    """Nothing is signed at once; the CA is down, comes back, revokes; keys go when confirmed."""
    signs(machine)
    serial, key = machine.credential("acme")["serial"], key_in_force(machine, "acme")
    other = key_in_force(machine, "osp")
    machine.stop_lab()
    http.request(machine.admin_socket, "POST", "/v1/tenants/acme/offboarding",
                 {"confirm": "acme"})
    off_is(machine, "revoking", "offboard")
    ended(machine)
    equal(off(machine, "--destroy-keys", "--yes")[0], 4, "before its certificate is revoked")
    equal(machine.vesper("cert", "renew", "acme/main").returncode, 4, "nothing is ordered")
    true(key in killed(machine), "the key waits")
    machine.start_lab()
    off_is(machine, "revoked", "offboard", "offboard_revoked")
    equal(revocation_at_ca(machine, serial)["reason"], 5)
    true(key in killed(machine), "the key waits for its confirmation")
    true(off(machine, "--destroy-keys", "--yes")[0] in (0, 3), "confirmed")
    off_is(machine, "destroyed", "offboard", "offboard_revoked", "offboard_confirmed",
           "offboarded")
    there = killed(machine)
    equal((key in there, other in there), (False, True), "its key, and another one's")
    machine.good("tenant", "offboard", "acme", "--take-back")
    wait_for("it begins anew", lambda: machine.sign("12025550100", tenant="acme").status == 200,
             90 * SLOW)
    true(key_in_force(machine, "acme") != key, "another key")
    equal(off(machine, "--status")[0], 6)


def revocation_at_ca(machine: Machine, serial: str) -> dict:
    path = machine.lab_dir / "ca" / "state.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = [json.loads(body) for body, in db.execute(
            "SELECT body FROM document WHERE kind = 'certificate'")]
    return next(row["revoked"] for row in rows if int(row["serial"], 16) == int(serial, 16))


def usage(machine: Machine) -> None:
    for args, status in ((("show",), 2), (("rekey", "none"), 6), (("update", "lab", "x"), 2),
                         (("rekey", "--yes", "lab"), 2), (("replace", "lab"), 2),
                         (("show", "../lab"), 2), (("close", "lab"), 2)):
        equal(machine.vesper("account", *args).returncode, status, str(args))
    for path in ("accounts/lab/key", "accounts/lab/deactivate", "tenants/acme/offboarding",
                 "tenants/acme/offboarding/destroy-keys"):
        equal(machine.ask("POST", f"/v1/{path}", b"").status, 404, "not for callers")


def main() -> int:
    cases = Cases("account")
    with Machine() as machine:
        machine.kills = True
        machine.start(tenants)
        cases.case("usage", usage, machine)
        for function in (contacts, another_key, another_key_and_bad_nonces, killed_in_between,
                         refused_by_the_ca, url_forgotten, token_lost, deactivated, offboarded):
            cases.case(function.__name__.replace("_", " "), function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
