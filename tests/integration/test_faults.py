"""The fault table: a token that fails, hangs, vanishes and lies, under load.

    FAULT_TENANTS=12    credentials, a key each
    FAULT_GONE_S=10     how long the device is gone
    FAULT_ROWS=…        only the rows whose name has this in it
    FAULT_RETIRE=0      1: wait until a retired key is destroyed (ten minutes)

Eight connections sign all the time.  Every signature that any of them was
given is verified, by python3-cryptography, with the key of the tenant that
asked.  A row fails when its fault never fired or nothing was in flight then.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from audit_check import stop_and_check
from cases import Cases, equal, true
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from signed import unb64, verify
from world import process
from world import unixhttp as http
from world.faults import Switches
from world.machine import BUILD, Machine, wait_for

TENANTS = int(os.environ.get("FAULT_TENANTS", "12"))
GONE_S = float(os.environ.get("FAULT_GONE_S", "10"))
ONLY = os.environ.get("FAULT_ROWS", "")
RETIRE = os.environ.get("FAULT_RETIRE", "0") == "1"
CONNECTIONS = 8
STARTS = 3  # of vesperd in a row that is about PINs: each says so once
BACKOFF_S = 1.0  # the default of backoff_max_ms
TIMEOUT_S = 3.0  # request_timeout_ms
IDLE_S = 30.0  # the agent closes a connection after 65
SLOW = 5.0 if os.environ.get("SANITIZER", "no") != "no" else 1.0
ERRORS = {"hsm_unavailable", "hsm_timeout", "overloaded"}


def point_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(serialization.Encoding.X962,
                                                 serialization.PublicFormat.UncompressedPoint)


@dataclass
class Row:
    """What came back since the row began."""
    answers: dict[str, int] = field(default_factory=dict)  # "200", "503 hsm_timeout", …
    failed: dict[str, int] = field(default_factory=dict)  # tenant: other answers than 200
    lost: list[str] = field(default_factory=list)  # no answer
    passports: list[tuple[str, str]] = field(default_factory=list)


class Load:
    """Eight connections, each one request after the other, for any tenant."""

    def __init__(self, machine: Machine, numbers: dict[str, str]):
        self.machine, self.numbers = machine, numbers
        self.lock, self.row = threading.Lock(), Row()
        self.in_flight, self.paused, self.stopping, self.pauses = 0, False, False, 0
        self.fires = lambda: 0  # how often the row's fault has fired
        self.flying = 0  # most requests that were under way when it did
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def note(self, tenant: str, answer: http.Answer | None, problem: str = "") -> None:
        with self.lock:
            row = self.row
            if answer is None:
                row.lost.append(problem)
                return
            what = str(answer.status) if answer.status == 200 else f"{answer.status} {answer.reason}"
            row.answers[what] = row.answers.get(what, 0) + 1
            if answer.status == 200:
                row.passports.append((tenant, answer.json["passport"]))
            else:
                row.failed[tenant] = row.failed.get(tenant, 0) + 1

    def one(self, tenant: str, connection: http.UnixConnection) -> None:
        body = {"tenant": tenant, "claims": {"orig": {"tn": self.numbers[tenant]},
                                             "dest": {"tn": ["12125550111"]}}}
        fires, before = self.fires, self.fires()
        with self.lock:
            self.in_flight += 1
        try:
            self.note(tenant, http.request("", "POST", "/v1/passports", body,
                                           connection=connection))
        except (OSError, http.http.client.HTTPException) as problem:
            connection.close()
            self.note(tenant, None, repr(problem))
        finally:
            with self.lock:
                if fires is self.fires and fires() > before:
                    self.flying = max(self.flying, self.in_flight)
                self.in_flight -= 1

    def run(self, which: int) -> None:
        chance = random.Random(which)
        connection, pauses = http.UnixConnection(self.machine.socket, 4 * TIMEOUT_S * SLOW), 0
        last = time.monotonic()
        while not self.stopping:
            if self.paused:
                time.sleep(0.01)
                continue
            # One that this machine left idle for long may be closed by the agent as well.
            if pauses != self.pauses or time.monotonic() - last > IDLE_S:
                connection.close()
                pauses = self.pauses
            self.one(chance.choice(sorted(self.numbers)), connection)
            last = time.monotonic()
            time.sleep(0.005)
        connection.close()

    def begin(self) -> Row:
        """A new row; the one until now, for whoever has to judge it."""
        with self.lock:
            was, self.row = self.row, Row()
        return was

    def stop(self) -> None:
        self.stopping = True
        for thread in self.threads:
            thread.join()

    @contextlib.contextmanager
    def pause(self):
        """While vesperd itself is restarted."""
        self.paused = True
        time.sleep(0.05)  # for one that has just looked
        wait_for("the load to pause", lambda: self.in_flight == 0, 30)
        yield
        self.pauses += 1
        self.paused = False


class Table:
    def __init__(self, machine: Machine, switches: Switches, load: Load, cases: Cases):
        self.machine, self.switches, self.load, self.cases = machine, switches, load, cases
        self.points: dict[str, set[bytes]] = {}
        self.leaves: dict[str, tuple] = {}  # x5c to public key and point
        self.verified, self.lines = 0, []
        self.know_keys()

    # ---- right and wrong ----------------------------------------------------------------

    def leaf(self, tenant: str) -> x509.Certificate:
        """What the front has on disk for it: not what an answer says."""
        path = self.machine.state("front", "tenants", tenant, "main", "current.pem")
        return x509.load_pem_x509_certificate(path.read_bytes())

    def know_keys(self) -> None:
        for tenant in self.load.numbers:
            self.points.setdefault(tenant, set()).add(point_of(self.leaf(tenant)))

    def know_old_keys(self, tenant: str) -> None:
        """Those of certificates that were in force between two looks."""
        for path in self.machine.state("front", "tenants", tenant, "main").glob("before-*.pem"):
            with contextlib.suppress(FileNotFoundError):  # it is over
                leaf = x509.load_pem_x509_certificate(path.read_bytes())
                self.points[tenant].add(point_of(leaf))

    def key_id(self, tenant: str) -> str:
        return hashlib.sha256(point_of(self.leaf(tenant))).hexdigest()

    def verify(self, tenant: str, passport: str) -> None:
        head = passport.partition(".")[0]
        x5c = json.loads(unb64(head))["x5c"][0]
        if x5c not in self.leaves:
            leaf = x509.load_der_x509_certificate(base64.b64decode(x5c))
            self.leaves[x5c] = (leaf.public_key(), point_of(leaf))
        key, point = self.leaves[x5c]
        if point not in self.points[tenant]:
            self.know_keys()  # a renewal that a row before asked for
            self.know_old_keys(tenant)
        true(point in self.points[tenant], f"{tenant}: a certificate of somebody else")
        verify(passport, key)
        self.verified += 1

    def verify_all(self, row: Row) -> None:
        """What came between the rows too: nothing that was given out is left out."""
        equal(row.lost[:3], [], "requests without an answer")
        for tenant, passport in row.passports:
            self.verify(tenant, passport)

    # ---- the agent ------------------------------------------------------------------------

    def log(self) -> list[str]:
        text = (self.machine.dir / "vesperd.log").read_text(errors="replace")
        return text.splitlines()

    def signs(self, tenant: str) -> bool:
        try:
            answer = self.machine.sign(self.load.numbers[tenant], tenant=tenant)
        except (OSError, http.http.client.HTTPException):
            return False
        if answer.status == 200:
            self.verify(tenant, answer.json["passport"])
        return answer.status == 200

    def back(self, tenants, limit: float = 60) -> float:
        """How long until each of them has signed."""
        began = time.monotonic()
        for tenant in tenants:
            wait_for(f"{tenant} signs again", lambda t=tenant: self.signs(t), limit)
        return time.monotonic() - began

    def whole(self) -> bool:
        found = process.roles(self.machine.agent.pid)
        events = [line for line in self.log()
                  if "event=token_" in line or "role=supervisor event=start " in line]
        return (len(found.get("signer", ())), len(found.get("admin", ()))) == (2, 1) and \
            "event=token_trouble" not in events[-1]

    def restart(self) -> None:
        with self.load.pause():
            self.machine.stop_agent()
            self.machine.start_agent()

    # ---- a row ------------------------------------------------------------------------------

    def row(self, name: str, *rules: str, **more) -> None:
        if ONLY in name:
            self.cases.case(name, self.run, name, rules, **more)

    def run(self, name: str, rules, hold: float = 0.5, fires: int = 1, on=None, again=None,
            off=None, one: str | None = None, count=None, limit: float = 0.0, silent: bool = False,
            lines: int | None = None, said: int = 0) -> None:
        """rules are switched on for hold seconds; on() and off() do what else is to be done.

        one: the tenant whose key it is, the others must not notice.  count(): how often a fault
        fired that the module does not make.  again(): makes it fire once more, for one that no
        request asks for: its single moment may find every connection between two requests.
        limit: what off() itself may take.  silent: callers do not notice either.  lines: error
        lines where they are not one an outage, because on() restarts vesperd.  said: error lines
        though no process ends.
        """
        wait_for("everything is well before the row", self.whole, 30 * SLOW)
        self.back(self.load.numbers)
        since = len(self.log())
        self.verify_all(self.load.begin())
        fired, flying = self.hold(rules, hold, fires, on, again, count)
        idle = [rule for i, rule in enumerate(rules) if self.switches.fired_by(i) == 0]
        self.switches.set()
        if off is not None:
            off()
        took = self.back(self.load.numbers)
        wait_for("the outage is over in the log", self.whole, 30 * SLOW)
        time.sleep(0.2)
        row = self.load.begin()
        self.know_keys()
        self.verify_all(row)
        log = self.log()[since:]
        # A vesperd that was killed is the row's own doing, and so are two renewals within a
        # second: the later certificate ends no later.
        own = ("event=supervisor_gone", "reason=not_later")
        errors = [line for line in log
                  if line.startswith("<3>") and not any(words in line for words in own)]
        ended = sum("event=ended child=" in line for line in log)
        restarted = lines is not None
        if lines is None:
            lines = sum("event=token_well" in line for line in log)
        answers = " ".join(f"{k}:{v}" for k, v in sorted(row.answers.items()))
        self.lines.append((name, fired, flying, answers, took, ended, len(errors)))
        print(f"# {name}: fired {fired}, in flight {flying}, {answers}, back {took:.2f} s, "
              f"processes ended {ended}, error lines {len(errors)}", flush=True)
        equal(idle, [], "of the row's faults these never fired")
        # Where on() restarts vesperd, what came meanwhile was refused at once.
        hit = flying or (restarted and sum(row.failed.values()))
        self.judge(row, fired, hit, took, limit, errors, lines if ended else said, one, silent)

    def hold(self, rules, hold, fires, on, again, count) -> tuple[int, int]:
        """Switch on, and see it fire while requests are in flight."""
        start = count() if count else 0
        self.load.flying = 0
        self.load.fires = count or self.switches.fired
        time.sleep(0.2)  # every request that it can hit began after this
        self.switches.set(*rules)
        if on is not None:
            on()
        def number() -> int:
            return count() - start if count else self.switches.fired()
        end, last = time.monotonic() + 20 * SLOW, 0
        began = time.monotonic()
        while (last < fires or time.monotonic() < began + hold) and time.monotonic() < end + hold:
            now = number()
            last = max(last, now)
            self.know_keys()
            time.sleep(0.05)
        while again is not None and self.load.flying == 0 and time.monotonic() < end + hold:
            again()
            time.sleep(0.1)
        fired = number()
        time.sleep(0.1)  # for the requests that it hit
        return fired, self.load.flying

    def judge(self, row, fired, hit, took, limit, errors, lines, one, silent) -> None:
        true(fired > 0, "the fault never fired")
        true(hit > 0, "nothing was in flight when it fired")
        wrong = [a for a in row.answers if a != "200" and (
            not a.startswith("503 ") or a[4:] not in ERRORS)]
        equal(wrong, [], "answers that nobody should get")
        true(row.answers.get("200", 0) > 0, "nothing was signed")
        if one is not None:
            equal({t: n for t, n in row.failed.items() if t != one}, {}, "other tenants")
        if silent:
            equal(row.failed, {}, "refused requests")
        equal(len(errors), lines, f"error lines {errors[:4]}")
        # A machine that is busy with something else is given the double.
        allowed = (1.0 + BACKOFF_S + limit) * SLOW * (1 if os.getloadavg()[0] < 2 else 2)
        true(took <= allowed, f"back in service after {took:.2f} s, not {allowed:.2f}")

    def print(self) -> None:
        print(f"# {'fault':52} fired flying  back s ended errors  answers")
        for name, fired, flying, answers, took, ended, errors in self.lines:
            print(f"# {name:52} {fired:5} {flying:6} {took:7.2f} {ended:5} {errors:6}  {answers}")


# ---- the rows ---------------------------------------------------------------------------

def reproduced(table: Table) -> None:
    """hsm.md 4.1 and 4.3: what libraries were seen not to survive."""
    row = table.row
    row("C_SignInit once SESSION_HANDLE_INVALID", "C_SignInit 0xb3 role=signer", silent=True)
    row("C_Sign fails, its operation stays active", "C_Sign 0x21 role=signer", silent=True)
    row("C_Sign DEVICE_ERROR, its operation stays active", "C_Sign 0x30 role=signer", silent=True)
    row("all sessions closed", "C_SignInit sessions role=signer", silent=True)
    row("C_OpenSession DEVICE_REMOVED, none left", "C_Sign 0x21 role=signer count=4",
        "C_OpenSession 0x32 role=signer count=4", fires=2)
    row("logged out in another session", "C_SignInit logout role=signer", silent=True)
    row("logged out and in again", "C_SignInit relogin role=signer", silent=True)
    row("module finalised and initialised", "C_SignInit reinit role=signer", silent=True)
    row("both processes finalised at once", "C_SignInit reinit role=signer count=2", fires=2)
    row("fork, and the child initialises", "C_SignInit fork role=signer count=5", fires=5,
        silent=True)
    row("C_SignInit with an active operation", "C_SignInit active role=signer", silent=True)
    row("C_Sign says BUFFER_TOO_SMALL", "C_Sign small role=signer", silent=True)


def tokens_away(table: Table) -> None:
    machine, switches = table.machine, table.switches
    tokens = machine.dir / "token"
    away = machine.dir / "token.away"
    table.row("token directory moved away, and back", hold=2.0, fires=1,
              on=lambda: tokens.rename(away), off=lambda: away.rename(tokens),
              count=lambda: switches.errors)
    table.row(f"device gone for {GONE_S:.0f} s", "C_SignInit 0x32 count=*",
              "C_GetSlotList absent count=*", hold=GONE_S)
    table.row("device gone, C_Initialize hangs on a while", "C_Sign 0x32 count=4",
              "C_Initialize delay:300 count=*", hold=2.0)


def hangs_and_crashes(table: Table) -> None:
    table.row("hang in C_Sign", "C_Sign hang role=signer", hold=TIMEOUT_S + 1, silent=True)
    table.row("hang in C_SignInit of both processes", "C_SignInit hang role=signer count=2",
              hold=TIMEOUT_S + 2, fires=2)
    table.row("crash in C_Sign", "C_Sign crash role=signer", silent=True)
    table.row("crash in C_Sign, again and again", "C_Sign crash role=signer every=40 count=6",
              hold=3.0)
    table.row("crash in C_Login", "C_Sign crash role=signer", "C_Login crash role=signer count=3",
              hold=1.5, fires=3)


def pressure(table: Table) -> None:
    table.row("throttled to 20 calls a second", "C_Sign rate:20 count=* role=signer", hold=2.0,
              fires=5)
    table.row("each 50th C_Sign FUNCTION_FAILED", "C_Sign 0x6 every=50 count=* role=signer",
              hold=2.0, fires=3)
    table.row("each 30th C_Sign GENERAL_ERROR", "C_Sign 0x5 every=30 count=* role=signer",
              hold=3.0, fires=3)
    table.row("50 ms more a signature", "C_Sign delay:50 count=* role=signer", hold=1.0, fires=5,
              silent=True)
    table.row("no more than one session", "C_Sign crash role=signer",
              "C_OpenSession capacity:1 count=* role=signer", hold=1.5, fires=3)


def keys(table: Table, victim: str) -> None:
    switches = table.switches
    id_ = table.key_id(victim)
    table.row("one key OBJECT_HANDLE_INVALID", f"C_SignInit 0x82 key={id_} count=*", hold=2.0,
              fires=2, one=victim)
    table.row("one key KEY_HANDLE_INVALID, once", f"C_SignInit 0x60 key={id_}", one=victim,
              silent=True)
    table.row("token full, and a renewal wants a key", "C_GenerateKeyPair capacity:1 count=*",
              hold=2.0, on=lambda: renew_all(table), again=lambda: renew_all(table),
              off=lambda: renewed(table, victim), silent=True, said=1)
    table.row("key replaced under load", hold=1.0, on=lambda: renewed(table, victim),
              again=lambda: renewed(table, victim), count=Changes(table, victim), one=victim,
              silent=True)
    table.row("one key deleted", hold=2.0, on=lambda: delete_key(table, victim),
              off=lambda: renewed(table, victim), count=lambda: switches.errors, one=victim,
              limit=5.0)


def renew(machine: Machine, tenant: str) -> None:
    http.request(machine.admin_socket, "POST", f"/v1/credentials/{tenant}/main/renew", {})


def renew_all(table: Table) -> None:
    """More than there are keys made ahead."""
    for tenant in table.load.numbers:
        renew(table.machine, tenant)


class Changes:
    """How often another certificate came into force for a tenant."""

    def __init__(self, table: Table, tenant: str):
        self.path = table.machine.state("front", "tenants", tenant, "main", "current.pem")
        self.last, self.n, self.lock = self.path.stat().st_ino, 0, threading.Lock()

    def __call__(self) -> int:
        with self.lock:
            now = self.path.stat().st_ino
            self.n += now != self.last
            self.last = now
            return self.n


def renewed(table: Table, tenant: str) -> None:
    """A new certificate for a new key; asked for until it is there."""
    before, asked = table.leaf(tenant).serial_number, [0.0]

    def done() -> bool:
        table.know_keys()  # also one that is in force for a moment only
        if time.monotonic() > asked[0] + 3:
            renew(table.machine, tenant)
            asked[0] = time.monotonic()
        return table.leaf(tenant).serial_number != before
    wait_for(f"a new certificate for {tenant}", done, 60 * SLOW)


def delete_key(table: Table, tenant: str) -> None:
    """By hand, in a process of its own, with the token's lock."""
    machine = table.machine
    with open(machine.dir / "token.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["pkcs11-tool", "--module", os.environ["FAULT_SOFTHSM"], "--token-label",
                        "vesper", "--login", "--pin", machine.pin, "--delete-object",
                        "--type", "privkey", "--id", table.key_id(tenant)],
                       check=True, capture_output=True, env=machine.softhsm_env())


# ---- PINs -----------------------------------------------------------------------------------

def held(table: Table) -> None:
    wait_for("the PIN is refused", lambda: any(
        "event=pin_refused" in line for line in table.log()[table.since:]), 20 * SLOW)


def restarted_twice(table: Table, *signals) -> None:
    for how in signals:
        with table.load.pause():
            table.machine.stop_agent(how)
            table.machine.start_agent()
        time.sleep(1.0 * SLOW)


def refused_pins(table: Table) -> None:
    """A PIN that was refused goes to the token once, whatever is restarted."""
    machine, switches = table.machine, table.switches
    wrong = "0000-wrong"

    def break_it(pin: str | None, since: int | None = None) -> None:
        table.since = len(table.log()) if since is None else since
        if pin is not None:
            machine.secret("pin", pin, "hsm_user")
        held(table)
        os.kill(machine.agent.pid, signal.SIGHUP)
        restarted_twice(table, signal.SIGTERM, signal.SIGKILL)

    def mend() -> None:
        machine.secret("pin", machine.pin, "hsm_user")
    machine.kills = True
    lose = "C_Sign 0x30 role=signer count=*"
    table.row("wrong PIN, three starts of vesperd", lose, hold=0.5, fires=1,
              on=lambda: break_it(wrong), off=mend, count=lambda: switches.pin(wrong)[1],
              lines=STARTS + 1)
    if ONLY in "wrong PIN, three starts of vesperd":
        table.cases.case("the wrong PIN was tried once", equal, switches.pin(wrong), (1, 1))
    before = switches.pin(machine.pin)
    table.row("PIN locked, as C_Login says", lose, "C_Login 0xa4 count=*", hold=0.5, fires=1,
              on=lambda: break_it(None), off=mend, lines=STARTS + 1)
    if ONLY in "PIN locked, as C_Login says":
        table.cases.case("a locked PIN was tried once", equal,
                         switches.pin(machine.pin)[1] - before[1], 1)
    for flag, name in ((0x40000, "PIN locked, as the token says"), (0x20000, "one try is left")):
        tries = [0]

        def lock_it() -> None:
            tries[0] = switches.pin(machine.pin)[0]
            break_it(None, len(table.log()))
            tries[0] = switches.pin(machine.pin)[0] - tries[0]
        table.row(name, lose, f"C_GetTokenInfo flags:{flag} count=*", hold=0.5, fires=3,
                  on=lock_it, off=mend, lines=STARTS + 1)
        if ONLY in name:
            table.cases.case(f"{name}: no login", equal, tries[0], 0)


# ---- signatures that lie ----------------------------------------------------------------------

def lies(table: Table, victim: str) -> None:
    id_ = table.key_id(victim)
    row = table.row
    row("each 7th signature with another key", "C_SignInit wrongkey every=7 count=* role=signer",
        hold=2.0, fires=5)
    row("each 5th signature wrong by one bit", "C_Sign flip every=5 count=* role=signer",
        hold=2.0, fires=5)
    row("each 5th signature short", "C_Sign short every=5 count=* role=signer", hold=2.0, fires=5)
    row("100 bytes signed, and OK", "C_Sign pad role=signer count=3", fires=3)
    row("handles mean other keys", "C_SignInit reshuffle role=signer count=2", fires=2)
    row("one key signs with another", f"C_SignInit wrongkey key={id_} count=* role=signer",
        hold=2.0, fires=2, one=victim)


def verify_all(table: Table) -> None:
    path = table.machine.config / "vesperd.conf"
    text = path.read_text()
    with table.load.pause():
        table.machine.stop_agent()
        path.write_text(text.replace('token "main" {', 'token "main" {\n'
                                     '\tverify_signatures = "all"'))
        table.machine.start_agent()
    table.back(table.load.numbers)


def retired(table: Table) -> None:
    wait_for("a retired key is destroyed",
             lambda: table.switches.calls("C_DestroyObject") > 0 and
             any(e["event"] == "key_retired" for e in table.machine.audit()), 900)
    table.back(table.load.numbers)


# ---- the whole ----------------------------------------------------------------------------------

def prepare(machine: Machine) -> Switches:
    """The module in a folder that the token's user can reach and nobody else can change."""
    os.environ["FAULT_SOFTHSM"] = machine.module
    switches = Switches(machine.dir / "faults")
    module = machine.dir / "p11fault.so"
    shutil.copy(BUILD / "tests/fault/.libs/p11fault.so", module)
    module.chmod(0o755)
    machine.environment = [f"VESPER_FAULT={machine.dir}/faults",
                           f"VESPER_FAULT_MODULE={machine.module}"]
    machine.module = str(module)
    return switches


def main() -> int:
    cases = Cases("faults")
    if not (BUILD / "tests/fault/.libs/p11fault.so").exists() or not shutil.which("pkcs11-tool"):
        return 77
    with Machine() as machine:
        switches = prepare(machine)
        machine.kills = True
        numbers = {f"t{i:03d}": f"120255501{i % 100:02d}" for i in range(TENANTS)}
        machine.start(lambda m: {name: m.enterprise(name, (number,))
                                 for name, number in numbers.items()},
                      lab={"ca": {"backdate": 1}},
                      request_timeout_ms=int(TIMEOUT_S * 1000))
        load = Load(machine, numbers)
        table, victims = Table(machine, switches, load, cases), sorted(numbers)
        try:
            reproduced(table)
            tokens_away(table)
            hangs_and_crashes(table)
            pressure(table)
            keys(table, victims[0])
            refused_pins(table)
            verify_all(table)
            lies(table, victims[-1])
            if RETIRE:
                cases.case("a retired key is destroyed under load", retired, table)
        finally:
            load.stop()
        cases.case("what came after the last row", table.verify_all, load.begin())
        cases.case("every digest had 32 bytes", equal, switches.odd_digests, 0)
        cases.case("signatures were verified", true, table.verified > 100, "too few")
        table.print()
        print(f"# {table.verified} signatures verified, {TENANTS} keys, {CONNECTIONS} connections,"
              f" C_Sign {switches.calls('C_Sign')}", flush=True)
        stop_and_check(machine, cases)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
