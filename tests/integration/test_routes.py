"""What is wrong with a request, on every route, gets its documented answer.

Nothing here may end a process or reach the token: the processes and the count
of C_Sign calls are the same afterwards.
"""

from __future__ import annotations

import json
import random
import socket
import sys

from cases import Cases, equal, true
from world import process
from world.machine import Machine

ACME, DEST = "12025550100", "12125550111"
GOOD = {"claims": {"orig": {"tn": ACME}, "dest": {"tn": [DEST]}}}
ORIGID = "123e4567-e89b-12d3-a456-426655440000"
SHAKEN = {"signingRequest": {"attest": "A", "orig": {"tn": ACME}, "dest": {"tn": [DEST]},
                             "iat": 0, "origid": ORIGID}}


def raw(path: str, data: bytes, half_close: bool = True) -> bytes:
    """Send bytes as they are; everything that comes back until the end or a second's silence."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(2)
        s.connect(path)
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        got = b""
        try:
            while chunk := s.recv(65536):
                got += chunk
        except OSError:
            pass
        return got


def head(method: str, url: str, length: int | None = None, *more: str) -> bytes:
    lines = [f"{method} {url} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


BODY = json.dumps(GOOD).encode()
URL = "/v1/passports"

# name, bytes, status: the framing, before any route is asked (malformed_http and its kin)
FRAMES = [
    ("two Content-Lengths", head("POST", URL, len(BODY), f"Content-Length: {len(BODY)}") + BODY, 400),
    ("Content-Length and Transfer-Encoding",
     head("POST", URL, len(BODY), "Transfer-Encoding: chunked") + BODY, (400, 411)),
    ("chunked", head("POST", URL, None, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 411),
    ("no length", head("POST", URL), 411),
    ("bare line feeds", head("POST", URL, len(BODY)).replace(b"\r\n", b"\n") + BODY, 400),
    ("signed length", head("POST", URL, None, "Content-Length: +0"), 400),
    ("negative length", head("POST", URL, None, "Content-Length: -1"), 400),
    ("length with junk", head("POST", URL, None, "Content-Length: 1x") + b"1", 400),
    ("huge length", head("POST", URL, 10**12), 413),
    ("length beyond 64 bits", head("POST", URL, None, "Content-Length: 99999999999999999999999"),
     (400, 413)),
    ("no Host", b"POST /v1/passports HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
    ("two Hosts", head("GET", "/health/live", None, "Host: other"), 400),
    ("control byte in a header", head("GET", "/health/live", None, "X-A: a\x01b"), 400),
    ("NUL in a header", head("GET", "/health/live", None, "X-A: a\x00b"), 400),
    ("space before the colon", head("GET", "/health/live", None, "X-A : b"), 400),
    ("folded header", head("GET", "/health/live", None, "X-A: b", " c"), 400),
    ("HTTP/1.0", b"GET /health/live HTTP/1.0\r\nHost: x\r\n\r\n", (400, 505)),
    ("HTTP/2.0", b"GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n", (400, 505)),
    ("lower-case http", b"GET /health/live http/1.1\r\nHost: x\r\n\r\n", 400),
    ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("long target", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 413, 414)),
    ("long headers", head("GET", "/health/live", None, "X-A: " + "a" * 9000), (400, 413, 431)),
    ("many headers", head("GET", "/health/live", None, *[f"X-{i}: 1" for i in range(60)]),
     (400, 413, 431)),
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
]

# The tokens of the frames above, which test_reasons counts as covered here.
FRAME_REASONS = ("malformed_http", "length_required", "too_large", "unsupported_media_type",
                 "not_acceptable", "conflict")

# name, method, url, body (bytes or JSON), status, reason
REQUESTS = [
    ("unknown route", "GET", "/v2/passports", None, 404, "not_found"),
    ("wrong method", "GET", URL, None, 405, "method_not_allowed"),
    ("wrong method on status", "POST", "/v1/status", {}, 405, "method_not_allowed"),
    ("empty body", "POST", URL, b"", 400, "malformed_json"),
    ("not JSON", "POST", URL, b"{", 400, "malformed_json"),
    ("not an object", "POST", URL, b"[]", 400, "malformed_json"),
    ("not UTF-8", "POST", URL, b'{"claims":"\xff"}', 400, "malformed_json"),
    ("NUL escaped", "POST", URL, b'{"claims":"\\u0000"}', 400, "malformed_json"),
    ("lone surrogate", "POST", URL, b'{"claims":"\\ud800"}', 400, "malformed_json"),
    ("float", "POST", URL, b'{"claims":{"iat":1.0}}', 400, "malformed_json"),
    ("exponent", "POST", URL, b'{"claims":{"iat":1e3}}', 400, "malformed_json"),
    ("deep", "POST", URL, b'{"claims":' + b"[" * 40 + b"]" * 40 + b"}", 400, "malformed_json"),
    ("trailing", "POST", URL, BODY + b"x", 400, "malformed_json"),
    ("duplicate", "POST", URL, b'{"claims":{},"claims":{}}', 400, "duplicate_member"),
    ("duplicate after unescaping", "POST", URL, b'{"claims":{},"\\u0063laims":{}}', 400,
     "duplicate_member"),
    ("duplicate claim", "POST", URL, b'{"claims":{"orig":{"tn":"1"},"orig":{"tn":"2"}}}', 400,
     "duplicate_member"),
    ("unknown member", "POST", URL, {**GOOD, "sign": 1}, 400, "unknown_member"),
    ("no claims", "POST", URL, {}, 400, "missing_member"),
    ("claims of the wrong type", "POST", URL, {"claims": []}, 400, "invalid_member"),
    ("tenant of the wrong type", "POST", URL, {**GOOD, "tenant": 1}, 400, "invalid_member"),
    ("ppt of the wrong type", "POST", URL, {**GOOD, "ppt": 1}, 400, "invalid_member"),
    ("context too large", "POST", URL, {**GOOD, "context": {"a": "x" * 5000}}, 400,
     "invalid_member"),
    ("unsupported ppt", "POST", URL, {**GOOD, "ppt": "nope"}, 400, "unsupported_ppt"),
    ("no orig", "POST", URL, {"claims": {"dest": {"tn": [DEST]}}}, 400, "missing_claim"),
    ("no dest", "POST", URL, {"claims": {"orig": {"tn": ACME}}}, 400, "missing_claim"),
    # RFC 8225 s5.2.1
    ("orig twice", "POST", URL, {"claims": {"orig": {"tn": ACME, "uri": "sip:a@b"},
                                            "dest": {"tn": [DEST]}}}, 400, "invalid_claim"),
    # RFC 8225 s5.2.1
    ("orig.tn an array", "POST", URL, {"claims": {"orig": {"tn": [ACME]}, "dest": {"tn": [DEST]}}},
     400, "invalid_claim"),
    # RFC 8225 s5.2.1
    ("dest.tn a string", "POST", URL, {"claims": {"orig": {"tn": ACME}, "dest": {"tn": DEST}}},
     400, "invalid_claim"),
    # RFC 8225 s5.2.1
    ("dest empty", "POST", URL, {"claims": {"orig": {"tn": ACME}, "dest": {"tn": []}}}, 400,
     "invalid_claim"),
    # D-25
    ("dest twice the same", "POST", URL, {"claims": {"orig": {"tn": ACME},
                                                     "dest": {"tn": [DEST, "+" + DEST]}}}, 400,
     "invalid_claim"),
    # D-25
    ("too many destinations", "POST", URL, {"claims": {
        "orig": {"tn": ACME}, "dest": {"tn": [f"1212555{i:04d}" for i in range(20)]}}}, 400,
     "invalid_claim"),
    ("letters in a number", "POST", URL, {"claims": {"orig": {"tn": "1800FLOWERS"},
                                                     "dest": {"tn": [DEST]}}}, 400, "invalid_tn"),
    ("too many digits", "POST", URL, {"claims": {"orig": {"tn": "1" * 16}, "dest": {"tn": [DEST]}}},
     400, "invalid_tn"),
    ("empty number", "POST", URL, {"claims": {"orig": {"tn": ""}, "dest": {"tn": [DEST]}}}, 400,
     "invalid_tn"),
    # RFC 8225 s5.1.1
    ("iat a string", "POST", URL, {"claims": {**GOOD["claims"], "iat": "1"}}, 400, "invalid_claim"),
    # RFC 8224 s6.1
    ("iat stale", "POST", URL, {"claims": {**GOOD["claims"], "iat": 1443208345}}, 400, "stale_iat"),
    # D-51
    ("unknown claim", "POST", URL, {"claims": {**GOOD["claims"], "foo": 1}}, 400, "unknown_claim"),
    ("unknown credential", "GET", "/v1/credentials/acme/none", None, 404, "not_found"),
    ("unknown tenant's credential", "GET", "/v1/credentials/none/main", None, 404, "not_found"),
]

# The ATIS route: name, body, headers, status, messageId
ATIS = [
    ("missing body", b"", {}, 400, "SVC4000"),
    ("not JSON", b"{", {}, 400, "SVC4006"),
    ("no signingRequest", {}, {}, 400, "SVC4001"),
    ("a signingRequest that is a number", {"signingRequest": 1}, {}, 400, "SVC4005"),
    # RFC 8588 s4
    ("no attest", {"signingRequest": {k: v for k, v in SHAKEN["signingRequest"].items()
                                      if k != "attest"}}, {}, 400, "SVC4001"),
    # RFC 8588 s4
    ("no origid", {"signingRequest": {k: v for k, v in SHAKEN["signingRequest"].items()
                                      if k not in ("origid", "iat")}}, {}, 400, "SVC4001"),
    # RFC 8588 s4
    ("attest D", {"signingRequest": {**SHAKEN["signingRequest"], "attest": "D"}}, {}, 400,
     "SVC4005"),
    # RFC 8588 s5
    ("origid no UUID", {"signingRequest": {**SHAKEN["signingRequest"], "origid": "x"}}, {}, 400,
     "SVC4005"),
    ("wrong Accept", SHAKEN, {"Accept": "image/png"}, 406, "SVC4002"),
    ("wrong Content-Type", SHAKEN, {"Content-Type": "text/xml"}, 415, "SVC4004"),
]


def frames(machine: Machine, name: str, data: bytes, want) -> None:
    answer = raw(machine.socket, data)
    true(answer.startswith(b"HTTP/1.1 "), f"{name}: {answer[:80]!r}")
    status = int(answer.split()[1])
    true(status in (want if isinstance(want, tuple) else (want,)), f"{status}: {answer[:300]!r}")


def requests(machine: Machine, method: str, url: str, body, status: int, reason: str) -> None:
    answer = machine.ask(method, url, body)
    equal((answer.status, answer.reason), (status, reason), answer.body.decode(errors="replace"))
    for member in ("type", "status", "title", "reason", "detail", "request_id"):
        true(member in answer.json, f"no {member} in {answer.json}")


# D-50
def atis(machine: Machine, body, headers: dict, status: int, message: str) -> None:
    answer = machine.ask("POST", "/stir/v1/signing", body, headers=headers)
    equal(answer.status, status, answer.body.decode(errors="replace"))
    error = answer.json["requestError"]
    equal((error.get("serviceException") or error.get("policyException"))["messageId"], message)


def every_prefix(machine: Machine) -> None:
    """A request that ends early is not answered with a signature, and ends nothing."""
    whole = head("POST", URL, len(BODY)) + BODY
    for n in range(0, len(whole), 7):
        true(b"HTTP/1.1 200" not in raw(machine.socket, whole[:n]), f"prefix of {n} bytes")


def bit_flips(machine: Machine) -> None:
    whole = head("POST", URL, len(BODY)) + BODY
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        raw(machine.socket, bytes(data))
    true(machine.live(), "not live after the flips")


def pipelined(machine: Machine) -> None:
    one = head("GET", "/health/live")
    answers = raw(machine.socket, one * 5)
    equal(answers.count(b"HTTP/1.1 200"), 5)


def slow_sender(machine: Machine) -> None:
    """Someone who sends a byte and waits does not keep the others waiting."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(machine.socket)
        s.sendall(b"P")
        true(machine.live(), "not live beside a slow sender")


# D-19
def text_answer(machine: Machine) -> None:
    answer = machine.ask("POST", "/any/prefix/v1/signing",
                         {"signingRequest": {k: v for k, v in SHAKEN["signingRequest"].items()
                                             if k != "iat"}},
                         headers={"Accept": "text/plain", "X-RequestID": "abc-1"})
    equal(answer.status, 200, answer.body.decode())
    true(b";info=<https://" in answer.body and b";alg=ES256;ppt=shaken" in answer.body,
         answer.body.decode())
    equal(answer.headers.get("x-requestid"), "abc-1")


def both_members(machine: Machine) -> None:
    body = {"signingRequest": {k: v for k, v in SHAKEN["signingRequest"].items() if k != "iat"}}
    answer = machine.ask("POST", "/stir/v1/signing", body)
    response = answer.json["signingResponse"]
    true(response["identity"] == response["identityHeader"], str(response))


def main() -> int:
    cases = Cases("routes")
    with Machine() as machine:
        machine.start()
        for function in (text_answer, both_members, pipelined):
            cases.case(function.__name__, function, machine)
        before = process.roles(machine.agent.pid)
        for name, data, want in FRAMES:
            cases.refusal(f"frame: {name}", frames, machine, name, data, want)
        for name, *rest in REQUESTS:
            cases.refusal(f"request: {name}", requests, machine, *rest)
        for name, *rest in ATIS:
            cases.refusal(f"signing: {name}", atis, machine, *rest)
        cases.refusal("slow_sender", slow_sender, machine)
        cases.refusal("every_prefix", every_prefix, machine)
        cases.case("bit_flips", bit_flips, machine)
        cases.case("the same processes", equal, process.roles(machine.agent.pid), before)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
