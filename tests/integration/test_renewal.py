"""Short-lived certificates change under load without a refusal; a restart needs no network."""

from __future__ import annotations

import sys
import threading
import time

from cases import Cases, equal, true
from world import unixhttp as http
from world.machine import Machine, wait_for

ACME = "12025550100"
LIFETIME_S = 60


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
    end = time.monotonic() + 3 * LIFETIME_S
    with Load(machine) as load:
        while len(serials) < 3 and time.monotonic() < end:
            serial = machine.credential("acme")["serial"]
            if serial not in serials:
                serials.append(serial)
            time.sleep(0.2)
    equal(len(serials), 3, f"certificates seen {serials}")
    equal(load.bad[:5], [], "requests that were not signed")
    true(load.good > 500, f"only {load.good} requests were signed")


def no_network(machine: Machine) -> None:
    """With the lab stopped, vesperd is killed, restarted and signs."""
    serial = machine.credential("osp")["serial"]
    machine.stop_lab()
    machine.stop_agent(9)
    machine.start_agent()
    wait_for("a signature without the lab", lambda: machine.sign(
        ACME, ppt="shaken", tenant="osp", claims={
            "attest": "B", "origid": "123e4567-e89b-12d3-a456-426655440000"}).status == 200, 10)
    equal(machine.credential("osp")["serial"], serial)


def main() -> int:
    cases = Cases("renewal")
    with Machine() as machine:
        machine.start(lab={"ca": {"backdate": 0, "lifetime": {"delegate": LIFETIME_S}}})
        for function in (changes_twice, no_network):
            cases.case(function.__name__, function, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
