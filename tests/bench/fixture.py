"""What is measured: an rcd request under a full certificate, the audit on a disk.

A delegate certificate with 1,000 configured numbers in ranges and five
constraints that are judged at every request, carried by x5u and by x5c (two
certificates); a second tenant has the same by x5u only.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from world.machine import BUILD, TOP, Machine, quote

ORIG, DEST = "12025550142", "12125550111"
RANGES = [f"12025{block}0100-12025{block}0199" for block in range(55, 65)]
CLAIMS = {"rcd": {"nam": "ACME Corp", "icn": "https://www.example.com/acme/logo.png"}}
CARDS = [{"nam": "ACME Corp"}, {"nam": "ACME Sales"}, {"nam": "ACME Support"}, CLAIMS["rcd"]]


def card(value: dict) -> str:
    """As RFC 8225 section 9 serialises it, which is how a certificate holds it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def constraints() -> str:
    """One mustInclude, two mustExclude, two permittedValues: all of them judged."""
    cards = ", ".join(quote(card(c)) for c in CARDS)
    names = ", ".join(sorted({quote(c["nam"]) for c in CARDS}))
    return "\n".join([
        "\t\tconstraints {", '\t\t\tform = "enhanced"', '\t\t\tmust_include = { "rcd" }',
        '\t\t\tmust_exclude = { "crn", "attest" }',
        f'\t\t\tpermitted "rcd" {{ values = {{ {cards} }} }}',
        f'\t\t\tpermitted "rcd/nam" {{ values = {{ {names} }} }}', "\t\t}"])


def tenant(machine: Machine, name: str, profile: str, conveyance: str) -> str:
    return "\n".join([
        f'tenant "{name}" {{', f"\tnumbers = {quote(RANGES)}",
        f"\tallow_user = {quote([str(os.geteuid())])}", '\tcredential "main" {',
        f"\t\tprofile = {quote(profile)}", f"\t\tconveyance = {quote(conveyance)}",
        '\t\ttoken = "main"', '\t\tca = "lab"', '\t\tauthority = "numbers"',
        '\t\tclaim_agent = "claims"', f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}",
        '\t\tpublish_dir = "../lab/www/certs"', '\t\tidentity_max_bytes = 8192', constraints(),
        "\t}", "}", ""])


def lab_config() -> dict:
    config = json.loads((TOP / "tests/lab/lab-example.json").read_text())
    config["number_authority"]["accounts"]["acme"]["numbers"] = [
        {"start": r.split("-")[0], "count": 100} for r in RANGES]
    config["claim_agent"]["accounts"]["acme"]["claims"]["rcd"] = CARDS
    return config


def one_number(machine: Machine, n: int) -> str:
    """A tenant with one number, for a start with many credentials."""
    first = int(RANGES[n // 100].split("-")[0])
    return "\n".join([
        f'tenant "t{n:04}" {{', f'\tnumbers = {{ "{first + n % 100}" }}',
        f"\tallow_user = {quote([str(os.geteuid())])}", '\tcredential "main" {',
        '\t\tprofile = "vesper-05"', '\t\tconveyance = "x5u"', '\t\ttoken = "main"',
        '\t\tca = "lab"', '\t\tauthority = "numbers"',
        f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}",
        '\t\tpublish_dir = "../lab/www/certs"', "\t}", "}", ""])


class Fixture:
    """A running agent: with the tenants "both" and "x5u", or with so many of one number each."""

    def __init__(self, work: Path, many: int = 0, **settings):
        self.machine = Machine(work, lab_config())
        self.machine.own_directory = True
        self.claims = work / "claims.json"
        self.many = many
        self.settings = settings

    def tenants(self, machine: Machine) -> dict[str, str]:
        if self.many:
            return {f"t{n:04}": one_number(machine, n) for n in range(self.many)}
        return {"both": tenant(machine, "both", "vesper-06", "both"),
                "x5u": tenant(machine, "x5u", "vesper-05", "x5u")}

    def __enter__(self) -> "Fixture":
        self.machine.__enter__()
        try:
            self.machine.start(self.tenants, wait=False, **self.settings)
            self.machine.wait_ready(*self.tenants(self.machine), timeout=60 + 2 * self.many)
        except BaseException:
            self.machine.tell()
            self.machine.close()
            raise
        self.claims.write_text(json.dumps(CLAIMS))
        return self

    def __exit__(self, *error) -> None:
        self.machine.__exit__(*error)

    def front_pid(self) -> int:
        agent = self.machine.agent.pid
        for task in Path(f"/proc/{agent}/task").iterdir():
            for pid in (task / "children").read_text().split():
                if Path(f"/proc/{pid}/comm").read_text().strip() == "vesper-front":
                    return int(pid)
        raise SystemExit("bench: no vesper-front below vesperd")

    def load(self, seconds: float, connections: int, tenant: str = "both",
             rate: float = 0) -> dict:
        """vesper bench; its answer."""
        m = self.machine
        done = subprocess.run(
            [str(BUILD / "vesper"), "bench", "--tenant", tenant, "--orig", ORIG, "--dest", DEST,
             "--ppt", "rcd", "--claims", str(self.claims), "--connections", str(connections),
             "--seconds", str(seconds), "--rate", str(rate), "--json"],
            capture_output=True, text=True, env={**os.environ, "VESPER_SOCKET": m.socket,
                                                 "VESPER_ADMIN_SOCKET": m.admin_socket})
        if done.returncode != 0:
            raise SystemExit(f"bench: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)
