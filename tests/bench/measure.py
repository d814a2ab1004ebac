"""One measurement each: raw C_Sign, the agent under load, the disk, a start."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from fixture import Fixture
from world.machine import BUILD, TOKEN_LABEL, Machine

PROBES = 200
RECORD = b"x" * 900  # about what one record takes


def start_raw(machine: Machine, seconds: float, module: str, more_env: dict) -> subprocess.Popen:
    return subprocess.Popen(
        [str(BUILD / "rawsign"), module, TOKEN_LABEL, str(machine.config / "secrets/pin"),
         str(seconds)], stdout=subprocess.PIPE, env={**machine.softhsm_env(), **more_env})


def raw(machine: Machine, seconds: float, processes: int, module: str = "",
        env: dict | None = None) -> dict:
    """C_SignInit + C_Sign in a loop, in so many processes at once."""
    running = []
    for _ in range(processes):
        # SoftHSM 2.6.1 loses sight of the token when two processes start at once.
        running.append(start_raw(machine, seconds, module or machine.module, env or {}))
        time.sleep(0.2)
    results = [json.loads(p.communicate()[0]) for p in running]
    signatures = sum(r["signatures"] for r in results)
    return {"rate": sum(r["signatures"] / r["seconds"] for r in results),
            "p50_us": statistics.median(r["p50_us"] for r in results),
            "p99_us": max(r["p99_us"] for r in results),
            "cpu_us": sum(r["cpu_seconds"] for r in results) * 1e6 / signatures}


def thread_ns(pid: int) -> int:
    """What the first thread of a process has used: proc(5), schedstat."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0])


def agent(fixture: Fixture, seconds: float, connections: int, tenant: str = "both",
          rate: float = 0) -> dict:
    """vesper bench, and what its requests cost: all processes, and the event loop's thread."""
    front = fixture.front_pid()
    before = thread_ns(front)
    r = fixture.load(seconds, connections, tenant, rate)
    r["loop_us"] = (thread_ns(front) - before) / 1e3 / max(r["answered"], 1)
    return r


def fdatasync_p50_us(folder: Path) -> float:
    """What one record costs the disk that the audit is on."""
    path = folder / "fdatasync-probe"
    samples = []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(PROBES):
            os.write(fd, RECORD)
            began = time.perf_counter()
            os.fdatasync(fd)
            samples.append((time.perf_counter() - began) * 1e6)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(samples)


def file_system(folder: Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True,
                          text=True, check=True).stdout.strip()


def ready(machine: Machine) -> int:
    """Credentials that can sign now."""
    try:
        status = machine.status()
    except (OSError, ValueError):
        return 0
    if not all(t["up"] for t in status["tokens"]):
        return 0
    return sum(c["state"] == "ready" for c in status["credentials"])


def start(machine: Machine, credentials: int, limit_s: float = 60) -> dict:
    """Seconds from the start of vesperd to the first credential that signs, and to all."""
    began = time.monotonic()
    start_raw(machine, 0, machine.module, {}).communicate()
    token_s = time.monotonic() - began  # C_Initialize, login, find, one signature
    machine.stop_agent()
    began = time.monotonic()
    machine.start_agent(wait=False)
    first_s, n = 0.0, 0
    while n < credentials and time.monotonic() - began < limit_s:
        n = ready(machine)
        if n > 0 and first_s == 0:
            first_s = time.monotonic() - began
        time.sleep(0.005)
    if n < credentials:
        raise SystemExit(f"bench: only {n} of {credentials} credentials after {limit_s} s")
    return {"token_s": token_s, "first_s": first_s, "all_s": time.monotonic() - began}
