"""Many credentials in one token, without as many orders: tests/bench/crowd makes them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from fixture import CARDS, CLAIMS, DEST, Agent, card, constraints
from world.machine import BUILD, ROLE_USERS, TOKEN_LABEL, Machine, is_root, quote

FIRST = 12000000000  # as tests/bench/crowd.c has it
SPEC = {"i": ["rcd"], "x": ["attest", "crn"],
        "p": [["rcd", *map(card, CARDS)], ["rcd/nam", *sorted({c["nam"] for c in CARDS})]]}


def name(n: int) -> str:
    return f"t{n:05}"


class Crowd(Agent):
    """A running agent with so many tenants, each with one credential and so many numbers."""

    def __init__(self, work: Path, many: int, each: int = 100):
        super().__init__(Machine(work))
        self.machine.own_directory = True
        self.many, self.each = many, each
        self.bodies = work / "bodies"

    def __enter__(self) -> "Crowd":
        m = self.machine
        try:
            m.make_token()
            made = m.dir / "made"
            made.mkdir()
            self.make_keys(made)
            self.write_config(made)
            m.start_agent()  # makes the folders of the state
            m.wait_ready(timeout=120)
            m.stop_agent()
            self.write_tenants(made)
            self.write_bodies()
            m.start_agent(wait=False)
            self.wait_for_all(self.many)
        except BaseException:
            m.tell()
            m.close()
            raise
        return self

    def __exit__(self, *error) -> None:
        self.machine.__exit__(*error)

    def make_keys(self, made: Path) -> None:
        """In memory, for SoftHSM syncs every object; then on the disk with the token."""
        m = self.machine
        memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else m.dir
        fast = memory / f"vesper-crowd-{os.getpid()}"
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, fast, ignore_errors=True)
            shutil.copytree(m.dir / "token", fast)
            conf = made / "softhsm2.conf"
            conf.write_text((m.config / "softhsm2.conf").read_text().replace(
                str(m.dir / "token"), str(fast)))
            subprocess.run(
                [str(BUILD / "tests/bench/crowd"), m.module, TOKEN_LABEL,
                 str(m.config / "secrets/pin"), json.dumps(SPEC), str(self.many), str(self.each),
                 str(made)], check=True, env={**os.environ, "SOFTHSM2_CONF": str(conf)})
            shutil.rmtree(m.dir / "token")
            shutil.copytree(fast, m.dir / "token")
        m.give(m.dir / "token", "hsm_user", 0o700)

    def write_config(self, made: Path) -> None:
        m = self.machine
        keys = {"state_dir": "../state", "audit_dir": "../audit",
                "trust_anchors": "trust-anchors.pem", "ct_logs": "ct-logs.json",
                "admin_socket": m.admin_socket,
                "admin_user": pwd.getpwuid(os.geteuid()).pw_name,
                **(ROLE_USERS if is_root() else {})}
        for file in ("trust-anchors.pem", "ct-logs.json"):
            shutil.copy(made / file, m.config / file)
        (m.config / "tenants.d").mkdir()
        (m.config / "vesperd.conf").write_text("\n".join([
            *(f"{key} = {quote(value)}" for key, value in keys.items()),
            f'listen "main" {{ path = {quote(m.socket)} mode = "0666" }}',
            'token "main" {', f"\tmodule = {quote(m.module)}", f"\tlabel = {quote(TOKEN_LABEL)}",
            '\tpin = "file:secrets/pin"', "\tprocesses = 2", "\tthreads = 1",
            '\tlock_file = "../token.lock"',
            '\tenvironment = { "SOFTHSM2_CONF=softhsm2-agent.conf" }', "}", ""]))

    def tenant(self, n: int) -> str:
        first = FIRST + n * self.each
        return "\n".join([
            f'tenant "{name(n)}" {{', f'\tnumbers = {{ "{first}-{first + self.each - 1}" }}',
            f"\tallow_user = {quote([str(os.geteuid())])}", '\tcredential "main" {',
            '\t\tprofile = "vesper-06"', '\t\tconveyance = "both"', '\t\ttoken = "main"',
            '\t\tx5u = "https://certs.example/"', '\t\tidentity_max_bytes = 8192',
            '\t\trcd_without_rcdi = yes', constraints(),
            "\t}", "}", ""])

    def write_tenants(self, made: Path) -> None:
        m = self.machine
        tenants = m.state("front", "tenants")
        for n in range(self.many):
            m.write_tenant(name(n), self.tenant(n))
            folder = tenants / name(n) / "main"
            folder.mkdir(parents=True, mode=0o700)
            file = folder / "current.pem"
            shutil.copy(made / f"{name(n)}.pem", file)
            file.chmod(0o600)
        m.give(tenants, "front_user", 0o700)

    def write_bodies(self) -> None:
        """One request for each; which tenant it is the agent finds by the number."""
        with open(self.bodies, "w") as out:
            for n in range(self.many):
                claims = {"orig": {"tn": str(FIRST + n * self.each)}, "dest": {"tn": [DEST]}}
                out.write(json.dumps({"ppt": "rcd", "claims": {**claims, **CLAIMS}}) + "\n")

    def arguments(self, tenant: str) -> list[str]:
        return ["--bodies", str(self.bodies)]
