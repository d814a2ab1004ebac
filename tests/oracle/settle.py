"""Pairs of configuration and request that an agent must sign, around the pairs
of certificate and claims that generate.py makes.  localchanges.py makes the ones
that it must refuse.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field, replace

import generate
import local
import oracle
import richcall
from certmake import Certificate, Maker, Sct
from generate import NOW, Family, Pair
from house import Credential, House, Tenant
from spell import Raw, spell

PROFILES = ("vesper-06", "vesper-06", "atis-delegate", "atis-delegate", "vesper-05", "domain",
            "shaken-sp", "shaken-sp")
ANSWERING = ("div", "div-o", "rsp")
ENTRIES_MAX = 40  # x5c has 8 KiB at most
RANK = local.RANK


@dataclass(frozen=True)
class Word:
    """A delegate's PASSporT of the same call, signed by its certificate."""
    certificate: Certificate
    claims: dict
    ppt: str | None = None
    key: str = "delegate"
    header: dict = field(default_factory=dict)  # other members of it
    wrap: str = "{}"  # what is made of the text
    compact: bool = False
    anchored: bool = True  # its issuer is a trust anchor

    def changed(self, **those) -> "Word":
        return replace(self, **those)

    def leaf(self, **those) -> "Word":
        return self.changed(certificate=replace(self.certificate, **those))

    def text(self, maker: Maker) -> str:
        header = {"alg": "ES256", "typ": "passport", "x5u": X5U,
                  "x5c": [base64.b64encode(maker.der(self.certificate)).decode()],
                  **({"ppt": self.ppt} if self.ppt else {}), **self.header}
        text = maker.sign(header, self.claims, self.key)
        return self.wrap.format(".." + text.rpartition(".")[2] if self.compact else text)


X5U = "https://delegate.example/c.pem"


@dataclass(frozen=True)
class Part:
    """A further PASSporT of the same call."""
    tenant: str
    ppt: str | None
    claims: dict  # its own
    delegate: Word | None = None


@dataclass(frozen=True)
class Setting:
    """A request and all that it is judged by."""
    pair: Pair
    tenant: Tenant  # the one that signs, with the template of its credentials
    more: tuple = ()  # further tenants
    who: dict = field(default_factory=dict)  # uid, gid, groups, door, door_opens
    names: tuple = (None, None)  # what the request names: tenant, credential
    dry: bool = False
    atis: bool = False
    times: int = 1
    keyless: tuple = ()
    context: bool = False
    body: bytes | None = None  # in the place of what is built
    query: str | None = None
    certificate: bool = True  # main has one
    alone: bool = True  # nobody else might sign in its place
    word: Word | None = None
    parts: tuple = ()  # it is a call, and these are signed beside the pair
    mode: str | None = None

    def changed(self, **those) -> "Setting":
        return replace(self, **those)

    def tenanted(self, **those) -> "Setting":
        return replace(self, tenant=replace(self.tenant, **those))

    def main(self, **those) -> "Setting":
        first, *rest = self.tenant.credentials
        return self.tenanted(credentials=(replace(first, **those), *rest))

    def house(self) -> House:
        p = self.pair
        first, *rest = self.tenant.credentials
        first = replace(first, profile=p.profile, extra=tuple(p.allow), third=p.third,
                        certificate=p.certificate if self.certificate else None,
                        encompassing=p.encompassing, salts=tuple(p.salts))
        tenant = replace(self.tenant, credentials=(first, *rest))
        return House(tuple(sorted((tenant, *self.more), key=lambda t: t.name)), p.dno)

    def ask(self, rng: random.Random, maker: Maker) -> local.Ask:
        query = "dry_run=1" if self.dry else ""
        body = self.body if self.body is not None else self._body(rng, maker)
        return local.Ask(body, self.pair.at, self.atis, bool(self.parts),
                         query if self.query is None else self.query,
                         times=self.times, keyless=self.keyless, **self.who)

    def _body(self, rng: random.Random, maker: Maker) -> bytes:
        p = self.pair
        if self.atis:
            return self._atis(rng, maker)
        if self.parts:
            return self._call(rng, maker)
        out = {"claims": Raw(generate.octets(rng, p).decode("latin-1")), **self._beside(maker)}
        out.update({"context": {"call_id": "a\tb"}} if self.context else {})
        return _encoded(rng, out, p)

    def _beside(self, maker: Maker) -> dict:
        """What is said of the pair beside its claims."""
        p, out = self.pair, {}
        out.update({"ppt": p.ppt} if p.ppt is not None else {})
        out.update({"original": p.original} if p.original else {})
        out.update({"delegate": self.word.text(maker)} if self.word else {})
        out.update({n: v for n, v in zip(("tenant", "credential"), self.names) if v is not None})
        return out

    def _call(self, rng: random.Random, maker: Maker) -> bytes:
        """iat is all PASSporTs'; orig and dest are all's, or each has its own."""
        claims = self.pair.claims
        shared = {n: v for n, v in claims.items() if n == "iat" or (
            n in ("orig", "dest") and rng.random() < 0.7)}
        apart = {n: v for n, v in claims.items() if n in ("orig", "dest") and n not in shared}
        rows = [{**self._beside(maker),
                 "claims": {n: v for n, v in claims.items() if n not in shared}}]
        for part in self.parts:
            row = {"tenant": part.tenant, "claims": {**apart, **part.claims}}
            row.update({"ppt": part.ppt} if part.ppt else {})
            row.update({"delegate": part.delegate.text(maker)} if part.delegate else {})
            rows.append(row)
        out = {"claims": shared, "sign": rows}
        out.update({"mode": self.mode} if self.mode else {})
        out.update({"context": {"call_id": "a\tb"}} if self.context else {})
        return spell(rng, out, self.pair.fancy).encode()

    def _atis(self, rng: random.Random, maker: Maker) -> bytes:
        p = self.pair
        out = dict(p.claims)
        out.update({"ppt": p.ppt} if p.ppt != "shaken" or rng.random() < 0.5 else {})
        own = {n: v for n, v in zip(("tenant", "credential"), self.names) if v is not None}
        own.update({"delegate": self.word.text(maker)} if self.word else {})
        out.update({"vesper": own} if own else {})
        out.update({"requestId": "abc", "further": [1]} if self.context else {})
        return spell(rng, {"signingRequest": out}, p.fancy).encode()


def _encoded(rng: random.Random, out: dict, p: Pair) -> bytes:
    """Claims may be octets that are no UTF-8; what is beside them always is."""
    claims = out.pop("claims")
    text = spell(rng, {**out, "claims": Raw("@@claims@@")}, p.fancy).encode()
    return text.replace(b"@@claims@@", str(claims).encode("latin-1"))


def _between(rng: random.Random, number: str, by: int) -> str:
    """A range of a configuration that holds the number."""
    if not number.isdigit():
        return number
    size, n = len(number), int(number)
    low, high = max(0, n - rng.randrange(by)), min(10 ** size - 1, n + rng.randrange(by))
    return number if low == high else f"{low:0{size}}-{high:0{size}}"


def around(rng: random.Random, numbers: list[str]) -> tuple:
    """Entries for these numbers, some of them wider."""
    return tuple(dict.fromkeys(_between(rng, n, rng.choice((1, 1, 2, 5, 1000)))
                               for n in numbers))


def stamps(rng: random.Random) -> tuple:
    """Timestamps of logs that count, and of some that do not."""
    rows = [Sct(log, (NOW - rng.choice((0, 1, 86400, 10 ** 7))) * 1000 + rng.randrange(-999, 1))
            for log in rng.sample(("one", "two"), rng.choice((0, 0, 1, 1, 2)))]
    if rng.random() < 0.2:
        rows.append(Sct(rng.choice(("old", "bad", "stranger")), NOW * 1000))
    rng.shuffle(rows)
    return tuple(rows)


# Profiles of a delegate's certificate.
DELEGATES = ("atis-delegate", "vesper-05", "vesper-06", "domain")


class Home:
    """A family of pairs, and the tenants that might sign them."""

    def __init__(self, rng: random.Random, maker: Maker):
        self.rng, self.maker = rng, maker
        while True:
            self.family = Family(rng, PROFILES)
            if len(self.family.entries) <= ENTRIES_MAX:
                break
        f = self.family
        self.provider = f.profile == "shaken-sp"
        self.fetched: tuple | None = None
        f.certificate = replace(f.certificate, by_reference=False, scts=stamps(rng))
        self.scts = len({sct.log for sct in f.certificate.scts if sct.log in ("one", "two")})
        if not self.provider and f.encompassing is None and rng.random() < 0.15:
            self._by_reference()
        self.content = self._content()
        self.numbers = around(rng, sorted(set(f.pool))) + self._edges()
        self.entity = f.whole["vper"]["id"] if "vper" in f.whole else "entity-1"
        self.origid = generate.uuid(rng) if rng.random() < 0.1 else None

    def _by_reference(self) -> None:
        """The list is elsewhere, wholly or in part (D-46); codes stay in the certificate."""
        f, rng = self.family, self.rng
        numbers = [e for e in f.entries if e[0] != "spc"]
        cut = rng.randrange(len(numbers)) if rng.random() < 0.5 else 0
        self.fetched = tuple(tuple(e[:3]) for e in numbers[cut:])
        here = [e for e in f.entries if e[0] == "spc"] + numbers[:cut] if cut else None
        f.certificate = replace(f.certificate, entries=here, by_reference=True)

    def _content(self) -> tuple:
        """What the operator knows of content elsewhere; the constraints' own word is enough."""
        f = self.family
        if not f.rich or any(name == "rcdi" for name, _ in f.constraints.permitted):
            return ()
        one = f.rich[0]
        one.get("rcdi", {}).pop("/jcl/1/3/3", None)
        f.rich = [one]
        if "rcdi" not in one:
            return ()
        return tuple((uri, one["rcdi"][pointer].rstrip("="))
                     for pointer, uri in local.elsewhere(one["rcd"]).items())

    def _edges(self) -> tuple:
        """What the certificate does not hold, and is configured all the same."""
        out = []
        for entry in self.family.entries:
            if entry[0] != "spc" and self.rng.random() < 0.5:
                last = str(int(entry[1]) + entry[2] - 1).zfill(len(entry[1])) \
                    if entry[0] == "range" else entry[1]
                out.append(_between(self.rng, last, 4))
        return tuple(out)

    # ---- one that is allowed -------------------------------------------------------------

    def _pair(self) -> Pair:
        while True:
            pair = self.family.base()
            if pair.ppt in ANSWERING and not pair.original:
                continue
            if pair.ppt == "rph" and self.family.profile != "shaken-sp":
                continue
            return pair

    def base(self) -> Setting:
        rng, pair = self.rng, self._pair()
        tenant = Tenant("acme", self.numbers, users=(1000,), credentials=(self._main(pair),))
        s = Setting(pair, tenant, context=rng.random() < 0.2)
        s = self._caller(self._names(self._attest(s)))
        s = self._types(self._destinations(s))
        s = self._codes(self._entity(s))
        s = self._switches(s)
        if rng.random() < 0.2:
            s = s.tenanted(rate=1000000)
        if not pair.salts and rng.random() < 0.1:
            s = s.changed(dry=True)
        if rng.random() < 0.3:
            s = self._observed(s)
        s = self._word(s) if rng.random() < 0.8 else s
        s = self._call(s) if rng.random() < 0.5 else s
        s = self._atis(s)
        if s.word or s.parts or "uri" in s.pair.claims["orig"]:
            return s
        return self._others(s) if rng.random() < 0.35 else s

    def _main(self, pair: Pair) -> Credential:
        rng = self.rng
        rph = ()
        if pair.ppt == "rph":
            rph = tuple(sorted({v.partition(".")[0] for v in pair.claims["rph"]["auth"]} |
                               set(rng.sample(("ets", "wps", "esnet", "dsn"), 1))))
        fixed = self.origid if pair.ppt == "shaken" else None
        code = self.family.entries[0][1] if self.provider else "1234"
        scts = rng.choice((0, self.scts, rng.randint(0, self.scts)))
        if self.scts >= local.LEAST_SCTS.get(pair.profile, 0) and rng.random() < 0.3:
            scts = None
        return Credential("main", pair.profile, None, rng.random() < 0.3, rng.choice((0, 0, 5)),
                          rph=rph, scts=scts, spc=code, content=self.content, origid=fixed, listed=self.fetched,
                          fetched_at=pair.at - rng.choice((0, 100, 86400, 86399))
                          if self.fetched else 0)

    # ---- switches of a credential ---------------------------------------------------------

    def _switches(self, s: Setting) -> Setting:
        """Each in use where the request could not be signed without it."""
        rng = self.rng
        for switch in (self._no_digests, self._trusting, self._unsalted, self._answers_attest,
                       self._uri):
            if rng.random() < 0.5:
                s = switch(s)
        return s

    def _no_digests(self, s: Setting) -> Setting:
        claims = s.pair.claims
        if "rcdi" not in claims or "rcdi" in self.family.include or \
                not richcall.references(claims["rcd"]):
            return s
        claims = {n: v for n, v in claims.items() if n != "rcdi"}
        return s.changed(pair=s.pair.changed(claims=claims)).main(no_digests=True)

    def _trusting(self, s: Setting) -> Setting:
        """All but what is known."""
        if not self.content or "rcdi" not in s.pair.claims:
            return s
        return s.main(trusting=True, content=self.content[:self.rng.randrange(len(self.content))])

    def _unsalted(self, s: Setting) -> Setting:
        if len(s.pair.salts) < 2:
            return s
        left = self.rng.sample(s.pair.salts, self.rng.randrange(1, len(s.pair.salts)))
        return s.changed(pair=s.pair.changed(salts=left)).main(unsalted=True)

    def _answers_attest(self, s: Setting) -> Setting:
        p = s.pair
        if p.ppt != "rsp" or p.profile != "vesper-05":
            return s
        asked = self.rng.choice("ABC")
        p = p.changed(claims={**p.claims, "attest": asked}, allow=[*p.allow, "attest"])
        if RANK[s.tenant.attest_max or ""] < RANK[asked]:
            s = s.tenanted(attest_max=asked)
        return s.changed(pair=p).main(answers_attest=True)

    def _uri(self, s: Setting) -> Setting:
        """Someone of the certificate's one domain, who has no number (D-26)."""
        p, rng = s.pair, self.rng
        hosts = p.certificate.hosts
        if p.ppt not in (None, "rcd", "msg") or self.provider or p.third or len(hosts) != 1 or \
                "orig" in self.family.values:
            return s
        user = rng.choice(("alice", "a", "12025550100a", "q.branch", "x%22y", "*a", "x-5"))
        uri = f"{rng.choice(('sip', 'sips'))}:{user}@{hosts[0].lower()}"
        c = p.certificate
        if p.profile != "domain" and rng.random() < 0.3:
            c = replace(c, hosts=[hosts[0].title()])
        p = p.changed(claims={**p.claims, "orig": {"uri": uri}}, certificate=c)
        return s.changed(pair=p).main(uris=True)

    # ---- delegates -----------------------------------------------------------------------

    def _short_lived(self, at: int, numbers: list[str], **those) -> Certificate:
        """What the strictest profile takes, for these numbers and this moment."""
        rng = self.rng
        begin = at - rng.randrange(60, 86400)
        return Certificate(
            entries=[("one", n) for n in numbers], constraints=None, not_before=begin,
            not_after=begin + 7 * 86400, key="delegate", hosts=["delegate.example"],
            scts=(Sct(rng.choice(("one", "two")), begin * 1000),), **those)

    def _proof_rules(self, asked: str) -> tuple:
        """Nothing but a delegate's word grants as much as is asked."""
        rng = self.rng
        rules = [("delegate_proof", rng.choice([g for g in "ABC" if RANK[g] >= RANK[asked]]))]
        less = [g for g in "BC" if RANK[g] < RANK[asked]]
        if less and rng.random() < 0.5:
            rules.append((rng.choice(("listed", "otherwise")), rng.choice(less)))
        if rng.random() < 0.5:
            rules.append(("delegate_profile", rng.choice(DELEGATES)))
        if rng.random() < 0.5:
            rules.append(("delegate_encompassing", rng.choice(("off", "if-present"))))
        return tuple(rules)

    def _word(self, s: Setting) -> Setting:
        """A provider attests on the strength of what a delegate has said elsewhere."""
        p, rng = s.pair, self.rng
        if p.ppt != "shaken" or s.tenant.observe or s.tenant.credentials[0].unlisted != "refuse" or \
                not {"orig", "dest"} <= set(p.claims) or p.at < local.RELEASE:
            return s
        number = generate.plain(p.claims["orig"]["tn"])
        rows = [number] if not number.isdigit() else [number, "1" + generate.digits(rng, 9)]
        claims = {"orig": {"tn": number}, "iat": p.at - rng.choice((0, 1, 30, 60)),
                  "dest": {n: sorted(map(generate.plain, v) if n == "tn" else v)
                           for n, v in p.claims["dest"].items()}}
        word = Word(self._short_lived(p.at, rows), claims,
                    wrap=rng.choice(("{}", "{}", "{};info=<" + X5U + ">;alg=ES256")))
        if rng.random() < 0.4:
            word = word.changed(ppt="rcd", claims={**claims, "rcd": {"nam": "ACME"}})
        s = s.tenanted(attest_max=None, attestation=self._proof_rules(p.claims["attest"]))
        if rng.random() < 0.3:  # the number is nobody's, but for the delegate
            s = s.tenanted(numbers=("777",)).changed(names=("acme", s.names[1]))
        return s.changed(word=word)

    def _call(self, s: Setting) -> Setting:
        """A provider attests on the strength of what a delegate signs in the same call."""
        p, rng = s.pair, self.rng
        leaf = p.certificate
        if p.ppt not in (None, "rcd") or self.provider or p.third or s.who.get("door") or \
                "uri" in p.claims["orig"] or p.text is not None:
            return s
        asked = rng.choice("ABC")
        rules = self._proof_rules(asked)
        chosen = dict(rules).get("delegate_profile", "vesper-06")
        if chosen != "atis-delegate" and (
                self.scts < 1 or leaf.not_after - leaf.not_before > 7 * 86400) or \
                chosen == "domain" and leaf.hosts != ["acme.example"]:
            rules = (*(r for r in rules if r[0] != "delegate_profile"),
                     ("delegate_profile", "atis-delegate"))
        if leaf.parent is not None or leaf.by_reference:
            rules = (*(r for r in rules if r[0] != "delegate_encompassing"),
                     ("delegate_encompassing", "off"))
        sp = Credential("main", "shaken-sp", Certificate(
            entries=[("spc", "9999")], constraints=None, not_before=leaf.not_before,
            not_after=leaf.not_after, key="another"), spc="9999")
        numbers = ("777",) if rng.random() < 0.5 else self.numbers
        osp = Tenant("osp", numbers, users=(s.who["uid"],), attestation=rules, credentials=(sp,))
        part = Part("osp", "shaken", {"attest": asked, "origid": generate.uuid(rng)})
        return s.changed(parts=(part,), more=(*s.more, osp), alone=False,
                         mode=rng.choice((None, "all")), names=("acme", s.names[1]))

    def _attest(self, s: Setting) -> Setting:
        rng, p = self.rng, s.pair
        if p.ppt != "shaken":
            return s.tenanted(attest_max=rng.choice((None, "A", "B", "C")))
        if "orig" not in self.family.values and rng.random() < 0.2:
            found = self._unlisted(s)
            if found:
                return found
        asked = p.claims["attest"]
        enough = [grant for grant in "ABC" if RANK[grant] >= RANK[asked]]
        if rng.random() < 0.5:
            return s.tenanted(attest_max=rng.choice(enough))
        lowered = [g for g in self.family.values.get("attest", "ABC") if RANK[g] < RANK[asked]]
        if lowered and rng.random() < 0.3:
            grant = rng.choice(lowered)
            return s.tenanted(attestation=(("listed", grant), ("lower", True)))
        rules = [("listed", rng.choice(enough))]
        low = [g for g in enough if g != "A"]
        way = rng.random()
        if low and way < 0.3:
            rules = [("otherwise", rng.choice(low))]
        elif low and way < 0.6:
            rules = [("known_customer", rng.choice(low)), ("known", 1000)]
        elif way < 0.8:
            rules += [("otherwise", "C")]
        rules += [("lower", True)] if rng.random() < 0.3 else []
        return s.tenanted(attestation=tuple(rules))

    def _unlisted(self, s: Setting) -> Setting | None:
        """A provider may speak for numbers that it does not list (D-05)."""
        rng = self.rng
        cap = rng.choice("BC")
        may = [g for g in self.family.values.get("attest", "ABC") if RANK[g] <= RANK[cap]]
        number = "4" + generate.digits(rng, 13)
        if not may or local.among(self.numbers, number):
            return None
        claims = {**s.pair.claims, "attest": rng.choice(may), "orig": {"tn": number}}
        s = s.changed(pair=s.pair.changed(claims=claims)).main(unlisted=cap)
        if rng.random() < 0.5:
            return s.tenanted(attest_max="A")
        return s.tenanted(attestation=(("listed", "A"), ("otherwise", "B" if "B" in may else cap)))

    def _names(self, s: Setting) -> Setting:
        rng = self.rng
        # A third party's word is its only tenant's, or that of the one that is named.
        tenant = "acme" if rng.random() < (0.5 if s.pair.third else 0.3) else None
        return s.changed(names=(tenant, "main" if rng.random() < 0.2 else None))

    def _caller(self, s: Setting) -> Setting:
        rng = self.rng
        known = dict(s.tenant.attestation or ()).get("known")
        way = rng.random()
        if known is not None or way < 0.5:
            return s.changed(who={"uid": 1000, "gid": 5})
        if way < 0.65:
            return s.tenanted(groups=(77,), users=rng.choice(((), (1,)))).changed(
                who={"uid": 2000, "gid": 77})
        if way < 0.8:
            return s.tenanted(groups=(78, 77), users=()).changed(
                who={"uid": 0, "gid": 0, "groups": (5, 77, 6)})
        if way < 0.9:
            return s.changed(who={"uid": 1000, "gid": 5, "door": "acme"})
        return s.tenanted(users=(1,)).changed(
            who={"uid": 65534, "gid": 65534, "door": "acme", "door_opens": True})

    def _called(self, s: Setting) -> list[str] | None:
        dest = s.pair.claims["dest"]
        if "uri" in dest:
            return None
        return [generate.plain(tn) for tn in dest["tn"]]

    def _destinations(self, s: Setting) -> Setting:
        numbers, rng = self._called(s), self.rng
        if numbers is None:
            return s
        if rng.random() < 0.25:
            s = s.tenanted(dests=self._allowing(numbers))
        return s.main(dests=self._allowing(numbers)) if rng.random() < 0.25 else s

    def _allowing(self, numbers: list[str]) -> tuple:
        rng = self.rng
        entries = [n[:rng.randrange(1, len(n) + 1)] + "..." if rng.random() < 0.3 and n.isdigit()
                   else _between(rng, n, 5) for n in numbers] + ["99999999999"]
        return tuple(dict.fromkeys(entries))

    def _types(self, s: Setting) -> Setting:
        rng = self.rng
        name = s.pair.ppt or "base"
        if rng.random() < 0.2:
            s = s.tenanted(ppts=tuple(dict.fromkeys(
                (name, *rng.sample(("base", "shaken", "rcd", "div"), 2)))))
        return s.main(ppts=(name,)) if rng.random() < 0.15 else s

    def _codes(self, s: Setting) -> Setting:
        """Whoever originates is among those that the certificate names."""
        rng = self.rng
        named = [e[1] for e in self.family.certificate.entries or () if e[0] == "spc"]
        if self.provider or rng.random() < 0.5:
            return s
        return s.tenanted(spcs=tuple(dict.fromkeys((rng.choice(named or ["QQQ"]), "ZZZ9"))))

    def _entity(self, s: Setting) -> Setting:
        if self.rng.random() < 0.5:
            return s
        return s.tenanted(entity=self.entity)

    def _observed(self, s: Setting) -> Setting:
        """A rule of the tenant that would refuse, and is only watched."""
        rng = self.rng
        rules = ["dests", "ppts", "rate"]
        if s.pair.ppt == "shaken" and s.tenant.credentials[0].unlisted == "refuse":
            rules += ["attest"] * 3
        rule = rng.choice(rules)
        s = s.tenanted(observe=("attest", "dests", "ppts", "rate") if rng.random() < 0.3
                       else (rule,))
        if rule == "dests":
            return s.tenanted(dests=("99999999999", "888..."))
        if rule == "ppts":
            return s.tenanted(ppts=("msg" if s.pair.ppt != "msg" else "rcd",))
        if rule == "rate":
            return s.tenanted(rate=1).changed(times=200)
        less = [grant for grant in ("B", "C") if RANK[grant] < RANK[s.pair.claims["attest"]]]
        return s.tenanted(attestation=None, attest_max=rng.choice(less + [None]))

    def _atis(self, s: Setting) -> Setting:
        p = s.pair
        if self.rng.random() < 0.6 or p.ppt in (None, *ANSWERING) or s.parts or \
                not set(p.claims) <= local.ATIS_CLAIMS:
            return s
        return s.changed(atis=True, dry=False)

    # ---- others that might sign ------------------------------------------------------------

    def twin(self, s: Setting, **those) -> Credential:
        """Another credential for the same numbers, of another key and without constraints."""
        f = self.family
        leaf = replace(f.certificate, entries=[e[:3] for e in f.entries], constraints=None,
                       key="another", by_reference=False, parent=None)
        profile = "atis-delegate" if f.profile == "vesper-06" else f.profile
        main = s.tenant.credentials[0]
        return replace(main, **{"name": "twin", "profile": profile, "certificate": leaf,
                                "content": (), "listed": None, "rph": main.rph, "ppts": (),
                                "dests": None, "extra": (), "priority": main.priority,
                                "answers_attest": False, "unsalted": False, **those})

    def _others(self, s: Setting) -> Setting:
        """One that is passed over: lower, or wrong in one of the ways there are."""
        rng = self.rng
        high = s.tenant.credentials[0].priority + 1
        s = s.changed(alone=False)
        kind = rng.choice(("lower", "lower", "pending", "sick", "narrow", "class", "rubbish",
                           "watched", "foreign", "neighbour", "expired", "bad", "reserve", "over"))
        if kind == "lower":
            return self.beside(s.main(priority=high), self.twin(s, priority=high - 1))
        if kind == "reserve":
            return self.beside(s, self.twin(s, reserve_for="main", priority=high))
        if kind == "over":  # and it is called by what it stands in for, or not
            name = s.names[1] if s.names[1] or rng.random() < 0.5 else "twin"
            return self.beside(s.main(reserve_for="twin"), self.twin(s, priority=high)).tenanted(
                over=("twin",)).changed(names=(s.names[0], name))
        if kind == "pending":
            return self.beside(s, self.twin(s, certificate=None, renewable=True, priority=high))
        if kind == "sick":
            return self.beside(s, self.twin(s, priority=high)).changed(
                keyless=(("acme", "twin"),))
        if kind == "narrow" and not self.provider:
            c = replace(self.twin(s).certificate, entries=[("one", "777")])
            return self.beside(s, self.twin(s, certificate=c, priority=high))
        if kind == "class":
            other = "atis-delegate" if self.provider else "shaken-sp"
            c = replace(self.twin(s).certificate, entries=[("one", "777")] if self.provider
                        else [("spc", "4321")])
            return s if s.pair.ppt in oracle.CLASS_PPTS[other] else self.beside(
                s, self.twin(s, certificate=c, profile=other, priority=high, rph=(),
                              unlisted="refuse", origid=None, spc="4321"))
        if kind in ("rubbish", "bad"):
            twin = self.twin(s, priority=high)
            bad = replace(twin.certificate, key="p384")
            return self.beside(s, replace(twin, rubbish=kind == "rubbish", certificate=bad))
        if kind == "expired":
            twin = self.twin(s, priority=high)
            c = replace(twin.certificate, not_before=NOW - 7 * 86400, not_after=s.pair.at - 1)
            return self.beside(s, replace(twin, certificate=c)) \
                if c.not_before < c.not_after < NOW else s
        if kind == "watched" and self._called(s) is not None and not s.tenant.observe:
            return self.beside(s.tenanted(observe=("dests",)),
                                self.twin(s, dests=("999",), priority=high))
        return self._another_tenant(s, kind)

    def beside(self, s: Setting, other: Credential) -> Setting:
        return s.tenanted(credentials=(*s.tenant.credentials, other))

    def _another_tenant(self, s: Setting, kind: str) -> Setting:
        """It lists the same numbers: another's, or the caller's own and lower."""
        high = s.tenant.credentials[0].priority + 1
        if kind == "foreign" or high == 1:
            other = Tenant("bravo", self.numbers, users=(4000,), attest_max="A",
                           credentials=(self.twin(s, name="main", priority=high),))
        else:
            other = Tenant("bravo", self.numbers, users=(1000, 2000, 0), attest_max="A",
                           credentials=(self.twin(s, name="main", priority=high - 2),))
        return s.changed(more=(other,), names=("acme", s.names[1]) if s.pair.third else s.names)
