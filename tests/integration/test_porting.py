"""Numbers move from one tenant to another while both are asked to sign for them.

Judged from outside, by when a request was sent and answered and by the trail:
no signature for a number after its removal was confirmed, none refused that
was covered, and every signature verifies under a certificate with the number.

PORT_NUMBERS (1000) numbers, PORT_BATCH (50) at a time; PORT_SEED repeats the choices.
"""

from __future__ import annotations

import bisect
import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass

from cases import Cases, equal, true
from cryptography import x509
from signed import unb64, verify
from world import unixhttp as http
from world.machine import TOP, Machine, quote, wait_for

sys.path.insert(0, str(TOP / "tests/lab"))
from stirlab.tnauth import TNAuthList  # noqa: E402

NUMBERS = int(os.environ.get("PORT_NUMBERS", "1000"))
BATCH = int(os.environ.get("PORT_BATCH", "50"))
SEED = os.environ.get("PORT_SEED") or str(random.SystemRandom().randrange(10**9))
CONNECTIONS = 4
PAUSE_S = 0.002  # of each connection between two requests
WINDOW_S = 1
FIRST = 12025600000
STAY = {"left": "12025500001", "right": "12025500003"}
MOVING = [str(FIRST + 3 * i) for i in range(NUMBERS)]  # apart: nothing becomes a range
TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
LONG_S = 120  # what should take seconds, on a machine that is busy with other things


# ---- the world ----------------------------------------------------------------


def lab_config() -> dict:
    config = json.loads((TOP / "tests/lab/lab-example.json").read_text())
    config["number_authority"]["accounts"]["acme"]["numbers"] = [
        {"start": str(FIRST - 100000), "count": 1000000}]
    return config


def tenant(machine: Machine, name: str) -> str:
    """A delegate whose chain is behind x5u, so that its length is nobody's trouble."""
    return delegate(machine, name, [STAY[name], *(MOVING if name == "left" else [])])


def delegate(machine: Machine, name: str, numbers: list[str], more: str = "") -> str:
    (machine.config / f"{name}.numbers").write_text(
        "# as it begins\n" + "\n".join(numbers) + "\n")
    return "\n".join([
        f'tenant "{name}" {{', f'\tnumbers_file = "{name}.numbers"',
        f"\trenumber_window_s = {WINDOW_S}", f'\tallow_user = {{ "{os.geteuid()}" }}',
        '\tcredential "main" {', '\t\tprofile = "atis-delegate"', '\t\ttoken = "main"',
        '\t\tca = "lab"', '\t\tauthority = "numbers"',
        f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}",
        '\t\tpublish_dir = "../lab/www/certs"', more, "\t}", "}", ""])


# ---- what is asked, and what came of it ------------------------------------------


@dataclass
class Asked:
    sent: float
    answered: float
    ended: float  # the same on the wall's clock
    tenant: str
    number: str
    status: int
    reason: str | None
    passport: str | None

    def __str__(self) -> str:
        return (f"{self.tenant} {self.number} sent {self.sent:.3f} answered {self.answered:.3f}: "
                f"{self.status} {self.reason}")


class Load:
    """Connections that ask for any of the numbers under either tenant."""

    def __init__(self, machine: Machine):
        self.machine, self.stopping = machine, False
        self.asked: list[Asked] = []
        self.broken: list[str] = []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CONNECTIONS)]

    def run(self, which: int) -> None:
        chance = random.Random(f"{SEED}-{which}")
        connection = http.UnixConnection(self.machine.socket, LONG_S)
        try:
            while not self.stopping:
                self.asked.append(self.ask(chance, connection))
                time.sleep(PAUSE_S)
        except Exception as problem:  # noqa: BLE001 - whatever it is, nothing was proven
            self.broken.append(repr(problem))
        finally:
            connection.close()

    def ask(self, chance: random.Random, connection: http.UnixConnection) -> Asked:
        name = chance.choice(("left", "right"))
        number = chance.choice(MOVING) if chance.random() < 0.9 else STAY[name]
        sent = time.monotonic()
        answer = http.request("", "POST", "/v1/passports", {"tenant": name, "claims": {
            "orig": {"tn": number}, "dest": {"tn": ["12125550111"]}}}, connection=connection)
        return Asked(sent, time.monotonic(), time.time(), name, number, answer.status,
                     answer.reason, answer.json.get("passport"))

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopping = True
        for thread in self.threads:
            thread.join()


class Moves:
    """When each number was removed from the one and added to the other, and covered there."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self.began: dict[str, float] = {}
        self.removed: dict[str, float] = {}
        self.removed_wall: dict[str, float] = {}
        self.adding: dict[str, float] = {}
        self.added: dict[str, float] = {}
        self.covered: dict[str, float] = {}

    def move(self, batch: list[str]) -> None:
        text = "\n".join(batch) + "\n"
        self.began.update(dict.fromkeys(batch, time.monotonic()))
        said = self.machine.good("tenant", "numbers", "remove", "left", "-", stdin=text)
        self.removed.update(dict.fromkeys(batch, time.monotonic()))
        self.removed_wall.update(dict.fromkeys(batch, time.time()))
        true(f" {len(batch)} removed," in said, said)
        self.adding.update(dict.fromkeys(batch, time.monotonic()))
        said = self.machine.good("tenant", "numbers", "add", "right", "-", stdin=text)
        self.added.update(dict.fromkeys(batch, time.monotonic()))
        true(f"right: {len(batch)} added," in said, said)
        self.look()

    def look(self) -> bool:
        """What was added before is covered where nothing is pending."""
        there = list(self.added)
        shown = http.request(self.machine.admin_socket, "GET", "/v1/tenants/right/numbers",
                             timeout=LONG_S).json
        if shown["pending"] == 0:
            now = time.monotonic()
            for number in there:
                self.covered.setdefault(number, now)
        return shown["pending"] == 0


# ---- the judgement -----------------------------------------------------------------


class Judge:
    def __init__(self, machine: Machine, moves: Moves):
        self.certs = machine.dir / "lab/www/certs"
        self.moves = moves
        self.known: dict[str, tuple] = {}
        self.verified = 0
        self.wrong: list[str] = []

    def certificate(self, x5u: str) -> tuple:
        """Key and numbers of the leaf behind it."""
        name = x5u.rsplit("/", 1)[1]
        if name not in self.known:
            leaf = x509.load_pem_x509_certificate((self.certs / name).read_bytes())
            extension = leaf.extensions.get_extension_for_oid(TN_AUTH_LIST).value
            spans = sorted((int(e.start), int(e.start) + e.count - 1)
                           for e in TNAuthList.decode(extension.value).entries)
            self.known[name] = (leaf.public_key(), spans)
        return self.known[name]

    def verify(self, asked: Asked) -> str | None:
        head, body, _ = asked.passport.split(".")
        key, spans = self.certificate(json.loads(unb64(head))["x5u"])
        claims = json.loads(unb64(body))
        verify(asked.passport, key)
        self.verified += 1
        number = int(asked.number)
        at = bisect.bisect_right(spans, (number, float("inf"))) - 1
        if claims["orig"]["tn"] != asked.number:
            return "another number"
        if at < 0 or spans[at][1] < number:
            return "a number that is not in its certificate"
        if asked.tenant == "left" and claims["iat"] > self.moves.removed_wall.get(
                asked.number, float("inf")):
            return "dated after the removal was confirmed"
        return None

    def expected(self, a: Asked) -> set:
        """Statuses and reasons that are right at that moment."""
        m, n = self.moves, a.number
        if n in STAY.values():
            return {200}
        if a.tenant == "left":
            if a.answered < m.began.get(n, float("inf")):
                return {200}
            if a.sent > m.removed[n]:
                return {"tn_not_authorized"}
            return {200, "tn_not_authorized", "overloaded"}
        if a.answered < m.adding.get(n, float("inf")):
            return {"tn_not_authorized"}
        if a.sent > m.covered.get(n, float("inf")):
            return {200}
        if a.sent > m.added[n]:
            return {200, "number_pending"}
        return {200, "number_pending", "tn_not_authorized"}

    def judge(self, a: Asked) -> None:
        got = 200 if a.status == 200 else a.reason
        if got not in self.expected(a):
            self.wrong.append(f"{a}, not {self.expected(a)}")
        if a.status == 200:
            problem = self.verify(a)
            if problem is not None:
                self.wrong.append(f"{a}: {problem}")


# ---- the cases ----------------------------------------------------------------------


def port(machine: Machine, load: Load, moves: Moves) -> None:
    """All of them, in random order, with a reload in the middle."""
    order = list(MOVING)
    random.Random(SEED).shuffle(order)
    for at in range(0, len(order), BATCH):
        moves.move(order[at:at + BATCH])
        if at <= len(order) // 2 < at + BATCH:
            http.request(machine.admin_socket, "POST", "/v1/reload", timeout=LONG_S)
    wait_for("a certificate with all that came", moves.look, LONG_S)
    settled = len(load.asked)
    wait_for("requests about the end", lambda: len(load.asked) > settled + 100 * CONNECTIONS
             or load.broken, LONG_S)


# D-60
def judged(machine: Machine, load: Load, moves: Moves) -> None:
    judge = Judge(machine, moves)
    for asked in load.asked:
        judge.judge(asked)
    equal(load.broken, [], "connections")
    equal(judge.wrong[:5], [], f"{len(judge.wrong)} of {len(load.asked)} answers are wrong")
    after = sum(a.tenant == "left" and a.sent > moves.removed.get(a.number, float("inf"))
                for a in load.asked)
    covered = sum(a.tenant == "right" and a.sent > moves.covered.get(a.number, float("inf"))
                  for a in load.asked)
    print(f"# seed {SEED}: {len(MOVING)} numbers moved, {len(load.asked)} requests, "
          f"{judge.verified} signatures verified under {len(judge.known)} certificates, "
          f"{after} asked after a removal, {covered} where they were covered", flush=True)
    true(judge.verified > 0 and after > 0 and covered > 0, "too little was asked to say anything")
    true(len(judge.known) >= 3, "no new certificate was used")


def trail(machine: Machine, moves: Moves) -> None:
    """The audit says the same: nothing was even sent to a token after the removal."""
    removed: dict[str, int] = {}
    added = 0
    for line in machine.audit():
        if line["event"] == "numbers_removed" and line["tenant"] == "left":
            removed.update({n: line["seq"] for n in expand(line["numbers"])})
        if line["event"] == "numbers_added":
            added += len(expand(line["numbers"]))
        if line["event"] == "sign" and line["tenant"] == "left":
            true(line["orig"] not in removed, f"signed after its removal: {line}")
    equal((len(removed), added), (len(MOVING), len(MOVING)), "numbers in the trail")
    true(set(removed) == set(moves.removed), "other numbers in the trail")


def expand(entries: list[str]) -> list[str]:
    found = []
    for entry in entries:
        first, _, last = entry.partition("-")
        found += [str(n) for n in range(int(first), int(last or first) + 1)]
    return found


def listed(machine: Machine, name: str) -> list[str]:
    return machine.good("tenant", "numbers", "list", name).splitlines()[1:]


def lasts(machine: Machine) -> None:
    """After a crash of everything it is as it was confirmed; then the files say it, too."""
    machine.kills = True
    machine.stop_agent(9)
    machine.start_agent()
    machine.wait_ready("left", "right", timeout=LONG_S)
    equal(listed(machine, "left"), [STAY["left"]])
    equal(listed(machine, "right"), [STAY["right"], *MOVING])
    equal(machine.sign(MOVING[0], tenant="left").reason, "tn_not_authorized")
    equal(machine.sign(MOVING[0], tenant="right").status, 200)
    (machine.config / "left.numbers").write_text(STAY["left"] + "\n")
    (machine.config / "right.numbers").write_text("\n".join([STAY["right"], *MOVING]) + "\n")
    kept = machine.state("front", "numbers")
    equal(sorted(p.name for p in kept.iterdir()), ["left.json", "right.json"])
    http.request(machine.admin_socket, "POST", "/v1/reload", timeout=LONG_S)
    wait_for("the files to be what counts", lambda: not list(kept.iterdir()), LONG_S)
    equal(listed(machine, "left"), [STAY["left"]])
    equal(machine.sign(MOVING[0], tenant="right").status, 200)


# ---- the numbers of one credential over several certificates ------------------------

DIVIDED = ["12025560000-12025560003",  # all of one certificate
           *(f"120255600{n}" for n in (10, 20, 30, 40, 50))]


def parts(machine: Machine) -> dict[str, dict]:
    """The parts of the divided tenant by name, those in force."""
    return {c["name"]: c for c in machine.status()["credentials"]
            if c["tenant"] == "parts" and c["signable"]}


def serials(machine: Machine) -> dict[str, str]:
    return {name: c["serial"] for name, c in parts(machine).items()}


def changed(machine: Machine, before: dict[str, str]) -> set[str]:
    return {name for name, serial in serials(machine).items() if before.get(name) != serial}


def signed_by(machine: Machine, judge: Judge, number: str) -> str:
    """The x5u of a signature that holds."""
    answer = machine.sign(number, tenant="parts")
    equal(answer.status, 200, f"{number}: {answer.reason}")
    passport = answer.json["passport"]
    now = time.monotonic()
    equal(judge.verify(Asked(now, now, 0, "parts", number, 200, None, passport)), None)
    return json.loads(unb64(passport.split(".")[0]))["x5u"]


# D-17
def divided(machine: Machine, judge: Judge) -> None:
    """Each of its numbers is signed for under the one certificate that has it."""
    machine.write_tenant("parts", delegate(
        machine, "parts", DIVIDED, "\t\tnumbers_per_certificate = 4"))
    machine.reload()
    wait_for("a certificate for each part", lambda: len(parts(machine)) == 3, LONG_S)
    there = parts(machine)
    equal({name: (c["base"], c["shard"], c["numbers"]) for name, c in there.items()},
          {f"main.{n}": ("main", n, of) for n, of in ((1, 4), (2, 4), (3, 1))})
    equal({number: signed_by(machine, judge, number)
           for number in ("12025560003", "12025560040", "12025560050")},
          {"12025560003": there["main.1"]["x5u"], "12025560040": there["main.2"]["x5u"],
           "12025560050": there["main.3"]["x5u"]})
    for c in there.values():
        _, spans = judge.certificate(c["x5u"])
        equal(sum(last - first + 1 for first, last in spans), c["numbers"], c["name"])


def one_added(machine: Machine, judge: Judge) -> None:
    """It is ordered with those beside it, and no other certificate is."""
    before = serials(machine)
    machine.good("tenant", "numbers", "add", "parts", "12025560060")
    equal(machine.sign("12025560060", tenant="parts").reason, "number_pending")
    wait_for("a certificate with it", lambda: changed(machine, before) == {"main.3"}, LONG_S)
    equal(signed_by(machine, judge, "12025560060"), parts(machine)["main.3"]["x5u"])
    equal(changed(machine, before), {"main.3"})


def one_removed(machine: Machine, judge: Judge) -> None:
    before = serials(machine)
    machine.good("tenant", "numbers", "remove", "parts", "12025560010")
    equal(machine.sign("12025560010", tenant="parts").reason, "tn_not_authorized")
    wait_for("a certificate without it", lambda: changed(machine, before) == {"main.2"}, LONG_S)
    _, spans = judge.certificate(parts(machine)["main.2"]["x5u"])
    equal(spans, [(n, n) for n in (12025560020, 12025560030, 12025560040)])
    signed_by(machine, judge, "12025560020")
    equal(changed(machine, before), {"main.2"})


def another_part(machine: Machine, judge: Judge) -> None:
    """No hole takes the range: it gets a certificate of its own, which a restart keeps."""
    before = serials(machine)
    machine.good("tenant", "numbers", "add", "parts", "12025560100-12025560103")
    wait_for("one more part", lambda: changed(machine, before) == {"main.4"}, LONG_S)
    record = machine.state("front", "shards", "parts.json").read_bytes()
    now = serials(machine)
    machine.stop_agent()
    machine.start_agent()
    wait_for("all parts", lambda: serials(machine) == now, LONG_S)
    equal(signed_by(machine, judge, "12025560102"), parts(machine)["main.4"]["x5u"])
    equal(machine.state("front", "shards", "parts.json").read_bytes(), record)
    said = machine.good("tenant", "test", "parts", "-c", str(machine.config / "vesperd.conf"),
                  "--tls-ca", str(machine.config / "tls-ca.pem"))
    equal(said.count("a verification service takes it"), 4, said)


def in_one_again(machine: Machine, judge: Judge) -> None:
    """Divided no more: each number is signed for all the time, in the end under one."""
    asked = ("12025560003", "12025560040", "12025560060", "12025560102")
    before = serials(machine)
    machine.write_tenant("parts", delegate(machine, "parts", DIVIDED, ""))
    machine.reload()

    def all_in_one() -> bool:
        for number in asked:
            signed_by(machine, judge, number)
        return "main.1" in changed(machine, before)
    wait_for("a certificate with all", all_in_one, LONG_S)
    whole = serials(machine)["main.1"]
    machine.reload()
    wait_for("its name", lambda: serials(machine) == {"main": whole}, LONG_S)
    equal({signed_by(machine, judge, number) for number in asked},
          {parts(machine)["main"]["x5u"]})


def main() -> int:
    cases = Cases("porting")
    with Machine(lab_config=lab_config()) as machine:
        machine.start(lambda m: {name: tenant(m, name) for name in STAY},
                      request_timeout_ms=30000)
        moves = Moves(machine)
        with Load(machine) as load:
            cases.case("numbers are moved", port, machine, load, moves)
        cases.case("answers are right at their moment", judged, machine, load, moves)
        cases.case("the trail says the same", trail, machine, moves)
        cases.case("it lasts", lasts, machine)
        judge = Judge(machine, moves)
        cases.case("numbers over several certificates", divided, machine, judge)
        cases.case("one number more is one order", one_added, machine, judge)
        cases.case("one number less, too", one_removed, machine, judge)
        cases.case("one part more", another_part, machine, judge)
        cases.case("in one again", in_one_again, machine, judge)
        if cases.failed:
            print(f"# PORT_SEED={SEED}")
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
