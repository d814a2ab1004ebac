"""One change each that turns an allowed pair into one that must be refused.

Each takes (family, pair) and gives the changed pair, or None where it does not
apply.  It stands under the reason that the oracle has to give; what stands
under MAYBE may also leave the pair allowed.
"""

from __future__ import annotations

from dataclasses import replace

import generate
import richcall
from certmake import ia5, integer, tlv, tn_list
from generate import VALUES, Family, Pair, octets, same, text_of
from spell import Raw, spell

CHANGES: dict[str, list] = {}
MAYBE = set()


def change(reason: str, maybe: bool = False):
    def note(function):
        CHANGES.setdefault(reason, []).append(function)
        if maybe:
            MAYBE.add(function)
        return function
    return note


def with_claims(pair: Pair, **those) -> Pair:
    return pair.changed(claims={**pair.claims, **those})


def without(pair: Pair, name: str) -> Pair:
    return pair.changed(claims={n: v for n, v in pair.claims.items() if n != name})


def with_leaf(pair: Pair, **those) -> Pair:
    return pair.changed(certificate=replace(pair.certificate, **those))


def answers(pair: Pair) -> bool:
    """Is it compared with another PASSporT?"""
    return bool(pair.original) or "opt" in pair.claims


# ---- the text ------------------------------------------------------------------------

DIGEST = "+/" + generate.digest(b"x")[2:]
BAD_NUMBERS = ("1.5", "1e3", "1790000000.0", "1790000000e0", "-0", "9007199254740992", "01",
               "+5", "0x10", "NaN", "Infinity", "-", "-9007199254740992", "1" + "0" * 400,
               "True", "nul", "'5'", "1790000000\0", "null\0")
BAD_STRINGS = ('"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"1\n2"', '"\\x31"', '"\\u12"', "'1'",
               '"1', '"\\ud83dx"')


@change("malformed_json")
def bad_number(g: Family, p: Pair):
    return with_claims(p, iat=Raw(g.rng.choice(BAD_NUMBERS)))


@change("malformed_json")
def bad_string(g: Family, p: Pair):
    return with_claims(p, orig={"tn": Raw(g.rng.choice(BAD_STRINGS))})


@change("malformed_json")
def too_deep(g: Family, p: Pair):
    depth = g.rng.choice((17, 18, 30, 1000))
    return with_claims(p, dest=Raw("[" * depth + "]" * depth))


@change("malformed_json")
def bad_utf8(g: Family, p: Pair):
    text = spell(g.rng, {**p.claims, "dest": {"uri": ["sip:@@@@"]}}, False).encode()
    bad = g.rng.choice((b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x28\xa1", b"\xf5\x80\x80\x80",
                        b"\xc3"))
    return p.changed(text=text.replace(b"@@@@", bad))


@change("malformed_json")
def bad_frame(g: Family, p: Pair):
    text = octets(g.rng, p)
    return p.changed(text=g.rng.choice((
        text + b"x", text + b"{}", text[:-1], text[:-1] + b",}", b"", b"\xef\xbb\xbf" + text,
        text + b"//", b"/**/" + text, text[:-1] + b"]", text + b"\0", b" ", text[1:],
        text.replace(b":", b"=", 1))))


@change("duplicate_member")
def twice(g: Family, p: Pair):
    name = g.rng.choice(list(p.claims))
    text = spell(g.rng, p.claims, False)
    again = "".join(f"\\u{ord(c):04x}" if g.rng.random() < 0.3 else c for c in name)
    part = f'"{again}":' + spell(g.rng, p.claims[name], False)
    whole = "{" + part + "," + text[1:] if g.rng.random() < 0.5 else text[:-1] + "," + part + "}"
    return p.changed(text=whole.encode())


@change("duplicate_member")
def twice_inside(g: Family, p: Pair):
    number = spell(g.rng, p.claims["orig"]["tn"], False)
    other = g.rng.choice((number, '"12025550199"', "null"))
    return with_claims(p, orig=Raw('{"tn":%s,"t\\u006e":%s}' % (number, other)))


@change("invalid_member")
def no_object(g: Family, p: Pair):
    return p.changed(claims=g.rng.choice(([p.claims], "claims", 5, None, True, [])))


# ---- the type ------------------------------------------------------------------------

@change("unsupported_ppt")
def other_ppt(g: Family, p: Pair):
    return p.changed(ppt=g.rng.choice(("foo", "Shaken", "SHAKEN", "shaken ", " shaken", "shake",
                                       "shakenn", "passport", "mky", "null", "vper", "msec")))


@change("unsupported_ppt")
def ppt_of_another_class(g: Family, p: Pair):
    if p.profile is None:
        return None
    signed = generate.PPTS[p.profile]
    return p.changed(ppt=g.rng.choice([t for t in generate.PPTS[None] + generate.DELEGATE
                                       if t not in signed]))


# ---- the claims ----------------------------------------------------------------------

DEMANDED = {"shaken": ["attest", "origid"], "div": ["div"], "div-o": ["div"],
            "rph": ["rph"]}


@change("missing_claim")
def missing(g: Family, p: Pair):
    names = ["orig", "dest"] + DEMANDED.get(p.ppt, [])
    return without(p, g.rng.choice(names + (["opt"] if "opt" in p.claims and not p.original
                                            else [])))


@change("missing_claim")
def nothing_rich(g: Family, p: Pair):
    if p.ppt != "rcd":
        return None
    return without(without(without(p, "rcd"), "rcdi"), "crn")


@change("invalid_claim")
def wrong_orig(g: Family, p: Pair):
    tn = p.claims["orig"]["tn"]
    return with_claims(p, orig=g.rng.choice((
        tn, [tn], {"tn": [tn]}, {}, {"tn": None}, {"tn": 12025550100}, {"tn": tn, "x": 1},
        {"tn": tn, "uri": "sip:a@b"}, {"uri": "sip:alice@example.com"}, {"TN": tn}, None, 5,
        {"tn": {"tn": tn}}, [{"tn": tn}], True, {"tn": False})))


@change("invalid_claim")
def wrong_dest(g: Family, p: Pair):
    tn = "12125550111"
    return with_claims(p, dest=g.rng.choice((
        tn, [tn], {"tn": tn}, {}, {"tn": []}, {"uri": []}, {"tn": [tn], "uri": []}, None,
        {"tn": [tn], "x": []}, {"tn": [tn, tn]}, {"tn": [tn, "+1 212 555 0111"]}, {"tn": [None]},
        {"tn": [tn, 5]}, {"tn": [[tn]]}, {"tn": {"tn": tn}}, {"tn": [str(10 ** 10 + i)
                                                                     for i in range(17)]},
        {"uri": ["sip:a@b", "sip:a@b"]}, {"uri": [""]}, {"uri": [5]}, {"uri": "sip:a@b"},
        {"tn": [tn], "TN": [tn]}, [{"tn": tn}])))


@change("invalid_claim")
def wrong_iat(g: Family, p: Pair):
    return with_claims(p, iat=g.rng.choice((str(p.at), None, True, [p.at], {"iat": p.at}, "",
                                            False, {})))


@change("invalid_claim")
def wrong_own(g: Family, p: Pair):
    names = [n for n in WRONG if n in p.claims]
    if not names:
        return None
    name = g.rng.choice(names)
    return with_claims(p, **{name: WRONG[name](g, p.claims[name])})


def _attest(g: Family, _):
    return g.rng.choice(("a", "D", "", "AA", " A", "A ", None, 1, ["A"], {"attest": "A"}, True,
                         "\u0410"))


def _origid(g: Family, good):
    return g.rng.choice((
        good[:-1], good + "0", good[:8] + good[9:] + "-", "g" + good[1:], "", None, 5, [good],
        good.replace("-", "_"), " " + good, good + " ", "123e4567", good[:-1] + "é",
        {"origid": good}))


def _mky(g: Family, good):
    row = good[0]
    return g.rng.choice((
        [], None, row, text_of(good), good + [row], [{**row, "dig": row["dig"].lower() + "a"}],
        [{**row, "dig": row["dig"][:-2]}], [{**row, "dig": row["dig"] + "00"}],
        [{**row, "dig": ":".join(row["dig"])}], [{**row, "more": 1}], [{"alg": row["alg"]}],
        [{"dig": row["dig"]}], [{**row, "alg": "md5"}], [{**row, "alg": None}], [row["dig"]],
        [{**row, "dig": "b" + "A" * (len(row["dig"]) - 1)}],
        [{"alg": "sha-256", "dig": "B" * 64}, {"alg": "sha-256", "dig": "A" * 64}],
        [{"alg": "sha-512", "dig": "A" * 128}, {"alg": "sha-256", "dig": "A" * 64}],
        [{"alg": "sha-256", "dig": f"{i:064X}"} for i in range(17)]))


def _msgi(g: Family, good):
    return g.rng.choice((None, 5, "", [good], good[7:], "sha1" + good[6:], good[:-4], good + "AAAA",
                         "sha256-", "SHA256" + good[6:], "md5-AAAA", {"sha256": good},
                         "sha256-" + "A" * 56, good[:10] + "*" + good[11:]))


def _rph(g: Family, good):
    return g.rng.choice(({}, None, good["auth"], "ets.0", {"auth": []}, {"auth": "ets.0"},
                         {**good, "more": 1}, {"auth": ["ets"]}, {"auth": ["ets."]}, {"auth": [5]},
                         {"auth": [".0"]}, {"auth": ["e ts.0"]}, {"auth": good["auth"] + [None]},
                         {"AUTH": good["auth"]}, {"auth": ["ets.0,wps.0"]}))


def _div(g: Family, good):
    tn = good["tn"]
    return g.rng.choice((tn, [good], {}, None, {"tn": [tn]}, {"tn": None}, {"tn": 12025550100},
                         {"uri": "sip:a@b"}, {"tn": tn, "uri": "sip:a@b"}, {"tn": tn, "more": 1},
                         {"tn": tn, "hi": 1}, {"tn": tn, "hi": ""}, {"tn": tn, "hi": "1."},
                         {"tn": tn, "hi": "a"}, {"tn": tn, "hi": None}, {"hi": "1"}))


def _opt(g: Family, good):
    header, payload, signature = good.split(".")
    return g.rng.choice(("", None, 5, [good], good[:-1], good + ".", good + "." + signature,
                         ".." + signature, header + "." + payload, header + "." + payload + ".",
                         f"{header}..{signature}", f"YWJj.{payload}.{signature}",
                         f"{header}.YWJj.{signature}", good.replace(".", ".\n", 1), "a.b.c",
                         f"{header}.{payload}.YWJj", {"opt": good}, good + "=", " " + good))


WRONG = {"attest": _attest, "origid": _origid, "mky": _mky, "msgi": _msgi, "rph": _rph,
         "div": _div, "opt": _opt,
         "sph": lambda g, _: g.rng.choice(("psap", "", None, 5, ["psap-callback"],
                                           "PSAP-callback"))}


@change("invalid_claim")
def nothing_diverted(g: Family, p: Pair):
    if "div" not in p.claims:
        return None
    return with_claims(p, dest={"tn": [generate.decorated(g.rng, _digits(p.claims["div"]["tn"]))]})


@change("invalid_claim")
def several_diverted(g: Family, p: Pair):
    if "div" not in p.claims:
        return None
    return with_claims(p, dest=g.rng.choice((
        {"tn": ["999", "12125550111"]}, {"tn": ["999"], "uri": ["sip:a@b"]},
        {"uri": ["sip:a@b", "sip:c@d"]})))


@change("invalid_claim")
def uri_not_normal(g: Family, p: Pair):
    if p.ppt in ("div", "div-o", "rsp"):
        return None
    return with_claims(p, dest={"uri": [g.rng.choice((
        "sip:Bob@example.org", "SIP:bob@example.org", "sips:bob@Example.org", "sip:bob@example.org:5060",
        "sip:bob@example.org;user=phone", "sip:bob@example.org?a=b", "sip:bob:pw@example.org",
        "sip:%62ob@example.org", "sip:example.org", "sip:@example.org", "sip:bob@"))]})


@change("invalid_claim")
def answered_by_uri(g: Family, p: Pair):
    if p.ppt != "rsp":
        return None
    return with_claims(p, dest=g.rng.choice(({"uri": ["sip:a@b"]},
                                             {**p.claims["dest"], "uri": ["sip:a@b"]})))


def _digits(text: str) -> str:
    return "".join(c for c in text if c in "0123456789*#")


@change("missing_claim")
def elsewhere_without_digests(g: Family, p: Pair):
    """RFC 9795 section 4: what lies elsewhere is not referred to without rcdi."""
    if "rcdi" not in p.claims or "rcdi" in g.include or \
            not richcall.references(p.claims["rcd"]):
        return None
    return without(p, "rcdi")


@change("missing_claim")
def digests_of_nothing(g: Family, p: Pair):
    return without(p, "rcd") if "rcdi" in p.claims else None


@change("invalid_claim")
def wrong_rcd(g: Family, p: Pair):
    if "rcd" not in p.claims:
        return None
    rcd, rng = p.claims["rcd"], g.rng
    card = generate.CARDS[0]
    return without(with_claims(p, rcd=rng.choice((
        None, [rcd], text_of(rcd), 5, {n: v for n, v in rcd.items() if n != "nam"},
        {**rcd, "nam": None}, {**rcd, "nam": "A\x1f"}, {**rcd, "nam": ["ACME"]}, {**rcd, "more": 1}, {**rcd, "NAM": "x"},
        {**rcd, "icn": "http://example.com/a.png"}, {**rcd, "icn": "data:text/html,x"},
        {**rcd, "icn": 5}, {**rcd, "apn": "+12025550100"}, {**rcd, "apn": "1-202"},
        {**rcd, "apn": 12025550100}, {**rcd, "apn": ""}, {**rcd, "apn": "1" * 16},
        {**rcd, "jcd": card, "jcl": "https://example.com/"},
        {**rcd, "jcl": "http://example.com/"}, {"nam": "x", "jcd": ["vcard"]},
        {"nam": "x", "jcd": text_of(card)}, {"nam": "x", "jcd": ["vcard", []]},
        {"nam": "x", "jcd": ["vcal", card[1]]}, {"nam": "x", "jcd": ["vcard", card[1][:1]]},
        {"nam": "x", "jcd": ["vcard", card[1][1:]]}, {"nam": "x", "jcd": card + [[]]},
        {"nam": "x", "jcd": ["vcard", card[1] + [["fn", {}, "text"]]]},
        {"nam": "x", "jcd": ["vcard", card[1] + [["fn", [], "text", "x"]]]},
        {"nam": "x", "jcd": ["vcard", card[1] + [card[1][0]]]}))), "rcdi")


HIDDEN_REFERENCES = (
    ["adr", {"geo": "https://evil.example/x.png"}, "text", "a"],
    ["x-logo", {"altid": "https://evil/x"}, "text", "a"],
    ["x-logo", {"altid": ["1", "HTTP:evil"]}, "uri", "data:image/png,AAAA"],
    ["x-logo", {}, "text", "https://evil.example/y"],
    ["x-html", {}, "text", ["a", ["<img src=ftp://evil.example/y>"]]],
    ["note", {}, "unknown", "https://evil.example/y"],
    ["note", {"VALUE": "uri"}, "text", "https://evil.example/y"],
    ["key", {}, "text", "https://evil.example/k"], ["uid", {}, "text", "HTTPS://evil.example/u"],
    ["related", {}, "text", "https://evil.example/r"], ["tz", {}, "text", "https://evil.example/"],
    ["impp", {}, "text", "a"], ["caluri", {}, "text", "a"], ["photo", {}, "text", "a"])


@change("invalid_claim")
def hidden_reference(g: Family, p: Pair):
    if "rcd" not in p.claims:
        return None
    card = generate.CARDS[0]
    return without(with_claims(p, rcd={"nam": "x", "jcd": ["vcard", card[1] + [
        g.rng.choice(HIDDEN_REFERENCES)]]}), "rcdi")


@change("invalid_claim")
def wrong_rcdi(g: Family, p: Pair):
    if "rcdi" not in p.claims:
        return None
    rcd, rcdi, rng = p.claims["rcd"], p.claims["rcdi"], g.rng
    some = rng.choice(sorted(rcdi))
    nam = generate.hashed(rng, rcd["nam"])
    return with_claims(p, rcdi=rng.choice((
        {}, None, [rcdi], text_of(rcdi), {**rcdi, "/nam": generate.hashed(rng, rcd["nam"] + " ")},
        {**rcdi, "/nam": "sha256-" + generate.digest(rcd["nam"].encode())},
        {**rcdi, "/nom": nam}, {**rcdi, "nam": nam}, {**rcdi, "/nam/0": nam}, {**rcdi, "/NAM": nam},
        {**rcdi, some: rcdi[some][7:]}, {**rcdi, some: "sha1" + rcdi[some][6:]},
        {**rcdi, some: None}, {**rcdi, some: rcdi[some][:-4]}, {**rcdi, some: rcdi[some] + "AAAA"},
        {**rcdi, some: "sha256-"}, {**rcdi, some: [rcdi[some]]}, {**rcdi, "/nam~": nam},
        {**rcdi, "/nam": "sha384" + nam[6:] if nam[3:6] != "384" else "sha512" + nam[6:]})))


@change("invalid_claim")
def content_without_digest(g: Family, p: Pair):
    if "rcdi" not in p.claims:
        return None
    rcd, rcdi = p.claims["rcd"], p.claims["rcdi"]
    if "icn" in rcd and "/icn" in rcdi and rcd["icn"].startswith("https"):
        return with_claims(p, rcdi={**{n: v for n, v in rcdi.items() if n != "/icn"},
                                    "/nam": generate.hashed(g.rng, rcd["nam"])})
    if "icn" not in rcd:
        return with_claims(p, rcd={**rcd, "icn": "https://example.com/other.png"})
    return None


@change("invalid_claim")
def wrong_reason_of_call(g: Family, p: Pair):
    if "crn" not in p.claims:
        return None
    return with_claims(p, crn=g.rng.choice((
        5, None, ["x"], {"crn": "x"}, True, "a\tb", "\x7f", "x\n", "\x85", "\u2028", "a\u202eb",
        "\u2067", "a\u200bb", "\ufeffx", "\xad", "a\u200db", "\u0915\u200d", "\U000e0041")))


@change("invalid_claim")
def wrong_persona(g: Family, p: Pair):
    if "vper" not in p.claims:
        return None
    good, rng = p.claims["vper"], g.rng
    urn, gone = good["glue"][0], rng.choice(sorted(good))
    less = {n: v for n, v in good.items() if n != gone}
    return with_claims(p, vper=rng.choice((
        less, {**good, "more": 1}, [good], text_of(good), None, generate.digest(b"hashed"),
        {**good, "id": ""}, {**good, "id": 5}, {**good, "name": None}, {**good, "name": "A\n"},
        {**good, "glue": []}, {**good, "glue": urn}, {**good, "glue": [urn, urn]},
        {**good, "glue": [urn, urn + ":1"]}, {**good, "glue": ["urn:glue:LEI:1"]},
        {**good, "glue": ["urn:lei:1"]}, {**good, "glue": ["urn:glue:lei:"]},
        {**good, "glue": ["urn:glue:lei:a%20b"]}, {**good, "glue": [None]},
        {**good, "glue": ["urn:glue:" + "a" * 51 + ":1"]},
        {**good, "glue": ["urn:glue:lei:" + "a" * 1001]}, {**good, "domain": "localhost"},
        {**good, "domain": "a..example"}, {**good, "domain": "-a.example"},
        {**good, "domain": "192.0.2.1"}, {**good, "domain": "https://a.example"},
        {**good, "domain": "é.example"}, {**good, "domain": "a" * 64 + ".example"}, less)))


@change("value_not_permitted")
def other_rich(g: Family, p: Pair):
    """Right in itself, and not what the certificate permits."""
    if "div" in p.claims:
        return None
    names = {name for name, _ in p.certificate.constraints.permitted}
    if "rcdi" not in names or "rcd" not in p.claims:
        return None
    rcd = {"nam": g.rng.choice(("Another", "acme", "ACME "))}
    return with_claims(p, rcd=rcd, rcdi={"/nam": generate.hashed(g.rng, rcd["nam"])})


BAD_TNS = ("", "+", "++12025550100", "1202555010a", "1234567890123456", "١٢٠٢٥٥٥٠١٠٠", "-", "()",
           "tel:+12025550100", "sip:12025550100@a", "1202\t5550100", "12025550100;ext=1", "A",
           "1,202", "１２０２", "12/34", "12025550100\n", "+" + "9" * 16, "1202555x0100",
           "1202\u00a05550100", "12+025550100", "%31")


@change("invalid_tn")
def wrong_number(g: Family, p: Pair):
    bad = g.rng.choice(BAD_TNS)
    if g.rng.random() < 0.5:
        return with_claims(p, orig={"tn": bad})
    if "div" in p.claims:
        return with_claims(p, div={"tn": bad})
    numbers = list(p.claims["dest"].get("tn", []))[:3] + [bad]
    g.rng.shuffle(numbers)
    return with_claims(p, dest={**p.claims["dest"], "tn": numbers})


@change("stale_iat")
def stale(g: Family, p: Pair):
    if "div" in p.claims:
        iat = p.at + g.rng.choice((-10801, 6, 3600, -86400, 61))
        orig, there = generate.plain(p.claims["orig"]["tn"]), generate.plain(p.claims["div"]["tn"])
        return with_claims(without(p, "opt").changed(
            original=[generate.passport(orig, [there], iat)]), iat=iat)
    offset = g.rng.choice((-61, 6, -3600, 3600, -10800, 86400, -p.at, -2 * p.at,
                           2 ** 53 - 1 - p.at, 61, -62, -300))
    return with_claims(p, iat=p.at + offset)


@change("unknown_claim")
def unknown(g: Family, p: Pair):
    name = g.rng.choice(("zzz", "iat2", "ORIG", "Orig", "orig ", "kid", "nbf", "exp", "jti",
                         "sub", "", "Attest", "dést", "$schema", "x5u", "alg", "typ"))
    if name in p.claims or name in p.allow:
        return None
    return with_claims(p, **{name: g.rng.choice(VALUES)})


BOUND = {"msgi": "sha256-" + DIGEST, "div": {"tn": "12025550100"}, "rph": {"auth": ["ets.0"]},
         "sph": "psap-callback", "iss": "ACME", "opt": generate.passport("1", ["2"], 1)}
HOMES = {"msgi": ("msg",), "div": ("div", "div-o"), "rph": ("rph",), "sph": ("rph",),
         "iss": ("rcd",), "opt": ("div-o",)}


@change("unknown_claim")
def claim_of_another_type(g: Family, p: Pair):
    """No configuration lets it out of its own types."""
    name = g.rng.choice([n for n in HOMES if p.ppt not in HOMES[n]])
    allow = p.allow + [name] if g.rng.random() < 0.5 else p.allow
    return with_claims(p.changed(allow=allow), **{name: BOUND[name]})


@change("unknown_claim")
def beside_div(g: Family, p: Pair):
    if "div" not in p.claims:
        return None
    name = g.rng.choice(("foo", "attest", "rcd", "mky", "crn"))
    value = {"rcd": {"nam": "x"}, "attest": "A",
             "mky": [{"alg": "sha-256", "dig": "A" * 64}]}.get(name, "x")
    return with_claims(p.changed(allow=p.allow + [name]), **{name: value})


@change("unknown_claim")
def attest_in_answer(g: Family, p: Pair):
    if p.ppt != "rsp":
        return None
    return with_claims(p.changed(allow=p.allow + ["attest"]), attest="A")


# ---- the number ----------------------------------------------------------------------

def neighbours(g: Family) -> list[str]:
    """What lies just outside an entry, or only looks like one."""
    entry = g.rng.choice([e for e in g.entries if e[0] != "spc"])
    if entry[0] == "one":
        n = entry[1]
        out = ["0" + n, n[:-1], n + "0", n[:-1] + "*", n + "#", n[1:], "1" + n, n.lstrip("0")]
        if n.isdigit():
            out += [str(int(n) + 1).zfill(len(n)), str(max(int(n) - 1, 0)).zfill(len(n))]
        return out
    start, count, size = int(entry[1]), entry[2], len(entry[1])
    inside = str(start + g.rng.randrange(count)).zfill(size)
    return [str(start - 1).zfill(size), str(start + count).zfill(size), "0" + inside,
            inside[:-1], inside + "0", inside[:-1] + "#", str(start + count),
            entry[1].lstrip("0"), str(start + 10 ** (size - 1)).zfill(size), "9" * size]


@change("tn_not_authorized", maybe=True)
def outside(g: Family, p: Pair):
    if p.profile == "shaken-sp" or p.third:
        return None
    number = g.rng.choice(neighbours(g)[:] if g.rng.random() < 0.9 else
                          [generate.digits(g.rng, 11)])
    if not 1 <= len(number) <= 15 or number.startswith("-"):
        return None
    return _by(g, p, generate.decorated(g.rng, number))


def _by(g: Family, p: Pair, text: str):
    """The pair with another number in the place that the certificate must cover."""
    if "div" in p.claims:
        orig, iat = generate.plain(p.claims["orig"]["tn"]), p.claims.get("iat", p.at)
        return with_claims(without(p, "opt").changed(
            original=[generate.passport(orig, [_digits(text)], iat)]),
            div={**p.claims["div"], "tn": text})
    if p.ppt == "rsp":
        there = p.claims["dest"]["tn"]
        number = _digits(text)
        if number in map(_digits, there):
            return None
        numbers = g.rng.choice(([text], there[:1] + [text]))
        orig = generate.plain(p.claims["orig"]["tn"])
        return with_claims(p.changed(original=[generate.passport(
            orig, [_digits(n) for n in numbers], p.at)]), dest={"tn": numbers})
    return None if "orig" in g.values else with_claims(p, orig={"tn": text})


@change("tn_not_authorized")
def third_party(g: Family, p: Pair):
    """D-52: iss makes it another's rich call data, which is not switched on."""
    if p.ppt != "rcd":
        return None
    number = generate.digits(g.rng, 14) if g.rng.random() < 0.5 and "orig" not in g.values else \
        p.claims["orig"]["tn"]
    return with_claims(p.changed(third=None), iss="Zorin Industries", orig={"tn": number})


@change("value_not_permitted")
def another_third_party(g: Family, p: Pair):
    """D-52: whoever may speak about numbers of others has one name."""
    if not p.third:
        return None
    return with_claims(p, iss=g.rng.choice([n for n in (*generate.ISSUERS, p.third + " ")
                                            if n != p.third]))


@change("invalid_claim")
def no_third_party(g: Family, p: Pair):
    """Who holds the number is no third party; and a third party has a name."""
    if p.ppt != "rcd" or p.third or p.profile in ("shaken-sp", "vesper-06"):
        return None
    return with_claims(p.changed(third="Zorin"), iss=g.rng.choice(("Zorin", "", None, 5, ["Zorin"])))


@change("tn_not_authorized")
def numbers_that_do_not_call(g: Family, p: Pair):
    """D-42: doNotOriginate, where the OID is known."""
    if p.dno is None or "div" in p.claims or p.ppt == "rsp" or p.profile == "shaken-sp":
        return None
    return with_leaf(p, further=p.certificate.further + [(p.dno, False, b"\x05\x00")])


@change("credential_expired")
def dated_outside(g: Family, p: Pair):
    """Valid now, and not at iat: RFC 8224 section 6.1 wants both."""
    rng, c, iat = g.rng, p.certificate, p.claims.get("iat", p.at)
    if iat < p.at:
        return rng.choice((with_leaf(p, not_before=rng.randint(iat + 1, p.at)),
                           with_leaf(p, issuer_validity=(iat + 1, 2208988800))))
    if iat > p.at:
        return rng.choice((with_leaf(p, not_after=rng.randint(p.at, iat - 1)),
                           with_leaf(p, issuer_validity=(1577836800, iat - 1))))
    if answers(p) or p.at not in (c.not_before, c.not_after):
        return None
    return with_claims(p, iat=p.at - rng.randint(1, 60) if p.at == c.not_before
                       else p.at + rng.randint(1, 5))


@change("credential_unusable")
def beyond_the_issuer(g: Family, p: Pair):
    """RFC 9060 section 4.1: more than the certificate above holds, or (require) unproven."""
    if p.encompassing not in ("if-present", "require"):
        return None
    entry, rng = g.rng.choice([e for e in g.entries if e[0] != "spc"]), g.rng
    fewer = [("one", "9" + generate.digits(rng, 14))]
    if entry[0] == "range" and len(g.entries) == 1:
        start, size = int(entry[1]), len(entry[1])
        fewer = rng.choice(([("range", str(start + 1).zfill(size), entry[2])] if
                            start + 1 + entry[2] < 10 ** size else fewer,
                            [("one", entry[1])], [("range", entry[1], entry[2] - 1)]
                            if entry[2] > 2 else fewer))
    if p.encompassing == "require" and rng.random() < 0.5:
        return with_leaf(p, parent=rng.choice((None, [("spc", "1234")], fewer + [("spc", "1")])))
    return with_leaf(p, parent=fewer)


def _longer(number: str) -> str:
    """Another number, that only begins like it."""
    return number + "0" if len(number) < 15 else number[:-1]


def _other_original(g: Family, p: Pair):
    orig = generate.plain(p.claims["orig"]["tn"])
    other = "6" + generate.digits(g.rng, 13)
    return orig, other


@change("original_mismatch")
def answers_another_call(g: Family, p: Pair):
    if not p.original:
        return None
    orig, other = _other_original(g, p)
    if p.ppt == "rsp":
        there = [generate.plain(tn) for tn in p.claims["dest"]["tn"]]
        return p.changed(original=[g.rng.choice((
            generate.passport(other, there, p.at), generate.passport(orig, [other], p.at),
            generate.passport(orig, there + [other], p.at),
            generate.passport(orig, [_longer(there[0])] + there[1:], p.at)))])
    there, iat = generate.plain(p.claims["div"]["tn"]), p.claims.get("iat", p.at)
    claims = {n: v for n, v in p.claims.items() if n != "opt"}
    return p.changed(claims=claims, original=[g.rng.choice((
        generate.passport(other, [there], iat), generate.passport(orig, [other], iat),
        generate.passport(orig, [_longer(there)], iat),
        generate.passport(orig, [("#" if there[0] == "*" else "*") + there[1:]], iat)))])


@change("original_mismatch")
def answers_at_another_time(g: Family, p: Pair):
    if "div" not in p.claims:
        return None
    orig, there = generate.plain(p.claims["orig"]["tn"]), generate.plain(p.claims["div"]["tn"])
    claims = {n: v for n, v in p.claims.items() if n != "opt"}
    return p.changed(claims={**claims, "iat": p.at},
                     original=[generate.passport(orig, [there], p.at - g.rng.choice((1, 60, -5)))])


@change("original_mismatch")
def carries_another(g: Family, p: Pair):
    if p.ppt != "div-o" or not answers(p):
        return None
    orig, there = generate.plain(p.claims["orig"]["tn"]), generate.plain(p.claims["div"]["tn"])
    iat = p.claims.get("iat", p.at)
    if p.original:
        return with_claims(p, opt=generate.passport(orig, [there, "1"], iat, None))
    _, other = _other_original(g, p)
    return with_claims(p, opt=g.rng.choice((
        generate.passport(other, [there], iat), generate.passport(orig, [other], iat),
        generate.passport(orig, [_longer(there)], iat))))


@change("original_mismatch")
def not_of_one_call(g: Family, p: Pair):
    if not p.original:
        return None
    orig, other = _other_original(g, p)
    return p.changed(original=p.original + [g.rng.choice((
        generate.passport(other, ["1"], p.at), generate.passport(orig, [other + "1"], p.at),
        generate.passport(orig, ["1"], p.at, "div", div={"tn": other + "2"})))])


@change("original_mismatch")
def only_diversions(g: Family, p: Pair):
    if "div" not in p.claims:
        return None
    orig, there = generate.plain(p.claims["orig"]["tn"]), generate.plain(p.claims["div"]["tn"])
    claims = {n: v for n, v in p.claims.items() if n != "opt"}
    return p.changed(claims=claims, original=[generate.passport(
        orig, [there], p.claims.get("iat", p.at), "div", div={"tn": "6" + generate.digits(g.rng, 13)})])


@change("original_invalid")
def no_passport(g: Family, p: Pair):
    if not p.original:
        return None
    header = {"alg": "ES256", "typ": "passport", "x5u": "https://a.example/c.pem"}
    there = p.claims["div"]["tn"] if "div" in p.claims else p.claims["dest"]["tn"]
    there = [generate.plain(tn) for tn in ([there] if isinstance(there, str) else there)]
    good = {"dest": {"tn": there}, "iat": p.claims.get("iat", p.at),
            "orig": {"tn": generate.plain(p.claims["orig"]["tn"])}}
    seal = generate.sealed
    first = seal(header, good).split(".")
    bad = g.rng.choice((
        "abc", "a.b.c", f"..{first[2]}", f"{first[0]}.{first[1]}", f"{first[0]}.{first[1]}.",
        p.original[0] + "." + first[2], f"{first[1]}.{first[0]}.{first[2]}",
        seal({**header, "alg": "none"}, good), seal({**header, "alg": "RS256"}, good),
        seal({**header, "typ": "JWT"}, good), seal({**header, "ppt": "foo"}, good),
        seal(header, {**good, "iat": str(p.at)}), seal(header, {**good, "orig": "2"}),
        seal(header, {**good, "dest": {}}), seal(header, [good]), seal([header], good),
        seal(header, {"dest": good["dest"], "iat": p.at}), seal(header, {"iat": p.at}),
        seal(header, good, b"\x01" * 63), seal(header, good, b"\x01" * 65),
        seal({"typ": "passport"}, good), seal({"alg": "ES256"}, good)))
    claims = {n: v for n, v in p.claims.items() if n != "opt"}
    return p.changed(claims=claims, original=[bad])


@change("original_invalid")
def answers_nothing_as_well(g: Family, p: Pair):
    """An empty text is no PASSporT, and not to be passed over."""
    return p.changed(original=g.rng.choice((["", *p.original], [*p.original, ""]))) \
        if p.original else None


@change("invalid_member")
def answers_needlessly(g: Family, p: Pair):
    if p.ppt in ("div", "div-o", "rsp"):
        return None
    return p.changed(original=[generate.passport("1", ["2"], p.at)])


@change("tn_not_authorized")
def code_instead_of_numbers(g: Family, p: Pair):
    """Without a profile an SPC authorises nothing (docs/man/vesper.1)."""
    if p.profile is not None or p.third:
        return None
    return with_leaf(p, entries=[("spc", g.pool[0])])


# ---- the constraints -----------------------------------------------------------------

@change("claim_excluded")
def excluded(g: Family, p: Pair):
    if "div" in p.claims:
        return None
    if not g.exclude:
        return None
    name = g.rng.choice(g.exclude)
    return with_claims(p, **{name: g.rng.choice(g.values.get(name, VALUES))})


@change("claim_missing_by_constraint")
def demanded(g: Family, p: Pair):
    names = [n for n in g.include if n not in ("attest", "origid")]
    if not names:
        return None
    name = g.rng.choice(names)
    if p.ppt == "rcd" and not {"rcd", "crn"} - {name} & set(p.claims):
        return None
    return without(without(p, name), "rcdi" if name == "rcd" else name)


def _spoiled(g: Family, value):
    """Nearly the same value."""
    rng = g.rng
    if isinstance(value, str):
        return rng.choice((value + " ", value.swapcase() or " ", '"' + value + '"', [value],
                           {"v": value}, value + "\u200b", value[:-1], None))
    if isinstance(value, dict):
        return rng.choice(({**value, "more": 1}, [value], dict(list(value.items())[1:]),
                           {k.upper(): v for k, v in value.items()}, text_of(value) + " "))
    if isinstance(value, list):
        return rng.choice((value + [1], value[::-1], value[1:], {"0": value}, text_of(value) + " "))
    if isinstance(value, bool) or value is None:
        return rng.choice((not value, 1, 0, "TRUE", "nil", [value]))
    return rng.choice((value // 2 + 1, -value or 7, [value], f"{value}.0", f" {value}"))


@change("value_not_permitted")
def other_value(g: Family, p: Pair):
    if "div" in p.claims:
        return None
    names = [n for n in g.values if n not in ("orig", "dest", "attest") and n not in g.exclude]
    if not names:
        return None
    name = g.rng.choice(names)
    value = (_spoiled(g, g.rng.choice(g.values[name])) if g.rng.random() < 0.7
             else g.rng.choice(VALUES))
    if any(same(value, good) for good in g.values[name]):
        return None
    if name == "crn" and not (isinstance(value, str) and value.isprintable()):
        return None
    return with_claims(p, **{name: value})


@change("value_not_permitted")
def other_own(g: Family, p: Pair):
    if "div" in p.claims:
        return None
    left = set("ABC") - set(g.values.get("attest", "ABC"))
    if p.ppt != "shaken" or not left:
        return None
    return with_claims(p, attest=g.rng.choice(sorted(left)))


@change("value_not_permitted")
def other_number(g: Family, p: Pair):
    if answers(p):
        return None
    if "dest" in g.values and g.rng.random() < 0.5:
        numbers = g.pinned_dest[1:] + [generate.digits(g.rng, 12)]
        return with_claims(p, dest={"tn": numbers})
    left = set(g.pool) - {v["tn"] for v in g.values.get("orig", [])}
    if "orig" not in g.values or not left:
        return None
    return with_claims(p, orig={"tn": g.rng.choice(sorted(left))})


def _set(value, pointer: str, new):
    """The value with new where the pointer leads; containers are made on the way."""
    if not pointer:
        return new
    first, mark, rest = pointer[1:].partition("/")
    name = first.replace("~1", "/").replace("~0", "~")
    rest = mark + rest
    if isinstance(value, list) and name.isdigit():
        index = int(name)
        value = value + [0] * (index + 1 - len(value))
        return value[:index] + [_set(value[index], rest, new)] + value[index + 1:]
    value = value if isinstance(value, dict) else {}
    return {**value, name: _set(value.get(name), rest, new)}


def _other_member(pointer: str, now):
    """Another value that vper can have there."""
    if pointer == "/glue":
        return ["urn:glue:pen:32473"]
    if pointer == "/glue/0":
        return "urn:glue:duns:123456789"
    return {**now, "name": "Other"} if isinstance(now, dict) else "another.example"


def _parts(g: Family, p: Pair, modes: set[str]):
    """A path of one of the modes and the claim's value now."""
    rows = [(n, pointer) for n, pointer, mode in g.modes if mode in modes and
            n in p.claims]
    return g.rng.choice(rows) if rows else None


@change("value_not_permitted")
def other_part(g: Family, p: Pair):
    found = _parts(g, p, {"value", "hash"})
    if found is None:
        return None
    name, pointer = found
    # Only where the part is there now: what is absent breaks nothing (D-08).
    now = generate.parts(p.claims[name]).get(pointer) if pointer else p.claims[name]
    if now is None or any(pointer != other and other.startswith(pointer) and
                          (name, other, mode) in g.modes for _, other, mode in g.modes):
        return None
    new = _spoiled(g, now)
    if name == "vper":
        new = _other_member(pointer, now)
    kept = {text for claim, texts in p.certificate.constraints.permitted
            for text in texts if claim == name + pointer}
    if same(new, now) or text_of(new) in kept:
        return None
    return with_claims(p, **{name: _set(p.claims[name], pointer, new)})


@change("private_claim_in_clear")
def told(g: Family, p: Pair):
    """What the certificate only commits to, in clear: the true value or another."""
    if "div" in p.claims:
        return None
    rows = [(n, pointer) for n, pointer, mode in g.modes if mode == "commit"]
    if not rows or p.salts:
        return None
    name, pointer = g.rng.choice(rows)
    true = generate.parts(g.whole[name]).get(pointer) if pointer else g.whole[name]
    value = true if g.rng.random() < 0.7 else g.rng.choice(VALUES)
    if name == "vper":
        return with_claims(p, vper=g.whole[name])
    if not pointer:
        return with_claims(p, **{name: value})
    if p.profile == "vesper-06" and name not in p.claims:
        return None
    whole = g.whole[name] if name == "vper" else p.claims.get(name, {})
    return with_claims(p, **{name: _set(whole, pointer, value)})


@change("private_claim_in_clear")
def told_without_salts(g: Family, p: Pair):
    return p.changed(salts=[]) if p.salts else None


@change("commitment_not_provable")
def without_its_salt(g: Family, p: Pair):
    if not p.salts:
        return None
    other = generate.digest(b"salt") + " other"
    lost = g.rng.randrange(len(p.salts))
    return p.changed(salts=p.salts[:lost] + [other] + p.salts[lost + 1:])


@change("value_not_permitted")
def with_another_salt(g: Family, p: Pair):
    if not p.salts:
        return None
    lost = g.rng.randrange(len(p.salts))
    other = generate.digest(b"salt") + " " + p.salts[lost].split(" ", 1)[1]
    return p.changed(salts=p.salts[:lost] + [other] + p.salts[lost + 1:])


@change("claim_not_vetted")
def part_not_vetted(g: Family, p: Pair):
    if p.profile != "vesper-06":
        return None
    names = [n for n in g.whole if n in p.claims and n not in g.include and
             (n, "") not in {(claim, pointer) for claim, pointer, _ in g.modes}]
    if not names:
        return None
    name = g.rng.choice(names)
    if name == "vper":
        return None
    return with_claims(p, **{name: {**p.claims[name], "further": g.rng.choice(VALUES)}})


@change("claim_not_vetted")
def not_vetted(g: Family, p: Pair):
    if "div" in p.claims:
        return None
    if p.profile != "vesper-06":
        return None
    name = g.rng.choice(("note", "Foo2", "iss2", "vper2", "extra"))
    return with_claims(p.changed(allow=p.allow + [name]), **{name: g.rng.choice(VALUES)})


# ---- the certificate -----------------------------------------------------------------

@change("credential_expired")
def other_time(g: Family, p: Pair):
    c = p.certificate
    at = g.rng.choice((c.not_before - 1, c.not_after + 1, c.not_before - 86400,
                       c.not_after + 10 ** 7, c.not_before - 60, c.not_after + 60))
    claims = dict(p.claims)
    if answers(p):
        return None
    if "iat" in claims:
        claims["iat"] += at - p.at
    return p.changed(at=at, claims=claims)


@change("credential_expired")
def issuer_at_other_time(g: Family, p: Pair):
    """Nothing is signed outside the validity of any certificate of the chain."""
    return with_leaf(p, issuer_validity=g.rng.choice((
        (1577836800, p.at - 1), (p.at + 1, 2208988800), (p.at + 3600, 2208988800))))


@change("credential_unusable")
def leaf_unfit(g: Family, p: Pair):
    further = ("1.3.6.1.4.1.99999.2", True, b"\x05\x00")
    those = [{"key": "p384"}, {"key": "rsa"}, {"key": "k256"}, {"ca": True}, {"usage": 0x40},
             {"usage": 0x06, "ca": True}, {"further": p.certificate.further + [further]},
             {"not_after": 253402300799}]
    those += [{"entries": None}, {"entries": None, "by_reference": True}]
    if p.profile == "domain":
        those += [{"hosts": []}, {"hosts": ["acme.example", "www.acme.example"]}] * 2
    if p.profile == "shaken-sp":
        those += [{"entries": g.entries + [("spc", "999Z")]}, {"entries": [("one", "1")]},
                  {"entries": g.entries + [("one", "12025550100")]}]
    elif p.profile is not None:
        those.append({"entries": [("spc", "1234")]})
    if p.profile in ("vesper-05", "vesper-06", "domain"):
        those.append({"not_after": p.certificate.not_before + 7 * 86400 + 1})
        those.append({"not_after": p.certificate.not_before + 90 * 86400})
    return with_leaf(p, **g.rng.choice(those))


@change("credential_unusable")
def both_extensions(g: Family, p: Pair):
    c = p.certificate.constraints
    return with_leaf(p, both=True) if c and not c.exclude else None


def _constraints(p: Pair, **those) -> Pair:
    return with_leaf(p, constraints=replace(p.certificate.constraints, **those))


# JSON by RFC 8259 that few parsers take; none is in RFC 8225 form (D-12).
UNREADABLE = ("[1e999]", '{"a":-1e-999}', "[" + "9" * 30 + "]", "[" + "9" * 5000 + "]",
              '["\\u0000"]', '{"\\u0000":1}', '["\\ud800"]', '{"\\udc00\\ud800":1}',
              "[" * 17 + "]" * 17, "[" * 100 + "1e999" + "]" * 100, "[1E400,{}]")

# Texts that no PASSporT can have in a claim, which each has or which is demanded.
NEVER = (("orig", "12025550100"), ("orig", '{"tn":"+12025550100"}'), ("orig", '{"tn":["1"]}'),
         ("orig", '{"tn":"1","uri":"sip:a@b"}'), ("orig", "[]"), ("dest", '{"tn":"1"}'),
         ("dest", '{"tn":["2","1"]}'), ("dest", '{"tn":[]}'), ("dest", '["1"]'),
         ("dest", '{"uri":["sip:A@b"]}'), ("iat", "now"), ("iat", '"5"'), ("iat", "true"),
         ("attest", "D"), ("attest", '"A"'), ("attest", '["A"]'), ("origid", "1234"),
         ("mky", "[]"), ("msgi", "sha1-AAAA"), ("rph", '{"auth":["ets"]}'), ("sph", "psap"),
         ("vper", "{}"), ("rcdi", '{"nam":"sha256-AAAA"}'), ("rcd", '{"icn":"https://a.example/"}'),
         ("iss", ""), ("opt", "a.b.c"))


@change("credential_unusable")
def never_sent(g: Family, p: Pair):
    name, text = g.rng.choice(NEVER)
    c = p.certificate.constraints
    rows = [row for row in c.permitted if row[0] != name and not row[0].startswith((name + "/",
                                                                                    name + "#"))]
    include = c.include if name in ("orig", "dest", "iat") else c.include + [name]
    return _constraints(p, include=include, permitted=rows + [(name, [text])])


NEVER_PARTS = (
    ("orig/tn", "+12025550100"), ("orig/tn", '["12025550100"]'), ("orig/tn/0", "12025550100"),
    ("orig/name", "A"), ("orig/", "A"), ("orig/uri", "sip:+12025550100@a.example"), ("iat/0", "1"),
    ("dest/tn", "12025550100"), ("dest/tn", "[]"), ("dest/tn", '["2","1"]'),
    ("dest/tn", '["1","1"]'), ("dest/tn/16", "1"), ("dest/tn/01", "1"), ("dest/tn/-", "1"),
    ("dest/tn/0/0", "1"), ("dest/0", "1"), ("dest/uri/0", "SIP:a@b.example"),
    ("dest/uri", "sip:a@b.example"), ("orig/name#sha-256", "A" * 43))


@change("credential_unusable")
def part_that_never_is(g: Family, p: Pair):
    row = g.rng.choice(NEVER_PARTS)
    return _constraints(p, permitted=p.certificate.constraints.permitted + [(row[0], [row[1]])])


@change("value_not_permitted")
def part_of_another_call(g: Family, p: Pair):
    """A path into a base claim, with a value that it has in other calls."""
    whole = {name for name, _ in p.certificate.constraints.permitted}  # they would contradict
    places = [claim + "/" + member + mark for claim, mark in (("orig", ""), ("dest", "/0"))
              for member in ("tn", "uri")
              if claim not in whole and member in p.claims.get(claim, {})]
    if not places:
        return None
    place = g.rng.choice(places)
    text = "sip:another@never.example" if "uri" in place else "999999999999999"
    return _constraints(p, permitted=p.certificate.constraints.permitted + [(place, [text])])


@change("credential_unusable")
def contradiction(g: Family, p: Pair):
    c, rng = p.certificate.constraints, g.rng
    if c.enhanced and rng.random() < 0.5:
        if g.include and rng.random() < 0.5:
            return _constraints(p, exclude=c.exclude + [rng.choice(g.include)])
        return _constraints(p, exclude=c.exclude + [rng.choice(("iat", "orig", "dest"))])
    if c.permitted and rng.random() < 0.6:
        name = rng.choice(c.permitted)[0]
        return _constraints(p, permitted=c.permitted + [(name, ["no value of the other"])])
    loose = rng.choice(('{"b":1,"a":2}', '{ "a":1}', "[1, 2]", '{"a":"\\u0041"}', '{"a":"\\/"}',
                        "[]\n", '{"a":1.5}', '{"a":1,"a":1}', "[-0]",
                        "[9007199254740993]", '{"\uffee":1,"\U0001f600":2,"a":3}', *UNREADABLE))
    return _constraints(p, permitted=c.permitted + [("qq", [loose])])


BAD_MODES = (
    [("qq", ["x"]), ("qq#sha-256", [DIGEST])], [("qq#sha-256", [DIGEST]), ("qq#commit-sha-256",
                                                                        [DIGEST])],
    [("qq/a#salt-sha-256", [DIGEST])], [("qq#sha-512", [DIGEST])], [("qq#SHA-256", [DIGEST])],
    [("qq#", ["x"])], [("qq#sha-256", [DIGEST + "="])], [("qq#sha-256", [DIGEST[:-1]])],
    [("qq#sha-256", [DIGEST.replace("+", "-").replace("/", "_")])], [("qq#sha-256", [""])],
    [("qq#sha-256", ["sha256-" + DIGEST])], [("qq#sha-256", [DIGEST[:-1] + "B"])],
    [("qq#commit-sha-256", ["x"])], [("qq/~", ["x"])], [("qq/a~2b", ["x"])], [("/qq", ["x"])],
    [("qq#commit-sha-256", [DIGEST, "A" * 43])],
    [("qq#sha-256", [DIGEST]), ("qq#sha-256", ["A" * 43])],
    [("qq#commit-sha-256", [DIGEST]), ("qq#salt-sha-256", [DIGEST, "A" * 43])])


@change("credential_unusable")
def bad_mode(g: Family, p: Pair):
    return _constraints(p, permitted=p.certificate.constraints.permitted +
                        g.rng.choice(BAD_MODES))


COMMITTED_BASE = (["iat"], ["orig"], ["dest"], ["orig/tn"], ["dest/tn", "dest/uri"],
                  ["dest/tn/0", "dest/uri/0"])


@change("credential_unusable")
def base_claim_committed(g: Family, p: Pair):
    if p.salts:  # committed values are told
        return None
    paths = g.rng.choice(COMMITTED_BASE)
    return _constraints(p, permitted=p.certificate.constraints.permitted + [
        (path + "#commit-sha-256", [DIGEST]) for path in paths])


@change("credential_unusable")
def path_in_wrong_list(g: Family, p: Pair):
    c = p.certificate.constraints
    name = g.rng.choice(("vper/name", "foo/a/0", "foo#sha-256"))
    if c.enhanced and g.rng.random() < 0.5:
        return _constraints(p, exclude=c.exclude + [name])
    return _constraints(p, include=c.include + [name])


def _bad_entries(g: Family) -> list:
    """Entries that no TNAuthList holds."""
    return [("octets", tlv(0x82, b"12025550100")), ("octets", tlv(0x80, b"1234")),
            ("range", "12025550100", 1), ("range", "12025550100", 0),
            ("range", "12025550100", -1), ("range", "12025550100", 2 ** 64 + 2),
            ("range", "10", 90), ("range", "10", 91), ("range", "99999999999", 2),
            ("range", "1202*", 2), ("range", "#1", 5), ("range", "", 2), ("one", ""),
            ("one", "+12025550100"), ("one", "1234567890123456"), ("one", "1202555010a"),
            ("one", "12 34"), ("spc", ""), ("spc", b"\xff"), ("one", b"\xb1"),
            ("octets", tlv(0xA3, ia5("1234"))), ("octets", tlv(0xA0, tlv(0x0C, b"1234"))),
            ("octets", tlv(0xA2, tlv(0x0C, b"12025550100"))),
            ("octets", tlv(0xA2, ia5("1"), ia5("2"))), ("octets", b"\xa2\x00"),
            ("octets", tlv(0xA1, tlv(0x30, ia5("12025550100")))),
            ("octets", tlv(0xA1, tlv(0x30, integer(2), ia5("12025550100")))),
            ("octets", tlv(0xA1, ia5("12025550100"), integer(2))),
            ("octets", b"\xa2\x81\x03\x16\x01\x31"), ("octets", b"\x22\x03\x16\x01\x31"),
            ("octets", tlv(0xA1, tlv(0x30, ia5("12025550100"), b"\x02\x02\x00\x05")))]


@change("undecodable")
def bad_list(g: Family, p: Pair):
    rng = g.rng
    if rng.random() < 0.7:
        entries = list(p.certificate.entries)
        entries.insert(rng.randrange(len(entries) + 1), rng.choice(_bad_entries(g)))
        return with_leaf(p, entries=entries)
    good = tn_list(p.certificate.entries)
    return with_leaf(p, tn_octets=rng.choice((
        good + b"\0", good[:-1], b"", b"\x30\x00", b"\x31" + good[1:], tlv(4, good),
        b"\x30\x80" + good[2:] + b"\0\0", good + good)))


@change("undecodable")
def bad_constraints(g: Family, p: Pair):
    c, rng = p.certificate.constraints, g.rng
    if not c:
        return None
    good = c.encode()
    names = tlv(0x30, ia5("foo"))
    row = tlv(0x30, tlv(0x30, ia5("foo"), tlv(0x30, tlv(0x0C, b"x"))))
    bad = [good + b"\0", good[:-1], b"", b"\x30\x00", tlv(0x30, tlv(0xA0, tlv(0x30))),
           tlv(0x30, tlv(0xA1, tlv(0x30))), tlv(0x30, tlv(0xA3, names)), tlv(0x30, names),
           tlv(0x30, tlv(0xA1, row), tlv(0xA0, names)), tlv(0x30, tlv(0x80, ia5("foo"))),
           tlv(0x30, tlv(0xA0, names), tlv(0xA0, names)), tlv(0x30, tlv(0xA0, names, names)),
           tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0x0C, b"foo")))),
           tlv(0x30, tlv(0xA0, tlv(0x30, ia5(b"f\xf6\xf6")))),
           tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0x30, ia5("foo"), tlv(0x30))))),
           tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0x30, ia5("foo"), tlv(0x30, ia5("x")))))),
           tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0x30, ia5("foo"), tlv(0x30, tlv(0x0C, b"\xff"))))))]
    if not c.enhanced:
        bad.append(tlv(0x30, tlv(0xA0, names), tlv(0xA2, tlv(0x30, ia5("bar")))))
    return with_leaf(p, constraint_octets=rng.choice(bad))


@change("undecodable")
def doubled(g: Family, p: Pair):
    again = ("1.3.6.1.5.5.7.1.26", False, tn_list([("range", "1", 2)]))
    return with_leaf(p, further=p.certificate.further + [again])
