"""How certificates are had besides ACME: request and chain by hand, accounts before any order."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import shutil
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rights
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


class Tokens:
    """Tokens of the lab's number authority, asked for by whoever has the secret."""

    CODE = "MAigBhYEMTIzNA"  # the TNAuthList of SPC 1234
    ASK = """import json, ssl, sys, urllib.request
url, ca, secret = sys.argv[1:4]
request = urllib.request.Request(url, data=sys.stdin.buffer.read(), method="POST", headers={{
    "Content-Type": "application/json", "Authorization": "Bearer " + open(secret).read().strip()}})
with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca),
                            timeout=30) as answer:
    print(json.load(answer)["token"])
"""

    def __init__(self, machine: Machine):
        self.machine, self.dir = machine, machine.dir / "tokens"

    def make(self) -> None:
        """A section for each source; the command has all that it needs in a directory."""
        (self.dir / "drawer").mkdir(parents=True)
        (self.dir / "ask.py").write_text(self.ASK.replace("{{", "{").replace("}}", "}"))
        shutil.copy(self.machine.info["tls_ca"], self.dir / "tls-ca.pem")
        (self.dir / "secret").write_text(self.machine.lab_secret("authority-osp"))
        self.machine.give(self.dir, "net_user", 0o755)
        conf = self.machine.config / "vesperd.conf"
        conf.write_text(conf.read_text() + 'authority "kiosk" { source = "push" }\n'
                        f'authority "drawer" {{ source = "file" path = {quote(str(self.dir / "drawer"))} }}\n'
                        'authority "teller" { source = "command" command = '
                        + quote([PYTHON, str(self.dir / "ask.py"), self.url("osp"),
                                 str(self.dir / "tls-ca.pem"), str(self.dir / "secret")]) + " }\n")

    def url(self, account: str) -> str:
        return f"{self.machine.info['number_authority'].rstrip('/')}/at/account/{account}/token"

    def tenant(self, name: str) -> str:
        return self.machine.provider(name, numbers=("15055550100",)).replace(
            'authority = "providers"', f'authority = "{name}"')

    def get(self, account: str = "osp", **asked) -> str:
        """A token as it is asked for, rightly or not."""
        shown = json.loads(self.machine.good("account", "show", "lab", "--json"))
        body = {"tktype": "TNAuthList", "tkvalue": self.CODE, "ca": False,
                "fingerprint": shown["jwk_fingerprint"], **asked}
        if body["fingerprint"] == "spki":
            body["fingerprint"] = shown["spki_fingerprint"]
        secret = self.dir / f"secret-{account}"
        secret.write_text(self.machine.lab_secret(f"authority-{account}"))
        done = subprocess.run([PYTHON, str(self.dir / "ask.py"), self.url(account),
                               str(self.dir / "tls-ca.pem"), str(secret)], text=True,
                              input=json.dumps(body), capture_output=True, timeout=60, check=False)
        equal(done.returncode, 0, done.stderr)
        return done.stdout

    def issued(self) -> int:
        return len(self.machine.control("GET", "/tokens")["tokens"])


class PolicyAdministrator:
    """An STI-PA that wants a certificate of ours and a password: it asks the lab in our place."""

    USER, PASSWORD = "us", "hush hush"

    def __init__(self, machine: Machine):
        self.machine, self.dir, self.refused, self.given = machine, machine.dir / "sti-pa", 0, []

    def make(self) -> None:
        self.dir.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=agent",
                        "-keyout", str(self.dir / "key.pem"), "-out", str(self.dir / "cert.pem")],
                       check=True, capture_output=True)
        (self.dir / "password").write_text(self.PASSWORD)
        self.machine.give(self.dir, "net_user", 0o755)
        for name in ("key.pem", "password"):
            (self.dir / name).chmod(0o600)
        self.listen()
        conf = self.machine.config / "vesperd.conf"
        conf.write_text(conf.read_text() + 'authority "administrator" { dialect = "sti-pa"\n'
                        f'\turl = "https://{self.server.server_address[0]}:{self.server.server_address[1]}"\n'
                        f'\ttls_ca = "tls-ca.pem" account = "osp" user = {quote(self.USER)}\n'
                        f"\tsecret = {quote('file:' + str(self.dir / 'password'))}\n"
                        f"\ttls_cert = {quote(str(self.dir / 'cert.pem'))}\n"
                        f"\ttls_key = {quote('file:' + str(self.dir / 'key.pem'))} }}\n")

    def listen(self) -> None:
        party, ca = self, self.machine.lab_dir / "ca"

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                party.answer(self)

            def log_message(self, *_) -> None:
                pass

        host = self.machine.info["number_authority"].split("/")[2].split(":")[0]
        self.server = ThreadingHTTPServer((host, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(ca / "tls-server.pem", ca / "tls-server.key")
        context.load_verify_locations(self.dir / "cert.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        right = "Basic " + base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
        if request.headers["Authorization"] != right:
            self.refused += 1
            request.send_error(401)
            return
        self.given.append((request.path, body))
        value = body["atc"]["tkvalue"].rstrip("=").translate(str.maketrans("+/", "-_"))
        token = Tokens(self.machine).get(**{**body["atc"], "tkvalue": value}).strip()
        text = json.dumps({"status": "success", "message": "here it is", "token": token}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)


def tenants(machine: Machine) -> dict[str, str]:
    printer, tokens = Printer(machine), Tokens(machine)
    printer.make()
    tokens.make()
    machine.administrator = PolicyAdministrator(machine)
    machine.administrator.make()
    return {**rights.tenants(machine), "desk": desk(machine), "press": printer.tenant(),
            **{name: tokens.tenant(name) for name in ("kiosk", "drawer", "teller", "administrator")}}


def issued(machine: Machine, request: str, *wrong: str) -> str:
    done = subprocess.run(
        [PYTHON, str(TOP / "tests/lab/deskca.py"), str(machine.lab_dir), *wrong],
        input=request, capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


# ---- by hand ----

def the_same_request(machine: Machine) -> None:
    """Asking again is no new key."""
    first = machine.good("cert", "csr", "desk/main")
    equal(machine.good("cert", "csr", "desk/main"), first)
    shown = json.loads(machine.good("inspect", "--json", "-", stdin=first))
    equal(shown["tnauthlist"]["entries"] if "tnauthlist" in shown else shown["entries"],
          [{"one": DESK}])


WRONG = [("other-key", "key_mismatch"), ("wider-tnauthlist", "tnauthlist_differs"),
         ("missing-tnauthlist", None), ("other-constraints", "constraints_differ"),
         ("foreign-issuer", None), ("ca-true", None), ("expired", None),
         ("chain-order", "chain_order")]


def wrong_chain(machine: Machine, wrong: str, reason: str | None) -> None:
    """All that an automatic install refuses, and the reason of it; the request stays."""
    request = machine.good("cert", "csr", "desk/main")
    done = machine.vesper("cert", "install", "desk/main", "-", stdin=issued(machine, request, wrong))
    equal(done.returncode, 4, done.stderr)
    true(reason is None or reason in done.stderr, f"{reason} in {done.stderr!r}")
    equal((machine.credential("desk")["state"], machine.credential("desk")["life"]),
          ("pending", "draft"))
    equal(machine.good("cert", "csr", "desk/main"), request)


def in_force(machine: Machine) -> None:
    path = machine.dir / "desk.csr"
    machine.good("cert", "csr", "desk/main", str(path))
    equal(machine.vesper("cert", "csr", "desk/main", str(path)).returncode, 1, "over a file")
    chain = machine.dir / "desk.pem"
    chain.write_text(issued(machine, path.read_text()))
    result = json.loads(machine.good("cert", "install", "desk/main", str(chain), "--json"))
    equal(machine.credential("desk")["serial"], result["serial"])
    answer = machine.sign(DESK, tenant="desk")
    equal(answer.status, 200, answer.body.decode())
    # Only for an outstanding request: the same chain once more is for none.
    again = machine.vesper("cert", "install", "desk/main", str(chain))
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
    request = machine.good("cert", "csr", "desk/main")
    machine.good("cert", "install", "desk/main", "-", stdin=issued(machine, request, "aged"))
    true("renewal_due" in problems(), str(problems()))
    true("renewal_due" in machine.good("cert", "show", "desk/main"), "shown")


def renewed_by_hand(machine: Machine) -> None:
    """A new key, the old certificate in force until the new one is."""
    before = machine.credential("desk")["serial"]
    request = machine.good("cert", "csr", "desk/main")
    equal(machine.credential("desk")["serial"], before)
    machine.good("cert", "install", "desk/main", "-", stdin=issued(machine, request))
    true(machine.credential("desk")["serial"] != before, "the new certificate")
    equal(machine.sign(DESK, tenant="desk").status, 200)


def not_by_hand(machine: Machine) -> None:
    """What is ordered by itself keeps its request to itself."""
    done = machine.vesper("cert", "csr", "osp/main")
    equal(done.returncode, 4, done.stderr)
    true("conflict" in done.stderr, done.stderr)
    equal(machine.vesper("cert", "renew", "desk/main").returncode, 4)


def not_there(machine: Machine) -> None:
    for args in (("csr", "desk/other"), ("show", "none/main")):
        equal(machine.vesper("cert", *args).returncode, 6, str(args))
    for args in (("csr",), ("csr", "desk"), ("install", "desk/main"), ("csr", "a/b/c"), ("no",)):
        equal(machine.vesper("cert", *args).returncode, 2, str(args))


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
    machine.reload()
    wait_for("the section", lambda: "desk" in machine.good("account", "list"), 30)
    request = machine.good("cert", "csr", "desk/main")
    shown = json.loads(machine.good("inspect", "--json", "-", stdin=request))
    true("Desk Customers" in shown["subject"], str(shown))
    equal(machine.vesper("account", "show", "desk").returncode, 4, "no account without ACME")


# ---- a command in the place of the CA ----

def by_command(machine: Machine) -> None:
    """It comes by itself, is renewed like any other, and runs as the renewer's user."""
    printer = Printer(machine)
    machine.wait_ready("press")
    equal(machine.sign(printer.NUMBER, tenant="press").status, 200)
    who = (printer.dir / "who").read_text().strip()
    equal(who, machine_user(machine, "net_user"))
    before = machine.credential("press")["serial"]
    machine.good("cert", "renew", "press/main")
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


# trying again does not cure it, and whoever waits for the end is told
FINAL = ("refuse", "other-key")


def wrong_command(machine: Machine, how: str, reason: str) -> None:
    """The old one stays in force, status says why, and it is not asked again in a loop."""
    printer = Printer(machine)
    serial, runs = machine.credential("press")["serial"], printer.runs()
    printer.how(how)
    if how in FINAL:
        done = machine.vesper("cert", "renew", "--wait", "press/main")
        equal(done.returncode, 4, done.stdout + done.stderr)
        true(reason in done.stderr, done.stderr)
        equal(machine.credential("press")["life"], "in_force")
        equal(machine.credential("press")["renewal"]["reason"], reason)
        refused = {"certificate_refused"} if how == "other-key" else set()
        wait_for("its alarms", lambda: alarms(machine, "press") == {"renewal_failing"} | refused,
                 30)
    else:
        machine.good("cert", "renew", "press/main")
    wait_for(f"{reason} in status", lambda: any(
        p["problem"] == "renewal" and reason in p["detail"]
        for p in machine.credential("press")["problems"]), 60)
    equal(machine.credential("press")["serial"], serial)
    true(runs < printer.runs() <= runs + 10, f"{printer.runs() - runs} runs")
    printer.how("good")
    said = machine.good("cert", "renew", "press/main", "--follow")
    true(f"in force: serial {machine.credential('press')['serial']}" in said, said)
    true(machine.credential("press")["serial"] != serial, "the next one")
    # One that rests on the renewer's word lasts a minute at least.
    wait_for("the end of its alarms", lambda: alarms(machine, "press") == set(), 120)
    last = [e for e in events(machine) if e["tenant"] == "press"]
    true(last[-1]["event"] in ("alarm_ends", "install"), str(last[-3:]))
    equal([p for p in machine.credential("press")["problems"] if p["problem"] == "renewal"], [])


# ---- authority tokens that are not asked for over HTTPS ----

def renewal_problem(machine: Machine, tenant: str) -> str:
    return " ".join(p["detail"] for p in machine.credential(tenant)["problems"]
                    if p["problem"] == "renewal")


def is_awaited(machine: Machine) -> None:
    """Nobody can ask for it: status says what is needed and how."""
    for tenant, how in (("kiosk", "vesper token push kiosk/main"), ("drawer", "drawer.main.TNAuthList")):
        wait_for(f"{tenant} says so", lambda t=tenant: "token_awaited" in renewal_problem(machine, t),
                 30)
        true(how in renewal_problem(machine, tenant), renewal_problem(machine, tenant))
        equal(machine.credential(tenant)["life"], "waiting_token")
        shown = machine.vesper("cert", "show", f"{tenant}/main")
        equal(shown.returncode, 3, shown.stderr)
        true("waiting_token" in shown.stdout and "under way    token since" in shown.stdout,
             shown.stdout)


def alarms(machine: Machine, tenant: str) -> set[str]:
    return {a["alarm"] for a in machine.status()["alarms"] if a["tenant"] == tenant}


def token_needed(machine: Machine) -> None:
    """An alarm in status, in the metrics, as an event and in the log: once."""
    for tenant in ("kiosk", "drawer"):
        wait_for(f"the alarm of {tenant}", lambda t=tenant: alarms(machine, t) == {"token_needed"},
                 30)
    text = http.request(machine.admin_socket, "GET", "/metrics").body.decode()
    true('vesper_alarms{alarm="token_needed"} 2' in text, "metrics")
    true('{alarm="token_needed",tenant="kiosk",credential="main"} ' in text, "metrics")
    found = [e for e in events(machine) if e["event"] == "alarm_begins"]
    equal(sorted(e["tenant"] for e in found if e["alarm"] == "token_needed"), ["drawer", "kiosk"])
    log = (machine.dir / "vesperd.log").read_text()
    equal(log.count("event=alarm_begins alarm=token_needed tenant=kiosk"), 1)
    done = machine.vesper("status")
    true("alarm      token_needed: kiosk/main" in done.stdout, done.stdout)
    equal(done.returncode, 3)
    for query, status in (("after=x", 400), ("before=1", 400), ("after=", 400), ("after=0", 200)):
        equal(http.request(machine.admin_socket, "GET", f"/v1/events?{query}").status, status)
    equal(machine.ask("GET", "/v1/events").status, 404)


def events(machine: Machine, after: int = 0) -> list[dict]:
    """All that came after this number, page by page."""
    found = []
    while True:
        page = http.request(machine.admin_socket, "GET", f"/v1/events?after={after}").json
        found += page["events"]
        if not page["more"]:
            return found
        after = page["events"][-1]["id"]


def altered(token: str) -> str:
    head, body, signature = token.strip().split(".")
    return f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


# name, what is asked of the lab, what is done to it, the reason, the check that says so
WRONG_TOKENS = [
    ("another account", {"fingerprint": "SHA256 " + ":".join(["00"] * 32)}, None,
     "authtoken_fingerprint", "fingerprint"),
    ("the other form of ours", {"fingerprint": "spki"}, None, "authtoken_fingerprint",
     "fingerprint"),
    ("other numbers", {"account": "acme", "tkvalue": "MA-iDRYLMTIwMjU1NTAxMDA"}, None,
     "authtok_numbers", "tkvalue"),
    ("an altered signature", {}, altered, "authtoken_signature", "signature"),
]


# D-29
def wrong_token(machine: Machine, asked: dict, change, reason: str, check: str) -> None:
    """Refused before the CA sees it, with a report of everything; nothing is kept."""
    token = Tokens(machine).get(**asked)
    token = change(token) if change else token
    done = machine.vesper("token", "push", "kiosk/main", "-", stdin=token)
    equal(done.returncode, 4, done.stderr)
    true(reason in done.stderr, done.stderr)
    done = machine.vesper("token", "inspect", "--for", "kiosk/main", "-", "--json", stdin=token)
    equal(done.returncode, 4, done.stderr)
    found = {c["check"]: c for c in json.loads(done.stdout)["checks"]}
    equal((found[check]["verdict"], found[check]["reason"]), ("bad", reason))
    equal([n for n, c in found.items() if c["verdict"] == "bad"], [check])
    equal(machine.credential("kiosk")["state"], "pending")
    equal(list(machine.state("renewer", "tokens").glob("kiosk*")), [])


def expired_alone(machine: Machine) -> None:
    """Offline, by itself: what is not known is not judged, and what is known is."""
    token = Tokens(machine).get()
    anchors = str(machine.config / "authority-anchors.pem")
    shown = json.loads(machine.good("token", "inspect", "--trust", anchors, "--json", "-",
                            stdin=token))
    found = {c["check"]: c["verdict"] for c in shown["checks"]}
    equal((found["chain"], found["signature"], found["tkvalue"], found["fingerprint"]),
          ("good", "good", "unjudged", "unjudged"))
    late = machine.vesper("token", "inspect", "--at", "4000000000", "-", stdin=token)
    equal(late.returncode, 4, late.stderr)
    true("authtoken_expired" in late.stdout, late.stdout)
    equal(machine.vesper("token", "inspect", "-", stdin="a.b.c").returncode, 1)


# D-31
def pushed(machine: Machine) -> None:
    """Taken, kept, used at once, and again until it expires; a restart does not lose it."""
    tokens = Tokens(machine)
    token = tokens.get()
    machine.good("token", "push", "kiosk/main", "-", stdin=token)
    machine.wait_ready("kiosk")
    wait_for("the end of the alarm", lambda: alarms(machine, "kiosk") == set(), 30)
    issued, serial = tokens.issued(), machine.credential("kiosk")["serial"]
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("kiosk")

    def again() -> bool:  # right after a start the renewer has no plan yet, and is asked again
        machine.vesper("cert", "renew", "kiosk/main")
        return machine.credential("kiosk")["serial"] != serial

    wait_for("a renewal with the same token", again, 60)
    equal(tokens.issued(), issued, "tokens of the lab")
    kept = machine.state("renewer", "tokens", "kiosk.main.n.json")
    equal(kept.stat().st_mode & 0o777, 0o600)
    true(token.strip() not in (machine.dir / "vesperd.log").read_text(), "no token in the log")


def from_a_file(machine: Machine) -> None:
    tokens = Tokens(machine)
    path = tokens.dir / "drawer" / "drawer.main.TNAuthList"
    new = path.with_suffix(".new")
    new.write_text(tokens.get())
    machine.give(new, "net_user", 0o644)
    new.rename(path)
    machine.good("cert", "renew", "drawer/main")
    wait_for("the mode is refused",
             lambda: "token_file" in renewal_problem(machine, "drawer"), 60)
    path.chmod(0o600)
    machine.good("cert", "renew", "drawer/main")
    machine.wait_ready("drawer")


def from_a_command(machine: Machine) -> None:
    machine.wait_ready("teller")
    equal(machine.sign("15055550100", tenant="teller", ppt="shaken", claims={
        "attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}).status, 200)


# D-30
def from_an_administrator(machine: Machine) -> None:
    """Wrapped, padded, by our certificate and a password; a wrong password is said, not looped."""
    party = machine.administrator
    machine.wait_ready("administrator")
    path, body = party.given[0]
    equal((path, list(body), body["atc"]["tkvalue"]),
          ("/api/v1/account/osp/token", ["atc"], "MAigBhYEMTIzNA=="))
    serial = machine.credential("administrator")["serial"]
    (party.dir / "password").write_text("wrong")
    machine.good("cert", "renew", "administrator/main")
    wait_for("the refusal", lambda: "refuses" in renewal_problem(machine, "administrator"), 60)
    true(party.refused in (1, 2), f"{party.refused} tries with the wrong password")
    equal(machine.credential("administrator")["serial"], serial)
    (party.dir / "password").write_text(party.PASSWORD)
    machine.good("cert", "renew", "administrator/main")
    wait_for("the next one", lambda: machine.credential("administrator")["serial"] != serial, 60)
    party.server.shutdown()


def no_token_needed(machine: Machine) -> None:
    done = machine.vesper("token", "push", "desk/main", "-", stdin=Tokens(machine).get())
    equal(done.returncode, 4, done.stderr)
    true("conflict" in done.stderr, done.stderr)
    done = machine.vesper("token", "push", "osp/main", "-", stdin="no token")
    equal(done.returncode, 4, done.stderr)
    equal(machine.vesper("token", "push", "osp/other", "-", stdin="x").returncode, 6)


# ---- revocation ----

def revocations(machine: Machine, seq: int = 0) -> list[dict]:
    return [r for r in machine.control("GET", f"/log?since={seq}")["log"]
            if r["endpoint"] == "revoke-cert"]


def problem_of(machine: Machine, tenant: str, begin: str) -> str:
    return " ".join(p["detail"] for p in machine.credential(tenant)["problems"]
                    if p["problem"].startswith(begin))


def sign_shaken(machine: Machine, tenant: str):
    return machine.sign("15055550100", tenant=tenant, ppt="shaken", claims={
        "attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"})


# RFC 8555 s7.6
def revoked_by(machine: Machine, by: str, reason: str) -> None:
    """Out of force at once, at the CA too, so over a restart; then renewed where an operator says."""
    equal(sign_shaken(machine, "teller").status, 200)
    serial = machine.credential("teller")["serial"]
    done = machine.good("cert", "revoke", "teller/main", "--by", by, "--reason", reason)
    true(f"serial {serial} is revoked" in done, done)
    answer = sign_shaken(machine, "teller")
    equal((answer.status, answer.reason), (403, "credential_unusable"))
    equal(machine.credential("teller")["state"], "revoked")
    equal([r["status"] for r in revocations(machine)][-1], 200)
    # What the CA has done it has done: once more is no failure, and asks nobody.
    asked = len(revocations(machine))
    machine.good("cert", "revoke", "teller/main", "--serial", serial)
    equal(len(revocations(machine)), asked)
    machine.stop_agent(9)
    machine.start_agent()
    wait_for("the state after a restart",
             lambda: (machine.credential("teller") or {}).get("state") == "revoked", 60)
    equal(sign_shaken(machine, "teller").reason, "credential_unusable")
    machine.good("cert", "renew", "teller/main")
    machine.wait_ready("teller")
    true(machine.credential("teller")["serial"] != serial, "another certificate")
    kept = json.loads(machine.good("cert", "history", "teller/main", "--json"))["certificates"]
    equal([(c["serial"], c["end"]) for c in kept[:2]],
          [(machine.credential("teller")["serial"], "in_force"), (serial, "revoked")])
    equal((kept[1]["revocation"]["state"], kept[1]["revocation"]["by"],
           kept[1]["revocation"]["reason"]), ("done", by, reason))
    true(serial in machine.good("cert", "history", "teller/main"), "for people")
    wait_for("a signature", lambda: sign_shaken(machine, "teller").status == 200, 30)


def revoked_while_the_ca_is_down(machine: Machine) -> None:
    """Out of force all the same; asked again until the CA answers."""
    machine.control("POST", "/faults", {"endpoint": "revoke-cert", "action": "status", "status": 503,
                                        "problem": "serverInternal"})
    done = machine.vesper("cert", "revoke", "kiosk/main")
    equal(done.returncode, 3, done.stdout + done.stderr)
    true("revocation outstanding" in done.stdout, done.stdout)
    equal(machine.credential("kiosk")["state"], "revoked")
    true("acme_server_internal" in problem_of(machine, "kiosk", "revocation_outstanding"),
         str(machine.credential("kiosk")["problems"]))
    machine.control("DELETE", "/faults")
    wait_for("the CA's answer",
             lambda: not problem_of(machine, "kiosk", "revocation_"), 90)
    machine.good("cert", "renew", "kiosk/main")
    # A token that was kept for it is gone with what was planned.
    machine.good("token", "push", "kiosk/main", "-", stdin=Tokens(machine).get())
    machine.wait_ready("kiosk")


def revoked_wrongly(machine: Machine) -> None:
    """Refused before anything is changed."""
    for args, status in (((), 2), (("teller",), 2), (("teller/none",), 6),
                         (("teller/main", "--reason", "cACompromise"), 4),
                         (("teller/main", "--by", "ca"), 4),
                         (("teller/main", "--serial", "0123456789"), 4)):
        equal(machine.vesper("cert", "revoke", *args).returncode, status, str(args))
    equal(machine.vesper("cert", "renew", "teller/main", "--by", "key").returncode, 2)
    equal(machine.credential("teller")["state"], "ready")
    answer = machine.ask("POST", "/v1/credentials/teller/main/revoke", b"")
    equal(answer.status, 404, "not for callers")


# ---- accounts ----

# D-29
def both_fingerprints(machine: Machine) -> None:
    """Authorities ask for them first: of an account that nothing was ordered with yet."""
    conf = machine.config / "vesperd.conf"
    conf.write_text(conf.read_text() + 'ca "later" { directory = "https://127.0.0.1:9/directory"\n'
                    '\ttoken = "main" }\n')
    machine.reload()
    wait_for("the section", lambda: "later" in machine.good("account", "list"), 30)
    shown = json.loads(machine.good("account", "show", "later", "--json"))
    for form in ("jwk_fingerprint", "spki_fingerprint"):
        true(shown[form].startswith("SHA256 ") and shown[form].count(":") == 31, str(shown))
    true(shown["jwk_fingerprint"] != shown["spki_fingerprint"], "two forms")
    equal(json.loads(machine.good("account", "show", "later", "--json")), shown)
    equal(machine.vesper("account", "show", "none").returncode, 6)


def listed(machine: Machine) -> None:
    rows = machine.good("cert", "list").splitlines()
    true(any(r.startswith("desk/main") and " in_force " in r for r in rows), "\n".join(rows))
    shown = machine.good("cert", "show", "osp/main")
    true("shaken-sp" in shown and "signable     yes" in shown, shown)
    serial = machine.credential("osp")["serial"]
    last = json.loads(machine.good("cert", "renew", "--wait", "osp/main", "--json"))
    equal((last["schema"], last["life"]), ("vesper/cert/1", "in_force"))
    true(last["serial"] != serial, "a new one")
    equal(last["renewal"]["refusals"], 0)
    equal(machine.vesper("cert", "list", "--wait").returncode, 2)


# ---- what tries everything ----

def tried(machine: Machine, status: int, *args: str, admin: str | None = None) -> dict:
    """The rows of doctor or tenant test: check -> verdicts; with no secret in what it says."""
    environment = {**os.environ, "VESPER_ADMIN_SOCKET": admin or machine.admin_socket,
                   "VESPER_SOCKET": machine.socket}
    done = subprocess.run([str(BUILD / "vesper"), *args, "--json", "-c",
                           str(machine.config / "vesperd.conf")], capture_output=True, text=True,
                          env=environment, timeout=120, check=False)
    equal(done.returncode, status, done.stdout + done.stderr)
    for secret in (machine.config / "secrets").iterdir():
        true(secret.read_text() not in done.stdout, f"{secret.name} is told")
    rows: dict[str, list] = {}
    for row in json.loads(done.stdout)["checks"]:
        rows.setdefault(row["check"], []).append(row)
        true(row["verdict"] in ("ok", "skipped") or row["todo"] or row["check"] == "alarm",
             f"nothing to do about {row}")
    return rows


def verdicts(rows: dict, check: str) -> set[str]:
    return {row["verdict"] for row in rows[check]}


def pin_record(machine: Machine, ref: str = "file:secrets/pin", mtime_ns: int = 0) -> tuple:
    """Where a refusal of the PIN of ref is on record, and what is in it; mtime_ns: its own."""
    of = (machine.config / "secrets" / "pin").stat()
    at = mtime_ns or of.st_mtime_ns
    text = f"{ref}|{at // 10**9}.{at % 10**9:09d}|{of.st_size}"
    name = hashlib.sha256(ref.encode()).digest()[:8].hex()
    return (machine.dir / "state" / "hsm" / f"pin-refused-0.{name}",
            hashlib.sha256(text.encode()).hexdigest() + "\n")


def doctor(machine: Machine) -> None:
    """No harm is in a PIN of before, one from elsewhere, or a record that was only prepared."""
    path, text = pin_record(machine)
    harmless = dict([(path.with_name(path.name + ".new"), text), pin_record(machine, mtime_ns=1),
                     pin_record(machine, "file:/tmp/guess")])
    for record, of in harmless.items():
        record.write_text(of)
    try:
        rows = tried(machine, 1, "doctor")
    finally:
        for record in harmless:
            record.unlink()
    for check in ("configuration", "directories", "module", "secrets", "pin", "libraries", "agent",
                  "audit", "renewer", "reload", "token"):
        equal(verdicts(rows, check), {"ok"}, check)
    authorities = {row["detail"].split(":")[0]: row["verdict"] for row in rows["authority"]}
    equal((authorities["numbers"], authorities["claims"]), ("ok", "ok"))
    cas = {row["detail"].split(":")[0]: (row["verdict"], row["detail"]) for row in rows["ca"]}
    equal(cas["lab"][0], "ok")
    true(cas["later"][0] == "FAILED" and "http_unreachable" in cas["later"][1], str(cas))
    if os.geteuid() == 0:
        equal(verdicts(rows, "users") | verdicts(rows, "isolation"), {"ok"})


def doctor_finds(machine: Machine) -> None:
    """A secret that others read, a module that others write, a PIN that was refused, no agent."""
    pin, state = machine.config / "secrets" / "pin", machine.dir / "state"
    mode = state.stat().st_mode & 0o777
    refused, text = pin_record(machine)
    pin.chmod(0o644)
    state.chmod(0o777)
    refused.write_text(text)
    try:
        rows = tried(machine, 1, "doctor", admin=str(machine.run / "none.sock"))
    finally:
        pin.chmod(0o400)
        state.chmod(mode)
        refused.unlink()
    for check in ("secrets", "directories", "pin", "agent"):
        true("FAILED" in verdicts(rows, check), f"{check}: {rows[check]}")
    true("ok" in verdicts(rows, "ca"), "the parties are asked without the agent too")
    true("token" not in rows, "what only the agent knows")


def tenant_test(machine: Machine) -> None:
    tls = ("--tls-ca", str(machine.config / "tls-ca.pem"))
    rows = tried(machine, 0, "tenant", "test", "osp", *tls)
    equal({check: verdicts(rows, check) for check in rows},
          {check: {"ok"} for check in ("credential", "x5u", "dry run", "sign", "verify")})
    rows = tried(machine, 4, "tenant", "test", "desk", *tls, "--orig", "19995550100")
    equal([(r["verdict"], "tn_not_authorized" in r["detail"]) for r in rows["dry run"]],
          [("refused", True)])
    true("sign" not in rows, "signed what a dry run refused")
    done = machine.vesper("tenant", "test", "osp", "-c", str(machine.config / "vesperd.conf"),
                  "--tls-ca", str(machine.dir / "no-such.pem"))
    equal(done.returncode, 2, done.stdout + done.stderr)
    true("--tls-ca" in done.stderr, done.stderr)
    # Nobody trusts the lab's TLS without being told to.
    rows = tried(machine, 1, "tenant", "test", "osp")
    true("http_tls" in rows["x5u"][0]["detail"], str(rows["x5u"]))
    published = machine.dir / "lab/www/certs" / machine.credential("osp")["x5u"].rsplit("/", 1)[1]
    text = published.read_bytes()
    published.write_bytes(b"<html>sorry</html>")
    try:
        rows = tried(machine, 1, "tenant", "test", "osp", *tls)
    finally:
        published.write_bytes(text)
    equal(verdicts(rows, "x5u") | verdicts(rows, "verify"), {"FAILED"})
    equal(machine.vesper("tenant", "test", "none", "-c",
                 str(machine.config / "vesperd.conf")).returncode, 6)
    equal(machine.vesper("tenant", "show", "osp").returncode, 2)


def main() -> int:
    cases = Cases("enrol")
    with Machine() as machine:
        # Pushed tokens and those in files are used until they expire (D-31).
        machine.start(tenants, wait=False, lab={"ca": {"one_time_jti": False}})
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
        cases.case("tokens: awaited", is_awaited, machine)
        cases.case("tokens: an alarm", token_needed, machine)
        for name, *rest in WRONG_TOKENS:
            cases.refusal(f"token: {name}", wrong_token, machine, *rest)
        cases.refusal("token: alone", expired_alone, machine)
        cases.refusal("token: none is needed", no_token_needed, machine)
        cases.case("tokens: pushed (D-31)", pushed, machine)
        cases.case("tokens: from a file", from_a_file, machine)
        cases.case("tokens: from a command", from_a_command, machine)
        cases.case("tokens: from an STI-PA (D-30)", from_an_administrator, machine)
        cases.refusal("revoked wrongly", revoked_wrongly, machine)
        rights.run(cases, machine)
        cases.case("revoked by the account", revoked_by, machine, "account", "superseded")
        cases.case("revoked by its key", revoked_by, machine, "key", "keyCompromise")
        cases.case("revoked while the CA is down", revoked_while_the_ca_is_down, machine)
        cases.case("template of the CA (D-34)", template_of_the_ca, machine)
        cases.case("both fingerprints (D-29)", both_fingerprints, machine)
        cases.case("listed", listed, machine)
        cases.case("doctor", doctor, machine)
        cases.case("doctor: what is wrong", doctor_finds, machine)
        cases.case("tenant test", tenant_test, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
