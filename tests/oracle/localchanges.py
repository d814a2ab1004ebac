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
from certmake import Constraints, Sct
from generate import NOW
from local import RANK
from settle import ANSWERING, X5U, Home, Setting

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
# They turn a caller's number into another.
NUMBERS = {"wrong_orig", "wrong_number", "outside", "third_party", "other_number", "twice_inside",
           "base_claim_committed"}  # orig/tn may be committed to where orig_uri is (D-26)


def domain(s: Setting) -> bool:
    """The caller is someone of a domain (D-26)."""
    return isinstance(s.pair.claims, dict) and "uri" in s.pair.claims.get("orig", {})


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
        if (mutation.__name__ in NUMBERS | UNORDERED and domain(s)) or \
                mutation.__name__ in _switched(s):
            return None
        pair = mutation(family, s.pair)
        if pair is None or not _speakable(s, pair):
            return None
        return s.changed(pair=pair)
    made.__name__ = mutation.__name__
    return made


def _switched(s: Setting) -> set[str]:
    """What a switch of the credential lets pass."""
    c, out = s.tenant.credentials[0], set()
    out |= {"without_its_salt"} if c.unsalted else set()
    out |= {"attest_in_answer"} if c.answers_attest else set()
    return out | ({"elsewhere_without_digests"} if c.no_digests else set())


def _speakable(s: Setting, pair) -> bool:
    """Can the route say it at all?  What the ATIS route does not know it passes over."""
    if s.parts:
        return pair.text is None and isinstance(pair.claims, dict)
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
    root = json.loads(s.ask(g.rng, g.maker).body)
    return s.changed(body=json.dumps(change_root(root)).encode())


@change("unknown_member")
def stranger(g: Home, s: Setting):
    name = g.rng.choice(("iat", "Claims", "passport", "dry_run", "orig", "claims ", "x", "profile"))
    if s.parts and g.rng.random() < 0.5:  # the context is that of the whole call
        return _row(g, s, lambda row: {**row, g.rng.choice(("context", name)): {}})
    return None if s.atis else _again(g, s, lambda root: {**root, name: g.rng.choice((1, "x", {}))})


def _row(g: Home, s: Setting, change_row) -> Setting:
    """One of a call's, changed."""
    def made(root: dict) -> dict:
        rows = list(root["sign"])
        lost = g.rng.randrange(len(rows))
        return {**root, "sign": rows[:lost] + [change_row(rows[lost])] + rows[lost + 1:]}
    return _again(g, s, made)


@change("missing_member")
def nothing_asked(g: Home, s: Setting):
    name = "signingRequest" if s.atis else "claims"
    if s.parts:
        name = g.rng.choice(("claims", "sign"))
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
    if s.parts:
        return _wrong_call(g, s)
    name, value = rng.choice((
        ("ppt", None), ("ppt", 5), ("ppt", ["rcd"]), ("tenant", None), ("tenant", ""),
        ("tenant", 5), ("tenant", "a" * 64), ("credential", None), ("credential", ""),
        ("credential", ["main"]), ("context", None), ("context", []), ("context", {"a": 1}),
        ("context", {"a": "x" * 1024}), ("original", None), ("original", []),
        ("original", "a.b.c"), ("original", [5]), ("original", ["a"] * 9), ("delegate", ""),
        ("delegate", 5), ("delegate", None), ("delegate", ["a.b.c"])))
    return _again(g, s, lambda root: {**root, name: value})


def _wrong_call(g: Home, s: Setting):
    rng = g.rng
    name, value = rng.choice((
        ("sign", []), ("sign", {}), ("sign", None), ("sign", [5]), ("sign", [[]]), ("sign", [None]),
        ("mode", "some"), ("mode", None), ("mode", ["all"]), ("mode", "ALL"), ("claims", []),
        ("claims", None), ("context", 5), ("row", "tenant"), ("row", "ppt"), ("row", "claims"),
        ("row", "credential"), ("row", "delegate"), ("row", "original"), ("many", None)))
    if name == "row":
        return _row(g, s, lambda row: {**row, value: 5})
    if name == "many":
        return _again(g, s, lambda root: {**root, "sign": (root["sign"] * 17)[:17]})
    return _again(g, s, lambda root: {**root, name: value})


@change("unknown_claim")
def shared_by_none(g: Home, s: Setting):
    """What is one PASSporT's is not all's."""
    name = g.rng.choice(("attest", "origid", "crn", "mky", "foo"))
    return _again(g, s, lambda root: {**root, "claims": {**root["claims"], name: "A"}}) \
        if s.parts else None


@change("duplicate_member")
def said_twice(g: Home, s: Setting):
    """By all and by one, equal or not."""
    if not s.parts:
        return None
    claims = {n: s.pair.claims[n] for n in ("orig", "dest")}
    def made(row: dict) -> dict:
        name = g.rng.choice(tuple(claims))
        return {**row, "claims": {**row["claims"], name: claims[name]}}
    def both(root: dict) -> dict:
        return {**root, "claims": {**root["claims"], **claims}, "sign": [
            {**row, "claims": {n: v for n, v in row["claims"].items() if n not in claims}}
            for row in root["sign"]]}
    return _row(g, _again(g, s, both), made)


@change("invalid_claim")
def dated_alone(g: Home, s: Setting):
    """A call has one iat."""
    if not s.parts or "iat" in s.pair.claims:
        return None
    return _row(g, s, lambda row: {**row, "claims": {**row["claims"], "iat": s.pair.at}})


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
def named_in_reserve(g: Home, s: Setting):
    """It is named, and in reserve for one that would do."""
    if not s.alone or s.atis:
        return None
    return g.beside(s.main(reserve_for="twin"), g.twin(s)).changed(
        alone=False, names=(s.names[0], "main"))


@change("number_pending")
def over_too_early(g: Home, s: Setting):
    """What has been gone over to has no certificate yet."""
    if s.names[1] is not None or not s.alone or s.pair.third or g.fetched is not None or domain(s):
        return None
    twin = g.twin(s, certificate=None, renewable=True, reserve_for="main")
    return g.beside(s, twin).tenanted(over=("main",)).changed(alone=False)


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
    if s.pair.third or s.tenant.credentials[0].unlisted != "refuse" or domain(s) or s.word:
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
    if g.fetched is None or s.pair.third or s.tenant.credentials[0].renewable or domain(s):
        return None
    c = replace(s.pair.certificate, entries=None)
    return s.main(listed=(("one", "888888888888888"),)).changed(pair=s.pair.changed(certificate=c))


@change("number_pending")
def certificate_to_come(g: Home, s: Setting):
    if s.pair.third or domain(s):
        return None  # no number waits for it; which reason it is then, nobody says
    return s.main(renewable=True).changed(certificate=False)


@change("number_pending")
def number_to_come(g: Home, s: Setting):
    """It is configured, and the next certificate will have it (D-60)."""
    if g.provider or s.pair.third or g.fetched is not None or s.pair.encompassing or domain(s):
        return None
    c = replace(s.pair.certificate, entries=[("one", "888888888888888")])
    return s.main(renewable=True).changed(pair=s.pair.changed(certificate=c))


@change("credential_unusable")
def rubbish(g: Home, s: Setting):
    return s.main(rubbish=True)


@change("credential_unusable")
def list_too_old(g: Home, s: Setting):
    if g.fetched is None or domain(s):
        return None
    return s.main(fetched_at=s.pair.at - house.LIST_MAX_AGE_S - g.rng.choice((1, 2, 86400)))


@change("credential_unusable")
def list_not_at_hand(g: Home, s: Setting):
    return s.main(listed=None) if g.fetched is not None and not domain(s) else None


@change("sct_policy")
def too_few_timestamps(g: Home, s: Setting):
    return s.main(scts=g.scts + g.rng.choice((1, 2)))


@change("sct_policy")
def timestamps_that_do_not_count(g: Home, s: Setting):
    """Of logs that nobody knows or that are not used any more, of another certificate, of one
    log twice."""
    at = (NOW - 86400) * 1000
    rows, least = g.rng.choice((
        ((Sct("old", at),), 1), ((Sct("bad", at),), 1), ((Sct("stranger", at),), 1),
        ((Sct("one", at, spoiled=True),), 1), ((Sct("one", at), Sct("one", at - 1000)), 2),
        ((Sct("one", at), Sct("two", at, spoiled=True)), 2), ((Sct("two", at), Sct("old", at)), 2)))
    return s.main(scts=least).changed(
        pair=s.pair.changed(certificate=replace(s.pair.certificate, scts=rows)))


@change("credential_unusable")
def timestamp_to_come(g: Home, s: Setting):
    """A signer must reject it, whatever else there is (protocol.md 6.5)."""
    rows = tuple(g.rng.sample((Sct("one", (NOW + g.rng.choice((2, 3600))) * 1000),
                               Sct("two", (NOW - 5) * 1000)), g.rng.choice((1, 2))))
    if rows == (Sct("two", (NOW - 5) * 1000),):
        return None
    return s.main(scts=g.rng.choice((0, 1))).changed(
        pair=s.pair.changed(certificate=replace(s.pair.certificate, scts=rows)))


@change("hsm_unavailable")
def key_away(g: Home, s: Setting):
    rows = [(t.name, c.name) for t in (s.tenant, *s.more) for c in t.credentials]
    return s.changed(keyless=tuple(rows))


@change("ambiguous_credential")
def two_alike(g: Home, s: Setting):
    if s.names[1] is not None or not s.alone or s.pair.third or g.fetched is not None or domain(s):
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
    if not s.tenant.credentials[0].content or "rcdi" not in s.pair.claims:
        return None
    rng, rows = g.rng, list(s.tenant.credentials[0].content)
    lost = rng.randrange(len(rows))
    uri, known = rows[lost]
    other = generate.hashed(rng, "another").rstrip("=")
    instead = [[(uri, other)]]  # which no trust makes good
    if not s.tenant.credentials[0].trusting:
        instead += [[], [(uri + "x", known)]]
    bad = rows[:lost] + rows[lost + 1:] + rng.choice(instead)
    return s.main(content=tuple(bad))


@change("attest_not_allowed")
def attested_too_high(g: Home, s: Setting):
    if s.pair.ppt != "shaken" or "attest" in s.tenant.observe or s.word:
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
    if s.pair.ppt in oracle.CLASS_PPTS[other] or not s.alone or domain(s) or \
            s.tenant.credentials[0].unlisted != "refuse":
        return None
    entries = [("one", number) for number in g.family.pool] if g.provider else [("spc", "1234")]
    c = replace(s.pair.certificate, entries=entries, by_reference=False, parent=None)
    return s.main(listed=None, origid=None, unlisted="refuse", answers_attest=False).changed(
        pair=s.pair.changed(certificate=c, profile=other))


# ---- switches of the credential -------------------------------------------------------

@change("missing_claim")
def digests_are_due(g: Home, s: Setting):
    return s.main(no_digests=False) if s.tenant.credentials[0].no_digests else None


@change("rcd_content_unknown")
def not_trusted(g: Home, s: Setting):
    return s.main(trusting=False) if s.tenant.credentials[0].trusting else None


@change("commitment_not_provable")
def salts_are_due(g: Home, s: Setting):
    return s.main(unsalted=False) if s.tenant.credentials[0].unsalted and s.pair.salts else None


@change("unknown_claim")
def answers_attest_nothing(g: Home, s: Setting):
    return s.main(answers_attest=False) if s.tenant.credentials[0].answers_attest else None


@change("invalid_claim")
def numbers_alone(g: Home, s: Setting):
    return s.main(uris=False) if domain(s) else None


@change("invalid_claim")
def no_address(g: Home, s: Setting):
    """Not in the form of RFC 8224 section 8.5, or a number that only looks like an address."""
    if not domain(s):
        return None
    rng, host = g.rng, s.pair.claims["orig"]["uri"].rpartition("@")[2]
    uri = rng.choice((
        f"sip:12025550100@{host}", f"sip:+12025550100@{host}", f"sips:911@{host}",
        f"sip:+1-202-555-0100@{host}", f"sip:%2b1x@{host}", f"sip:Alice@{host}", f"SIP:alice@{host}",
        f"sip:alice@{host.upper()}", f"sip:alice@{host}:5060", f"sip:alice@{host};user=phone",
        f"sip:alice:secret@{host}", f"sip:%61lice@{host}", "tel:12025550100", f"sip:{host}",
        f"sip:@{host}", f"https://{host}/", "", f"alice@{host}", f"sip:alice@{host}?x=1"))
    claims = {**s.pair.claims, "orig": {"uri": uri}}
    return s.changed(pair=s.pair.changed(claims=claims))


@change("tn_not_authorized")
def of_another_domain(g: Home, s: Setting):
    if not domain(s):
        return None
    rng, uri = g.rng, s.pair.claims["orig"]["uri"]
    if s.pair.profile != "domain" and rng.random() < 0.5:
        hosts = rng.choice(([], ["other.example"], ["acme.example", "www.acme.example"]))
        return s.changed(pair=s.pair.changed(certificate=replace(s.pair.certificate, hosts=hosts)))
    host = uri.rpartition("@")[2]
    other = rng.choice(("www." + host, host[1:], host + ".example", "other.example", host + "."))
    claims = {**s.pair.claims, "orig": {"uri": uri.replace("@" + host, "@" + other)}}
    return s.changed(pair=s.pair.changed(claims=claims))


@change("invalid_claim")
def domain_unnamed(g: Home, s: Setting):
    """Whose caller it is the request must say where the caller has several tenants."""
    if not domain(s) or s.who.get("door"):
        return None
    other = replace(s.tenant, name="bravo", numbers=("777",), credentials=())
    return s.changed(names=(None, s.names[1]), more=(other,))


# ---- delegates ------------------------------------------------------------------------

def _unproven(g: Home, s: Setting) -> Setting:
    """The word of somebody who shows nothing by it."""
    w, at, rules = s.word, s.pair.at, dict(s.tenant.attestation)
    strict = rules.get("delegate_profile") != "atis-delegate"
    rows = [None, w.changed(key="another"), w.changed(compact=True),
            w.changed(wrap="abc"), w.changed(wrap="{}.x"), w.changed(header={"alg": "none"}),
            w.changed(header={"typ": "JWT"}), w.changed(header={"ppt": "shaken"}),
            w.changed(claims={**w.claims, "iat": at - g.rng.choice((61, 3600))}),
            w.changed(claims={**w.claims, "iat": at + 3600}),
            w.changed(claims={**w.claims, "orig": {"tn": "1" + generate.digits(g.rng, 12)}}),
            w.changed(claims={**w.claims, "dest": {"tn": ["1" + generate.digits(g.rng, 12)]}}),
            w.changed(ppt="rcd", claims={**w.claims, "rcd": {"nam": "A"}, "iss": "A"}),
            w.leaf(entries=[("one", "1" + generate.digits(g.rng, 12))]),
            w.leaf(entries=[("spc", "1234")]), w.leaf(entries=None),
            w.leaf(not_before=at - 86400, not_after=w.claims["iat"] - 1),
            w.leaf(not_before=at + 61, not_after=at + 3600),
            w.leaf(constraints=Constraints(True, exclude=["rcd", "foo"], include=["crn"])),
            w.leaf(constraints=Constraints(permitted=[("orig", ['{"tn":"1"}'])])),
            w.leaf(ca=True, usage=0x06), w.leaf(usage=0x40),
            w.leaf(issuer_validity=(1577836801, 2208988800)).changed(anchored=False)]
    if s.pair.dno:
        rows.append(w.leaf(further=[(s.pair.dno, False, b"\x05\x00")]))
    if strict:
        rows += [w.leaf(scts=()), w.leaf(scts=(Sct("old", NOW * 1000 - 10 ** 9),)),
                 w.leaf(scts=(Sct("one", NOW * 1000 - 10 ** 9, spoiled=True),)),
                 w.leaf(scts=(Sct("one", (at + 3600) * 1000),)),
                 w.leaf(not_before=at - 604800, not_after=at + 3600)]
    if rules.get("delegate_profile") == "domain":
        rows += [w.leaf(hosts=hosts) for hosts in ([], ["other.example"], ["a." + X5U[8:24]],
                                                   [X5U[8:24], "other.example"])]
    if rules.get("delegate_encompassing") != "off":
        rows.append(w.leaf(parent=[("one", "777")]))
    return s.changed(word=g.rng.choice(rows))


def _is_listed(s: Setting) -> bool:
    return s.tenant.numbers != ("777",)


@change("attest_not_allowed")
def delegate_shows_nothing(g: Home, s: Setting):
    return _unproven(g, s) if s.word and _is_listed(s) else None


@change("tn_not_authorized")
def delegate_shows_no_number(g: Home, s: Setting):
    return _unproven(g, s) if s.word and not _is_listed(s) else None


def _provider(s: Setting, **those) -> Setting:
    """The one that attests in the same call."""
    return s.changed(more=tuple(replace(t, **those) if t.name == "osp" else t for t in s.more))


@change("attest_not_allowed")
def call_shows_nothing(g: Home, s: Setting):
    """What a delegate signs in the same call is not what the provider wants of one."""
    if not s.parts:
        return None
    rng, osp = g.rng, next(t for t in s.more if t.name == "osp")
    rules = [r for r in osp.attestation if not r[0].startswith("delegate_")]
    proof = dict(osp.attestation)["delegate_proof"]
    way = rng.random()
    if way < 0.3:
        rules += [("delegate_proof", proof), ("delegate_encompassing", "require")]
    elif way < 0.7:
        rules += [("delegate_proof", proof), ("delegate_encompassing", "off"),
                  ("delegate_profile", rng.choice(("vesper-06", "vesper-05", "domain")))]
    elif not rules:
        rules = [("otherwise", "C")]
    mode = "best_effort" if rng.random() < 0.2 else s.mode
    return _provider(s, attestation=tuple(rules)).changed(mode=mode)


@change("attest_not_allowed")
def call_is_of_another(g: Home, s: Setting):
    """A word of the same number about another call."""
    if not s.parts:
        return None
    dest = {"tn": ["1" + generate.digits(g.rng, 11)]}
    def made(root: dict) -> dict:
        claims = {n: v for n, v in root["claims"].items() if n not in ("orig", "dest")}
        both = {n: s.pair.claims[n] for n in ("orig", "dest")}
        rows = [{**row, "claims": {**row["claims"], **both}} for row in root["sign"]]
        rows[1]["claims"]["dest"] = dest
        return {**root, "claims": claims, "sign": rows}
    return _again(g, s, made)


# ---- what few requests can be refused for ---------------------------------------------

def own(s: Setting) -> list:
    """The changes of what this one has and few have: (reason, change)."""
    c, out = s.tenant.credentials[0], []
    rows = ((s.word, (delegate_shows_nothing, delegate_shows_no_number)),
            (s.parts, (call_shows_nothing, call_is_of_another, shared_by_none, said_twice,
                       dated_alone)),
            (domain(s), (no_address, of_another_domain, domain_unnamed, numbers_alone)),
            (c.no_digests, (digests_are_due,)), (c.trusting, (not_trusted, content_not_known)),
            (c.unsalted, (salts_are_due,)), (c.answers_attest, (answers_attest_nothing,)))
    for has, changes in rows:
        out += [(reason, one) for reason, those in CHANGES.items() for one in those
                if has and one in changes]
    return out
