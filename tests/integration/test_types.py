"""div, div-o and rsp over a signed call: by the agent, judged by its own verifier
and by the lab's, which shares no code with it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from cases import Cases, equal, true
from world.machine import BUILD, TOP, Machine, wait_for

CALLED, CALLER, NEXT, FAR = "12025550100", "12025550101", "12125550111", "13035550100"


def tenants(machine: Machine) -> dict[str, str]:
    return {"acme": machine.enterprise("acme", (CALLED, CALLER)),
            "osp": machine.provider("osp")}


def to(orig: str, dest: str, **more) -> dict:
    return {"orig": {"tn": orig}, "dest": {"tn": [dest]}, **more}


def sign(machine: Machine, claims: dict, ppt: str | None = None, **more) -> str:
    body = {"tenant": "acme", "claims": claims, **({"ppt": ppt} if ppt else {}), **more}
    answer = machine.ask("POST", "/v1/passports", body)
    equal(answer.status, 200, answer.body.decode())
    return answer.json["identity"]


def payload(identity: str) -> dict:
    part = identity.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def by_agent(machine: Machine, identity: str, *arguments: str, want: int = 0) -> dict:
    lab = machine.dir / "lab"
    done = subprocess.run([str(BUILD / "vesper"), "verify", "--json", "--trust",
                           str(lab / "trust-anchors.pem"), "--ct-logs", str(lab / "ct-logs.json"),
                           *arguments, "-"], input=identity, capture_output=True, text=True)
    equal(done.returncode, want, done.stdout + done.stderr)
    return json.loads(done.stdout)


def by_lab(machine: Machine, identity: str, orig: str, dest: str, original: str) -> None:
    path = machine.dir / "original.txt"
    path.write_text(original)
    done = subprocess.run([sys.executable, str(TOP / "tests/lab/verify.py"), "--lab",
                           str(machine.dir / "lab"), "--orig", orig, "--dest", dest,
                           "--original", str(path), "--identity", "-"], input=identity, capture_output=True,
                          text=True)
    equal(done.returncode, 0, done.stdout + done.stderr)


def original_step(verdict: dict) -> str:
    return next(s["verdict"] for s in verdict["steps"] if s["step"] == "original")


def diverted(machine: Machine) -> None:
    call = sign(machine, to(CALLER, CALLED))
    div = sign(machine, to(CALLER, NEXT, div={"tn": CALLED}), "div", original=[call])
    equal(payload(div), {**to(CALLER, NEXT, div={"tn": CALLED}), "iat": payload(call)["iat"]})
    by_lab(machine, div, CALLER, NEXT, call)
    verdict = by_agent(machine, div, "--original", call, "--from", CALLER, "--to", NEXT)
    equal((verdict["pass"], original_step(verdict)), (True, "pass"))
    other = sign(machine, to(CALLER, NEXT))
    verdict = by_agent(machine, div, "--original", other, want=4)
    equal(original_step(verdict), "fail")


def wrapped(machine: Machine) -> None:
    call = sign(machine, to(CALLER, CALLED))
    div_o = sign(machine, to(CALLER, NEXT, div={"tn": CALLED}), "div-o", original=[call])
    equal(payload(div_o)["opt"], call.split(";")[0])
    verdict = by_agent(machine, div_o, "--to", NEXT)
    equal((verdict["pass"], original_step(verdict)), (True, "pass"))


def answered(machine: Machine) -> None:
    call = sign(machine, to(CALLER, CALLED))
    rsp = sign(machine, to(CALLER, CALLED), "rsp", original=[call])
    by_lab(machine, rsp, CALLER, CALLED, call)
    verdict = by_agent(machine, rsp, "--original", call)
    equal((verdict["pass"], original_step(verdict), "vesper_strict" in verdict),
          (True, "pass", False))


def answered_after_a_diversion(machine: Machine) -> None:
    """The call to one of the tenant's numbers is diverted to its other one (D-37)."""
    call = sign(machine, to(CALLER, CALLER))
    div = sign(machine, to(CALLER, CALLED, div={"tn": CALLER}), "div", original=[call])
    rsp = sign(machine, to(CALLER, CALLED), "rsp", original=[div, call])
    verdict = by_agent(machine, rsp, "--original", call, "--div", div)
    equal((verdict["pass"], verdict["vesper_strict"]), (True, False))


def by_the_command(machine: Machine) -> None:
    call = sign(machine, to(CALLER, CALLED))
    path = machine.dir / "call.txt"
    path.write_text("Identity: " + call + "\n")
    done = subprocess.run([str(BUILD / "vesper"), "sign", "--socket", machine.socket, "--tenant",
                           "acme", "--ppt", "div", "--orig", CALLER, "--dest", NEXT, "--div",
                           CALLED, "--original", str(path)], capture_output=True, text=True)
    equal(done.returncode, 0, done.stdout + done.stderr)
    by_lab(machine, done.stdout.strip(), CALLER, NEXT, call)


def recorded(machine: Machine) -> None:
    call = sign(machine, to(CALLER, CALLED))
    answer = machine.ask("POST", "/v1/passports",
                         {"tenant": "osp", "ppt": "div", "original": [call],
                          "claims": to(CALLER, NEXT, div={"tn": CALLED})},
                         headers={"X-RequestID": "div-1"})
    equal(answer.status, 200, answer.body.decode())
    equal((answer.json["originals"], answer.json["originals_verified"]), (1, 1))
    record = wait_for("the record", lambda: next(
        (r for r in machine.audit() if r["request_id"] == "div-1"), None), 10)
    equal((record["ppt"], record["div"], record["originals"], record["originals_verified"]),
          ("div", CALLED, 1, 1))


def damaged(machine: Machine) -> None:
    call = unsigned.split(";")[0]
    at = call.rindex(".") + 5
    call = call[:at] + ("A" if call[at] != "A" else "B") + call[at + 1:]
    answer = machine.ask("POST", "/v1/passports",
                         {"tenant": "acme", "ppt": "div", "original": [call],
                          "claims": to(CALLER, NEXT, div={"tn": CALLED})})
    equal((answer.status, answer.reason), (403, "original_invalid"), answer.body.decode())
    true("signature" in answer.json["detail"], answer.body.decode())


def of_another(machine: Machine) -> None:
    answer = machine.ask("POST", "/v1/passports",
                         {"tenant": "acme", "ppt": "div", "original": [unsigned],
                          "claims": to(CALLER, NEXT, div={"tn": FAR})})
    equal((answer.status, answer.reason), (403, "original_mismatch"), answer.body.decode())


def header(identity: str) -> dict:
    part = identity.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def divert(machine: Machine, request_id: str):
    return machine.ask("POST", "/v1/passports",
                       {"tenant": "acme", "ppt": "div", "original": [attested],
                        "claims": to(CALLER, NEXT, div={"tn": CALLED})},
                       headers={"X-RequestID": request_id})


def by_claims_alone(machine: Machine) -> None:
    """The provider that signed the original is another party from now on."""
    machine.write_tenant("osp", 'tenant "osp" {\n}\n')
    machine.reload()
    answer = divert(machine, "compared-1")
    equal(answer.status, 200, answer.body.decode())
    equal((answer.json["originals"], answer.json["originals_verified"]), (1, 0))
    record = wait_for("the record", lambda: next(
        (r for r in machine.audit() if r["request_id"] == "compared-1"), None), 10)
    equal((record["event"], record["originals"], record["originals_verified"]), ("sign", 1, 0))


def not_known(machine: Machine) -> None:
    machine.write_tenant("acme", machine.enterprise(
        "acme", (CALLED, CALLER), credential='\t\toriginal_check = "cached"'))
    machine.reload()
    answer = divert(machine, "cached-1")
    equal((answer.status, answer.reason), (403, "original_invalid"), answer.body.decode())
    true("not known" in answer.json["detail"], answer.body.decode())


def put_chain(machine: Machine, source: Path) -> None:
    name = hashlib.sha256(header(attested)["x5u"].encode()).hexdigest() + ".pem"
    shutil.copy(source, machine.config / "chains" / name)
    machine.reload()


def of_another_key(machine: Machine) -> None:
    """A chain of that name which did not sign it."""
    www = machine.dir / "lab" / "www" / "certs"
    own = header(attested)["x5u"].rsplit("/", 1)[1]
    put_chain(machine, next(p for p in sorted(www.glob("*.pem")) if p.name != own))
    answer = divert(machine, "cached-2")
    equal((answer.status, answer.reason), (403, "original_invalid"), answer.body.decode())
    true("signature" in answer.json["detail"], answer.body.decode())


def of_another_party(machine: Machine) -> None:
    www = machine.dir / "lab" / "www" / "certs"
    put_chain(machine, www / header(attested)["x5u"].rsplit("/", 1)[1])
    answer = divert(machine, "cached-3")
    equal(answer.status, 200, answer.body.decode())
    record = wait_for("the record", lambda: next(
        (r for r in machine.audit() if r["request_id"] == "cached-3"), None), 10)
    equal((record["event"], record["originals"], record["originals_verified"]), ("sign", 1, 1))


unsigned = ""  # a good original, made before what must not sign
attested = ""  # the same, by a provider and its x5u alone


def main() -> int:
    global attested, unsigned
    cases = Cases("types")
    with Machine() as machine:
        machine.config.mkdir(exist_ok=True)
        (machine.config / "chains").mkdir()
        machine.start(tenants, original_chains="chains")
        for function in (diverted, wrapped, answered, answered_after_a_diversion, by_the_command,
                         recorded):
            cases.case(function.__name__, function, machine)
        unsigned = sign(machine, to(CALLER, CALLED))
        attested = sign(machine, to(CALLER, CALLED, attest="A",
                                    origid="123e4567-e89b-12d3-a456-426655440000"),
                        "shaken", tenant="osp")
        equal("x5c" in header(attested), False)
        cases.refusal("damaged", damaged, machine)
        cases.refusal("of_another", of_another, machine)
        cases.case("by_claims_alone", by_claims_alone, machine)
        cases.refusal("not_known", not_known, machine)
        cases.refusal("of_another_key", of_another_key, machine)
        cases.case("of_another_party", of_another_party, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
