# Orders whose certificates renew themselves (STAR).
"""RFC 8739: what an order may ask for, and which certificate is due when."""
from __future__ import annotations

import email.utils
import time
from typing import Any, Callable

from . import web
from .calls import malformed
from .config import Config

_MEMBERS = {"start-date", "end-date", "lifetime", "lifetime-adjust",
            "allow-certificate-get"}

#: The next certificate is published when so much of a lifetime is left.
_PADDING = 0.5

WRONG_SERIES = frozenset({"no-auto-renewal", "longer-series", "no-star-url"})


def capabilities(config: Config) -> dict | None:
    """`auto-renewal` of the directory's meta (section 3.2)."""
    if not config.get("ca.star.enabled"):
        return None
    found = {"min-lifetime": config.get("ca.star.min_lifetime"),
             "max-duration": config.get("ca.star.max_duration")}
    if config.get("ca.star.allow_certificate_get"):
        found["allow-certificate-get"] = True
    return found


def _seconds(asked: dict, name: str, default: int | None, least: int) -> int:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise malformed(f"{name} is not a number of seconds")
    return value


def parse(found: dict, config: Config, limit: int,
          moment: Callable[[Any, str], int]) -> dict | None:
    """What newOrder asks for, or None (section 3.1.1)."""
    asked = found.get("auto-renewal")
    if asked is None:
        return None
    if capabilities(config) is None:
        raise malformed("this CA renews nothing by itself")
    if not isinstance(asked, dict) or not set(asked) <= _MEMBERS:
        raise malformed("auto-renewal is not an object of RFC 8739")
    if found.get("notBefore") is not None or found.get("notAfter") is not None:
        raise malformed("auto-renewal takes neither notBefore nor notAfter")
    now = int(time.time())
    series = {"lifetime": _seconds(asked, "lifetime", None, 1),
              "adjust": _seconds(asked, "lifetime-adjust", 0, 0),
              "end": moment(asked.get("end-date"), "end-date"),
              "get": asked.get("allow-certificate-get") is True
              and bool(config.get("ca.star.allow_certificate_get"))}
    if "start-date" in asked:
        series["start"] = moment(asked["start-date"], "start-date")
    start = series.get("start", now)
    if series["end"] <= max(start, now):
        raise malformed("end-date is not after start-date")
    if series["end"] - start > config.get("ca.star.max_duration"):
        raise malformed("the series is longer than this CA allows")
    if not config.get("ca.star.min_lifetime") <= series["lifetime"] <= limit:
        raise malformed("lifetime is not one that this CA allows")
    return series


def as_json(series: dict, rfc3339: Callable[[float], str],
            wrong: frozenset[str]) -> dict:
    """`auto-renewal` of an order object."""
    end = series["end"] + (10 * 366 * 86400 if "longer-series" in wrong else 0)
    found = {"end-date": rfc3339(end), "lifetime": series["lifetime"]}
    if "start" in series:
        found["start-date"] = rfc3339(series["start"])
    if series["adjust"]:
        found["lifetime-adjust"] = series["adjust"]
    if series["get"]:
        found["allow-certificate-get"] = True
    return found


def _pad(series: dict) -> float:
    """max(adjust_client, adjust_server) of section 3.5."""
    return max(min(series["lifetime"], series["adjust"]),
               series["lifetime"] * _PADDING)


def due(series: dict, now: float) -> int:
    """The number of the certificate that is published now (section 3.3)."""
    number = int((now + _pad(series) - series["first"]) // series["lifetime"])
    last = -(-(series["end"] - series["first"]) // series["lifetime"]) - 1
    return max(0, min(number, int(last)))


def validity(series: dict, number: int) -> tuple[int, int]:
    """notBefore and notAfter of section 3.5."""
    nominal = series["first"] + number * series["lifetime"]
    begin = int(nominal - _pad(series))
    return (max(begin, series["start"]) if "start" in series else begin,
            int(min(nominal + series["lifetime"], series["end"])))


def refuse_ended(status: str, series: dict) -> None:
    """Requests that come too late (sections 3.1.2 and 3.3)."""
    if status == "canceled":
        raise web.Problem(403, "autoRenewalCanceled", "the order was canceled")
    if time.time() >= series["end"]:
        raise web.Problem(403, "autoRenewalExpired", "the order has expired")


def headers(begin: int, end: int) -> list[tuple[str, str]]:
    return [("Cert-Not-Before", email.utils.formatdate(begin, usegmt=True)),
            ("Cert-Not-After", email.utils.formatdate(end, usegmt=True))]
