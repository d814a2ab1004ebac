"""The audit trail on real files: it holds, across restarts, and any tampering shows."""

from __future__ import annotations

import sys

from audit_check import Broken, check, read
from cases import Cases, equal, true
from world.machine import Machine

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


def main() -> int:
    cases = Cases("audit")
    with Machine() as machine:
        machine.start()
        traffic(machine)
        for function in (holds, across_restart, tampering):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
