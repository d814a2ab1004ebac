#!/usr/bin/python3
"""The oracle and the agent's code judge the same generated pairs.

Every disagreement is printed and left as a case file; those of tests/oracle/cases
are asked first, each time.  ORACLE_SEED, ORACLE_PAIRS, ORACLE_WORKERS; a family
of pairs is made from seed and index alone, ORACLE_FAMILY=n makes that one again.
"""

from __future__ import annotations

import collections
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import certmake  # noqa: E402
import generate  # noqa: E402
import mutations  # noqa: E402
import oracle  # noqa: E402

BUILD = Path(os.environ.get("top_builddir", "."))
SANITIZED = os.environ.get("SANITIZER", "no") != "no"
PAIRS = int(os.environ.get("ORACLE_PAIRS", 5000 if SANITIZED else 100000))
SEED = os.environ.get("ORACLE_SEED") or str(int(time.time()))
WORKERS = int(os.environ.get("ORACLE_WORKERS", 2))
PAIRS_PER_FAMILY = 40
SAMPLE = 200  # pairs that go through the program itself
LEAST = 500  # of each reason, in 100,000
SHOWN = 10  # disagreements that are printed and written
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

    def case(self) -> dict:
        q = self.question
        return {"claims": q.claims.decode("latin-1"), "ppt": q.ppt, "profile": q.profile,
                "at": q.at, "allow": q.allow, "original": q.original, "third": q.third,
                "dno": q.dno, "encompassing": q.encompassing, "salts": q.salts, "certificate": q.chain,
                "expected": self.expected}


class Judge:
    """The batch judge; one process for many pairs."""

    def __init__(self):
        self.process = subprocess.Popen([BUILD / "tests/oracle/judge"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
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
            self.process.stdin.write(self._record(a.question))
        self.process.stdin.flush()
        for a in asked:
            line = self.process.stdout.readline().decode("utf-8", "replace").rstrip("\n")
            word, reason, a.claim, a.detail = line.split("\t")
            a.got = reason if word == "refuse" else word

    def close(self) -> None:
        self.process.stdin.close()
        if self.process.wait(60) != 0:
            raise SystemExit(f"judge ended with {self.process.returncode}")


class Bench:
    """Makes families, asks both."""

    def __init__(self, seed: str):
        self.seed = seed
        self.maker = certmake.Maker()

    def questions(self, index: int) -> list[Asked]:
        rng = random.Random(f"{self.seed}/{index}")
        family = generate.Family(rng)
        made: dict[int, tuple] = {}
        out = []
        while len(out) < PAIRS_PER_FAMILY:
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


def work(seed: str, indexes: range, out) -> None:
    """One worker: counts by reason, counts by mutation, disagreements, a sample."""
    try:
        bench, judge = Bench(seed), Judge()
        reasons, names = collections.Counter(), collections.Counter()
        wrong, sample = [], []
        for index in indexes:
            asked = bench.questions(index)
            judge.judge(asked)
            reasons.update(a.expected for a in asked)
            names.update(a.name for a in asked if a.name and a.expected != oracle.ALLOW)
            wrong += [a for a in asked if a.got != a.expected]
            sample += asked[:4] if len(sample) < SAMPLE else []
        judge.close()
        out.put((reasons, names, wrong, sample))
    except BaseException as problem:
        out.put(f"{type(problem).__name__}: {problem}")
        raise


def run(families: range) -> tuple:
    """All families, side by side."""
    queue = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(SEED, families[i::WORKERS], queue))
               for i in range(WORKERS)]
    for worker in workers:
        worker.start()
    found = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    if any(isinstance(part, str) for part in found):
        raise SystemExit("\n".join(part for part in found if isinstance(part, str)))
    reasons, names = collections.Counter(), collections.Counter()
    for part in found:
        reasons.update(part[0])
        names.update(part[1])
    return reasons, names, sum((p[2] for p in found), []), sum((p[3] for p in found), [])


# ---- one pair through the program ------------------------------------------------------

def command(q: oracle.Question, folder: Path) -> str:
    """What "vesper check" says, in the oracle's words."""
    (folder / "chain.pem").write_text(q.chain)
    (folder / "claims.json").write_bytes(q.claims)
    words = [BUILD / "vesper", "check", "--cert", folder / "chain.pem", "--claims",
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
    files = sorted((HERE / "cases").glob("*.json"))
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


def report(wrong: list[Asked]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="oracle-"))
    for number, a in enumerate(wrong[:SHOWN]):
        print(f"# family {a.family}, {a.name or 'unchanged'}: the oracle says {a.expected}, the "
              f"agent {a.got} {a.claim} {a.detail}\n#   ppt {a.question.ppt}, profile "
              f"{a.question.profile}, at {a.question.at}, allow {a.question.allow}, "
              f"{a.question.claims!r}")
        (folder / f"{number}-{a.name}.json").write_text(
            json.dumps({"why": "", **a.case()}, indent=1) + "\n")
    print(f"# written to {folder}")


def main() -> int:
    failed = 0

    def say(good: bool, text: str) -> None:
        nonlocal failed
        failed += not good
        print(f"{'ok' if good else 'not ok'} - {text}", flush=True)

    began = time.monotonic()
    count = max(1, -(-PAIRS // PAIRS_PER_FAMILY))
    families = range(count)
    if "ORACLE_FAMILY" in os.environ:
        families = range(int(os.environ["ORACLE_FAMILY"]), int(os.environ["ORACLE_FAMILY"]) + 1)
    print(f"# ORACLE_SEED={SEED} ORACLE_PAIRS={PAIRS}", flush=True)
    replay(say)
    reasons, names, wrong, sample = run(families)
    total = sum(reasons.values())
    for reason, n in sorted(reasons.items()):
        print(f"#   {reason} {n}")
    for name, n in sorted(names.items()):
        print(f"#     by {name} {n}")
    if wrong:
        report(wrong)
    say(not wrong, f"oracle and agent agree on {total - len(wrong)} of {total} pairs")
    if len(families) > 1:
        share = 100 * reasons[oracle.ALLOW] / total
        say(total >= PAIRS and 30 <= share <= 70, f"{total} pairs, {share:.1f} % allowed")
        least = min(REASONS, key=lambda reason: reasons[reason])
        say(reasons[least] * 100000 >= LEAST * PAIRS,
            f"every reason comes up, the rarest is {least} with {reasons[least]}")
    with tempfile.TemporaryDirectory() as folder:
        other = [a for a in sample[:SAMPLE] if command(a.question, Path(folder)) != a.got]
    say(not other, f"vesper check says the same of {len(sample[:SAMPLE])} pairs as the judge")
    print(f"# {time.monotonic() - began:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
