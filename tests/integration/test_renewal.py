"""Short-lived certificates change under load without a refusal; one CA is down until a
certificate has ended, and the one in reserve signs; a restart needs no network."""

from __future__ import annotations

import sys
import threading
import time

from cases import Cases, equal, true
from test_account import SLOW
from test_enrol import tried
from world import unixhttp as http
from world.machine import Machine, wait_for

ACME = "12025550100"
# Renewed in its middle.  With a sanitizer a renewal takes its time.
LIFETIME_S = 40 if SLOW == 1 else 60
PAIR_S = 20  # of the certificates of the CA that will be down


BACK_S = 3  # how far back every second request is dated


class Load:
    """Eight connections that sign without a pause and keep what was not a 200."""

    def __init__(self, machine: Machine, connections: int = 8):
        self.machine, self.bad, self.good, self.stopping = machine, [], 0, False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 1,))
                        for i in range(connections)]

    def run(self, dated: bool) -> None:
        connection = http.UnixConnection(self.machine.socket)
        body = {"tenant": "acme", "claims": {"orig": {"tn": ACME}, "dest": {"tn": ["12125550111"]}}}
        while not self.stopping:
            if dated:
                body["claims"]["iat"] = int(time.time()) - BACK_S
            try:
                answer = http.request("", "POST", "/v1/passports", body, connection=connection)
                problem = None if answer.status == 200 else (answer.status, answer.reason)
            except OSError as error:
                problem = repr(error)
                connection = http.UnixConnection(self.machine.socket)
            with self.lock:
                if problem is None:
                    self.good += 1
                else:
                    self.bad.append(problem)
            time.sleep(0.01)

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopping = True
        for thread in self.threads:
            thread.join()


# V-01, and RFC 8224 section 6.1: a certificate that begins with the moment of its
# renewal signs nothing that is dated before, and still nobody is refused.
def changes_twice(machine: Machine) -> None:
    first = machine.credential("acme")["not_before"]
    if time.time() < first + 50:  # else it is too old whatever the certificate says
        answer = machine.sign(ACME, claims={"iat": first - 1}, tenant="acme")
        equal((answer.status, answer.reason), (403, "credential_expired"))
    wait_for("a certificate that is old enough", lambda: time.time() >= first + BACK_S + 1)
    serials = [machine.credential("acme")["serial"]]
    end = time.monotonic() + 180
    with Load(machine) as load:
        while len(serials) < 3 and time.monotonic() < end:
            serial = machine.credential("acme")["serial"]
            if serial not in serials:
                serials.append(serial)
            time.sleep(0.2)
    equal(len(serials), 3, f"certificates seen {serials}")
    equal(load.bad[:5], [], "requests that were not signed")
    true(load.good > 500, f"only {load.good} requests were signed")


# ---- a CA in reserve ----

class Pair:
    """A tenant whose credential main has another in reserve, each with a CA of its own."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self.file = machine.config / "vesperd.conf"
        text = self.file.read_text()
        section = text[text.index('ca "lab" {'):].partition("\n}\n")[0] + "\n}\n"
        self.write(text + section.replace('"lab"', '"one"') + section.replace('"lab"', '"two"'))
        main = machine.enterprise("pair", credential=f"\t\trenew_lifetime_s = {PAIR_S}")
        main = main.replace('ca = "lab"', 'ca = "one"')
        start, end = main.index('\tcredential "main"'), main.rindex("}")
        spare = main[start:end].replace('"main" {', '"spare" {').replace('ca = "one"', 'ca = "two"')
        spare = spare.replace(f"renew_lifetime_s = {PAIR_S}", 'reserve_for = "main"')
        machine.write_tenant("pair", main[:end] + spare + "}\n")
        machine.reload()

    def shown(self, name: str) -> dict:
        return self.machine.credential("pair", name) or {}

    def in_force(self, name: str) -> bool:
        return bool(self.shown(name).get("signable"))

    def signer(self, **more) -> str:
        """The credential that signs, or why none does."""
        answer = self.machine.sign(ACME, tenant="pair", **more)
        return answer.json["credential"] if answer.status == 200 else answer.reason

    def write(self, text: str) -> None:
        """At once: a role that has just been started reads it, too."""
        new = self.file.with_name("vesperd.new")
        new.write_text(text)
        new.replace(self.file)

    def reach(self, ca: str, directory: str) -> None:
        text = self.file.read_text()
        head, mark, rest = text.partition(f'ca "{ca}" {{')
        lines = rest.split("\n")
        lines[1] = f'\tdirectory = "{directory}"'
        self.write(head + mark + "\n".join(lines))
        self.machine.reload()


def alarmed(machine: Machine) -> bool:
    """The alarm of the expired certificate names what would help."""
    return any(a["alarm"] == "certificate_expired" and a["tenant"] == "pair" and
               "vesper tenant failover pair/main" in a["detail"]
               for a in machine.status()["alarms"])


def over_and_back(machine: Machine) -> None:
    """The CA is down past the end of its certificate: an operator goes over, and back."""
    pair = Pair(machine)
    wait_for("both certificates", lambda: pair.in_force("main") and pair.in_force("spare"),
             60 * SLOW)
    wait_for("main signs", lambda: pair.signer() == "main", 60 * SLOW)
    equal(pair.signer(credential="spare"), "no_credential")
    rows = tried(machine, 0, "tenant", "test", "pair", "--tls-ca",
                 str(machine.config / "tls-ca.pem"))
    equal([(row["verdict"], "in reserve for main" in row["detail"]) for row in rows["dry run"]],
          [("ok", False), ("skipped", True)])
    true("in reserve for main" in machine.vesper("cert", "list").stdout, "cert list")
    pair.reach("one", "https://127.1.2.3:1/directory")
    wait_for("the end of main", lambda: pair.signer() == "credential_expired", 60 * SLOW)
    wait_for("the alarm", lambda: alarmed(machine), 30 * SLOW)
    equal(pair.signer(), "credential_expired", "nobody said that it goes over")

    machine.good("tenant", "failover", "pair/main")
    for more in ({}, {"credential": "main"}, {"credential": "spare"}):
        equal(pair.signer(**more), "spare", f"{more}")
    equal([pair.shown(n)["stands_by"] for n in ("main", "spare")], [True, False])
    equal(machine.vesper("tenant", "failback", "pair/main").returncode, 4, "to what is over")
    rows = tried(machine, 1, "doctor")["reserve"]
    true(any("pair/main: failed over to spare" in row["detail"] for row in rows), f"{rows}")
    true('vesper_failed_over{tenant="pair",credential="main",reserve="spare"} 1' in http.request(
        machine.admin_socket, "GET", "/metrics").body.decode(), "metrics")
    machine.stop_agent(9)
    machine.start_agent()
    wait_for("the same after a kill", lambda: pair.signer() == "spare", 60 * SLOW)
    wait_for("the renewer", lambda: machine.status()["renewer"]["up"], 60 * SLOW)

    pair.reach("one", machine.info["directory"])
    machine.good("cert", "renew", "pair/main")  # and not when it is tried again by itself
    wait_for("main in force", lambda: pair.in_force("main"), 120 * SLOW)
    equal(pair.signer(), "spare", "nobody said that it goes back")
    wait_for("the way back", lambda: machine.vesper(
        "tenant", "failback", "pair/main").returncode == 0, 60 * SLOW)
    wait_for("main signs again", lambda: pair.signer() == "main", 60 * SLOW)
    equal([r["event"] for r in machine.audit() if r["event"] in ("failover", "failback")],
          ["failover", "failback"])


def provider_signs(machine: Machine) -> http.Answer:
    return machine.sign(ACME, ppt="shaken", tenant="osp", claims={
        "attest": "B", "origid": "123e4567-e89b-12d3-a456-426655440000"})


# RFC 5280 s6.3.3, with the indirect list of ATIS-1000080.
def revoked_by_its_ca(machine: Machine) -> None:
    """A certificate in force that its CA's list has is replaced; the operator is told."""
    wait_for("the revocation list", lambda: [c["usable"] for c in machine.status()["crls"]] == [
        True], 30 * SLOW)
    equal([c["indirect"] for c in machine.status()["crls"]], [True])
    before = machine.credential("osp")["serial"]
    equal(provider_signs(machine).status, 200)
    machine.control("POST", "/revoke", {"serial": before, "reason": 4})
    wait_for("another certificate", lambda: (machine.credential("osp") or {}).get("serial") not in (
        None, before), 60 * SLOW)
    machine.wait_ready("osp", timeout=60 * SLOW)
    wait_for("a signature with it", lambda: provider_signs(machine).json.get("serial") not in (
        None, before), 20 * SLOW)
    records = [r for r in machine.audit() if r["event"] == "revoke"]
    equal([(r["tenant"], r["serial"], r["by"], r["cause"], r["state"]) for r in records],
          [("osp", before, "crl", "superseded", "done")])
    after = [r for r in machine.audit() if r["seq"] > records[0]["seq"]]
    equal([r for r in after if r["event"] == "sign" and r.get("serial") == before], [],
          "signatures with the revoked one")


def no_network(machine: Machine) -> None:
    """With the lab stopped, vesperd is killed, restarted and signs."""
    serial = machine.credential("osp")["serial"]
    machine.stop_lab()
    machine.stop_agent(9)
    machine.start_agent()
    wait_for("a signature without the lab", lambda: provider_signs(machine).status == 200, 10)
    equal(machine.credential("osp")["serial"], serial)


def main() -> int:
    cases = Cases("renewal")
    with Machine() as machine:
        machine.start(lab={"ca": {"backdate": 0, "crldp": True,
                                  "lifetime": {"delegate": LIFETIME_S}}},
                      crl_issuers="crl-issuers.pem", crl_tls_ca="tls-ca.pem", crl_refresh_s=5,
                      crl_unavailable="refuse")
        for function in (changes_twice, over_and_back, revoked_by_its_ca, no_network):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
