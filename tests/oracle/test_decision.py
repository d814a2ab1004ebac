#!/usr/bin/python3
"""The oracle and the front judge the same requests: configuration and state
directory on disk, a request's octets, a verdict and what would be signed.

Every disagreement is printed and left as a case file; those of
tests/oracle/requests are asked first, each time.  ORACLE_PAIRS, and what many.py
says.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import certmake  # noqa: E402
import generate  # noqa: E402
import house  # noqa: E402
import local  # noqa: E402
import localchanges  # noqa: E402
import many  # noqa: E402
import oracle  # noqa: E402
import settle  # noqa: E402
import trust  # noqa: E402

PAIRS = int(os.environ.get("ORACLE_PAIRS", 2000 if many.SANITIZED else 8000))
LEAST = 500 if PAIRS >= 100000 else 50  # of each reason, in 100,000; few vary more
FEW = 5000  # below that they are only counted
REASONS = list(localchanges.CHANGES)
# What few families can be refused for is tried more often.
WEIGHTS = [{"claim_not_vetted": 12, "commitment_not_provable": 32, "private_claim_in_clear": 20,
            "rph_not_allowed": 16, "value_not_permitted": 10, "attest_not_allowed": 13,
            "rcd_content_unknown": 34, "original_mismatch": 7, "claim_excluded": 6,
            "tn_not_authorized": 4, "credential_unusable": 4, "missing_original": 4,
            "original_invalid": 4, "claim_missing_by_constraint": 3, "invalid_claim": 4,
            "originator_not_listed": 5, "sct_policy": 3, "ambiguous_credential": 2,
            "credential_expired": 2, "number_pending": 3,
            "missing_claim": 4, "no_credential": 2, "stale_iat": 1.5,
            "invalid_tn": 1.5, "unknown_member": 1.5}.get(reason, 1) for reason in REASONS]


@dataclasses.dataclass
class Asked:
    family: int
    name: str  # of the change; "" for the request that it starts from
    house: house.House
    ask: local.Ask
    expected: local.Verdict
    anchors: str
    logs: str
    got: str = ""
    detail: str = ""

    def verdict(self) -> str:
        return self.expected.reason

    @property
    def agreed(self) -> bool:
        return self.got == self.expected.line()


class Certificates:
    """PEM and leaf of each, once; in a case file it stands as PEM."""

    def __init__(self, maker: certmake.Maker):
        self.maker = maker
        self.known: dict[int, tuple] = {}

    def _look(self, c) -> tuple:
        if id(c) not in self.known:
            pem = c if isinstance(c, str) else self.maker.chain(c)
            self.known[id(c)] = (c, pem, oracle.read_leaf(pem))
        return self.known[id(c)]

    def pem(self, c) -> str:
        return self._look(c)[1]

    def leaf(self, believed: trust.Trust):
        return lambda c: local.health(
            c, None if c.certificate is None else self._look(c.certificate)[2], believed)

    def anchors(self, h: house.House, word: settle.Word | None) -> str:
        rows = {self.maker.issuer(c.certificate) for t in h.tenants for c in t.credentials
                if c.certificate is not None}
        rows.add(self.maker.issuer(certmake.Certificate(None, None, 0, 1)))
        if word and word.anchored:
            rows.add(self.maker.issuer(word.certificate))
        return "".join(sorted(rows))


class Decider(many.Program):
    """The front's decision in a process of its own."""

    def __init__(self):
        super().__init__("decider")
        self.folder = Path(tempfile.mkdtemp(prefix="oracle-"))
        self.house, self.there = None, {}
        self.put(f"enter\t{self.folder}\n".encode())

    def enter(self, h: house.House, anchors: str, logs: str, pem_of) -> None:
        if (h, anchors) == self.house:
            return
        self.house, out = (h, anchors), b""
        lists = house.write(h, self.folder, self.there, anchors, logs, pem_of)
        for tenant, name, fetched_at, der in lists:
            out += (f"list\t{len(der)}\t{tenant}\t{name}\t{house.REFERENCE}\t{fetched_at}\n"
                    .encode() + der)
        self.put(out + f"load\t{generate.NOW}\n".encode())
        self.flush()
        answer = self.line()
        if answer != "loaded":
            raise SystemExit(f"a configuration is not taken: {answer}\n{self.folder}")

    def ask(self, a: local.Ask) -> tuple:
        words = ["ask", str(len(a.body)), f"uid={a.uid}", f"gid={a.gid}", f"at={a.at}",
                 f"times={a.times}", f"query={a.query}"]
        words += [f"group={g}" for g in a.groups] + (["atis=1"] if a.atis else [])
        words += ["calls=1"] if a.calls else []
        words += [f"door={a.door}"] if a.door else []
        words += ["opens=1"] if a.door_opens else []
        words += [f"keyless={t}/{c}" for t, c in a.keyless]
        self.put("\t".join(words).encode() + b"\n" + a.body)
        self.flush()
        kind, rest = self.line().split("\t", 1)
        if kind != "call":
            return self._verdict(kind, rest)
        rows = [self._verdict(*self.line().split("\t", 1)) for _ in range(int(rest))]
        return "\x1f".join(line for line, _ in rows), "; ".join(detail for _, detail in rows)

    @staticmethod
    def _verdict(kind: str, rest: str) -> tuple:
        if kind == "allow":
            tenant, name, observed, payload = rest.split("\t", 3)
            return "\t".join((oracle.ALLOW, tenant, name, ",".join(sorted(filter(
                None, observed.split(",")))), payload)), ""
        reason, claim, detail = rest.split("\t", 2)
        return reason, f"{claim}: {detail}"

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.folder)


# ---- families --------------------------------------------------------------------------

class Bench:
    def __init__(self):
        self.decider = Decider()
        self.maker = certmake.Maker()

    def family(self, index: int) -> list[Asked]:
        rng = random.Random(f"{many.SEED}/decision/{index}")
        home, certificates, out = settle.Home(rng, self.maker), Certificates(self.maker), []
        while len(out) < many.PAIRS_PER_FAMILY:
            base = home.base()
            out.append(self._ask(index, "", base, rng, certificates, {oracle.ALLOW}))
            name, changed, wanted = self._change(home, base, rng)
            out.append(self._ask(index, name, changed, rng, certificates, wanted))
        return out

    def _change(self, home: settle.Home, base: settle.Setting, rng) -> tuple:
        """One change that applies; where another might sign instead, any verdict will do."""
        own = localchanges.own(base)
        while True:
            reason = rng.choices(REASONS, WEIGHTS)[0]
            change = rng.choice(localchanges.CHANGES[reason])
            if own and rng.random() < 0.3:
                reason, change = rng.choice(own)
            changed = change(home, base)
            if changed is None:
                continue
            wanted = {reason} | localchanges.MAYBE.get(change.__name__, set())
            if base.tenant.dests is not None or base.tenant.credentials[0].dests is not None:
                wanted.add("dest_not_allowed")  # which is looked at before the constraints
            if reason in ("credential_unusable", "sct_policy"):
                wanted.add("unknown_claim")  # which only the certificate had named
            if base.word:  # which a change of the call makes one of another call
                wanted |= {"attest_not_allowed", "tn_not_authorized"}
            return change.__name__, changed, wanted if base.alone else None

    def _ask(self, index: int, name: str, s: settle.Setting, rng, certificates, wanted) -> Asked:
        h, ask = s.house(), s.ask(rng, self.maker)
        anchors, logs = certificates.anchors(h, s.word), self.maker.logs()
        believed = trust.of(anchors, logs, generate.NOW)
        verdict = local.judge(h, ask, certificates.leaf(believed), believed)
        if wanted is not None and verdict.reason not in wanted:
            raise AssertionError(
                f"family {index}, {name or 'base'}: the oracle says {verdict.reason}, the "
                f"generator means {wanted}: {ask} {h}")
        asked = Asked(index, name, h, ask, verdict, anchors, logs)
        self.decider.enter(h, anchors, logs, certificates.pem)
        asked.got, asked.detail = self.decider.ask(ask)
        if not asked.agreed:
            asked.house = portable(h, certificates)
        return asked


def look(indexes: range) -> many.Found:
    bench, found = Bench(), many.Found()
    for index in indexes:
        asked = bench.family(index)
        found.reasons.update(a.expected.reason for a in asked)
        found.names.update(a.name for a in asked if a.name and a.expected.reason != oracle.ALLOW)
        found.watched.update(rule for a in asked for rule in a.expected.observed)
        found.wrong += [a for a in asked if not a.agreed]
    bench.decider.close()
    return found


# ---- cases -----------------------------------------------------------------------------

def portable(h: house.House, certificates: Certificates) -> house.House:
    """With certificates as PEM."""
    def one(c: house.Credential) -> house.Credential:
        return c if c.certificate is None else dataclasses.replace(
            c, certificate=certificates.pem(c.certificate))
    return dataclasses.replace(h, tenants=tuple(dataclasses.replace(
        t, credentials=tuple(map(one, t.credentials))) for t in h.tenants))


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _made(kind, row: dict):
    return kind(**{name: _frozen(value) for name, value in row.items()})


def read_case(case: dict) -> tuple[house.House, local.Ask]:
    tenants = []
    for row in case["house"]["tenants"]:
        credentials = tuple(_made(house.Credential, c) for c in row.pop("credentials"))
        tenants.append(dataclasses.replace(_made(house.Tenant, row), credentials=credentials))
    ask = _made(local.Ask, {**case["ask"], "body": case["ask"]["body"].encode("latin-1")})
    return house.House(tuple(tenants), case["house"]["dno"]), ask


def case_of(a: Asked) -> dict:
    def less(row: dict) -> dict:
        """Without what stands at its default."""
        fields = {f.name: f.default for kind in (house.Credential, house.Tenant, local.Ask)
                  for f in dataclasses.fields(kind)}
        return {n: v for n, v in row.items() if n in ("certificate", "credentials") or
                fields.get(n) != v}
    rows = dataclasses.asdict(a.house)
    for t in rows["tenants"]:
        t["credentials"] = [less(c) for c in t["credentials"]]
    ask = dataclasses.asdict(a.ask)
    return {"expected": a.expected.line(), "anchors": a.anchors, "logs": a.logs,
            "ask": {**less(ask), "body": a.ask.body.decode("latin-1")},
            "house": {"dno": rows["dno"], "tenants": [less(t) for t in rows["tenants"]]}}


def last_certificate(pem: str) -> str:
    mark = "-----BEGIN CERTIFICATE-----"
    return mark + pem.rsplit(mark, 1)[1]


def replay(say) -> None:
    """Everything that was once wrong."""
    files = sorted((many.HERE / "requests").glob("*.json"))
    decider, certificates = Decider(), Certificates(certmake.Maker())
    for file in files:
        case = json.loads(file.read_text())
        h, ask = read_case(case)
        anchors = case.get("anchors") or "".join(
            last_certificate(c.certificate) for t in h.tenants for c in t.credentials
            if c.certificate is not None)
        logs = case.get("logs", '{"operators":[]}')
        believed = trust.of(anchors, logs, generate.NOW)
        decider.enter(h, anchors, logs, certificates.pem)
        got = local.judge(h, ask, certificates.leaf(believed), believed).line(), decider.ask(ask)[0]
        say(got == (case["expected"],) * 2, f"request {file.stem}: oracle and front say "
            f"{' and '.join(got)}; it is {case['expected']}: {case['why']}")
    decider.close()
    say(bool(files), f"{len(files)} fixed requests")


def explain(a: Asked) -> tuple[str, dict]:
    return (f"the oracle says\n#   {a.expected.line()}\n# the front\n#   {a.got} {a.detail}",
            case_of(a))


if __name__ == "__main__":
    sys.exit(many.hold(many.Contest(PAIRS, "requests", REASONS, look, replay, explain, LEAST, FEW)))
