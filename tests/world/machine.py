"""The machine: directories, users, token, configuration, lab and vesperd."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import unixhttp as http

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir") or TOP / "build").resolve()
PYTHON = "/usr/bin/python3"
SOFTHSM_MODULES = ("/usr/lib/softhsm/libsofthsm2.so",
                   "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                   "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so")
ROLE_USERS = {"front_user": "vesper-front", "hsm_user": "vesper-hsm", "net_user": "vesper-net"}
TOKEN_LABEL = "vesper"
SANITIZER_REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|: runtime error: ")
# A role that went though nobody asked it to: a crash, a failed assertion, a leak at its exit.
BAD_END = re.compile(r"role=supervisor event=ended .*(signal=\d+|exit=(?!0$)\d+)$")
REPORT_LINES = 30
PATIENCE_S = 90.0
COMMAND_S = 300.0  # for a command that waits for something itself


class Trouble(Exception):
    """What failed and what to do, in one line."""


def is_root() -> bool:
    return os.geteuid() == 0


def make_role_users() -> None:
    """As root: create the users that the roles run as, where they are missing."""
    for name in ROLE_USERS.values():
        try:
            pwd.getpwnam(name)
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", "--user-group",
                            "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name],
                           check=True, capture_output=True)


def softhsm_module() -> str:
    for path in SOFTHSM_MODULES:
        if os.path.exists(path):
            return path
    raise Trouble("no SoftHSM module: install the package softhsm2")


def wait_for(what: str, ready, timeout: float = PATIENCE_S, alive=None):
    """Call ready() until it returns something true; Trouble at the deadline.

    A deadline is there for what never comes, and a machine may be slow: it is never earlier than
    PATIENCE_S.  A test that wants something within a time measures how long it took.
    """
    timeout = max(timeout, PATIENCE_S)
    end = time.monotonic() + timeout
    while True:
        value = ready()
        if value:
            return value
        if alive is not None and not alive():
            raise Trouble(f"{what}: the process ended")
        if time.monotonic() > end:
            raise Trouble(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.02)


class Machine:
    """A world below one directory.  Use as a context manager in tests.

    At its end it fails when a role left a sanitizer's report, or ended by a
    signal or with an error though the test does not say that it kills.
    """

    kills = False  # a test that kills or starves roles sets it

    def __init__(self, directory: Path | str | None = None, lab_config: dict | None = None):
        self.own_directory = directory is None
        self.dir = Path(directory or tempfile.mkdtemp(prefix="vesper-world-")).absolute()
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o711)
        self.config = self.dir / "config"
        self.lab_dir = self.dir / "lab"
        self.lab_config = lab_config
        self.lab: subprocess.Popen | None = None
        self.agent: subprocess.Popen | None = None
        self.run = Path(tempfile.mkdtemp(prefix="vesper-", dir="/tmp"))  # sun_path is 107 bytes
        self.run.chmod(0o755)
        self.socket = str(self.run / "vesper.sock")
        self.admin_socket = str(self.run / "admin.sock")
        self.info: dict = {}
        self.bad_stops: list[str] = []
        self.programs = BUILD  # where vesperd and the roles are
        self.module = softhsm_module()
        self.environment: list[str] = []  # of the token's processes, beside SOFTHSM2_CONF

    # ---- users and files -------------------------------------------------

    def give(self, path: Path, role: str, mode: int) -> None:
        """Make a file or tree belong to a role's user (as root), with this mode."""
        path.chmod(mode)
        if is_root():
            user = pwd.getpwnam(ROLE_USERS[role])
            for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
                os.chown(each, user.pw_uid, user.pw_gid)

    def secret(self, name: str, value: str, role: str) -> str:
        """Write a secret file of a role; returns the reference for the configuration."""
        folder = self.config / "secrets"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        path = folder / name
        new = folder / f".{name}.new"
        new.unlink(missing_ok=True)
        new.write_text(value)
        self.give(new, role, 0o400)
        new.rename(path)  # whole from the first moment: a role may be looking
        return f"file:secrets/{name}"

    # ---- token -----------------------------------------------------------

    def make_token(self) -> None:
        """A SoftHSM token of its own.

        The agent's configuration names it by a relative path, so that its
        roles need not reach it through folders that are closed to them; the
        other one is for people and tools.
        """
        tokens = self.dir / "token"
        tokens.mkdir(exist_ok=True)
        self.config.mkdir(exist_ok=True)
        common = "objectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
        (self.config / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\n" + common)
        (self.config / "softhsm2-agent.conf").write_text(
            "directories.tokendir = ../token\n" + common)
        self.pin = secrets.token_hex(8)
        self.so_pin = secrets.token_hex(8)
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", TOKEN_LABEL,
                        "--pin", self.pin, "--so-pin", self.so_pin],
                       check=True, capture_output=True, env=self.softhsm_env())
        self.secret("pin", self.pin, "hsm_user")
        lock = self.dir / "token.lock"
        lock.touch()
        self.give(lock, "hsm_user", 0o600)
        # SoftHSM rewrites token.object at every login, and a kill in between
        # would lose the token: vesper-hsm puts this copy back.
        for path in tokens.rglob("token.object"):
            shutil.copy2(path, path.parent / "token.object.copy")
        self.give(tokens, "hsm_user", 0o700)

    def softhsm_env(self) -> dict:
        return {**os.environ, "SOFTHSM2_CONF": str(self.config / "softhsm2.conf")}

    # ---- lab -------------------------------------------------------------

    def start_lab(self) -> None:
        self.lab_dir.mkdir(exist_ok=True)
        self.lab_dir.chmod(0o711)
        info = self.lab_dir / "lab-info.json"
        info.unlink(missing_ok=True)
        command = [PYTHON, str(TOP / "tests/lab/lab.py"), "--dir", str(self.lab_dir)]
        if self.lab_config is not None:
            path = self.dir / "lab.json"
            path.write_text(json.dumps(self.lab_config, indent=1))
            command += ["--config", str(path)]
        log = open(self.dir / "lab.log", "ab")
        self.lab = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True)
        wait_for(f"the lab (see {self.dir}/lab.log)", info.exists, 30,
                 lambda: self.lab.poll() is None)
        self.info = json.loads(info.read_text())
        certs = Path(self.info["www"]) / "certs"
        certs.mkdir(exist_ok=True)
        self.give(certs, "front_user", 0o755)

    def stop_lab(self) -> None:
        if self.lab is not None:
            end(self.lab)
            self.lab = None

    def control(self, method: str, path: str, body: dict | None = None) -> dict:
        """The lab's control endpoint (plain HTTP on its loopback address)."""
        import urllib.request
        request = urllib.request.Request(
            self.info["control"].rstrip("/") + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else {}

    def lab_secret(self, name: str) -> str:
        return Path(self.info["secrets"][name]).read_text().strip()

    # ---- configuration ---------------------------------------------------

    def write_config(self, **settings) -> None:
        """vesperd.conf.  Settings replace or add top-level keys."""
        self.config.mkdir(exist_ok=True)
        (self.config / "tenants.d").mkdir(exist_ok=True)
        for name, source in (("tls-ca.pem", "tls_ca"), ("trust-anchors.pem", "trust_anchors"),
                             ("authority-anchors.pem", "authority_anchors"),
                             ("crl-issuers.pem", "crl_issuers"),
                             ("ct-logs.json", "ct_log_list")):
            shutil.copy(self.info[source], self.config / name)
        keys = {"state_dir": "../state", "audit_dir": "../audit",
                "trust_anchors": "trust-anchors.pem",
                "authority_anchors": "authority-anchors.pem", "ct_logs": "ct-logs.json",
                "admin_socket": self.admin_socket,
                "admin_user": pwd.getpwuid(os.geteuid()).pw_name}
        if is_root():
            keys.update(ROLE_USERS)
        token = {"processes": 2, "threads": 1}
        token.update(settings.pop("token", {}))
        keys.update(settings)
        lines = ["# vesperd.conf of a machine for trying things out.", ""]
        lines += [f"{key} = {quote(value)}" for key, value in keys.items()]
        lines += ["", f'listen "main" {{ path = {quote(self.socket)} mode = "0666" }}', "",
                  'token "main" {', f"\tmodule = {quote(self.module)}",
                  f"\tlabel = {quote(TOKEN_LABEL)}", '\tpin = "file:secrets/pin"',
                  *(f"\t{key} = {value}" for key, value in token.items()),
                  '\tlock_file = "../token.lock"',
                  "\tenvironment = " + quote(["SOFTHSM2_CONF=softhsm2-agent.conf",
                                              *self.environment]), "}", ""]
        eab = self.secret("eab", self.lab_secret("eab-platform-1"), "net_user")
        lines += ['ca "lab" {', f"\tdirectory = {quote(self.info['directory'])}",
                  '\ttls_ca = "tls-ca.pem"', '\teab_kid = "platform-1"', f"\teab_key = {quote(eab)}",
                  '\tcontact = { "mailto:noc@example.net" }', "\tterms_agreed = yes",
                  '\ttoken = "main"', "}", ""]
        for name, url, account, secret, more in (
                ("numbers", "number_authority", "acme", "authority-acme", ""),
                ("providers", "number_authority", "osp", "authority-osp", ""),
                ("claims", "claim_agent", "acme", "claims-acme",
                 '\tevidence = "tnauthlist-token"\n')):
            reference = self.secret(secret, self.lab_secret(secret), "net_user")
            lines += [f'authority "{name}" {{', f"\turl = {quote(self.info[url])}",
                      '\ttls_ca = "tls-ca.pem"', f"\taccount = {quote(account)}",
                      f"\tsecret = {quote(reference)}", more + "}", ""]
        (self.config / "vesperd.conf").write_text("\n".join(lines))

    def write_tenant(self, name: str, text: str) -> None:
        (self.config / "tenants.d" / f"{name}.conf").write_text(text)

    def enterprise(self, name: str = "acme", numbers=("12025550100", "12025550101"), **keys) -> str:
        """A tenant with one VESPER delegate credential, its orig bound by constraints."""
        values = ", ".join(quote(json.dumps({"tn": n}, separators=(",", ":"))) for n in numbers)
        extra = keys.pop("credential", "")
        settings = {"allow_user": [str(os.geteuid())], **keys}
        lines = [f'tenant "{name}" {{', f"\tnumbers = {quote(list(numbers))}",
                 *(f"\t{key} = {quote(value)}" for key, value in settings.items()),
                 '\tcredential "main" {', '\t\tprofile = "vesper-06"', '\t\ttoken = "main"',
                 '\t\tca = "lab"', '\t\tauthority = "numbers"', '\t\tclaim_agent = "claims"',
                 f"\t\tx5u = {quote(self.info['repository'] + 'certs/')}",
                 '\t\tpublish_dir = "../lab/www/certs"', '\t\tidentity_max_bytes = 8192',
                 '\t\tconstraints {', '\t\t\tform = "jwt"',
                 f'\t\t\tpermitted "orig" {{ values = {{ {values} }} }}', "\t\t}", extra, "\t}", "}"]
        return "\n".join(lines) + "\n"

    def provider(self, name: str = "osp", spc: str = "1234", numbers=("12025550100",
                 "12025550101"), **keys) -> str:
        """A tenant with one SHAKEN credential (exactly one SPC)."""
        settings = {"allow_user": [str(os.geteuid())], "attest_max": "A", **keys}
        lines = [f'tenant "{name}" {{', f"\tnumbers = {quote(list(numbers))}",
                 *(f"\t{key} = {quote(value)}" for key, value in settings.items()),
                 '\tcredential "main" {', '\t\tprofile = "shaken-sp"', f"\t\tspc = {quote(spc)}",
                 '\t\ttoken = "main"', '\t\tca = "lab"', '\t\tauthority = "providers"',
                 f"\t\tx5u = {quote(self.info['repository'] + 'certs/')}",
                 '\t\tpublish_dir = "../lab/www/certs"', "\t}", "}"]
        return "\n".join(lines) + "\n"

    # ---- vesperd ---------------------------------------------------------

    def start_agent(self, wait: bool = True) -> None:
        log = open(self.dir / "vesperd.log", "ab")
        self.agent = subprocess.Popen(
            [str(self.programs / "vesperd"), "-c", str(self.config / "vesperd.conf")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        if wait:
            wait_for(f"vesperd (see {self.dir}/vesperd.log)", self.live, 30,
                     lambda: self.agent.poll() is None)

    def stop_agent(self, how: int = signal.SIGTERM) -> int | None:
        if self.agent is None:
            return None
        code = end(self.agent, how)
        self.agent = None
        if how == signal.SIGTERM and code != 0:
            self.bad_stops.append(f"vesperd was asked to stop and ended with {code}")
        return code

    def live(self) -> bool:
        try:
            return http.request(self.socket, "GET", "/health/live", timeout=5).status == 200
        except OSError:
            return False

    def status(self, admin: bool = True) -> dict:
        path = self.admin_socket if admin else self.socket
        return http.request(path, "GET", "/v1/status").json

    def credential(self, tenant: str, name: str = "main") -> dict | None:
        try:
            for each in self.status().get("credentials", []):
                if (each["tenant"], each["name"]) == (tenant, name):
                    return each
        except (OSError, ValueError):
            pass
        return None

    def wait_ready(self, *tenants: str, timeout: float = 60) -> None:
        for tenant in tenants:
            wait_for(f"a certificate for {tenant} (see {self.dir}/vesperd.log)",
                     lambda t=tenant: (self.credential(t) or {}).get("state") == "ready", timeout,
                     lambda: self.agent is not None and self.agent.poll() is None)
        wait_for("the token", lambda: all(t["up"] for t in self.status()["tokens"]), timeout)

    def ask(self, method: str, url: str, body=None, **more) -> http.Answer:
        return http.request(self.socket, method, url, body, **more)

    def sign(self, orig: str, dest: str = "12125550111", ppt: str | None = None,
             tenant: str | None = None, claims: dict | None = None, **more) -> http.Answer:
        body = {"claims": {"orig": {"tn": orig}, "dest": {"tn": [dest]}, **(claims or {})}}
        if ppt:
            body["ppt"] = ppt
        if tenant:
            body["tenant"] = tenant
        body.update(more)
        return self.ask("POST", "/v1/passports", body)

    def vesper(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess:
        """The command, as somebody who may ask both sockets."""
        return subprocess.run(
            [str(BUILD / "vesper"), "--timeout", "60", *args], input=stdin, capture_output=True,
            text=True, timeout=COMMAND_S, check=False,
            env={**os.environ, "VESPER_SOCKET": self.socket,
                 "VESPER_ADMIN_SOCKET": self.admin_socket})

    def good(self, *args: str, stdin: str = "") -> str:
        """The same, which must succeed: what it prints."""
        done = self.vesper(*args, stdin=stdin)
        if done.returncode != 0:
            raise Trouble(f"vesper {' '.join(args)}: {done.returncode}: "
                          f"{done.stdout}{done.stderr}")
        return done.stdout

    def reload(self, state: str = "done") -> None:
        """The configuration as it is on disk by now is in force, or "failed" to be."""
        def ended() -> dict | None:
            now = http.request(self.admin_socket, "GET", f"/v1/jobs/{job}").json
            return now if now["state"] != "running" else None

        job = http.request(self.admin_socket, "POST", "/v1/reload", b"").json["job"]
        done = wait_for("the reload", ended)
        if done["state"] != state:
            raise Trouble(f"the reload: {done}")

    def orphans(self, token: str = "main") -> dict | None:
        """What the agent says of the keys that nothing names; None while it cannot."""
        try:
            job = http.request(self.admin_socket, "POST", f"/v1/tokens/{token}/orphans", b"").json
            while job["state"] == "running":
                time.sleep(0.02)
                job = http.request(self.admin_socket, "GET", f"/v1/jobs/{job['job']}").json
        except (OSError, ValueError, KeyError):
            return None
        return job.get("result") if job["state"] == "done" else None

    def signatures(self) -> int:
        """C_Sign calls with a caller's digest, over all signers, as of now."""
        return sum(s["signatures"] for t in self.status()["tokens"] for s in t["signers"])

    @contextlib.contextmanager
    def untouched(self, signed: int = 0):
        """What is done within reaches the signers just so often: not at all."""
        before = self.signatures()
        yield
        moved = self.signatures() - before
        if moved != signed:
            raise AssertionError(f"C_Sign was called {moved} times, not {signed}")

    def audit(self) -> list[dict]:
        lines = []
        for path in sorted((self.dir / "audit").glob("audit-*.jsonl")):
            whole = path.read_text().rpartition("\n")[0]  # the last line may be half written
            lines += [json.loads(line) for line in whole.splitlines()]
        return lines

    def state(self, *parts: str) -> Path:
        return self.dir.joinpath("state", *parts)

    # ---- the whole -------------------------------------------------------

    def start(self, tenants=None, wait: bool = True, lab: dict | None = None, **settings) -> None:
        """Lab, token, configuration, vesperd, certificates.

        tenants: name to text, or a function of the machine that returns that; lab: what to
        change in the lab before the first order.
        """
        tenants = self.prepare(tenants, lab, **settings)
        self.start_agent()
        if wait:
            self.wait_ready(*tenants)

    def prepare(self, tenants=None, lab: dict | None = None, **settings) -> dict[str, str]:
        """All of start() that comes before vesperd; the tenants."""
        if is_root():
            make_role_users()
        self.make_token()
        self.start_lab()
        if lab is not None:
            self.control("POST", "/config", lab)
        self.write_config(**settings)
        if tenants is None:
            tenants = {"acme": self.enterprise(), "osp": self.provider()}
        elif callable(tenants):
            tenants = tenants(self)
        for name, text in tenants.items():
            self.write_tenant(name, text)
        return tenants

    def bad_ends(self) -> str:
        """What the roles should not have left in the log, or nothing."""
        log = self.dir / "vesperd.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        found = [] if self.kills else list(self.bad_stops)
        found += [line for line in lines if not self.kills and BAD_END.search(line)]
        for at, line in enumerate(lines):
            if SANITIZER_REPORT.search(line):
                found += lines[at:at + REPORT_LINES]
                break
        return "\n".join(found)

    def close(self) -> None:
        self.stop_agent()
        self.stop_lab()
        shutil.rmtree(self.run, ignore_errors=True)
        bad = self.bad_ends()
        if self.own_directory and not os.environ.get("KEEP_WORLD"):
            shutil.rmtree(self.dir, ignore_errors=True)
        if bad:
            raise Trouble(f"a process did not end well:\n{bad}")

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *error) -> None:
        if error[0] is not None:
            self.tell()
        self.close()

    def tell(self) -> None:
        """The ends of the logs, for a test that failed."""
        for name in ("vesperd.log", "lab.log"):
            path = self.dir / name
            if path.exists():
                tail = path.read_text(errors="replace").splitlines()[-40:]
                print(f"---- {name}", *tail, sep="\n", file=sys.stderr)


def end(process: subprocess.Popen, how: int = signal.SIGTERM, timeout: float = PATIENCE_S) -> int:
    """End a process of ours and wait for it."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def quote(value) -> str:
    """A value as libconfuse writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(quote(v) for v in value) + " }"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


__all__ = ["Machine", "Trouble", "TOP", "BUILD", "PYTHON", "is_root", "make_role_users", "wait_for",
           "end", "quote"]
