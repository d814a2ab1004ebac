"""System calls made by a running process itself: what may it open, connect to?

Its main thread is stopped (ptrace), makes the calls one step at a time from a
"syscall" instruction that it has mapped already, gets its registers back and
goes on; the other threads are not stopped.  The kernel judges the call by all
that holds for this process: user, capabilities, name spaces, sandbox.

Not gdb: Debian 12's saves all registers for each call and cannot put back the
extended ones of newer processors ("Couldn't write extended state status").
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
import subprocess
from pathlib import Path

SEIZE, INTERRUPT, DETACH, SINGLESTEP = 0x4206, 0x4207, 17, 9
PEEKDATA, POKEDATA, GETREGSET, SETREGSET = 2, 5, 0x4204, 0x4205
NT_PRSTATUS, WALL, WORD, PAGE = 1, 0x40000000, 8, 4096
AT_FDCWD, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = -100, 3, 0x22
AF_UNIX, SOCK_STREAM = 1, 1
QUIET = os.O_CLOEXEC | os.O_NONBLOCK  # also what SOCK_CLOEXEC and SOCK_NONBLOCK are
NONE = 2**64 - 1


class Architecture:
    """Where the kernel takes a call from (registers as words of NT_PRSTATUS) and its numbers."""

    def __init__(self, words: int, pc: int, number: int, result: int, arguments: tuple[int, ...],
                 restart: int | None, instruction: bytes, step: int, numbers: dict[str, int]):
        self.words, self.pc, self.number, self.result = words, pc, number, result
        self.arguments, self.restart, self.instruction = arguments, restart, instruction
        self.step, self.numbers = step, numbers


ARCHITECTURES = {
    # struct user_regs_struct: rip 16, rax 10, orig_rax 15; rdi rsi rdx r10 r8 r9
    "x86_64": Architecture(27, 16, 10, 10, (14, 13, 12, 7, 9, 8), 15, b"\x0f\x05", 1,
                           {"openat": 257, "close": 3, "socket": 41, "connect": 42, "mmap": 9,
                            "munmap": 11}),
    # struct user_pt_regs: x0..x30, sp, pc 32, pstate; svc #0
    "aarch64": Architecture(34, 32, 8, 0, (0, 1, 2, 3, 4, 5), None, b"\x01\x00\x00\xd4", 4,
                            {"openat": 56, "close": 57, "socket": 198, "connect": 203,
                             "mmap": 222, "munmap": 215}),
}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


class NotPermitted(Exception):
    """This machine does not let us trace a process."""


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno() != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}: {os.strerror(ctypes.get_errno())}")
    return result


class Inside:
    """A process whose main thread is stopped and makes calls for us."""

    def __init__(self, pid: int, architecture: Architecture):
        self.pid, self.cpu = pid, architecture
        self.signals: list[int] = []  # that came meanwhile
        self.kept = self.registers()
        self.instruction = self.find_instruction()
        self.page = self.call("mmap", 0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, NONE, 0)
        if self.page < 0:
            raise OSError(-self.page, "mmap in the process")

    def registers(self, new: list[int] | None = None) -> list[int]:
        words = (ctypes.c_uint64 * self.cpu.words)(*(new or ()))
        iovec = Iovec(ctypes.addressof(words), ctypes.sizeof(words))
        ptrace(GETREGSET if new is None else SETREGSET, self.pid, NT_PRSTATUS,
               ctypes.addressof(iovec))
        return list(words)

    def find_instruction(self) -> int:
        """One that the C library has, at an address that an instruction can have."""
        with open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
            for line in Path(f"/proc/{self.pid}/maps").read_text().splitlines():
                span, mode = line.split()[:2]
                if "x" not in mode or "/libc.so" not in line:
                    continue
                start, end = (int(x, 16) for x in span.split("-"))
                memory.seek(start)
                text = memory.read(end - start)
                at = text.find(self.cpu.instruction)
                while at >= 0 and at % self.cpu.step:
                    at = text.find(self.cpu.instruction, at + 1)
                if at >= 0:
                    return start + at
        raise OSError(0, f"process {self.pid} has no C library to call from")

    def step(self) -> None:
        while True:
            ptrace(SINGLESTEP, self.pid)
            _, status = os.waitpid(self.pid, WALL)
            if not os.WIFSTOPPED(status):
                raise OSError(0, f"process {self.pid} ended in a call: {status:#x}")
            if os.WSTOPSIG(status) == signal.SIGTRAP:
                return
            self.signals.append(os.WSTOPSIG(status))

    def call(self, name: str, *arguments: int) -> int:
        """The kernel's answer: a negative one is an errno."""
        registers = list(self.kept)
        registers[self.cpu.pc] = self.instruction
        registers[self.cpu.number] = self.cpu.numbers[name]
        for place, value in zip(self.cpu.arguments, arguments):
            registers[place] = value & NONE
        if self.cpu.restart is not None:
            registers[self.cpu.restart] = NONE  # the call it was stopped in is not begun again now
        self.registers(registers)
        self.step()
        result = self.registers()[self.cpu.result]
        return result - 2**64 if result >= 2**63 else result

    def put(self, data: bytes) -> int:
        data += bytes(-len(data) % WORD)
        for at in range(0, len(data), WORD):
            ptrace(POKEDATA, self.pid, self.page + at, struct.unpack_from("=Q", data, at)[0])
        return self.page

    def leave(self) -> None:
        with contextlib.suppress(OSError):
            if getattr(self, "page", -1) > 0:
                self.call("munmap", self.page, PAGE)
            self.registers(self.kept)

    # ---- what is asked ---------------------------------------------------

    def open(self, path: str, flags: int) -> int:
        return self.over(self.call("openat", AT_FDCWD, self.put(path.encode() + b"\0"),
                                   flags | QUIET))

    def connect(self, path: str) -> int:
        fd = self.call("socket", AF_UNIX, SOCK_STREAM | QUIET, 0)
        if fd < 0:
            return -fd
        address = struct.pack("=H", AF_UNIX) + path.encode() + b"\0"
        result = self.call("connect", fd, self.put(address), len(address))
        self.over(fd)
        return -result

    def over(self, fd: int) -> int:
        if fd >= 0:
            self.call("close", fd)
        return max(-fd, 0)

    def ask(self, what: str, path: str) -> int:
        if what == "connect":
            return self.connect(path)
        return self.open(path, {"read": os.O_RDONLY, "write": os.O_WRONLY,
                                "list": os.O_RDONLY | os.O_DIRECTORY}[what])


def seize(pid: int) -> Architecture:
    cpu = ARCHITECTURES.get(platform.machine())
    if cpu is None:
        raise NotPermitted(f"no system calls are known here for {platform.machine()}")
    try:
        ptrace(SEIZE, pid)
    except PermissionError as problem:
        raise NotPermitted(str(problem)) from problem
    return cpu


@contextlib.contextmanager
def stopped(pid: int):
    cpu, inside = seize(pid), None
    try:
        ptrace(INTERRUPT, pid)
        os.waitpid(pid, WALL)
        inside = Inside(pid, cpu)
        yield inside
    finally:
        if inside is not None:
            inside.leave()
        ptrace(DETACH, pid)
        for number in inside.signals if inside is not None else ():
            os.kill(pid, number)


def forbidden() -> str | None:
    """Why no process can be traced here, tried on one that surely is ours."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        seize(child.pid)
        return None
    except NotPermitted as problem:
        return str(problem)
    finally:
        child.kill()
        child.wait()


def ask(pid: int, calls: list[tuple[str, str]]) -> list[int]:
    """The errno of each (call, path), 0 where it went well.

    Calls: read, write, list (a directory), connect (a Unix socket).
    """
    with stopped(pid) as inside:
        return [inside.ask(*each) for each in calls]
