"""What is measured: an rcd request under a full certificate, the audit on a disk.

A delegate certificate with 1,000 configured numbers in ranges and five
constraints that are judged at every request, carried by x5u and by x5c (two
certificates); a second tenant has the same by x5u only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from world.faults import Switches
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
        '\t\tpublish_dir = "../lab/www/certs"', '\t\tidentity_max_bytes = 8192', "\t\trcd_without_rcdi = yes",
        constraints(),
        "\t}", "}", ""])


def lab_config() -> dict:
    config = json.loads((TOP / "tests/lab/lab-example.json").read_text())
    config["number_authority"]["accounts"]["acme"]["numbers"] = [
        {"start": r.split("-")[0], "count": 100} for r in RANGES]
    config["claim_agent"]["accounts"]["acme"]["claims"]["rcd"] = CARDS
    return config


class Agent:
    """A running agent and its load."""

    def __init__(self, machine: Machine):
        self.machine = machine

    def arguments(self, tenant: str) -> list[str]:
        """Of vesper bench: what is asked for."""
        raise NotImplementedError

    def front_pid(self) -> int:
        agent = self.machine.agent.pid
        for task in Path(f"/proc/{agent}/task").iterdir():
            for pid in (task / "children").read_text().split():
                if Path(f"/proc/{pid}/comm").read_text().strip() == "vesper-front":
                    return int(pid)
        raise SystemExit("bench: no vesper-front below vesperd")

    def ready(self) -> int:
        """Credentials that can sign now."""
        try:
            status = self.machine.status()
        except (OSError, ValueError):
            return 0
        return sum(c["signable"] for c in status["credentials"])

    def wait_for_all(self, many: int, limit_s: float = 300) -> None:
        until = time.monotonic() + limit_s
        while self.ready() < many:
            if time.monotonic() > until:
                raise SystemExit(f"bench: only {self.ready()} of {many} credentials are ready")
            time.sleep(0.2)

    def load(self, seconds: float, connections: int, tenant: str = "both",
             rate: float = 0) -> dict:
        """vesper bench; its answer."""
        m = self.machine
        done = subprocess.run(
            [str(BUILD / "vesper"), "bench", *self.arguments(tenant), "--connections",
             str(connections), "--seconds", str(seconds), "--rate", str(rate), "--json"],
            capture_output=True, text=True, env={**os.environ, "VESPER_SOCKET": m.socket,
                                                 "VESPER_ADMIN_SOCKET": m.admin_socket})
        if done.returncode != 0:
            raise SystemExit(f"bench: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


class Fixture(Agent):
    """With the tenants "both" and "x5u"; sign_ms: each signature takes so much longer."""

    def __init__(self, work: Path, sign_ms: int = 0, **settings):
        super().__init__(Machine(work, lab_config()))
        self.machine.own_directory = True
        self.claims = work / "claims.json"
        self.settings = settings
        self.env: dict = {}  # of another process with the same module
        if sign_ms:
            self.slow_down(work, sign_ms)

    def slow_down(self, work: Path, sign_ms: int) -> None:
        """By the module of the tests' faults in front of the token's own."""
        m = self.machine
        slow = work / "p11fault.so"
        shutil.copy(BUILD / "tests/fault/.libs/p11fault.so", slow)
        slow.chmod(0o755)
        Switches(work / "faults").set(f"C_Sign delay:{sign_ms} count=*")
        self.env = {"VESPER_FAULT": str(work / "faults"), "VESPER_FAULT_MODULE": m.module}
        m.environment = [f"{key}={value}" for key, value in self.env.items()]
        m.module = str(slow)

    def tenants(self, machine: Machine) -> dict[str, str]:
        return {"both": tenant(machine, "both", "vesper-06", "both"),
                "x5u": tenant(machine, "x5u", "vesper-05", "x5u")}

    def __enter__(self) -> "Fixture":
        self.machine.__enter__()
        try:
            self.machine.start(self.tenants, wait=False, **self.settings)
            self.machine.wait_ready(*self.tenants(self.machine), timeout=60)
        except BaseException:
            self.machine.tell()
            self.machine.close()
            raise
        self.claims.write_text(json.dumps(CLAIMS))
        return self

    def __exit__(self, *error) -> None:
        self.machine.__exit__(*error)

    def arguments(self, tenant: str) -> list[str]:
        return ["--tenant", tenant, "--orig", ORIG, "--dest", DEST, "--ppt", "rcd", "--claims",
                str(self.claims)]
