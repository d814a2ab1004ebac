"""Front and renewer with tests/fault/stepfault.c in front of the C library.

Each has a file that both map: at which of its writes the process is killed,
below which path its disk fails, and how far its clocks are off.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

from . import machine as world

SHIM = world.BUILD / "tests/fault/.libs/stepfault.so"
ROLES = ("front", "renewer")
OFF, NOTE, EACH, ONE = range(4)
# struct step_control of tests/fault/stepfault.h
MODE, FINE, LEN, KILLS, WALL, UPTIME, ERROR, REFUSED, WHERE = 0, 4, 8, 12, 16, 24, 32, 36, 40
WHERE_LEN, TEXT, STEP, STEP_MAX = 256, 124, 128, 1024
TABLE = WHERE + WHERE_LEN
SIZE = TABLE + STEP * STEP_MAX


class Steps:
    """What one role is to suffer."""

    def __init__(self, path: Path):
        path.write_bytes(bytes(SIZE))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def number(self, at: int, kind: str = "I") -> int:
        return struct.unpack_from("<" + kind, self.map, at)[0]

    def put(self, at: int, value: int, kind: str = "I") -> None:
        struct.pack_into("<" + kind, self.map, at, value)

    def kill(self, mode: int, fine: bool = False, only: str | None = None) -> None:
        """From now on; the points that were met before are forgotten."""
        self.put(MODE, OFF)
        self.map[TABLE:SIZE] = bytes(SIZE - TABLE)
        if only is not None:
            self.map[TABLE:TABLE + len(only)] = only.encode()
        self.put(LEN, 0 if only is None else 1)
        self.put(FINE, int(fine))
        self.put(MODE, mode)

    def pause(self) -> None:
        """Nobody is killed; the points that were met stay to be read."""
        self.put(MODE, OFF)

    def points(self) -> list[str]:
        found = []
        for i in range(self.number(LEN)):
            at = TABLE + STEP * i
            found.append(self.map[at:at + TEXT].split(b"\0")[0].decode())
        return found

    @property
    def kills(self) -> int:
        return self.number(KILLS)

    @property
    def refused(self) -> int:
        """Calls that the failing disk refused."""
        return self.number(REFUSED)

    def disk(self, where: str = "", error: int = 0) -> None:
        """What has this in its path fails with this error; none: all is well."""
        self.put(ERROR, 0, "i")
        self.map[WHERE:WHERE + WHERE_LEN] = where.encode().ljust(WHERE_LEN, b"\0")
        self.put(ERROR, error, "i")

    def clock(self, wall_s: float = 0, uptime_s: float = 0) -> None:
        """How far the clocks are off from now on."""
        self.put(WALL, int(wall_s * 10**9), "q")
        self.put(UPTIME, int(uptime_s * 10**9), "q")


def wrap(machine: world.Machine) -> dict[str, Steps]:
    """The machine's vesperd starts front and renewer with the shim."""
    folder = machine.run / "programs"
    folder.mkdir()
    folder.chmod(0o755)
    shutil.copy2(world.BUILD / "vesperd", folder / "vesperd")  # it looks for roles beside it
    for name in ("vesper-hsm", "vesper-hook"):
        (folder / name).symlink_to(world.BUILD / name)
    steps = {}
    for role in ROLES:
        control = machine.dir / f"{role}.steps"
        steps[role] = Steps(control)
        program = folder / f"vesper-{role}"
        program.write_text(
            "#!/bin/sh\n"
            "export ASAN_OPTIONS=verify_asan_link_order=0\n"
            f"export LD_PRELOAD='{SHIM}' STEPFAULT='{control}'\n"
            f"exec '{world.BUILD}/vesper-{role}' \"$@\"\n")
        program.chmod(0o755)
    machine.programs = folder
    return steps


def keys_in_token(machine: world.Machine, token: str = world.TOKEN_LABEL,
                  env: dict | None = None) -> dict[str, str]:
    """Private keys by another program's account: id to label."""
    listed = subprocess.run(
        ["pkcs11-tool", "--module", machine.module, "--token-label", token, "--login",
         "--pin", machine.pin, "--list-objects", "--type", "privkey"],
        capture_output=True, text=True, check=True, env=env or machine.softhsm_env()).stdout
    found, label = {}, ""
    for line in listed.splitlines():
        name, _, value = line.strip().partition(":")
        if name.startswith("Private Key Object"):
            label = ""
            found[f"none-{len(found)}"] = label  # until its id is read
        elif name == "label":
            label = value.strip()
        elif name == "ID" and value.strip():
            found.pop(f"none-{len(found) - 1}", None)
            found[value.strip()] = label
    return found
