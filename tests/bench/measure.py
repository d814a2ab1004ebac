"""One measurement each: raw C_Sign, the agent under load, the disk, a start."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from crowd import Crowd
from fixture import Agent
from world.machine import BUILD, TOKEN_LABEL, Machine
from world.process import roles, status_field

PROBES = 200
RECORD = b"x" * 900  # about what one record takes


def start_raw(machine: Machine, seconds: float, module: str = "", env: dict | None = None,
              threads: int = 1, keys: int = 1) -> subprocess.Popen:
    return subprocess.Popen(
        [str(BUILD / "rawsign"), module or machine.module, TOKEN_LABEL,
         str(machine.config / "secrets/pin"), str(seconds), str(threads), str(keys)],
        stdout=subprocess.PIPE, env={**machine.softhsm_env(), **(env or {})})


def raw(machine: Machine, seconds: float, processes: int = 1, **more) -> dict:
    """C_SignInit + C_Sign in a loop, in so many processes at once."""
    running = []
    for _ in range(processes):
        # SoftHSM 2.6.1 loses sight of the token when two processes start at once.
        running.append(start_raw(machine, seconds, **more))
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


def agent(fixture: Agent, seconds: float, connections: int, tenant: str = "both",
          rate: float = 0) -> dict:
    """vesper bench, and what its requests cost: all processes, and the event loop's thread."""
    front = fixture.front_pid()
    before = thread_ns(front)
    r = fixture.load(seconds, connections, tenant, rate)
    r["loop_us"] = (thread_ns(front) - before) / 1e3 / max(r["answered"], 1)
    return r


def disk(folder: Path) -> dict:
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
    return {"rate": 1e6 / statistics.mean(samples), "p50_us": statistics.median(samples),
            "p99_us": statistics.quantiles(samples, n=100)[-1]}


def file_system(folder: Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True,
                          text=True, check=True).stdout.strip()


def signs(machine: Machine, body: str) -> bool:
    try:
        return machine.ask("POST", "/v1/passports", json.loads(body)).status == 200
    except (OSError, ValueError):
        return False


def start(crowd: Crowd, limit_s: float = 120) -> dict:
    """Seconds from the start of vesperd to the first credential that signs, and to all."""
    machine = crowd.machine
    with open(crowd.bodies) as bodies:
        body = bodies.readline()
    machine.stop_agent()
    began = time.monotonic()
    start_raw(machine, 0).communicate()
    token_s = time.monotonic() - began  # C_Initialize, login, find
    began = time.monotonic()
    machine.start_agent(wait=False)
    while not signs(machine, body):
        if time.monotonic() - began > limit_s:
            raise SystemExit(f"bench: nothing was signed within {limit_s} s of a start")
        time.sleep(0.01)
    first_s = time.monotonic() - began
    while (n := crowd.ready()) < crowd.many:
        if time.monotonic() - began > limit_s:
            raise SystemExit(f"bench: only {n} of {crowd.many} credentials after {limit_s} s")
        time.sleep(0.1)  # the status of 10,000 is work
    return {"token_s": token_s, "first_s": first_s, "all_s": time.monotonic() - began}


def footprint(agent: Agent) -> dict[str, int]:
    """Resident kB and descriptors of all processes of the agent, by role."""
    found: dict[str, int] = {}
    for role, pids in roles(agent.machine.agent.pid).items():
        found[f"{role} kB"] = sum(int(status_field(p, "VmRSS").split()[0]) for p in pids)
        found[f"{role} fds"] = sum(len(os.listdir(f"/proc/{p}/fd")) for p in pids)
    return found
