"""The whole decision on a request: who asks, which credential of which tenant
would sign, what its tenant's own rules say, and what would be signed.

Written from docs/PROTOCOL.md ("The order of the decision"), vesperd.conf(5) and
the decisions D-01 to D-63, not from the agent's code.  What a certificate says
is oracle.py's and its modules'.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import claimset
import constraint
import house
import jsontext
import leaf
import oracle
import originals
import proofs
import richcall
import tnlist
from oracle import ALLOW
from trust import Trust

RELEASE = 1767225600  # 2026-01-01: no clock before it is believed
ATIS_CLAIMS = frozenset("attest crn dest div iat iss mky msgi opt orig origid rcd rcdi rph sph "
                        "vper".split())
OWN_MEMBERS = frozenset("claims ppt original tenant credential delegate".split())
CALL_MAX = 16
LEAST_SCTS = {"vesper-05": 1, "vesper-06": 1, "domain": 1}  # of the profile (D-01)
# Among the highest that all rules grant; "" is nothing.
RANK = {"": 0, "C": 1, "B": 2, "A": 3}


@dataclass
class Ask:
    """A request, and who brings it."""
    body: bytes
    at: int
    atis: bool = False
    calls: bool = False  # POST /v1/calls
    query: str = ""
    uid: int = 1000
    gid: int = 1000
    groups: tuple = ()
    door: str | None = None  # a socket that is bound to this tenant
    door_opens: bool = False  # auth = socket
    times: int = 1  # how often the same is asked; the last answer counts
    keyless: tuple = ()  # (tenant, credential): no signer has the key


@dataclass
class Verdict:
    reason: str  # or ALLOW
    tenant: str = ""
    credential: str = ""
    observed: frozenset = frozenset()
    payload: str = ""  # what would be signed
    each: tuple = ()  # of a call: one for each of its PASSporTs, in the order of sign

    def line(self) -> str:
        if self.each:
            return "\x1f".join(one.line() for one in self.each)
        if self.reason != ALLOW:
            return self.reason
        return "\t".join((ALLOW, self.tenant, self.credential, ",".join(sorted(self.observed)),
                          self.payload))


class Refusal(Exception):
    """args: the reason."""


@dataclass
class Request:
    claims: dict
    ppt: str | None = None
    tenant: str | None = None
    credential: str | None = None
    original: list = field(default_factory=list)
    delegate: str | None = None
    dry: bool = False


@dataclass
class Call:
    requests: list
    best_effort: bool


@dataclass
class Candidate:
    tenant: house.Tenant
    config: house.Credential
    leaf: leaf.Leaf | None = None  # None: none that may sign
    why: str = ""  # the reason of its health
    claims: dict | None = None  # as this one would sign them
    listed: bool = True  # the tenant names the number
    proven: bool = False  # a delegate has shown the right to it
    observed: set = field(default_factory=set)


# ---- the request -----------------------------------------------------------------------

def _short(value) -> str:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= 63:
        raise Refusal("invalid_member")
    return value


def _context(value) -> None:
    if not isinstance(value, dict) or any(not isinstance(v, str) for v in value.values()) or \
            len(jsontext.write(value).encode()) > 1024:
        raise Refusal("invalid_member")


def _ppt(value) -> str:
    if not isinstance(value, str):
        raise Refusal("invalid_member")
    if value not in claimset.TYPES:
        raise Refusal("unsupported_ppt")
    return value


def _is_dry(query: str) -> bool:
    if query not in ("", "dry_run=0", "dry_run=1"):
        raise Refusal("invalid_member")
    return query == "dry_run=1"


def _native(root: dict, query: str) -> Request:
    dry = _is_dry(query)
    if set(root) - OWN_MEMBERS - {"context"}:
        raise Refusal("unknown_member")
    if "claims" not in root:
        raise Refusal("missing_member")
    if "context" in root:
        _context(root["context"])
    return _one(root, dry)


def _one(root: dict, dry: bool) -> Request:
    """What is said of one PASSporT."""
    claims = root.get("claims", {})
    if not isinstance(claims, dict):
        raise Refusal("invalid_member")
    out = Request(claims, dry=dry)
    out.ppt = _ppt(root["ppt"]) if "ppt" in root else None
    out.tenant = _short(root["tenant"]) if "tenant" in root else None
    out.credential = _short(root["credential"]) if "credential" in root else None
    out.delegate = _word(root)
    rows = root.get("original", [""])
    if not isinstance(rows, list) or not 1 <= len(rows) <= 8 or \
            any(not isinstance(row, str) for row in rows):
        raise Refusal("invalid_member")
    out.original = rows if "original" in root else []
    return out


def _word(root: dict) -> str | None:
    word = root.get("delegate", "x")
    if not isinstance(word, str) or not word:
        raise Refusal("invalid_member")
    return root.get("delegate")


def _merged(shared: dict, own: dict) -> dict:
    """Neither stands above the other."""
    if "iat" in own:
        raise Refusal("invalid_claim")
    if set(own) & set(shared):
        raise Refusal("duplicate_member")
    return {**shared, **own}


def _calls(root: dict, query: str) -> Call:
    """docs/PROTOCOL.md, POST /v1/calls."""
    dry = _is_dry(query)
    if set(root) - {"claims", "sign", "mode", "context"}:
        raise Refusal("unknown_member")
    if not {"claims", "sign"} <= set(root):
        raise Refusal("missing_member")
    if "context" in root:
        _context(root["context"])
    shared, rows, mode = root["claims"], root["sign"], root.get("mode", "all")
    if not isinstance(shared, dict) or not isinstance(rows, list) or \
            not 1 <= len(rows) <= CALL_MAX or mode not in ("all", "best_effort"):
        raise Refusal("invalid_member")
    if set(shared) - {"orig", "dest", "iat"}:
        raise Refusal("unknown_claim")
    out = Call([], mode == "best_effort")
    for row in rows:
        if not isinstance(row, dict):
            raise Refusal("invalid_member")
        if set(row) - OWN_MEMBERS:
            raise Refusal("unknown_member")
        one = _one(row, dry)
        one.claims = _merged(shared, one.claims)
        out.requests.append(one)
    return out


def _atis(root: dict) -> Request:
    if "signingRequest" not in root:
        raise Refusal("missing_member")
    body = root["signingRequest"]
    if not isinstance(body, dict):
        raise Refusal("invalid_member")
    out = Request({n: v for n, v in body.items() if n in ATIS_CLAIMS})
    out.ppt = _ppt(body["ppt"]) if "ppt" in body else "shaken"
    own = body.get("vesper", {})
    if not isinstance(own, dict):
        raise Refusal("invalid_member")
    out.tenant = _short(own["tenant"]) if "tenant" in own else None
    out.credential = _short(own["credential"]) if "credential" in own else None
    out.delegate = _word(own)
    return out


def _read(ask: Ask) -> Call:
    try:
        root = jsontext.read(ask.body)
    except jsontext.Malformed:
        raise Refusal("malformed_json") from None
    except jsontext.Duplicate:
        raise Refusal("duplicate_member") from None
    if not isinstance(root, dict):
        raise Refusal("malformed_json")
    if ask.calls:
        return _calls(root, ask.query)
    return Call([_atis(root) if ask.atis else _native(root, ask.query)], False)


# ---- numbers of a configuration ----------------------------------------------------------

def matches(entry: str, number: str) -> bool:
    """12025550100, 12025550110-12025550119, and for destinations 1212..."""
    if entry.endswith("..."):
        return number.startswith(entry[:-3])
    first, dash, last = entry.partition("-")
    if not dash:
        return entry == number
    return number.isdigit() and len(number) == len(first) and int(first) <= int(number) <= int(last)


def among(entries, number: str) -> bool:
    return any(matches(entry, number) for entry in entries)


# ---- the caller --------------------------------------------------------------------------

def may(ask: Ask, t: house.Tenant) -> bool:
    """Root is not special, and a bound door only narrows."""
    if ask.door is not None and ask.door != t.name:
        return False
    if ask.door is not None and ask.door_opens:
        return True
    return ask.uid in t.users or bool({ask.gid, *ask.groups} & set(t.groups))


def _tenants(h: house.House, ask: Ask, r: Request, claims: dict) -> list[house.Tenant]:
    """Step 5: a named one, else all whose numbers contain the authorising one."""
    mine = [t for t in h.tenants if may(ask, t)]
    if r.tenant is not None:
        mine = [t for t in mine if t.name == r.tenant]
    if not mine:
        raise Refusal("caller_not_allowed")
    if r.tenant is None and ("iss" in claims or "uri" in claims["orig"]):
        if len(mine) > 1:  # whose word it is, is not to be guessed (D-52; vesperd.conf(5))
            raise Refusal("tn_not_authorized" if "iss" in claims else "invalid_claim")
    elif r.tenant is None:
        numbers = claimset.authorising(claims, r.ppt)
        mine = [t for t in mine if _lists(t, numbers) or any(
            c.unlisted != "refuse" and r.ppt == "shaken" for c in t.credentials)]
        if not mine:
            raise Refusal("tn_not_authorized")  # D-59: the number, not the caller
    enabled = [t for t in mine if t.enabled]
    if not enabled:
        raise Refusal("tenant_disabled")
    return enabled


def _lists(t: house.Tenant, numbers: list[str]) -> bool:
    return all(among(t.numbers, number) for number in numbers)


def _rate(h: house.House, ask: Ask, t: house.Tenant) -> bool:
    """Is it asked too often?  One a second, asked very often at one moment."""
    return t.rate != 0 and ask.times > 100 * t.rate


# ---- one credential: each of these raises Refusal ------------------------------------------

class Steps:
    """before: the candidates that sign the call's other PASSporTs, and for which type."""

    def __init__(self, h: house.House, ask: Ask, r: Request, before: list, trust: Trust):
        self.house, self.ask, self.request = h, ask, r
        self.before, self.trust = before, trust

    def observe(self, c: Candidate, rule: str, reason: str) -> None:
        if rule not in c.tenant.observe:
            raise Refusal(reason)
        c.observed.add(rule)

    def reserve(self, c: Candidate) -> None:
        """Who of a pair signs is the operator's word (reserve_for, vesper tenant failover)."""
        own = c.config.reserve_for
        paired = any(o.reserve_for == c.config.name for o in c.tenant.credentials)
        if self.request.credential not in (None, c.config.name, own):
            raise Refusal("no_credential")
        if (own not in c.tenant.over) if own else (paired and c.config.name in c.tenant.over):
            raise Refusal("no_credential")

    def type(self, c: Candidate) -> None:
        ppt = self.request.ppt
        if ppt not in oracle.CLASS_PPTS[c.config.profile]:
            raise Refusal("no_credential")
        for those in (c.tenant.ppts, c.config.ppts):
            if those and (ppt or "base") not in those:
                self.observe(c, "ppts", "no_credential")

    def number(self, c: Candidate) -> None:
        claims, ppt = c.claims, self.request.ppt
        numbers = claimset.authorising(claims, ppt)
        provider = c.config.profile == "shaken-sp"
        c.listed = _lists(c.tenant, numbers)
        c.proven = ppt == "shaken" and provider and self._proven(c)
        if "iss" in claims:
            if not c.config.third:
                raise Refusal("tn_not_authorized")  # D-52
        elif not c.listed and not c.proven and not (
                provider and ppt == "shaken" and c.config.unlisted != "refuse"):
            raise Refusal("tn_not_authorized")  # D-60
        if c.config.certificate is None and not c.config.rubbish:
            raise Refusal("number_pending")
        if c.leaf is None:
            return  # its health is judged later
        if "uri" in claims["orig"]:
            return self._domain(c)
        covered = provider or all(self._covers(c, number) for number in numbers)
        mute = self.house.dno in c.leaf.oids and claimset.TYPES[ppt].authority == "orig"  # D-42
        if "iss" in claims:
            if mute:
                raise Refusal("tn_not_authorized")
            if covered and not provider:
                raise Refusal("invalid_claim")
            if claims["iss"] != c.config.third:
                raise Refusal("value_not_permitted")
            return
        if not covered:
            raise Refusal("number_pending" if c.config.renewable else "tn_not_authorized")
        if mute:
            raise Refusal("tn_not_authorized")

    def _domain(self, c: Candidate) -> None:
        """D-26: the certificate's one dNSName is the host."""
        host = c.claims["orig"]["uri"].rpartition("@")[2]
        if not c.config.uris or [name.lower() for name in c.leaf.hosts] != [host]:
            raise Refusal("tn_not_authorized")
        if self.house.dno in c.leaf.oids:
            raise Refusal("tn_not_authorized")

    def _proven(self, c: Candidate) -> bool:
        rules = dict(c.tenant.attestation or ())
        if "delegate_proof" not in rules:
            return False
        asked = proofs.policy(rules)
        for request, other in self.before:
            if request.ppt in proofs.PROOFS and "iss" not in other.claims and \
                    other.config.profile != "shaken-sp" and \
                    proofs.same_call(other.claims, c.claims) and \
                    asked.takes(other.leaf, _timestamps(other.leaf, self.trust), "acme.example"):
                return True
        return self.request.delegate is not None and proofs.holds(
            self.request.delegate, c.claims, self.ask.at, asked, self.house.dno, self.trust)

    def _covers(self, c: Candidate, number: str) -> bool:
        if c.leaf.numbers is not None and c.leaf.numbers.covers(number):
            return True
        return c.config.listed is not None and _decoded(c.config.listed).covers(number)  # D-46

    def destination(self, c: Candidate) -> None:
        dest = c.claims["dest"]
        for those in (c.tenant.dests, c.config.dests):
            if those is not None and ("uri" in dest or not all(
                    among(those, number) for number in dest.get("tn", []))):
                self.observe(c, "dests", "dest_not_allowed")

    def originator(self, c: Candidate) -> None:
        """V-73, in a delegate's certificate alone."""
        if c.leaf is None or c.config.profile == "shaken-sp" or not c.tenant.spcs:
            return
        named = c.leaf.numbers.spcs if c.leaf.numbers is not None else []
        if named and not set(named) & set(c.tenant.spcs):
            raise Refusal("originator_not_listed")

    def further(self, c: Candidate) -> None:
        """D-51; and attest in a response (D-38) where the profile is that of draft -05."""
        if "origid" in c.claims and not c.config.origid and "origid" not in self.request.claims:
            raise Refusal("missing_claim")
        named = c.leaf.constraints.named() if c.leaf and c.leaf.constraints else set()
        attested = c.config.answers_attest and c.config.profile == "vesper-05"
        claimset.prepare(c.claims, self.request.ppt, self.ask.at, set(c.config.extra) | named,
                         attested, c.config.uris)

    def constraints(self, c: Candidate) -> None:
        if c.leaf is None:
            return
        if c.leaf.constraints:
            lines = [] if self.request.dry else list(c.config.salts)
            reason = constraint.judge(c.leaf.constraints, c.claims, lines, c.config.unsalted)
            if reason:
                raise Refusal(reason)
        if c.config.profile == "vesper-06":
            for name in set(c.claims) - oracle.STRUCTURAL:
                if not (c.leaf.constraints and c.leaf.constraints.vetted(name, c.claims[name])):
                    raise Refusal("claim_not_vetted")

    def content(self, c: Candidate) -> None:
        """D-41: digests of what is elsewhere are the operator's word, or the certificate's."""
        rcd, rcdi = c.claims.get("rcd"), c.claims.get("rcdi")
        if c.leaf is None or rcd is None:
            return
        if rcdi is None:
            if richcall.references(rcd) and not c.config.no_digests:
                raise Refusal("missing_claim")  # RFC 9795 section 4
            return
        permitted = c.leaf.constraints.permitted.get(("rcdi", "")) if c.leaf.constraints else None
        if permitted and jsontext.write(rcdi) in permitted.get(constraint.VALUE, ()):
            return
        known = dict(c.config.content)
        for pointer, uri in elsewhere(rcd).items():
            if not (c.config.trusting if uri not in known else
                    _same_digest(rcdi[pointer], known[uri])):
                raise Refusal("rcd_content_unknown")

    def health(self, c: Candidate) -> None:
        if c.why:
            raise Refusal(c.why)
        if self._aged(c):
            raise Refusal("credential_unusable")  # D-46
        if not all(c.leaf.not_before <= moment <= c.leaf.not_after
                   for moment in (self.ask.at, c.claims["iat"])):
            raise Refusal("credential_expired")
        if (c.tenant.name, c.config.name) in self.ask.keyless:
            raise Refusal("hsm_unavailable")

    def _aged(self, c: Candidate) -> bool:
        """What the certificate holds by value does not age."""
        if c.config.listed is None or "iss" in c.claims or \
                self.ask.at - c.config.fetched_at <= house.LIST_MAX_AGE_S:
            return False
        return c.leaf.numbers is None or not all(
            c.leaf.numbers.covers(n) for n in claimset.authorising(c.claims, self.request.ppt))

    ORDER = (reserve, type, number, destination, originator, further, constraints, content, health)

    def all(self, candidates: list[Candidate]) -> list[Candidate]:
        """The reason is that of the step which left none over."""
        for step in self.ORDER:
            left, reasons = [], []
            for c in candidates:
                try:
                    step(self, c)
                    left.append(c)
                except (Refusal, claimset.Refusal) as refusal:
                    reasons.append(refusal.args[0])
            if not left:
                raise Refusal(reasons[-1])
            candidates = left
        return candidates


def elsewhere(rcd: dict) -> dict[str, str]:
    """Pointer and URI of all that rich call data refers to."""
    out = {f"/{n}": rcd[n] for n in ("icn", "jcl") if rcd.get(n, "").startswith("https:")}
    for i, row in enumerate(rcd.get("jcd", ("", ()))[1]):
        for j, value in enumerate(row):
            if j > 2 and row[2] == "uri" and value.startswith("https:"):
                out[f"/jcd/1/{i}/{j}"] = value
    return out


def _same_digest(one: str, other: str) -> bool:
    return richcall.digest(one) == richcall.digest(other)


_LISTS: dict[tuple, tnlist.TNList] = {}


def _decoded(entries: tuple) -> tnlist.TNList:
    if entries not in _LISTS:
        if len(_LISTS) > 1000:
            _LISTS.clear()
        _LISTS[entries] = tnlist.decode(house.tn_list(list(entries)))
    return _LISTS[entries]


# ---- the choice, and what follows it -------------------------------------------------------

def _best(candidates: list[Candidate]) -> Candidate:
    """Step 11 and vesperd.conf(5), observe."""
    def order(c: Candidate) -> tuple:
        return (not c.observed, c.listed, c.config.priority)
    top = max(map(order, candidates))
    left = [c for c in candidates if order(c) == top]
    if len(left) > 1:
        raise Refusal("ambiguous_credential")
    return left[0]


def _granted(c: Candidate, ask: Ask) -> str:
    """The rule that applies and grants most; "" where none grants anything."""
    t = c.tenant
    if t.attestation is None:
        grants = [t.attest_max or ""]
    else:
        rules = dict(t.attestation)
        grants = [rules.get("otherwise", "")]
        grants += [rules.get("listed", "")] if c.listed else []
        grants += [rules.get("delegate_proof", "")] if c.proven else []
        grants += [rules.get("known_customer", "")] if rules.get("known") == ask.uid else []
    best = max(grants, key=RANK.get)
    if not c.listed and not c.proven:  # D-05
        best = min(best, c.config.unlisted if c.config.unlisted in RANK else "", key=RANK.get)
    return best


def _attest(c: Candidate, ask: Ask) -> None:
    asked, granted = c.claims["attest"], _granted(c, ask)
    if RANK[asked] <= RANK[granted]:
        return
    if granted and c.tenant.attestation and dict(c.tenant.attestation).get("lower"):
        c.claims["attest"] = granted
        return
    if "attest" in c.tenant.observe and (c.listed or c.proven):
        c.observed.add("attest")
        return
    raise Refusal("attest_not_allowed")


def _policy(c: Candidate, ask: Ask, r: Request) -> None:
    vper = c.claims.get("vper")
    if c.tenant.entity and vper is not None and vper["id"] != c.tenant.entity:
        raise Refusal("value_not_permitted")  # D-63
    if "attest" in c.claims:
        _attest(c, ask)
    if r.ppt == "rph":
        for value in c.claims["rph"]["auth"]:
            if value.partition(".")[0] not in c.config.rph:
                raise Refusal("rph_not_allowed")


def _prepared(h: house.House, r: Request, ask: Ask, call) -> dict:
    """Step 4: what is wrong whichever credential it is."""
    claims = call.fill(r.claims, r.ppt) if call else r.claims
    made = [c.origid for t in h.tenants for c in t.credentials if c.origid and may(ask, t)]
    if r.ppt == "shaken" and made:
        claims = {"origid": made[0], **claims}  # D-48: the agent's own
    if not claimset.TYPES[r.ppt].closed and not all(name.isascii() for name in claims):
        raise Refusal("invalid_claim")  # protocol.md 3.2
    # As the most lenient credential: which claims ride beside is judged for each.
    uris = any(c.uris for t in h.tenants for c in t.credentials if may(ask, t))
    claims = claimset.prepare(claims, r.ppt, ask.at, set(claims), True, uris)
    if call:
        call.match(claims, r.ppt, ask.at)
    return claims


def _candidates(h: house.House, tenants: list, r: Request, claims: dict, leaf_of) -> list:
    out = []
    for t in tenants:
        for c in t.credentials:
            one = Candidate(t, c, claims=dict(claims))
            if r.ppt == "shaken" and c.origid:
                one.claims["origid"] = c.origid  # D-48
            one.leaf, one.why = leaf_of(c)
            out.append(one)
    if not out:
        raise Refusal("no_credential")
    return out


def _decide(h: house.House, ask: Ask, r: Request, leaf_of, before: list, trust: Trust) -> Verdict:
    if ask.at < RELEASE:
        raise Refusal("clock_not_credible")
    if r.ppt in originals.ANSWERING and not r.original:
        raise Refusal("missing_original")
    if r.ppt not in originals.ANSWERING and r.original:
        raise Refusal("invalid_member")
    call = originals.Call(r.original) if r.original else None
    claims = _prepared(h, r, ask, call)
    tenants = _tenants(h, ask, r, claims)
    steps = Steps(h, ask, r, before, trust)
    c = _best(steps.all(_candidates(h, tenants, r, claims, leaf_of)))
    if _rate(h, ask, c.tenant):
        steps.observe(c, "rate", "rate_limited")
    _policy(c, ask, r)
    steps.constraints(c)  # on what is signed, which may be less than what was asked
    if call and c.config.cached:
        raise Refusal("original_invalid")  # nobody knows their chains
    before.append((r, c))
    return Verdict(ALLOW, c.tenant.name, c.config.name, frozenset(c.observed),
                   jsontext.write(c.claims))


def _verdict(function, *args) -> Verdict:
    try:
        return function(*args)
    except (Refusal, claimset.Refusal, originals.Refusal) as refusal:
        return Verdict(refusal.args[0])


def _whole(call: Call, each: list[Verdict]) -> str:
    """The reason of all of them."""
    reasons = [one.reason for one in each if one.reason != ALLOW]
    if not reasons or (call.best_effort and len(reasons) < len(each)):
        return ALLOW
    return reasons[0]


def _judge(h: house.House, ask: Ask, leaf_of, trust: Trust) -> Verdict:
    if not any(may(ask, t) for t in h.tenants):
        raise Refusal("caller_not_allowed")
    call = _read(ask)
    each, before = {}, []
    # Those of type shaken last: they may rest on the others.
    for i in sorted(range(len(call.requests)), key=lambda i: call.requests[i].ppt == "shaken"):
        each[i] = _verdict(_decide, h, ask, call.requests[i], leaf_of, before, trust)
    rows = [each[i] for i in range(len(call.requests))]
    if not ask.calls:
        return rows[0]
    observed = frozenset().union(*(one.observed for one in rows))
    return Verdict(_whole(call, rows), observed=observed, each=tuple(rows))


def judge(h: house.House, ask: Ask, leaf_of, trust: Trust) -> Verdict:
    """leaf_of(credential): its leaf or None, and why it cannot sign, or ""."""
    return _verdict(_judge, h, ask, leaf_of, trust)


def _timestamps(read: leaf.Leaf, trust: Trust) -> int:
    return trust.timestamps(read.certificate, read.above[0].certificate, trust.now_s)


def health(c: house.Credential, read: leaf.Leaf | None, trust: Trust) -> tuple:
    """Activation: the leaf where it may serve, else the reason."""
    if c.certificate is None:
        return None, "number_pending"
    if c.rubbish or read is None or _unfit(c, read):
        return None, "credential_unusable"
    least = LEAST_SCTS.get(c.profile, 0) if c.scts is None else c.scts
    found = _timestamps(read, trust)
    if found < 0:
        return None, "credential_unusable"  # protocol.md 6.5: rejected, however many there are
    if found < least:
        return None, "sct_policy"  # D-36
    return read, ""


def _unfit(c: house.Credential, read: leaf.Leaf) -> bool:
    if c.listed is not None and read.numbers is None:
        # By reference alone: the list counts as if it stood in the certificate (RFC 9060 s4.1).
        read = copy.copy(read)
        read.numbers = _decoded(c.listed)
        read.problems = [text for text in read.problems if text != leaf.NO_LIST]
    return read.unusable(c.profile, bool(c.salts)) or not read.encompassed(
        c.encompassing, c.profile)
