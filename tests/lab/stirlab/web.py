# The HTTP layer under every party: HTTP/1.1, TLS, bounds, faults, log.
"""One threaded server per port.

A party is an object with `route(request)`, which answers the name of the
endpoint and a function.  Faults are applied here, so that every endpoint of
every party can fail in the same ways.
"""
from __future__ import annotations

import collections
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Protocol

from .faults import Fault, FaultPlan
from .weather import Weather

MAX_BODY = 1 << 20
IDLE_SECONDS = 60


@dataclass
class Request:
    """One request as a party sees it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes
    endpoint: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def header(self, name: str) -> str:
        return self.headers.get(name) or ""


@dataclass
class Response:
    """One answer; header names are kept as written."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_response(value: Any, status: int = 200,
                  headers: list[tuple[str, str]] | None = None) -> Response:
    return Response(status, json.dumps(value).encode("utf-8"),
                    headers=list(headers or []))


class Problem(Exception):
    """An error answer (RFC 7807, RFC 8555 section 6.7)."""

    def __init__(self, status: int, kind: str, detail: str,
                 retry_after: Any = None, **members: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.members = members
        self.headers: list[tuple[str, str]] = []
        if retry_after is not None:
            self.headers.append(("Retry-After", str(retry_after)))

    def as_json(self) -> dict:
        kind = self.kind
        if not kind.startswith(("urn:", "about:", "https:")):
            kind = f"urn:ietf:params:acme:error:{kind}"
        return {"type": kind, "status": self.status, "detail": self.detail,
                **self.members}

    def response(self) -> Response:
        return Response(self.status, json.dumps(self.as_json()).encode(),
                        "application/problem+json", list(self.headers))


Endpoint = tuple[str, Callable[[Request], Response]]


class Party(Protocol):
    """What a port serves."""

    name: str

    def route(self, request: Request) -> Endpoint: ...

    def decorate(self, request: Request, response: Response) -> None: ...


class RequestLog:
    """The last requests of all parties, for tests to read."""

    def __init__(self, limit: int = 20000) -> None:
        self._lock = threading.Lock()
        self._rows: collections.deque[dict] = collections.deque(maxlen=limit)
        self._sequence = 0

    def add(self, row: dict) -> None:
        with self._lock:
            self._sequence += 1
            self._rows.append({"seq": self._sequence, **row})

    def since(self, sequence: int) -> list[dict]:
        with self._lock:
            return [row for row in self._rows if row["seq"] > sequence]

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()


class Server(ThreadingHTTPServer):
    """Listens for one party; TLS handshakes happen in the threads."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512
    block_on_close = False

    def __init__(self, address: str, port: int, party: Party | None,
                 faults: FaultPlan, log: RequestLog,
                 tls: ssl.SSLContext | None, weather: Weather) -> None:
        super().__init__((address, port), Handler)
        self.party, self.faults, self.log, self.tls = party, faults, log, tls
        self.weather = weather
        self.role = ""

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address[:2]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        connection.settimeout(IDLE_SECONDS)
        if self.tls:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (OSError, ssl.SSLError, ValueError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Frames requests; everything else is the party's business."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: Server

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def version_string(self) -> str:
        return "lab"

    def log_message(self, format: str, *args: Any) -> None:
        """The request log of the lab replaces the one on stderr."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise Problem(411, "malformed", "Content-Length is required")
        text = self.headers.get("Content-Length", "0")
        if not text.isascii() or not text.isdigit():
            raise Problem(400, "malformed", "Content-Length is not a number")
        length = int(text)
        if length > MAX_BODY:
            self._drain(length)
            raise Problem(413, "malformed", f"more than {MAX_BODY} octets")
        body = self.rfile.read(length)
        if len(body) != length:
            raise ConnectionResetError("body ended early")
        return body

    def _drain(self, length: int) -> None:
        """Reads a refused body, within reason, so that the answer arrives."""
        while length > 0 and length < 16 * MAX_BODY:
            length -= len(self.rfile.read(min(length, 65536))) or length

    def _serve(self) -> None:
        started = time.monotonic()
        split = urllib.parse.urlsplit(self.path)
        request = Request(self.command, split.path,
                          urllib.parse.parse_qs(split.query), self.headers, b"",
                          notes={"target": self.path})
        struck: list[Fault] = []
        response: Response | None = None
        try:
            request.body = self._body()
            request.endpoint, action = self.server.party.route(request)
            weather = self.server.weather.strike(request.endpoint)
            struck = self.server.faults.take(request.endpoint, request.path) \
                or weather
            response = self._injected(struck)
            if response is None and not any(f.action in ("drop", "reset")
                                            for f in struck):
                response = action(request)
        except Problem as problem:
            if problem.status in (411, 413):
                self.close_connection = True
            request.notes["problem"] = problem.as_json()["type"]
            response = problem.response()
        except Exception as error:  # the lab answers 500 and goes on
            if isinstance(error, (OSError, ssl.SSLError)):
                raise
            import traceback
            traceback.print_exc()
            response = Problem(500, "serverInternal", repr(error)).response()
        if response is not None:
            self.server.party.decorate(request, response)
        self.server.log.add({
            "time": time.time(), "service": self.server.party.name,
            "endpoint": request.endpoint, "method": request.method,
            "path": request.path, "status": response.status if response else 0,
            "duration_ms": round((time.monotonic() - started) * 1000, 2),
            "faults": [f.what or f.action for f in struck],
            **{k: v for k, v in request.notes.items() if k != "target"}})
        self._send(response, struck)

    def _reset(self) -> None:
        """RST in the place of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _injected(self, struck: list[Fault]) -> Response | None:
        for fault in struck:
            if fault.delay_ms:
                time.sleep(fault.delay_ms / 1000)
            if fault.action == "status":
                if fault.status < 400:
                    return Response(fault.status)
                return Problem(fault.status, fault.problem, fault.detail,
                               fault.retry_after).response()
            if fault.action == "garbage":
                return Response(200, b"\x00{\"\xff" + os.urandom(64))
            if fault.action == "empty":
                return Response(200, b"")
            if fault.action == "html":
                return Response(200, b"<html><body>Sorry, we are working on it."
                                     b"</body></html>", "text/html")
        return None

    def _send(self, response: Response | None, struck: list[Fault]) -> None:
        actions = {fault.action for fault in struck}
        if "reset" in actions:
            self._reset()
        if response is None or actions & {"drop", "drop-after"}:
            self.close_connection = True
            return
        body = response.body
        if "half" in actions:  # a whole message, of half an object
            body = body[:len(body) // 2]
        length = len(body)
        if "truncate" in actions:
            body = body[:length // 2]
            self.close_connection = True
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status not in (204, 304):
            if response.content_type:
                self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self._headers_buffer.append(b"\r\n")
        head = b"".join(self._headers_buffer)
        self._headers_buffer = []
        if self.command == "HEAD" or response.status in (204, 304):
            body = b""
        self.wfile.write(head + body)


def not_found(request: Request) -> Response:
    raise Problem(404, "malformed", f"nothing at {request.path}")


def method_not_allowed(request: Request) -> Response:
    raise Problem(405, "malformed", f"{request.method} is not for"
                                    f" {request.path}")
