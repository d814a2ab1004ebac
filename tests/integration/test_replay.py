"""vesper replay: what the agent signed and refused, judged by another configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from cases import Cases, equal, true
from world.machine import BUILD, Machine, wait_for

ACME, OTHER, DEST = "12025550100", "12025550101", "12125550111"
ORIGID = "123e4567-e89b-12d3-a456-426655440000"
SHAKEN = {"attest": "A", "origid": ORIGID}


def replay(machine: Machine, *arguments, logs=None, text: str | None = None):
    """Exit status and the JSON answer."""
    logs = ["-"] if text is not None else logs or sorted(
        str(p) for p in (machine.dir / "audit").glob("audit-*.jsonl"))
    done = subprocess.run([BUILD / "vesper", "replay", "--json", "-c",
                           machine.config / "vesperd.conf", *arguments, *logs], input=text,
                          capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def edit(machine: Machine, tenant: str, old: str, new: str) -> str:
    path = machine.config / f"tenants.d/{tenant}.conf"
    text = path.read_text()
    true(old in text, f"no {old} in {text}")
    path.write_text(text.replace(old, new, 1))
    return text


def restore(machine: Machine, tenant: str, text: str) -> None:
    (machine.config / f"tenants.d/{tenant}.conf").write_text(text)


def found(answer: dict) -> list[tuple]:
    return [(r["request_id"], r["was"], r["now"], r["reason"]) for r in answer["requests"]]


def make_log(machine: Machine) -> None:
    def ask(name: str, body: dict, status: int, url: str = "/v1/passports") -> None:
        answer = machine.ask("POST", url, body, headers={"X-RequestID": name})
        equal(answer.status, status, answer.body.decode())

    claims = {"orig": {"tn": ACME}, "dest": {"tn": [DEST]}}
    ask("base", {"tenant": "acme", "claims": claims}, 200)
    ask("other", {"tenant": "acme", "claims": {**claims, "orig": {"tn": OTHER}}}, 200)
    ask("atis", {"signingRequest": {**claims, **SHAKEN, "vesper": {"tenant": "osp"}}}, 200,
        "/stir/v1/signing")
    ask("claim", {"tenant": "acme", "claims": {**claims, "foo": 1}}, 400)
    ask("call", {"claims": claims, "sign": [{"tenant": "prov", "ppt": "shaken", "claims": SHAKEN},
                                            {"tenant": "acme"}]}, 200, "/v1/calls")
    ask("dry", {"tenant": "osp", "ppt": "shaken", "claims": {**claims, **SHAKEN}}, 200,
        "/v1/passports?dry_run=1")
    ask("private", {"tenant": "hidden", "claims": {**claims, "orig": {"tn": "12025550105"}}}, 403)
    wait_for("the records", lambda: len([r for r in machine.audit() if r["request_id"]]) == 8, 10)


def nothing_changed(machine: Machine) -> None:
    code, answer = replay(machine)
    equal((code, answer["schema"]), (0, "vesper/replay/1"), answer)
    equal((answer["judged"], answer["allowed"], answer["refused"], answer["requests"]),
          (7, 6, 1, []), answer)
    equal((answer["newly_refused"], answer["newly_allowed"], answer["not_judged"]), (0, 0, 1))
    code, answer = replay(machine, "--all")
    equal([r["reason"] for r in answer["requests"] if r["now"] == "refused"], ["unknown_claim"])
    true(all(ACME not in json.dumps(r) and DEST not in json.dumps(r)
             for r in answer["requests"]), "a whole number in the answer")


def number_removed(machine: Machine) -> None:
    text = edit(machine, "acme", f'"{OTHER}" }}\n', "}\n")
    try:
        code, answer = replay(machine)
    finally:
        restore(machine, "acme", text)
    equal(code, 4)
    equal(found(answer), [("other", "allowed", "refused", "tn_not_authorized")])


def claim_allowed(machine: Machine) -> None:
    text = edit(machine, "acme", '\t\tca = "lab"\n', '\t\tca = "lab"\n\t\textra_claims = { "foo" }\n')
    try:
        code, answer = replay(machine)
    finally:
        restore(machine, "acme", text)
    # Allowed by name here; the profile wants it vetted.
    equal((code, found(answer)), (0, []), answer)
    equal(answer["refused"], 1)
    code, answer = replay(machine, "--all")
    equal([(r["was_reason"], r["now"]) for r in answer["requests"] if r["was"] == "refused"],
          [("unknown_claim", "refused"), ("number_pending", "not judged")])


def attest_lowered(machine: Machine) -> None:
    text = edit(machine, "osp", 'attest_max = "A"', 'attest_max = "B"')
    try:
        code, answer = replay(machine)
        equal(code, 4)
        equal(found(answer), [(n, "allowed", "refused", "attest_not_allowed")
                              for n in ("atis", "dry")])
        # Watched first: it passes, and shows what enforcing it would refuse.
        edit(machine, "osp", 'attest_max = "B"', 'attest_max = "B" observe = { "attest" }')
        code, answer = replay(machine)
        equal((code, answer["observed"], answer["refused"]), (0, 2, 1), answer)
        equal([(r["now"], [o["rule"] for o in r["observed"]]) for r in answer["requests"]],
              [("allowed", ["attest"])] * 2)
        code, answer = replay(machine, "--enforce")
        equal((code, answer["newly_refused"]), (4, 2), answer)
    finally:
        restore(machine, "osp", text)


def call_stays_together(machine: Machine) -> None:
    """The provider's attestation still rests on the holder: without it, it falls."""
    text = edit(machine, "acme", "allow_user", "enabled = no\n\tallow_user")
    try:
        code, answer = replay(machine)
    finally:
        restore(machine, "acme", text)
    equal(code, 4)
    equal([(r["tenant"], r["reason"]) for r in answer["requests"] if r["request_id"] == "call"],
          [("acme", "tenant_disabled"), ("prov", "tn_not_authorized")])


def other_user(machine: Machine) -> None:
    text = edit(machine, "acme", f'allow_user = {{ "{os.geteuid()}" }}', 'allow_user = { "54321" }')
    try:
        code, answer = replay(machine)
        equal((code, {r["reason"] for r in answer["requests"] if r["tenant"] != "prov"}),
              (4, {"caller_not_allowed"}), answer)
        body = {"tenant": "acme", "claims": {"orig": {"tn": ACME}, "dest": {"tn": [DEST]}}}
        equal(replay(machine, "--uid", "54321", text=json.dumps(body) + "\n")[0], 0)
        code, answer = replay(machine, text=json.dumps(body) + "\n")
        equal((code, answer["requests"][0]["reason"]), (4, "caller_not_allowed"))
    finally:
        restore(machine, "acme", text)


def changes_nothing(machine: Machine) -> None:
    def files() -> list:
        return sorted((str(p), p.stat().st_mtime_ns) for d in ("state", "audit", "lab/www/certs")
                      for p in (machine.dir / d).rglob("*") if p.is_file())
    for path in (machine.dir / "lab/www/certs").glob("*.pem"):
        path.unlink()
    before = files()
    equal(replay(machine)[0], 0)
    equal(files(), before, "files")


def private_claims(machine: Machine) -> None:
    """A tenant that keeps values private has no claims in the trail."""
    own = [r for r in machine.audit() if r["tenant"] == "hidden" and r["request_id"]]
    equal([("claims" in r, r["orig"]) for r in own], [(False, "12025550105")])


def wrong_input(machine: Machine) -> None:
    code, text = replay(machine, logs=[str(machine.dir / "nothing")])
    equal(code, 6, text)
    code, text = replay(machine, text="{\n")
    equal(code, 1, text)
    true("line 1" in text, text)
    code, text = replay(machine, "-c", str(machine.dir / "nothing"), text="")
    equal(code, 2, text)
    code, text = replay(machine, "--frob", text="")
    equal(code, 2, text)
    done = subprocess.run([BUILD / "vesper", "replay"], capture_output=True, text=True)
    equal(done.returncode, 2)
    equal(replay(machine, text="")[1]["judged"], 0)


def tenants(machine: Machine) -> dict[str, str]:
    hidden = machine.enterprise("hidden", ("12025550105",)).replace(
        '\t\t\tform = "jwt"\n', '\t\t\tform = "jwt"\n\t\t\tpermitted "rcd/nam#sha-256" '
        '{ values = { "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU" } }\n')
    return {"acme": machine.enterprise("acme", (ACME, OTHER)), "osp": machine.provider("osp"),
            "prov": machine.provider("prov", numbers=("12025550190",)).replace(
                '\tattest_max = "A"', '\tattestation { listed = "B" delegate_proof = "A" }'),
            "hidden": hidden}


def main() -> int:
    cases = Cases("replay")
    with Machine() as machine:
        machine.start(tenants, wait=False)
        machine.wait_ready("acme", "osp", "prov")
        cases.case("make_log", make_log, machine)
        for function in (private_claims, nothing_changed, number_removed, claim_allowed,
                         attest_lowered, call_stays_together, other_user, changes_nothing,
                         wrong_input):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
