# Putting the parties together on one address, and taking them down.
"""One `Lab` object per directory."""
from __future__ import annotations

import fcntl
import json
import os
import random
import threading
import time

from . import (acme, authority, certificates, control, ctlog, issue, notary,
               orders, pki, repository, star, validation, web)
from .config import Config
from .faults import FaultPlan
from .store import Store, read_json, write_file
from .weather import Weather

ENDPOINTS: dict[str, frozenset[str]] = {
    **{name: acme.WRONG_ANSWERS for name in (
        "directory", "new-nonce", "new-account", "account", "key-change",
        "orders", "new-order", "order", "finalize", "authz", "challenge",
        "revoke-cert", "renewal-info", "certificate", "star-certificate")},
    **authority.WRONGS, **ctlog.WRONGS,
    **{name: frozenset() for name in (
        "get-entry-and-proof", "get-roots", "registry", "tokens",
        "repository")}}
ENDPOINTS["order"] = (ENDPOINTS["order"] | orders.WRONG_ORDERS
                      | star.WRONG_SERIES)
ENDPOINTS["authz"] = ENDPOINTS["authz"] | orders.WRONG_AUTHORIZATIONS
ENDPOINTS["renewal-info"] = (ENDPOINTS["renewal-info"]
                             | certificates.WRONG_RENEWAL_INFO)
ENDPOINTS["repository"] = repository.WRONG_FILES
ENDPOINTS["certificate"] = (ENDPOINTS["certificate"] | issue.WRONG_CERTIFICATES
                            | certificates.WRONG_DOWNLOADS)


class LabError(RuntimeError):
    """The lab cannot start."""


class Lab:
    """All parties of one directory."""

    def __init__(self, directory: str, config_path: str,
                 address: str | None = None) -> None:
        self.directory = os.path.abspath(directory)
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        self.config = Config.load(config_path)
        self._lock = self._only_one()
        self._path = lambda *parts: os.path.join(self.directory, *parts)
        self.secrets = self.config.materialise_secrets(self._path("secrets"))
        self.weather = Weather()
        self.faults, self.log = FaultPlan(self.weather.wrongs), web.RequestLog()
        self._servers: list[web.Server] = []
        self._threads: list[threading.Thread] = []
        self.address = self._listen(address)
        self.parties = pki.Parties(self._path("ca"), self.address,
                                   self.config.get("ca.organization"))
        self.store = Store(self._path("ca", "state.db"))
        self._build()

    def _only_one(self) -> int:
        """One lab for a directory; the lock goes with the process."""
        handle = os.open(os.path.join(self.directory, "lock"),
                         os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LabError(f"a lab runs in {self.directory}") from None
        return handle

    # -- address -------------------------------------------------------------

    def _listen(self, address: str | None) -> str:
        """Binds every port of one address, drawn at random unless given."""
        previous = None
        if os.path.exists(self._path("address")):
            with open(self._path("address"), encoding="ascii") as source:
                previous = source.read().strip()
        draws = (address for _ in range(1)) if address else (
            previous if attempt == 0 and previous else
            f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
            f".{random.randint(1, 254)}" for attempt in range(50))
        for candidate in draws:
            try:
                self._bind(candidate)
            except OSError as error:
                self._close_servers()
                if address:
                    raise LabError(f"{address}: {error}") from None
                continue
            write_file(self._path("address"), candidate + "\n")
            return candidate
        raise LabError("no loopback address is free")

    def _bind(self, address: str) -> None:
        for name, port in self.config.get("ports").items():
            server = web.Server(address, port, None, self.faults, self.log, None,
                                self.weather)
            server.role = name
            self._servers.append(server)

    def _close_servers(self) -> None:
        for server in self._servers:
            server.server_close()
        self._servers = []

    def _origin(self, role: str) -> str:
        scheme = "http" if role == "control" else "https"
        return f"{scheme}://{self.address}:{self.config.get('ports')[role]}"

    # -- parties -------------------------------------------------------------

    def _build(self) -> None:
        parties, config = self.parties, self.config
        self._write_anchors()
        self.notary = notary.Notary(config, parties, self.store)
        self.repository = repository.RepositoryService(
            self._path("www"), self._origin("repository") + "/", self.faults)
        validator = validation.TokenValidator(
            [parties.authority_root.der], self._may_issue,
            validation.https_fetch(self._path("tls-ca.pem"),
                                   lambda: {self.address}))
        authorities = authority.AuthorityService(
            config, parties, self.notary, self.faults, validator,
            self._origin("repository") + "/authority/")
        authorities.publish(self.repository.publish)
        self.logs = [ctlog.Log(
            name, operator["name"], parties.key(f"log-{name}"),
            [parties.sti_root.der], self.store, self.faults,
            parties.foreign_log.key)
            for operator in config.get("logs.operators")
            for name in operator["logs"]]
        issuer = issue.Issuer(parties, self.logs, self._log_answers)
        ca = acme.AcmeService(
            config, self.store, self.faults, self._origin("ca"),
            self._origin("repository") + "/crl/sti-pa.crl",
            lambda service: orders.Orders(
                service, validator, issuer, self.repository.publish,
                self.notary.has_logged, self._publish_crl))
        services: dict[str, web.Party] = {
            "ca": ca, "authorities": authorities,
            "logs": ctlog.LogService(self.logs), "notary": self.notary,
            "repository": self.repository,
            "control": control.ControlService(config, self.faults, self.log,
                                              self.notary, ENDPOINTS,
                                              self.weather,
                                              ca.orders.certificates.revoke_by_ca)}
        context = parties.server_context()
        for server in self._servers:
            server.party = services[server.role]
            server.tls = None if server.role == "control" else context
        write_file(self._path("ct-logs.json"), json.dumps(ctlog.log_list(
            self.logs, lambda name: f"{self._origin('logs')}/{name}/"), indent=1))

    def _may_issue(self, certificate: bytes, tktype: str) -> bool:
        return (not self.config.get("notary.require_registered")
                or self.notary.may_issue(certificate, tktype))

    def _log_answers(self, log: ctlog.Log) -> bool:
        """Applies the transport faults of a log to the CA's submissions."""
        for fault in self.faults.take("add-pre-chain", f"/{log.name}/"):
            if fault.delay_ms:
                time.sleep(fault.delay_ms / 1000)
            if fault.action != "delay":
                return False
        return True

    def _publish_crl(self, revoked: list[tuple[int, int, int]]) -> None:
        self.repository.publish("crl/sti-pa.crl", repository.revocation_list(
            self.parties, revoked))

    def _write_anchors(self) -> None:
        for name, certificate in (
                ("tls-ca", self.parties.tls_ca.certificate),
                ("trust-anchors", self.parties.sti_root.certificate),
                ("authority-anchors", self.parties.authority_root.certificate),
                ("crl-issuers", self.parties.crl.certificate)):
            write_file(self._path(f"{name}.pem"), pki.pem(certificate))

    def info(self) -> dict:
        """What lab-info.json says."""
        return {
            "address": self.address, "pid": os.getpid(),
            "directory": self._origin("ca") + "/directory",
            "number_authority": self._origin("authorities") + "/numbers",
            "claim_agent": self._origin("authorities") + "/claims",
            "ct_logs": [f"{self._origin('logs')}/{log.name}/"
                        for log in self.logs],
            "notary": self._origin("notary"),
            "repository": self._origin("repository") + "/",
            "www": self._path("www"), "control": self._origin("control"),
            "tls_ca": self._path("tls-ca.pem"),
            "trust_anchors": self._path("trust-anchors.pem"),
            "authority_anchors": self._path("authority-anchors.pem"),
            "crl_issuers": self._path("crl-issuers.pem"),
            "ct_log_list": self._path("ct-logs.json"),
            "secrets": self.secrets}

    # -- life ----------------------------------------------------------------

    def start(self) -> None:
        for server in self._servers:
            thread = threading.Thread(target=server.serve_forever,
                                      kwargs={"poll_interval": 0.1}, daemon=True)
            thread.start()
            self._threads.append(thread)
        write_file(self._path("lab-info.json"), json.dumps(self.info(), indent=1)
                   + "\n")

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
        self._close_servers()
        self.store.close()
        try:
            if read_json(self._path("lab-info.json")).get("pid") == os.getpid():
                os.unlink(self._path("lab-info.json"))
        except OSError:
            return
