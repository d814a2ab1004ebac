# Durable objects of the parties: JSON documents in one SQLite file.
"""A write-through table of JSON documents.

SQLite gives the atomic write: a process that is killed leaves either the old
or the new document.  Reads come from memory.
"""
from __future__ import annotations

import json
import os
import sqlite3
import threading
from typing import Any, Iterator


class Store:
    """Documents by kind and id, in the order of their creation."""

    def __init__(self, path: str) -> None:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        os.close(handle)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False,
                                   isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS document (kind TEXT,"
                         " id TEXT, body TEXT, PRIMARY KEY (kind, id))")
        self._objects: dict[str, dict[str, dict]] = {}
        for kind, name, body in self._db.execute(
                "SELECT kind, id, body FROM document ORDER BY rowid"):
            self._objects.setdefault(kind, {})[name] = json.loads(body)

    def get(self, kind: str, name: str) -> dict | None:
        return self._objects.get(kind, {}).get(name)

    def put(self, kind: str, name: str, body: dict) -> dict:
        """Writes the document; the object given stays the one in memory."""
        text = json.dumps(body)
        with self._lock:
            self._objects.setdefault(kind, {})[name] = body
            self._db.execute(
                "INSERT INTO document VALUES (?, ?, ?) ON CONFLICT (kind, id)"
                " DO UPDATE SET body = excluded.body", (kind, name, text))
        return body

    def all(self, kind: str) -> Iterator[tuple[str, dict]]:
        with self._lock:
            found = list(self._objects.get(kind, {}).items())
        return iter(found)

    def count(self, kind: str) -> int:
        return len(self._objects.get(kind, {}))

    def close(self) -> None:
        with self._lock:
            self._db.close()


def write_file(path: str, data: bytes | str, mode: int = 0o644,
               sync: bool = True) -> None:
    """Atomic replacement of a small file, with the mode set from the start."""
    if isinstance(data, str):
        data = data.encode("utf-8")
    temporary = f"{path}.{os.getpid()}.{threading.get_ident()}.new"
    handle = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(data)
            out.flush()
            if sync:
                os.fsync(out.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_json(path: str) -> Any:
    with open(path, encoding="utf-8") as source:
        return json.load(source)
