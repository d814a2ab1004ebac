"""The PASSporTs that a div, div-o or rsp answers: RFC 8946 section 4, RFC 9970
section 4, D-21, D-37.  Compared, not verified: their chains are not at hand."""

from __future__ import annotations

import base64
import binascii
import re

import claimset
import jsontext
import tnlist

ANSWERING = ("div", "div-o", "rsp")


class Refusal(Exception):
    """args: the reason class and the claim."""


class Original:
    def __init__(self, text: str):
        text = text.partition(";")[0]  # of an Identity value
        self.text = text
        if not re.fullmatch(r"([A-Za-z0-9_-]+\.){2}[A-Za-z0-9_-]+", text):
            raise Refusal("original_invalid", "original")
        try:
            header, payload, signature = (
                base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
                for part in text.split("."))
            self.header, self.claims = jsontext.read(header), jsontext.read(payload)
        except (binascii.Error, ValueError, jsontext.Malformed, jsontext.Duplicate) as error:
            raise Refusal("original_invalid", "original") from error
        if len(signature) != 64 or not self._is_passport():
            raise Refusal("original_invalid", "original")
        self.dest = {tnlist.canonical(tn) for tn in self.claims["dest"].get("tn", [])}
        self.orig = tnlist.canonical(self.claims["orig"]["tn"])
        self.iat = self.claims["iat"]
        div = self.claims.get("div")
        self.div = tnlist.canonical(div["tn"]) if div else None

    def _is_passport(self) -> bool:
        h, c = self.header, self.claims
        if not isinstance(h, dict) or not isinstance(c, dict):
            return False
        if h.get("alg") != "ES256" or h.get("typ") != "passport":
            return False
        ppt = h.get("ppt")
        if not set(h) <= {"alg", "ppt", "typ", "x5c", "x5u"}:
            return False  # protocol.md 3.1: no foreign header members
        if ppt not in claimset.TYPES or ("ppt" in h and ppt is None) or (ppt in ("div", "div-o")) != ("div" in c):
            return False
        dest, orig = c.get("dest"), c.get("orig")
        return (isinstance(c.get("iat"), int) and isinstance(orig, dict) and
                isinstance(orig.get("tn"), str) and isinstance(dest, dict) and
                isinstance(dest.get("tn", []), list) and bool(dest) and
                ("div" not in c or self._is_diversion(c["div"], dest)))

    @staticmethod
    def _is_diversion(div, dest: dict) -> bool:
        return (isinstance(div, dict) and isinstance(div.get("tn"), str) and
                len(sum(dest.values(), [])) == 1 and dest.get("tn") != [div["tn"]])


class Call:
    """Where the call stands after all of them."""

    def __init__(self, texts: list[str]):
        rows = [Original(text) for text in texts]
        firsts = [row for row in rows if row.div is None]
        if not firsts or any((row.orig, row.dest) != (firsts[0].orig, firsts[0].dest)
                             for row in firsts):
            raise Refusal("original_mismatch", "original")
        self.orig, self.dest, self.last = firsts[0].orig, firsts[0].dest, firsts[0]
        left = [row for row in rows if row.div is not None]
        while left:
            onward = next((row for row in left if row.div in self.dest and
                           row.orig == self.orig), None)
            if onward is None:
                raise Refusal("original_mismatch", "original")
            left.remove(onward)
            self.dest, self.last = onward.dest, onward
        self.wrapped = len(rows)
        self.oldest = min(row.iat for row in rows)

    def fill(self, claims: dict, ppt: str) -> dict:
        """What is taken over where the claims leave it out."""
        own = {"iat": self.last.iat} if ppt in ("div", "div-o") else {}
        if ppt == "div-o":
            own["opt"] = self.last.text
        return {**own, **claims}

    def match(self, claims: dict, ppt: str, now: int) -> None:
        if claims["orig"].get("tn") != self.orig:
            raise Refusal("original_mismatch", "orig")
        if ppt == "rsp":
            if set(claims["dest"].get("tn", [])) != self.dest:
                raise Refusal("original_mismatch", "dest")
            if self.oldest < now - claimset.DIV_PAST_S:
                raise Refusal("original_invalid", "original")
            return
        if ppt == "div-o" and self.wrapped != 1:
            raise Refusal("original_mismatch", "original")  # RFC 8946 section 5
        if claims["div"]["tn"] not in self.dest:
            raise Refusal("original_mismatch", "div")
        if claims["iat"] != self.last.iat:
            raise Refusal("original_mismatch", "iat")  # D-21
        if ppt == "div-o" and claims["opt"] != self.last.text:
            raise Refusal("original_mismatch", "opt")
