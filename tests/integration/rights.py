"""The right to use numbers: asked now, refused and granted again, and numbers that move away."""

from __future__ import annotations

import json
import os
import time

from cases import Cases, equal, true
from world import unixhttp as http
from world.machine import Machine, quote, wait_for

PATH = "/account/osp/"
ORIGID = "123e4567-e89b-12d3-a456-426655440000"
STAYS, GOES = "12025550100", "12025550101"
# What the lab's authority does to a token -> the check of the report that says so.
TOKENS = {
    "tkvalue": "tkvalue", "fingerprint": "fingerprint", "tktype": "tktype", "ca": "ca",
    "expired": "exp", "untrusted": "chain", "bad-signature": "signature", "unregistered": None,
}
# Whatever else an authority does: no refusal of the right to use.
PASSING = (
    {"action": "status", "status": 500}, {"action": "status", "status": 429, "retry_after": 1},
    {"action": "status", "status": 401, "problem": "unauthorized"},
    {"action": "status", "status": 404, "problem": "unauthorized"},
    {"action": "status", "status": 403, "problem": "rateLimited"},
    {"action": "status", "status": 403, "problem": "userActionRequired"},
    {"action": "drop"}, {"action": "garbage"}, {"action": "wrong", "what": "tkvalue"},
)
REFUSED = {"action": "status", "status": 403, "problem": "unauthorized"}


def tenants(machine: Machine) -> dict[str, str]:
    movable = "\n".join([
        'tenant "acme" {', f'\tnumbers = {{ "{STAYS}", "{GOES}" }}', "\trenumber_window_s = 0",
        "\tport_revoke_after = 0", f'\tallow_user = {{ "{os.geteuid()}" }}',
        '\tcredential "main" {', '\t\tprofile = "atis-delegate"', '\t\ttoken = "main"',
        '\t\tca = "lab"', '\t\tauthority = "numbers"',
        f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}",
        '\t\tpublish_dir = "../lab/www/certs"', "\t}", "}", ""])
    return {"osp": machine.provider(on_rtu_refused="stop"), "acme": movable,
            "vetted": machine.enterprise("vetted")}


def fault(machine: Machine, rule: dict) -> None:
    machine.control("DELETE", "/faults")
    machine.control("POST", "/faults", {"endpoint": "token", "match": PATH, **rule})


def sign(machine: Machine):
    return machine.sign(STAYS, tenant="osp", ppt="shaken", claims={"attest": "A", "origid": ORIGID})


def serial(machine: Machine, tenant: str = "osp") -> str | None:
    return (machine.credential(tenant) or {}).get("serial")


def alarms(machine: Machine) -> set[str]:
    return {a["alarm"] for a in machine.status()["alarms"] if a["tenant"] == "osp"}


def renewed(machine: Machine, before: str | None) -> None:
    """In a second of its own: one that ends with the present one is not put in force."""
    second = machine.credential("osp")["not_before"] + 62  # the lab dates them a minute back
    wait_for("another second", lambda: time.time() > second, 10)
    equal(machine.vesper("cert", "renew", "osp/main").returncode, 0)
    wait_for(f"another certificate: {machine.credential('osp')}",
             lambda: serial(machine) not in (None, before), 60)


# ---- vesper token fetch ----


def fetched(machine: Machine) -> None:
    """A good report; nothing is kept, ordered or put in force by it."""
    before, kept = serial(machine), sorted(machine.state("renewer", "tokens").glob("*"))
    since = max((r["seq"] for r in machine.control("GET", "/log?since=0")["log"]), default=0)
    done = machine.vesper("token", "fetch", "osp/main", "--json")
    equal(done.returncode, 0, done.stderr)
    report = json.loads(done.stdout)
    equal((report["good"], report["authority"], report["tktype"]), (True, "providers", "TNAuthList"))
    true("token" not in report, "the token itself is nobody's")
    equal({c["check"]: c["verdict"] for c in report["checks"]}["signature"], "good")
    asked = [r["endpoint"] for r in machine.control("GET", f"/log?since={since}")["log"]]
    equal([e for e in asked if e in ("token", "new-order", "challenge")], ["token"])
    equal((serial(machine), sorted(machine.state("renewer", "tokens").glob("*"))), (before, kept))
    machine.wait_ready("vetted")
    done = machine.vesper("token", "fetch", "vetted/main", "--claims")
    equal(done.returncode, 0, done.stdout + done.stderr)
    true("JWTClaimConstraints" in done.stdout, done.stdout)


def fetched_wrong(machine: Machine, what: str, check: str | None) -> None:
    fault(machine, {"action": "wrong", "what": what})
    done = machine.vesper("token", "fetch", "osp/main", "--json")
    machine.control("DELETE", "/faults")
    if check is None:  # no issuers are listed for it: whoever the anchors vouch for
        equal(done.returncode, 0, done.stdout)
        return
    equal(done.returncode, 4, done.stdout + done.stderr)
    if check == "tktype":  # nothing of that type is asked for: there is nothing to compare with
        equal(json.loads(done.stdout)["error"]["reason"], "authtoken_tktype")
        return
    bad = [c["check"] for c in json.loads(done.stdout)["checks"] if c["verdict"] == "bad"]
    true(check in bad, f"{what}: {bad}")


def fetched_not(machine: Machine) -> None:
    fault(machine, REFUSED)
    done = machine.vesper("token", "fetch", "osp/main")
    equal(done.returncode, 4, done.stderr)
    true("rtu_refused" in done.stderr, done.stderr)
    fault(machine, {"action": "drop"})
    done = machine.vesper("token", "fetch", "osp/main")
    equal(done.returncode, 1, done.stderr)
    machine.control("DELETE", "/faults")
    equal(alarms(machine) & {"rtu_withdrawn"}, set(), "a report stops nobody")
    equal(sign(machine).status, 200)
    for name, status in (("kiosk/main", 4), ("desk/main", 4), ("osp/other", 6), ("osp", 2)):
        done = machine.vesper("token", "fetch", name)
        equal(done.returncode, status, f"{name}: {done.stderr}")
    equal(machine.vesper("token", "fetch", "osp/main", "--claims").returncode, 4)


# ---- rtu_withdrawn ----


def failures(machine: Machine) -> int:
    return sum(machine.credential("osp")["renewal"][name] for name in ("attempts", "refusals"))


def told(machine: Machine, rule: dict) -> None:
    """It fails, and that is said; asked again, lest the renewal before was not quite over."""
    wait_for("the last success to be told", lambda: failures(machine) == 0, 30)
    fault(machine, rule)
    end = time.monotonic() + 60
    while failures(machine) == 0:
        true(time.monotonic() < end, f"{rule} is no failure")
        equal(machine.vesper("cert", "renew", "osp/main").returncode, 0)
        time.sleep(0.3)


def passing(machine: Machine, rule: dict) -> None:
    before = serial(machine)
    told(machine, rule)
    time.sleep(0.2)
    equal(alarms(machine) & {"rtu_withdrawn"}, set())
    equal(sign(machine).status, 200)
    machine.control("DELETE", "/faults")
    renewed(machine, before)


def asked_until_signing(machine: Machine) -> None:
    """A renewal that was under way when the authority changed its mind is refused once more."""
    end = time.monotonic() + 90
    while sign(machine).status != 200:
        true(time.monotonic() < end, "still refused")
        equal(machine.vesper("cert", "renew", "osp/main").returncode, 0)
        time.sleep(1)


def minutes_pass(machine: Machine) -> None:
    """The first refusal is ten minutes old: by what is on disk."""
    machine.stop_agent()
    path = machine.state("front", "rtu", "osp.main.json")
    row = json.loads(path.read_text())
    equal(row["confirmed"], 0)
    row["since"] -= 600
    path.write_text(json.dumps(row))
    machine.start_agent()
    wait_for("its state after a restart",
             lambda: (machine.credential("osp") or {}).get("state") == "ready", 60)


def again(machine: Machine) -> None:
    """Right after a start the renewer has no plan yet, and is asked until it has."""
    def stops() -> bool:
        machine.vesper("cert", "renew", "osp/main")
        return sign(machine).reason == "rtu_withdrawn"
    wait_for("the end of signing", stops, 60)


def withdrawn(machine: Machine) -> None:
    """Refused definitely, twice: it stops, stays so over kill -9, and ends by the authority's grant."""
    told(machine, REFUSED)
    before = serial(machine)
    wait_for("the alarm", lambda: "rtu_withdrawn" in alarms(machine), 30)
    equal(sign(machine).status, 200, "once is the alarm alone")
    minutes_pass(machine)
    again(machine)
    shown = machine.credential("osp")
    equal((shown["signable"], shown["serial"]), (False, before))
    true("rtu_withdrawn" in [p["problem"] for p in shown["problems"]], str(shown["problems"]))
    metrics = http.request(machine.admin_socket, "GET", "/metrics").body.decode()
    true('vesper_alarms{alarm="rtu_withdrawn"} 1' in metrics, "metrics")
    kinds = [(e["event"], e.get("alarm")) for e in http.request(
        machine.admin_socket, "GET", "/v1/events").json["events"]]
    true(("alarm_begins", "rtu_withdrawn") in kinds, str(kinds))
    equal([r["tenant"] for r in machine.audit() if r["event"] == "rtu_withdrawn"], ["osp"])
    machine.kills = True
    machine.stop_agent(9)
    machine.start_agent()
    wait_for("its state after a restart",
             lambda: (machine.credential("osp") or {}).get("state") == "ready", 60)
    equal(sign(machine).reason, "rtu_withdrawn")
    # Nothing but the authority's word ends it: a CA that is down after it grants delays nothing.
    machine.control("DELETE", "/faults")
    machine.control("POST", "/faults", {"endpoint": "new-order", "action": "status", "status": 503})
    asked_until_signing(machine)
    equal(serial(machine), before)
    equal([(r["tenant"], r["by"]) for r in machine.audit() if r["event"] == "rtu_granted"],
          [("osp", "token")])
    wait_for("the alarm's end", lambda: "rtu_withdrawn" not in alarms(machine), 30)
    machine.control("DELETE", "/faults")
    renewed(machine, before)


# ---- port_revoke_after ----


def moved_away(machine: Machine) -> None:
    """The certificate that lists the number is revoked as soon as another one is in force."""
    machine.wait_ready("acme")
    before = serial(machine, "acme")
    equal(machine.sign(GOES, tenant="acme").status, 200)
    done = machine.vesper("tenant", "numbers", "remove", "acme", GOES)
    equal(done.returncode, 0, done.stderr)
    equal(machine.sign(GOES, tenant="acme").status, 403)
    equal(machine.sign(STAYS, tenant="acme").status, 200)  # … and nobody else loses anything
    wait_for("another certificate", lambda: serial(machine, "acme") not in (None, before), 60)
    equal(machine.sign(STAYS, tenant="acme").status, 200)

    def of_it() -> dict:
        rows = json.loads(machine.vesper("cert", "history", "acme/main", "--json").stdout)
        return next(c for c in rows["certificates"] if c["serial"] == before)
    wait_for("its revocation", lambda: (of_it()["revocation"] or {}).get("state") == "done", 120)
    equal(of_it()["revocation"]["reason"], "superseded")
    equal([r["serial"] for r in machine.audit() if r["event"] == "certificate_ported"], [before])
    equal([r["status"] for r in machine.control("GET", "/log?since=0")["log"]
           if r["endpoint"] == "revoke-cert"][-1], 200)
    equal(machine.credential("acme")["port_revoke_at"], None)
    equal(machine.sign(STAYS, tenant="acme").status, 200)


def run(cases: Cases, machine: Machine) -> None:
    cases.case("a number moves away", moved_away, machine)
    cases.case("token fetch", fetched, machine)
    for what, check in TOKENS.items():
        cases.refusal(f"token fetch: {what}", fetched_wrong, machine, what, check)
    cases.case("token fetch: none comes", fetched_not, machine)
    for rule in PASSING:
        name = " ".join(str(v) for v in rule.values())
        cases.case(f"no withdrawal: {name}", passing, machine, rule)
    cases.case("the right is withdrawn", withdrawn, machine)
