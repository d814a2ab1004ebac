"""scripts/demo leaves what it promises, and others accept it."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from asn1crypto import core
from cases import Cases, equal, true
from cryptography import x509
from world.demo import alive
from world.machine import BUILD, PYTHON, TOP, is_root, wait_for

FILES = ("identity.txt", "identity-sp.txt", "passport.jwt", "chain.pem", "chain-sp.pem",
         "trust-anchors.pem", "ct-logs.json", "request.json", "response.json", "refusal.json",
         "audit.jsonl", "authority-anchors.pem", "tls-ca.pem", "config/vesperd.conf")
TNAUTHLIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
CONSTRAINTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.27")


class Range(core.Sequence):
    _fields = [("start", core.IA5String), ("count", core.Integer)]


class Entry(core.Choice):
    _alternatives = [("spc", core.IA5String, {"explicit": 0}), ("range", Range, {"explicit": 1}),
                     ("one", core.IA5String, {"explicit": 2})]


class TNAuthList(core.SequenceOf):
    _child_spec = Entry


def leaf(path: Path) -> x509.Certificate:
    text = path.read_bytes()
    end = b"-----END CERTIFICATE-----\n"
    return x509.load_pem_x509_certificate(text[:text.index(end) + len(end)])


def entries(certificate: x509.Certificate) -> list:
    value = certificate.extensions.get_extension_for_oid(TNAUTHLIST).value.value
    return [(e.name, e.chosen.native) for e in TNAuthList.load(value, strict=True)]


def demo(*args) -> subprocess.CompletedProcess:
    return subprocess.run([PYTHON, str(TOP / "tests/world/demo.py"), *map(str, args)],
                          capture_output=True, text=True, timeout=300)


def files(out: Path) -> None:
    for name in FILES:
        true((out / name).is_file() and (out / name).stat().st_size > 0, f"{name} is missing")


# V-19, V-25, D-33
def enterprise_leaf(out: Path) -> None:
    certificate = leaf(out / "chain.pem")
    orig = json.loads((out / "request.json").read_text())["claims"]["orig"]["tn"]

    def covers(kind, value) -> bool:
        if kind == "one":
            return value == orig
        start = value["start"] if kind == "range" else ""
        return kind == "range" and len(start) == len(orig) and \
            int(start) <= int(orig) < int(start) + value["count"]
    true(any(covers(*e) for e in entries(certificate)), "orig is not in the TNAuthList")
    scts = certificate.extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps).value
    true(len(list(scts)) >= 1, "no embedded SCT")
    true(certificate.extensions.get_extension_for_oid(CONSTRAINTS).value.value, "no constraints")
    life = certificate.not_valid_after - certificate.not_valid_before
    true(life <= datetime.timedelta(days=7), f"lives {life}")


def provider_leaf(out: Path) -> None:
    found = entries(leaf(out / "chain-sp.pem"))
    equal([kind for kind, _ in found], ["spc"], "entries")


def refusal(out: Path) -> None:
    problem = json.loads((out / "refusal.json").read_text())
    equal(problem["reason"], "tn_not_authorized")
    equal(problem["status"], 403)
    records = [json.loads(line) for line in (out / "audit.jsonl").read_text().splitlines()]
    true(any(r["reason"] == "tn_not_authorized" and r["request_id"] == problem["request_id"]
             for r in records), "the refusal is not in the audit")


def no_iat(out: Path) -> None:
    true("iat" not in json.loads((out / "request.json").read_text())["claims"],
         "request.json cannot be sent again")


def read_env(out: Path) -> dict:
    script = f". {out}/env; env"
    text = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def by_hand(out: Path, env: dict) -> subprocess.Popen:
    """Stop vesperd, edit, and start it again by a relative name, as an operator would."""
    pid = int(env["VESPERD_PID"])
    os.kill(pid, signal.SIGTERM)
    wait_for("the end of vesperd", lambda: not alive(pid), 20)
    with open(out / "config/vesperd.conf", "a", encoding="utf-8") as config:
        config.write("\nmax_waiting = 512\n")
    vesperd = subprocess.Popen([BUILD / "vesperd", "-c", "vesperd.conf"], cwd=out / "config",
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for("vesperd by hand", lambda: subprocess.run(
        [env["VESPER_BIN"], "--quiet", "status"], env={**os.environ, **env},
        capture_output=True, check=False).returncode == 0, 20)
    return vesperd


def keep_and_stop(out: Path) -> None:
    done = demo("--out", out, "--keep")
    equal(done.returncode, 0, done.stderr)
    env = read_env(out)
    try:
        status = subprocess.run([env["VESPER_BIN"], "status", "--json"], env={**os.environ, **env},
                                capture_output=True, text=True)
        equal(status.returncode, 0, status.stdout + status.stderr)
        equal(json.loads(status.stdout)["schema"], "vesper/status/1")
        callers = subprocess.run(
            [env["VESPER_BIN"], "status", "--socket", env["VESPER_SOCKET"]], text=True,
            capture_output=True, check=True).stdout.splitlines()
        true("audit      ok" in callers, "a sequence that callers are not told")
        true("token main         ok" in callers, "processes that callers are not told")
        again = subprocess.run(
            ["curl", "-sS", "--unix-socket", env["VESPER_SOCKET"], "-H",
             "Content-Type: application/json", "--data-binary", f"@{out}/request.json",
             "http://localhost/v1/passports"], capture_output=True, text=True)
        true(json.loads(again.stdout).get("identity"), again.stdout)
        vesperd = by_hand(out, env)
    finally:
        stopped = demo("--stop", out)
    equal(stopped.returncode, 0, stopped.stderr)
    true(vesperd.wait(20) == 0, "the vesperd that was started by hand still runs")
    for key in ("VESPERD_PID", "LAB_PID"):
        true(not alive(int(env[key])), f"{key} still runs")


def main() -> int:
    cases = Cases("demo")
    with tempfile.TemporaryDirectory(prefix="vesper-demo-test-") as folder:
        # The folder is closed to the roles' users: as root this must work too.
        os.chmod(folder, 0o700)
        out = Path(folder) / "out"
        done = demo("--out", out)
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        cases.case("demo runs" + (" as root" if is_root() else ""), equal, done.returncode, 0)
        if done.returncode == 0:
            for function in (files, enterprise_leaf, provider_leaf, refusal, no_iat):
                cases.case(function.__name__, function, out)
        else:
            for log in ("vesperd.log", "lab.log"):
                path = out / log
                print(f"---- {log}\n{path.read_text()[-6000:] if path.exists() else 'none'}")
        cases.case("keep_and_stop", keep_and_stop, Path(folder) / "kept")
    true(BUILD.is_dir(), "no build")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
