"""What an operator does to a token: vesper hsm, and a key that is brought from a file."""

from __future__ import annotations

import datetime
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (BestAvailableEncryption, Encoding,
                                                          NoEncryption, PrivateFormat)
from cryptography.x509.oid import NameOID

from cases import Cases, equal, true
from world import faults
from world import unixhttp as http
from world.machine import BUILD, PYTHON, TOKEN_LABEL, TOP, Machine, is_root, quote, wait_for

OLD, ACME = "13035550100", "12025550100"
TNAUTHLIST = "1.3.6.1.5.5.7.1.26"
VESPER = str(BUILD / "vesper")
CLIENT = next((str(path) for path in Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so")), "")


class Done:
    def __init__(self, code: int, out: str, err: str):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:
        return json.loads(self.out)


def run(*args: str, env: dict | None = None, cwd: Path | None = None) -> Done:
    # A session of its own has no terminal to ask at, whoever runs the tests.
    done = subprocess.run([VESPER, *args], capture_output=True, text=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL, start_new_session=True, cwd=cwd,
                          env={"PATH": os.environ["PATH"], **(env or {})})
    return Done(done.returncode, done.stdout, done.stderr)


def answered(*args: str, say: list[str | int]) -> tuple[int, str]:
    """The same at a terminal: say is typed at each ": ", a number is a signal to its group.

    Returns the exit status and what the terminal showed.
    """
    pid, tty = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background has it ignored
        os.execve(VESPER, [VESPER, *args], {"PATH": os.environ["PATH"]})
    shown, todo, end = b"", list(say), time.monotonic() + 60
    asked = 0
    while time.monotonic() < end:
        ready = select.select([tty], [], [], 0.1)[0]
        try:
            more = os.read(tty, 4096) if ready else None
        except OSError:  # EIO: the other end is closed
            break
        if more == b"":
            break
        shown += more or b""
        if todo and len(re.findall(rb": $", shown[asked:])) == 1:
            asked = len(shown)
            word = todo.pop(0)
            if isinstance(word, int):
                os.killpg(pid, word)
            else:
                os.write(tty, word.encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(tty)
    return os.waitstatus_to_exitcode(status), shown.decode()


def refused(done: Done, code: int, *words: str) -> None:
    """One line says what, why and what to do."""
    equal(done.code, code, done.err or done.out)
    lines = [line for line in done.err.splitlines() if line.startswith("vesper")]
    equal(len(lines), 1, done.err)
    for word in words:
        true(word in lines[0], f"{word!r} in {lines[0]!r}")


# ---- tokens of one's own: no configuration --------------------------------------------

class Bench:
    """A SoftHSM token directory and PIN files."""

    def __init__(self, machine: Machine):
        self.dir = machine.dir / "bench"
        (self.dir / "tokens").mkdir(parents=True)
        conf = self.dir / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.dir / 'tokens'}\nlog.level = ERROR\n")
        for name, text in (("pin", "482913"), ("so", "77120034"), ("new", "135790"),
                           ("bad", "000000")):
            self.file(name, text)
        self.how = ["--module", machine.module, "--environment", f"SOFTHSM2_CONF={conf}",
                    "--lock-file", "lock"]

    def file(self, name: str, text: str, mode: int = 0o600) -> None:
        path = self.dir / name
        path.write_text(text + "\n")
        path.chmod(mode)

    def hsm(self, *args: str) -> Done:
        return run("hsm", *args, *self.how, cwd=self.dir)


# RFC 7512 s2.3
def init(bench: Bench) -> None:
    made = bench.hsm("init", "--label", "mine", "--so-pin", "file:so", "--pin", "file:pin", "--json")
    equal(made.code, 0, made.err)
    copies = list((bench.dir / "tokens").glob("*/token.object.copy"))
    equal(len(copies), 1, "the copy of token.object")
    true(copies[0].read_bytes() == copies[0].with_suffix("").read_bytes(), "is as it is now")
    listed = bench.hsm("list", "--json").json["tokens"]
    mine = next(t for t in listed if t["label"] == "mine")
    equal(mine["serial"], made.json["serial"])
    true("user-pin-set" in mine["flags"], str(mine))
    # What is printed can be given back, with the module and the PIN in it.
    uri = f"{mine['uri']}?module-path={bench.how[1]}&pin-source=file:{bench.dir}/pin"
    done = run("hsm", "objects", uri, *bench.how[2:], "--json", cwd=bench.dir)
    equal(done.code, 0, done.err)
    equal(done.json["keys"], [])
    again = bench.hsm("init", "--label", "mine", "--so-pin", "file:so", "--pin", "file:pin")
    refused(again, 1, "token_exists", "not erased")


def tries_and_measures(bench: Bench) -> None:
    mine = ["--label", "mine", "--pin", "file:pin"]
    done = bench.hsm("test", *mine, "--threads", "4", "--json")
    equal(done.code, 0, done.err)
    equal([(s["step"], s["ok"]) for s in done.json["steps"]],
          [(s, True) for s in ("module", "login", "mechanisms", "keys", "sessions", "generate",
                               "sign", "destroy")])
    done = bench.hsm("bench", *mine, "--threads", "2", "--seconds", "1", "--json")
    equal(done.code, 0, done.err)
    true(done.json["signatures"] > 0 and done.json["threads"] == 2, done.out)
    true(done.json["p50_us"] <= done.json["p99_us"], done.out)
    equal(bench.hsm("objects", *mine, "--json").json["keys"], [], "what the trials left")


def pins(bench: Bench) -> None:
    mine = ["--label", "mine"]
    user = [*mine, "--pin", "file:pin"]
    refused(bench.hsm("set-pin", *mine, "--pin", "file:bad", "--new-pin", "file:new"), 4,
            "pin_refused", "CKR_PIN_INCORRECT")
    equal(bench.hsm("test", *user).code, 0)
    equal(bench.hsm("set-pin", *user, "--new-pin", "file:new").code, 0)
    refused(bench.hsm("test", *user), 4, "pin_refused")
    refused(bench.hsm("set-pin", *mine, "--so-pin", "file:bad", "--new-pin", "file:pin"), 4,
            "pin_refused", "security officer")
    done = bench.hsm("set-pin", *mine, "--so-pin", "file:so", "--new-pin", "file:pin", "--json")
    equal((done.code, done.json["pin"]), (0, "user"), done.err)
    equal(bench.hsm("test", *user).code, 0)
    bench.file("short", "1")
    for of in (["--pin", "file:pin"], ["--so-pin", "file:so"], ["--so", "--so-pin", "file:so"]):
        refused(bench.hsm("set-pin", *mine, *of, "--new-pin", "file:short"), 2, "new PIN")
    equal(bench.hsm("test", *user).code, 0)
    done = bench.hsm("set-pin", *mine, "--so", "--so-pin", "file:so", "--new-pin", "file:new")
    equal(done.code, 0, done.err)
    refused(bench.hsm("set-pin", *mine, "--so-pin", "file:so", "--new-pin", "file:pin"), 4,
            "pin_refused")
    equal(bench.hsm("set-pin", *mine, "--so-pin", "file:new", "--new-pin", "file:pin").code, 0)


def certificate_for(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(
        key.public_key()).serial_number(1).not_valid_before(now).not_valid_after(
        now + datetime.timedelta(days=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def key_pem(key, passphrase: bytes | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption() if passphrase is None
                             else BestAvailableEncryption(passphrase))


def certificate_beside_its_key(bench: Bench) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    bench.file("key.pem", key_pem(key).decode())
    bench.file("cert.pem", certificate_for(key).decode(), 0o644)
    mine = ["--label", "mine", "--pin", "file:pin"]
    store = ["store-cert", *mine, "--cert", "cert.pem"]
    refused(bench.hsm(*store), 6, "no_key")
    done = run("key", "import", "key.pem", *mine, *bench.how, "--json", cwd=bench.dir)
    equal((done.code, done.json["imported"]), (0, True), done.err)
    again = run("key", "import", "key.pem", *mine, *bench.how, "--json", cwd=bench.dir)
    equal((again.code, again.json["imported"]), (0, False), again.err)
    equal([bench.hsm(*store, "--json").json["stored"] for _ in range(2)], [True, False])
    there = bench.hsm("objects", *mine, "--json").json
    equal([(k["id"], k["origin"], k["sensitive"], k["extractable"], k["sign"])
           for k in there["keys"]], [(done.json["id"], "imported", True, False, True)])
    true(there["keys"][0]["label"].startswith("vesper-imported-"), str(there))
    equal([c["id"] for c in there["certificates"]], [done.json["id"]])


def other_keys(bench: Bench) -> None:
    mine = ["--label", "mine", "--pin", "file:pin", *bench.how]
    rows = [("p384", key_pem(ec.generate_private_key(ec.SECP384R1())).decode(), 0o600, 2, "P-256"),
            ("text", "no key", 0o600, 2, "key_file"),
            ("locked", key_pem(ec.generate_private_key(ec.SECP256R1()), b"x").decode(), 0o600, 2,
             "no terminal"),
            ("open", key_pem(ec.generate_private_key(ec.SECP256R1())).decode(), 0o640, 4,
             "others may have the key"),
            ("huge", "x" * 70000, 0o600, 2, "65536")]
    for name, text, mode, code, word in rows:
        bench.file(name, text, mode)
        refused(run("key", "import", name, *mine, cwd=bench.dir), code, word)
    refused(run("key", "import", "absent", *mine, cwd=bench.dir), 6, "No such file")
    equal(len(bench.hsm("objects", "--label", "mine", "--pin", "file:pin", "--json").json["keys"]), 1)


# RFC 7512 s7
def wrong_use(bench: Bench) -> None:
    mine = ["--label", "mine"]
    bench.file("loose", "482913", 0o644)
    rows = [(["frob"], 2, "usage"), ([], 2, "usage"), (["list", "a", "b"], 2, "usage"),
            (["list", "--frob"], 2, "unknown option"), (["objects"], 2, "which token"),
            (["init", "--label", "other", "--pin", "482913", "--so-pin", "file:so"], 2, "never itself"),
            (["test", "--label", "none", "--pin", "file:pin"], 6, "vesper hsm list"),
            (["test", *mine, "--pin", "file:loose"], 2, "chmod"),
            (["test", *mine, "--pin", "file:absent"], 2, "put the PIN there"),
            (["test", *mine], 2, "no terminal"),
            (["test", *mine, "--pin", "ask"], 2, "no terminal"),
            (["test", *mine, "--pin", "file:pin", "--threads", "65"], 2, "1 to 64"),
            (["bench", *mine, "--pin", "file:pin", "--seconds", "601"], 2, "1 to 600"),
            (["test", "pkcs11:token=mine?pin-value=482913"], 2, "seen by everybody"),
            (["store-cert", *mine, "--pin", "file:pin"], 2, "--cert"),
            (["store-cert", *mine, "--pin", "file:pin", "--cert", "pin"], 2, "certificate"),
            (["store-cert", *mine, "--pin", "file:pin", "--cert", "none"], 6, "none"),
            (["set-pin", *mine, "--so", "--pin", "file:pin", "--new-pin", "file:new"], 2, "--so-pin")]
    for args, code, word in rows:
        done = bench.hsm(*args)
        equal(done.code, code, f"{args}: {done.err}")
        true(word in done.err, f"{args}: {word!r} in {done.err!r}")
        true("482913" not in done.err + done.out, f"{args}: the PIN is shown")
    refused(run("hsm", "list", "--module", "libsofthsm2.so"), 2, "absolute path")
    refused(run("hsm", "list", "--module", "/etc/passwd"), 1, "module_init")
    refused(run("hsm", "list", "-c", "/no/such.conf"), 2, "/no: No such")


def a_bad_token(bench: Bench) -> None:
    """What a token does wrongly is said of the step in which it shows; nothing is left behind."""
    switches = faults.Switches(bench.dir / "faults")
    mine = ["--label", "mine", "--pin", "file:pin"]
    how = ["--module", str(BUILD / "tests/fault/.libs/p11fault.so"), "--lock-file", "lock",
           "--environment", f"VESPER_FAULT={bench.dir / 'faults'}",
           "--environment", f"VESPER_FAULT_MODULE={bench.how[1]}", *bench.how[2:4]]
    before = bench.hsm("objects", *mine, "--json").json["keys"]
    rows = [("C_Initialize 0x30 count=*", "module", 1, "CKR_DEVICE_ERROR"),
            ("C_GetSlotList absent count=*", "login", 6, "vesper hsm list"),
            ("C_GetTokenInfo flags:0x20000 count=*", "login", 4, "--pin ask"),
            ("C_GetTokenInfo flags:0x40000 count=*", "login", 4, "set-pin --so-pin"),
            ("C_GetMechanismInfo 0x70 count=*", "mechanisms", 1, "CKR_MECHANISM_INVALID"),
            ("C_OpenSession capacity:2 count=*", "sessions", 1, "lower 'threads'"),
            ("C_GenerateKeyPair capacity:0 count=*", "generate", 1, "CKR_DEVICE_MEMORY"),
            ("C_Sign 0x30 count=*", "sign", 1, "CKR_DEVICE_ERROR"),
            ("C_Sign flip count=*", "sign", 4, "signature"),
            ("C_Sign short count=*", "sign", 1, "CKR_SIGNATURE_LEN_RANGE"),
            ("C_DestroyObject 0 0x30", "destroy", 1, "remove it with the maker's tool")]
    for rule, step, code, word in rows:
        switches.set(rule)
        done = run("hsm", "test", *mine, *how, "--threads", "4", "--json", cwd=bench.dir)
        true(switches.fired() > 0, f"{rule} did not fire")
        refused(done, code, word)
        equal((done.json["ok"], done.json["steps"][-1]["step"], done.json["steps"][-1]["ok"]),
              (False, step, False), rule)
    switches.set()
    equal(bench.hsm("objects", *mine, "--json").json["keys"], before, "what was left behind")
    switches.set("C_Sign 0x30 skip=5 count=*")
    done = run("hsm", "bench", *mine, *how, "--seconds", "1", cwd=bench.dir)
    refused(done, 1, "C_Sign on thread 1", "CKR_DEVICE_ERROR")
    bench.file("other.pem", key_pem(ec.generate_private_key(ec.SECP256R1())).decode())
    for rule, word in (("C_CreateObject 0xd0 count=*", "let the agent order one"),
                       ("C_Sign flip count=*", "signature")):
        switches.set(rule)
        done = run("key", "import", "other.pem", *mine, *how, cwd=bench.dir)
        true(done.code in (1, 4) and word in done.err, done.err)
    equal(bench.hsm("objects", *mine, "--json").json["keys"], before, "what was left behind")
    # Nobody can unlock the security officer: his last try is for whoever types it.
    switches.set("C_GetTokenInfo flags:0x200000 count=*")
    refused(run("hsm", "set-pin", *mine[:2], "--so-pin", "file:bad", "--new-pin", "file:pin", *how,
                cwd=bench.dir), 4, "pin_final_try", "--so-pin ask")
    equal((switches.fired() > 0, switches.pin("000000")), (True, (0, 0)))


def in_another_process(bench: Bench) -> None:
    """The module behind p11-kit server; when that is gone, one line says so."""
    socket = bench.dir / "p11"
    server = subprocess.Popen(
        ["p11-kit", "server", "-f", "--name", str(socket), "--provider", bench.how[1],
         "pkcs11:token=mine"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "SOFTHSM2_CONF": str(bench.dir / "softhsm2.conf")})
    how = ["--module", CLIENT, "--environment", f"P11_KIT_SERVER_ADDRESS=unix:path={socket}",
           "--label", "mine", "--pin", "file:pin"]
    try:
        wait_for("p11-kit server", socket.exists, 30, lambda: server.poll() is None)
        done = run("hsm", "test", *how, "--threads", "2", "--json", cwd=bench.dir)
        equal((done.code, done.json["ok"]), (0, True), done.err)
    finally:
        server.kill()
        server.wait()
    refused(run("hsm", "test", *how, cwd=bench.dir), 6, "vesper hsm list")


def at_the_terminal(bench: Bench) -> None:
    """Without echo; twice for a new one; nothing is done where the two differ."""
    how = [arg if arg != "lock" else str(bench.dir / "lock") for arg in bench.how]
    mine = ["--label", "mine"]
    code, shown = answered("hsm", "objects", *mine, *how, say=["482913"])
    equal(code, 0, shown)
    true("PIN of the user: " in shown and "482913" not in shown, shown)
    code, shown = answered("hsm", "set-pin", *mine, "--pin", f"file:{bench.dir}/pin", *how,
                           say=["24680", "24681"])
    equal(code, 2, shown)
    true("differ" in shown and "2468" not in shown, shown)
    equal(bench.hsm("test", *mine, "--pin", "file:pin").code, 0)
    code, shown = answered("hsm", "objects", *mine, *how, say=[""])
    equal(code, 2, shown)
    code, shown = answered("hsm", "objects", *mine, *how, say=[signal.SIGINT])
    equal(code, -signal.SIGINT, shown)


# ---- the token of an agent that runs ----------------------------------------------------

def config(machine: Machine) -> list[str]:
    return ["-c", str(machine.config / "vesperd.conf")]


def beside_the_agent(machine: Machine) -> None:
    """By the section's name or alone; as its user, under its lock; requests are answered."""
    listed = run("hsm", "list", "main", *config(machine), "--json")
    equal(listed.code, 0, listed.err)
    true(TOKEN_LABEL in [t["label"] for t in listed.json["tokens"]], listed.out)
    there = run("hsm", "objects", *config(machine), "--json").json["keys"]
    labels = [k["label"] for k in there]
    true("vesper-canary" in labels and {k["origin"] for k in there} == {"generated"}, str(there))
    uses = {(k["owner"], k["use"], k["of"]) for k in there}
    equal(uses, {("this", "account", "lab"), ("this", "credential", "acme/main"),
                 ("unknown", "canary", None)}, "whose, and what for")
    done = run("hsm", "test", "main", *config(machine), "--json")
    equal((done.code, done.json["ok"]), (0, True), done.err)
    equal(machine.sign(ACME, tenant="acme").status, 200)
    measured = run("hsm", "bench", "--seconds", "1", *config(machine))
    equal(measured.code, 0, measured.err)
    equal([k["label"] for k in run("hsm", "objects", *config(machine), "--json").json["keys"]], labels)
    refused(run("hsm", "test", "other", *config(machine)), 6, "other")
    short = machine.dir / "short-pin"
    short.write_text("1\n")
    short.chmod(0o600)
    refused(run("hsm", "set-pin", "--new-pin", f"file:{short}", *config(machine)), 2, "length")
    equal(run("hsm", "test", *config(machine), "--quiet").code, 0, "the old PIN was not refused")
    refused(run("hsm", "test", "main", "--label", "x", *config(machine)), 2, "--module")
    if is_root():
        owners = {path.stat().st_uid for path in (machine.dir / "token").rglob("*")}
        equal(len(owners), 1, "the token's files belong to its user")


def not_tried_twice(machine: Machine) -> None:
    """A PIN of the configuration that the token refuses is recorded for the agent too."""
    pin = machine.config / "secrets" / "pin"
    machine.stop_agent()
    machine.secret("pin", "000000", "hsm_user")
    refused(run("hsm", "test", *config(machine)), 4, "CKR_PIN_INCORRECT")
    refused(run("hsm", "test", *config(machine)), 4, "refused before")
    # Until the token has another PIN, which may be this one.
    machine.secret("so", machine.so_pin, "hsm_user")
    machine.secret("right", machine.pin, "hsm_user")
    officer = ["--so-pin", f"file:{pin.parent}/so", "--new-pin"]
    done = run("hsm", "set-pin", *officer, f"file:{pin}", *config(machine))
    equal(done.code, 0, done.err)
    equal(run("hsm", "test", *config(machine)).code, 0, "nothing is on record")
    done = run("hsm", "set-pin", *officer, f"file:{pin.parent}/right", *config(machine))
    equal(done.code, 0, done.err)
    machine.secret("pin", machine.pin, "hsm_user")
    alone = run("hsm", "objects", *config(machine), "--json")
    equal(alone.code, 0, alone.err)
    true("the agent does not answer" in alone.err, alone.err)
    equal(({k["owner"] for k in alone.json["keys"]}, alone.json["installation"]),
          ({None, "unknown"}, None), "without the agent nobody knows which are its")
    equal(len({k["installation"] for k in alone.json["keys"]}), 2, "one, and the canary's none")
    equal(run("hsm", "test", *config(machine)).code, 0)
    true(pin.exists(), "the PIN's file")
    machine.start_agent()
    machine.wait_ready("acme")


def old(machine: Machine) -> str:
    """Certificates by hand, and a key that is to be used as long as can be."""
    return (f'tenant "old" {{\n\tnumbers = {{ "{OLD}" }}\n'
            f'\tallow_user = {quote([str(os.geteuid())])}\n'
            '\tcredential "main" {\n\t\tprofile = "atis-delegate"\n\t\ttoken = "main"\n'
            '\t\trekey = "never"\n'
            f"\t\tx5u = {quote(machine.info['repository'] + 'certs/')}\n"
            '\t\tpublish_dir = "../lab/www/certs"\n\t}\n}\n')


def issued(machine: Machine, request: str) -> str:
    done = subprocess.run([PYTHON, str(TOP / "tests/lab/deskca.py"), str(machine.lab_dir)],
                          input=request, capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


def request_for(key: ec.EllipticCurvePrivateKey) -> str:
    number = b"\x16" + bytes([len(OLD)]) + OLD.encode()
    one = b"\xa2" + bytes([len(number)]) + number
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier(TNAUTHLIST),
                                   b"\x30" + bytes([len(one)]) + one), False).sign(
        key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def a_bridge(machine: Machine, bench: Bench) -> None:
    """Key and certificate of a file serve, are called imported, and give way to a renewal."""
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    bench.file("old.pem", key_pem(key).decode())
    bench.file("other.pem", key_pem(other).decode())
    bench.file("chain.pem", issued(machine, request_for(key)), 0o644)
    to = ["--credential", "old/main", "--cert", "chain.pem", *config(machine)]
    keys = len(run("hsm", "objects", *config(machine), "--json").json["keys"])
    refused(run("key", "import", "other.pem", *to, cwd=bench.dir), 2, "another key")
    refused(run("key", "import", "old.pem", "--credential", "old/none", "--cert", "chain.pem",
                *config(machine), cwd=bench.dir), 6, "no credential")
    equal(len(run("hsm", "objects", *config(machine), "--json").json["keys"]), keys)
    done = run("key", "import", "old.pem", *to, cwd=bench.dir)
    equal(done.code, 0, done.err)
    http.request(machine.admin_socket, "POST", "/v1/reload", b"")
    wait_for("the key", lambda: machine.credential("old")["signable"], 60)
    equal(machine.credential("old")["imported"], True)
    equal(machine.credential("acme")["imported"], False)
    status = run("status", env={"VESPER_ADMIN_SOCKET": machine.admin_socket}).out
    equal([line.split()[0] for line in status.splitlines() if "imported key" in line], ["old/main"])
    equal(machine.sign(OLD, tenant="old").status, 200)
    equal(machine.sign(ACME, tenant="acme").status, 200)
    signs = [r for r in machine.audit() if r["event"] == "sign"]
    equal({r["tenant"] for r in signs if r.get("imported")}, {"old"})
    equal({r["tenant"] for r in signs if not r.get("imported")}, {"acme"})
    refused(run("key", "import", "old.pem", *to, cwd=bench.dir), 1, "has a certificate")


def the_first_renewal(machine: Machine) -> None:
    """Though rekey says never."""
    admin = {"VESPER_ADMIN_SOCKET": machine.admin_socket}
    chain = machine.dir / "renewed.pem"
    request = run("cert", "csr", "old/main", env=admin)
    equal(request.code, 0, request.err)
    chain.write_text(issued(machine, request.out))
    done = run("cert", "install", "old/main", str(chain), env=admin)
    equal(done.code, 0, done.err)
    equal(machine.credential("old")["imported"], False)
    equal(machine.sign(OLD, tenant="old").status, 200)
    last = [r for r in machine.audit() if r["event"] == "sign"][-1]
    equal((last["tenant"], "imported" in last), ("old", False))


# ---- whose keys ------------------------------------------------------------------------

def keys_of(machine: Machine) -> dict[str, tuple]:
    """Id to owner and use, as the agent says that runs now."""
    done = run("hsm", "objects", *config(machine), "--json")
    equal((done.code, done.err), (0, ""))
    return {k["id"]: (k["owner"], k["use"]) for k in done.json["keys"]}


def owned(machine: Machine, owner: str) -> set[str]:
    return {k for k, (whose, _) in keys_of(machine).items() if whose == owner}


def orphans(machine: Machine, *more: str) -> Done:
    return run("hsm", "orphans", "main", *config(machine), "--json", *more)


def orphans_due(machine: Machine, n: int) -> dict:
    wait_for(f"{n} orphans that may go", lambda: orphans(machine).json["left"] == n, 60)
    return orphans(machine).json


def restart(machine: Machine, *gone: str) -> None:
    """Without these parts of its state."""
    machine.stop_agent()
    for name in gone:
        machine.state("front", name).rename(machine.dir / f"gone-{name.replace('/', '-')}")
    machine.start_agent()
    machine.wait_ready("acme")


def other_installation(machine: Machine) -> None:
    """It and the one before change places: each with its state and audit, on one token."""
    machine.stop_agent()
    for name in ("state", "audit"):
        for way in ((name, "place"), (f"{name}-other", name), ("place", f"{name}-other")):
            if (machine.dir / way[0]).exists():
                (machine.dir / way[0]).rename(machine.dir / way[1])
    machine.start_agent()
    machine.wait_ready("acme")


def two_installations(machine: Machine) -> None:
    """Each destroys what nothing of it names, and nothing of the other's."""
    restart(machine, "tenants/acme")
    first = orphans_due(machine, 1)
    lost = first["orphans"][0]["key"]
    equal((keys_of(machine)[lost], first["reason"]), (("this", "orphan"), None))
    mine = owned(machine, "this")
    other_installation(machine)
    equal(owned(machine, "another"), mine, "what the first one made")
    equal(orphans(machine).json["orphans"], [])
    restart(machine, "tenants")
    second = orphans_due(machine, 1)["orphans"][0]["key"]
    refused(orphans(machine, "--destroy"), 2, "--yes")
    equal(orphans(machine, "--destroy", "--yes", "--key", lost).code, 4, "the other's")
    done = orphans(machine, "--destroy", "--yes")
    equal((done.code, [(o["key"], o["state"]) for o in done.json["orphans"]]),
          (0, [(second, "destroyed")]), done.err)
    equal(owned(machine, "another"), mine, "of the first one nothing went")
    true(second not in keys_of(machine), "it is gone from the token")
    theirs = owned(machine, "this")
    other_installation(machine)
    equal((owned(machine, "this"), owned(machine, "another")), (mine, theirs))
    orphans_due(machine, 1)
    equal(orphans(machine, "--destroy", "--yes").code, 0)
    equal((owned(machine, "this"), owned(machine, "another")), (mine - {lost}, theirs))
    equal(machine.sign(ACME, tenant="acme").status, 200)
    gone = [r for r in machine.audit() if r["event"] == "orphan_destroyed"]
    equal([(r["token"], r["key"]) for r in gone], [("main", lost)])
    told = [r for r in machine.audit() if r["event"] == "orphan_destroying"]
    equal([(r["key"], r["seq"] < gone[0]["seq"]) for r in told], [(lost, True)])


def a_state_that_is_lost(machine: Machine) -> None:
    """What was in use is not destroyed for that: it may be brought back."""
    before = {k for k, (whose, use) in keys_of(machine).items()
              if whose == "this" and use in ("account", "credential")}
    (machine.dir / "gone-tenants-acme").rename(machine.dir / "gone-before")
    (machine.dir / "gone-tenants").rename(machine.dir / "gone-others")
    restart(machine, "tenants", "accounts")
    wait_for("orphans", lambda: {o["key"] for o in orphans(machine).json["orphans"]} >= before, 60)
    orphans_due(machine, len(orphans(machine).json["orphans"]))
    refused(orphans(machine, "--destroy", "--yes", "--quiet"), 4, "orphans_share")
    true(before <= set(keys_of(machine)), "all are there")
    machine.stop_agent()
    for name in ("tenants", "accounts"):
        shutil.rmtree(machine.state("front", name))
        (machine.dir / f"gone-{name}").rename(machine.state("front", name))
    damaged = machine.state("front", "tenants", "acme", "main", "pending.csr")
    damaged.write_bytes(b"x")
    machine.give(damaged, "front_user", 0o600)
    machine.start_agent()
    machine.wait_ready("acme")
    equal(machine.sign(ACME, tenant="acme").status, 200)
    wait_for("orphans of the time between", lambda: orphans(machine).json["left"] > 0, 60)
    refused(orphans(machine, "--destroy", "--yes", "--quiet"), 4, "orphans_unsure", "pending.csr")


def main() -> int:
    cases = Cases("hsm")
    with Machine() as machine:
        machine.start(lambda m: {"acme": m.enterprise(), "old": old(m)}, wait=False,
                      orphan_after_s=1)
        machine.wait_ready("acme")
        bench = Bench(machine)
        for function in (init, tries_and_measures, pins, certificate_beside_its_key, other_keys,
                         wrong_use, a_bad_token, in_another_process, at_the_terminal):
            cases.case(function.__name__, function, bench)
        for function in (beside_the_agent, not_tried_twice):
            cases.case(function.__name__, function, machine)
        cases.case("a_bridge", a_bridge, machine, bench)
        cases.case("the_first_renewal", the_first_renewal, machine)
        for function in (two_installations, a_state_that_is_lost):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
