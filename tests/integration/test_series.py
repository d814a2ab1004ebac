"""Orders whose certificates the CA renews by itself (RFC 8739), from their begin to each end.

One tenant for each way in which a series goes on or ends; all of them at the same time.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys

from cryptography import x509

from cases import Cases, equal, true
from test_refused import (SLOW, WORKERS, add_config, authorities, detail, lab_config, log_end, log_since,
                          number, refusals, renew, serial, worker)
from world import process
from world import unixhttp as http
from world.machine import Machine, wait_for

# A look is late, and so a new order, where it comes a quarter of a life after the half.
LIFETIME_S = 24 if SLOW == 1 else 48
PATIENCE_S = 60 * SLOW
ATTEMPTS = 3  # a machine that was too slow for a life of these is given another
DURATION_S = 3600
LONG, FEWER, REVOKED, OFF, ENDED = TENANTS = [f"w{i}" for i in range(5)]

# A wrong certificate in the middle of a series, and why it is refused.
WRONG = {
    "other-key": "key_mismatch",
    "wider-tnauthlist": "tnauthlist_differs",
    "later-end": "dates_differ",
    "missing-sct": "sct_policy",
}
# What an order of a series must not say.
ORDER = {
    "no-auto-renewal": "acme_star",
    "longer-series": "acme_star",
    "no-star-url": "acme_order",
}


def tenants(machine: Machine) -> dict[str, str]:
    texts = {}
    for name in WORKERS:
        add_config(machine, authorities(machine, name))
        text = worker(machine, name)
        old = "renew_lifetime_s = 86400\n\t\trenew_backdate_s = 60"
        true(old in text, "no dates in the tenant's text")
        texts[name] = text.replace(
            old, f"star_lifetime_s = {LIFETIME_S}\n\t\tstar_duration_s = {DURATION_S}")
    # Its constraints name the numbers: the claim agent would want evidence for one that has left.
    texts[FEWER] = re.sub(r"\t\tconstraints \{.*?\n\t\t\}\n|\t\tclaim_agent.*?\n", "", texts[FEWER],
                          flags=re.S).replace("{\n", "{\n\trenumber_window_s = 0\n", 1)
    return texts


# ---- what is looked at ----


def leaf(machine: Machine, tenant: str) -> x509.Certificate:
    path = machine.state("front", "tenants", tenant, "main", "current.pem")
    return x509.load_pem_x509_certificate(path.read_bytes())


def order_of(machine: Machine, tenant: str) -> str | None:
    """The path of the order whose series runs."""
    record = json.loads(machine.state("renewer", "orders", f"{tenant}.main.json").read_text())
    return "/" + record["series"]["order"].split("/", 3)[3] if record["series"] else None


def running(machine: Machine, tenant: str) -> str | None:
    """The same, and a certificate of it is in force."""
    said = events(machine, tenant, "series_running")
    path = order_of(machine, tenant)
    return path if path and said and said[-1]["order"].endswith(path) else None


def signs(machine: Machine, tenant: str) -> str:
    """What is in force signs, though the next may come at any time; its serial."""
    before = serial(machine, tenant)
    answer = machine.sign(number(tenant), tenant=tenant)
    equal(answer.status, 200, answer.body.decode())
    true(answer.json["serial"] in (before, serial(machine, tenant)), "another serial signs")
    return answer.json["serial"]


def another(machine: Machine, tenant: str, before: str) -> str:
    wait_for(f"the certificate of {tenant} after {before}: {detail(machine, tenant)}",
             lambda: serial(machine, tenant) not in (None, before), 4 * LIFETIME_S + PATIENCE_S)
    return signs(machine, tenant)


def canceled(machine: Machine, path: str, since: int) -> bool:
    """The CA was told so, by its account, and did it."""
    return any(r["path"] == path and r["method"] == "POST" and r["status"] == 200
               and r["endpoint"] == "order" for r in log_since(machine, since))


def events(machine: Machine, tenant: str, event: str) -> list[dict]:
    return [r for r in machine.audit() if r["event"] == event and r["tenant"] == tenant]


def ended(machine: Machine, tenant: str, path: str, since: int, why: str) -> None:
    """By us, and at the CA; no request of it is outstanding any more."""
    wait_for(f"the end of {tenant}'s series at the CA", lambda: canceled(machine, path, since),
             PATIENCE_S)
    wait_for("what was said of it", lambda: events(machine, tenant, "series_ended"),
             PATIENCE_S)
    true(why in events(machine, tenant, "series_canceled")[-1]["detail"],
         events(machine, tenant, "series_canceled")[-1]["detail"])


# ---- the cases ----


def follows(machine: Machine) -> bool:
    """False: a look came too late, and what is in force now was ordered anew."""
    order = wait_for("a series", lambda: running(machine, LONG), PATIENCE_S)
    before, since = leaf(machine, LONG), log_end(machine)
    second = another(machine, LONG, serial(machine, LONG))
    made = leaf(machine, LONG)
    if running(machine, LONG) != order:
        return False
    equal(made.public_key().public_numbers(), before.public_key().public_numbers(), "the key")
    true(made.not_valid_after > before.not_valid_after, "it ends later")
    os.kill(process.roles(machine.agent.pid)["front"][0], signal.SIGKILL)
    wait_for("the agent again", lambda: serial(machine, LONG), PATIENCE_S)
    another(machine, LONG, second)
    last = leaf(machine, LONG)
    if running(machine, LONG) != order:
        return False
    equal(last.public_key().public_numbers(), made.public_key().public_numbers(), "the key")
    got = [r for r in log_since(machine, since) if r["endpoint"] == "star-certificate"]
    true(got and {r["method"] for r in got} == {"GET"}, f"{got}")
    true(not any(r["order"].endswith(order) for r in events(machine, LONG, "series_canceled")),
         "it was canceled")
    return True


# RFC 8739 s3.3, s3.4, D-53
def goes_on(machine: Machine) -> None:
    """Certificates of one order and one key follow each other, over a kill of everything."""
    true(any(follows(machine) for _ in range(ATTEMPTS)), "each series was ordered anew")


class Spoilt:
    """A wrong certificate in the middle of a series: refused like any other, and the next is not."""

    def __init__(self, machine: Machine, tenant: str, what: str, reason: str):
        self.machine, self.tenant, self.what, self.reason = machine, tenant, what, reason
        self.before = serial(machine, tenant)
        self.order = ""
        self.seen()

    def seen(self) -> list[dict]:
        """It was refused.  One that is ordered anew, for a look was late, is spoilt anew."""
        order = running(self.machine, self.tenant)
        if order and order != self.order:
            self.order = order
            self.machine.control("POST", "/faults", {
                "endpoint": "certificate", "action": "wrong", "what": self.what, "count": 1,
                "match": order.replace("/order/", "/star/")})
        return refusals(self.machine, self.tenant)

    def refused(self) -> None:
        machine, tenant = self.machine, self.tenant
        wait_for(f"{self.what}: {detail(machine, tenant)}", self.seen,
                 4 * LIFETIME_S + PATIENCE_S)
        record = refusals(machine, tenant)[-1]
        print(f"# {self.what}: {record['reason']} {record.get('detail')}")
        equal(record["reason"], self.reason)

    def recovered(self) -> None:
        another(self.machine, self.tenant, self.before)


def wrong_order(machine: Machine, tenant: str, what: str, reason: str) -> None:
    """Another order than was asked for is not finalized, and what runs goes on."""
    before = serial(machine, tenant)
    machine.control("POST", "/faults", {"endpoint": "order", "action": "wrong", "what": what})
    try:
        renew(machine, tenant)
        wait_for(f"{reason}: {detail(machine, tenant)}",
                 lambda: detail(machine, tenant).startswith(reason + ":"), PATIENCE_S)
    finally:
        machine.control("DELETE", "/faults")
    print(f"# {what}: {detail(machine, tenant)}")
    signs(machine, tenant)
    renew(machine, tenant)
    another(machine, tenant, before)


# RFC 8739 s3.1.2
def fewer_numbers(machine: Machine) -> None:
    """A number that leaves ends the series at once; the others are ordered anew."""
    since, order, before = log_end(machine), order_of(machine, FEWER), serial(machine, FEWER)
    gone = str(int(number(FEWER)) + 1)
    answer = http.request(machine.admin_socket, "POST", f"/v1/tenants/{FEWER}/numbers",
                          {"remove": [gone]})
    equal(answer.status, 202, answer.body.decode())
    wait_for("the number to go", lambda: machine.sign(gone, tenant=FEWER).status == 403, PATIENCE_S)
    ended(machine, FEWER, order, since, "number")
    another(machine, FEWER, before)
    true(order_of(machine, FEWER) != order, "the same order")


# RFC 8739 s3.1.2
def revoked(machine: Machine) -> None:
    """The CA revokes none of a series: it is canceled, and nothing of it is put in force."""
    since, order = log_end(machine), order_of(machine, REVOKED)
    answer = http.request(machine.admin_socket, "POST", f"/v1/credentials/{REVOKED}/main/revoke",
                          {"reason": "keyCompromise"})
    equal(answer.status, 202, answer.body.decode())
    ended(machine, REVOKED, order, since, "revoked")
    equal(machine.sign(number(REVOKED), tenant=REVOKED).status, 403)
    equal([r for r in log_since(machine, since) if r["endpoint"] == "revoke-cert"], [])
    equal(events(machine, REVOKED, "revoke")[-1]["state"], "series")


def disabled(machine: Machine) -> None:
    since, order = log_end(machine), order_of(machine, OFF)
    path = machine.config / f"tenants.d/{OFF}.conf"
    path.write_text(path.read_text().replace("{\n", "{\n\tenabled = no\n", 1))
    machine.reload()
    ended(machine, OFF, order, since, "disabled")


# RFC 8739 s6.3
def ended_by_the_ca(machine: Machine) -> None:
    """It is ordered anew, and the old one is canceled as far as we can say."""
    before, order = serial(machine, ENDED), order_of(machine, ENDED)
    machine.control("POST", "/faults", {
        "endpoint": "star-certificate", "action": "status", "status": 403,
        "problem": "autoRenewalCanceled", "match": order.replace("/order/", "/star/")})
    another(machine, ENDED, before)
    true(order_of(machine, ENDED) != order, "the same order")
    wait_for("the end of the one before",
             lambda: "another order" in str(events(machine, ENDED, "series_canceled")), PATIENCE_S)
    machine.control("DELETE", "/faults")


# RFC 8739 s3.5
def run(cases: Cases, machine: Machine) -> None:
    for name in TENANTS:
        cases.case(f"{name}: a series runs", wait_for, "it", lambda n=name: running(machine, n),
                   PATIENCE_S)
    spoilt = [Spoilt(machine, f"w{i}", *row) for i, row in enumerate(WRONG.items(), len(TENANTS))]
    cases.case("a number leaves", fewer_numbers, machine)
    cases.case("a certificate is revoked", revoked, machine)
    cases.case("its tenant is disabled", disabled, machine)
    for each in spoilt:
        cases.case(f"certificate {each.what}: {each.reason}", each.refused)
    cases.case("its CA ends it", ended_by_the_ca, machine)
    cases.case("it goes on", goes_on, machine)
    for each in spoilt:
        cases.case(f"after {each.what}", each.recovered)
    for what, reason in ORDER.items():
        cases.case(f"order {what}: {reason}", wrong_order, machine, ENDED, what, reason)


def main() -> int:
    cases = Cases("series")
    with Machine(lab_config=lab_config()) as machine:
        machine.kills = True
        machine.start(tenants, lab={"ca": {"star": {"enabled": True}}})
        run(cases, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
