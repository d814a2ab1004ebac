"""Rich call data from end to end: "vesper rcd" builds it, a web server of our
own holds what it refers to, the renewer observes that, and the agent signs the
digests that it knows and no other.  Nothing is fetched while signing.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from cases import Cases, equal, true
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from world.machine import BUILD, Machine, wait_for

ACME = "12025550100"
TYPES = {"/logo.png": "image/png", "/page": "text/html", "/card.json": "application/json",
         "/loose.json": "application/json", "/pinned.png": "image/png"}


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "content")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - day).not_valid_after(now + day)
            .add_extension(x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(key, hashes.SHA256()))
    path = folder / "web.pem"
    path.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    (folder / "web-ca.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    return path


class Web:
    """https on the loopback; counts what is asked of it."""

    def __init__(self, folder: Path):
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.gone = False
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802 - the library's name
                web.asked.append(self.path)
                body = None if web.gone else web.pages.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", TYPES.get(self.path, "text/plain"))
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *args) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(folder))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.base = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def digest(data: bytes, name: str = "sha256") -> str:
    made = hashlib.new(name, data).digest()
    return f"{name}-" + base64.b64encode(made).decode().rstrip("=")


def tenant(machine: Machine, web: Web) -> str:
    names = [f"{web.base}/{p}" for p in ("logo.png", "page", "card.json", "loose.json")]
    names.append(f"{web.base}/pinned.png {digest(b'pinned')}")
    listed = ", ".join(json.dumps(n) for n in names)
    return (f'tenant "acme" {{\n numbers = {{ "{ACME}" }}\n allow_user = {{ "{os.geteuid()}" }}\n'
            ' credential "main" {\n  profile = "atis-delegate"\n  token = "main"\n  ca = "lab"\n'
            f'  authority = "numbers"\n  x5u = "{machine.info["repository"]}certs/"\n'
            '  publish_dir = "../lab/www/certs"\n  extra_claims = { "rcd", "rcdi", "crn" }\n'
            f'  rcd_content = {{ {listed} }}\n }}\n}}\n')


def seen(machine: Machine, path: str) -> dict:
    content = (machine.credential("acme") or {}).get("rcd_content", [])
    return next((c for c in content if c["uri"].endswith(path)), {})


def sign(machine: Machine, **claims):
    return machine.sign(ACME, claims=claims)


def refused(answer, reason: str, claim: str, detail: str) -> None:
    got = answer.json
    equal((answer.status, got.get("reason"), got.get("claim")),
          (403 if reason == "rcd_content_unknown" else 400, reason, claim), str(got))
    true(detail in got["detail"], f"{detail!r} in {got['detail']!r}")


def icon(web: Web, path: str, what: str) -> dict:
    return {"rcd": {"nam": "ACME", "icn": web.base + path}, "rcdi": {"/icn": what}}


# ---- cases ----

def observed(machine: Machine, web: Web) -> None:
    for path in ("/logo.png", "/card.json"):
        wait_for(f"a look at {path}", lambda p=path: seen(machine, p).get("digest"), 20)
        equal(seen(machine, path)["digest"], digest(web.pages[path]))
        equal(seen(machine, path)["problem"], None)
        true(seen(machine, path)["seen_at"] > 0, "since when it is known")
    wait_for("a look at the page", lambda: seen(machine, "/page").get("problem"), 20)
    true("content type" in seen(machine, "/page")["problem"], "the type is refused")
    wait_for("a look at the loose card", lambda: seen(machine, "/loose.json").get("problem"), 20)
    true("RFC 8225" in seen(machine, "/loose.json")["problem"], "the form is refused")
    equal(seen(machine, "/page")["digest"], None)
    equal(seen(machine, "/loose.json")["digest"], None)
    equal(seen(machine, "/pinned.png"), {})
    true("/pinned.png" not in web.asked, "what is pinned is not fetched")


def known_is_signed(machine: Machine, web: Web) -> None:
    asked = len(web.asked)
    for algorithm in ("sha256", "sha384", "sha512"):
        answer = sign(machine, **icon(web, "/logo.png", digest(b"a logo", algorithm)))
        equal(answer.status, 200, answer.body.decode())
    equal(sign(machine, **icon(web, "/pinned.png", digest(b"pinned"))).status, 200)
    equal(len(web.asked), asked, "nothing is fetched while signing")


def other_is_refused(machine: Machine, web: Web) -> None:
    refused(sign(machine, **icon(web, "/logo.png", digest(b"another"))),
            "rcd_content_unknown", "rcdi", "/icn")
    refused(sign(machine, **icon(web, "/elsewhere.png", digest(b"a logo"))),
            "rcd_content_unknown", "rcdi", "nothing is known")
    refused(sign(machine, **icon(web, "/page", digest(b"<html>"))),
            "rcd_content_unknown", "rcdi", "nothing is known")
    refused(sign(machine, rcd={"nam": "ACME"}, rcdi={"/nam": digest(b"ACME")}),
            "invalid_claim", "rcdi", "/nam")
    refused(sign(machine, rcd=[{"nam": "ACME"}]), "invalid_claim", "rcd", "object")


def built_is_signed(machine: Machine, web: Web) -> None:
    """What "vesper rcd" builds from local copies is what the agent knows from the web."""
    with tempfile.TemporaryDirectory() as folder:
        logo, card = Path(folder, "logo"), Path(folder, "card")
        logo.write_bytes(web.pages["/logo.png"])
        card.write_bytes(web.pages["/card.json"])
        done = subprocess.run(
            [BUILD / "vesper", "rcd", "--json", "--nam", "ACME", "--crn", "About your order",
             "--jcl", web.base + "/card.json", "--content", f"{web.base}/card.json={card}",
             "--content", f"{web.base}/logo.png={logo}"],
            capture_output=True, text=True, timeout=30, check=True)
    built = json.loads(done.stdout)
    equal(built["publish"], {})
    rcdi = built["claims"]["rcdi"]
    equal(rcdi["/jcl"], digest(web.pages["/card.json"]))
    equal(rcdi["/jcl/1/2/3"], digest(web.pages["/logo.png"]))
    answer = sign(machine, **built["claims"])
    equal(answer.status, 200, answer.body.decode())
    part = answer.json["passport"].split(".")[1]
    payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    equal({k: payload[k] for k in ("rcd", "rcdi", "crn")}, built["claims"])
    less = {k: v for k, v in rcdi.items() if k != "/jcl/1/2/3"}
    refused(sign(machine, rcd=built["claims"]["rcd"], rcdi=less),
            "invalid_claim", "rcdi", "/jcl/1/2/3")


def kept_over_a_restart(machine: Machine, web: Web) -> None:
    since = seen(machine, "/logo.png")["seen_at"]
    web.gone = True
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("acme")
    wait_for("a look that fails", lambda: seen(machine, "/logo.png").get("problem"), 20)
    true("404" in seen(machine, "/logo.png")["problem"], "says why")
    equal(seen(machine, "/logo.png")["seen_at"], since)
    equal(sign(machine, **icon(web, "/logo.png", digest(b"a logo"))).status, 200)


def changed_content(machine: Machine, web: Web) -> None:
    web.gone, web.pages["/logo.png"] = False, b"a new logo"
    machine.stop_agent()
    machine.start_agent()
    machine.wait_ready("acme")
    wait_for("the new digest",
             lambda: seen(machine, "/logo.png").get("digest") == digest(b"a new logo"), 20)
    equal(sign(machine, **icon(web, "/logo.png", digest(b"a new logo"))).status, 200)
    refused(sign(machine, **icon(web, "/logo.png", digest(b"a logo"))),
            "rcd_content_unknown", "rcdi", "/icn")


def main() -> int:
    cases = Cases("rich call data")
    with Machine() as machine:
        machine.config.mkdir(exist_ok=True)
        web = Web(machine.config)
        (machine.config / "web.pem").unlink()  # the server has it
        card = ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "ACME"],
                          ["logo", {}, "uri", web.base + "/logo.png"]]]
        web.pages = {"/logo.png": b"a logo", "/page": b"<html>", "/pinned.png": b"other",
                     "/card.json": json.dumps(card, separators=(",", ":")).encode(),
                     "/loose.json": json.dumps(card).encode()}
        machine.start(lambda m: {"acme": tenant(m, web)}, rcd_tls_ca="web-ca.pem")
        cases.case("D-41: content is observed", observed, machine, web)
        cases.case("D-41: a known digest is signed", known_is_signed, machine, web)
        cases.refusal("D-41: another digest is refused", other_is_refused, machine, web)
        cases.case("what vesper rcd builds is signed", built_is_signed, machine, web)
        cases.case("known content outlives a restart and its web server", kept_over_a_restart,
                   machine, web)
        cases.case("changed content has one digest", changed_content, machine, web)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
