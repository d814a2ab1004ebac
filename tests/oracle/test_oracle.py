#!/usr/bin/python3
"""The oracle and the agent's code judge the same generated pairs.

Every disagreement is printed and left as a case file; those of tests/oracle/cases
are asked first, each time.  ORACLE_PAIRS, and what many.py says.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import certmake  # noqa: E402
import generate  # noqa: E402
import many  # noqa: E402
import mutations  # noqa: E402
import oracle  # noqa: E402

PAIRS = int(os.environ.get("ORACLE_PAIRS", 5000 if many.SANITIZED else 100000))
SAMPLE = 200  # pairs that go through the program itself
LEAST = 500  # of each reason, in 100,000
REASONS = list(mutations.CHANGES)
# What few families can be refused for is tried more often.
WEIGHTS = [{"value_not_permitted": 4, "claim_excluded": 3, "claim_not_vetted": 4,
            "claim_missing_by_constraint": 2, "private_claim_in_clear": 10, "commitment_not_provable": 12,
            "tn_not_authorized": 2, "invalid_claim": 3,
            "original_mismatch": 4, "original_invalid": 3}.get(reason, 1) for reason in REASONS]


@dataclass
class Asked:
    family: int
    name: str  # of the mutation; "" for the pair that it starts from
    question: oracle.Question
    expected: str
    got: str = ""
    claim: str = ""
    detail: str = ""

    def verdict(self) -> str:
        return self.expected

    def case(self) -> dict:
        q = self.question
        return {"claims": q.claims.decode("latin-1"), "ppt": q.ppt, "profile": q.profile,
                "at": q.at, "allow": q.allow, "original": q.original, "third": q.third,
                "dno": q.dno, "encompassing": q.encompassing, "salts": q.salts, "certificate": q.chain,
                "expected": self.expected}


class Judge(many.Program):
    """The batch judge; one process for many pairs."""

    def __init__(self):
        super().__init__("judge")
        self.chain = None

    def _record(self, q: oracle.Question) -> bytes:
        out = b""
        if q.chain is not self.chain:
            self.chain = q.chain
            out = b"chain\t%d\n%s" % (len(q.chain), q.chain.encode())
        words = ["pair", str(len(q.claims)), f"at={q.at}"]
        words += [f"ppt={q.ppt}"] if q.ppt is not None else []
        words += [f"profile={q.profile}"] if q.profile else []
        words += [f"allow={name}" for name in q.allow]
        words += [f"original={text}" for text in q.original]
        words += [f"third={q.third}"] if q.third else []
        words += [f"dno={q.dno}"] if q.dno else []
        words += [f"encompassing={q.encompassing}"] if q.encompassing else []
        words += [f"salt={line}" for line in q.salts]
        return out + "\t".join(words).encode() + b"\n" + q.claims

    def judge(self, asked: list[Asked]) -> None:
        for a in asked:
            self.put(self._record(a.question))
        self.flush()
        for a in asked:
            word, reason, a.claim, a.detail = self.line().split("\t")
            a.got = reason if word == "refuse" else word


class Bench:
    """Makes families, asks both."""

    def __init__(self):
        self.maker = certmake.Maker()

    def questions(self, index: int) -> list[Asked]:
        rng = random.Random(f"{many.SEED}/{index}")
        family = generate.Family(rng)
        made: dict[int, tuple] = {}
        out = []
        while len(out) < many.PAIRS_PER_FAMILY:
            base = family.base()
            out.append(self._ask(index, "", base, rng, made, {oracle.ALLOW}))
            name, changed, wanted = self._change(family, base, rng)
            out.append(self._ask(index, name, changed, rng, made, wanted))
        return out

    def _change(self, family, base, rng) -> tuple:
        """One change that applies to this pair."""
        while True:
            reason = rng.choices(REASONS, WEIGHTS)[0]
            mutation = rng.choice(mutations.CHANGES[reason])
            changed = mutation(family, base)
            if changed is not None:
                harmless = {oracle.ALLOW} if mutation in mutations.MAYBE else set()
                return mutation.__name__, changed, {reason} | harmless

    def _chain(self, c: certmake.Certificate, made: dict) -> tuple:
        if id(c) not in made:
            pem = self.maker.chain(c)
            made[id(c)] = (c, pem, oracle.read_leaf(pem))
        return made[id(c)]

    def _ask(self, index: int, name: str, pair: generate.Pair, rng, made, wanted) -> Asked:
        _, chain, leaf = self._chain(pair.certificate, made)
        question = oracle.Question(chain, generate.octets(rng, pair), pair.at, pair.ppt,
                                   pair.profile, pair.allow, pair.original, pair.third,
                                   pair.dno, pair.encompassing, pair.salts)
        verdict = oracle.judge(question, leaf)
        if verdict not in wanted:
            raise AssertionError(f"family {index}, {name or 'base'}: the oracle says {verdict}, "
                                 f"the generator means {wanted}: {question.profile} {question.claims!r}")
        return Asked(index, name, question, verdict)


def look(indexes: range) -> many.Found:
    bench, judge, found = Bench(), Judge(), many.Found()
    for index in indexes:
        asked = bench.questions(index)
        judge.judge(asked)
        found.reasons.update(a.expected for a in asked)
        found.names.update(a.name for a in asked if a.name and a.expected != oracle.ALLOW)
        found.wrong += [a for a in asked if a.got != a.expected]
        found.sample += asked[:4] if len(found.sample) < SAMPLE else []
    judge.close()
    return found


# ---- one pair through the program ------------------------------------------------------

def command(q: oracle.Question, folder: Path) -> str:
    """What "vesper check" says, in the oracle's words."""
    (folder / "chain.pem").write_text(q.chain)
    (folder / "claims.json").write_bytes(q.claims)
    words = [many.BUILD / "vesper", "check", "--cert", folder / "chain.pem", "--claims",
             folder / "claims.json", "--at", str(q.at)]
    words += [f"--ppt={q.ppt}"] if q.ppt is not None else []
    words += [f"--profile={q.profile}"] if q.profile else []
    words += [f"--allow-claim={name}" for name in q.allow]
    for n, text in enumerate(q.original):
        if "." not in text:  # else it would be the name of a file
            (folder / f"original{n}").write_text(text)
            text = folder / f"original{n}"
        words.append(f"--original={text}")
    words += [f"--third-party-iss={q.third}"] if q.third else []
    words += [f"--do-not-originate={q.dno}"] if q.dno else []
    words += [f"--encompassing={q.encompassing}"] if q.encompassing else []
    if q.salts:
        (folder / "salts").write_text("\n".join(q.salts) + "\n")
        (folder / "salts").chmod(0o600)
        words += ["--assert-committed", "--salts", folder / "salts"]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    if done.returncode == 1:
        return oracle.UNDECODABLE
    answer = json.loads(done.stdout)
    if (done.returncode, answer["allow"]) not in ((0, True), (4, False)):
        return f"exit {done.returncode}"
    return oracle.ALLOW if answer["allow"] else answer["reason"]


# ---- the cases -------------------------------------------------------------------------

def case_question(case: dict) -> oracle.Question:
    return oracle.Question(case["certificate"], case["claims"].encode("latin-1"), case["at"],
                           case["ppt"], case["profile"], case["allow"], case.get("original", []),
                           case.get("third", False), case.get("dno"), case.get("encompassing"),
                           case.get("salts", []))


def replay(say) -> None:
    """Everything that was once wrong, by oracle, judge and program."""
    files = sorted((many.HERE / "cases").glob("*.json"))
    judge = Judge()
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            case = json.loads(file.read_text())
            q = case_question(case)
            asked = Asked(0, file.stem, q, oracle.judge(q, oracle.read_leaf(q.chain)))
            judge.judge([asked])
            got = (asked.expected, asked.got, command(q, Path(folder)))
            say(got == (case["expected"],) * 3, f"case {file.stem}: oracle, judge and vesper "
                f"check say {', '.join(got)}; it is {case['expected']}: {case['why']}")
    judge.close()
    say(bool(files), f"{len(files)} fixed cases")


def explain(a: Asked) -> tuple[str, dict]:
    q = a.question
    return (f"the oracle says {a.expected}, the agent {a.got} {a.claim} {a.detail}\n#   ppt {q.ppt}, "
            f"profile {q.profile}, at {q.at}, allow {q.allow}, {q.claims!r}"), a.case()


def ask_program(say, found: many.Found) -> None:
    sample = found.sample[:SAMPLE]
    with tempfile.TemporaryDirectory() as folder:
        other = [a for a in sample if command(a.question, Path(folder)) != a.got]
    say(not other, f"vesper check says the same of {len(sample)} pairs as the judge")


if __name__ == "__main__":
    sys.exit(many.hold(many.Contest(PAIRS, "pairs", REASONS, look, replay, explain, LEAST,
                                    further=ask_program)))
