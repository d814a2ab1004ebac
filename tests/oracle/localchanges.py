"""One change each that turns a request which an agent must sign into one that it
must refuse for what stands in its configuration, or in the request around the
claims.  What is wrong in claims and certificates is in mutations.py, whose
changes are made here as well.
"""

from __future__ import annotations

import json
from dataclasses import replace

import generate
import house
import local
import mutations
import oracle
from local import RANK
from settle import ANSWERING, Home, Setting

CHANGES: dict[str, list] = {}


def change(reason: str):
    def note(function):
        CHANGES.setdefault(reason, []).append(function)
        return function
    return note


# ---- the changes of certificate and claims ---------------------------------------------

# What they are called where a whole agent decides: what does not decode was not put
# in force.
CALLED = {"undecodable": "credential_unusable"}
# They are about the command, or about what is judged when a chain is put in force;
# and claims of one type are mostly wrong in another.
LEFT_OUT = {"code_instead_of_numbers", "issuer_at_other_time", "ppt_of_another_class"}
# At which step these are found is nowhere said; it matters beside other credentials.
UNORDERED = {"no_third_party", "another_third_party", "numbers_that_do_not_call"}


def _inner(mutation):
    def made(g: Home, s: Setting):
        family = g.family
        if mutation.__name__ in ("outside", "bad_list", "leaf_unfit", "beyond_the_issuer",
                                 "doubled", "bad_constraints", "other_time") and g.fetched is not None:
            return None  # where the list is elsewhere, these are others' words
        if s.tenant.credentials[0].unlisted != "refuse" and mutation.__name__ == "outside":
            return None
        if mutation.__name__ in UNORDERED and not s.alone:
            return None
        pair = mutation(family, s.pair)
        if pair is None or not _speakable(s, pair):
            return None
        return s.changed(pair=pair)
    made.__name__ = mutation.__name__
    return made


def _speakable(s: Setting, pair) -> bool:
    """Can the ATIS route say it at all?  What it does not know it passes over."""
    if not s.atis:
        return True
    return pair.text is None and isinstance(pair.claims, dict) and \
        set(pair.claims) <= local.ATIS_CLAIMS and not pair.original


for _reason, _rows in mutations.CHANGES.items():
    for _row in _rows:
        if _row.__name__ not in LEFT_OUT:
            change(CALLED.get(_reason, _reason))(_inner(_row))
# What else they may bring: the number may be in another entry, or be still to come.
MAYBE = {"list_too_old": {local.ALLOW}, "missing": {local.ALLOW},  # origid, where it is made
         "list_not_at_hand": {local.ALLOW, "tn_not_authorized", "number_pending"},
         "outside": {local.ALLOW, "number_pending"},
         "unknown": {"invalid_claim"}}


# ---- the request ---------------------------------------------------------------------

def _again(g: Home, s: Setting, change_root) -> Setting:
    """The body with its root changed."""
    root = json.loads(s.ask(g.rng).body)
    return s.changed(body=json.dumps(change_root(root)).encode())


@change("unknown_member")
def stranger(g: Home, s: Setting):
    name = g.rng.choice(("iat", "Claims", "passport", "dry_run", "orig", "claims ", "x", "profile"))
    return None if s.atis else _again(g, s, lambda root: {**root, name: g.rng.choice((1, "x", {}))})


@change("missing_member")
def nothing_asked(g: Home, s: Setting):
    name = "signingRequest" if s.atis else "claims"
    return _again(g, s, lambda root: {n: v for n, v in root.items() if n != name})


@change("invalid_member")
def wrong_member(g: Home, s: Setting):
    rng = g.rng
    if s.atis:
        return _again(g, s, lambda root: {"signingRequest": rng.choice((
            [root], 5, None, "x", {**root["signingRequest"], "vesper": rng.choice((
                5, [], "acme", {"tenant": 5}, {"tenant": ""}, {"credential": None},
                {"credential": "a" * 64}))}, {**root["signingRequest"], "ppt": rng.choice((
                    5, None, ["shaken"]))}))})
    name, value = rng.choice((
        ("ppt", None), ("ppt", 5), ("ppt", ["rcd"]), ("tenant", None), ("tenant", ""),
        ("tenant", 5), ("tenant", "a" * 64), ("credential", None), ("credential", ""),
        ("credential", ["main"]), ("context", None), ("context", []), ("context", {"a": 1}),
        ("context", {"a": "x" * 1024}), ("original", None), ("original", []),
        ("original", "a.b.c"), ("original", [5]), ("original", ["a"] * 9)))
    return _again(g, s, lambda root: {**root, name: value})


@change("invalid_member")
def wrong_query(g: Home, s: Setting):
    return None if s.atis else s.changed(query=g.rng.choice((
        "dry_run", "dry_run=2", "dry_run=yes", "x=1", "dry_run=1&x=1", "DRY_RUN=1", "dry_run=01")))


@change("missing_original")
def nothing_answered(g: Home, s: Setting):
    return s.changed(pair=s.pair.changed(original=[])) if s.pair.ppt in ANSWERING else None


@change("original_invalid")
def chains_not_known(g: Home, s: Setting):
    """original_check = cached: only those that somebody verified."""
    return s.main(cached=True) if s.pair.ppt in ANSWERING and s.alone else None


@change("clock_not_credible")
def before_the_release(g: Home, s: Setting):
    return s.changed(pair=s.pair.changed(at=g.rng.choice((
        local.RELEASE - 1, local.RELEASE - 10 ** 6, 0, 1))))


# ---- the caller ----------------------------------------------------------------------

@change("caller_not_allowed")
def another_caller(g: Home, s: Setting):
    others = [{"uid": 3000, "gid": 3000}, {"uid": 0, "gid": 0}, {"uid": 77, "gid": 1000},
              {"uid": 3000, "gid": 5, "groups": (1000, 6, 8)}, {"uid": 3000, "gid": 3000, "door": "acme"},
              {"uid": 1000, "gid": 77, "groups": (77,), "door": "other"}]
    taken = {uid for t in (s.tenant, *s.more) for uid in t.users}
    others = [who for who in others if who["uid"] not in taken or "door" in who]
    return s.changed(who=g.rng.choice(others), more=())


@change("caller_not_allowed")
def another_name(g: Home, s: Setting):
    """A tenant that is not there, or not this caller's."""
    name = g.rng.choice(("nobody", "ACME", "acme ", "acm", "main"))
    return s.changed(names=(name, s.names[1]))


@change("caller_not_allowed")
def no_longer_allowed(g: Home, s: Setting):
    if s.who.get("door_opens"):
        return None
    return s.tenanted(users=(1,), groups=(2,)).changed(more=())


@change("tenant_disabled")
def switched_off(g: Home, s: Setting):
    return s.tenanted(enabled=False).changed(more=())


@change("rate_limited")
def too_often(g: Home, s: Setting):
    if "rate" in s.tenant.observe:
        return None
    return s.tenanted(rate=1).changed(times=200)


# ---- the credential ------------------------------------------------------------------

@change("no_credential")
def another_credential(g: Home, s: Setting):
    return s.changed(names=(s.names[0], g.rng.choice(("nothing", "MAIN", "mai", "mainn", "acme"))))


@change("no_credential")
def type_not_allowed(g: Home, s: Setting):
    if "ppts" in s.tenant.observe:
        return None
    name = s.pair.ppt or "base"
    others = tuple(g.rng.sample([n for n in ("base", "shaken", "rcd", "div", "div-o", "rsp", "msg")
                                 if n != name], g.rng.choice((1, 2))))
    return s.tenanted(ppts=others) if g.rng.random() < 0.5 else s.main(ppts=others)


@change("tn_not_authorized")
def not_configured(g: Home, s: Setting):
    """D-60: the certificate lives on, the number is gone."""
    if s.pair.third or s.tenant.credentials[0].unlisted != "refuse":
        return None
    rng, pool = g.rng, set(g.family.pool)
    claims = s.pair.claims
    mine = {generate.plain(tn) for tn in (
        claims["dest"]["tn"] if s.pair.ppt == "rsp" else
        [claims["div" if "div" in claims else "orig"]["tn"]])}
    lost = rng.choice(sorted(mine))
    left = [n for n in sorted(pool - {lost})]
    if lost.isdigit():
        left += _beside(lost)
    return s.tenanted(numbers=tuple(left) or ("999999999999999",)).changed(more=())


def _beside(number: str) -> list[str]:
    """All around it, but not the number itself."""
    size, n = len(number), int(number)
    out = [f"{max(0, n - 3):0{size}}-{n - 1:0{size}}"] if n >= 2 else []
    top = 10 ** size - 1
    return out + ([f"{n + 1:0{size}}-{min(top, n + 3):0{size}}"] if n + 2 <= top else [])


@change("tn_not_authorized")
def third_party_unnamed(g: Home, s: Setting):
    """Whose word it is the request must say where the caller has several tenants."""
    if not s.pair.third or s.who.get("door"):
        return None
    other = replace(s.tenant, name="bravo", numbers=("777",), credentials=())
    return s.changed(names=(None, s.names[1]), more=(other,))


@change("tn_not_authorized")
def not_on_the_list(g: Home, s: Setting):
    """By reference: the list has lost it (D-46)."""
    if g.fetched is None or s.pair.third or s.tenant.credentials[0].renewable:
        return None
    c = replace(s.pair.certificate, entries=None)
    return s.main(listed=(("one", "888888888888888"),)).changed(pair=s.pair.changed(certificate=c))


@change("number_pending")
def certificate_to_come(g: Home, s: Setting):
    if s.pair.third:
        return None  # no number waits for it; which reason it is then, nobody says
    return s.main(renewable=True).changed(certificate=False)


@change("number_pending")
def number_to_come(g: Home, s: Setting):
    """It is configured, and the next certificate will have it (D-60)."""
    if g.provider or s.pair.third or g.fetched is not None or s.pair.encompassing:
        return None
    c = replace(s.pair.certificate, entries=[("one", "888888888888888")])
    return s.main(renewable=True).changed(pair=s.pair.changed(certificate=c))


@change("credential_unusable")
def rubbish(g: Home, s: Setting):
    return s.main(rubbish=True)


@change("credential_unusable")
def list_too_old(g: Home, s: Setting):
    if g.fetched is None:
        return None
    return s.main(fetched_at=s.pair.at - house.LIST_MAX_AGE_S - g.rng.choice((1, 2, 86400)))


@change("credential_unusable")
def list_not_at_hand(g: Home, s: Setting):
    return s.main(listed=None) if g.fetched is not None else None


@change("sct_policy")
def too_few_timestamps(g: Home, s: Setting):
    return s.main(scts=g.rng.choice((1, 2)))


@change("hsm_unavailable")
def key_away(g: Home, s: Setting):
    rows = [(t.name, c.name) for t in (s.tenant, *s.more) for c in t.credentials]
    return s.changed(keyless=tuple(rows))


@change("ambiguous_credential")
def two_alike(g: Home, s: Setting):
    if s.names[1] is not None or not s.alone or s.pair.third or g.fetched is not None:
        return None
    main = s.tenant.credentials[0]
    twin = replace(main, name="twin", profile=s.pair.profile, extra=tuple(s.pair.allow),
                   encompassing=s.pair.encompassing, salts=tuple(s.pair.salts),
                   certificate=replace(s.pair.certificate, key="another"))
    if g.rng.random() < 0.5 or s.names[0] is not None:
        return s.tenanted(credentials=(main, twin))
    return s.changed(more=(replace(s.tenant, name="bravo", credentials=(twin,)),)) \
        if not s.who.get("door") else None


# ---- the tenant's rules --------------------------------------------------------------

@change("dest_not_allowed")
def not_to_be_called(g: Home, s: Setting):
    if "dests" in s.tenant.observe:
        return None
    rng, dest = g.rng, s.pair.claims["dest"]
    entries = ["99999999999"]
    numbers = [generate.plain(tn) for tn in dest.get("tn", [])]
    if numbers:
        lost = rng.choice(numbers)
        entries += [n for n in numbers if n != lost]
        if lost.isdigit() and len(lost) < 15:
            entries += [lost + "0...", *_beside(lost)]
    entries = tuple(dict.fromkeys(entries))
    return s.tenanted(dests=entries) if rng.random() < 0.5 else s.main(dests=entries)


@change("originator_not_listed")
def another_originator(g: Home, s: Setting):
    named = [e[1] for e in g.family.entries if e[0] == "spc"]
    here = s.pair.certificate.entries
    if g.provider or not named or here is None or not any(e[0] == "spc" for e in here):
        return None
    return s.tenanted(spcs=tuple(g.rng.sample(
        ("9999", *(n.lower() if n != n.lower() else n.upper() + "0" for n in named)), 2)))


@change("rcd_content_unknown")
def content_not_known(g: Home, s: Setting):
    if not g.content or "rcdi" not in s.pair.claims:
        return None
    rng, rows = g.rng, list(s.tenant.credentials[0].content)
    lost = rng.randrange(len(rows))
    uri, known = rows[lost]
    other = generate.hashed(rng, "another").rstrip("=")
    bad = rows[:lost] + rows[lost + 1:] + rng.choice(([], [(uri, other)], [(uri + "x", known)]))
    return s.main(content=tuple(bad))


@change("attest_not_allowed")
def attested_too_high(g: Home, s: Setting):
    if s.pair.ppt != "shaken" or "attest" in s.tenant.observe:
        return None
    rng, asked = g.rng, s.pair.claims["attest"]
    less = [grant for grant in ("B", "C") if RANK[grant] < RANK[asked]]
    way = rng.random()
    if way < 0.4:
        return s.tenanted(attestation=None, attest_max=rng.choice(less + [None]))
    rules = [("known", 5999), ("known_customer", "B")] if way < 0.7 else [("delegate_proof", "A")]
    rules += [("listed", rng.choice(less))] if less and rng.random() < 0.5 else []
    if less and rng.random() < 0.3:
        rules += [("otherwise", rng.choice(less))]
    rules += [("lower", True)] if not (set(dict(rules)) & {"listed", "otherwise"}) else []
    return s.tenanted(attest_max=None, attestation=tuple(rules))


@change("attest_not_allowed")
def unlisted_too_high(g: Home, s: Setting):
    """Also where attest is observed: that is for numbers that are listed."""
    cap = s.tenant.credentials[0].unlisted
    if cap == "refuse" or dict(s.tenant.attestation or ()).get("lower"):
        return None
    more = [grant for grant in g.family.values.get("attest", "ABC") if RANK[grant] > RANK[cap]]
    if not more:
        return None
    claims = {**s.pair.claims, "attest": g.rng.choice(more)}
    watched = tuple(dict.fromkeys((*s.tenant.observe, "attest")))
    s = s.tenanted(observe=watched) if g.rng.random() < 0.5 else s
    return s.changed(pair=s.pair.changed(claims=claims))


@change("value_not_permitted")
def lowered_too_far(g: Home, s: Setting):
    """What is signed, not what was asked, has to be what the certificate permits."""
    if s.pair.ppt != "shaken" or "attest" not in g.family.values or \
            s.tenant.credentials[0].unlisted != "refuse":
        return None
    less = [grant for grant in ("B", "C") if RANK[grant] < RANK[s.pair.claims["attest"]] and
            grant not in g.family.values["attest"]]
    if not less:
        return None
    return s.tenanted(attest_max=None, attestation=(("listed", g.rng.choice(less)), ("lower", True)))


@change("tn_not_authorized")
def unlisted_refused(g: Home, s: Setting):
    if s.tenant.credentials[0].unlisted == "refuse":
        return None
    return s.main(unlisted="refuse")


@change("rph_not_allowed")
def priority_of_others(g: Home, s: Setting):
    if s.pair.ppt != "rph":
        return None
    used = {v.partition(".")[0] for v in s.pair.claims["rph"]["auth"]}
    left = tuple(n for n in ("wps", "esnet", "et", "etss", "dsn") if n not in used)
    return s.main(rph=g.rng.choice(((), left)))


@change("value_not_permitted")
def another_entity(g: Home, s: Setting):
    if "vper" not in s.pair.claims:
        return None
    return s.tenanted(entity=g.rng.choice((g.entity.swapcase() + "x", "entity-2", g.entity[:-1])))


@change("private_claim_in_clear")
def only_tried(g: Home, s: Setting):
    """A dry run must not tell whether a guess is right."""
    return s.changed(dry=True) if s.pair.salts and not s.atis else None


@change("no_credential")
def class_of_others(g: Home, s: Setting):
    """A profile that does not sign the type, with a certificate of its kind."""
    other = "atis-delegate" if g.provider else "shaken-sp"
    if s.pair.ppt in oracle.CLASS_PPTS[other] or not s.alone or \
            s.tenant.credentials[0].unlisted != "refuse":
        return None
    entries = [("one", number) for number in g.family.pool] if g.provider else [("spc", "1234")]
    c = replace(s.pair.certificate, entries=entries, by_reference=False, parent=None)
    return s.main(listed=None, origid=None, unlisted="refuse").changed(
        pair=s.pair.changed(certificate=c, profile=other))
