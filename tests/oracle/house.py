"""A configuration as vesperd.conf(5) has it: who may use what, and which
certificates lie on the disk.  Values, and how they are written down."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from certmake import Certificate, tn_list

REFERENCE = "https://a.example/list"  # where a certificate's list by reference is
LIST_MAX_AGE_S = 86400


@dataclass(frozen=True)
class Credential:
    name: str
    profile: str
    certificate: Certificate | None  # None: there is none yet
    renewable: bool = False  # ca: another certificate is still to come
    priority: int = 0
    reserve_for: str | None = None
    ppts: tuple = ()
    dests: tuple | None = None
    extra: tuple = ()
    third: str | None = None  # third_party_rcd, and its third_party_iss
    rph: tuple = ()
    encompassing: str | None = None
    salts: tuple = ()
    unlisted: str = "refuse"
    unsalted: bool = False  # commit_without_salt = allow
    scts: int | None = 0  # None: of the profile
    content: tuple = ()  # (URI, digest)
    trusting: bool = False  # rcd_content_unknown = trust
    no_digests: bool = False  # rcd_without_rcdi
    answers_attest: bool = False  # attest_in_rsp
    uris: bool = False  # orig_uri
    cached: bool = False  # original_check
    origid: str | None = None  # fixed to this
    spc: str = "1234"  # shaken-sp: its code
    rubbish: bool = False  # what is on the disk is no certificate
    listed: tuple | None = None  # the entries of its list by reference, where that is at hand
    fetched_at: int = 0


@dataclass(frozen=True)
class Tenant:
    name: str
    numbers: tuple
    users: tuple = ()
    groups: tuple = ()
    enabled: bool = True
    entity: str | None = None
    attest_max: str | None = None
    attestation: tuple | None = None  # (rule, grant) and ("lower", True), ("known", uid)
    ppts: tuple = ()
    dests: tuple | None = None
    spcs: tuple = ()  # caller_spc
    rate: int = 0
    observe: tuple = ()
    over: tuple = ()  # those that have failed over to their reserve
    credentials: tuple = ()


@dataclass(frozen=True)
class House:
    tenants: tuple
    dno: str | None = None


# ---- as text ---------------------------------------------------------------------------

def _list(values) -> str:
    return "{ " + ", ".join(f'"{v}"' for v in values) + " }"


def _credential(c: Credential) -> str:
    rows = [f'profile = "{c.profile}"', 'token = "main"',
            'x5u = "https://acme.example/a/"', "identity_max_bytes = 65536",
            f"priority = {c.priority}"]
    rows += [f"min_scts = {c.scts}"] if c.scts is not None else []
    ca = "two" if c.reserve_for else "lab"
    rows += [f'ca = "{ca}"', 'authority = "lab"'] if c.renewable else []
    rows += [f'reserve_for = "{c.reserve_for}"'] if c.reserve_for else []
    rows += [f"ppts = {_list(c.ppts)}"] if c.ppts else []
    rows += [f"dests = {_list(c.dests)}"] if c.dests is not None else []
    rows += [f"extra_claims = {_list(c.extra)}"] if c.extra else []
    rows += ["third_party_rcd = yes", f'third_party_iss = "{c.third}"'] if c.third else []
    rows += [f"rph_namespaces = {_list(c.rph)}"] if c.rph else []
    rows += [f'encompassing = "{c.encompassing or "off"}"']
    rows += ["assert_committed = yes", f'salts = "file:salts-{digest(c.salts)}"'] if c.salts else []
    rows += [f'unlisted_tn = "{c.unlisted}"', f'spc = "{c.spc}"'] if c.profile == "shaken-sp" else []
    rows += ["rcd_content = " + _list(f"{uri} {d}" for uri, d in c.content)] if c.content else []
    rows += ["commit_without_salt = allow"] if c.unsalted and c.salts else []
    rows += ["rcd_content_unknown = trust"] if c.trusting else []
    rows += ["rcd_without_rcdi = yes"] if c.no_digests else []
    rows += ["attest_in_rsp = yes"] if c.answers_attest else []
    rows += ["orig_uri = yes"] if c.uris else []
    rows += ["original_check = cached"] if c.cached else []
    rows += ["origid = fixed", f'origid_value = "{c.origid}"'] if c.origid else []
    return f'credential "{c.name}" {{\n  ' + "\n  ".join(rows) + "\n }\n"


def _attestation(rules: tuple) -> str:
    rows = []
    for name, value in rules:
        if name == "lower":
            rows.append("over_cap = lower")
        elif name == "known":
            rows.append(f'known_user = {{ "{value}" }}')
        else:
            rows.append(f'{name} = "{value}"')
    return "attestation { " + "\n".join(rows) + " }"


def _tenant(t: Tenant) -> str:
    rows = [f"numbers = {_list(t.numbers)}"]
    rows += [f"allow_user = {_list(t.users)}"] if t.users else []
    rows += [f"allow_group = {_list(t.groups)}"] if t.groups else []
    rows += ["enabled = no"] if not t.enabled else []
    rows += [f'entity_id = "{t.entity}"'] if t.entity else []
    rows += [f'attest_max = "{t.attest_max}"'] if t.attest_max else []
    rows += [_attestation(t.attestation)] if t.attestation is not None else []
    rows += [f"ppts = {_list(t.ppts)}"] if t.ppts else []
    rows += [f"dests = {_list(t.dests)}"] if t.dests is not None else []
    rows += [f"caller_spc = {_list(t.spcs)}"] if t.spcs else []
    rows += [f"rate = {t.rate}"] if t.rate else []
    rows += [f"observe = {_list(t.observe)}"] if t.observe else []
    return f'tenant "{t.name}" {{\n ' + "\n ".join(rows) + "\n " + " ".join(
        _credential(c) for c in t.credentials) + "}\n"


MAIN = """\
state_dir = "state"
audit_dir = "audit"
trust_anchors = "anchors.pem"
authority_anchors = "anchors.pem"
ct_logs = "logs.json"
admin_socket = "none"
token "main" { module = "/nowhere/module.so" label = "main" pin = "file:pin" }
ca "lab" { directory = "https://ca.example/directory" token = "main" terms_agreed = yes }
ca "two" { directory = "https://two.example/directory" token = "main" terms_agreed = yes }
authority "lab" { url = "https://authority.example" secret = "file:secret" }
"""


def digest(what) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def _files(house: House, anchors: str, logs: str, pem_of) -> dict[str, str]:
    out = {"vesperd.conf": MAIN + (f'do_not_originate = "{house.dno}"\n' if house.dno else ""),
           "anchors.pem": anchors, "logs.json": logs, "pin": "1234",
           "secret": "1234"}
    for t in house.tenants:
        out[f"tenants.d/{t.name}.conf"] = _tenant(t)
        out.update({f"state/front/failover/{t.name}/{name}.json": '{"since":1}' for name in t.over})
        for c in t.credentials:
            place = f"state/front/tenants/{t.name}/{c.name}/current.pem"
            if c.rubbish:
                out[place] = "no certificate\n"
            elif c.certificate is not None:
                out[place] = pem_of(c.certificate)
            if c.salts:
                out[f"salts-{digest(c.salts)}"] = "\n".join(c.salts) + "\n"
    return out


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def write(house: House, folder: Path, there: dict, anchors: str, logs: str,
          pem_of) -> list[tuple]:
    """The configuration and the state, in the place of what was there; the lists
    by reference are told, for the agent itself has to write those: (tenant,
    credential, fetched_at, DER)."""
    files = _files(house, anchors, logs, pem_of)
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.relpath(path, folder) not in files:
                os.unlink(path)
    for name, text in files.items():
        if there.get(name) != text:
            _put(folder / name, text)
    there.clear()
    there.update(files)
    return [(t.name, c.name, c.fetched_at, tn_list(list(c.listed)))
            for t in house.tenants for c in t.credentials if c.listed is not None]
