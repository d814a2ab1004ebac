"""The claim vper of VESPER -06 (V-44 to V-49, D-58) and its GLUE URNs."""

from __future__ import annotations

import re

import richcall

MEMBERS = {"id", "glue", "name", "domain"}
# draft-ietf-spice-glue-id: a lower-case authority, an identifier, no further colon.
GLUE = re.compile("urn:glue:[a-z0-9][a-z0-9+.-]{0,49}:[A-Za-z0-9-][A-Za-z0-9.-]{0,999}")
LABEL = re.compile("[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_glue(urn) -> bool:
    return isinstance(urn, str) and GLUE.fullmatch(urn) is not None


def is_domain(name) -> bool:
    labels = name.split(".") if isinstance(name, str) and len(name) <= 253 else []
    return (len(labels) > 1 and all(LABEL.fullmatch(label) for label in labels) and
            not labels[-1].isdigit())


def is_vper(value) -> bool:
    """All four and no other; it has no hashed form."""
    if not isinstance(value, dict) or set(value) != MEMBERS:
        return False
    glue = value["glue"]
    return (all(richcall.is_display(value[n]) and value[n] != "" for n in ("id", "name")) and
            is_domain(value["domain"]) and isinstance(glue, list) and glue != [] and
            all(is_glue(urn) for urn in glue) and len(set(glue)) == len(glue))
