"""Those who look at an agent from outside for a long time, each a process of its own.

A caller signs at a rate for whomever; a watcher signs once a second for every tenant, so that it
sees which certificate is in force.  Both judge every answer: the signature by `cryptography`, each
certificate when it is first seen by the lab's verifier, neither of which shares code with the
agent.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import random
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from signed import unb64, verify
from world import unixhttp as http
from world.machine import TOP, Machine

sys.path.insert(0, str(TOP / "tests/lab"))
from stirlab import tnauth  # noqa: E402
from stirlab.pki import validity  # noqa: E402
from stirlab.tnauth import TNAuthList  # noqa: E402
from stirlab.verifier import service, transparency  # noqa: E402

THREADS = 8
CALLED = "12125550111"
TIMEOUT_S = 60
TELL_S = 300
TOLD = 5  # of what is wrong, so many in words
LATE_S = 30  # between iat and the look at it, on a machine that is busy


@dataclass
class World:
    """What the watchers are told."""

    socket: str
    lab_dir: str
    numbers: dict[str, str]  # of each tenant, its only one
    life_s: int
    backdate_s: int  # a certificate begins so long before it is issued
    seed: str


@dataclass
class Leaf:
    tenant: str
    serial: str
    key: ec.EllipticCurvePublicKey
    from_s: int
    until_s: int


@dataclass
class Seen:
    """What one process saw; all of it goes to the test when the process ends."""

    good: int = 0
    refused: Counter = field(default_factory=Counter)  # reasons of answers that are no signature
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0
    leaves: int = 0
    lapsed: list[str] = field(default_factory=list)
    left_s: list[tuple[float, str, float]] = field(default_factory=list)  # when, whose, at a renewal
    rounds: int = 0
    pause_s: float = 0.0  # the longest between two looks at one tenant


class Judge:
    """Of answers and of the certificates that come with them."""

    def __init__(self, world: World, seen: Seen):
        lab = Path(world.lab_dir)
        self.world, self.seen = world, seen
        self.lock, self.judging = threading.Lock(), threading.Lock()
        self.known: dict[str, Leaf] = {}
        self.policy = service.Policy(
            service.load_certificates((lab / "trust-anchors.pem").read_bytes()),
            transparency.load(json.loads((lab / "ct-logs.json").read_text())), vesper=True)

    def bad(self, what: str) -> None:
        with self.lock:
            self.seen.wrongs += 1
            if len(self.seen.wrong) < TOLD:
                self.seen.wrong.append(f"{time.strftime('%X')} {what}")

    def leaf(self, tenant: str, head: str, identity: str) -> Leaf:
        """The certificate in this header; judged in full when it is new."""
        # cryptography's certificates are not for two threads at a time, and the anchors are shared.
        with self.judging:
            found = self.known.get(head)
            if found is None:
                cert = x509.load_der_x509_certificate(
                    base64.b64decode(json.loads(unb64(head))["x5c"][0]))
                found = Leaf(tenant, f"{cert.serial_number:x}", cert.public_key(), *validity(cert))
                self.full(found, cert, identity)
                self.seen.leaves += 1
                self.known[head] = found
        return found

    def full(self, leaf: Leaf, cert: x509.Certificate, identity: str) -> None:
        """Path, SCTs, numbers, constraints and life, as a verifier and as its owner sees them."""
        number = self.world.numbers[leaf.tenant]
        verdict = service.verify(identity, self.policy, orig=number, dest=CALLED)
        if verdict["verdict"] != "pass":
            self.bad(f"{leaf.tenant} {leaf.serial}: {verdict['step']}: {verdict['detail']}")
        extension = cert.extensions.get_extension_for_oid(x509.ObjectIdentifier(tnauth.OID))
        if extension.value.value != TNAuthList.from_config([number]).encode():
            self.bad(f"{leaf.tenant} {leaf.serial}: another TNAuthList than {number}")
        wanted = [{"claim": "orig", "values": [json.dumps({"tn": number}, separators=(",", ":"))]}]
        got = (verdict.get("constraints") or {}).get("permitted_values")
        if got != wanted:
            self.bad(f"{leaf.tenant} {leaf.serial}: permitted values {got}, not {wanted}")
        if leaf.until_s - leaf.from_s > self.world.life_s + 60:
            self.bad(f"{leaf.tenant} {leaf.serial}: it lives {leaf.until_s - leaf.from_s} s")

    def answer(self, tenant: str, answer: http.Answer) -> Leaf | None:
        """None when it is not a signature."""
        if answer.status != 200:
            with self.lock:
                self.seen.refused[f"{answer.status} {answer.reason}"] += 1
            self.bad(f"{tenant} is refused: {answer.reason} {answer.json.get('detail')}")
            return None
        head, body, _ = answer.json["passport"].split(".")
        leaf = self.leaf(tenant, head, answer.json["identity"])
        claims, now = json.loads(unb64(body)), time.time()
        verify(answer.json["passport"], leaf.key)
        if leaf.tenant != tenant or claims["orig"]["tn"] != self.world.numbers[tenant]:
            self.bad(f"{tenant} signs for {claims['orig']} with what is {leaf.tenant}'s")
        if not leaf.from_s <= claims["iat"] <= leaf.until_s or abs(claims["iat"] - now) > LATE_S:
            self.bad(f"{tenant} {leaf.serial}: iat {claims['iat']} at {now:.0f}, the "
                     f"certificate is of {leaf.from_s} to {leaf.until_s}")
        with self.lock:
            self.seen.good += 1
        return leaf


class Process:
    """THREADS connections in a process of its own, until they are told to stop."""

    def __init__(self, world: World):
        self.world, self.seen = world, Seen()
        self.stopping = multiprocessing.Event()
        self.results = multiprocessing.Queue()
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self) -> None:
        self.judge = Judge(self.world, self.seen)
        self.began = time.monotonic()
        threads = [threading.Thread(target=self.guarded, args=(i,)) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        while not self.stopping.wait(TELL_S):
            self.tell()
        for thread in threads:
            thread.join()
        self.results.put(self.seen)

    def tell(self) -> None:
        """Of a run that lasts, now and then: a line."""
        seen = self.seen
        print(f"# {time.strftime('%X')} {type(self).__name__}: {seen.good} good, {seen.wrongs} wrong, "
              f"{len(seen.lapsed)} lapsed, {len(seen.left_s)} renewals, least left "
              f"{min((s for *_, s in seen.left_s), default=0):.0f} s", flush=True)

    def guarded(self, which: int) -> None:
        """Whatever happens to a connection is wrong, and another takes its place."""
        while not self.stopping.is_set():
            connection = http.UnixConnection(self.world.socket, TIMEOUT_S)
            try:
                self.work(which, connection)
            except Exception:  # noqa: BLE001 - a wrong signature, a certificate that is none, …
                self.judge.bad(traceback.format_exc(limit=3))
                time.sleep(0.1)
            finally:
                connection.close()

    def work(self, which: int, connection: http.UnixConnection) -> None:
        raise NotImplementedError

    def sign(self, tenant: str, connection: http.UnixConnection) -> Leaf | None:
        return self.judge.answer(tenant, http.request("", "POST", "/v1/passports", {
            "tenant": tenant, "claims": {"orig": {"tn": self.world.numbers[tenant]},
                                         "dest": {"tn": [CALLED]}}}, connection=connection))

    def end(self) -> Seen:
        self.stopping.set()
        seen = self.results.get(timeout=2 * TIMEOUT_S)
        self.process.join()
        return seen


class Callers(Process):
    """So many requests a second for random tenants; one that is late is not left out."""

    def __init__(self, world: World, rate: float):
        self.step_s = THREADS / rate
        self.sent = multiprocessing.Array("L", THREADS)
        super().__init__(world)

    def work(self, which: int, connection: http.UnixConnection) -> None:
        chance = random.Random(f"{self.world.seed}-{which}-{self.sent[which]}")
        tenants = sorted(self.world.numbers)
        while not self.stopping.is_set():
            due = self.began + (self.sent[which] + which / THREADS) * self.step_s
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(min(pause, 1))
                continue
            self.sent[which] += 1
            self.sign(chance.choice(tenants), connection)


class Watcher(Process):
    """Each tenant once a second: what is in force, since when, and how much was left before."""

    def run(self) -> None:
        self.last: dict[str, tuple[float, Leaf]] = {}
        super().run()

    def work(self, which: int, connection: http.UnixConnection) -> None:
        mine = sorted(self.world.numbers)[which::THREADS]
        turn = int(time.monotonic() - self.began)
        while not self.stopping.is_set():
            for tenant in mine:
                self.look(tenant, connection)
            if which == 0:
                self.seen.rounds += 1
            turn = max(turn + 1, int(time.monotonic() - self.began))
            self.stopping.wait(max(0.0, self.began + turn - time.monotonic()))

    def look(self, tenant: str, connection: http.UnixConnection) -> None:
        leaf = self.sign(tenant, connection)
        now = time.time()
        at, before = self.last.get(tenant, (now, leaf))
        if before is None:
            return
        left_s = before.until_s - now
        if leaf is None:
            if left_s <= 0:
                self.seen.lapsed.append(
                    f"{tenant}: {before.serial} ended {-left_s:.1f} s before this refusal")
            return
        # By the certificates themselves: a watcher that nobody scheduled for a while saw no lapse.
        gap_s = leaf.from_s + self.world.backdate_s - before.until_s
        if gap_s > 0:
            self.seen.lapsed.append(
                f"{tenant}: {leaf.serial} was issued {gap_s} s after the end of {before.serial}")
        if leaf.serial != before.serial:
            self.seen.left_s.append((now, tenant, left_s))
        self.seen.pause_s = max(self.seen.pause_s, now - at)
        self.last[tenant] = (now, leaf)


def world_of(machine: Machine, numbers: dict[str, str], life_s: int, backdate_s: int,
             seed: str) -> World:
    return World(machine.socket, str(machine.lab_dir), numbers, life_s, backdate_s, seed)
