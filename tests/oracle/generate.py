"""Certificates of all classes, and for each (certificate, claims) pairs that a
signer must allow, from which mutations.py makes the ones that it must refuse.

What is built here is built to be allowed; the oracle, which knows nothing of
how it was built, has to agree before a pair counts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass, field, replace

import richcall
from certmake import Certificate, Constraints
from spell import Raw, spell

NOW = 1790000000
HEX = "0123456789abcdef"
DNO = "1.3.6.1.4.1.99999.7"  # doNotOriginate, whose OID is not assigned (D-42)
PROFILES = (None, None, None, "vesper-06", "vesper-06", "vesper-06", "atis-delegate", "vesper-05",
            "domain", "shaken-sp")
# What each class signs (D-01); the first of them twice as often.
DELEGATE = (None, None, "rcd", "div", "div-o", "rsp", "msg")
PPTS = {None: (None, "shaken", "shaken", "rcd", "div", "div-o", "rsp", "msg", "rph"),
        "shaken-sp": ("shaken", "shaken", "div", "rcd", "rph"), "atis-delegate": DELEGATE,
        "vesper-05": DELEGATE, "vesper-06": DELEGATE, "domain": DELEGATE}
# Claims that no type knows, and values of every kind for them.
FREE = ("foo", "bar", "x-note", "lvl", "Foo", "zz9", "a")
VALUES = ("high", "low", "", " high", "High", "5", "true", "null", '"high"', '{"a":1}', "[1]",
          "{", "a/b", "back\\slash", 'qu"ote', "tab\there", "é", "e\u0301", "\u2028", "\x7f",
          "\x1f", "😀", "\uffee", 0, 5, -1, 2 ** 53 - 1, -(2 ** 53 - 1), True, False, None, {}, [],
          {"a": 1}, {"b": 2, "a": 1}, {"a": {"z": None, "y": [True, "x"]}}, [1, 2], [2, 1],
          ["high"], {"high": "low"}, {"\U0001f600": 1, "\uffee": 2, "z": 3}, {"": ""},
          {"a/b": {"~": [0, {"m": "n"}]}}, [[], [[]], {}], {"nam": "ACME", "icn": "https://a/b"})
ISSUERS = ("Zorin Industries", "zorin industries", "Zorin", "é", "e\u0301", "A=B", "5")
TEXTS = (*(v for v in VALUES if isinstance(v, str) and v.isprintable()), "\u0915\u094d\u200d\u0937")


def text_of(value) -> str:
    """How a certificate spells a claim's value (D-12)."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def same(a, b) -> bool:
    return text_of(a) == text_of(b)


# Texts that a path may permit beside its own.
TEXTS_KEPT = ("other", "5", '{"a":1}')


def text_of_json(value) -> bytes:
    """The octets that a digest is made of: a string with its quotes (VESPER -06, V_bytes)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def sample(rng: random.Random, name: str) -> dict:
    if name == "vper":
        return {"id": uuid(rng), "glue": ["urn:glue:lei:549300abcdef12345678"], "name": "ACME Ü",
                "domain": "acme.example"}
    return rng.choice((
        {"name": "ACME", "list": ["x", {"deep": 5}, [True]], "n": 5},
        {"a/b": "slash", "m~n": {"~1": None}, "": "empty", " ": 0},
        {"é": "e", "name": {"first": "A", "last": "B"}, "list": [[["in"]]]}))


def parts(value, pointer: str = "") -> dict[str, object]:
    """Every part that a pointer in ASCII names."""
    rows = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    out = {}
    for name, part in rows:
        path = f"{pointer}/{escape(str(name))}"
        if path.isascii():
            out[path] = part
            out.update(parts(part, path))
    return out


CARDS = (
    ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Q Branch"]]],
    ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Q"],
               ["org", {"x": ["y"]}, "text", ["MI6", "Q"]],
               ["photo", {}, "uri", "https://example.com/q.png"],
               ["logo", {}, "uri", "data:image/png;base64,AAAA", "https://example.com/l.png"]]],
    ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Q https://example.com/"],
               ["adr", {"label": "1 Street, https://example.com/", "geo": "geo:1,2"}, "text",
                ["", "", "1 Street", ["https://example.com/"], "", "", ""]],
               ["related", {"type": "contact"}, "text", "please ask M"],
               ["x-logo", {}, "uri", "https://example.com/x.png"]]])
ICONS = ("https://example.com/a.png", "data:image/png;base64,iVBORw0KGgo=", "https://a.example/")


def rich(rng: random.Random) -> dict:
    """An rcd, and mostly its rcdi; always where it refers to content elsewhere."""
    rcd = {"nam": rng.choice(("ACME", "", "Her Majesty's \"Q\"", "Ü/~"))}
    if rng.random() < 0.3:
        rcd["apn"] = digits(rng, rng.choice((11, 3)))
    if rng.random() < 0.5:
        rcd["icn"] = rng.choice(ICONS)
    card = rng.random()
    if card < 0.3:
        rcd["jcd"] = rng.choice(CARDS)
    elif card < 0.5:
        rcd["jcl"] = "https://example.com/card.json"
    claims = {"rcd": rcd}
    if rng.random() < 0.7 or richcall.references(rcd):
        claims["rcdi"] = integrity(rng, rcd)
    return claims


def integrity(rng: random.Random, rcd: dict) -> dict:
    elsewhere = {f"/{n}" for n in ("icn", "jcl") if rcd.get(n, "").startswith("https")}
    for i, row in enumerate(rcd.get("jcd", ("", ()))[1]):
        elsewhere |= {f"/jcd/1/{i}/{j}" for j, v in enumerate(row) if row[2] == "uri" and j > 2 and
                      v.startswith("https")}
    here = [path for path in parts(rcd) if path not in elsewhere]
    out = {path: hashed(rng, parts(rcd)[path]) for path in rng.sample(here, min(2, len(here)))}
    out.update({path: hashed(rng, rng.random()) for path in elsewhere})
    if "jcl" in rcd and rng.random() < 0.3:
        out["/jcl/1/3/3"] = hashed(rng, "a photo")
    return out


def hashed(rng: random.Random, value) -> str:
    kind = rng.choice(("sha256", "sha256", "sha384", "sha512"))
    text = base64.b64encode(hashlib.new(kind, text_of_json(value)).digest()).decode()
    return f"{kind}-{text if rng.random() < 0.2 else text.rstrip('=')}"


def passport(orig: str, dest: list[str], iat, ppt: str | None = "shaken", **more) -> str:
    """One that is answered: its claims count, its signature is not looked at."""
    header = {"alg": "ES256", "typ": "passport", "x5u": "https://a.example/c.pem"}
    header.update({"ppt": ppt} if ppt else {})
    payload = {"dest": {"tn": dest}, "iat": iat, "orig": {"tn": orig}}
    if ppt == "shaken":
        payload.update(attest="A", origid="123e4567-e89b-12d3-a456-426655440000")
    return sealed(header, {**payload, **more})


def sealed(header, payload, signature: bytes = b"\x01" * 64) -> str:
    rows = (text_of_json(header), text_of_json(payload), signature)
    return ".".join(base64.urlsafe_b64encode(row).decode().rstrip("=") for row in rows)


def apart(pointers: list[str]) -> list[str]:
    """Without those that lead into what another names."""
    return [p for p in pointers if not any(p.startswith(q + "/") for q in pointers)]


def only(value, pointers: set[str], pointer: str = ""):
    """What the pointers cover, and nothing beside."""
    if pointer in pointers or not isinstance(value, dict):
        return value
    out = {}
    for name, part in value.items():
        path = f"{pointer}/{escape(name)}"
        if path in pointers:
            out[name] = part
        elif isinstance(part, dict) and (kept := only(part, pointers, path)):
            out[name] = kept
    return out


def cut(value, pointer: str):
    """The value without what the pointer names; in a list, without the list's tail."""
    first, _, rest = pointer[1:].partition("/")
    name = first.replace("~1", "/").replace("~0", "~")
    if isinstance(value, dict) and name in value:
        left = {n: part for n, part in value.items() if n != name}
        return {**left, name: cut(value[name], "/" + rest)} if rest or "/" in pointer[1:] else left
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return value[:int(name)]
    return value


@dataclass
class Pair:
    certificate: Certificate
    claims: object
    at: int
    ppt: str | None
    profile: str | None
    allow: list[str] = field(default_factory=list)
    original: list[str] = field(default_factory=list)
    third: str | None = None  # whose rich call data about numbers of others may be signed
    dno: str | None = None
    encompassing: str | None = None
    salts: list[str] = field(default_factory=list)
    text: bytes | None = None  # in the place of the spelled claims
    fancy: bool = False

    def changed(self, **those) -> "Pair":
        return replace(self, **those)


def octets(rng: random.Random, pair: Pair) -> bytes:
    if pair.text is not None:
        return pair.text
    return spell(rng, pair.claims, pair.fancy).encode()


def digits(rng: random.Random, size: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(size))


def uuid(rng: random.Random) -> str:
    text = "-".join("".join(rng.choice(HEX) for _ in range(n)) for n in (8, 4, 4, 4, 12))
    return text.upper() if rng.random() < 0.3 else text


def plain(number: str) -> str:
    return "".join(c for c in number if c in "0123456789*#")


def decorated(rng: random.Random, number: str) -> str:
    """The same number as people write it."""
    if rng.random() < 0.6:
        return number
    out = "+" if rng.random() < 0.5 else ""
    for c in number:
        out += c + (rng.choice("-.() ") if rng.random() < 0.2 else "")
    return out


class Family:
    """One certificate, and what may be asked of it."""

    def __init__(self, rng: random.Random, profiles: tuple = PROFILES):
        self.rng = rng
        self.profile = rng.choice(profiles)
        self.allow: list[str] = []
        self.entries: list[tuple] = []
        self.pool: list[str] = []  # numbers inside
        self._numbers()
        self.values: dict[str, list] = {}  # claim: what the constraints leave
        self.include: list[str] = []
        self.exclude: list[str] = []
        self.whole: dict[str, object] = {}  # claims that are fixed in parts: a value that fits
        self.modes: list[tuple[str, str, str]] = []  # claim, pointer, mode
        self.committed: set[tuple[str, str]] = set()
        self.salts: dict[str, str] = {}
        self.rich: list[dict] = []  # rich call data that may be sent; none: not at all
        self.pinned_dest: list[str] | None = None
        self.constraints = Constraints(enhanced=rng.random() < 0.6)
        if rng.random() < 0.8:
            self._constrain()
        self._extra()
        self.encompassing: str | None = None
        self.certificate = self._certificate()

    # ---- numbers -----------------------------------------------------------------

    def _size(self) -> int:
        return self.rng.choice((11, 11, 11, 11, 12, 10, 15, 7, 4, 3, 2, 1))

    def _range(self) -> None:
        rng, size = self.rng, self.rng.choice((11, 11, 11, 12, 15, 10, 5, 3, 2))
        count = min(rng.choice((2, 3, 10, 100, 1000, 99999, 10 ** 9)), 10 ** (size - 1))
        start = rng.randrange(0, 10 ** size - count)
        if rng.random() < 0.2:
            start = 10 ** size - count - 1  # the longest that D-03 takes
        elif rng.random() < 0.2:
            start = max(0, start - start % 10 ** (size // 2) - rng.randrange(1, count))
        if count < 2 or start + count >= 10 ** size:
            return
        text = str(start).zfill(size)
        further = (b"\x05\x00",) if rng.random() < 0.05 else ()  # D-04
        self.entries.append(("range", text, count, *further))
        for n in (start, start + count - 1, start + count // 2, start + rng.randrange(count)):
            self.pool.append(str(n).zfill(size))

    def _one(self) -> None:
        number = digits(self.rng, self._size())
        if self.rng.random() < 0.1:
            number = self.rng.choice(("*67", "#31", "*", "12*", "*12025550100#", "#"))
        self.entries.append(("one", number))
        self.pool.append(number)

    def _overlap(self) -> None:
        entry = self.rng.choice(self.entries)
        if entry[0] == "one" or self.rng.random() < 0.3:
            self.entries.append(entry[:3])
            return
        start, count, size = int(entry[1]), entry[2], len(entry[1])
        start += self.rng.choice((0, count - 1, count, count // 2))  # inside, or adjacent
        if start + count < 10 ** size:
            self.entries.append(("range", str(start).zfill(size), count))
            self.pool += [str(start).zfill(size), str(start + count - 1).zfill(size)]

    def _numbers(self) -> None:
        rng = self.rng
        if self.profile == "shaken-sp":
            self.entries = [("spc", rng.choice(("1234", "505J", "a", "0000", "709J")))]
            self.pool = [digits(rng, 11) for _ in range(4)]
            return
        many = rng.choice((0, 0, 1, 1, 2, 4, 8))
        many = 300 if rng.random() < 0.01 else many
        self._one() if rng.random() < 0.5 else self._range()
        for _ in range(many):
            rng.choice((self._one, self._range))()
        if not self.entries:
            self._one()
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._overlap()
        if rng.random() < 0.3:
            self.entries += [("spc", spc) for spc in rng.sample(("1234", "505J", "x"), 2)]
        rng.shuffle(self.entries)

    # ---- constraints -------------------------------------------------------------

    def _permit(self, name: str, kind: list) -> None:
        rng = self.rng
        values = rng.sample(kind, min(len(kind), rng.choice((1, 1, 2, 3, 5))))
        texts = [text_of(v) for v in values]
        self.constraints.permitted.append((name, texts))
        if rng.random() < 0.15:  # twice: what both list (D-11)
            kept = values[:1]
            other = [text_of(v) for v in rng.sample(kind, min(2, len(kind)))]
            self.constraints.permitted.append((name, texts[:1] + other))
            values = [v for v in values if text_of(v) in texts[:1] + other] or kept
        self.values[name] = values

    def _constrain(self) -> None:
        rng, c = self.rng, self.constraints
        for name in rng.sample(FREE[:-1], rng.choice((0, 1, 1, 2, 3, 5))):
            roles = ("include", "permit", "permit", "both", "both")
            if c.enhanced:
                roles += ("exclude", "exclude", "exclude permit")
            role = rng.choice(roles)
            if role in ("include", "both"):
                self.include.append(name)
            if role in ("permit", "both", "exclude permit"):
                self._permit(name, list(VALUES))
            if "exclude" in role:
                self.exclude.append(name)
        self._constrain_own()
        self._constrain_parts()
        if rng.random() < 0.25:
            self._constrain_rich()
        c.include, c.exclude = list(self.include), list(self.exclude)
        if rng.random() < 0.05:
            c.include += rng.sample(("iat", "orig", "dest"), 1)  # SHOULD NOT, and harmless

    def _constrain_parts(self) -> None:
        """Claims whose parts, or whose digests, the certificate fixes (D-13 to D-15)."""
        rng = self.rng
        for name in rng.sample(("parts", "part2", "vper"), rng.choice((0, 0, 1, 1, 2))):
            whole = sample(rng, name)
            if rng.random() < 0.25:
                self._fix(name, "", whole)
            else:
                known = list(parts(whole))
                pointers = rng.sample(known, rng.choice((1, 2, 3)))
                if self.profile == "vesper-06" and rng.random() < 0.5:
                    pointers = [f"/{escape(member)}" for member in whole if member.isascii()]
                for pointer in apart(pointers):
                    self._fix(name, pointer, parts(whole)[pointer])
            if self.profile == "vesper-06" and rng.random() < 0.4:
                # All of vper must be told where it is (V-44): it is all or nothing.
                if (name, "") not in self.committed and not (
                        name == "vper" and any(claim == "vper" for claim, _ in self.committed)):
                    self.include.append(name)
            self.whole[name] = whole

    def _fix(self, name: str, pointer: str, value) -> None:
        rng, c = self.rng, self.constraints
        path, mode = name + pointer, rng.choice(("value", "value", "hash", "hash", "commit"))
        self.modes.append((name, pointer, mode))
        if mode == "value":
            c.permitted.append((path, [text_of(value)] + rng.sample(TEXTS_KEPT, rng.randrange(2))))
        elif mode == "hash":
            others = [digest(b"another")] * rng.randrange(2)
            c.permitted.append((path + "#sha-256", [digest(text_of_json(value))] + others))
        else:
            self.committed.add((name, pointer))
            salted = bytes(rng.randrange(256) for _ in range(32)) + text_of_json(value)
            c.permitted.append((path + "#commit-sha-256", [digest(salted)]))
            salt = base64.b64encode(salted[:32]).decode().rstrip("=")
            self.salts[path] = f"{salt} {path}"
            if rng.random() < 0.5:
                c.permitted.append((path + "#salt-sha-256", [digest(salted[:32])]))

    def _constrain_own(self) -> None:
        rng = self.rng
        if self.profile in (None, "shaken-sp") and rng.random() < 0.4:
            self._permit("attest", ["A", "B", "C"])
        if rng.random() < 0.12:
            origs = [{"tn": n} for n in rng.sample(self.pool, min(3, len(self.pool)))]
            self._permit("orig", origs)
        if rng.random() < 0.08:
            self.pinned_dest = sorted(digits(rng, 11) for _ in range(rng.choice((1, 1, 3))))
            self._permit("dest", [{"tn": self.pinned_dest}])

    def _constrain_rich(self) -> None:
        """As RFC 9795 section 6 advises, or by value, or the reason of the call."""
        rng, c = self.rng, self.constraints
        self.rich = [rich(rng) for _ in range(rng.choice((1, 1, 2)))]
        way = rng.random()
        if way < 0.3 or any("rcdi" not in one for one in self.rich):
            c.permitted.append(("rcd", [text_of(one["rcd"]) for one in self.rich]))
            c.permitted.append(("rcdi", [text_of(one.get("rcdi", {})) for one in self.rich]))
        else:
            self.include += ["rcd", "rcdi"]
            c.permitted.append(("rcdi", [text_of(one["rcdi"]) for one in self.rich]))
        if rng.random() < 0.4:
            self._permit("crn", list(TEXTS_KEPT))

    def _extra(self) -> None:
        """Claims that the configuration allows; under vesper-06 that is not enough."""
        if self.profile != "vesper-06" and not self.rich and self.rng.random() < 0.3:
            self.rich = [rich(self.rng) for _ in range(4)]
            self.allow += ["rcd", "rcdi"] + (["crn"] if "crn" not in self.values else [])
        if self.profile != "vesper-06" and self.rng.random() < 0.4:
            known = set(self.values) | set(self.exclude)
            self.allow += [n for n in self.rng.sample(FREE, 2) if n not in known]

    def _certificate(self) -> Certificate:
        rng = self.rng
        life = rng.choice((3600, 86400, 7 * 86400))
        if self.profile in (None, "atis-delegate", "shaken-sp") and rng.random() < 0.3:
            life = 90 * 86400
        begin = NOW - rng.randrange(life)
        parent = None
        if self.profile != "shaken-sp" and rng.random() < 0.3:
            parent = self._parent()
        return Certificate(
            parent=parent, entries=self.entries, constraints=self.constraints, not_before=begin,
            not_after=begin + life, by_reference=self.encompassing != "require" and rng.random() < 0.05,
            hosts=["acme.example"] if self.profile == "domain" else rng.choice(
                ([], [], [], ["acme.example"], ["a.example", "b.example"])), ca=rng.choice((None, False)),
            usage=rng.choice((0x80, 0x80, 0xC0, None)),
            further=[("1.3.6.1.4.1.99999.1", False, b"\x05\x00")] if rng.random() < 0.1 else [])

    def _parent(self) -> list[tuple] | None:
        """An issuer that holds what the leaf holds, in another way."""
        rng, mode = self.rng, self.rng.choice(("off", "if-present", "if-present", "require"))
        self.encompassing = mode
        if mode != "require" and rng.random() < 0.3:
            return rng.choice((None, [("spc", "1234")]))
        out = [entry[:3] for entry in self.entries]
        for n, entry in enumerate(out):
            if entry[0] == "range" and entry[2] > 3 and rng.random() < 0.5:  # cut in two
                half, start = entry[2] // 2, int(entry[1])
                out[n] = ("range", entry[1], half)
                out.append(("range", str(start + half).zfill(len(entry[1])), entry[2] - half))
        rng.shuffle(out)
        return out + [("one", digits(rng, 11))]

    # ---- pairs that are allowed ----------------------------------------------------

    def _dest(self) -> dict:
        rng = self.rng
        if self.pinned_dest is not None:
            numbers = list(self.pinned_dest)
            rng.shuffle(numbers)
            return {"tn": [decorated(rng, n) for n in numbers]}
        numbers = {digits(rng, rng.choice((11, 11, 11, 3, 15))) for _ in
                   range(rng.choice((1, 1, 1, 1, 2, 3, 15)))}
        uris = rng.sample(("sip:alice@example.com", "sips:bob@example.org", "sip:a@b"),
                          rng.choice((0, 0, 0, 1)))
        dest = {"tn": [decorated(rng, n) for n in sorted(numbers, key=lambda _: rng.random())]}
        if uris:
            dest["uri"] = uris
            if rng.random() < 0.3:
                del dest["tn"]
        return dest

    def _may(self, ppt: str | None) -> bool:
        """Can a PASSporT of that type meet the constraints at all?"""
        demanded = set(self.include)
        if ppt in ("div", "div-o"):  # nothing rides beside
            return not demanded and (self.pinned_dest is None or len(self.pinned_dest) == 1)
        if ppt != "shaken" and "attest" in demanded:
            return False
        if ppt == "rsp":
            return self.pinned_dest is None
        if ppt == "rcd":
            return bool(self.rich) or "crn" in self.values or self.profile != "vesper-06"
        return self.profile != "vesper-06" or ppt != "rph"

    def _own(self, ppt: str | None, at: int) -> dict:
        """The claims that the type is about."""
        rng = self.rng
        if ppt == "shaken":
            return {"attest": rng.choice(self.values.get("attest", ["A", "B", "C"])),
                    "origid": uuid(rng)}
        if ppt == "msg" and rng.random() < 0.7:
            return {"msgi": hashed(rng, "a message")}
        if ppt == "rph":
            out = {"rph": {"auth": rng.sample(("ets.0", "wps.4", "esnet.1", "dsn.flash"),
                                              rng.choice((1, 2)))}}
            return {**out, "sph": "psap-callback"} if rng.random() < 0.3 else out
        if ppt in ("div", "div-o"):
            out = {"div": {"tn": decorated(rng, rng.choice(self.pool))}}
            if rng.random() < 0.3:
                out["div"]["hi"] = rng.choice(("1", "1.2", "1.1.10"))
            return out
        return {}

    def _fingerprints(self) -> list[dict]:
        rng = self.rng
        rows = {(alg, "".join(rng.choice("0123456789ABCDEF") for _ in range(size)))
                for alg, size in rng.sample((("sha-256", 64), ("sha-256", 64), ("sha-512", 128),
                                             ("sha-384", 96)), rng.choice((1, 1, 2, 3)))}
        return [{"alg": alg, "dig": dig} for alg, dig in sorted(rows)]

    def _orig(self) -> dict:
        numbers = self.pool
        if "orig" in self.values:
            numbers = [v["tn"] for v in self.values["orig"]]
        return {"tn": decorated(self.rng, self.rng.choice(numbers))}

    def _parties(self, ppt: str | None) -> dict:
        """Who calls whom, with the certificate's number where the type wants it."""
        rng = self.rng
        free = {"tn": decorated(rng, digits(rng, 11))}
        orig = self._orig() if ppt not in ("div", "div-o", "rsp") or "orig" in self.values else free
        if ppt == "rsp":
            numbers = rng.sample(sorted(set(self.pool)), min(len(set(self.pool)),
                                                             rng.choice((1, 1, 2))))
            return {"orig": orig, "dest": {"tn": [decorated(rng, n) for n in numbers]}}
        if ppt in ("div", "div-o"):
            target = self.pinned_dest[0] if self.pinned_dest else "9" + digits(rng, 13)
            return {"orig": orig, "dest": {"uri": ["sip:bob@example.org"]}
                    if not self.pinned_dest and rng.random() < 0.2
                    else {"tn": [decorated(rng, target)]}}
        return {"orig": orig, "dest": self._dest()}

    def _dated(self, iat: int) -> int:
        """The nearest moment that the certificate is valid at."""
        return max(self.certificate.not_before, min(self.certificate.not_after, iat))

    def _claims(self, ppt: str | None, at: int) -> dict:
        rng = self.rng
        claims = {**self._parties(ppt), **self._own(ppt, at)}
        if rng.random() < 0.5:
            claims["iat"] = self._dated(at + rng.choice((0, 0, -60, 5, -1, 1, -59, 4)))
            if ppt in ("div", "div-o"):
                claims["iat"] = self._dated(at + rng.choice((0, 5, -61, -3600, -10800)))
        if ppt in ("div", "div-o"):
            return claims
        if rng.random() < 0.25:
            claims["mky"] = self._fingerprints()
        self._beside(claims)
        if ppt == "rcd" and not {"rcd", "crn"} & set(claims):
            if self.rich:
                claims.update(rng.choice(self.rich))
            else:
                claims["crn"] = rng.choice(self.values.get("crn", TEXTS))
        return claims

    def _beside(self, claims: dict) -> None:
        """Further claims, as constraints and configuration let them."""
        rng = self.rng
        wanted = set(self.include)
        wanted |= {n for n in list(self.values) + self.allow if rng.random() < 0.5}
        for name in wanted - set(self.exclude) - {"attest", "orig", "dest", "rcd", "rcdi"}:
            claims[name] = rng.choice(self.values.get(name, TEXTS if name == "crn" else VALUES))
        if self.rich and ("rcd" in self.include or rng.random() < 0.6):
            claims.update(rng.choice(self.rich))
        for name in self.whole:
            if name in self.include or rng.random() < 0.6:
                self._put_parts(claims, name)

    def _put_parts(self, claims: dict, name: str) -> None:
        """The claim, without what must not be told and what nobody vetted."""
        pointers = {pointer for claim, pointer, _ in self.modes if claim == name}
        if (name, "") in self.committed:
            claims.pop(name, None)
            return
        value = self.whole[name]
        for claim, pointer in self.committed:
            if claim == name:
                value = cut(value, pointer)
        if self.profile == "vesper-06" and name not in self.include and "" not in pointers:
            value = only(value, pointers)
        claims.pop(name, None)
        if name == "vper" and value != self.whole[name]:
            return
        if value != {} or self.profile != "vesper-06" or name in self.include:
            claims[name] = value

    def base(self) -> Pair:
        rng = self.rng
        ppt = rng.choice([p for p in PPTS[self.profile] if self._may(p)] or PPTS[self.profile])
        c = self.certificate
        at = rng.choice((c.not_before, c.not_after, NOW,
                         rng.randint(c.not_before, c.not_after)))
        pair = Pair(c, self._claims(ppt, at), at, ppt, self.profile, list(self.allow),
                    fancy=rng.random() < 0.3, dno=DNO if rng.random() < 0.2 else None,
                    encompassing=self.encompassing)
        if ppt in ("div", "div-o", "rsp"):
            self._answered(pair)
        elif self.salts and self.profile != "vesper-06" and rng.random() < 0.7:
            pair.salts = list(self.salts.values())  # committed values are told and proven
            pair.claims.update({name: self.whole[name] for name, _ in self.committed})
        if (ppt == "rcd" and self.profile not in ("shaken-sp", "vesper-06") and
                "orig" not in self.values and rng.random() < 0.2):
            pair.third = rng.choice(ISSUERS)  # rich call data about another's number (D-52)
            pair.claims.update(orig={"tn": "5" + digits(rng, 13)}, iss=pair.third)
        return pair

    def _answered(self, pair: Pair) -> None:
        """The PASSporTs that it answers, from its claims backwards."""
        rng, claims = self.rng, pair.claims
        orig = plain(claims["orig"]["tn"])
        if pair.ppt == "rsp":
            last, iat = [plain(tn) for tn in claims["dest"]["tn"]], pair.at - rng.choice((0, 9000))
        else:
            last = [plain(claims["div"]["tn"])]
            last += ["8" + digits(rng, 13)] if rng.random() < 0.3 else []
            iat = claims.get("iat", self._dated(pair.at - rng.choice((0, 1, 10800))))
        rng.shuffle(last)
        rows = [passport(orig, last, iat, rng.choice((None, "shaken")))]
        if rng.random() < 0.3 and pair.ppt != "div-o":  # which wraps one
            rows = [passport(orig, last, iat, "shaken"), passport(orig, last[::-1], iat, None)]
        elif rng.random() < 0.3 and pair.ppt != "div-o" and len(last) == 1:  # diverted before
            before = "7" + digits(rng, 13)
            rows = [passport(orig, [before], iat, "shaken"),
                    passport(orig, last, iat, "div", div={"tn": before})]
        alone = rng.random() < 0.2  # the claims by themselves
        if pair.ppt == "div-o" and (alone or rng.random() < 0.5):
            claims["opt"] = rows[0]
        pair.original = [] if alone else rows


__all__ = ["Family", "Pair", "Raw", "octets"]
