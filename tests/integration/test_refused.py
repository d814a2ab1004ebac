"""What a CA, an authority or the network does wrong costs no credential that is in force.

Nine enterprises and a provider are renewed at the same time, each against its own fault.  Every
wrong certificate and token that the lab knows has a row: why it is refused, or None where the
protocol lets it pass.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from cases import Cases, equal, true
from odd_parties import ANSWERS, CONNECTIONS, Party
from world import process
from world import unixhttp as http
from world.machine import BUILD, TOP, Machine, quote, wait_for

SLOW = 1.0 if os.environ.get("SANITIZER", "no") == "no" else 3.0
WORKERS = [f"w{i}" for i in range(9)]
TWO_SCTS = WORKERS[-1]
ORIGID = "123e4567-e89b-12d3-a456-426655440000"

# Of a delegate under vesper-06.
CERTIFICATE = {
    "other-key": "key_mismatch",
    "p384": "key_mismatch",
    "wider-tnauthlist": "tnauthlist_differs",
    "narrower-tnauthlist": "tnauthlist_differs",
    "missing-tnauthlist": "tnauthlist_differs",
    "malformed-tnauthlist": "tnauth_choice",
    "two-spcs": "tnauthlist_differs",
    "missing-constraints": "constraints_differ",
    "other-constraints": "constraints_differ",
    "both-constraints": "credential_unusable",
    "missing-sct": "sct_policy",
    "unknown-log-sct": "sct_policy",
    "future-sct": "sct_future",
    "bad-sct-signature": "sct_policy",
    "same-log-scts": None,  # one log counts once, and min_scts is 1; TWO_SCTS refuses it
    "malformed-sct-list": "sct_list",
    "poison-left": "chain_critical",
    "wrong-ski": None,  # RFC 5280 section 4.2.1.2: how a leaf's is made is the CA's affair
    "wrong-aki": "chain_order",
    "missing-ski": "chain_ski",
    "missing-aki": "chain_order",
    "ca-true": "chain_leaf_ca",
    "unknown-critical": "chain_critical",
    "unknown-extension": None,  # not critical: RFC 5280 section 4.2
    "missing-policy": None,  # ATIS-1000080 wants it of providers, nobody of delegates
    "expired": "chain_validity",
    "not-yet-valid": "not_before",
    "too-long": "credential_unusable",
    "bad-signature": "chain_path",
    "foreign-issuer": "chain_path",
    "chain-order": "chain_order",
    "chain-no-intermediate": "chain_path",
    "chain-with-root": None,  # D-47: it is not conveyed
    "chain-foreign-intermediate": "chain_order",
    "chain-duplicate": "chain_order",
    "later-end": "dates_differ",
    "earlier-end": "dates_differ",
    "earlier-begin": "dates_differ",
    "another": "key_mismatch",
}
# Of an order, at a CA with profiles that publishes what it issues.
ORDER = {
    "other-profile": "acme_profile",
    "no-profile": "acme_profile",
    "x5u-missing": "acme_x5u",
    "x5u-http": "acme_x5u",
    "x5u-elsewhere": "acme_x5u",
}
PUBLISHED = {
    "altered": "x5u_differs",
    "content-type": "x5u_differs",
}
ORDERER = "o9"
# Of a provider under shaken-sp: a linter's findings are warnings there, only safety refuses (D-62).
PROVIDER = {
    "two-spcs": "tnauthlist_differs",
    "wider-tnauthlist": "tnauthlist_differs",
    "both-constraints": "constraints_differ",
    "other-key": "key_mismatch",
    "missing-aki": "chain_order",
    "bad-signature": "chain_path",
    "ca-true": "chain_leaf_ca",
    "expired": "chain_validity",
    "missing-policy": None,
    "missing-ski": None,
    "unknown-extension": None,
    "too-long": None,  # V-12: unset under shaken-sp; nothing ends later, so the last of its tenant
}
PROVIDERS = ("osp", "osp2", "osp3")


def number(tenant: str) -> str:
    return f"120255501{20 + 2 * int(tenant[1:])}"


def numbers(tenant: str) -> tuple[str, str]:
    return number(tenant), str(int(number(tenant)) + 1)


def lab_config() -> dict:
    """The example, and an account of both authorities for each tenant: faults find them by it."""
    config = json.loads((TOP / "tests/lab/lab-example.json").read_text())
    for name in (*WORKERS, ORDERER):
        config["number_authority"]["accounts"][name] = {"numbers": list(numbers(name))}
        config["claim_agent"]["accounts"][name] = {"claims": {"attest": ["A"], "rcd": "*"}}
    return config


def worker(machine: Machine, name: str, ca: str = "lab") -> str:
    more = "\t\tmin_scts = 2" if name == TWO_SCTS else ""
    more += "\t\trenew_lifetime_s = 86400\n\t\trenew_backdate_s = 60"
    text = machine.enterprise(name, numbers(name), credential=more)
    for old, new in (('authority = "numbers"', f'authority = "numbers-{name}"'),
                     ('claim_agent = "claims"', f'claim_agent = "claims-{name}"'),
                     ('ca = "lab"', f'ca = "{ca}"')):
        true(old in text, f"no {old} in the tenant's text")
        text = text.replace(old, new)
    return text


def authorities(machine: Machine, name: str) -> str:
    text = ""
    for kind, url, more in (("numbers", "number_authority", ""),
                            ("claims", "claim_agent", '\tevidence = "tnauthlist-token"\n')):
        issuer = "Lab Number Authority" if kind == "numbers" else "Lab Claim Agent"
        lab_name = ("authority-" if kind == "numbers" else "claims-") + name
        secret = machine.secret(lab_name, machine.lab_secret(lab_name), "net_user")
        text += "\n".join([f'authority "{kind}-{name}" {{', f"\turl = {quote(machine.info[url])}",
                           '\ttls_ca = "tls-ca.pem"', f"\taccount = {quote(name)}",
                           f"\tissuers = {quote([issuer])}", f"\tsecret = {quote(secret)}",
                           more + "}", ""])
    return text


def add_config(machine: Machine, text: str) -> None:
    with open(machine.config / "vesperd.conf", "a", encoding="utf-8") as conf:
        conf.write("\n" + text)


def orderer(machine: Machine) -> str:
    """A tenant of the CA's profile "short", whose certificates the CA publishes."""
    text = worker(machine, ORDERER, "profiled")
    for old, new in ((machine.info["repository"] + "certs/", machine.info["repository"] + "ca/"),
                     ('publish_dir = "../lab/www/certs"', 'x5u_from = "order"'),
                     ("renew_lifetime_s = 86400", "renew_lifetime_s = 0")):
        true(old in text, f"no {old} in the tenant's text")
        text = text.replace(old, new)
    return text


def tenants(machine: Machine) -> dict[str, str]:
    for name in (*WORKERS, ORDERER):
        add_config(machine, authorities(machine, name))
    add_config(machine, ca_section(machine, "profiled", machine.lab_secret("eab-platform-1")).replace(
        "\tterms_agreed", '\tacme_profile = "short"\n\tterms_agreed'))
    return {ORDERER: orderer(machine), **{name: worker(machine, name) for name in WORKERS},
            **{name: machine.provider(name) for name in PROVIDERS}}


# ---- what is looked at ------------------------------------------------------


def log_since(machine: Machine, since: int) -> list[dict]:
    return machine.control("GET", f"/log?since={since}")["log"]


def log_end(machine: Machine) -> int:
    return max((line["seq"] for line in log_since(machine, 0)), default=0)


def orders(lines: list[dict]) -> int:
    return sum(line["endpoint"] == "new-order" for line in lines)


def serial(machine: Machine, tenant: str) -> str | None:
    return (machine.credential(tenant) or {}).get("serial")


def renew(machine: Machine, tenant: str) -> None:
    answer = http.request(machine.admin_socket, "POST", f"/v1/credentials/{tenant}/main/renew")
    equal(answer.status, 202, answer.body.decode())


def signs(machine: Machine, tenant: str, want: str) -> None:
    """The tenant's credential signs, and it is the one of that serial."""
    if tenant in PROVIDERS:
        answer = machine.sign("12025550100", ppt="shaken", tenant=tenant,
                              claims={"attest": "A", "origid": ORIGID})
    else:
        answer = machine.sign(number(tenant), tenant=tenant)
    equal(answer.status, 200, answer.body.decode())
    equal(answer.json["serial"], want, f"{tenant} signs with the serial")


def order_path(machine: Machine, tenant: str) -> str | None:
    """The path of the order that the renewer has recorded for this tenant."""
    try:
        record = json.loads(machine.state("renewer", "orders", f"{tenant}.main.json").read_text())
    except (OSError, ValueError):
        return None
    return urlsplit(record["order"]).path if record["order"] else None


def refused_files(machine: Machine, tenant: str) -> set[str]:
    return {p.name for p in machine.state("front", "tenants", tenant, "main").glob("refused-*.pem")}


def refusals(machine: Machine, tenant: str) -> list[dict]:
    return [r for r in machine.audit()
            if r["event"] == "install_refused" and r["tenant"] == tenant]


# ---- certificates -----------------------------------------------------------


class Try:
    """One renewal of one tenant that is answered with one wrong certificate."""

    def __init__(self, machine: Machine, tenant: str, wrong: str):
        self.machine, self.tenant, self.wrong = machine, tenant, wrong
        self.serial = serial(machine, tenant)
        self.files = refused_files(machine, tenant)
        self.audited = len(refusals(machine, tenant))

    def begin(self) -> None:
        renew(self.machine, self.tenant)

    def spoil(self) -> bool:
        """As soon as the order is known; the CA's authorizations take longer than that."""
        path = order_path(self.machine, self.tenant)
        if path is None:
            return False
        self.machine.control("POST", "/faults", {
            "endpoint": "certificate", "action": "wrong", "what": self.wrong, "count": 1,
            "match": path.rsplit("/", 1)[1]})
        return True

    def over(self) -> bool:
        return (len(refusals(self.machine, self.tenant)) > self.audited
                or serial(self.machine, self.tenant) != self.serial)

    def refused(self, reason: str) -> None:
        machine, tenant = self.machine, self.tenant
        equal(serial(machine, tenant), self.serial, f"{self.wrong}: {tenant}'s serial")
        found = refusals(machine, tenant)
        equal(len(found), self.audited + 1, f"{self.wrong}: refusals of {tenant} in the audit")
        record = found[-1]
        print(f"# {self.wrong}: {record['reason']} {record.get('detail')}")
        equal(record["reason"], reason, f"{self.wrong}: {record.get('detail')}")
        wait_for(f"{self.wrong}: the reason in {tenant}'s status", lambda: (
            machine.credential(tenant)["detail"] or "").startswith(reason + ":"), 5)
        new = refused_files(machine, tenant) - self.files
        equal(len(new), 1, f"{self.wrong}: refused files {new}")
        true(machine.credential(tenant)["next_renewal"] >= time.time() + 30,
             f"{self.wrong}: it is tried again too soon")
        signs(machine, tenant, self.serial)

    def accepted(self) -> None:
        print(f"# {self.wrong}: accepted")
        equal(len(refusals(self.machine, self.tenant)), self.audited, f"{self.wrong}: refused")
        true(serial(self.machine, self.tenant) != self.serial, f"{self.wrong}: not put in force")
        wait_for("a signature with the new one", lambda: self.machine.credential(
            self.tenant)["state"] == "ready", 5)
        signs(self.machine, self.tenant, serial(self.machine, self.tenant))


def run_batch(cases: Cases, machine: Machine, rows: list[tuple[str, str, str | None]]) -> None:
    since = log_end(machine)
    tries = [(Try(machine, tenant, wrong), reason) for tenant, wrong, reason in rows]
    for each, _ in tries:
        each.begin()
    waiting = [each for each, _ in tries]

    def all_spoiled() -> bool:
        # In no order: one that is slow must not let another's order pass by.
        waiting[:] = [each for each in waiting if not each.spoil()]
        return not waiting
    wait_for("every order", all_spoiled, 15 * SLOW)
    for each, reason in tries:
        try:
            wait_for("the end", each.over, 20 * SLOW)
        except Exception as problem:
            print(f"# {each.tenant} {each.wrong}: {problem}")
    for each, reason in tries:
        what = f"{each.tenant}: certificate {each.wrong}: {reason or 'accepted'}"
        if reason is None:
            cases.case(what, each.accepted)
        else:
            cases.case(what, each.refused, reason)
    cases.case("one order each", equal, orders(log_since(machine, since)), len(rows))
    cases.case("every fault struck", equal, machine.control("GET", "/faults")["faults"], [])


# RFC 8555 s7.4
def certificates(cases: Cases, machine: Machine) -> None:
    known = set(machine.control("GET", "/endpoints")["certificate"])
    answers = {"no-nonce", "no-location", "content-type", "foreign-urls", "http-urls"}
    cases.case("every wrong certificate has a row", equal, known - answers, set(CERTIFICATE))
    rows, provider = list(CERTIFICATE.items()), list(PROVIDER.items())
    while rows or provider:
        batch = [(tenant, *rows.pop(0)) for tenant in WORKERS if rows]
        if not rows and TWO_SCTS not in {tenant for tenant, *_ in batch}:
            batch.append((TWO_SCTS, "same-log-scts", "sct_policy"))
        batch += [(tenant, *provider.pop(0)) for tenant in PROVIDERS if provider]
        run_batch(cases, machine, batch)


# ---- orders ----


def renewed(machine: Machine, tenant: str, before: str) -> None:
    """By itself or asked for: another one signs, and its x5u serves it."""
    wait_for(f"a renewal of {tenant}: {detail(machine, tenant)}",
             lambda: serial(machine, tenant) not in (None, before), 30 * SLOW)
    signs(machine, tenant, serial(machine, tenant))
    x5u = machine.credential(tenant)["x5u"]
    true(x5u.startswith(machine.info["repository"] + "ca/"), x5u)
    served = Path(machine.info["www"], "ca", x5u.rsplit("/", 1)[1]).read_bytes()
    leaf = x509.load_pem_x509_certificate(served)
    equal(leaf.serial_number, int(serial(machine, tenant), 16))
    true((leaf.not_valid_after - leaf.not_valid_before).total_seconds() <= 3600 + 120, "profile")


# RFC 8555 s7.4, RFC 9448 s7, draft-ietf-acme-profiles
def order_refused(machine: Machine, fault: dict, reason: str) -> None:
    """The reason in status, nothing put in force; then with a right one it is renewed."""
    before = serial(machine, ORDERER)
    machine.control("POST", "/faults", fault)
    renew(machine, ORDERER)
    wait_for(f"{reason} in status: {detail(machine, ORDERER)}",
             lambda: detail(machine, ORDERER).startswith(reason + ":"), 15 * SLOW)
    print(f"# {detail(machine, ORDERER)}")
    equal(serial(machine, ORDERER), before)
    signs(machine, ORDERER, before)
    machine.control("DELETE", "/faults")
    renew(machine, ORDERER)
    renewed(machine, ORDERER, before)


def order_cases(cases: Cases, machine: Machine) -> None:
    known = set(machine.control("GET", "/endpoints")["order"])
    cases.case("every wrong of a profile or x5u has a row", equal,
               {w for w in known if "profile" in w or "x5u" in w}, set(ORDER))
    for what, reason in ORDER.items():
        cases.case(f"order {what}: {reason}", order_refused, machine,
                   {"endpoint": "order", "action": "wrong", "what": what}, reason)
    for what, reason in PUBLISHED.items():
        cases.case(f"x5u {what}: {reason}", order_refused, machine,
                   {"endpoint": "repository", "action": "wrong", "what": what}, reason)
    cases.case("x5u 404: x5u_unserved", order_refused, machine,
               {"endpoint": "repository", "action": "status", "status": 404}, "x5u_unserved")
    cases.case("order of a profile that is no more: acme_invalid_profile", order_refused, machine,
               {"endpoint": "new-order", "action": "status", "status": 400,
                "problem": "invalidProfile"}, "acme_invalid_profile")


# ---- authority tokens -------------------------------------------------------

TOKEN = {
    "tkvalue": "authtok_numbers",
    "narrower": "authtok_numbers",
    "fingerprint": "authtoken_fingerprint",
    "tktype": "authtoken_tktype",
    "tktype-case": "authtoken_tktype",
    "ca": "authtoken_ca",
    "expired": "authtoken_expired",
    "unregistered": "authtok_issuer",
    "untrusted": "authtoken_chain",
    "bad-signature": "authtoken_signature",
    "alg-none": "authtoken_syntax",
    "no-jti": "authtoken_claim",
    "no-exp": "authtoken_claim",
    "no-atc": "authtoken_claim",
    "no-x5": "authtoken_syntax",
}
# The lab narrows numbers only: there it is a good token.
CLAIMS_TOKEN = {**TOKEN, "tkvalue": "authtok_wider", "narrower": None}


def run_tokens(cases: Cases, machine: Machine, rows: list[tuple[str, str, str, str]]) -> None:
    """One wrong token each, again and again until the fault is taken away: never is it used."""
    since = log_end(machine)
    before = {tenant: serial(machine, tenant) for tenant, *_ in rows}
    machine.control("POST", "/faults", [
        {"endpoint": endpoint, "action": "wrong", "what": wrong, "match": f"/account/{tenant}/"}
        for tenant, endpoint, wrong, _ in rows])
    for tenant, *_ in rows:
        renew(machine, tenant)
    for tenant, endpoint, wrong, reason in rows:
        cases.case(f"{tenant}: {endpoint} {wrong}: {reason}", token_refused, machine, since, tenant,
                   endpoint, reason, before[tenant])
    lines = log_since(machine, since)
    used = [line["path"] for line in lines if line["endpoint"] in ("new-order", "challenge")]
    cases.case("none of them was used", equal, used, [])
    machine.control("DELETE", "/faults")
    for tenant in before:
        renew(machine, tenant)
    cases.case("with good tokens they are renewed", all_renewed, machine, before, 20 * SLOW)
    cases.case("by one order each", equal, orders(log_since(machine, since)), len(rows))


def token_refused(machine: Machine, since: int, tenant: str, endpoint: str, reason: str,
                  before: str) -> None:
    def given() -> int:
        return sum(line["endpoint"] == endpoint and f"/account/{tenant}/" in line["path"]
                   and line["status"] == 200 for line in log_since(machine, since))

    wait_for("the token", given, 10 * SLOW)
    wait_for(f"{reason} in {tenant}'s status", lambda: (
        machine.credential(tenant)["detail"] or "").startswith(reason + ":"), 5 * SLOW)
    true(given() <= 3, f"{given()} tokens in a moment")
    signs(machine, tenant, before)


def all_renewed(machine: Machine, before: dict[str, str], timeout: float) -> None:
    end = time.monotonic() + timeout
    missing = set(before)
    while missing and time.monotonic() < end:
        missing = {t for t in missing if serial(machine, t) in (None, before[t])}
        time.sleep(0.1)
    equal({t: machine.credential(t)["detail"] for t in sorted(missing)}, {}, "not renewed")
    for tenant in before:
        signs(machine, tenant, serial(machine, tenant))


def tokens(cases: Cases, machine: Machine) -> None:
    known = machine.control("GET", "/endpoints")
    for endpoint, table in (("token", TOKEN), ("claims-token", CLAIMS_TOKEN)):
        cases.case(f"every wrong {endpoint} has a row", equal, set(known[endpoint]), set(table))
    rows = [(e, w, r) for e, table in (("token", TOKEN), ("claims-token", CLAIMS_TOKEN))
            for w, r in table.items() if r]
    while rows:
        run_tokens(cases, machine, [(tenant, *rows.pop(0)) for tenant in WORKERS if rows])


# ---- transport --------------------------------------------------------------

RENEWAL = ("token", "claims-token", "new-order", "authz", "challenge", "finalize", "order",
           "certificate")
ACME = RENEWAL[2:]
# Three at a time, once at each endpoint; whoever comes there meets it, and recovers by itself.
TRANSPORT = (
    (RENEWAL, {"action": "status", "status": 500}, {"action": "status", "status": 503,
                                                   "retry_after": 1}),
    (RENEWAL, {"action": "status", "status": 429, "problem": "rateLimited", "retry_after": 2},
     {"action": "drop"}),
    (RENEWAL, {"action": "drop-after"}, {"action": "truncate"}),
    (RENEWAL, {"action": "garbage"}, {"action": "empty"}),
    (ACME, {"action": "wrong", "what": "no-nonce"}, {"action": "wrong", "what": "content-type"}),
)


def transport_batch(machine: Machine, endpoints: tuple, faults: tuple[dict, ...]) -> None:
    before = {tenant: serial(machine, tenant) for tenant in WORKERS}
    machine.control("POST", "/faults", [
        {"endpoint": endpoint, "count": 1, **fault,
         **({"skip": skip} if fault["action"] == "wrong" else {})}
        for endpoint in endpoints for skip, fault in enumerate(faults)])
    for tenant in WORKERS:
        renew(machine, tenant)
    all_renewed(machine, before, 40 * SLOW)
    left = machine.control("GET", "/faults")["faults"]
    machine.control("DELETE", "/faults")
    # An order is not looked at when finalize answers with what became of it.
    equal([f for f in left if f["endpoint"] != "order"], [], "faults that did not strike")


def bad_nonces(machine: Machine) -> None:
    """Half of all requests: each call tries again a few times, each renewal after that."""
    before = {tenant: serial(machine, tenant) for tenant in WORKERS}
    machine.control("POST", "/config", {"ca": {"bad_nonce_share": 0.5}})
    for tenant in WORKERS:
        renew(machine, tenant)
    try:
        all_renewed(machine, before, 40 * SLOW)
    finally:
        machine.control("POST", "/config", {"ca": {"bad_nonce_share": 0}})


def foreign_urls(machine: Machine) -> None:
    """A URL elsewhere is not gone to: the renewal stops or asks anew, and says why."""
    since, before = log_end(machine), {tenant: serial(machine, tenant) for tenant in WORKERS}
    machine.control("POST", "/faults", [
        {"endpoint": endpoint, "action": "wrong", "what": what, "count": 1, "skip": skip}
        for endpoint in ("new-order", "authz", "order")
        for skip, what in enumerate(("foreign-urls", "http-urls"))])
    for tenant in WORKERS:
        renew(machine, tenant)
    waiting, reasons = set(WORKERS), Counter()
    end = time.monotonic() + 20 * SLOW
    while waiting and time.monotonic() < end:
        for tenant in sorted(waiting):
            c = machine.credential(tenant)
            if c["serial"] != before[tenant]:
                waiting.discard(tenant)
            elif c["detail"] and (c["next_renewal"] or 0) > time.time() + 30:
                reasons[c["detail"].split(":")[0]] += 1
                waiting.discard(tenant)
                signs(machine, tenant, before[tenant])
        time.sleep(0.05)
    equal(sorted(waiting), [], "neither renewed nor stopped")
    true(reasons and set(reasons) <= {"acme_origin"}, f"reasons {reasons}")
    true(orders(log_since(machine, since)) <= len(WORKERS) + 3, "orders again and again")
    before = {t: s for t, s in before.items() if serial(machine, t) == s}
    for tenant in before:
        renew(machine, tenant)
    all_renewed(machine, before, 20 * SLOW)


START = ({"action": "status", "status": 500}, {"action": "status", "status": 503, "retry_after": 1},
         {"action": "drop"}, {"action": "truncate"}, {"action": "garbage"}, {"action": "empty"},
         {"action": "wrong", "what": "foreign-urls"})


def detail(machine: Machine, tenant: str) -> str:
    return (machine.credential(tenant) or {}).get("detail") or ""


def kick_through(machine: Machine, tenant: str, done, timeout: float) -> set[str]:
    """An operator who asks again and again; returns what status said meanwhile."""
    said, end = set(), time.monotonic() + timeout
    while not done():
        true(time.monotonic() < end, f"{tenant} does not get there: {detail(machine, tenant)}")
        renew(machine, tenant)
        for _ in range(6):
            time.sleep(0.05)
            said.add(detail(machine, tenant).split(":")[0])
    return said - {""}


def start_up(machine: Machine) -> None:
    """The renewer begins again, with a CA that does not."""
    tenant = WORKERS[0]
    before = serial(machine, tenant)
    machine.control("POST", "/faults", [
        {"endpoint": endpoint, "count": 1, **fault} for fault in START
        for endpoint in ("directory", "new-nonce") if fault["action"] != "wrong"
        or endpoint == "directory"])
    os.kill(process.roles(machine.agent.pid)["renewer"][0], signal.SIGKILL)
    wait_for("another renewer", lambda: process.roles(machine.agent.pid).get("renewer"), 10)
    said = kick_through(machine, tenant, lambda: serial(machine, tenant) != before, 30 * SLOW)
    true(len(said) >= 2, f"status said only {said}")
    signs(machine, tenant, serial(machine, tenant))


def ca_section(machine: Machine, name: str, key: str) -> str:
    reference = machine.secret(f"eab-{name}", key, "net_user")
    return "\n".join([f'ca "{name}" {{', f"\tdirectory = {quote(machine.info['directory'])}",
                      '\ttls_ca = "tls-ca.pem"', '\teab_kid = "platform-1"',
                      f"\teab_key = {quote(reference)}", "\tterms_agreed = yes",
                      '\ttoken = "main"', "}", ""])


def registration(machine: Machine) -> None:
    """A second account at the CA, which is hard to make."""
    machine.control("POST", "/faults", [
        {"endpoint": "new-account", "count": 1, **fault}
        for fault in (*START, {"action": "wrong", "what": "no-location"})])
    add_config(machine, ca_section(machine, "second", machine.lab_secret("eab-platform-1")))
    machine.write_tenant("late", worker(machine, WORKERS[1], "second").replace(
        f'tenant "{WORKERS[1]}"', 'tenant "late"'))
    machine.reload()
    said = kick_through(machine, "late", lambda: (machine.credential("late") or {}).get(
        "state") == "ready", 30 * SLOW)
    true(len(said) >= 2, f"status said only {said}")


def transport(cases: Cases, machine: Machine) -> None:
    for endpoints, *faults in TRANSPORT:
        name = " and ".join(f.get("what") or f"{f['action']} {f.get('status', '')}".strip()
                            for f in faults)
        cases.case(f"{name} at each endpoint", transport_batch, machine, endpoints, tuple(faults))
    for function in (bad_nonces, foreign_urls, start_up, registration):
        cases.case(function.__name__, function, machine)


# ---- parties that answer with something else ----


def odd_rows() -> list[tuple[str, str, str]]:
    """party, what it does, the reason"""
    rows = [(kind, name, reasons[i]) for name, reasons in ANSWERS.items()
            for i, kind in enumerate(("ca", "authority"))]
    return rows + [(kind, name, reason) for name, reason in CONNECTIONS.items()
                   for kind in ("ca", "authority")]


def odd_tenant(machine: Machine, party: Party, kind: str, name: str) -> str:
    """A provider that depends on it, and the section that names it."""
    url, tls_ca = party.place(name)
    section = f"odd-{name}"
    if kind == "ca":
        add_config(machine, f'ca "{section}" {{ directory = {quote(url)}\n'
                   f'\ttls_ca = {quote(str(tls_ca))} terms_agreed = yes token = "main" }}\n')
        change = ('ca = "lab"', f'ca = "{section}"')
    else:
        secret = machine.secret("odd", "nobody's secret", "net_user")
        add_config(machine, f'authority "{section}" {{ url = {quote(url)}\n'
                   f'\ttls_ca = {quote(str(tls_ca))} account = "osp"\n'
                   f"\tsecret = {quote(secret)} }}\n")
        change = ('authority = "providers"', f'authority = "{section}"')
    tenant = f"{kind}-{name}"
    text = machine.provider(tenant)
    true(change[0] in text, f"no {change[0]}")
    machine.write_tenant(tenant, text.replace(*change))
    return tenant


def odd_told(machine: Machine, tenant: str, reason: str) -> None:
    """Said in status, nothing in force, not asked again in a loop."""
    wait_for(f"{reason} about {tenant}: {detail(machine, tenant)}",
             lambda: detail(machine, tenant).startswith(reason + ":"), 20 * SLOW)
    equal((machine.credential(tenant)["state"], serial(machine, tenant)), ("pending", None))


def renewer_kib(machine: Machine) -> int:
    pid = process.roles(machine.agent.pid)["renewer"][0]
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")))


def odd_bounds(machine: Machine, party: Party, tries: int) -> None:
    """Nobody followed a redirection; no body was read to its end, nor held."""
    equal(party.trapped, 0, "requests that followed a redirection")
    true(party.poured < tries * 16 * 1024 * 1024, f"{party.poured} bytes were taken")
    if SLOW == 1.0:
        true(renewer_kib(machine) < 128 * 1024, f"{renewer_kib(machine)} KiB in the renewer")
    for tenant in WORKERS:
        signs(machine, tenant, serial(machine, tenant))


def odd_parties(cases: Cases, machine: Machine) -> None:
    party = Party(machine.dir / "odd")
    rows = [(odd_tenant(machine, party, kind, name), name, reason)
            for kind, name, reason in odd_rows()]
    machine.reload()
    for tenant, _, reason in rows:
        cases.case(f"{tenant}: {reason}", odd_told, machine, tenant, reason)
    cases.case("bounds", odd_bounds, machine, party, 200)
    for tenant, *_ in rows:
        (machine.config / f"tenants.d/{tenant}.conf").unlink()
    machine.reload()
    party.close()


# ---- what an operator is told -----------------------------------------------


def status_line(machine: Machine, tenant: str) -> str:
    """The tenant's line of `vesper status`, as people read it."""
    text = subprocess.run([BUILD / "vesper", "status", "--socket", machine.admin_socket],
                          capture_output=True, text=True).stdout
    lines = [line for line in text.splitlines() if line.startswith(f"{tenant}/main")]
    equal(len(lines), 1, f"lines about {tenant} in {text}")
    return lines[0]


def told(machine: Machine, tenant: str, *words: str) -> None:
    """One line that says what failed and what to do."""
    wait_for(f"{words} about {tenant}", lambda: all(
        w in detail(machine, tenant) for w in words), 10 * SLOW)
    line = status_line(machine, tenant)
    print(f"# {line}")
    true(all(word in line for word in words), f"{words} not in: {line}")


def wrong_binding(machine: Machine) -> None:
    add_config(machine, ca_section(machine, "wrong", "d3JvbmctZWFiLWtleS13cm9uZy1lYWIta2V5IQ"))
    machine.write_tenant("unbound", worker(machine, WORKERS[2], "wrong").replace(
        f'tenant "{WORKERS[2]}"', 'tenant "unbound"'))
    machine.reload()
    told(machine, "unbound", "acme_", "check eab_kid and eab_key")


def refused_numbers(machine: Machine) -> None:
    """The authority answers 403: the entity has no right to the number that was added."""
    tenant = WORKERS[3]
    before, path = serial(machine, tenant), machine.config / f"tenants.d/{tenant}.conf"
    text = path.read_text()
    path.write_text(text.replace("numbers = { ", 'numbers = { "12025550900", ', 1))
    machine.reload()
    told(machine, tenant, "authority", "check its account, secret and the numbers asked for")
    signs(machine, tenant, before)
    path.write_text(text)
    machine.reload()
    wait_for("the refusal to go", lambda: not detail(machine, tenant), 10 * SLOW)
    signs(machine, tenant, serial(machine, tenant))


def lab_gone(machine: Machine) -> None:
    """In the middle of an order; afterwards it goes on by itself, with the same order."""
    tenant = WORKERS[4]
    before = serial(machine, tenant)
    renew(machine, tenant)
    wait_for("the order", lambda: order_path(machine, tenant), 15 * SLOW)
    machine.stop_lab()
    told(machine, tenant, "unreachable", "tried again by itself")
    signs(machine, tenant, before)
    machine.start_lab()
    all_renewed(machine, {tenant: before}, 40 * SLOW)


def operator(cases: Cases, machine: Machine) -> None:
    for function in (wrong_binding, refused_numbers, lab_gone):
        cases.case(function.__name__, function, machine)


def main() -> int:
    cases = Cases("refused")
    with Machine(lab_config=lab_config()) as machine:
        machine.kills = True  # the renewer, once
        began = time.monotonic()
        machine.start(tenants, lab={"ca": {
            "validation_delay_ms": int(500 * SLOW), "order_x5u": True,
            "profiles": {"short": {"description": "an hour", "lifetime": 3600}}}})
        print(f"# ready after {time.monotonic() - began:.1f} s", flush=True)
        for part in (certificates, order_cases, tokens, transport, odd_parties, operator):
            part(cases, machine)
            print(f"# {part.__name__}: {time.monotonic() - began:.1f} s", flush=True)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
