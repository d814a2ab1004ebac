"""Others that sign: p11-kit server and ssh-agent with a key in the token, secsipidx with a file's."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

from measure import raw
from world.machine import BUILD, TOKEN_LABEL, Machine, end, wait_for

P11_CLIENT = Path("/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so")
IDENTITIES, IDENTITIES_ANSWER, SIGN, SIGN_ANSWER = 11, 12, 13, 14  # of the agent protocol


@contextlib.contextmanager
def p11_server(machine: Machine):
    """p11-kit server in front of the same module; yields the environment of its clients."""
    path = machine.run / "p11"
    server = subprocess.Popen(
        ["p11-kit", "server", "--foreground", "--provider", machine.module, "--name", str(path),
         f"pkcs11:token={TOKEN_LABEL}"], env=machine.softhsm_env(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield {"P11_KIT_SERVER_ADDRESS": f"unix:path={path}"}
    finally:
        end(server)


def p11_kit(machine: Machine, seconds: float) -> dict:
    with p11_server(machine) as env:
        return raw(machine, seconds, 2, module=str(P11_CLIENT), env=env)


class SshAgent:
    """ssh-agent with the keys of the token that have a public key object; its own protocol."""

    def __init__(self, machine: Machine):
        self.path = machine.run / "ssh-agent"
        self.env = {**machine.softhsm_env(), "SSH_AUTH_SOCK": str(self.path)}
        self.agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.path), "-P", "/usr/lib/*"],
                                      env=self.env, stdout=subprocess.DEVNULL)
        while not self.path.exists():
            time.sleep(0.02)
        ask = machine.run / "askpass"
        ask.write_text(f"#!/bin/sh\necho {machine.pin}\n")
        ask.chmod(0o700)
        subprocess.run(["ssh-add", "-s", machine.module], env={
            **self.env, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"},
            capture_output=True, check=True, timeout=30)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self.path))

    def close(self) -> None:
        end(self.agent)

    def ask(self, kind: int, body: bytes = b"") -> bytes:
        self.socket.sendall(struct.pack(">IB", len(body) + 1, kind) + body)
        head = self.socket.recv(4, socket.MSG_WAITALL)
        return self.socket.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)

    def key(self) -> bytes:
        answer = self.ask(IDENTITIES)
        if answer[0] != IDENTITIES_ANSWER or struct.unpack(">I", answer[1:5])[0] == 0:
            raise OSError("ssh-agent found no key")
        return answer[9:9 + struct.unpack(">I", answer[5:9])[0]]

    def sign(self, key: bytes, data: bytes) -> None:
        answer = self.ask(SIGN, struct.pack(">I", len(key)) + key
                          + struct.pack(">I", len(data)) + data + bytes(4))
        if answer[0] != SIGN_ANSWER:
            raise OSError("ssh-agent did not sign")


def ssh_agent(machine: Machine, seconds: float) -> dict:
    """One connection: a second one gains nothing, for it has one thread."""
    agent = SshAgent(machine)
    try:
        key = agent.key()
        samples = []
        began = last = time.perf_counter()
        while last < began + seconds:
            agent.sign(key, os.urandom(32))
            now = time.perf_counter()
            samples.append((now - last) * 1e6)
            last = now
    finally:
        agent.close()
    return {"rate": len(samples) / (last - began), "p50_us": statistics.median(samples),
            "p99_us": statistics.quantiles(samples, n=100)[-1]}


def make_ssh_key(machine: Machine) -> None:
    """ssh-agent takes a key only with its public half, and the agent's keys have none stored."""
    subprocess.run(["pkcs11-tool", "--module", machine.module, "--token-label", TOKEN_LABEL,
                    "--login", "--pin", machine.pin, "--keypairgen", "--key-type",
                    "EC:prime256v1", "--label", "ssh", "--id", "55"], check=True,
                   capture_output=True, env=machine.softhsm_env())


SECSIPIDX = ("127.83.73.80", 18473)  # of the loopback
ASKED = "12025550142,12125550111,A,,https://certs.example/cert.pem"


def answers(address: tuple) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True


def secsipidx(folder: Path, seconds: float, connections: int) -> dict:
    """SHAKEN over HTTP with a key in a file: no token, no audit, and its claims are not checked."""
    key = folder / "secsipidx-key.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                    str(key)], check=True, capture_output=True)
    host, port = SECSIPIDX
    server = subprocess.Popen(["secsipidx", "-http-srv", f"{host}:{port}", "-fprvkey", str(key)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("secsipidx", lambda: answers(SECSIPIDX), 10, lambda: server.poll() is None)
        done = subprocess.run([str(BUILD / "tests/bench/httpload"), host, str(port),
                               "/v1/sign-csv", ASKED, str(connections), str(seconds)],
                              check=True, capture_output=True, text=True)
        return json.loads(done.stdout)
    finally:
        end(server)
