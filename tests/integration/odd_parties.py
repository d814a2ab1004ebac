"""CAs and authorities that answer with something else: a page, a file, no end, another's name.

One row each: what it does, and the reason that status gives for it.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
HUGE = 200 * 1024 * 1024
CHUNK = b" " * 65536

# path -> reason of a CA's directory, reason of an authority's token
ANSWERS = {
    "html": ("acme_directory", "authtok_answer"),
    "html-502": ("http_status", "http_status"),
    "redirect-http": ("http_status", "http_status"),
    "redirect-file": ("http_status", "http_status"),
    "redirect-https": ("http_status", "http_status"),
    "huge": ("http_too_large", "http_too_large"),
    "endless": ("http_too_large", "http_too_large"),
    "endless-headers": ("http_too_large", "http_too_large"),
    "cut": ("http_failed", "http_failed"),
    "deep": ("acme_directory", "authtok_answer"),
    "no-text": ("acme_directory", "authtok_answer"),
    "a-list": ("acme_directory", "authtok_answer"),
    "empty": ("acme_directory", "authtok_answer"),
}
# what is wrong with the connection -> reason of either
CONNECTIONS = {
    "tls-name": "http_tls",
    "tls-expired": "http_tls",
    "tls-untrusted": "http_tls",
    "plain": "http_failed",
    "closed": "http_unreachable",
}


def certificate(folder: Path, name: str, san: x509.GeneralName, days: int) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=30))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([san]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256()))
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    cert_file.chmod(0o644)
    return cert_file, key_file


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """/NAME, or what a client makes of it: /NAME/at/account/X/token"""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        try:
            getattr(self, "do_" + self.path.split("/")[1].replace("-", "_"))()
        except OSError:
            pass  # the other side had enough

    do_POST = do_GET

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json",
                            "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def pour(self, most: int | None) -> None:
        while most is None or most > 0:
            self.wfile.write(CHUNK)
            self.server.party.poured += len(CHUNK)
            most = None if most is None else most - len(CHUNK)

    def do_html(self) -> None:
        self.answer(200, b"<!doctype html><title>Sign in</title>", Content_Type="text/html")

    def do_html_502(self) -> None:
        self.answer(502, b"<html>Bad Gateway</html>", Content_Type="text/html")

    def do_redirect_http(self) -> None:
        self.answer(302, Location=self.server.party.trap)

    def do_redirect_file(self) -> None:
        self.answer(302, Location="file:///etc/passwd")

    def do_redirect_https(self) -> None:
        self.answer(307, Location=self.server.party.url + "/trap")

    def do_trap(self) -> None:
        self.server.party.trapped += 1
        self.answer(200, b"{}")

    def do_huge(self) -> None:
        self.answer(200, Content_Length=str(HUGE))
        self.pour(HUGE)

    def do_endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.pour(None)

    def do_endless_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")
            self.server.party.poured += 1010

    def do_cut(self) -> None:
        self.answer(200, b'{"newNonce":', Content_Length="4096")

    def do_deep(self) -> None:
        self.answer(200, b"[" * 100000)

    def do_no_text(self) -> None:
        self.answer(200, b'{"newNonce":"\xff\xfe","token":"\xff"}')

    def do_a_list(self) -> None:
        self.answer(200, b'["newNonce"]')

    def do_empty(self) -> None:
        self.answer(200)

    def log_message(self, *_) -> None:
        pass


class Party:
    """Several listeners; what they sent, and whether somebody walked into the trap."""

    def __init__(self, folder: Path):
        folder.mkdir()
        folder.chmod(0o755)
        self.poured = self.trapped = 0
        self.servers: list[ThreadingHTTPServer] = []
        here = x509.IPAddress(ipaddress.ip_address(HOST))
        self.good = certificate(folder, "good", here, 30)
        self.other = certificate(folder, "other", x509.DNSName("elsewhere.example"), 30)
        self.expired = certificate(folder, "expired", here, -1)
        self.url = f"https://{HOST}:{self.listen(self.good)}"
        self.trap = f"http://{HOST}:{self.listen(None)}/trap"

    def listen(self, pair: tuple[Path, Path] | None) -> int:
        server = ThreadingHTTPServer((HOST, 0), Handler)
        server.party, server.daemon_threads = self, True
        server.handle_error = lambda *_: None  # a handshake that is refused is what is wanted
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            server.socket = context.wrap_socket(server.socket, server_side=True,
                                                do_handshake_on_connect=False)
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    def place(self, name: str) -> tuple[str, Path]:
        """URL and anchors of a row."""
        if name in ANSWERS:
            return f"{self.url}/{name}", self.good[0]
        if name == "tls-name":
            return f"https://{HOST}:{self.listen(self.other)}/html", self.other[0]
        if name == "tls-expired":
            return f"https://{HOST}:{self.listen(self.expired)}/html", self.expired[0]
        if name == "tls-untrusted":
            return f"{self.url}/html", self.other[0]
        if name == "plain":
            return self.trap.replace("http:", "https:"), self.good[0]
        return f"https://{HOST}:9/", self.good[0]

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()
