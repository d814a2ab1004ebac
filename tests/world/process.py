"""What the kernel says of a process: its role, descriptors, mappings and memory."""

from __future__ import annotations

import os
import re
from pathlib import Path


def children(pid: int) -> list[int]:
    """Living children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


def role_of(pid: int) -> str:
    """front, signer, admin, renewer, or the program's name."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    name = os.path.basename(arguments[0].decode())
    if name == "vesper-hsm":
        return arguments[1].decode()
    return {"vesper-front": "front", "vesper-renewer": "renewer"}.get(name, name)


def roles(supervisor: int) -> dict[str, list[int]]:
    """The supervisor's children by role."""
    found: dict[str, list[int]] = {"supervisor": [supervisor]}
    for pid in sorted(children(supervisor)):
        found.setdefault(role_of(pid), []).append(pid)
    return found


def status_field(pid: int, name: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    return re.search(rf"^{name}:\s*(.*)$", text, re.M).group(1)


def mappings(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


SHADOW = 1 << 36  # nobody has so much memory: what a sanitizer keeps account in


def memory_has(pid: int, needle: bytes) -> bool:
    """Is this byte string anywhere in the readable, private memory of the process?"""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in mappings(pid).splitlines():
            span, mode = line.split()[:2]
            if "r" not in mode or line.endswith("[vvar]") or line.endswith("[vsyscall]"):
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            if end - start >= SHADOW:
                continue
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, ValueError, OverflowError):
                continue
    return False


def sockets(pid: int) -> dict[int, str]:
    """Descriptor to bound path ("" for none) of every socket of the process."""
    paths = {}
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        paths[fields[6]] = fields[7] if len(fields) > 7 else ""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:"):
            found[int(entry.name)] = paths.get(target[8:-1], "")
    return found


def cpu_s(pid: int) -> float:
    """Seconds of processor that the process and all its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
