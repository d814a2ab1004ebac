"""The ACME engine against Debian's pebble, which knows RFC 8555 and nothing of ours.

The renewer is the real one; its front has software keys, and orders the domain
alone, for pebble refuses a TNAuthList.  Pebble rejects a fifth of all good
nonces, reuses no authorization, and looks at what the operator's command shows.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cases import Cases, equal, true
from renewer_front import Credential, Front, Refusal, jose
from stirlab.tnauth import TNAuthList
from world.machine import BUILD, ROLE_USERS, Machine, end, is_root, make_role_users, quote, wait_for

NUMBER = "12025550100"
PEBBLE, SERVER = "/usr/bin/pebble", "/usr/bin/pebble-challtestsrv"
EAB_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
BLOCKED = "blocked.example"
SIGNED = ("new-account", "new-order", "challenge", "finalize")
HOOK_DOMAIN = 3  # agent/role.h
# Directory and management port of each, and what differs.
SERVERS = {"plain": (14000, 15000, {}), "bound": (14001, 15001, {
    "externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": EAB_KEY}})}
DNS_PORT, HTTP_PORT, SHOW_PORT = 8053, 5002, 8055
PORTS = (DNS_PORT, HTTP_PORT, SHOW_PORT, *(port for row in SERVERS.values() for port in row[:2]))


def is_free(address: str) -> bool:
    """Nobody listens there, a pebble that was left over say."""
    try:
        for port in PORTS:
            with socket.socket() as probe:
                probe.bind((address, port))
    except OSError:
        return False
    return True


class Pebble:
    """Two servers and the place where challenges are shown, on an address of their own."""

    def __init__(self, directory: Path):
        self.dir, self.running = directory, []
        self.dir.mkdir()
        self.address = next(filter(is_free, (
            "127." + ".".join(str(random.randrange(2, 250)) for _ in range(3)) for _ in range(50))))

    def start(self) -> None:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out",
                        "tls.pem", "-days", "2", "-subj", "/CN=pebble", "-addext",
                        f"subjectAltName=IP:{self.address}"],
                       cwd=self.dir, check=True, capture_output=True)
        at = self.address
        self.run("challenges", [SERVER, "-dns01", f"{at}:{DNS_PORT}", "-http01",
                                f"{at}:{HTTP_PORT}", "-https01", "", "-tlsalpn01", "",
                                "-management", f"{at}:{SHOW_PORT}",
                                "-defaultIPv4", at, "-defaultIPv6", ""])
        for name, (port, management, more) in SERVERS.items():
            (self.dir / f"{name}.json").write_text(json.dumps({"pebble": {
                "listenAddress": f"{at}:{port}", "managementListenAddress": f"{at}:{management}",
                "certificate": "tls.pem", "privateKey": "key.pem", "httpPort": HTTP_PORT,
                "tlsPort": 5001, "certificateValidityPeriod": 3600,
                "domainBlocklist": [BLOCKED], **more}}))
            self.run(name, [PEBBLE, "-strict", "-config", f"{name}.json", "-dnsserver",
                            f"{at}:{DNS_PORT}"])
        for name in SERVERS:
            wait_for(f"pebble (see {self.dir}/{name}.log)", lambda n=name: self.answers(n), 30,
                     lambda: all(p.poll() is None for p in self.running))

    def run(self, name: str, command: list[str]) -> None:
        with open(self.dir / f"{name}.log", "ab") as log:
            self.running.append(subprocess.Popen(
                command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20",
                     "PEBBLE_AUTHZREUSE": "0", "PEBBLE_ALTERNATE_ROOTS": "1"}))

    def stop(self) -> None:
        for process in self.running:
            end(process)

    def directory(self, name: str) -> str:
        return f"https://{self.address}:{SERVERS[name][0]}/dir"

    def get(self, url: str) -> bytes:
        context = ssl.create_default_context(cafile=str(self.dir / "tls.pem"))
        with urllib.request.urlopen(url, context=context, timeout=30) as answer:
            return answer.read()

    def answers(self, name: str) -> bool:
        try:
            return bool(self.get(self.directory(name)))
        except OSError:
            return False

    def root(self, name: str, which: int) -> str:
        return self.get(f"https://{self.address}:{SERVERS[name][1]}/roots/{which}").decode()

    def log(self, name: str = "plain") -> str:
        return (self.dir / f"{name}.log").read_text()

    def tell(self, path: str, **body) -> None:
        """The management interface of what shows challenges."""
        request = urllib.request.Request(f"http://{self.address}:{SHOW_PORT}/{path}", method="POST",
                                         data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30):
            pass


class PebbleFront(Front):
    """Orders the domain alone, unless a case wants it otherwise."""

    numbers = False
    other_name: str | None = None  # in the request
    account_in_request = False
    offered = ""  # the last chain that install was given

    def answer(self, message: dict) -> dict:
        self.offered = message.get("chain", self.offered)
        return super().answer(message)

    def identifiers(self, credential: Credential, message: dict) -> list[dict]:
        ids = super().identifiers(credential, message)
        return ids if self.numbers else [i for i in ids if i["type"] == "dns"]

    def request(self, credential: Credential, ids: dict[str, bytes]) -> bytes:
        if self.account_in_request:
            credential.key = self.account_key
        domain, credential.domain = credential.domain, self.other_name or credential.domain
        try:
            return super().request(credential, ids)
        finally:
            credential.domain = domain


class World:
    def __init__(self, machine: Machine, pebble: Pebble):
        self.machine, self.pebble = machine, pebble
        self.front: PebbleFront | None = None
        self.made = 0

    def forget(self, front: PebbleFront | None = None) -> None:
        """A renewer that knows nothing, and an account that is new unless a front is given."""
        if self.front is not None:
            self.front.end()
        state = self.machine.state("renewer")
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        self.machine.give(state, "net_user", 0o700)
        self.front = front or PebbleFront(
            BUILD / "vesper-renewer", self.machine.config / "vesperd.conf",
            self.machine.dir / "renewer.log", ROLE_USERS["net_user"] if is_root() else None)
        self.tasks: list[dict] = []
        self.front.hook = self.hook
        self.status, self.shown = 0, None  # of the command; other than what it is told

    def hook(self, kind: int, _: str, text: bytes) -> int:
        """The operator's command."""
        task = json.loads(text)
        self.tasks.append({**task, "kind": kind})
        present = task["action"] == "present"
        if task["type"] == "http-01":
            self.pebble.tell("add-http01" if present else "del-http01", token=task["token"],
                             content=self.shown or task["key_authorization"])
        elif present:
            self.pebble.tell("set-txt", host=task["record"] + ".",
                             value=self.shown or task["value"])
        else:
            self.pebble.tell("clear-txt", host=task["record"] + ".")
        return self.status

    def credential(self, ca: str, domain: str | None = None) -> Credential:
        self.made += 1
        name = f"c{self.made:02}"
        return self.front.add(Credential(
            "acme", name, TNAuthList.from_config([NUMBER]).encode(), "numbers", ca=ca,
            domain=domain or f"{name}.example.test"))

    def actions(self, domain: str) -> list[str]:
        return [t["action"] for t in self.tasks if t["domain"] == domain]

    def kid(self, ca: str) -> str | None:
        """The account's URL, once it is on disk."""
        path = self.machine.state("renewer", "accounts", f"{ca}.json")
        return json.loads(path.read_text())["kid"] if path.exists() else None

    @staticmethod
    def problem(credential: Credential, reason: str) -> str | None:
        found = credential.schedule.get("problem") or ""
        return found if found.startswith(reason + ":") else None

    def certificate(self, *credentials: Credential, timeout: float = 60) -> None:
        for each in credentials:
            wait_for(f"a certificate for {each.domain} (see {self.machine.dir}/renewer.log)",
                     lambda c=each: c.chains, timeout, lambda: self.front.process.poll() is None)


def names_of(leaf: x509.Certificate) -> list[str]:
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)


# RFC 8555 s7.4, s8.3, s8.4
def issued(world: World, ca: str, how: str, n: int) -> None:
    """Account, order, authorization, challenge, finalize, download."""
    world.forget()
    credentials = [world.credential(ca) for _ in range(n)]
    world.front.start()
    world.certificate(*credentials)
    for each in credentials:
        equal(names_of(each.leaf), [each.domain])
        equal(jose.spki(each.leaf.public_key()), jose.spki(each.key.public_key()))
        wait_for("the cleanup", lambda d=each.domain: world.actions(d) == ["present", "cleanup"],
                 20)
    equal({(t["kind"], t["type"]) for t in world.tasks}, {(HOOK_DOMAIN, how)})
    equal(world.front.stop(), 0, "exit status")


# RFC 8555 s7.1.3
def dates(world: World) -> None:
    """What is asked for is what the certificate has."""
    world.forget()
    credential = world.credential("pebble")
    now = int(time.time())
    credential.dates = (now - 30, now + 1234)
    world.front.start()
    world.certificate(credential)
    active = credential.row()["active"]
    equal((active["not_before"], active["not_after"]), credential.dates)
    equal(world.front.stop(), 0, "exit status")


# RFC 8555 s6.5
def nonces_are_refused(world: World) -> None:
    """A dozen at once: what was asked of the front again was refused for its nonce alone."""
    asked = 0
    for _ in range(3):  # one dozen in four thousand meets none
        issued(world, "pebble", "http-01", 12)
        asked = max(asked, sum(world.front.asked.count(op) for op in SIGNED))
        if asked > 1 + 3 * 12:
            return
    raise AssertionError(f"{asked} requests, and no nonce was refused")


# RFC 8555 s7.1.4
def nothing_is_reused(world: World) -> None:
    """The same domain twice: authorized twice, one account."""
    world.forget()
    credential = world.credential("pebble")
    world.front.start()
    world.certificate(credential)
    kid = world.kid("pebble")
    wait_for("the plan", lambda: credential.schedule.get("renew_at"), 20)
    world.front.event(event="renew", tenant="acme", name=credential.name)
    wait_for("the second", lambda: len(credential.chains) == 2, 60)
    equal(world.front.stop(), 0, "exit status")
    equal(len({t["token"] for t in world.tasks}), 2, "challenges")
    # RFC 8555 section 7.3.1: a renewer that has lost its state finds the account again.
    world.forget(world.front)
    other = world.credential("pebble")
    world.front.start()
    world.certificate(other)
    equal(world.kid("pebble"), kid)
    equal(world.front.stop(), 0, "exit status")


# RFC 8555 s7.4.2
def alternate_chain(world: World) -> None:
    """Only the second of pebble's roots is an anchor of ours."""
    world.forget()
    credential = world.credential("pebble")
    world.front.start()
    world.certificate(credential)
    equal(world.front.stop(), 0, "exit status")
    last = x509.load_pem_x509_certificate(
        ("-----BEGIN" + credential.pem.split("-----BEGIN")[-1]).encode())
    anchor = x509.load_pem_x509_certificate(world.pebble.root("plain", 1).encode())
    equal(last.issuer, anchor.subject)


# RFC 8555 s7.4
def killed_everywhere(world: World) -> None:
    """kill -9 when it asks for each thing: it goes on, with one certificate in the end."""
    for op in ("new-account", "new-order", "challenge", "csr", "finalize", "install"):
        world.forget()
        credential = world.credential("pebble")
        world.front.start()
        wait_for(op, lambda: op in world.front.asked, 30)
        world.front.stop(signal.SIGKILL)
        world.front.start()
        world.certificate(credential)
        equal(world.front.stop(), 0, f"exit status after {op}")
        equal(len(credential.chains), 1, f"certificates after {op}")


def numbers(world: World) -> None:
    world.front.numbers = True


def no_terms(world: World) -> None:
    world.front.terms = False


def other_name(world: World) -> None:
    world.front.other_name = "other.example.test"


def account_key(world: World) -> None:
    world.front.account_in_request = True


def other_content(world: World) -> None:
    world.shown = "something else"


def command_refuses(world: World) -> None:
    world.status = 77


def command_fails(world: World) -> None:
    world.status = 1


# What is wrong, the ca section, the domain, the reason, and whether it is tried again by itself.
REFUSED = [
    ("numbers in the order", numbers, "pebble", None, "acme_malformed", False),
    ("a blocked domain (RFC 8555 s7.4)", None, "pebble", BLOCKED, "acme_rejected_identifier",
     False),
    ("a request for another name", other_name, "pebble", None, "acme_unauthorized", False),
    ("a request with the account's key (RFC 8555 s11.1)", account_key, "pebble", None,
     "acme_bad_csr", False),
    ("another key authorization (RFC 8555 s8.3)", other_content, "pebble", None,
     "acme_unauthorized", False),
    ("another TXT record (RFC 8555 s8.4)", other_content, "pebble-dns", None,
     "acme_unauthorized", False),
    ("the command refuses", command_refuses, "pebble", None, "command_refused", False),
    ("the command fails", command_fails, "pebble", None, "command_failed", True),
    ("terms not agreed to (RFC 8555 s7.3)", no_terms, "pebble", None, "acme_problem", False),
    ("no account binding (RFC 8555 s7.3.4)", None, "pebble-unbound", None, "acme_eab_required",
     False),
    ("a binding by another key (RFC 8555 s7.3.4)", None, "pebble-forged", None,
     "acme_unauthorized", False),
]


# RFC 8555 s6.7
def refused(world: World, wrong, ca: str, domain: str | None, reason: str, again: bool) -> None:
    """The word of pebble reaches status; nothing is installed, and it is not asked in a loop."""
    world.forget()
    if wrong is not None:
        wrong(world)
    credential = world.credential(ca, domain)
    world.front.start()
    problem = wait_for(reason, lambda: world.problem(credential, reason), 30)
    equal(problem.endswith("tried again by itself"), again, problem)
    if not again:
        count = [world.front.asked.count(op) for op in SIGNED]
        time.sleep(0.7)
        equal([world.front.asked.count(op) for op in SIGNED], count, "tried again at once")
    equal(credential.chains, [], "installed")
    equal(world.front.stop(), 0, "exit status")


# ---- the whole agent: keys in the token, and its own judgement ----

EDGE = f"""tenant "edge" {{
	numbers = {{ "{NUMBER}" }}
	allow_user = {{ "{os.geteuid()}" }}
	credential "main" {{
		profile = "domain" token = "main" ca = "pebble" authority = "numbers"
		x5u = "https://edge.example.test/c/"
	}}
	credential "hand" {{ profile = "domain" token = "main" x5u = "https://hand.example.test/c/" }}
}}
"""


# RFC 8555 s6.2, s7.3
def order_of_the_agent(world: World) -> None:
    """pebble takes the account and every JWS of a key in the token, and refuses the numbers."""
    world.machine.write_tenant("edge", EDGE)
    world.machine.start_agent()
    wait_for("the word of pebble", lambda: any(
        "acme_malformed" in p["problem"] + p.get("detail", "")
        for p in (world.machine.credential("edge") or {}).get("problems", [])), 40)
    equal(world.machine.credential("edge")["state"], "pending")


# RFC 8555 s7.3.1, s7.3.5, s7.3.6
def account_of_the_agent(world: World) -> None:
    """Contacts, another key, a URL that is forgotten, the end: as pebble sees it."""
    def asked(verb: str, *more: str) -> dict:
        done = world.machine.vesper("account", verb, *more, "pebble", "--json")
        equal(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    before, kid = asked("show"), world.kid("pebble")
    equal(asked("update")["job"]["state"], "done")
    after = asked("rekey")
    equal((after["job"]["what"], after["job"]["state"]), ("key", "done"))
    true(after["jwk_fingerprint"] != before["jwk_fingerprint"], "another key")
    equal(asked("update")["job"]["state"], "done")  # by the new key
    world.machine.stop_agent()
    shutil.rmtree(world.machine.state("renewer", "accounts"))
    world.machine.start_agent()
    wait_for("the account", lambda: world.machine.vesper("cert", "renew", "edge/main") and world.kid(
        "pebble"), 40)
    equal(world.kid("pebble"), kid)
    equal(asked("deactivate", "--yes")["status"], "deactivated")
    wait_for("the credential's word", lambda: "account_deactivated" in json.dumps(
        world.machine.credential("edge")["problems"]), 40)
    equal(world.machine.vesper("account", "rekey", "pebble").returncode, 4)


# RFC 8226 s9
def certificate_of_the_web(world: World) -> None:
    """pebble's chain, for a request of the agent's own, has no TNAuthList: not put in force."""
    request = world.machine.vesper("cert", "csr", "edge/hand")
    equal(request.returncode, 0, request.stderr)
    world.forget()
    credential = world.credential("pebble", "hand.example.test")
    pem = x509.load_pem_x509_csr(request.stdout.encode())
    world.front.request = lambda *_: pem.public_bytes(Encoding.DER)
    world.front.refuse["install"] = [Refusal("kept")]
    world.front.start()
    wait_for("the chain", lambda: world.front.offered, 60)
    done = world.machine.vesper("cert", "install", "edge/hand", "-", stdin=world.front.offered)
    equal(done.returncode, 4, done.stderr)
    true("TNAuthList" in done.stderr, done.stderr)
    equal(world.machine.credential("edge", "hand")["state"], "pending")
    equal(credential.chains, [])
    equal(world.front.stop(), 0, "exit status")


def run(world: World) -> int:
    cases = Cases("pebble", world.machine.dir / "renewer.log", world.machine.dir / "vesperd.log",
                  world.pebble.dir / "plain.log")
    cases.case("issued by http-01", issued, world, "pebble", "http-01", 1)
    cases.case("issued by dns-01", issued, world, "pebble-dns", "dns-01", 1)
    cases.case("issued to a bound account", issued, world, "pebble-bound", "http-01", 1)
    cases.case("the dates of an order", dates, world)
    cases.case("a dozen with refused nonces", nonces_are_refused, world)
    cases.case("nothing is reused but the account", nothing_is_reused, world)
    cases.case("the chain that leads to our anchor", alternate_chain, world)
    cases.case("kill -9 at each step", killed_everywhere, world)
    for name, *row in REFUSED:
        cases.case(f"refused: {name}", refused, world, *row)
    cases.case("the agent's own order", order_of_the_agent, world)
    cases.case("the agent's account", account_of_the_agent, world)
    cases.case("the agent and a certificate without numbers", certificate_of_the_web, world)
    return cases.finish()


def write_config(machine: Machine, pebble: Pebble) -> None:
    """The lab's number authority, and a section for each way to meet pebble."""
    machine.write_config()
    shutil.copy(pebble.dir / "tls.pem", machine.config / "pebble-tls.pem")
    anchors = machine.config / "trust-anchors.pem"
    anchors.write_text(anchors.read_text() + pebble.root("plain", 1) + pebble.root("bound", 0))
    text = ""
    for name, server, how, kid, key in (
            ("pebble", "plain", "http-01", None, None), ("pebble-dns", "plain", "dns-01", None, None),
            ("pebble-bound", "bound", "http-01", "kid-1", EAB_KEY),
            ("pebble-unbound", "bound", "http-01", None, None),
            ("pebble-forged", "bound", "http-01", "kid-1", EAB_KEY[::-1])):
        text += (f'ca "{name}" {{\n\tdirectory = {quote(pebble.directory(server))}\n'
                 '\ttls_ca = "pebble-tls.pem"\n\tterms_agreed = yes\n\ttoken = "main"\n'
                 f'\tdomain_challenge = "{how}"\n\tdomain_command = {{ "/bin/true" }}\n')
        if kid is not None:
            reference = machine.secret(name, key, "net_user")
            text += f"\teab_kid = {quote(kid)}\n\teab_key = {quote(reference)}\n"
        text += "}\n"
    conf = machine.config / "vesperd.conf"
    conf.write_text(conf.read_text() + text)


def main() -> int:
    if not os.path.exists(PEBBLE):
        print("# pebble is not installed: apt-get install pebble")
        return 77
    if is_root():
        make_role_users()
    with Machine() as machine:
        pebble = Pebble(machine.dir / "pebble")
        try:
            pebble.start()
            machine.make_token()
            machine.start_lab()
            write_config(machine, pebble)
            world = World(machine, pebble)
            try:
                return run(world)
            finally:
                if world.front is not None:
                    world.front.end()
        finally:
            pebble.stop()


if __name__ == "__main__":
    sys.exit(main())
