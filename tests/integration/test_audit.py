"""The audit trail on real files: it holds, across restarts, and any tampering shows."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from audit_check import Broken, check, read
from cases import Cases, equal, true
from world import unixhttp as http
from world.machine import Machine, wait_for

ACME = "12025550100"


def lines(machine: Machine) -> list[bytes]:
    return read([str(p) for p in sorted((machine.dir / "audit").glob("audit-*.jsonl"))])


def traffic(machine: Machine) -> None:
    for i in range(20):
        equal(machine.sign(ACME, tenant="acme", context={"call_id": f"call-{i}"}).status, 200)
        equal(machine.sign("13035550199").reason, "tn_not_authorized")
    equal(machine.sign(ACME, ppt="shaken", claims={
        "attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}).status, 200)


def holds(machine: Machine) -> None:
    trail = lines(machine)
    result = check(trail)
    true(result["lines"] > 20, "too few lines")
    records = machine.audit()
    signed = [r for r in records if r["event"] == "sign"]
    true(len(signed) >= 21, f"{len(signed)} sign records")
    true(any(r.get("context", {}).get("call_id") == "call-3" for r in signed),
         "the caller's context is not in its record")
    true(all("seq time event tenant tenant_seq request_id reason prev".split()[i] == key
             for r in records for i, key in enumerate(list(r)[:8])), "the first eight members")


def across_restart(machine: Machine) -> None:
    before = check(lines(machine))
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("acme", "osp")
    traffic(machine)
    after = check(lines(machine))
    true(after["lines"] > before["lines"], "nothing was added")
    true(after["tenants"]["acme"] > before["tenants"]["acme"], "the tenant's sequence goes on")


# V-80
def tampering(machine: Machine) -> None:
    trail = lines(machine)
    check(trail)
    middle = len(trail) // 2
    wrong = {
        "changed": [*trail[:middle], trail[middle].replace(b'"time":"2', b'"time":"3', 1),
                    *trail[middle + 1:]],
        "cut": [*trail[:middle], *trail[middle + 1:]],
        "swapped": [*trail[:middle], trail[middle + 1], trail[middle], *trail[middle + 2:]],
        "doubled": [*trail[:middle], trail[middle], *trail[middle:]],
        "first cut": trail[1:],
    }
    for name, changed in wrong.items():
        true(changed != trail, f"{name}: nothing was changed")
        try:
            check(changed)
        except Broken:
            continue
        raise AssertionError(f"{name}: not found")


def log(machine: Machine) -> str:
    return (machine.dir / "vesperd.log").read_text(errors="replace")


def files(machine: Machine) -> list[Path]:
    return sorted((machine.dir / "audit").glob("audit-*.jsonl"))


def signs(machine: Machine) -> bool:
    return machine.sign(ACME, tenant="acme").status == 200


def taken_away(machine: Machine) -> None:
    """The file in use is removed: the next record is in a new one, and all is said."""
    true(signs(machine), "signs before")
    for path in files(machine):
        path.unlink()
    answer = machine.sign(ACME, tenant="acme", context={"call_id": "after"})
    equal(answer.status, 200, answer.body.decode())
    true(any(r.get("context", {}).get("call_id") == "after" for r in machine.audit()),
         "signed without a record that is there")
    true("was taken away" in log(machine), "no line in the log")
    audit = machine.status()["audit"]
    true(audit["ok"] and audit["vanished"] > 0, str(audit))
    equal(audit["seq"], machine.audit()[-1]["seq"])


def no_directory(machine: Machine) -> None:
    """Nor file nor directory: refused until there is one again."""
    audit, away = machine.dir / "audit", machine.dir / "audit-away"
    before = log(machine)
    known = machine.status()["audit"].get("vanished")
    audit.rename(away)
    try:
        wait_for("a refusal", lambda: machine.sign(ACME, tenant="acme").status == 503, 10)
        answer = machine.sign(ACME, tenant="acme")
        equal((answer.status, answer.reason), (503, "audit_unavailable"))
        ready = machine.ask("GET", "/health/ready")
        equal(ready.status, 503)
        true(str(audit) in ready.json["detail"], ready.body.decode())
        true(str(audit) in machine.status()["audit"]["detail"], "no detail in status")
        equal(log(machine)[len(before):].count("event=audit_failed"), 1, "one line for the outage")
        # What cannot be undone is not done without a record: the job has failed at once.
        job = http.request(machine.admin_socket, "POST", "/v1/tokens/main/orphans",
                           {"confirm": "main"}).json
        equal((job["state"], job["reason"]), ("failed", "audit_unavailable"), str(job))
    finally:
        away.rename(audit)
    wait_for("signing again", lambda: signs(machine), 10)
    true("event=audit_well" in log(machine)[len(before):], "the end of the outage is not said")
    equal((known, machine.status()["audit"].get("vanished")), (None, None), "all is back")
    check(lines(machine))


def all_gone(machine: Machine) -> None:
    """Removed while nothing runs: the new trail says that there was one."""
    machine.stop_agent()
    for path in files(machine):
        path.unlink()
    machine.start_agent()
    machine.wait_ready("acme", "osp")
    true("no audit file is left" in log(machine), "no line in the log")
    first = machine.audit()[0]
    true(first["seq"] == 1 and first["vanished"]["seq"] > 1, str(first))
    equal(machine.status()["audit"]["vanished"], first["vanished"]["seq"])


def in_the_way(machine: Machine) -> None:
    """A last file that is none: said once, refused, and on by itself when it is moved."""
    machine.stop_agent()
    before = log(machine)
    bad = machine.dir / "audit" / "audit-20990101-000000.jsonl"
    bad.symlink_to("/nonexistent")
    machine.start_agent()
    try:
        wait_for("the refusal of a ready token", lambda: machine.sign(
            ACME, tenant="acme").reason == "audit_unavailable", 20)
        time.sleep(2.5)  # it tries again every second, and says so once
        said = [x for x in log(machine)[len(before):].splitlines() if "audit_failed" in x]
        equal(len(said), 1, "\n".join(said))
        true(f"{bad}: a symbolic link; move it away" in said[0], said[0])
    finally:
        bad.unlink()
    machine.wait_ready("acme", "osp")
    wait_for("signing again", lambda: signs(machine), 10)
    check(lines(machine))
    true(any(r["event"] == "start" for r in machine.audit()[-20:]), "no start record")


def main() -> int:
    cases = Cases("audit")
    with Machine() as machine:
        machine.start()
        traffic(machine)
        for function in (holds, across_restart, tampering, all_gone, in_the_way,
                         no_directory, taken_away):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
