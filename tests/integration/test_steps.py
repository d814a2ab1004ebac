"""Front and renewer are killed after every step that they record, one kill a step.

A life is gone through: first order, renewal, numbers added and removed, a
revocation, the end of the old keys, the end of a credential.  In each of them
tests/fault/stepfault.c ends front and renewer at every point of their writes
that was not met before in it: before a file is made (which is after all that
was done for it: a key in the token, an answer of the CA), when it is kept, and
when one is removed.  All the time a witness signs.

    STEP_ALL=1      the renewer is killed in each operation, not in the renewal alone,
                    and both at each call on the way to what is recorded
    STEP_ALONE=1    then each point of a renewal by itself, the rest of it undisturbed

After each operation: it is complete; nobody was refused; each certificate's key
is in the token, by pkcs11-tool's account, and each key there has an owner.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable

from audit_check import stop_and_check
from cases import Cases, equal, true
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from test_kill import judge
from world import unixhttp as http
from world.machine import Machine, quote, wait_for
from world.steps import EACH, NOTE, OFF, ONE, ROLES, SHIM, Steps, keys_in_token, wrap

ALL = os.environ.get("STEP_ALL", "0") == "1"
ALONE = os.environ.get("STEP_ALONE", "0") == "1"
SLOW = 1 if os.environ.get("SANITIZER", "no") == "no" else 5
LONG_S = (1800 if ALL else 120) * SLOW  # for all kills of an operation
# Nothing is signed for so long: a kill, a start and what waits behind it; where each call of
# a start is a kill, the next ones hit before it is over.
GAP_S = (120 if ALL else 15) * SLOW
ACME, MOVED, ADDED = "12025550100", "12025550120", "12025550121"
UNREACHED = (OSError, ValueError, http.http.client.HTTPException)
PASSING = {"overloaded", "hsm_unavailable", "hsm_timeout", "audit_unavailable"}
ELEVEN_MINUTES_S = 660  # more than the overlap of an old key


def moved(machine: Machine) -> str:
    """A delegate whose certificate has its numbers and nothing else of them."""
    return "\n".join([
        'tenant "moved" {', f"\tnumbers = {quote([MOVED])}", "\trenumber_window_s = 1",
        f"\tallow_user = {quote([str(os.geteuid())])}",
        '\tcredential "main" {', '\t\tprofile = "atis-delegate"', '\t\ttoken = "main"',
        '\t\tca = "lab"', '\t\tauthority = "numbers"',
        f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}",
        '\t\tpublish_dir = "../lab/www/certs"', "\t}", "}", ""])


class Witness:
    """Signs all the time; what it was told, and for how long nothing came."""

    def __init__(self, machine: Machine):
        self.machine, self.stopping, self.wrong, self.gap = machine, False, [], 0.0
        self.serials: dict[str, set] = {"acme": set(), "moved": set()}
        self.numbers = {"acme": ACME, "moved": MOVED}
        self.signed, self.away = 0, False
        self.thread = threading.Thread(target=self.run)

    def ask(self, tenant: str) -> bool:
        try:
            answer = self.machine.sign(self.numbers.get(tenant, ACME), tenant=tenant)
        except UNREACHED:
            return False
        if tenant not in self.numbers:  # its end began meanwhile
            return True
        if answer.status == 200:
            self.serials[tenant].add(judge(answer.json["passport"], self.machine.dir / "lab/www/certs"))
            self.signed += 1
            return True
        if answer.reason not in PASSING:
            self.wrong.append(f"{time.strftime('%X')} {tenant}: {answer.status} {answer.reason} "
                              f"{answer.json.get('detail')}")
        return False

    def run(self) -> None:
        last = time.monotonic()
        while not self.stopping:
            for tenant in sorted(self.numbers):
                try:
                    good = tenant not in self.numbers or self.ask(tenant)
                except Exception as problem:  # noqa: BLE001 - a wrong signature is one
                    self.wrong.append(f"{tenant}: {problem!r}")
                    continue
                now = time.monotonic()
                if good or self.away:
                    last = now
                else:
                    self.gap = max(self.gap, now - last)
            time.sleep(0.02)

    def __enter__(self) -> "Witness":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopping = True
        self.thread.join()


# ---- what is there -------------------------------------------------------------------


def key_id(public_key) -> str:
    return hashlib.sha256(public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)).hexdigest()


def owners(machine: Machine) -> dict[str, str]:
    """Each key that the front's state names, and where."""
    front, found = machine.state("front"), {}
    for path in front.glob("tenants/*/*/current.pem"):
        found[key_id(x509.load_pem_x509_certificate(path.read_bytes()).public_key())] = str(path)
    for path in front.glob("tenants/*/*/pending.csr"):
        found.setdefault(key_id(x509.load_der_x509_csr(path.read_bytes()).public_key()), str(path))
    for path in front.glob("accounts/*.json"):
        text = json.loads(path.read_text())["point"]
        point = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found[hashlib.sha256(point).hexdigest()] = str(path)
    for folder in ("spare", "retiring"):
        for path in front.glob(f"{folder}/*.json"):
            found.setdefault(path.stem, str(path))
    return found


def no_orphans(machine: Machine) -> None:
    """The agent is down: nobody else may log in meanwhile."""
    named, there = owners(machine), keys_in_token(machine)
    lost = {k: v for k, v in named.items() if k not in there and not v.endswith(f"{k}.json")}
    equal(lost, {}, "keys of certificates and requests that are not in the token")
    # What a batch left over that is noted as unfinished is destroyed with the next start.
    made = {f"vesper-{path.stem[:16]}-{path.stem[16:]}"
            for path in machine.state("front", "making").glob("*.json")}
    orphans = [k for k, label in there.items()
               if k not in named and label not in {"vesper-canary", *made}]
    equal(orphans, [], f"keys of nobody among {len(there)}")


# ---- the operations --------------------------------------------------------------------


class Life:
    def __init__(self, machine: Machine, steps: dict[str, Steps], witness: Witness):
        self.machine, self.steps, self.witness = machine, steps, witness
        self.serial: dict[str, str] = {}
        self.total, self.later = 0, 0
        self.confirmed = self.over = False

    def kills(self) -> int:
        return sum(s.kills for s in self.steps.values())

    def operation(self, name: str, done: Callable[[], bool], roles=("front",)) -> None:
        """done() is asked until it says so and nobody was killed meanwhile."""
        before, gap = self.kills(), self.witness.gap
        roles = ROLES if ALL else roles
        for role in roles:
            self.steps[role].kill(EACH, ALL)
        try:
            self.settle(name, done)
        finally:
            for each in self.steps.values():
                each.pause()
        points = {role: self.steps[role].points() for role in roles}
        killed = self.kills() - before
        self.total += killed
        print(f"# {name}: {killed} kills, the longest gap {max(gap, self.witness.gap):.2f} s",
              flush=True)
        for role, all_of in points.items():
            for text in all_of:
                print(f"#   {role}: {text}", flush=True)
        equal(killed, sum(len(p) for p in points.values()), "each point is met and kills")
        true(killed > 0, "nobody was killed: the points are not met")
        self.check()

    def settle(self, name: str, done: Callable[[], bool]) -> None:
        def quiet() -> bool:
            before = self.kills()
            try:
                if not done():
                    return False
                time.sleep(0.5)
                return self.kills() == before and done()
            except UNREACHED:
                return False
        wait_for(name, quiet, LONG_S, lambda: self.machine.agent.poll() is None)

    def check(self) -> None:
        """Killed as a whole, looked at, and started again: signing is back by itself."""
        equal(self.witness.wrong[:3], [], "the witness")
        true(self.witness.gap < GAP_S, f"nothing was signed for {self.witness.gap:.1f} s")
        self.witness.away = True
        self.machine.stop_agent(9)
        no_orphans(self.machine)
        self.machine.start_agent()
        self.settle("all is back", lambda: all(map(self.witness.ask, self.witness.numbers)))
        self.witness.away = False

    # -- one after the other --

    def shown(self, tenant: str) -> dict:
        return self.machine.credential(tenant) or {}

    def in_force(self, tenant: str) -> bool:
        return self.shown(tenant).get("life") == "in_force"

    def first(self) -> bool:
        return self.in_force("acme") and self.in_force("moved")

    def renewed(self, tenant: str) -> bool:
        """What was asked of a process that is gone is asked again."""
        shown = self.shown(tenant)
        if shown.get("life") == "in_force" and shown["serial"] == self.serial[tenant]:
            http.request(self.machine.admin_socket, "POST", f"/v1/credentials/{tenant}/main/renew",
                         {}, timeout=5)
            time.sleep(0.3)
            return False
        return shown.get("life") == "in_force"

    def job(self, target: str, body: dict) -> dict | None:
        """The result of a job of the administration socket that was done."""
        said = http.request(self.machine.admin_socket, "POST", target, body, timeout=10)
        if said.status not in (200, 202):
            true(said.status >= 500, f"{target}: {said.status} {said.body.decode()}")
            return None
        job = f"/v1/jobs/{said.json['job']}"
        end = time.monotonic() + 15 * SLOW
        while time.monotonic() < end:
            said = http.request(self.machine.admin_socket, "GET", job, timeout=10)
            if said.status != 200 or said.json["state"] != "running":
                break
            time.sleep(0.05)
        if said.status != 200 or said.json["state"] != "done":
            return None
        return said.json.get("result") or {}

    def numbers_are(self, **change) -> bool:
        if not self.confirmed:
            self.confirmed = self.job("/v1/tenants/moved/numbers", change) is not None
        shown = http.request(self.machine.admin_socket, "GET", "/v1/tenants/moved/numbers",
                             timeout=10).json
        return self.confirmed and shown["pending"] == 0 and self.in_force("moved")

    def added(self) -> bool:
        return (self.numbers_are(add=[ADDED])
                and self.machine.sign(ADDED, tenant="moved").status == 200)

    def removed(self) -> bool:
        done = self.numbers_are(remove=[ADDED])
        if self.confirmed:
            answer = self.machine.sign(ADDED, tenant="moved")
            true(answer.status != 200, "signed after the removal was confirmed")
        return done and self.machine.sign(ADDED, tenant="moved").reason == "tn_not_authorized"

    def revoked(self) -> bool:
        """The one before the present one: what is in force stays."""
        said = self.job("/v1/credentials/acme/main/revoke",
                        {"serial": self.serial["acme"], "reason": "superseded"})
        return said is not None and said["state"] == "done"

    def destroyed(self) -> bool:
        """What is destroyed is so once a minute: the clocks go on."""
        self.later += 30
        for each in self.steps.values():
            each.clock(self.later, self.later)
        time.sleep(0.2)
        return not [path for folder in ("retiring", "making")
                    for path in self.machine.state("front", folder).glob("*.json")]

    def gone(self) -> bool:
        """Off-boarded, and its keys destroyed: from the confirmation on it never signs again."""
        said = self.machine.sign(MOVED, tenant="moved")
        if self.over:
            true(said.status != 200, "signed after its end was confirmed")
        else:
            self.over = self.off("", {"confirm": "moved"}) is not None
        shown = self.off("/status", {}) if self.over else None
        if shown is not None and shown["state"] == "revoked":
            self.off("/destroy-keys", {"confirm": "moved"})
        return (shown is not None and shown["state"] == "destroyed"
                and said.reason == "tenant_disabled")

    def off(self, what: str, body: dict) -> dict | None:
        return self.job(f"/v1/tenants/moved/offboarding{what}", body)


def first_order(life: Life) -> None:
    life.machine.start_agent(wait=False)
    life.witness.away = True

    def ready() -> bool:
        if not life.first():
            return False
        if not life.witness.thread.is_alive():
            life.witness.away = False
            life.witness.thread.start()
        return True
    life.operation("first order", ready)


def renewal(life: Life) -> None:
    life.serial["acme"] = life.shown("acme")["serial"]
    life.operation("renewal", lambda: life.renewed("acme"), ROLES)


def numbers(life: Life) -> None:
    life.confirmed = False
    life.operation("a number is added", life.added)
    life.confirmed = False
    life.operation("a number is removed", life.removed)


def revocation(life: Life) -> None:
    life.operation("revocation", life.revoked)


def old_keys(life: Life) -> None:
    """Eleven minutes later, by every clock."""
    true(not life.destroyed(), "no key is to be destroyed")
    life.later = ELEVEN_MINUTES_S
    life.operation("old keys", life.destroyed)


def the_end(life: Life) -> None:
    life.over = False
    del life.witness.numbers["moved"]
    life.operation("the end of a tenant", life.gone)


def alone(life: Life) -> None:
    """Each point of a renewal by itself: the rest of it is undisturbed."""
    life.serial["acme"] = life.shown("acme")["serial"]
    for each in life.steps.values():
        each.kill(NOTE, True)
    life.settle("a renewal to take the points from", lambda: life.renewed("acme"))
    points = [(role, text) for role, each in life.steps.items() for text in each.points()]
    for role, text in points:
        life.serial["acme"] = life.shown("acme")["serial"]
        for each in life.steps.values():
            each.kill(OFF)
        before = life.kills()
        life.steps[role].kill(ONE, True, text)
        life.settle(f"a renewal past {role}: {text}", lambda: life.renewed("acme"))
        life.total += life.kills() - before
        print(f"#   alone, {role}: {text}: {life.kills() - before} kill", flush=True)
    for each in life.steps.values():
        each.kill(OFF)
    life.check()


def main() -> int:
    if not SHIM.exists():
        print("# tests/fault/stepfault.la is not built")
        return 77
    cases = Cases("steps")
    with Machine() as machine:
        machine.kills = True
        steps = wrap(machine)
        machine.prepare(lambda m: {
            "acme": m.enterprise("acme", (ACME,)), "moved": moved(m)}, request_timeout_ms=5000)
        witness = Witness(machine)
        life = Life(machine, steps, witness)
        try:
            for case in (first_order, renewal, numbers, revocation, old_keys, the_end):
                cases.case(case.__name__, case, life)
                if cases.failed:
                    break
            if ALONE and not cases.failed:
                cases.case("alone", alone, life)
        finally:
            witness.stopping = True
            if witness.thread.is_alive():
                witness.thread.join()
        print(f"# {life.total} kills, {witness.signed} signatures under "
              f"{sum(map(len, witness.serials.values()))} certificates, the longest gap "
              f"{witness.gap:.2f} s", flush=True)
        stop_and_check(machine, cases)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
