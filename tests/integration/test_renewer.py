"""The renewer alone against the lab: tokens, orders, faults, kill -9, renewal."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

from cases import Cases, equal, true
from renewer_front import Credential, Front, Refusal, jose
from stirlab.constraints import Constraints
from stirlab.tnauth import TNAuthList
from world.machine import BUILD, ROLE_USERS, Machine, is_root, make_role_users, wait_for

NUMBERS = ["12025550100", "12025550101"]
ORIGS = [f'{{"tn":"{n}"}}' for n in NUMBERS]
LIFETIME_S = 40 if os.environ.get("SANITIZER", "no") == "no" else 60
# Of a renewer that does nothing.
WORDS = {"plan", "schedule", "account-word", "lists", "documents", "errands"}


class World:
    def __init__(self, machine: Machine):
        self.machine = machine
        self.numbers = TNAuthList.from_config(NUMBERS).encode()
        self.claims = Constraints([], [("orig", ORIGS)], []).encode()
        self.front = self.fresh()
        self.forget()

    def fresh(self) -> Front:
        return Front(BUILD / "vesper-renewer", self.machine.config / "vesperd.conf",
                     self.machine.dir / "renewer.log", ROLE_USERS["net_user"] if is_root() else None)

    def enterprise(self, name: str = "main", tenant: str = "acme") -> Credential:
        return Credential(tenant, name, self.numbers, "numbers", self.claims, "claims")

    def provider(self) -> Credential:
        return Credential("osp", "main", TNAuthList.from_config([{"spc": "1234"}]).encode(),
                          "providers")

    def faults(self, *rules: dict) -> None:
        self.machine.control("DELETE", "/faults")
        for rule in rules:
            self.machine.control("POST", "/faults", rule)

    def forget(self) -> None:
        """A new front that knows nothing, and a renewer's state that holds nothing."""
        self.front.end()
        state = self.machine.state("renewer")
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        self.machine.give(state, "net_user", 0o700)
        self.front = self.fresh()


def certificate(world: World, credential: Credential, n: int = 1, timeout: float = 40) -> None:
    wait_for(f"certificate {n} of {credential.tenant}/{credential.name} "
             f"(see {world.machine.dir}/renewer.log)", lambda: len(credential.chains) >= n, timeout,
             lambda: world.front.process.poll() is None)


# RFC 8555 s7.1.1, s7.2, s7.4, RFC 9447 s3
def first_certificates(world: World) -> None:
    """Delegate with constraints and provider, several at once (RFC 8226 s5, RFC 9060 s8)."""
    front = world.front
    credentials = [front.add(world.enterprise(f"c{i}")) for i in range(4)]
    credentials.append(front.add(world.provider()))
    front.start()
    for credential in credentials:
        certificate(world, credential)
    for credential in credentials[:4]:
        wait_for("its schedule", lambda c=credential: c.schedule.get("renew_at"))
        equal(credential.schedule["problem"], None, "problem")
        left = credential.row()["active"]["not_after"] - credential.schedule["renew_at"]
        life = credential.row()["active"]["not_after"] - credential.installed_at
        true(left >= life * 0.24, f"{left} of {life} s left at renewal")
    equal(front.stop(), 0, "exit status")
    equal(front.asked.count("new-account"), 1, "one registration for all")


def restart_asks_nothing(world: World) -> None:
    """With certificates in force a start orders nothing and registers nothing."""
    world.front.asked.clear()
    world.front.start()
    time.sleep(1.5)
    equal(world.front.stop(), 0, "exit status")
    equal(set(world.front.asked) - WORDS, set(), "operations")


def operator_asks(world: World) -> None:
    credential = world.front.credentials["osp", "main"]
    world.front.asked.clear()
    world.front.start()
    wait_for("its word about the plan", lambda: "schedule" in world.front.asked)
    world.front.event(event="renew", tenant="osp", name="main")
    certificate(world, credential, 2)
    equal(world.front.stop(), 0, "exit status")


PASSING = [
    {"endpoint": "directory", "action": "drop", "count": 1},
    {"endpoint": "directory", "action": "garbage", "count": 1},
    {"endpoint": "new-nonce", "action": "status", "status": 503, "count": 1},
    {"endpoint": "new-account", "action": "status", "status": 500, "count": 1},
    {"endpoint": "new-account", "action": "drop-after", "count": 1},
    {"endpoint": "token", "action": "status", "status": 503, "retry_after": 1, "count": 1},
    {"endpoint": "token", "action": "truncate", "count": 1},
    {"endpoint": "claims-token", "action": "drop", "count": 1},
    {"endpoint": "new-order", "action": "status", "status": 429, "problem": "rateLimited",
     "retry_after": 2, "count": 1},
    {"endpoint": "new-order", "action": "drop-after", "count": 1},
    {"endpoint": "authz", "action": "status", "status": 500, "count": 1},
    {"endpoint": "challenge", "action": "drop", "count": 1},
    {"endpoint": "challenge", "action": "drop-after", "count": 1},
    {"endpoint": "finalize", "action": "drop", "count": 1},
    {"endpoint": "finalize", "action": "drop-after", "count": 1},
    {"endpoint": "order", "action": "garbage", "count": 1},
    {"endpoint": "certificate", "action": "drop", "count": 1},
    {"endpoint": "certificate", "action": "truncate", "count": 1},
    {"endpoint": "certificate", "action": "empty", "count": 1},
]


# RFC 8555 s7.3
def survives(world: World, rule: dict) -> None:
    world.forget()
    credential = world.front.add(world.enterprise())
    world.faults(rule)
    world.front.start()
    certificate(world, credential)
    world.faults()
    equal(world.front.stop(), 0, "exit status")


REFUSED = [
    ({"endpoint": "token", "action": "wrong", "what": "tkvalue"}, "authtok_numbers"),
    ({"endpoint": "token", "action": "wrong", "what": "narrower"}, "authtok_numbers"),
    ({"endpoint": "token", "action": "wrong", "what": "fingerprint"}, "authtoken_fingerprint"),
    ({"endpoint": "token", "action": "wrong", "what": "ca"}, "authtoken_ca"),
    ({"endpoint": "token", "action": "wrong", "what": "untrusted"}, "authtoken_chain"),
    ({"endpoint": "token", "action": "wrong", "what": "bad-signature"}, "authtoken_signature"),
    ({"endpoint": "token", "action": "wrong", "what": "tktype-case"}, "authtoken_tktype"),
    ({"endpoint": "token", "action": "status", "status": 403}, "rtu_refused"),
    ({"endpoint": "claims-token", "action": "wrong", "what": "tkvalue"}, "authtok_wider"),
    ({"endpoint": "new-order", "action": "status", "status": 400,
      "problem": "rejectedIdentifier"}, "acme_rejected_identifier"),
]


# RFC 9447 s5
def refuses(world: World, rule: dict, reason: str) -> None:
    """Told to status, nothing installed, and not tried again at once."""
    world.forget()
    credential = world.front.add(world.enterprise())
    world.faults({**rule, "problem": rule.get("problem", "unauthorized")}
                 if rule["action"] == "status" else rule)
    world.front.start()
    wait_for("its problem", lambda: credential.schedule.get("problem"))
    true(credential.schedule["problem"].startswith(reason + ":"), credential.schedule["problem"])
    asked = [op for op in world.front.asked if op not in WORDS]
    time.sleep(1.2)
    equal([op for op in world.front.asked if op not in WORDS], asked, "tried again at once")
    true(credential.schedule["renew_at"] >= time.time() + 30, "next try is a minute away")
    equal(credential.chains, [], "installed")
    world.faults()
    world.front.event(event="renew", tenant="acme", name="main")
    certificate(world, credential)
    equal(world.front.stop(), 0, "exit status")


# RFC 8555 s6.5
def bad_nonces(world: World) -> None:
    world.forget()
    credential = world.front.add(world.enterprise())
    world.machine.control("POST", "/config", {"ca": {"bad_nonce_share": 0.4}})
    world.front.start()
    certificate(world, credential, timeout=60)
    world.machine.control("POST", "/config", {"ca": {"bad_nonce_share": 0.0}})
    equal(world.front.stop(), 0, "exit status")


def refused_certificate(world: World) -> None:
    """The front refuses what the CA issued: an alarm, no second order."""
    world.forget()
    credential = world.front.add(world.enterprise())
    world.front.refuse["install"] = [Refusal("credential_unusable", "other numbers")] * 9
    world.front.start()
    wait_for("its problem", lambda: credential.schedule.get("problem"))
    true(credential.schedule["problem"].startswith("credential_unusable: other numbers"),
         credential.schedule["problem"])
    time.sleep(1.5)
    equal(world.front.asked.count("install"), 1, "installs")
    equal(world.front.asked.count("new-order"), 1, "orders")
    world.front.stop(signal.SIGKILL)
    world.front.start()  # a restart does not make it try either
    time.sleep(1.5)
    equal(world.front.asked.count("new-order"), 1, "orders after a restart")
    equal(world.front.stop(), 0, "exit status")


# RFC 8555 s7.4
def killed_everywhere(world: World) -> None:
    """kill -9 as soon as it asks for each thing in turn; it goes on and gets one certificate."""
    for op in ("account", "new-account", "new-order", "challenge", "csr", "finalize", "install"):
        world.forget()
        credential = world.front.add(world.enterprise())
        world.front.start()
        wait_for(op, lambda: op in world.front.asked, 20)
        world.front.stop(signal.SIGKILL)
        orders = world.front.asked.count("new-order")
        world.front.start()
        certificate(world, credential)
        equal(world.front.stop(), 0, f"exit status after {op}")
        if op in ("csr", "finalize"):
            equal(world.front.asked.count("new-order"), orders, f"the order is kept after {op}")


# V-13, D-53
def renews(world: World) -> None:
    """Certificates of less than a minute follow each other in time, with new keys."""
    world.forget()
    world.machine.control("POST", "/config", {"ca": {"lifetime": {"delegate": LIFETIME_S},
                                                     "backdate": 0}})
    credential = world.front.add(world.enterprise())
    world.front.start()
    certificate(world, credential, 3, timeout=180)
    equal(world.front.stop(), 0, "exit status")
    for old, new in zip(credential.chains, credential.chains[1:]):
        true(new.not_valid_before < old.not_valid_after, "a gap between two certificates")
        true(jose.spki(old.public_key()) != jose.spki(new.public_key()), "the key was kept")


# RFC 9773 s4.1, s4.2, s5
def renews_by_its_window(world: World) -> None:
    """As soon as the CA suggests it, which is told what is replaced; a restart asks again."""
    world.forget()
    world.machine.control("POST", "/config", {"ca": {
        "lifetime": {"delegate": 1440}, "backdate": 0, "ari": {"start": 0, "end": 0.001}}})
    credential = world.enterprise()
    credential.ari = True
    world.front.add(credential)
    world.front.start()
    certificate(world, credential)
    wait_for("its window", lambda: within(credential, 30, 70), 20)
    equal(world.front.stop(), 0, "exit status")
    world.machine.control("POST", "/config", {"ca": {"ari": {"start": 0.4, "end": 0.41}}})
    world.front.start()
    wait_for("a window after a restart", lambda: within(credential, 570, 600), 20)
    # An operator's request is no other order: the CA is told as well.
    world.front.event(event="renew", tenant="acme", name="main")
    certificate(world, credential, 2)
    equal(credential.replaced, [None, credential.ari_id(credential.chains[0])])
    # Its order is refused for what it replaces: the lab knows of the one before.
    world.machine.control("POST", "/faults", {"endpoint": "new-order", "action": "status",
                                              "status": 409, "problem": "alreadyReplaced",
                                              "count": 1})
    wait_for("idle", lambda: within(credential, 570, 600), 20)
    world.front.event(event="renew", tenant="acme", name="main")
    certificate(world, credential, 3)
    equal(credential.replaced[-2:], [credential.ari_id(credential.chains[1]), None])
    equal(world.front.stop(), 0, "exit status")


def within(credential: Credential, least: int, most: int) -> bool:
    """Is the renewal planned for so many seconds after the installation?"""
    return least <= (credential.schedule.get("renew_at") or 0) - credential.installed_at <= most


# RFC 9773 s4.2
def nonsense_of_a_window(world: World, what: str) -> None:
    """The moment is that of the lifetime, and no order comes of it."""
    world.forget()
    world.faults({"endpoint": "renewal-info", "action": "wrong", "what": what})
    world.machine.control("DELETE", "/log")
    credential = world.enterprise()
    credential.ari = True
    world.front.add(credential)
    world.front.start()
    certificate(world, credential)
    wait_for("the answer", lambda: any(
        r["endpoint"] == "renewal-info"
        for r in world.machine.control("GET", "/log")["log"]), 20)
    least, most = {"past": (59, 63), "far": (1077, 1083)}.get(what, (717, 843))
    wait_for("its schedule", lambda: within(credential, least, most), 20)
    equal(len(credential.chains), 1)
    world.faults()
    equal(world.front.stop(), 0, "exit status")


def log_is_clean(world: World) -> None:
    text = (world.machine.dir / "renewer.log").read_text()
    for number in NUMBERS:
        true(number not in text, "a whole number in the log")
    true("eyJ" not in text, "a token in the log")
    for name in ("authority-acme", "claims-acme", "eab-platform-1"):
        true(world.machine.lab_secret(name) not in text, "a secret in the log")
    true("event=renewed tenant=acme" in text, "no line for a renewal")


def run(world: World) -> int:
    cases = Cases("renewer", world.machine.dir / "renewer.log")
    cases.case("first certificates", first_certificates, world)
    cases.case("a restart asks nothing", restart_asks_nothing, world)
    cases.case("an operator's request", operator_asks, world)
    for rule in PASSING:
        cases.case(f"{rule['endpoint']}: {rule['action']}", survives, world, rule)
    for rule, reason in REFUSED:
        cases.case(f"refused {rule['endpoint']}: {rule.get('what', reason)}", refuses, world, rule,
                   reason)
    cases.case("bad nonces", bad_nonces, world)
    cases.case("a certificate that is refused", refused_certificate, world)
    cases.case("kill -9 at each step", killed_everywhere, world)
    cases.case("renewals", renews, world)
    cases.case("renewals in the CA's window", renews_by_its_window, world)
    for what in ("inverted", "not-a-time", "no-retry-after", "past", "far"):
        cases.case(f"a window that is none: {what}", nonsense_of_a_window, world, what)
    cases.case("the log", log_is_clean, world)
    return cases.finish()


def main() -> int:
    if not (BUILD / "vesper-renewer").exists():
        print("# vesper-renewer is not built")
        return 77
    if is_root():
        make_role_users()
    with Machine() as machine:
        machine.start_lab()
        machine.write_config()
        machine.write_tenant("acme", machine.enterprise())
        machine.write_tenant("osp", machine.provider())
        world = World(machine)
        try:
            return run(world)
        finally:
            world.front.end()


if __name__ == "__main__":
    sys.exit(main())
