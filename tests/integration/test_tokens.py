"""One credential in two tokens: either may be lost under load, and no request is.

Eight connections sign all the time.  A row takes one token away, by the
fault-injecting module or by ending its signers.  Every request has to be
answered with 200, by whichever token is there, and every signature verifies,
by python3-cryptography, with a key that is on disk for this credential.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from audit_check import stop_and_check
from cases import Cases, equal, true
from cryptography import x509
from signed import unb64, verify
from test_faults import SLOW, Load, point_of
from world import unixhttp as http
from world.faults import Switches
from world.machine import BUILD, TOKEN_LABEL, Machine, wait_for

NUMBER = "12025550100"
TIMEOUT_S = 8.0  # request_timeout_ms; a hang is left after half of it
BACKOFF_S = 1.0
NAMES = {"main": "main.main", "second": "main.second"}  # token to credential


class World:
    """The machine with a second token, each behind a fault-injecting module of its own."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self.softhsm = machine.module
        self.switches = {}
        self.known: dict[bytes, str] = {}  # point to token
        self.leaves: dict[str, tuple] = {}  # x5c to public key, point, digest
        self.tokens_of: dict[str, str] = {}  # passports that were verified

    def faulty(self, token: str) -> list[str]:
        """The module's environment; the module itself is one file."""
        path = self.machine.dir / f"faults-{token}"
        self.switches[token] = Switches(path)
        return [f"VESPER_FAULT={path}", f"VESPER_FAULT_MODULE={self.softhsm}"]

    def prepare(self) -> None:
        module = self.machine.dir / "p11fault.so"
        shutil.copy(BUILD / "tests/fault/.libs/p11fault.so", module)
        module.chmod(0o755)
        self.machine.environment = self.faulty("main")
        self.machine.module = str(module)

    def make_second(self) -> None:
        machine = self.machine
        tokens = machine.dir / "token2"
        tokens.mkdir()
        common = "objectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
        (machine.config / "second.conf").write_text(f"directories.tokendir = {tokens}\n" + common)
        (machine.config / "second-agent.conf").write_text(
            "directories.tokendir = ../token2\n" + common)
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "second",
                        "--pin", machine.pin, "--so-pin", machine.so_pin], check=True,
                       capture_output=True,
                       env={**os.environ, "SOFTHSM2_CONF": str(machine.config / "second.conf")})
        lock = machine.dir / "second.lock"
        lock.touch()
        machine.give(lock, "hsm_user", 0o600)
        for path in tokens.rglob("token.object"):
            shutil.copy2(path, path.parent / "token.object.copy")
        machine.give(tokens, "hsm_user", 0o700)
        environment = ", ".join(json.dumps(e) for e in [
            "SOFTHSM2_CONF=second-agent.conf", *self.faulty("second")])
        with open(machine.config / "vesperd.conf", "a", encoding="utf-8") as file:
            file.write(f'token "second" {{\n\tmodule = "{machine.module}"\n\tlabel = "second"\n'
                       f'\tpin = "file:secrets/pin"\n\tlock_file = "../second.lock"\n'
                       f"\tmax_keys = 8\n\tenvironment = {{ {environment} }}\n}}\n")

    def tokens(self, text: str) -> None:
        """What the credential's section says of its tokens."""
        path = self.machine.config / "tenants.d" / "acme.conf"
        path.write_text(re.sub(r"token = .*", f"token = {text}", path.read_text()))

    # ---- right and wrong ----

    def leaf(self, name: str) -> x509.Certificate:
        path = self.machine.state("front", "tenants", "acme", name, "current.pem")
        return x509.load_pem_x509_certificate(path.read_bytes())

    def know(self) -> None:
        for token, name in NAMES.items():
            self.known[point_of(self.leaf(name))] = token

    def verify(self, passport: str) -> str:
        """The token whose key made it."""
        if passport in self.tokens_of:
            return self.tokens_of[passport]
        head = passport.partition(".")[0]
        header = json.loads(unb64(head))
        x5c = header["x5c"][0]
        if x5c not in self.leaves:
            leaf = x509.load_der_x509_certificate(base64.b64decode(x5c))
            self.leaves[x5c] = (leaf.public_key(), point_of(leaf),
                                hashlib.sha256(base64.b64decode(x5c)).hexdigest())
        key, point, digest = self.leaves[x5c]
        if point not in self.known:
            self.know()
        true(point in self.known, "a certificate that is not this credential's")
        # The header is of the same certificate throughout.
        true(header["x5u"].endswith(f"/{digest}.pem"), f"x5u of another: {header['x5u']}")
        verify(passport, key)
        self.tokens_of[passport] = self.known[point]
        return self.known[point]

    def ready(self, name: str) -> bool:
        return bool((self.machine.credential("acme", name) or {}).get("signable"))

    def both(self) -> None:
        for name in NAMES.values():
            wait_for(f"{name} can sign", lambda n=name: self.ready(n), 60 * SLOW)

    def signers(self, token: str) -> list[int]:
        for each in self.machine.status()["tokens"]:
            if each["name"] == token:
                return [s["pid"] for s in each["signers"] if s["up"]]
        return []


def count(world: World, row) -> dict[str, int]:
    by = {"main": 0, "second": 0}
    for _, passport in list(row.passports):
        by[world.verify(passport)] += 1
    return by


def all_good(world: World, row) -> dict[str, int]:
    equal(row.lost, [], "requests without an answer")
    equal({k: v for k, v in row.answers.items() if k != "200"}, {}, "refused requests")
    return count(world, row)


# ---- rows -----------------------------------------------------------------------------

def loses(world: World, load: Load, token: str, rules=(), hold: float = 1.5, kill=False,
          down=True) -> None:
    """One token fails with requests in flight; the other signs for both; then both do."""
    other = "second" if token == "main" else "main"
    switches = world.switches[token]
    killed: list[int] = []
    world.both()
    all_good(world, load.begin())
    load.flying, load.fires = 0, (lambda: len(killed)) if kill else switches.fired
    time.sleep(0.3)
    began = time.monotonic()
    if kill:
        pids = wait_for("signers to kill", lambda: world.signers(token), 20 * SLOW)
        for pid in pids:
            wait_for("a request under way", lambda: load.in_flight > 0)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        fired = len(killed)
        time.sleep(hold)
    else:
        switches.set(*rules)
        wait_for("the fault fires", lambda: switches.fired() > 0, 20 * SLOW)
        if down:  # and its requests went on
            name = NAMES[token]
            wait_for(f"{name} cannot sign", lambda: not world.ready(name), 4 * TIMEOUT_S * SLOW)
        time.sleep(hold)
        fired = switches.fired()
        switches.set()
    wait_for(f"{other} signs", lambda: count(world, load.row)[other] > 0, 30 * SLOW)
    world.both()
    back = time.monotonic() - began
    by = all_good(world, load.begin())
    flying = load.flying
    print(f"# {token} lost: fired {fired}, in flight {flying}, "
          f"signed by {by}, both again after {back:.2f} s", flush=True)
    true(fired > 0 and flying > 0, "nothing was hit")
    true(by[other] > 0, "the other token has not signed")
    # And it is used again.
    wait_for(f"{token} signs again", lambda: count(world, load.row)[token] > 0, 30 * SLOW)
    all_good(world, load.row)


def each_signs(world: World, load: Load) -> None:
    all_good(world, load.begin())
    wait_for("both tokens sign", lambda: min(count(world, load.row).values()) > 0, 30 * SLOW)
    all_good(world, load.row)


def by_name(world: World) -> None:
    """The base is either, a name with its token that one."""
    for name, tokens in (("main", NAMES), ("main.second", ["second"]), ("main.main", ["main"])):
        answer = world.machine.sign(NUMBER, tenant="acme", credential=name)
        equal(answer.status, 200, answer.body.decode())
        token = world.verify(answer.json["passport"])
        true(token in tokens, f"{name} signed by {token}")
        equal(answer.json["credential"], NAMES[token])
    equal(world.machine.sign(NUMBER, tenant="acme", credential="main.third").reason,
          "no_credential")


def status_shows(world: World) -> None:
    # How many there are is known with the first that is made; whose, with the first look.
    wait_for("the keys to be counted", lambda: all(
        t["capacity"]["keys"] is not None and "unnamed_keys" in t
        for t in world.machine.status()["tokens"]), 70 * SLOW)
    status = world.machine.status()
    own = {c["name"]: c for c in status["credentials"] if c["tenant"] == "acme"}
    equal({n: (c["base"], c["token"]) for n, c in own.items()},
          {name: ("main", token) for token, name in NAMES.items()})
    true(own["main.main"]["serial"] != own["main.second"]["serial"], "one certificate for both")
    capacity = {t["name"]: t["capacity"] for t in status["tokens"]}
    equal((capacity["second"]["max_keys"], capacity["second"]["state"]), (8, "ok"))
    equal(capacity["second"]["free"], 8 - capacity["second"]["keys"])
    true(capacity["main"]["keys"] >= 2, f"account and key: {capacity['main']}")
    metrics = http.request(world.machine.admin_socket, "GET", "/metrics").body.decode()
    for token in NAMES:
        own = world.machine.orphans(token)
        equal((own["token"], own["orphans"]), (token, []))
    installation = world.machine.status()["installation"]
    equal({world.machine.orphans(token)["installation"] for token in NAMES}, {installation})
    for line in ('vesper_hsm_keys_max{token="second"} 8', 'vesper_hsm_full{token="main"} 0',
                 'vesper_hsm_orphan_keys{token="main"} 0', 'vesper_hsm_foreign_keys{token="second"} 0',
                 f'vesper_hsm_keys{{token="second"}} {capacity["second"]["keys"]}'):
        true(line in metrics, f"no {line}")


def renews_alone(world: World, load: Load) -> None:
    before = {name: world.machine.credential("acme", name)["serial"] for name in NAMES.values()}
    all_good(world, load.begin())
    answer = http.request(world.machine.admin_socket, "POST",
                          "/v1/credentials/acme/main.second/renew")
    equal(answer.status, 202, answer.body.decode())
    wait_for("the renewed certificate", lambda: world.machine.credential(
        "acme", "main.second")["serial"] != before["main.second"], 60 * SLOW)
    equal(world.machine.credential("acme", "main.main")["serial"], before["main.main"])
    world.know()
    time.sleep(0.5)
    all_good(world, load.row)


def moved_in_the_trail(world: World) -> None:
    """Each that went on to another token failed first, and both are on record."""
    trail = world.machine.audit()
    again = [r for r in trail if r["event"] == "sign_again"]
    true(again, "no sign_again")
    failed = {(r["request_id"], r["credential"]) for r in trail if r["event"] == "sign_failed"}
    told = [r["of"] for r in trail if r["event"] == "sign_failed"]
    equal(len(told), len(set(told)), "one that failed is told once")
    for record in again:
        true((record["request_id"], record["instead"]) in failed, f"not failed before: {record}")
        true(record["instead"] != record["credential"], str(record))
        equal(len(record["digest"]), 64)
    metrics = http.request(world.machine.admin_socket, "GET", "/metrics").body.decode()
    moved = int(re.search(r"^vesper_sign_moved_total (\d+)$", metrics, re.M).group(1))
    true(moved > 0, "none is counted")


def digests_are_on_record(world: World, passports: list[str]) -> None:
    known = {r["digest"] for r in world.machine.audit() if r["event"] in ("sign", "sign_again")}
    for passport in passports:
        signed = hashlib.sha256(passport.rpartition(".")[0].encode()).hexdigest()
        true(signed in known, "a signature that the trail does not announce")


def back_to_one(world: World, load: Load) -> None:
    """The other token is taken away for good: what is left goes on under its old name."""
    serial = world.machine.credential("acme", "main.second")["serial"]
    all_good(world, load.begin())
    world.tokens('"second"')
    answer = http.request(world.machine.admin_socket, "POST", "/v1/reload")
    equal(answer.status, 202, answer.body.decode())
    wait_for("the credential under its base's name", lambda: world.ready("main"), 60 * SLOW)
    equal(world.machine.credential("acme", "main")["serial"], serial)
    equal(world.machine.credential("acme", "main.main"), None)
    time.sleep(0.3)
    row = load.row
    refused = {k: v for k, v in row.answers.items() if k != "200"}
    equal(row.lost, [])
    # What was under way by a name that is gone is told to ask again, once.
    true(set(refused) <= {"503 overloaded"} and sum(refused.values()) <= len(load.threads),
         f"refused {refused}")


def the_rest(world: World, load: Load) -> None:
    row = load.begin()
    equal(row.lost, [])
    true(sum(count(world, row).values()) > 0, "nothing was signed at the end")


def from_one_to_two(world: World) -> None:
    """What is in force goes on as the one of its token; the other is obtained beside it."""
    machine = world.machine
    serial = machine.credential("acme", "main")["serial"]
    machine.stop_agent()
    world.make_second()
    world.tokens('{ "main", "second" }')
    machine.start_agent()
    wait_for("the renamed credential", lambda: world.ready("main.main"), 60 * SLOW)
    equal(machine.credential("acme", "main.main")["serial"], serial)
    world.both()
    world.know()


def main() -> int:
    cases = Cases("tokens")
    if not (BUILD / "tests/fault/.libs/p11fault.so").exists():
        return 77
    true(TOKEN_LABEL != "second", "labels differ")
    with Machine() as machine:
        machine.kills = True
        world = World(machine)
        world.prepare()
        machine.start(lambda m: {"acme": m.enterprise("acme", (NUMBER,))},
                      lab={"ca": {"backdate": 1}},
                      request_timeout_ms=int(TIMEOUT_S * 1000),
                      token={"backoff_max_ms": int(BACKOFF_S * 1000)})
        cases.case("a second token for what is in force", from_one_to_two, world)
        cases.case("status and metrics show both", status_shows, world)
        cases.case("by the name of either", by_name, world)
        load = Load(machine, {"acme": NUMBER})
        try:
            cases.case("each token signs", each_signs, world, load)
            cases.case("the first token is gone", loses, world, load, "main",
                       ("C_SignInit 0x32 count=*", "C_GetSlotList absent count=*"))
            cases.case("the second token is gone", loses, world, load, "second",
                       ("C_SignInit 0x30 count=*", "C_Initialize 0x30 count=*"))
            cases.case("the first token hangs", loses, world, load, "main",
                       ("C_Sign hang count=* role=signer",), hold=0.2)
            cases.case("the second token asks for patience", loses, world, load, "second",
                       ("C_Sign 0x6 count=6 role=signer",), down=False)
            cases.case("the first token's signers are killed", loses, world, load, "main",
                       kill=True, hold=0.2)
            cases.case("one is renewed by itself", renews_alone, world, load)
            passports = [p for _, p in load.row.passports]
            cases.case("what went on is on record", moved_in_the_trail, world)
            cases.case("every digest is on record", digests_are_on_record, world, passports)
            cases.case("back to one token", back_to_one, world, load)
        finally:
            load.stop()
        cases.case("the last of it", the_rest, world, load)
        stop_and_check(machine, cases)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
