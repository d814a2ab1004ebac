"""A small HTTP client over a Unix socket, with the standard library only."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass, field


class UnixConnection(http.client.HTTPConnection):
    """http.client over AF_UNIX; keep-alive as usual."""

    def __init__(self, path: str, timeout: float = 30.0):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    json: dict = field(default_factory=dict)

    @property
    def reason(self) -> str | None:
        return self.json.get("reason") if isinstance(self.json, dict) else None


def answer_of(response: http.client.HTTPResponse) -> Answer:
    data = response.read()
    answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, data)
    if "json" in answer.headers.get("content-type", ""):
        answer.json = json.loads(data)
    return answer


def request(path: str, method: str, url: str, body=None, headers=None,
            connection: UnixConnection | None = None, timeout: float = 30.0) -> Answer:
    """One request; body may be bytes, or anything that json.dumps takes."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    sent = dict(headers or {})
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    own = connection is None
    conn = connection or UnixConnection(path, timeout)
    try:
        conn.request(method, url, body=body, headers=sent)
        return answer_of(conn.getresponse())
    finally:
        if own:
            conn.close()
