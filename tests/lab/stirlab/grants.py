# What an account may have: decisions of number authority and claim agent.
"""Pure decisions; the HTTP side is in `authority`."""
from __future__ import annotations

import base64
import hashlib
from typing import Any

from . import jose
from .constraints import BASE_CLAIMS, Constraints
from .tnauth import TNAuthList


class Refusal(ValueError):
    """What was asked is wider than what the account may have."""


def account_numbers(account: dict) -> TNAuthList:
    """Numbers and codes that the configuration gives an account."""
    entries = list(account.get("numbers", []))
    entries += [{"spc": code} for code in account.get("spcs", [])]
    return TNAuthList.from_config(entries)


def check_numbers(asked: TNAuthList, account: dict) -> None:
    """The list asked for lies inside the account's numbers and codes."""
    if not asked.within(account_numbers(account)):
        raise Refusal("the account does not hold all of these numbers")


def origin_text(number: str) -> str:
    """Text of a permitted orig value (RFC 8225 serialisation, D-12)."""
    return jose.serialise({"tn": number})


def grant_constraints(asked: Constraints, account: dict,
                      scope: TNAuthList | None, bind_limit: int) -> Constraints:
    """What the claim agent grants: what was asked, or something narrower.

    V-89: with `bind_orig` orig is bound to the numbers of the evidence, by
    value up to `bind_limit` numbers; above that the token binds it.
    """
    found = asked.faults()
    if found:
        raise Refusal("; ".join(found))
    granted = Constraints(list(asked.must_include),
                          [(c, list(v)) for c, v in asked.permitted],
                          list(asked.must_exclude))
    allowed = account.get("claims", {})
    for claim in _named(asked):
        if claim in BASE_CLAIMS:
            continue
        _check_claim(claim, granted, allowed, bool(account.get("narrow")))
    _check_origin(granted, scope)
    if account.get("bind_orig") and granted.values_of("orig") is None:
        if scope is None:
            raise Refusal("orig cannot be bound without evidence")
        if scope.has_numbers and scope.number_count() <= bind_limit:
            granted.permitted.append(
                ("orig", sorted({origin_text(n) for n in scope.numbers()})))
    return granted


def _named(asked: Constraints) -> list[str]:
    """Claims that the constraints vet: required or given values."""
    seen: dict[str, None] = {}
    for name in asked.must_include + [claim for claim, _ in asked.permitted]:
        seen.setdefault(name)
    return list(seen)


def _values(rule: Any) -> list[Any] | None:
    """None where every value is allowed."""
    return None if rule == "*" else rule if isinstance(rule, list) else [rule]


def _check_claim(claim: str, granted: Constraints, allowed: dict,
                 narrow: bool) -> None:
    path, _, mode = claim.partition("#")
    base, _, pointer = path.partition("/")
    values = granted.values_of(claim)
    if claim in allowed:
        rule = _values(allowed[claim])
        texts = None if rule is None else {jose.claim_text(v) for v in rule}
    elif base in allowed and (mode or pointer):
        rule = _values(allowed[base])
        texts = None if rule is None else {
            _encoded(found, mode) for found in
            (_resolve(v, pointer) for v in rule) if found is not None}
    else:
        raise Refusal(f"the account may not assert {claim}")
    if texts is None:
        return
    if values is None:
        if not narrow:
            raise Refusal(f"{claim} without permitted values is wider than"
                          " what the account may assert")
        granted.permitted.append((claim, sorted(texts)))
    elif not set(values) <= texts:
        raise Refusal(f"the account may not assert this value of {claim}")


def _resolve(value: Any, pointer: str) -> Any:
    """Member of a claim value by RFC 6901 pointer without its first slash."""
    if not pointer:
        return value
    for token in pointer.split("/"):
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdigit() \
                and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def _encoded(value: Any, mode: str) -> str:
    """Text of a value under a mode; commitments cannot be recomputed."""
    if not mode:
        return jose.claim_text(value)
    if mode == "sha-256":
        digest = hashlib.sha256(jose.serialise(value).encode()).digest()
        return base64.b64encode(digest).decode("ascii").rstrip("=")
    raise Refusal("a commitment is only granted where it is configured")


def _check_origin(granted: Constraints, scope: TNAuthList | None) -> None:
    values = granted.values_of("orig")
    for value in values or ():
        try:
            found = jose.parse_object(value, "orig")
            number = found["tn"] if set(found) == {"tn"} else ""
        except (jose.JoseError, KeyError):
            raise Refusal("a permitted orig is {\"tn\":\"…\"}") from None
        if value != origin_text(number):
            raise Refusal("a permitted orig is not in RFC 8225 form")
        if scope is None or not scope.covers(number):
            raise Refusal(f"no evidence that covers {number}")
