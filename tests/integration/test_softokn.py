"""Modules of another kind: NSS softokn behind p11-kit's proxy, another maker's reading of PKCS#11,
with a SoftHSM2 token beside it in the same agent; and SoftHSM2 in processes of p11-kit server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from cases import Cases, equal, true
from cryptography import x509
from signed import verify
from world import process
from world import unixhttp as http
from world.machine import BUILD, ROLE_USERS, TOKEN_LABEL, Machine, is_root, quote, wait_for

ACME, BOTH = "12025550100", "12025550177"
CONNECTIONS, EACH = 8, 40
LIBRARIES = [Path("/usr/lib") / machine for machine in
             ("x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu", "")]


def library(name: str) -> str | None:
    return next((str(at / name) for at in LIBRARIES if (at / name).exists()), None)


SOFTOKN, PROXY = library("libsoftokn3.so"), library("p11-kit-proxy.so")
CLIENT = library("pkcs11/p11-kit-client.so")


class Softokn(Machine):
    """softokn takes its directory as an argument of C_Initialize, which p11-kit's proxy passes on.

    The proxy reads the module's file below XDG_CONFIG_HOME; as root it would not.
    """

    def make_token(self) -> None:
        super().make_token()  # PIN and lock file, and the other maker's token
        self.other = self.module
        store, modules = self.dir / "nss", self.dir / "xdg" / "pkcs11" / "modules"
        for folder in (store, modules):
            folder.mkdir(parents=True)
        pin = self.dir / "nss-pin"
        pin.write_text(self.pin + "\n")
        subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "-f", str(pin)], check=True,
                       capture_output=True)
        pin.unlink()
        self.give(store, "hsm_user", 0o700)
        (modules.parent / "pkcs11.conf").write_text("user-config: only\n")
        (modules / "softokn.module").write_text(
            f"module: {SOFTOKN}\n"
            f"x-init-reserved: configdir='sql:{store}' dbTokenDescription='{TOKEN_LABEL}'\n")
        self.module = PROXY
        self.environment = [f"XDG_CONFIG_HOME={self.dir / 'xdg'}"]


    def prepare(self, tenants=None, lab: dict | None = None, **settings) -> dict[str, str]:
        prepared = super().prepare(tenants, lab, **settings)
        with open(self.config / "vesperd.conf", "a", encoding="utf-8") as file:
            file.write(f'token "other" {{\n\tmodule = {quote(self.other)}\n'
                       f'\tlabel = {quote(TOKEN_LABEL)}\n\tpin = "file:secrets/pin"\n'
                       "\tprocesses = 1\n\tcanary_s = 1\n"
                       '\tenvironment = { "SOFTHSM2_CONF=softhsm2-agent.conf" }\n}\n')
        both = self.enterprise("both", (BOTH,))
        self.write_tenant("both", both.replace('token = "main"', 'token = { "main", "other" }'))
        return prepared


class Remote(Machine):
    """The agent has p11-kit's client for a module; the token is with the server's processes."""

    server: subprocess.Popen | None = None

    def make_token(self) -> None:
        super().make_token()
        self.behind = self.module
        folder = Path(tempfile.mkdtemp(prefix="vesper-p11-"))
        self.p11 = folder / "p11"
        self.give(folder, "hsm_user", 0o700)
        self.module = CLIENT
        self.environment = [f"P11_KIT_SERVER_ADDRESS=unix:path={self.p11}"]
        self.serve()

    def serve(self) -> None:
        user = {"user": ROLE_USERS["hsm_user"], "extra_groups": []} if is_root() else {}
        self.server = subprocess.Popen(
            ["p11-kit", "server", "-f", "-n", str(self.p11), "--provider", self.behind,
             f"pkcs11:token={TOKEN_LABEL}"], cwd=self.config, process_group=0,
            env={"PATH": os.environ["PATH"], "SOFTHSM2_CONF": "softhsm2-agent.conf"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)
        wait_for("p11-kit server", self.p11.exists, 30, lambda: self.server.poll() is None)

    def unserve(self) -> None:
        """With its process for each client: the token is gone."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
        self.server = None
        self.p11.unlink(missing_ok=True)

    def __exit__(self, *error) -> None:
        try:
            super().__exit__(*error)
        finally:
            self.unserve()
            shutil.rmtree(self.p11.parent, ignore_errors=True)


def sign_all(machine: Machine) -> list:
    """Requests of several connections at once; the answers that were none."""
    bad = []

    def run() -> None:
        connection = http.UnixConnection(machine.socket)
        body = {"tenant": "acme", "claims": {"orig": {"tn": ACME}, "dest": {"tn": ["12125550111"]}}}
        for _ in range(EACH):
            answer = http.request("", "POST", "/v1/passports", body, connection=connection)
            if answer.status != 200:
                bad.append((answer.status, answer.reason))

    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bad


def it_is_softokn(machine: Machine) -> None:
    listed = subprocess.run(
        [str(BUILD / "vesper"), "hsm", "list", "main", "-c", str(machine.config / "vesperd.conf"),
         "--json"], capture_output=True, text=True, timeout=60, check=True)
    makers = {t["manufacturer"] for t in json.loads(listed.stdout)["tokens"]}
    equal(makers, {"Mozilla Foundation"})
    wait_for("both signers of main", lambda: len(signers(machine, "main")) == 2, 60)
    if not is_root():  # the signers are not dumpable: only root reads what they have loaded
        return
    for pid in signers(machine, "main"):
        true("libsoftokn3.so" in process.mappings(pid), f"signer {pid} did not load softokn")
        true("libsofthsm2.so" not in process.mappings(pid), f"signer {pid} loaded SoftHSM too")


def signers(machine: Machine, token: str) -> list[int]:
    return [s["pid"] for t in machine.status()["tokens"] if t["name"] == token
            for s in t["signers"] if s["up"]]


def beside_another_maker(machine: Machine) -> None:
    """One credential in two tokens of two makers: each signs, with its own key and module."""
    points = set()
    for token in ("main", "other"):
        name = f"main.{token}"
        wait_for(f"{name} can sign",
                 lambda n=name: (machine.credential("both", n) or {}).get("signable"), 60)
        answer = machine.sign(BOTH, tenant="both", credential=name)
        equal((answer.status, answer.json.get("credential")), (200, name), answer.body.decode())
        path = machine.state("front", "tenants", "both", name, "current.pem")
        leaf = x509.load_pem_x509_certificate(path.read_bytes())
        verify(answer.json["passport"], leaf.public_key())
        points.add(leaf.public_key().public_numbers().x)
    equal(len(points), 2, "keys")
    wait_for("the signer of other", lambda: len(signers(machine, "other")) == 1, 60)
    if not is_root():
        return
    for pid in signers(machine, "other"):
        true("libsofthsm2.so" in process.mappings(pid), f"signer {pid} did not load SoftHSM")
        true("libsoftokn3.so" not in process.mappings(pid), f"signer {pid} loaded softokn too")


def signs_at_once(machine: Machine) -> None:
    """verify_signatures = all: a wrong signature would be no answer."""
    before = machine.signatures()
    equal(sign_all(machine)[:5], [])
    equal(machine.signatures() - before, CONNECTIONS * EACH)


def canary_sings(machine: Machine) -> None:
    def sung() -> list[int]:
        return [s["canaries"] for t in machine.status()["tokens"] for s in t["signers"]]
    first = sung()
    wait_for("a canary of each signer", lambda: all(b > a for a, b in zip(first, sung())), 60)


def key_changes(machine: Machine) -> None:
    """A renewal makes a key in the admin's process, which the signers must find."""
    old = machine.credential("acme")["serial"]
    time.sleep(1.1)  # one that does not end later than the present one is refused
    answer = http.request(machine.admin_socket, "POST", "/v1/credentials/acme/main/renew", {})
    equal(answer.status, 202)
    wait_for("another certificate", lambda: machine.credential("acme")["serial"] != old, 60)
    equal(sign_all(machine)[:5], [])


def keys_are_ours(machine: Machine) -> None:
    """This token too keeps the label that a key is made with, whole."""
    wait_for("the agent's word about the keys", lambda: machine.orphans() is not None, 60)
    said = machine.orphans()
    true(said["own"] >= 3, f"an account, a certificate and the one before: {said}")
    equal(said["orphans"], [])
    counted = machine.status()["tokens"][0]
    equal((counted["unnamed_keys"], counted["unnamed"]["unknown"]), (0, 0))


def comes_back(machine: Machine) -> None:
    """The keys are in the token and not in a process."""
    serial = machine.credential("acme")["serial"]
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("acme")
    equal(machine.credential("acme")["serial"], serial)
    equal(sign_all(machine)[:5], [])


# ---- p11-kit server --------------------------------------------------------------------


def it_is_remote(machine: Remote) -> None:
    """No token process has the token's module; the PIN goes through the client."""
    if not is_root():
        return
    for pid in process.roles(machine.agent.pid)["signer"]:
        loaded = process.mappings(pid)
        true("p11-kit-client.so" in loaded, f"signer {pid} did not load the client")
        true("libsofthsm2.so" not in loaded, f"signer {pid} loaded the token's module")


def server_lost(machine: Remote) -> None:
    """Refused with its reason while it is away; then it serves again without a restart."""
    def ask() -> http.Answer:
        return machine.sign(ACME, tenant="acme")

    machine.kills = True
    machine.unserve()
    wait_for("the token to be missed",
             lambda: (a := ask()).status == 503 and a.reason == "hsm_unavailable", 60)
    machine.serve()
    wait_for("a signature again", lambda: ask().status == 200, 60)
    equal(sign_all(machine)[:5], [])
    ends = [line for line in (machine.dir / "vesperd.log").read_text().splitlines()
            if "event=ended" in line]
    true(ends, "nothing ended")
    equal([line for line in ends if "signal=" in line], [], "they leave by themselves")


def main() -> int:
    missing = [name for name, at in (("libnss3", SOFTOKN), ("p11-kit-modules", PROXY),
                                     ("p11-kit", CLIENT and shutil.which("p11-kit")),
                                     ("libnss3-tools", shutil.which("certutil"))) if not at]
    if missing:
        print(f"1..0 # skipped: install {' '.join(missing)}")
        return 77
    cases = Cases("softokn")
    with Softokn() as machine:
        machine.start(lambda m: {"acme": m.enterprise()},
                      token={"threads": 4, "canary_s": 1, "verify_signatures": '"all"'})
        for function in (it_is_softokn, beside_another_maker, signs_at_once, canary_sings,
                         key_changes, keys_are_ours, comes_back):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    with Remote() as machine:
        machine.start(lambda m: {"acme": m.enterprise()},
                      token={"network": "yes", "canary_s": 1, "verify_signatures": '"all"'})
        for function in (it_is_remote, signs_at_once, key_changes, server_lost):
            cases.case(f"p11-kit server: {function.__name__}", function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
