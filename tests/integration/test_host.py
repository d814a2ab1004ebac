"""The host fails: disks that are full, read-only or broken, and clocks that jump.

Disks fail by tests/fault/stepfault.c in front of the C library of front and
renewer, and where this runs as root, state and audit lie in file systems of their own that
are really full and read-only.  The clocks are those of front and renewer; the
lab and the witness keep theirs.

What must hold: with the state's disk gone what is in force signs; without the
audit nothing is signed; status, metrics, log and doctor say which it is; nothing is lost,
nothing is destroyed, no CA is asked in a loop; and all goes on when it is back.
HOST_CASES=… takes only those whose name has this in it; HOST_ALL=1 each error of each.
"""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
import sys
import time
from datetime import datetime, timezone

from audit_check import stop_and_check
from cases import Cases, equal, true
from test_kill import judge
from test_steps import UNREACHED, no_orphans
from world import process
from world import unixhttp as http
from world.machine import ROLE_USERS, BUILD, Machine, is_root, make_role_users, wait_for
from world.steps import SHIM, wrap

ACME = "12025550100"
SLOW = 1 if os.environ.get("SANITIZER", "no") == "no" else 5
LONG_S = 60 * SLOW
WATCHED_S = 4  # for so long nothing is to happen, and the CA is asked no more than:
ORDERS_MAX = 3
BACKDATE_S = 6 * 3600
DAY_S = 86400
ONLY = os.environ.get("HOST_CASES", "")
ALL = os.environ.get("HOST_ALL", "0") == "1"
ERRORS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "broken": errno.EIO}


class Host:
    def __init__(self, machine: Machine, steps: dict):
        self.machine, self.steps = machine, steps

    # ---- what is seen from outside ----

    def signs(self) -> bool:
        try:
            answer = self.machine.sign(ACME, tenant="acme")
        except UNREACHED:
            return False
        if answer.status == 200:
            judge(answer.json["passport"])
        return answer.status == 200

    def refused(self) -> str | None:
        try:
            return self.machine.sign(ACME, tenant="acme").reason
        except UNREACHED:
            return None

    def status(self) -> dict:
        return self.machine.status()

    def metric(self, name: str) -> int:
        text = http.request(self.machine.admin_socket, "GET", "/metrics").body.decode()
        return int(next(line.split()[1] for line in text.splitlines()
                        if line.startswith(name + " ")))

    def vesper(self, *args: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(BUILD / "vesper"), *args], capture_output=True, text=True, timeout=LONG_S,
            check=False, env={**os.environ, "VESPER_ADMIN_SOCKET": self.machine.admin_socket})

    def doctor(self) -> str:
        said = self.vesper("doctor", "-c", str(self.machine.config / "vesperd.conf"))
        return said.stdout + said.stderr

    def logged(self, event: str) -> int:
        return (self.machine.dir / "vesperd.log").read_text(errors="replace").count(
            f"event={event} ")

    def serial(self) -> str:
        return self.machine.credential("acme")["serial"]

    def orders(self) -> int:
        return sum(r["endpoint"] == "new-order"
                   for r in self.machine.control("GET", "/log?since=0")["log"])

    def renew(self) -> None:
        http.request(self.machine.admin_socket, "POST", "/v1/credentials/acme/main/renew", {})

    def renewed(self, before: str) -> bool:
        shown = self.machine.credential("acme") or {}
        return shown.get("life") == "in_force" and shown["serial"] != before

    def quiet(self, what: str) -> None:
        """The CA is not asked in a loop."""
        before = self.orders()
        time.sleep(WATCHED_S)
        asked = self.orders() - before
        true(asked <= ORDERS_MAX, f"{what}: {asked} orders in {WATCHED_S} s")

    def kill_front(self) -> None:
        pid = process.roles(self.machine.agent.pid)["front"][0]
        os.kill(pid, 9)
        wait_for("another front", lambda: process.roles(self.machine.agent.pid).get(
            "front", [pid]) != [pid], LONG_S)
        wait_for("it listens", self.machine.live, LONG_S)

    # ---- what is done ----

    def disk(self, where: str = "", error: int = 0) -> None:
        for each in self.steps.values():
            each.disk(where, error)

    def clock(self, off_s: float) -> None:
        for each in self.steps.values():
            each.clock(off_s)


# ---- disks -------------------------------------------------------------------------------


def audit_gone(host: Host, fail, mend) -> None:
    """Nothing is signed, it is said, and it goes on by itself."""
    true(host.signs(), "it signs before")
    fail()
    try:
        wait_for("the refusal", lambda: host.refused() == "audit_unavailable", LONG_S)
        equal(host.machine.sign(ACME, tenant="acme").status, 503)
        equal(host.status()["audit"]["ok"], False)
        true(host.status()["audit"]["detail"], "status says why")
        equal(host.metric("vesper_audit_failed"), 1)
        equal(host.vesper("status").returncode, 3, "vesper status")
        true("audit" in host.doctor(), "doctor")
    finally:
        mend()
    wait_for("signing again", host.signs, LONG_S)
    wait_for("status", lambda: host.status()["audit"]["ok"], LONG_S)


def state_gone(host: Host, fail, mend) -> None:
    """What is in force signs, nothing new comes into force, and then it does."""
    before = host.serial()
    fail()
    try:
        host.renew()
        wait_for("it to be seen", lambda: not host.status()["state_dir"]["ok"], LONG_S)
        true(host.status()["state_dir"]["detail"], "status says why")
        equal(host.metric("vesper_state_failed"), 1)
        said = host.vesper("status")
        equal(said.returncode, 3, "vesper status")
        true("the state directory cannot be written" in said.stdout, said.stdout)
        true("state_dir" in host.doctor(), "doctor")
        host.quiet("with the state's disk gone")
        equal(host.serial(), before, "what is in force")
        true(host.signs(), "it does not sign")
        host.kill_front()
        wait_for("signing after a start without that disk", host.signs, LONG_S)
    finally:
        mend()
    wait_for("status", lambda: host.status()["state_dir"]["ok"], LONG_S)
    true(host.signs(), "it does not sign")
    wait_for("a certificate that is asked for again", lambda: renews(host, before), LONG_S)


def renews(host: Host, before: str) -> bool:
    """What was asked of a front that is gone is asked again."""
    if (host.machine.credential("acme") or {}).get("life") == "in_force" and not host.renewed(before):
        host.renew()
        time.sleep(0.5)
    return host.renewed(before)


def by_shim(host: Host, where: str, error: int) -> tuple:
    before = {role: each.refused for role, each in host.steps.items()}

    def mend() -> None:
        host.disk()
        true(host.steps["front"].refused > before["front"], "the front met no refusal")
    return lambda: host.disk(f"/{where}/", error), mend


def fill(path) -> None:
    """To the last octet."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as problem:
            equal(problem.errno, errno.ENOSPC)
            return


def really_full(host: Host, where: str) -> tuple:
    path = host.machine.dir / REAL[where] / "filler"
    return lambda: fill(path), path.unlink


def really_read_only(host: Host, where: str) -> tuple:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(host.machine.dir / REAL[where])], check=True)
    return lambda: remount("ro"), lambda: remount("rw")


# ---- clocks -----------------------------------------------------------------------------


def retiring(host: Host) -> set[str]:
    return {p.stem for p in host.machine.state("front", "retiring").glob("*.json")}


def days_ahead(host: Host) -> None:
    """All is over by the clock: nothing is signed, ordered in a loop, or destroyed."""
    first = host.serial()
    wait_for("a renewal, which leaves an old key", lambda: renews(host, first), LONG_S)
    before, keys = host.serial(), retiring(host)
    true(keys, "no key is retiring")
    host.clock(3 * DAY_S)
    wait_for("the refusal", lambda: host.refused() == "credential_expired", LONG_S)
    wait_for("the jump to be seen", lambda: host.status()["clock"]["holding"], LONG_S)
    equal(host.metric("vesper_clock_holding"), 1)
    true(abs(host.status()["clock"]["jumped_s"] - 3 * DAY_S) < 60, "how far")
    true("the clock jumped ahead" in host.vesper("status").stdout, "vesper status")
    host.quiet("days ahead")
    true(keys <= retiring(host), "keys were destroyed")
    host.clock(0)
    wait_for("signing by the right clock", host.signs, LONG_S)
    wait_for("nothing is held back", lambda: not host.status()["clock"]["holding"], LONG_S)
    true(keys <= retiring(host), "keys were destroyed")
    wait_for("a renewal", lambda: renews(host, before), LONG_S)
    true(host.logged("clock_jumped") >= 2, "the log")


def restarted_ahead(host: Host) -> None:
    """A front that starts while the clock is wrong: it comes back with the clock."""
    host.clock(3 * DAY_S)
    wait_for("the refusal", lambda: host.refused() == "credential_expired", LONG_S)
    host.kill_front()
    wait_for("no signature", lambda: host.refused() not in (None, "overloaded"), LONG_S)
    true(not host.signs(), "signed with a certificate that is over")
    host.clock(0)
    wait_for("signing by the right clock", host.signs, LONG_S)


def hours_back(host: Host) -> None:
    """The certificate is older than that: it signs, and renewals do not wait for hours."""
    before = host.serial()
    host.clock(-5 * 3600)
    wait_for("the jump to be seen", lambda: host.status()["clock"].get("jumped_s", 0) < 0, LONG_S)
    wait_for("signing", host.signs, LONG_S)
    host.quiet("hours back")
    host.clock(0)
    wait_for("signing by the right clock", host.signs, LONG_S)
    wait_for("a renewal", lambda: renews(host, before), LONG_S)


def before_the_release(host: Host) -> None:
    """No iat of a clock that cannot be right, and no order by it."""
    before, orders = host.serial(), host.orders()
    host.clock(datetime(2025, 6, 1, tzinfo=timezone.utc).timestamp() - time.time())
    wait_for("the refusal", lambda: host.refused() == "clock_not_credible", LONG_S)
    equal(host.machine.sign(ACME, tenant="acme").status, 503)
    equal(host.machine.ask("GET", "/health/ready").json["reason"], "clock_not_credible")
    equal(host.status()["clock"]["reason"], "clock_not_credible")
    equal(host.metric("vesper_clock_credible"), 0)
    equal(host.vesper("status").returncode, 3)
    true("it is before this program was made" in host.doctor(), "doctor")
    wait_for("the renewer's word", lambda: host.logged("clock_not_credible"), LONG_S)
    host.renew()
    host.kill_front()
    wait_for("the refusal", lambda: host.refused() == "clock_not_credible", LONG_S)
    time.sleep(WATCHED_S)
    equal(host.orders(), orders, "orders by a clock that cannot be right")
    host.clock(0)
    wait_for("signing by the right clock", host.signs, LONG_S)
    wait_for("a renewal", lambda: renews(host, before), LONG_S)


# ---- the whole --------------------------------------------------------------------------


REAL = {"audit": "audit", "state": "state/front"}


def mounted(machine: Machine) -> list[str]:
    """File systems of their own for the audit and the front's state, where this may be had."""
    done = []
    if not is_root():
        return done
    make_role_users()
    for where, below in REAL.items():
        path = machine.dir / below
        path.mkdir(parents=True)
        machine.give(path, "front_user", 0o700)
        user = pwd.getpwnam(ROLE_USERS["front_user"])
        size = "32m" if where == "audit" else "4m"  # with a spool
        how = f"size={size},mode=700,uid={user.pw_uid},gid={user.pw_gid}"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(path)],
                          capture_output=True, check=False).returncode == 0:
            done.append(where)
    return done


def all_of(host: Host, real: list[str]) -> list[tuple]:
    """Name, function and what it takes."""
    found = []
    for name, error in ERRORS.items():
        if ALL or name == "broken":
            found += [(f"the audit's disk is {name}", audit_gone, *by_shim(host, "audit", error))]
        if ALL or name == "full":
            found += [(f"the state's disk is {name}", state_gone, *by_shim(host, "state", error))]
    if "audit" in real:
        found += [("the audit's disk is really full", audit_gone, *really_full(host, "audit"))]
    if "state" in real and ALL:
        found += [("the state's disk is really full", state_gone, *really_full(host, "state"))]
    if "state" in real:
        found += [("the state's disk is really read-only", state_gone,
                   *really_read_only(host, "state"))]
    return found + [(f.__name__, f) for f in (days_ahead, restarted_ahead, hours_back,
                                              before_the_release)]


def main() -> int:
    if not SHIM.exists():
        print("# tests/fault/stepfault.la is not built")
        return 77
    cases = Cases("host")
    with Machine() as machine:
        machine.kills = True
        real = mounted(machine)
        try:
            steps = wrap(machine)
            machine.start(lambda m: {"acme": m.enterprise("acme", (ACME,))},
                          lab={"ca": {"backdate": BACKDATE_S}})
            host = Host(machine, steps)
            for name, function, *more in all_of(host, real):
                if ONLY in name:
                    cases.case(name, function, host, *more)
            print(f"# file systems of their own: {' '.join(real) or 'none'}; calls refused: "
                  f"{', '.join(f'{r} {s.refused}' for r, s in steps.items())}; "
                  f"{host.orders()} orders", flush=True)
            if cases.failed:
                machine.tell()
            machine.stop_agent()
            cases.case("no key without an owner", no_orphans, machine)
            machine.start_agent()
            stop_and_check(machine, cases)
        finally:
            machine.stop_agent()
            for where in real:
                subprocess.run(["umount", "-l", str(machine.dir / REAL[where])], check=False)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
