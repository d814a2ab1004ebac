"""The key cannot be had, and each role holds only what its job needs."""

from __future__ import annotations

import errno
import os
import pwd
import re
import subprocess
import sys
import time

from cases import Cases, equal, true
from world import inside, process
from world import unixhttp as http
from world.machine import ROLE_USERS, TOKEN_LABEL, Machine, is_root, wait_for

USERS = {"front": "front_user", "signer": "hsm_user", "admin": "hsm_user", "renewer": "net_user"}
MODULE_FILES = ("libsofthsm2.so", "/libp11.so")  # libp11-kit.so comes with Debian's libcurl


def one_each(machine: Machine) -> dict[str, list[int]]:
    return process.roles(machine.agent.pid)


def every_role_runs(machine: Machine) -> None:
    found = one_each(machine)
    equal({k: len(v) for k, v in found.items()},
          {"supervisor": 1, "front": 1, "signer": 2, "admin": 1, "renewer": 1})


def module_only_where_it_belongs(machine: Machine) -> None:
    for role, pids in one_each(machine).items():
        for pid in pids:
            text = process.mappings(pid)
            if role in ("signer", "admin"):
                true(MODULE_FILES[0] in text, f"{role}: the probe finds no module where one must be")
            else:
                for name in MODULE_FILES:
                    true(name not in text, f"{role} has {name} in its address space")


def pin_nowhere_outside(machine: Machine) -> None:
    pin = machine.pin.encode()
    here = os.getpid()
    true(process.memory_has(here, pin), "the probe does not find the PIN in this test itself")
    for role in ("supervisor", "front", "renewer"):
        for pid in one_each(machine)[role]:
            true(process.memory_has(pid, b"vesper"), f"the probe cannot read {role}")
            true(not process.memory_has(pid, pin), f"{role} has the PIN in its memory")


def pin_wiped_after_login(machine: Machine) -> None:
    for role in ("signer", "admin"):
        for pid in one_each(machine)[role]:
            environment = open(f"/proc/{pid}/environ", "rb").read()
            arguments = open(f"/proc/{pid}/cmdline", "rb").read()
            true(machine.pin.encode() not in environment + arguments, f"{role} shows the PIN")


def sockets_of_each(machine: Machine) -> None:
    found = one_each(machine)
    for role in ("signer", "admin"):
        for pid in found[role]:
            equal(list(process.sockets(pid)), [3], f"{role}'s sockets")
    for pid in found["renewer"]:
        paths = process.sockets(pid).values()
        true(not any(machine.run.name in path for path in paths), "renewer has a caller socket")
    for pid in found["front"]:
        paths = process.sockets(pid).values()
        true(machine.socket in paths, "the probe does not see the caller socket in the front")


def keys_cannot_be_had(machine: Machine) -> None:
    """RFC 8226 s6. The agent is down: nobody else may log in meanwhile."""
    tool = ["pkcs11-tool", "--module", machine.module, "--token-label", TOKEN_LABEL, "--login",
            "--pin", machine.pin]
    listed = subprocess.run([*tool, "--list-objects", "--type", "privkey"], capture_output=True,
                            text=True, env=machine.softhsm_env())
    equal(listed.returncode, 0, listed.stderr)
    objects = listed.stdout.split("Private Key Object")[1:]
    true(len(objects) >= 3, f"{len(objects)} private keys, at least two credentials and an account")
    for each in objects:
        access = re.search(r"Access:\s*(.*)", each).group(1)
        for word in ("sensitive", "always sensitive", "never extractable"):
            true(word in access, f"a private key is not {word}: {access}")
        usage = re.search(r"Usage:\s*(.*)", each).group(1)
        equal(usage.strip(), "sign")
        identifier = re.search(r"ID:\s*(\S+)", each)
        if identifier:
            got = subprocess.run([*tool, "--read-object", "--type", "privkey", "--id",
                                  identifier.group(1)], capture_output=True,
                                 env=machine.softhsm_env())
            true(got.returncode != 0 or not got.stdout, "a private key was read")
    public = subprocess.run([*tool, "--list-objects", "--type", "pubkey"], capture_output=True,
                            text=True, env=machine.softhsm_env())
    # Only the canary's is stored, for there is nobody else to say what its point is.
    labels = re.findall(r"label:\s*(\S+)", public.stdout)
    equal(labels, ["vesper-canary"], "public-key objects")


def own_users(machine: Machine) -> None:
    for role, key in USERS.items():
        user = pwd.getpwnam(ROLE_USERS[key])
        for pid in one_each(machine)[role]:
            equal(process.status_field(pid, "Uid").split(), [str(user.pw_uid)] * 4, role)
            equal(process.status_field(pid, "Gid").split(), [str(user.pw_gid)] * 4, role)
            true("0" not in process.status_field(pid, "Groups").split(), f"{role} is in group 0")
            equal(int(process.status_field(pid, "CapEff"), 16), 0, f"{role}'s capabilities")
            equal(process.status_field(pid, "NoNewPrivs"), "1", role)


# Asked inside each role: the call, on what, and who may; the others get EACCES.
EVERYONE = {"front", "signer", "admin", "renewer"}
TOKEN = {"signer", "admin"}
# Only what a sanitizer watches lets its own user look at it (PR_SET_DUMPABLE).
OPEN_BOOK = EVERYONE if os.environ.get("SANITIZER", "no") != "no" else set()
INSIDE = [
    ("read", "{config}/secrets/pin", TOKEN),
    ("list", "{dir}/token", TOKEN),
    ("write", "{dir}/token.lock", TOKEN),
    ("list", "{state}/hsm", TOKEN),
    ("read", "{config}/secrets/eab", {"renewer"}),
    ("read", "{config}/secrets/authority-acme", {"renewer"}),
    ("list", "{state}/renewer", {"renewer"}),
    ("list", "{state}/front", {"front"}),
    ("read", "{state}/front/tenants/acme/main/current.pem", {"front"}),
    ("read", "{audit}", {"front"}),
    ("write", "{audit}", {"front"}),
    ("write", "{config}/vesperd.conf", set()),
    ("write", "{config}/tenants.d/acme.conf", set()),
    ("read", "/etc/shadow", set()),
    ("connect", "{admin_socket}", set()),
    ("read", "/proc/{front}/mem", {"front"} & OPEN_BOOK),
    ("read", "/proc/{signer}/mem", TOKEN & OPEN_BOOK),
    ("read", "/proc/{admin}/mem", TOKEN & OPEN_BOOK),
    ("read", "/proc/{renewer}/mem", {"renewer"} & OPEN_BOOK),
    ("read", "{config}/trust-anchors.pem", EVERYONE),  # the probe itself can open
]


def places(machine: Machine) -> dict[str, str]:
    found = one_each(machine)
    return {"config": str(machine.config), "dir": str(machine.dir),
            "state": str(machine.dir / "state"), "admin_socket": machine.admin_socket,
            "audit": str(next((machine.dir / "audit").glob("audit-*.jsonl"))),
            **{role: str(found[role][-1]) for role in EVERYONE}}


def what_each_cannot_open(machine: Machine, role: str) -> None:
    """Each process of the role makes the calls itself, and goes on as if nothing had been."""
    where = places(machine)
    rows = [(call, path.format(**where), role in may) for call, path, may in INSIDE]
    for pid in one_each(machine)[role]:
        codes = inside.ask(pid, [(call, path) for call, path, _ in rows])
        wrong = [f"{call} {path}: {os.strerror(code)}" for (call, path, may), code
                 in zip(rows, codes, strict=True) if code != (0 if may else errno.EACCES)]
        equal(wrong, [], f"{role} {pid}")
        equal(process.status_field(pid, "TracerPid"), "0", f"{role} {pid} is traced")


def probed_inside(cases: Cases, machine: Machine) -> None:
    """Skipped, and said, only where nobody may trace: the kernel refuses even our own child."""
    why = inside.forbidden()
    if why is not None:
        print(f"# SKIPPED: no probe inside the roles: {why}", flush=True)
        return
    before = one_each(machine)
    for role in sorted(EVERYONE):
        cases.case(f"what_each_cannot_open: {role}", what_each_cannot_open, machine, role)
    cases.case("signs_after_the_probe", signs_after_the_probe, machine, before)


def signs_after_the_probe(machine: Machine, before: dict[str, list[int]]) -> None:
    with machine.untouched(signed=4):
        for _ in range(4):
            equal(machine.sign("12025550100").status, 200)
    serial = machine.credential("acme")["serial"]
    time.sleep(1.1)  # one that does not end later than the present one is refused
    http.request(machine.admin_socket, "POST", "/v1/credentials/acme/main/renew", {})
    wait_for("a renewal", lambda: machine.credential("acme")["serial"] != serial, 30)
    equal(one_each(machine), before, "processes")


def signers_apart(machine: Machine, allowed: set[int]) -> None:
    """affinity = auto: a processor each where there are as many of them, as main() sees to."""
    signers = [os.sched_getaffinity(pid) for pid in one_each(machine)["signer"]]
    if len(allowed) > 1:
        equal({len(own) for own in signers}, {1}, "processors of a signer")
        equal(set().union(*signers), allowed, "processors of all signers")
    for role in ("front", "admin", "renewer"):
        equal(os.sched_getaffinity(one_each(machine)[role][0]), allowed, f"the {role}'s")


def says_so_in_status(machine: Machine) -> None:
    equal(machine.status()["isolation"]["reduced"], not is_root())


def main() -> int:
    cases = Cases("isolation")
    allowed = set(sorted(os.sched_getaffinity(0))[:2])
    os.sched_setaffinity(0, allowed)  # as many as signers; all that is started inherits it
    with Machine() as machine:
        machine.start()
        checks = [every_role_runs, module_only_where_it_belongs, pin_wiped_after_login,
                  sockets_of_each, says_so_in_status]
        if is_root():
            checks += [pin_nowhere_outside, own_users]
        for function in checks:
            cases.case(function.__name__, function, machine)
        cases.case("signers_apart", signers_apart, machine, allowed)
        if is_root():
            probed_inside(cases, machine)
        machine.stop_agent()
        cases.case("keys_cannot_be_had", keys_cannot_be_had, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
