# Configuration of the lab: defaults, one JSON file, changes at run time.
"""Reads and checks the configuration file.

The file names only what differs from the defaults; accounts come from the
file alone.  docs/LAB.md explains every key.
"""
from __future__ import annotations

import copy
import json
import os
import secrets
import threading
from typing import Any

from . import jose
from .store import write_file

DAY = 86400

DEFAULTS: dict[str, Any] = {
    "ports": {"ca": 14000, "authorities": 14001, "logs": 14002,
              "notary": 14003, "control": 14100, "repository": 8443},
    "number_authority": {
        "name": "Lab Number Authority", "header": "x5c",
        "token_lifetime": 7 * DAY, "accounts": {}},
    "claim_agent": {
        "name": "Lab Claim Agent", "header": "x5c",
        "token_lifetime": 7 * DAY, "bind_limit": 16, "accounts": {}},
    "notary": {"name": "Lab Notary Agent", "require_registered": True,
               "require_logged": False, "suspended": []},
    "ca": {
        "organization": "Lab STI-CA", "country": "US",
        "organizations": {}, "eab_required": True, "eab": {},
        "bad_nonce_share": 0.0, "terms_of_service": None,
        "challenge_response": "both", "fingerprints": ["jwk"],
        "one_time_jti": True, "cap_by_token": True,
        "token_authority_hint": None, "order_x5u": False, "profiles": {},
        "star": {"enabled": False, "min_lifetime": 1,
                 "max_duration": 366 * DAY, "allow_certificate_get": True},
        "tn_list_by_reference": False,
        "order_lifetime": DAY, "poll_seconds": 1,
        "validation_delay_ms": 0, "finalize_delay_ms": 0,
        "allow_ca_certificates": False, "backdate": 60, "crldp": False,
        "lifetime": {"delegate": DAY, "shaken": 90 * DAY},
        "max_lifetime": {"delegate": 7 * DAY, "shaken": 90 * DAY},
        "scts": {"delegate": 2, "shaken": 0},
        "policy_oid": "2.16.840.1.114569.1.1.1",
        "ari": {"enabled": True, "start": 0.6, "end": 0.75,
                "retry_after": 3600}},
    "logs": {"operators": [
        {"name": "Lab Log Operator One", "logs": ["one"]},
        {"name": "Lab Log Operator Two", "logs": ["two"]}]},
}

_ACCOUNT_KEYS = {
    "number_authority": {"entity", "organization", "numbers", "spcs",
                         "allow_ca", "dialect", "token_lifetime", "secret",
                         "secret_file"},
    "claim_agent": {"entity", "organization", "claims", "bind_orig",
                    "require_evidence", "narrow", "numbers",
                    "token_lifetime", "secret", "secret_file"},
    "eab": {"organization", "key", "key_file", "lifetime", "max_lifetime",
            "kinds", "scts"},
}

#: What may be changed while the lab runs.
_RUN_TIME = ("number_authority", "claim_agent", "notary", "ca")


class ConfigError(ValueError):
    """The configuration cannot be used."""


def _merge(base: dict, change: dict, where: str, free: frozenset[str]) -> None:
    for key, value in change.items():
        path = f"{where}.{key}" if where else key
        if key.startswith("_"):
            continue  # a comment
        if value is None and where in free:
            base.pop(key, None)
            continue
        if where not in free and key not in base:
            raise ConfigError(f"unknown key {path}")
        if isinstance(base.get(key), dict) and isinstance(value, dict):
            _merge(base[key], value, path, free)
        else:
            if where not in free and not _alike(base[key], value):
                raise ConfigError(f"{path} has the wrong type")
            base[key] = copy.deepcopy(value)


def _alike(old: Any, new: Any) -> bool:
    """Whether a value may take the place of a default."""
    if old is None or new is None:
        return not isinstance(old or new or "", (dict, list))
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    if isinstance(old, (int, float)):
        return isinstance(new, (int, float))
    return isinstance(new, type(old))


_FREE = frozenset({"number_authority.accounts", "claim_agent.accounts",
                   "ca.eab", "ca.organizations", "ca.profiles"})


def _free(tree: dict) -> frozenset[str]:
    """Places whose member names are the user's own."""
    names = set(_FREE)
    for party in ("number_authority", "claim_agent"):
        for account in tree.get(party, {}).get("accounts", {}):
            names.add(f"{party}.accounts.{account}")
            names.add(f"{party}.accounts.{account}.claims")
    for name in tree.get("ca", {}).get("profiles", {}):
        names.add(f"ca.profiles.{name}")
    for kid in tree.get("ca", {}).get("eab", {}):
        for tail in ("", ".lifetime", ".max_lifetime", ".scts"):
            names.add(f"ca.eab.{kid}{tail}")
    return frozenset(names)


class Config:
    """The effective tree; reads are cheap and never see half a change."""

    def __init__(self, tree: dict) -> None:
        self._tree = tree
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str) -> "Config":
        try:
            with open(path, "rb") as source:
                found = jose.parse_object(source.read(), path)
        except (OSError, ValueError) as error:
            raise ConfigError(str(error)) from None
        tree = copy.deepcopy(DEFAULTS)
        _merge(tree, found, "", _free(found))
        _check_accounts(tree)
        return cls(tree)

    def get(self, path: str, default: Any = None) -> Any:
        """Value at a dotted path; account names go through `section`."""
        node: Any = self._tree
        for part in path.split("."):
            if not isinstance(node, dict) or part not in node:
                return default
            node = node[part]
        return node

    def section(self, path: str, name: str) -> dict | None:
        found = self.get(path, {}).get(name)
        return found if isinstance(found, dict) else None

    def change(self, patch: dict) -> None:
        """Applies a partial tree as a whole or not at all."""
        for key in patch:
            if key not in _RUN_TIME:
                raise ConfigError(f"{key} cannot be changed while running")
        with self._lock:
            tree = copy.deepcopy(self._tree)
            _merge(tree, patch, "", _free(tree) | _free(patch))
            _check_accounts(tree)
            for account in _all_accounts(tree):
                if not {"secret", "key"} & set(account):
                    raise ConfigError("an account added while running has its"
                                      " secret or key with it")
            self._tree = tree

    def public(self) -> dict:
        """The tree without secrets."""
        tree = copy.deepcopy(self._tree)
        for account in _all_accounts(tree):
            for key in ("secret", "key"):
                if key in account:
                    account[key] = "…"
        return tree

    def materialise_secrets(self, directory: str) -> dict[str, str]:
        """Generates what the file leaves out; answers name -> path."""
        os.makedirs(directory, mode=0o700, exist_ok=True)
        written = {}
        for label, party, key in (
                ("authority", "number_authority.accounts", "secret"),
                ("claims", "claim_agent.accounts", "secret"),
                ("eab", "ca.eab", "key")):
            for name, account in self.get(party).items():
                path = os.path.join(directory, f"{label}-{name}.txt")
                given = account.get(f"{key}_file")
                if given:
                    with open(given, encoding="ascii") as source:
                        account[key] = source.read().strip()
                elif key not in account and os.path.exists(path):
                    with open(path, encoding="ascii") as source:
                        account[key] = source.read().strip()
                account.setdefault(key, jose.encode(secrets.token_bytes(32)))
                if key == "key":
                    jose.decode(account[key], f"EAB key of {name}")
                write_file(path, account[key] + "\n", 0o600, sync=False)
                written[f"{label}-{name}"] = path
        return written


def _all_accounts(tree: dict) -> list[dict]:
    return [account for group in (tree["number_authority"]["accounts"],
                                  tree["claim_agent"]["accounts"],
                                  tree["ca"]["eab"])
            for account in group.values()]


def _check_accounts(tree: dict) -> None:
    from .tnauth import TNAuthList
    for kind, group in (
            ("number_authority", tree["number_authority"]["accounts"]),
            ("claim_agent", tree["claim_agent"]["accounts"]),
            ("eab", tree["ca"]["eab"])):
        for name, account in group.items():
            if not isinstance(account, dict):
                raise ConfigError(f"{kind} account {name} is not an object")
            if "/" in name or name.startswith("."):
                raise ConfigError(f"{name!r} cannot name an account")
            unknown = {k for k in account if not k.startswith("_")} \
                - _ACCOUNT_KEYS[kind]
            if unknown:
                raise ConfigError(f"{kind} account {name}: unknown"
                                  f" {', '.join(sorted(unknown))}")
            try:
                TNAuthList.from_config(account.get("numbers", []))
            except (ValueError, KeyError) as error:
                raise ConfigError(f"{kind} account {name}: {error}") from None
            if account.get("dialect", "rfc9448") not in ("rfc9448", "sti-pa"):
                raise ConfigError(f"{kind} account {name}: unknown dialect")
    for party in ("number_authority", "claim_agent"):
        if tree[party]["header"] not in ("x5c", "x5u"):
            raise ConfigError(f"{party}.header is x5c or x5u")
    if tree["ca"]["challenge_response"] not in ("tkauth", "atc", "both"):
        raise ConfigError("ca.challenge_response is tkauth, atc or both")
    if not set(tree["ca"]["fingerprints"]) <= {"jwk", "spki"}:
        raise ConfigError("ca.fingerprints holds jwk and spki")
    for name, profile in tree["ca"]["profiles"].items():
        if not isinstance(profile, dict) \
                or not set(profile) <= {"description", "lifetime"} \
                or not isinstance(profile.get("description"), str) \
                or not isinstance(profile.get("lifetime", 1), int):
            raise ConfigError(f"ca.profiles.{name} has a description and"
                              " perhaps a lifetime")
    names = [n for op in tree["logs"]["operators"] for n in op["logs"]]
    if len(set(names)) != len(names):
        raise ConfigError("two logs have the same name")
    json.dumps(tree)
