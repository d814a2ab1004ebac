"""The key cannot be had, and each role holds only what its job needs."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys

from cases import Cases, equal, true
from world import process
from world.machine import PYTHON, ROLE_USERS, TOKEN_LABEL, Machine, is_root

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
    """The agent is down: nobody else may log in meanwhile."""
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


PROBE = r"""
import os, socket, sys
for what in sys.argv[1:]:
    kind, path = what.split(":", 1)
    try:
        if kind == "open":
            os.close(os.open(path, os.O_RDONLY))
        elif kind == "write":
            os.close(os.open(path, os.O_WRONLY))
        elif kind == "list":
            os.listdir(path)
        else:
            s = socket.socket(socket.AF_UNIX); s.connect(path)
            s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            if b" 200 " not in s.recv(4096).split(b"\r\n")[0]:
                raise PermissionError("not for us")
        print(what, "yes")
    except OSError as e:
        print(what, "no")
"""


def own_users(machine: Machine) -> None:
    for role, key in USERS.items():
        user = pwd.getpwnam(ROLE_USERS[key])
        for pid in one_each(machine)[role]:
            equal(process.status_field(pid, "Uid").split(), [str(user.pw_uid)] * 4, role)
            equal(process.status_field(pid, "Gid").split(), [str(user.pw_gid)] * 4, role)
            true("0" not in process.status_field(pid, "Groups").split(), f"{role} is in group 0")
            equal(int(process.status_field(pid, "CapEff"), 16), 0, f"{role}'s capabilities")
            equal(process.status_field(pid, "NoNewPrivs"), "1", role)


def what_each_cannot_open(machine: Machine) -> None:
    config, state = machine.config, machine.dir / "state"
    audit = next((machine.dir / "audit").glob("audit-*.jsonl"))
    cannot = {
        "front": [f"open:{config}/secrets/pin", f"open:{config}/secrets/eab",
                  f"list:{machine.dir}/token", f"list:{state}/hsm", f"list:{state}/renewer"],
        "signer": [f"open:{config}/secrets/eab", f"list:{state}/front", f"list:{state}/renewer",
                   f"open:{audit}", f"connect:{machine.admin_socket}"],
        "renewer": [f"open:{config}/secrets/pin", f"list:{machine.dir}/token",
                    f"list:{state}/front", f"list:{state}/hsm", f"open:{audit}",
                    f"connect:{machine.admin_socket}"],
    }
    can = {"front": [f"list:{state}/front", f"open:{audit}"],
           "signer": [f"open:{config}/secrets/pin", f"list:{machine.dir}/token"],
           "renewer": [f"open:{config}/secrets/eab", f"list:{state}/renewer"]}
    for role in cannot:
        pid = one_each(machine)[role][0]
        uid, gid = (process.status_field(pid, f).split()[0] for f in ("Uid", "Gid"))
        done = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs",
             "--inh-caps=-all", PYTHON, "-c", PROBE, *cannot[role], *can[role]],
            capture_output=True, text=True, cwd="/")
        answers = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
        for what in cannot[role]:
            equal(answers.get(what), "no", f"{role} {what}")
        for what in can[role]:
            equal(answers.get(what), "yes", f"{role} {what} {done.stderr}")


def says_so_in_status(machine: Machine) -> None:
    equal(machine.status()["isolation"]["reduced"], not is_root())


def main() -> int:
    cases = Cases("isolation")
    with Machine() as machine:
        machine.start()
        checks = [every_role_runs, module_only_where_it_belongs, pin_wiped_after_login,
                  sockets_of_each, says_so_in_status]
        if is_root():
            checks += [pin_nowhere_outside, own_users, what_each_cannot_open]
        for function in checks:
            cases.case(function.__name__, function, machine)
        machine.stop_agent()
        cases.case("keys_cannot_be_had", keys_cannot_be_had, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
