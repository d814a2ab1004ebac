"""Recomputes the hash chain and the tenant sequences of an audit trail.

    audit_check.py FILE...

Written from docs/PROTOCOL.md alone, "The audit trail": every line is one JSON
object; `seq` counts up by one; `prev` is the hexadecimal SHA-256 of the line
before without its newline, 64 zeros for the first line of all, across files;
`tenant_seq` counts up by one for each tenant.  Exit 0 when all of it holds.
"""

from __future__ import annotations

import hashlib
import json
import sys


class Broken(Exception):
    pass


def check(lines: list[bytes]) -> dict:
    """Raise Broken at the first line that does not follow from those before."""
    prev, seq, tenants = "0" * 64, 0, {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as problem:
            raise Broken(f"line {number}: not JSON ({problem})") from None
        seq += 1
        if record["seq"] != seq:
            raise Broken(f"line {number}: seq {record['seq']} where {seq} is due")
        if record["prev"] != prev:
            raise Broken(f"line {number}: prev is not the hash of the line before")
        tenant = record["tenant"]
        if tenant is None:
            if record["tenant_seq"] is not None:
                raise Broken(f"line {number}: a tenant_seq without a tenant")
        else:
            tenants[tenant] = tenants.get(tenant, 0) + 1
            if record["tenant_seq"] != tenants[tenant]:
                raise Broken(f"line {number}: tenant_seq {record['tenant_seq']} of {tenant} "
                             f"where {tenants[tenant]} is due")
        prev = hashlib.sha256(line).hexdigest()
    return {"lines": seq, "tenants": tenants, "last": prev}


def read(paths: list[str]) -> list[bytes]:
    lines: list[bytes] = []
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        if data and not data.endswith(b"\n"):
            raise Broken(f"{path}: the last line has no end")
        lines += data.splitlines()
    return lines


def stop_and_check(machine, cases) -> None:
    """The end of a test: what the agent wrote until it was stopped, to its last line."""
    machine.stop_agent()
    trail = sorted((machine.dir / "audit").glob("audit-*.jsonl"))
    cases.case("the audit holds", lambda: check(read([str(p) for p in trail])))
    if cases.failed:
        machine.tell()


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        result = check(read(sys.argv[1:]))
    except (Broken, KeyError) as problem:
        print(f"broken: {problem}")
        return 1
    print(f"{result['lines']} lines hold, {len(result['tenants'])} tenants")
    return 0


if __name__ == "__main__":
    sys.exit(main())
