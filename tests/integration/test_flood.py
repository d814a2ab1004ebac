"""One user floods, another signs: it hardly notices.

As root only: the flood comes from users of its own.  Times are compared with
those of the same machine without a flood, a moment before.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from cases import Cases, equal, true
from world.machine import PYTHON, Machine, is_root
from world.unixhttp import UnixConnection, request

ACME, NOISY, DEST = "12025550100", "12025550190", "12125550111"
STRANGER, OTHER_UID = "54322", "54323"  # without a tenant, and with one of its own
CONNECTIONS = 50
TIMEOUT_MS = 2000
TIMES = 20  # how much slower a victim's median may be
SHORT_S = 0.05  # and so much it may be all the same, where the quiet one is very short
SIGNED = 40  # under each flood

# Sends the same request without end on many connections, and reads what comes back; the other
# users cannot read this directory.  A line when all were answered once, one with counts at the end.
FLOOD = r"""
import select, signal, socket, sys
path, many = sys.argv[1], int(sys.argv[2])
text = sys.stdin.buffer.read()
chunk = text * max(1, 65536 // len(text))
poll = select.epoll()
ends, left, heard = {}, {}, set()
counts = {}
for _ in range(many):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.setblocking(False)
    ends[s.fileno()], left[s.fileno()] = s, b""
    poll.register(s.fileno(), select.EPOLLIN | select.EPOLLOUT)
said = False
def end(*_):
    print(*(f"{k.decode()}={v}" for k, v in sorted(counts.items())), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    for fd, what in poll.poll():
        if what & select.EPOLLIN:
            got = ends[fd].recv(1 << 18)
            if not got:
                print("closed", flush=True)
                sys.exit(1)
            heard.add(fd)
            for part in got.split(b"HTTP/1.1 ")[1:]:
                counts[part[:3]] = counts.get(part[:3], 0) + 1
        if what & select.EPOLLOUT:
            data = left[fd] or chunk
            try:
                left[fd] = data[ends[fd].send(data):]
            except BlockingIOError:
                left[fd] = data
    if not said and len(heard) == many:
        said = True
        print("flooding", flush=True)
"""

# Sends all of its input on one connection, and prints all that comes back.
ONCE = r"""
import socket, sys, threading
s = socket.socket(socket.AF_UNIX)
s.settimeout(15)
s.connect(sys.argv[1])
data = sys.stdin.buffer.read()
def send():
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while got := s.recv(65536):
    sys.stdout.buffer.write(got)
"""


def as_user(uid: str, program: str, *arguments: str) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", PYTHON, "-c", program,
            *arguments]


def get(url: str) -> bytes:
    return f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(body: bytes, url: str = "/v1/passports") -> bytes:
    return (f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


# As large as a body may be, and all of it to be read before it is found wrong.
LARGE = b'{"claims":{"dest":{"tn":[' + b",".join([b'"1"'] * 16000) + b"]}}}"
LONG = b'{"claims":{"dest":{"tn":[' + b",".join([b'"%s"' % (b"1" * 250)] * 250) + b"]}}}"


def sign(machine: Machine, times: int) -> list[float]:
    """How long each took, on one connection; all of them are signed."""
    connection = UnixConnection(machine.socket)
    took = []
    for _ in range(times):
        began = time.monotonic()
        answer = request(machine.socket, "POST", "/v1/passports", {
            "tenant": "acme", "claims": {"orig": {"tn": ACME}, "dest": {"tn": [DEST]}}},
            connection=connection)
        took.append(time.monotonic() - began)
        equal(answer.status, 200, answer.body.decode())
    connection.close()
    return took


def flooded(machine: Machine, uid: str, text: bytes, statuses: set[str], at_least: int) -> None:
    quiet = statistics.median(sign(machine, SIGNED))
    with subprocess.Popen(as_user(uid, FLOOD, machine.socket, str(CONNECTIONS)),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as flood:
        try:
            flood.stdin.write(text)
            flood.stdin.close()
            equal(flood.stdout.readline(), b"flooding\n")
            took = sign(machine, SIGNED)
            true(flood.poll() is None, "the flood ended")
        finally:
            flood.terminate()
        counts = dict(word.split("=") for word in flood.stdout.read().decode().split())
    median = statistics.median(took)
    print(f"# quiet {quiet * 1000:.2f} ms, flooded {median * 1000:.2f} ms, "
          f"longest {max(took) * 1000:.2f} ms, {counts}", flush=True)
    true(set(counts) <= statuses, f"answers {counts}")
    true(sum(int(n) for n in counts.values()) >= at_least, f"no flood: {counts}")
    true(median < max(TIMES * quiet, SHORT_S), f"{median:.4f} s, and {quiet:.4f} s without the flood")
    true(max(took) < TIMEOUT_MS / 1000, f"the longest took {max(took):.3f} s")


def once(machine: Machine, uid: str, data: bytes) -> list[bytes]:
    """The answers to requests that are sent at once."""
    done = subprocess.run(as_user(uid, ONCE, machine.socket), input=data, capture_output=True,
                          timeout=60)
    equal(done.returncode, 0, done.stderr.decode())
    return [b"HTTP/1.1 " + part for part in done.stdout.split(b"HTTP/1.1 ")[1:]]


def refused_unread(machine: Machine) -> None:
    """Before the body is read, and in the route's own form."""
    time.sleep(2.5)  # the rate that strangers share is whole again
    for url, body in (("/v1/passports", b"{"), ("/v1/calls", b"[]"), ("/v1/passports", LARGE),
                      ("/v1/passports", b"")):
        (answer,) = once(machine, STRANGER, post(body, url))
        true(answer.startswith(b"HTTP/1.1 403 "), answer.decode())
        equal(json.loads(answer.split(b"\r\n\r\n", 1)[1])["reason"], "caller_not_allowed")
    (answer,) = once(machine, STRANGER, post(b"{", "/stir/v1/signing"))
    error = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    equal(error["requestError"]["policyException"]["messageId"], "POL4304")
    # Who has a tenant hears what is wrong.
    (answer,) = once(machine, OTHER_UID, post(b"{"))
    true(b'"malformed_json"' in answer, answer.decode())


def gets_count(machine: Machine) -> None:
    time.sleep(2.5)
    answers = once(machine, STRANGER, get("/v1/status") * 3000)
    limited = [a for a in answers if a.startswith(b"HTTP/1.1 429 ")]
    equal(len(answers), 3000)
    true(limited, "no rate")
    true(len(answers) - len(limited) >= 400, f"{len(limited)} of 3000 refused")
    true(all(b"\r\nRetry-After: 1\r\n" in a for a in limited), limited[0].decode())
    true(b'"rate_limited"' in limited[0], limited[0].decode())
    # No route, no body that is worth reading, no health: one rate for all of them but health.
    answers = once(machine, STRANGER, get("/v1/credentials") * 500 + post(b"{", "/v1/signing") * 500
                   + get("/nothing") * 500 + get("/health/live") * 500)
    statuses = [a[9:12] for a in answers]
    for at in (0, 500, 1000):
        true(b"429" in statuses[at:at + 500], f"no rate at {at}")
    equal(set(statuses[1500:]), {b"200"})
    # It is the strangers' rate: nobody else's.
    equal({a[9:12] for a in once(machine, OTHER_UID, get("/v1/status") * 600)}, {b"200"})


def tenants(machine: Machine) -> dict[str, str]:
    return {"acme": machine.enterprise("acme", (ACME,)),
            "noisy": machine.enterprise("noisy", (NOISY,), allow_user=[OTHER_UID])}


def main() -> int:
    if not is_root():
        print("the flood comes from another user: needs root")
        return 77
    cases = Cases("flood")
    with Machine() as machine:
        machine.start(tenants, request_timeout_ms=TIMEOUT_MS)
        sign(machine, 20)
        for name, uid, text, statuses, at_least in (
                ("health", STRANGER, get("/health/live"), {"200"}, 1000),
                ("status", STRANGER, get("/v1/status"), {"200", "429"}, 500),
                ("large bodies", STRANGER, post(LARGE), {"403", "429"}, 100),
                ("health, from a caller", OTHER_UID, get("/health/live"), {"200"}, 1000),
                ("large bodies, from a caller", OTHER_UID, post(LONG), {"400"}, 50)):
            cases.case(f"flood of {name}", flooded, machine, uid, text, statuses, at_least)
        cases.case("refused_unread", refused_unread, machine)
        cases.case("gets_count", gets_count, machine)
        if cases.failed:
            machine.tell()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
