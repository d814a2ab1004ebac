"""What scripts/demo does once everything is installed and built.

    demo.py [--out DIR] [--keep]
    demo.py --stop DIR
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from world.machine import BUILD, PYTHON, TOP, Machine, Trouble, wait_for  # noqa: E402

CALLER, CALLEE, STRANGER = "12025550100", "12125550111", "13035550199"


def say(text: str = "") -> None:
    print(text, flush=True)


def show(title: str, text: str) -> None:
    say(f"\n-- {title}")
    say(text)


def run(*command, **more) -> subprocess.CompletedProcess:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)


def sign(machine: Machine) -> dict:
    """Both PASSporTs of the call, and one refusal."""
    request = {"claims": {"orig": {"tn": CALLER}, "dest": {"tn": [CALLEE]}}}
    base = machine.ask("POST", "/v1/passports", request)
    shaken = machine.ask("POST", "/v1/passports", {
        "ppt": "shaken", "claims": {**request["claims"], "attest": "A",
                                    "origid": "123e4567-e89b-12d3-a456-426655440000"}})
    refused = machine.ask("POST", "/v1/passports", {
        "claims": {"orig": {"tn": STRANGER}, "dest": {"tn": [CALLEE]}}})
    for name, answer, status in (("base", base, 200), ("shaken", shaken, 200),
                                 ("refusal", refused, 403)):
        if answer.status != status:
            raise Trouble(f"{name}: {answer.status} {answer.body.decode(errors='replace')}")
    return {"request": request, "base": base.json, "shaken": shaken.json, "refusal": refused.json}


def leave(machine: Machine, out: Path, signed: dict) -> None:
    """The artefacts.  No refusal waits for the disk, so its record is waited for."""
    refused = signed["refusal"]["request_id"]
    wait_for("the refusal's audit record",
             lambda: any(r["request_id"] == refused for r in machine.audit()), 10)
    (out / "identity.txt").write_text(signed["base"]["identity"] + "\n")
    (out / "identity-sp.txt").write_text(signed["shaken"]["identity"] + "\n")
    (out / "passport.jwt").write_text(signed["base"]["passport"] + "\n")
    for name, key in (("request", "request"), ("response", "base"), ("refusal", "refusal")):
        (out / f"{name}.json").write_text(json.dumps(signed[key], indent=1) + "\n")
    for name, tenant in (("chain.pem", "acme"), ("chain-sp.pem", "osp")):
        shutil.copy(machine.state("front", "tenants", tenant, "main", "current.pem"), out / name)
    for name in ("trust-anchors.pem", "ct-logs.json", "authority-anchors.pem", "tls-ca.pem"):
        shutil.copy(machine.config / name, out / name)
    with open(out / "audit.jsonl", "wb") as audit:
        for path in sorted((machine.dir / "audit").glob("audit-*.jsonl")):
            audit.write(path.read_bytes())
    for path in out.iterdir():
        if path.is_file() and path.name != "token.lock":  # whoever can read it can hold it
            path.chmod(0o644)


def judge(out: Path) -> None:
    """Verdicts by code that shares nothing with the agent, and by the agent's own."""
    for who, name, chain in (("the enterprise", "identity.txt", "chain.pem"),
                             ("the provider", "identity-sp.txt", "chain-sp.pem")):
        lab = run(PYTHON, TOP / "tests/lab/verify.py", "--identity", out / name,
                  "--trust-anchors", out / "trust-anchors.pem", "--ct-logs", out / "ct-logs.json",
                  "--tls-ca", out / "tls-ca.pem", "--orig", CALLER)
        own = run(BUILD / "vesper", "verify", "--trust", out / "trust-anchors.pem", "--ct-logs",
                  out / "ct-logs.json", "--from", CALLER, "--to", CALLEE, "--chain", out / chain,
                  "-", input=(out / name).read_text())
        key = out / ".leaf.pub"
        key.write_text(run("openssl", "x509", "-in", out / chain, "-noout", "-pubkey").stdout)
        other = run("secsipidx", "-check", "-fpubkey", key, "-identity",
                    (out / name).read_text().strip(), "-expire", "60")
        key.unlink()
        say(f"   {who}: lab verifier {'pass' if lab.returncode == 0 else 'FAIL'}, "
            f"secsipidx (signature) {'ok' if other.returncode == 0 else 'FAIL'}, "
            f"vesper verify {'pass' if own.returncode == 0 else 'FAIL'}")
        if lab.returncode or own.returncode or other.returncode:
            raise Trouble(f"{who}'s header was not accepted:\n{lab.stdout}{lab.stderr}"
                          f"{own.stdout}{own.stderr}{other.stdout}{other.stderr}")


def write_env(machine: Machine, out: Path) -> None:
    values = {"VESPER_SOCKET": machine.socket, "VESPER_ADMIN_SOCKET": machine.admin_socket,
              "VESPER_BIN": BUILD / "vesper", "VESPERD_PID": machine.agent.pid,
              "LAB_PID": machine.lab.pid, "LAB_URL": machine.info["directory"],
              "LAB_CONTROL": machine.info["control"],
              "SOFTHSM2_CONF": machine.config / "softhsm2.conf", "VESPER_RUN": machine.run}
    lines = [f"{k}={shlex.quote(str(v))}" for k, v in values.items()]
    # The command reads its sockets from the environment: reading the file is enough.
    (out / "env").write_text("\n".join([*lines, "export " + " ".join(values), ""]))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:  # a zombie waits for a parent that is not us
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def works_in(process: Path, directory: Path) -> bool:
    """vesperd's working directory is that of its configuration, however it was named."""
    try:
        return os.path.samefile(process / "cwd", directory)
    except OSError:
        return False


def stop(directory: Path) -> int:
    """End what --keep left running: vesperd of this configuration, and the lab."""
    env_file = directory / "env"
    if not env_file.exists():
        raise Trouble(f"{env_file} is not there: was the demo started with --out {directory} --keep?")
    env = dict(line.split("=", 1) for line in
               (" ".join(shlex.split(l)) for l in env_file.read_text().splitlines()) if "=" in line)
    pids = {int(env["LAB_PID"]): "lab.py", int(env["VESPERD_PID"]): "vesperd"}
    # vesperd may have been stopped and started by hand: find it by its configuration.
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if line[0].endswith(b"vesperd") and works_in(entry, directory / "config"):
                pids[int(entry.name)] = "vesperd"
    for pid, name in pids.items():
        try:
            mine = name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            mine = False
        if mine:
            os.kill(pid, signal.SIGTERM)
            wait_for(f"the end of {name} ({pid})", lambda p=pid: not alive(p), 20)
    shutil.rmtree(env["VESPER_RUN"], ignore_errors=True)
    env_file.unlink()
    say(f"stopped; {directory} keeps its files")
    return 0


def demo(out: Path | None, keep: bool) -> int:
    began = time.monotonic()
    if out is not None and (out / "env").exists():
        raise Trouble(f"{out} is in use: scripts/demo --stop {out}")
    if out is not None and out.exists():
        for name in ("config", "state", "audit", "token", "lab", "token.lock"):
            old = out / name
            if old.is_dir():
                shutil.rmtree(old)
            elif old.exists():
                old.unlink()
    work = out or Path(tempfile.mkdtemp(prefix="vesper-demo-"))
    machine = Machine(work)
    done = False
    try:
        say("starting the lab (token authorities, STI-CA, transparency logs, repository), "
            "a SoftHSM token and vesperd")
        machine.start()
        say("both certificates are in force:")
        for tenant in ("acme", "osp"):
            c = machine.credential(tenant)
            say(f"   {tenant}: profile {c['profile']}, serial {c['serial']}, "
                f"{(c['not_after'] - int(time.time())) // 3600} h left")
        signed = sign(machine)
        show("the enterprise's Identity header (delegate certificate, base PASSporT)",
             "Identity: " + signed["base"]["identity"])
        show("the provider's Identity header (SHAKEN certificate, ppt shaken)",
             "Identity: " + signed["shaken"]["identity"])
        target = out or work
        leave(machine, target, signed)
        show("verification", "")
        judge(target)
        show(f"a request for {STRANGER[:-4]}****, which nobody gave us",
             json.dumps(signed["refusal"], indent=1))
        if keep:
            write_env(machine, out)
            say(f"\nrunning; try:\n   . {out}/env\n   $VESPER_BIN status\n"
                f"   curl --unix-socket $VESPER_SOCKET http://localhost/v1/passports "
                f"--json @{out}/request.json\n   scripts/demo --stop {out}")
        done = True
    finally:
        if not (keep and done):
            machine.close()
            if out is None:
                shutil.rmtree(work, ignore_errors=True)
    say(f"\ndone in {time.monotonic() - began:.0f} s"
        + ("" if out is None else f"; artefacts are in {out}"))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the artefacts there")
    parser.add_argument("--keep", action="store_true", help="leave it running (needs --out)")
    parser.add_argument("--stop", type=Path, metavar="DIR", help="end what --keep left running")
    args = parser.parse_args()
    if args.keep and args.out is None:
        parser.error("--keep needs --out DIR")
    try:
        if args.stop is not None:
            return stop(args.stop.absolute())
        return demo(args.out.absolute() if args.out else None, args.keep)
    except Trouble as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
