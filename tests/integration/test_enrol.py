"""How certificates are had besides ACME: request and chain by hand, accounts before any order."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys

from cases import Cases, equal, true
from world import unixhttp as http
from world.machine import BUILD, PYTHON, TOP, Machine, quote, wait_for

DESK = "13035550100"


def desk(machine: Machine, ca: str = "") -> str:
    """A tenant whose certificates no CA is asked for by itself."""
    return (f'tenant "desk" {{\n\tnumbers = {{ "{DESK}" }}\n'
            f'\tallow_user = {quote([str(os.geteuid())])}\n'
            '\tcredential "main" {\n\t\tprofile = "atis-delegate"\n\t\ttoken = "main"\n'
            f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}\n"
            f'\t\tpublish_dir = "../lab/www/certs"\n{ca}\t}}\n}}\n')


class Printer:
    """A CA behind a command (issuer = command), which does what the file "how" says."""

    NUMBER = "14045550100"
    SCRIPT = """#!/bin/sh
cd {dir} && echo run >>runs && id -un >who
case $(cat how) in
good) exec {python} deskca.py lab ;;
refuse) echo "not today" >&2; exit 77 ;;
fail) exit 3 ;;
rubbish) echo hello ;;
silent) exec cat >/dev/null ;;
*) exec {python} deskca.py lab "$(cat how)" ;;
esac
"""

    def __init__(self, machine: Machine):
        self.machine, self.dir = machine, machine.dir / "printer"

    def make(self) -> None:
        """All that it needs lies where the renewer's user may look."""
        keys = self.dir / "lab" / "ca"
        keys.mkdir(parents=True)
        shutil.copytree(TOP / "tests/lab/stirlab", self.dir / "stirlab",
                        ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(TOP / "tests/lab/deskca.py", self.dir)
        for path in (self.machine.lab_dir / "ca").iterdir():
            if path.stem in ("sti-root", "sti-ca", "foreign-root", "foreign"):
                shutil.copy(path, keys)
        script = self.dir / "issue"
        script.write_text(self.SCRIPT.format(dir=self.dir, python=PYTHON))
        self.how("good")
        self.machine.give(self.dir, "net_user", 0o755)
        script.chmod(0o755)
        conf = self.machine.config / "vesperd.conf"
        conf.write_text(conf.read_text() + f'ca "printer" {{ issuer = "command"\n'
                        f"\tcommand = {{ {quote(str(script))} }} csr_country = \"US\" }}\n")

    def how(self, what: str) -> None:
        (self.dir / "how").write_text(what)

    def runs(self) -> int:
        return len((self.dir / "runs").read_text().splitlines())

    def tenant(self) -> str:
        return desk(self.machine, '\t\tca = "printer"\n').replace(
            'tenant "desk"', 'tenant "press"').replace(DESK, self.NUMBER)


def tenants(machine: Machine) -> dict[str, str]:
    printer = Printer(machine)
    printer.make()
    return {"osp": machine.provider(), "desk": desk(machine), "press": printer.tenant()}


def vesper(machine: Machine, *args: str, stdin: str = "") -> subprocess.CompletedProcess:
    environment = {**os.environ, "VESPER_ADMIN_SOCKET": machine.admin_socket}
    return subprocess.run([str(BUILD / "vesper"), *args], input=stdin, capture_output=True,
                          text=True, env=environment, timeout=120, check=False)


def good(machine: Machine, *args: str, stdin: str = "") -> str:
    done = vesper(machine, *args, stdin=stdin)
    equal(done.returncode, 0, f"vesper {' '.join(args)}: {done.stderr}")
    return done.stdout


def issued(machine: Machine, request: str, *wrong: str) -> str:
    done = subprocess.run(
        [PYTHON, str(TOP / "tests/lab/deskca.py"), str(machine.lab_dir), *wrong],
        input=request, capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


def reload(machine: Machine) -> None:
    http.request(machine.admin_socket, "POST", "/v1/reload", b"")
    wait_for("the reload", lambda: machine.credential("desk") is not None, 30)
    equal(machine.status()["reload"]["ok"], True)


# ---- by hand ----

def the_same_request(machine: Machine) -> None:
    """Asking again is no new key."""
    first = good(machine, "cert", "csr", "desk/main")
    equal(good(machine, "cert", "csr", "desk/main"), first)
    shown = json.loads(good(machine, "inspect", "--json", "-", stdin=first))
    equal(shown["tnauthlist"]["entries"] if "tnauthlist" in shown else shown["entries"],
          [{"one": DESK}])


WRONG = [("other-key", "key_mismatch"), ("wider-tnauthlist", "tnauthlist_differs"),
         ("missing-tnauthlist", None), ("other-constraints", "constraints_differ"),
         ("foreign-issuer", None), ("ca-true", None), ("expired", None),
         ("chain-order", "chain_order")]


def wrong_chain(machine: Machine, wrong: str, reason: str | None) -> None:
    """All that an automatic install refuses, and the reason of it; the request stays."""
    request = good(machine, "cert", "csr", "desk/main")
    done = vesper(machine, "cert", "install", "desk/main", "-", stdin=issued(machine, request, wrong))
    equal(done.returncode, 4, done.stderr)
    true(reason is None or reason in done.stderr, f"{reason} in {done.stderr!r}")
    equal(machine.credential("desk")["state"], "pending")
    equal(good(machine, "cert", "csr", "desk/main"), request)


def in_force(machine: Machine) -> None:
    path = machine.dir / "desk.csr"
    good(machine, "cert", "csr", "desk/main", str(path))
    equal(vesper(machine, "cert", "csr", "desk/main", str(path)).returncode, 1, "over a file")
    chain = machine.dir / "desk.pem"
    chain.write_text(issued(machine, path.read_text()))
    result = json.loads(good(machine, "cert", "install", "desk/main", str(chain), "--json"))
    equal(machine.credential("desk")["serial"], result["serial"])
    answer = machine.sign(DESK, tenant="desk")
    equal(answer.status, 200, answer.body.decode())
    # Only for an outstanding request: the same chain once more is for none.
    again = vesper(machine, "cert", "install", "desk/main", str(chain))
    equal(again.returncode, 4, again.stderr)
    true("no_pending_csr" in again.stderr, again.stderr)
    events = [r for r in machine.audit() if r["event"] == "by_hand"]
    true({"csr", "install"} <= {r["operation"] for r in events}, str(events))
    equal({r["uid"] for r in events}, {os.geteuid()})


def due_by_hand(machine: Machine) -> None:
    """Nobody renews it: with a third of its life left it is a problem in status."""
    def problems() -> list[str]:
        return [p["problem"] for p in machine.credential("desk")["problems"]]

    true("renewal_due" not in problems(), "a new one")
    request = good(machine, "cert", "csr", "desk/main")
    good(machine, "cert", "install", "desk/main", "-", stdin=issued(machine, request, "aged"))
    true("renewal_due" in problems(), str(problems()))
    true("renewal_due" in good(machine, "cert", "show", "desk/main"), "shown")


def renewed_by_hand(machine: Machine) -> None:
    """A new key, the old certificate in force until the new one is."""
    before = machine.credential("desk")["serial"]
    request = good(machine, "cert", "csr", "desk/main")
    equal(machine.credential("desk")["serial"], before)
    good(machine, "cert", "install", "desk/main", "-", stdin=issued(machine, request))
    true(machine.credential("desk")["serial"] != before, "the new certificate")
    equal(machine.sign(DESK, tenant="desk").status, 200)


def not_by_hand(machine: Machine) -> None:
    """What is ordered by itself keeps its request to itself."""
    done = vesper(machine, "cert", "csr", "osp/main")
    equal(done.returncode, 4, done.stderr)
    true("conflict" in done.stderr, done.stderr)
    equal(vesper(machine, "cert", "renew", "desk/main").returncode, 4)


def not_there(machine: Machine) -> None:
    for args in (("csr", "desk/other"), ("show", "none/main")):
        equal(vesper(machine, "cert", *args).returncode, 6, str(args))
    for args in (("csr",), ("csr", "desk"), ("install", "desk/main"), ("csr", "a/b/c"), ("no",)):
        equal(vesper(machine, "cert", *args).returncode, 2, str(args))


BODIES = [("no chain", {}, "missing_member"), ("chain a number", {"chain": 1}, "invalid_member"),
          ("one more", {"chain": "x", "force": True}, "unknown_member"),
          ("no object", b"[]", "malformed_json")]


def body_is_strict(machine: Machine, body, reason: str) -> None:
    answer = http.request(machine.admin_socket, "POST", "/v1/credentials/desk/main/install", body)
    equal((answer.status, answer.reason), (400, reason))


def not_for_callers(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/credentials/desk/main/csr", b"")
    equal(answer.status, 404, answer.body.decode())


# ---- a section of a CA by hand: what its requests look like ----

# D-34
def template_of_the_ca(machine: Machine) -> None:
    conf = machine.config / "vesperd.conf"
    conf.write_text(conf.read_text() + 'ca "desk" { issuer = "hand" csr_country = "US"\n'
                    '\tcsr_organization = "Desk Customers" csr_basic_constraints = yes }\n')
    machine.write_tenant("desk", desk(machine, '\t\tca = "desk"\n'))
    reload(machine)
    wait_for("the section", lambda: "desk" in good(machine, "account", "list"), 30)
    request = good(machine, "cert", "csr", "desk/main")
    shown = json.loads(good(machine, "inspect", "--json", "-", stdin=request))
    true("Desk Customers" in shown["subject"], str(shown))
    equal(vesper(machine, "account", "show", "desk").returncode, 4, "no account without ACME")


# ---- a command in the place of the CA ----

def by_command(machine: Machine) -> None:
    """It comes by itself, is renewed like any other, and runs as the renewer's user."""
    printer = Printer(machine)
    machine.wait_ready("press")
    equal(machine.sign(printer.NUMBER, tenant="press").status, 200)
    who = (printer.dir / "who").read_text().strip()
    equal(who, machine_user(machine, "net_user"))
    before = machine.credential("press")["serial"]
    good(machine, "cert", "renew", "press/main")
    wait_for("the next one", lambda: machine.credential("press")["serial"] != before, 60)
    equal(machine.sign(printer.NUMBER, tenant="press").status, 200)


def machine_user(machine: Machine, role: str) -> str:
    line = next((x for x in (machine.config / "vesperd.conf").read_text().splitlines()
                 if x.startswith(role + " ")), None)
    return line.split('"')[1] if line else pwd.getpwuid(os.geteuid()).pw_name


# what the command does, what status says of it
COMMAND_FAULTS = [("refuse", "command_refused"), ("fail", "command_failed"),
                  ("rubbish", "chain_"), ("silent", "command_output"),
                  ("other-key", "key_mismatch"), ("wider-tnauthlist", "tnauthlist_differs")]


def wrong_command(machine: Machine, how: str, reason: str) -> None:
    """The old one stays in force, status says why, and it is not asked again in a loop."""
    printer = Printer(machine)
    serial, runs = machine.credential("press")["serial"], printer.runs()
    printer.how(how)
    good(machine, "cert", "renew", "press/main")
    wait_for(f"{reason} in status", lambda: any(
        p["problem"] == "renewal" and reason in p["detail"]
        for p in machine.credential("press")["problems"]), 60)
    equal(machine.credential("press")["serial"], serial)
    true(runs < printer.runs() <= runs + 4, f"{printer.runs() - runs} runs")
    printer.how("good")
    good(machine, "cert", "renew", "press/main")
    wait_for("the next one", lambda: machine.credential("press")["serial"] != serial, 60)
    equal([p for p in machine.credential("press")["problems"] if p["problem"] == "renewal"], [])


# ---- accounts ----

# D-29
def both_fingerprints(machine: Machine) -> None:
    """Authorities ask for them first: of an account that nothing was ordered with yet."""
    conf = machine.config / "vesperd.conf"
    conf.write_text(conf.read_text() + 'ca "later" { directory = "https://127.0.0.1:9/directory"\n'
                    '\ttoken = "main" }\n')
    reload(machine)
    wait_for("the section", lambda: "later" in good(machine, "account", "list"), 30)
    shown = json.loads(good(machine, "account", "show", "later", "--json"))
    for form in ("jwk_fingerprint", "spki_fingerprint"):
        true(shown[form].startswith("SHA256 ") and shown[form].count(":") == 31, str(shown))
    true(shown["jwk_fingerprint"] != shown["spki_fingerprint"], "two forms")
    equal(json.loads(good(machine, "account", "show", "later", "--json")), shown)
    equal(vesper(machine, "account", "show", "none").returncode, 6)


def listed(machine: Machine) -> None:
    rows = good(machine, "cert", "list").splitlines()
    true(any(r.startswith("desk/main") and " ready " in r for r in rows), "\n".join(rows))
    shown = good(machine, "cert", "show", "osp/main")
    true("shaken-sp" in shown and "signable     yes" in shown, shown)
    equal(vesper(machine, "cert", "renew", "osp/main").returncode, 0)


def main() -> int:
    cases = Cases("enrol")
    with Machine() as machine:
        machine.start(tenants, wait=False)
        machine.wait_ready("osp")
        cases.case("the same request", the_same_request, machine)
        for wrong, reason in WRONG:
            cases.refusal(f"by hand: {wrong}", wrong_chain, machine, wrong, reason)
        cases.case("in force", in_force, machine)
        cases.case("due by hand", due_by_hand, machine)
        cases.case("renewed by hand", renewed_by_hand, machine)
        cases.refusal("not by hand", not_by_hand, machine)
        cases.refusal("not there", not_there, machine)
        for name, body, reason in BODIES:
            cases.refusal(f"body: {name}", body_is_strict, machine, body, reason)
        cases.refusal("not for callers", not_for_callers, machine)
        cases.case("by command", by_command, machine)
        for how, reason in COMMAND_FAULTS:
            cases.refusal(f"command: {how}", wrong_command, machine, how, reason)
        cases.case("template of the CA (D-34)", template_of_the_ca, machine)
        cases.case("both fingerprints (D-29)", both_fingerprints, machine)
        cases.case("listed", listed, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
