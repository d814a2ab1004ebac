#!/usr/bin/python3
# Tests of the lab: wrong requests, full flows, logs, faults, verifier.
# V-87
"""Run directly or with `python3 -m unittest`; starts a lab of its own."""
from __future__ import annotations

import base64
import copy
import email.utils
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from cryptography import x509  # noqa: E402

import wrong_requests as wrong  # noqa: E402
from stirlab import issue, jose, merkle, runner, sct, tnauth  # noqa: E402
from stirlab.client import LabClient, make_csr, pem_blocks  # noqa: E402
from stirlab.constraints import Constraints  # noqa: E402
from stirlab.orders import parse_rfc3339  # noqa: E402
from stirlab.pki import validity  # noqa: E402
from stirlab.tnauth import TNAuthList  # noqa: E402
from stirlab.verifier import service, transparency  # noqa: E402

X5U = "https://certs.example.com/acme.pem"


class LabProcess:
    """A lab in a directory, started and stopped like any user would."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "lab.py"),
             "--dir", directory], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("lab ready"):
            raise RuntimeError("the lab did not start")

    @property
    def info(self) -> str:
        return os.path.join(self.directory, "lab-info.json")

    def client(self) -> LabClient:
        found = LabClient(self.info)
        found.register()
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.stdout.close()
        return self.process.wait(10)


class LabCase(unittest.TestCase):
    """One lab for all cases of a class."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.mkdtemp(prefix="lab-test-")
        cls.lab = LabProcess(cls.directory)

    @classmethod
    def tearDownClass(cls) -> None:
        status = cls.lab.stop()
        shutil.rmtree(cls.directory)
        if status != 0:
            raise AssertionError(f"the lab ended with status {status}")

    def setUp(self) -> None:
        self.c = self.lab.client()

    def tearDown(self) -> None:
        self.c.control("DELETE", "/faults")

    def change(self, patch: dict) -> None:
        """Changes the configuration for the length of one case."""
        before = self.c.control("GET", "/config").json

        def pick(tree: dict, like: dict) -> dict:
            return {k: pick(tree[k], v) if isinstance(v, dict) else tree[k]
                    for k, v in like.items() if k in tree}
        self.assertEqual(self.c.control("POST", "/config", patch).status, 200)
        self.addCleanup(self.c.control, "POST", "/config", pick(before, patch))

    def fault(self, endpoint: str, action: str, **members: object) -> None:
        answer = self.c.control("POST", "/faults", {
            "endpoint": endpoint, "action": action, **members})
        self.assertEqual(answer.status, 201, answer.body)

    # -- PASSporTs ---------------------------------------------------------

    def policy(self, **members: object) -> service.Policy:
        with open(self.c.info["trust_anchors"], "rb") as source:
            anchors = service.load_certificates(source.read())
        with open(self.c.info["ct_log_list"], "rb") as source:
            logs = transparency.load(json.load(source))
        return service.Policy(anchors, logs, **members)

    @staticmethod
    def passport(key: object, chain: list[bytes], ppt: str = "",
                 header: dict | None = None, **claims: object) -> str:
        head = {"alg": "ES256", "typ": "passport", "x5u": X5U, "x5c": [
            base64.b64encode(c).decode() for c in chain], **(header or {})}
        if ppt:
            head["ppt"] = ppt
        head = {k: v for k, v in head.items() if v is not None}
        body = {"orig": {"tn": "12025550100"}, "dest": {"tn": ["12125550111"]},
                "iat": int(time.time()), **claims}
        value = (jose.sign_compact(head, body, key)
                 + f";info=<{head.get('x5u', X5U)}>;alg=ES256")
        return value + (f";ppt={ppt}" if ppt else "")


class WrongRequests(LabCase):
    """One method for each row of the tables in wrong_requests."""


def _case(row: wrong.Row):
    def test(self: WrongRequests) -> None:
        if row.config:
            self.change(row.config)
        seen = row.send(self.c)
        self.assertEqual((seen.status, seen.problem), (row.status, row.problem),
                         getattr(seen, "body", b""))
        if hasattr(seen, "headers") and seen.status != 413 \
                and seen.headers.get("Link", "").endswith('rel="index"') \
                and row.name != "GET of a resource" \
                and not row.name.startswith("renewal"):
            self.assertIn("Replay-Nonce", seen.headers)
    return test


for _table, _rows in wrong.TABLES.items():
    for _number, _row in enumerate(_rows, 1):
        _test = _case(_row)
        _test.__doc__ = f"{_table}: {_row.name} -> {_row.status} {_row.problem}"
        setattr(WrongRequests, "test_%s_%02d_%s" % (
            _table.replace("-", "_"), _number,
            "".join(c if c.isalnum() else "_" for c in _row.name)), _test)


class Flows(LabCase):
    """What a right client gets."""

    def test_delegate_with_constraints(self) -> None:
        """A delegate with constraints: profile, SCTs, verdict"""
        key, chain = self.c.obtain(wrong.BOTH, "acme")
        self.assertEqual(len(chain), 2)
        leaf = x509.load_der_x509_certificate(chain[0])
        self.assertEqual(_extension(leaf, tnauth.OID), wrong.NUMBERS)
        self.assertEqual(_extension(leaf, "1.3.6.1.5.5.7.1.27"), wrong.NAME)
        self.assertEqual(len(sct.decode_list(_extension(leaf, sct.OID_LIST))), 2)
        text = self.passport(key, chain, "rcd", rcd={"nam": "ACME Corp"})
        verdict = service.verify(text, self.policy(min_scts=2),
                                 orig="+1 (202) 555-0100")
        self.assertEqual(verdict["verdict"], "pass", verdict)
        self.assertEqual({row["operator"] for row in verdict["scts"]},
                         {"Lab Log Operator One", "Lab Log Operator Two"})

    def test_enhanced_constraints(self) -> None:
        """A delegate with the constraints of RFC 9118"""
        key, chain = self.c.obtain({
            "TNAuthList": wrong.NUMBERS,
            "EnhancedJWTClaimConstraints": wrong.EXCLUDE}, "acme")
        good = {"rcd": {"nam": "ACME Corp"}}
        self.assertEqual(self.verdict(key, chain, "rcd", **good), None)
        self.assertEqual(self.verdict(key, chain, "rcd", crn="x", **good),
                         "constraints")
        self.assertEqual(self.verdict(key, chain, "rcd", rcd={"nam": "X"}),
                         "constraints")
        self.assertEqual(self.verdict(key, chain), "constraints")

    def verdict(self, key: object, chain: list[bytes], ppt: str = "",
                **claims: object) -> str | None:
        """Step that fails, None where all pass."""
        return service.verify(self.passport(key, chain, ppt, **claims),
                              self.policy())["step"]

    def test_shaken(self) -> None:
        """A SHAKEN certificate: profile and verdict"""
        key, chain = self.c.obtain({"TNAuthList": wrong.PROVIDER}, "osp")
        leaf = x509.load_der_x509_certificate(chain[0])
        self.assertEqual(leaf.subject.rfc4514_string(),
                         "CN=SHAKEN 1234,O=Example Telecom,C=US")
        policies = leaf.extensions.get_extension_for_class(
            x509.CertificatePolicies).value
        self.assertEqual(policies[0].policy_identifier.dotted_string,
                         "2.16.840.1.114569.1.1.1")
        self.assertTrue(leaf.extensions.get_extension_for_class(
            x509.KeyUsage).critical)
        good = {"attest": "A", "origid": str(uuid.uuid4())}
        self.assertIsNone(self.verdict(key, chain, "shaken", **good))
        self.assertEqual(self.verdict(key, chain, "shaken", **{
            **good, "origid": "1"}), "parse")
        self.assertEqual(self.verdict(key, chain, "shaken", attest="A"), "parse")
        self.assertEqual(self.verdict(key, chain), "authority")

    def test_crl_distribution_point(self) -> None:
        """The CRL of a SHAKEN certificate is served and lists it"""
        self.change({"ca": {"crldp": True}})
        _, chain = self.c.obtain({"TNAuthList": wrong.PROVIDER}, "osp")
        leaf = x509.load_der_x509_certificate(chain[0])
        point = leaf.extensions.get_extension_for_class(
            x509.CRLDistributionPoints).value[0]
        url = point.full_name[0].value
        self.assertEqual(wrong._revoke(self.c, chain[0]).status, 200)
        crl = x509.load_der_x509_crl(self.c.http.send("GET", url).body)
        self.assertIsNotNone(crl.get_revoked_certificate_by_serial_number(
            leaf.serial_number))

    def test_claim_agent_binds_orig(self) -> None:
        """V-89: orig bound by value up to 16 numbers, by the token above"""
        wanted = Constraints(["rcd"]).encode()
        for count in (10, 40):
            numbers = TNAuthList.from_config(
                [{"start": "12025550100", "count": count}]).encode()
            proof = self.c.token("acme", "TNAuthList", numbers).json["token"]
            token = self.c.token("acme-bound", "JWTClaimConstraints", wanted,
                                 evidence=proof).json["token"]
            claims = jose.Compact(token).claims()
            granted = Constraints.decode(jose.decode(
                claims["atc"]["tkvalue"]), False)
            self.assertEqual(granted.values_of("rcd"), ['{"nam":"ACME Corp"}'])
            bound = granted.values_of("orig")
            if count == 10:
                self.assertEqual(len(bound), 10)
                self.assertIn('{"tn":"12025550109"}', bound)
            else:
                self.assertIsNone(bound)
            self.assertEqual(claims["evidence"]["jti"],
                             jose.Compact(proof).claims()["jti"])
            self.assertEqual(claims["sub"], "entity-acme")
            key, chain = self._bound(
                numbers, jose.decode(claims["atc"]["tkvalue"]), token)
            self.assertIsNone(self.verdict(
                key, chain, "rcd", rcd={"nam": "ACME Corp"}))

    def _bound(self, numbers: bytes, value: bytes, token: str):
        """A certificate from a constraints token asked for beforehand."""
        identifiers = {"TNAuthList": numbers, "JWTClaimConstraints": value}
        order = self.c.order(identifiers)
        for url in order.json["authorizations"]:
            authz = self.c.post(url).json
            given = (token if authz["identifier"]["type"] != "TNAuthList" else
                     self.c.token("acme", "TNAuthList", numbers).json["token"])
            self.c.post(authz["challenges"][0]["url"], {"tkauth": given})
        key = wrong.new_key()
        done = self.c.finalize(order, make_csr(key, identifiers))
        return key, self.c.chain(done.json)

    def test_privacy_modes(self) -> None:
        """Hash and commitment encodings of VESPER -06 in the verifier"""
        name, salt = "ACME Corp", b"s" * 32

        def digest(octets: bytes) -> str:
            return base64.b64encode(
                hashlib.sha256(octets).digest()).decode().rstrip("=")
        text = jose.serialise(name).encode()
        vper = {"id": "entity-acme", "glue": ["urn:glue:lei:1"], "name": name,
                "domain": "acme.example"}
        for rows, salts, want, unproven in (
                ([("vper/name#sha-256", [digest(text)])], {}, None, []),
                ([("vper/name#sha-256", [digest(b"x")])], {}, "constraints", None),
                ([("vper/name#commit-sha-256", [digest(salt + text)]),
                  ("vper/name#salt-sha-256", [digest(salt)])], {}, None,
                 ["vper/name"]),
                ([("vper/name#commit-sha-256", [digest(salt + text)]),
                  ("vper/name#salt-sha-256", [digest(salt)])],
                 {"vper/name": salt}, None, []),
                ([("vper/name#commit-sha-256", [digest(salt + text)])],
                 {"vper/name": b"t" * 32}, "constraints", None)):
            self.change({"claim_agent": {"accounts": {"acme": {"claims": {
                "vper": "*"}}}}})
            key, chain = self.c.obtain({
                "TNAuthList": wrong.NUMBERS, "JWTClaimConstraints":
                Constraints(permitted=rows).encode()}, "acme")
            verdict = service.verify(self.passport(key, chain, vper=vper),
                                     self.policy(salts=salts))
            self.assertEqual(verdict["step"], want, verdict["detail"])
            if unproven is not None:
                self.assertEqual(verdict["not_presently_verifiable"], unproven)

    def test_x5u_tokens_and_sti_pa_dialect(self) -> None:
        """Tokens with x5u; the wrapped request and SPKI fingerprint"""
        self.change({"number_authority": {"header": "x5u"},
                     "claim_agent": {"header": "x5u"}})
        self.c.obtain(wrong.BOTH, "acme")
        self.change({"number_authority": {"accounts": {"osp": {
            "dialect": "sti-pa"}}}, "ca": {"fingerprints": ["jwk", "spki"]}})
        self.addCleanup(self.c.control, "POST", "/config", {"number_authority": {
            "accounts": {"osp": {"dialect": "rfc9448"}}}})
        answer = self.c.http.json(
            "POST", self.c.info["number_authority"] + "/at/account/osp/token",
            {"atc": {"tktype": "TNAuthList", "tkvalue": "MAigBhYEMTIzNA==",
                     "ca": False, "fingerprint": jose.fingerprint_text(
                         hashlib.sha256(jose.spki(self.c.key)).digest())}},
            {"Authorization": "Bearer " + self.c.secret("authority-osp")}).json
        self.assertEqual(answer["status"], "success")
        self.assertIn("/crl/", answer["crl"])
        url = wrong.challenge(self.c, {"TNAuthList": wrong.PROVIDER})
        self.assertEqual(wrong.respond(self.c, url, answer["token"],
                                       "atc").problem, "")

    def test_receipt_and_token_log(self) -> None:
        """V-88: issuance is logged and a receipt is answered"""
        answer = self.c.token("acme", "TNAuthList", wrong.NUMBERS).json
        receipt = jose.Compact(answer["receipt"])
        notary = x509.load_der_x509_certificate(
            base64.b64decode(receipt.header["x5c"][0]))
        self.assertTrue(receipt.verify(notary.public_key()))
        row = self.c.control("GET", "/tokens").json["tokens"][-1]
        self.assertEqual(row["jti"], jose.Compact(answer["token"]).claims()["jti"])
        self.assertEqual(row["seq"], receipt.claims()["seq"])
        self.assertEqual(self.c.http.send(
            "GET", self.c.info["notary"] + "/tokens").json["tokens"][-1], row)
        self.change({"notary": {"require_logged": True}})
        self.c.obtain(wrong.DELEGATE, "acme")

    def test_lifetimes(self) -> None:
        """Short certificates, wished validity, cap by the token"""
        self.change({"ca": {"lifetime": {"delegate": 20}, "backdate": 0}})
        before = int(time.time())
        begin, end = self._validity(self.c.obtain(wrong.DELEGATE, "acme")[1])
        self.assertGreaterEqual(begin, before)
        self.assertEqual(end - begin, 20)
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before + 300))
        end = self._validity(self.c.obtain(wrong.DELEGATE, "acme",
                                           notAfter=until)[1])[1]
        self.assertEqual(end, before + 300)
        self.change({"number_authority": {"token_lifetime": 100},
                     "ca": {"lifetime": {"delegate": 3600}}})
        end = self._validity(self.c.obtain(wrong.DELEGATE, "acme")[1])[1]
        self.assertLess(end, before + 200)

    @staticmethod
    def _validity(chain: list[bytes]) -> tuple[float, float]:
        from stirlab.pki import validity
        return validity(x509.load_der_x509_certificate(chain[0]))

    def test_account_life(self) -> None:
        """Existing account, update, orders list, key change"""
        url = self.c.directory["newAccount"]
        again = self.c.post(url, {"onlyReturnExisting": True}, jwk=self.c.jwk)
        self.assertEqual((again.status, again.headers["Location"]),
                         (200, self.c.kid))
        found = self.c.post(self.c.kid, {"contact": ["mailto:a@example.com"]})
        self.assertEqual(found.json["contact"], ["mailto:a@example.com"])
        order = self.c.order(wrong.DELEGATE)
        self.assertEqual(self.c.post(found.json["orders"]).json["orders"],
                         [order.headers["Location"]])
        key = wrong.new_key()
        self.assertEqual(wrong._key_change(self.c, key).status, 200)
        self.c.key, self.c.jwk = key, jose.public_jwk(key)
        self.assertEqual(self.c.post(self.c.kid).status, 200)

    def test_deactivated_authorization(self) -> None:
        """A deactivated authorization makes its order invalid"""
        order = self.c.order(wrong.DELEGATE)
        url = order.json["authorizations"][0]
        self.assertEqual(self.c.post(url, {"status": "deactivated"}).json[
            "status"], "deactivated")
        self.assertEqual(self.c.post(order.headers["Location"]).json["status"],
                         "invalid")

    def test_revocation(self) -> None:
        """Revocation by the certificate key, and its renewal information"""
        key, chain = self.c.obtain(wrong.DELEGATE, "acme")
        self.assertEqual(wrong._revoke(self.c, chain[0], key).status, 200)
        window = self._renewal_info(chain).json["suggestedWindow"]
        self.assertLess(window["end"], time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                     time.gmtime()))

    def _renewal_info(self, chain: list[bytes]):
        return self.c.http.send("GET", self.c.directory["renewalInfo"] + "/"
                                + issue.cert_id(chain[0]))

    def test_renewal(self) -> None:
        """RFC 9773: a window inside the life, and an order that replaces"""
        _, chain = self.c.obtain(wrong.DELEGATE, "acme")
        answer = self._renewal_info(chain)
        self.assertTrue(answer.headers["Retry-After"].isdigit())
        window = answer.json["suggestedWindow"]
        self.assertLess(window["start"], window["end"])
        order = self.c.order(wrong.DELEGATE, replaces=issue.cert_id(chain[0]))
        self.assertEqual(order.json["replaces"], issue.cert_id(chain[0]))

    def test_dates(self) -> None:
        """notBefore and notAfter are those that were asked for"""
        now = int(time.time())
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
                 for t in (now - 30, now + 7200)]
        _, chain = self.c.obtain(wrong.DELEGATE, "acme", notBefore=times[0],
                                 notAfter=times[1])
        leaf = x509.load_der_x509_certificate(chain[0])
        self.assertEqual(validity(leaf), (now - 30, now + 7200))
        for what, by in (("later-end", (0, 3600)), ("earlier-end", (0, -3600)),
                         ("earlier-begin", (-7200, 0))):
            self.fault("certificate", "wrong", what=what, count=1)
            _, chain = self.c.obtain(wrong.DELEGATE, "acme",
                                     notBefore=times[0], notAfter=times[1])
            leaf = x509.load_der_x509_certificate(chain[0])
            self.assertEqual(validity(leaf), (now - 30 + by[0],
                                              now + 7200 + by[1]))

    def test_profiles(self) -> None:
        """Offered in the directory, in the order, followed, and withdrawn"""
        self.assertNotIn("profiles", self.c.directory["meta"])
        self.assertEqual(self.c.order(wrong.DELEGATE, profile="short").problem,
                         "invalidProfile")
        self.change({"ca": {"profiles": {"short": {
            "description": "an hour", "lifetime": 3600}}}})
        found = self.c.http.send("GET", self.c.info["directory"]).json
        self.assertEqual(found["meta"]["profiles"], {"short": "an hour"})
        for name in ("long", 7, ""):
            self.assertEqual(self.c.order(wrong.DELEGATE, profile=name).problem,
                             "invalidProfile")
        order = self.c.ready_order(wrong.DELEGATE, "acme", profile="short")
        self.assertEqual(order.json["profile"], "short")
        done = self.c.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        begin, end = validity(x509.load_der_x509_certificate(
            self.c.chain(done.json)[0]))
        self.assertLessEqual(end - begin, 3600 + 120)
        for what, want in (("other-profile", "another"), ("no-profile", None)):
            self.fault("order", "wrong", what=what, count=1)
            order = self.c.order(wrong.DELEGATE, profile="short")
            self.assertEqual(order.json.get("profile"), want)
        order = self.c.ready_order(wrong.DELEGATE, "acme", profile="short")
        self.change({"ca": {"profiles": {"short": None}}})
        done = self.c.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertEqual(done.problem, "invalidProfile")

    def _star(self, **members: object) -> dict:
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                            time.gmtime(time.time() + members.pop("duration", 60)))
        return {"auto-renewal": {"end-date": end, "lifetime": 4, **members}}

    def _leaf(self, answer: object) -> x509.Certificate:
        self.assertEqual(answer.status, 200, answer.body)
        return x509.load_der_x509_certificate(pem_blocks(answer.body)[0])

    def test_star(self) -> None:
        """RFC 8739: a series of one key, fetched, canceled, not revoked"""
        self.assertEqual(self.c.order(wrong.DELEGATE, **self._star()).problem,
                         "malformed")
        self.change({"ca": {"star": {"enabled": True, "max_duration": 3600}}})
        found = self.c.http.send("GET", self.c.info["directory"]).json
        self.assertEqual(found["meta"]["auto-renewal"], {
            "min-lifetime": 1, "max-duration": 3600,
            "allow-certificate-get": True})
        for bad in (self._star(duration=7200), self._star(duration=-1),
                    self._star(lifetime=0), self._star(lifetime="4"),
                    self._star(lifetime=8 * 86400), self._star(more=1),
                    {**self._star(), "notAfter": "2049-01-01T00:00:00Z"},
                    {"auto-renewal": {"lifetime": 4}}, {"auto-renewal": 7}):
            self.assertEqual(self.c.order(wrong.DELEGATE, **bad).problem,
                             "malformed", bad)
        order = self.c.ready_order(wrong.DELEGATE, "acme", **self._star(
            **{"allow-certificate-get": True}))
        where = order.headers["Location"]
        cancel = {"status": "canceled"}
        self.assertEqual(self.c.post(where, cancel).problem,
                         "autoRenewalCancellationInvalid")
        done = self.c.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertTrue(done.json["auto-renewal"]["allow-certificate-get"])
        url = done.json["star-certificate"]
        self.assertNotIn("certificate", done.json)
        first = self._leaf(self.c.http.send("GET", url))
        self.assertEqual(self._leaf(self.c.post(url)), first)
        time.sleep(2.5)
        answer = self.c.http.send("GET", url)
        second = self._leaf(answer)
        self.assertGreater(validity(second)[1], validity(first)[1])
        self.assertLessEqual(validity(second)[0], time.time())
        self.assertEqual(jose.spki(first.public_key()),
                         jose.spki(second.public_key()))
        self.assertEqual(email.utils.parsedate_to_datetime(
            answer.headers["Cert-Not-After"]).timestamp(), validity(second)[1])
        refused = self.c.post(self.c.directory["revokeCert"], {
            "certificate": jose.encode(pem_blocks(answer.body)[0])})
        self.assertEqual((refused.status, refused.problem),
                         (403, "autoRenewalRevocationNotSupported"))
        self.assertEqual(self.c.post(where, {"status": "invalid"}).problem,
                         "malformed")
        self.assertEqual(self.c.post(where, cancel).json["status"], "canceled")
        self.assertEqual(self.c.post(where, cancel).problem,
                         "autoRenewalCancellationInvalid")
        self.assertEqual(self.c.http.send("GET", url).problem,
                         "autoRenewalCanceled")

    def test_star_end(self) -> None:
        """Nothing beyond the end-date; without the option nothing by GET"""
        self.change({"ca": {"star": {"enabled": True,
                                     "allow_certificate_get": False}}})
        order = self.c.ready_order(wrong.DELEGATE, "acme", **self._star(
            duration=3, **{"allow-certificate-get": True}))
        done = self.c.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertNotIn("allow-certificate-get", done.json["auto-renewal"])
        url = done.json["star-certificate"]
        self.assertEqual(self.c.http.send("GET", url).problem, "unauthorized")
        end = validity(self._leaf(self.c.post(url)))[1]
        self.assertLessEqual(end, parse_rfc3339(
            done.json["auto-renewal"]["end-date"], "end"))
        time.sleep(max(0.0, end - time.time()) + 0.1)
        self.assertEqual(self.c.post(url).problem, "autoRenewalExpired")

    def test_wrong_x5u(self) -> None:
        """An x5u in the order that is none of the repository's"""
        self.change({"ca": {"order_x5u": True}})
        for what, want in (("x5u-missing", None),
                           ("x5u-http", "http://"),
                           ("x5u-elsewhere", "https://certs.example.net/")):
            order = self.c.ready_order(wrong.DELEGATE, "acme")
            self.fault("order", "wrong", what=what, count=1)
            done = self.c.finalize(order, make_csr(wrong.new_key(),
                                                   wrong.DELEGATE))
            found = done.json.get("x5u")
            self.assertEqual(found is None or found.startswith(want),
                             True if want else found is None)

    def test_processing_and_order_x5u(self) -> None:
        """Delays give processing and Retry-After; x5u in the order"""
        self.change({"ca": {"finalize_delay_ms": 300, "order_x5u": True,
                            "validation_delay_ms": 200}})
        order = self.c.ready_order(wrong.DELEGATE, "acme")
        time.sleep(0.3)
        done = self.c.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertEqual(done.json["status"], "processing")
        self.assertTrue(done.headers["Retry-After"].isdigit())
        time.sleep(0.4)
        done = self.c.post(order.headers["Location"])
        self.assertEqual(done.json["status"], "valid")
        served = self.c.http.send("GET", done.json["x5u"])
        self.assertEqual(served.headers["Content-Type"],
                         "application/pem-certificate-chain")
        self.assertEqual(pem_blocks(served.body), self.c.chain(done.json))

    def test_bad_nonce_share(self) -> None:
        """A client that tries again gets through a share of badNonce"""
        self.change({"ca": {"bad_nonce_share": 0.5}})
        seen = {self.c.send(self.c.kid, self.c.jws(self.c.kid, None)).problem
                for _ in range(40)}
        self.assertEqual(seen, {"", "badNonce"})

    def test_repository(self) -> None:
        """Files of DIR/www by GET with their media type"""
        path = os.path.join(self.c.info["www"], "certs", "a.pem")
        with open(path, "w", encoding="ascii") as out:
            out.write("x")
        answer = self.c.http.send("GET", self.c.info["repository"] + "certs/a.pem")
        self.assertEqual((answer.status, answer.body,
                          answer.headers["Content-Type"]),
                         (200, b"x", "application/pem-certificate-chain"))

    def test_many_requests(self) -> None:
        """Hundreds of requests a second over kept connections"""
        url = self.c.info["directory"]
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: self.c.http.send(
                "GET", url).status, range(1000)))
        self.assertEqual(set(statuses), {200})
        self.assertLess(time.monotonic() - started, 5)

    def test_many_clients(self) -> None:
        """Eight clients obtain certificates at the same time"""
        def work(_: int) -> int:
            client = self.lab.client()
            return sum(len(client.obtain(wrong.BOTH, "acme")[1])
                       for _ in range(5))
        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(work, range(8))), [10] * 8)

    def test_python3_acme(self) -> None:
        """Debian's python3-acme creates an account and an order"""
        try:
            from acme import client, messages
            import josepy
        except ImportError:
            self.skipTest("python3-acme is not installed")
        key = josepy.JWKEC(key=wrong.new_key())
        network = client.ClientNetwork(key, alg=josepy.ES256)
        network.verify_ssl = self.c.info["tls_ca"]
        directory = messages.Directory.from_json(
            network.get(self.c.info["directory"]).json())
        acme = client.ClientV2(directory, network)
        binding = messages.ExternalAccountBinding.from_data(
            account_public_key=key.public_key(), kid="platform-1",
            hmac_key=self.c.secret("eab-platform-1"), directory=directory)
        account = acme.new_account(messages.NewRegistration.from_data(
            email="ops@example.com", external_account_binding=binding,
            terms_of_service_agreed=True))
        self.assertEqual(account.body.status, "valid")
        if "TNAuthList" not in messages.IdentifierType.POSSIBLE_NAMES:
            messages.IdentifierType("TNAuthList")
        identifier = messages.Identifier(
            typ=messages.IdentifierType.POSSIBLE_NAMES["TNAuthList"],
            value=jose.encode(wrong.NUMBERS))
        answer = acme._post(directory["newOrder"],
                            messages.NewOrder(identifiers=[identifier]))
        order = messages.Order.from_json(answer.json())
        self.assertEqual(order.status, messages.STATUS_PENDING)
        self.assertEqual(list(order.identifiers), [identifier])
        network.session.close()


def _extension(certificate: x509.Certificate, oid: str) -> bytes:
    return certificate.extensions.get_extension_for_oid(
        x509.ObjectIdentifier(oid)).value.public_bytes()


class Logs(LabCase):
    """Merkle trees by an own recomputation."""

    def get(self, log: str, name: str, **query: object) -> dict:
        text = "&".join(f"{k}={v}" for k, v in query.items())
        answer = self.c.http.send("GET", f"{log}ct/v1/{name}?{text}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def head(self, log: str) -> tuple[int, bytes]:
        found = self.get(log, "get-sth")
        root = base64.b64decode(found["sha256_root_hash"])
        with open(self.c.info["ct_log_list"], "rb") as source:
            known = next(entry for operator in json.load(source)["operators"]
                         for entry in operator["logs"] if entry["url"] == log)
        key = transparency.serialization.load_der_public_key(
            base64.b64decode(known["key"]))
        signature = base64.b64decode(found["tree_head_signature"])[4:]
        key.verify(signature, sct.tree_head(found["timestamp"],
                                            found["tree_size"], root),
                   issue.ec.ECDSA(issue.hashes.SHA256()))
        return found["tree_size"], root

    def test_proofs(self) -> None:
        """Every certificate is included; heads are consistent"""
        log = self.c.info["ct_logs"][0]
        heads = [self.head(log)]
        chains = []
        for _ in range(7):
            chains.append(self.c.obtain(wrong.DELEGATE, "acme")[1])
            heads.append(self.head(log))
        size, root = heads[-1]
        with open(self.c.info["ct_log_list"], "rb") as source:
            first = base64.b64decode(
                json.load(source)["operators"][0]["logs"][0]["log_id"])
        for chain in chains:
            leaf = self._leaf(chain, first)
            digest = merkle.leaf_hash(leaf)
            proof = self.get(log, "get-proof-by-hash", tree_size=size,
                             hash=_quoted(digest))
            path = [base64.b64decode(n) for n in proof["audit_path"]]
            self.assertEqual(merkle.root_from_inclusion(
                digest, proof["leaf_index"], size, path), root)
            entry = self.get(log, "get-entry-and-proof", tree_size=size,
                             leaf_index=proof["leaf_index"])
            self.assertEqual(base64.b64decode(entry["leaf_input"]), leaf)
        for (small, old), (large, new) in zip(heads, heads[1:]):
            path = [base64.b64decode(n) for n in self.get(
                log, "get-sth-consistency", first=small, second=large
            )["consistency"]]
            self.assertTrue(merkle.consistent(small, large, old, new, path))
        entries = self.get(log, "get-entries", start=0, end=size - 1)["entries"]
        tree = merkle.Tree()
        for entry in entries:
            tree.append(merkle.leaf_hash(base64.b64decode(entry["leaf_input"])))
        self.assertEqual(tree.root(), root)
        roots = self.get(log, "get-roots")["certificates"]
        self.assertEqual(len(roots), 1)

    @staticmethod
    def _leaf(chain: list[bytes], log_id: bytes) -> bytes:
        """The MerkleTreeLeaf as a monitor rebuilds it from a certificate."""
        leaf = x509.load_der_x509_certificate(chain[0])
        issuer = x509.load_der_x509_certificate(chain[1])
        found = next(s for s in sct.decode_list(_extension(leaf, sct.OID_LIST))
                     if s.log_id == log_id)
        tbs = sct.strip(transparency.asn1.Certificate.load(
            chain[0])["tbs_certificate"], sct.OID_LIST)
        return sct.merkle_leaf(found.timestamp, sct.precert_entry(
            jose.spki(issuer.public_key()), tbs))


def _quoted(digest: bytes) -> str:
    from urllib.parse import quote
    return quote(base64.b64encode(digest).decode(), safe="")


#: Wrong certificates that a verifier of PASSporTs has no reason to refuse.
_INVISIBLE = {"missing-policy", "wrong-ski", "same-log-scts", "too-long",
              "unknown-extension", "chain-with-root", "later-end",
              "earlier-end", "earlier-begin"}

#: Of those, the step at which the others are refused.
_STEPS = {"other-key": "signature", "missing-constraints": None,
          "narrower-tnauthlist": "authority", "wider-tnauthlist": None,
          "two-spcs": None, "missing-tnauthlist": "authority",
          "malformed-tnauthlist": "authority", "both-constraints": "constraints",
          "other-constraints": "constraints", "missing-sct": "transparency",
          "unknown-log-sct": "transparency", "future-sct": "transparency",
          "bad-sct-signature": "transparency"}


class WrongCertificates(LabCase):
    """Every wrong certificate is issued, and judged by the verifier."""

    def test_each(self) -> None:
        """The step at which each wrong certificate is refused"""
        for what in sorted(issue.WRONG_CERTIFICATES):
            with self.subTest(what=what):
                self.fault("certificate", "wrong", what=what, count=1)
                key, chain = self.c.obtain(wrong.BOTH, "acme")
                text = Flows.passport(key, chain, "rcd",
                                      orig={"tn": "12025550105"},
                                      rcd={"nam": "ACME Corp"})
                verdict = service.verify(text, self.policy())
                want = None if what in _INVISIBLE else _STEPS.get(what, "path")
                self.assertEqual(verdict["step"], want, verdict["detail"])

    def test_two_codes_under_shaken(self) -> None:
        """A SHAKEN certificate with two SPCs"""
        self.fault("certificate", "wrong", what="two-spcs", count=1)
        key, chain = self.c.obtain({"TNAuthList": wrong.PROVIDER}, "osp")
        verdict = service.verify(Flows.passport(
            key, chain, "shaken", attest="A", origid=str(uuid.uuid4())),
            self.policy())
        self.assertEqual(verdict["step"], "authority")


class Verifier(LabCase):
    """Wrong PASSporTs, and the command line."""

    def setUp(self) -> None:
        super().setUp()
        self.key, self.chain = self.c.obtain(wrong.DELEGATE, "acme")

    def step(self, text: str, **options: object) -> str | None:
        return service.verify(text, self.policy(), **options)["step"]

    def test_wrong_passports(self) -> None:
        """The step at which each wrong PASSporT is refused"""
        make = lambda **c: self.passport(self.key, self.chain, **c)  # noqa: E731
        head = lambda **h: make(header=h)  # noqa: E731
        good = make()
        token, _, rest = good.partition(";")
        parts = token.split(".")
        respaced = jose.encode(json.dumps(
            jose.Compact(token).claims()).encode())
        spaced = parts[0] + "." + respaced
        spaced += "." + jose.encode(jose.sign_raw(self.key, spaced.encode()))
        rows = [
            ("good", good, {}, None),
            ("bare", token, {}, None),
            ("quoted ppt", self.passport(
                self.key, self.chain, "rcd", crn="x").replace(
                    "ppt=rcd", 'ppt="rcd"'), {}, None),
            ("white space in the payload", spaced + ";" + rest, {}, "parse"),
            ("info differs", good.replace("info=<https", "info=<http"), {},
             "parse"),
            ("no info", token + ";alg=ES256", {}, "parse"),
            ("ppt differs", good + ";ppt=shaken", {}, "parse"),
            ("alg none", head(alg="none"), {}, "parse"),
            ("typ", head(typ="JWT"), {}, "parse"),
            ("unknown header member", head(kid="1"), {}, "parse"),
            ("no certificate", head(x5c=None, x5u=None), {}, "parse"),
            ("iat a string", make(iat="1"), {}, "parse"),
            ("iat stale", make(iat=int(time.time()) - 61), {}, "freshness"),
            ("iat in the future", make(iat=int(time.time()) + 66), {},
             "freshness"),
            ("dest.tn a string", make(dest={"tn": "1"}), {}, "parse"),
            ("dest an array", make(dest=[{"tn": "1"}]), {}, "parse"),
            ("orig with a plus sign", make(orig={"tn": "+12025550100"}), {},
             "parse"),
            ("orig with two members", make(orig={"tn": "1", "uri": "a"}), {},
             "parse"),
            ("orig not covered", make(orig={"tn": "12025550110"}), {},
             "authority"),
            ("orig unlike signalling", good, {"orig": "12025550101"}, "orig"),
            ("shaken under a delegate", self.passport(
                self.key, self.chain, "shaken", attest="A",
                origid=str(uuid.uuid4())), {}, "authority"),
            ("signature", ".".join(parts[:2]) + "." + jose.encode(
                b"\x01" * 64) + ";" + rest, {}, "signature"),
            ("signature zero", ".".join(parts[:2]) + "." + jose.encode(
                b"\x00" * 64) + ";" + rest, {}, "signature"),
            ("rcdi digest", make(rcd={"nam": "x"}, rcdi={
                "/nam": "sha256-" + "A" * 43}), {}, "parse"),
            ("rcdi of the RFC", make(rcd={"nam": "Q Branch Spy Gadgets"}, rcdi={
                "/nam": "sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY"}),
             {}, None),
            ("expired", good, {"at": time.time() + 2 * 86400}, "path"),
        ]
        for name, text, options, want in rows:
            with self.subTest(name):
                verdict = service.verify(text, self.policy(), **options)
                self.assertEqual(verdict["step"], want, verdict["detail"])

    def test_answers(self) -> None:
        """rsp and div against the PASSporT that they answer"""
        mine, other = "12025550100", "12125550111"
        first = self.passport(self.key, self.chain, orig={"tn": other},
                              dest={"tn": [mine]})
        moved = {"orig": {"tn": other}, "dest": {"tn": ["12125550122"]}}
        for ppt, claims, want in (
                ("rsp", {"orig": {"tn": other}, "dest": {"tn": [mine]}}, None),
                ("rsp", {"orig": {"tn": mine}, "dest": {"tn": [mine]}},
                 "original"),
                ("rsp", {"orig": {"tn": other}, "dest": {"tn": [other]}},
                 "original"),
                ("div", {**moved, "div": {"tn": mine}}, None),
                ("div", {**moved, "div": {"tn": other}}, "original"),
                ("div", {**moved, "div": {"tn": mine},
                         "dest": {"tn": [mine]}}, "original")):
            with self.subTest(ppt=ppt, claims=claims):
                text = self.passport(self.key, self.chain, ppt, **claims)
                self.assertEqual(self.step(text, original=first), want)

    def test_vesper(self) -> None:
        """VESPER -06: vetted claims, x5c, short life"""
        key, chain = self.c.obtain(wrong.BOTH, "acme")
        rcd = {"nam": "ACME Corp"}
        for text, want in (
                (self.passport(key, chain, "rcd", rcd=rcd), None),
                (self.passport(key, chain, "rcd", rcd=rcd, crn="x"), "vesper"),
                (self.passport(self.key, self.chain), None),
                (self.passport(self.key, self.chain, "rcd", rcd=rcd), "vesper")):
            verdict = service.verify(text, self.policy(vesper=True))
            self.assertEqual(verdict["step"], want, verdict["detail"])
        self.fault("certificate", "wrong", what="too-long", count=1)
        key, chain = self.c.obtain(wrong.DELEGATE, "acme")
        self.assertEqual(service.verify(self.passport(key, chain), self.policy(
            vesper=True))["step"], "vesper")

    def test_command(self) -> None:
        """verify.py: exit 0, exit 4, and the fetch of x5u"""
        name = os.path.join(self.c.info["www"], "certs", "chain.pem")
        from stirlab.pki import pem_chain
        with open(name, "w", encoding="ascii") as out:
            out.write(pem_chain(self.chain))
        text = self.passport(self.key, self.chain, header={
            "x5c": None, "x5u": self.c.info["repository"] + "certs/chain.pem"})
        for argument, want in (("12025550100", 0), ("12025550101", 4)):
            done = subprocess.run(
                [sys.executable, os.path.join(HERE, "verify.py"),
                 "--identity", "-", "--lab", self.directory,
                 "--orig", argument], input=text, text=True,
                capture_output=True, check=False)
            self.assertEqual(done.returncode, want, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["step"], "orig")


class Faults(LabCase):
    """Transport faults and wrong answers."""

    def test_transport(self) -> None:
        """status, delay, drop, reset, truncate, half, garbage, empty, html"""
        import http.client
        url = self.c.kid
        self.fault("account", "status", status=429, problem="rateLimited",
                   retry_after=7, count=1)
        answer = self.c.post(url)
        self.assertEqual((answer.status, answer.problem,
                          answer.headers["Retry-After"]),
                         (429, "rateLimited", "7"))
        self.fault("account", "delay", delay_ms=200, count=1)
        started = time.monotonic()
        self.assertEqual(self.c.post(url).status, 200)
        self.assertGreater(time.monotonic() - started, 0.2)
        self.fault("account", "garbage", count=1)
        self.assertRaises(ValueError, lambda: self.c.post(url).json)
        self.fault("account", "empty", count=1)
        self.assertEqual(self.c.post(url).body, b"")
        self.fault("account", "half", count=1)
        self.assertRaises(ValueError, lambda: self.c.post(url).json)
        self.fault("account", "html", count=1)
        self.assertEqual(self.c.post(url).headers["Content-Type"], "text/html")
        for action in ("drop", "reset", "truncate"):
            self.fault("account", action, count=2)
            self.assertRaises((http.client.HTTPException, OSError),
                              self.c.post, url)
        self.assertEqual(self.c.control("GET", "/faults").json["faults"], [])

    def test_drop_after(self) -> None:
        """drop-after does the work and loses the answer"""
        order = self.c.ready_order(wrong.DELEGATE, "acme")
        self.fault("finalize", "drop-after", count=2)
        self.assertRaises(Exception, self.c.finalize, order,
                          make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertEqual(self.c.post(order.headers["Location"]).json["status"],
                         "valid")

    def test_wrong_answers(self) -> None:
        """Headers and members of an answer"""
        self.fault("account", "wrong", what="no-nonce", count=1)
        self.assertNotIn("Replay-Nonce", self.c.post(self.c.kid).headers)
        self.fault("new-order", "wrong", what="foreign-urls", count=1)
        self.assertIn(b"ca.example.net", self.c.order(wrong.DELEGATE).body)
        order = self.c.ready_order(wrong.DELEGATE, "acme")
        self.fault("order", "wrong", what="stuck-processing", count=1)
        done = self.c.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertEqual(done.json["status"], "processing")

    def test_weather(self) -> None:
        """A share of the requests, of each kind its share, and fair again"""
        self.c.control("POST", "/weather", {
            "seed": 1, "fails": 0.5, "wrongs": 0.4, "hang_ms": 100})
        answered = 0
        for _ in range(60):
            try:
                answered += self.c.order(wrong.DELEGATE).status == 201
            except Exception:  # noqa: BLE001 - of whatever kind it was
                continue
        found = self.c.control("DELETE", "/weather").json
        self.assertGreaterEqual(found["requests"], 60)
        struck = sum(k["struck"] for k in found["kinds"])
        self.assertGreater(struck, found["requests"] * 0.6)
        self.assertLess(struck, found["requests"])
        self.assertLess(answered, 50)
        for kind in found["kinds"]:
            if kind["expected"] >= 3:
                self.assertGreaterEqual(kind["struck"], kind["expected"] / 2,
                                        kind)
            if kind["expected"] == 0:
                self.assertEqual(kind["struck"], 0, kind)
        self.assertEqual(self.c.order(wrong.DELEGATE).status, 201)
        self.assertEqual(self.c.control("GET", "/weather").json["kinds"], [])
        for bad in ([], {"x": 1}, {"fails": 0.6, "wrongs": 0.5},
                    {"fails": -0.1}, {"wrongs": "2 %"}, {"seed": True},
                    {"hang_ms": 1.5}):
            self.assertEqual(self.c.control("POST", "/weather", bad).status, 400)

    def test_another_chain(self) -> None:
        """The chain of somebody else's order"""
        chains = [self.c.obtain(wrong.DELEGATE, "acme")[1]]
        self.fault("certificate", "wrong", what="another", count=1)
        chains.append(self.c.obtain(wrong.DELEGATE, "acme")[1])
        self.assertEqual(chains[0], chains[1])

    def test_refused_rules(self) -> None:
        """Rules that name nothing known"""
        for rule in ({"endpoint": "x", "action": "drop"},
                     {"endpoint": "order", "action": "x"},
                     {"endpoint": "order", "action": "wrong", "what": "p384"},
                     {"endpoint": "order", "action": "drop", "count": 0},
                     {"endpoint": "order", "action": "drop", "x": 0}):
            self.assertEqual(self.c.control("POST", "/faults", rule).status, 400)

    def test_log_and_config(self) -> None:
        """The request log, and configuration without secrets"""
        self.c.post(self.c.kid)
        row = self.c.control("GET", "/log").json["log"][-1]
        self.assertEqual((row["service"], row["endpoint"], row["status"]),
                         ("ca", "account", 200))
        secret = self.c.secret("authority-acme").encode()
        self.assertNotIn(secret, self.c.control("GET", "/config").body)
        self.assertEqual(self.c.token("osp", "TNAuthList",
                                      wrong.PROVIDER).status, 200)
        accounts = {"osp": {"spcs": []}}
        for status in (403, 401):
            self.c.control("POST", "/config", {
                "number_authority": {"accounts": accounts}})
            self.assertEqual(self.c.token("osp", "TNAuthList",
                                          wrong.PROVIDER).status, status)
            accounts = {"osp": None}
        for patch in ({"ports": {"ca": 1}}, {"ca": {"unknown": 1}},
                      {"ca": {"order_x5u": "yes"}},
                      {"ca": {"profiles": {"a": {"lifetime": 1}}}}):
            self.assertEqual(self.c.control("POST", "/config", patch).status, 400)


class Restart(unittest.TestCase):
    """State, address and identities survive an end of any kind."""

    def test_order_continues(self) -> None:
        """A client goes on with its order after SIGKILL and restart"""
        directory = tempfile.mkdtemp(prefix="lab-test-")
        self.addCleanup(shutil.rmtree, directory)
        lab = LabProcess(directory)
        c = lab.client()
        before = copy.deepcopy(c.info)
        order = c.ready_order(wrong.DELEGATE, "acme")
        _, chain = c.obtain(wrong.DELEGATE, "acme")
        lab.stop(signal.SIGKILL)
        lab = LabProcess(directory)
        self.addCleanup(lab.stop)
        after = LabClient(lab.info, c.key)
        after.kid = c.kid
        before["pid"] = after.info["pid"]
        self.assertEqual(before, after.info)
        done = after.finalize(order, make_csr(wrong.new_key(), wrong.DELEGATE))
        self.assertEqual(done.status, 200, done.body)
        self.assertEqual(len(after.chain(done.json)), 2)
        self.assertEqual(wrong._revoke(after, chain[0]).status, 200)
        log = after.info["ct_logs"][0]
        self.assertEqual(after.http.send(
            "GET", log + "ct/v1/get-sth").json["tree_size"], 2)

    def test_side_by_side(self) -> None:
        """Labs take addresses of their own; a taken one is refused"""
        labs = []
        for _ in range(2):
            directory = tempfile.mkdtemp(prefix="lab-test-")
            self.addCleanup(shutil.rmtree, directory)
            labs.append(LabProcess(directory))
            self.addCleanup(labs[-1].stop)
        first, other = (LabClient(lab.info).info["address"] for lab in labs)
        self.assertNotEqual(first, other)
        directory = tempfile.mkdtemp(prefix="lab-test-")
        self.addCleanup(shutil.rmtree, directory)
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "lab.py"), "--dir",
             directory, "--address", first], capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)


class Vectors(unittest.TestCase):
    """Octets that others have published."""

    def test_tnauthlist(self) -> None:
        """TNAuthList of drafts and of pyasn1"""
        for text, want in (
                ("3008a006160431323334", [{"spc": "1234"}]),
                ("300fa20d160b3132303135353530313030", [{"one": "12015550100"}]),
                (base64.b64decode(
                    "MCugBxYFYm9ndXOhEjAQFgo1NzE1NTUxMjEyAgIDFKIMFgo3MDM1NTUx"
                    "MjEy").hex(),
                 [{"spc": "bogus"},
                  {"range": {"start": "5715551212", "count": 788}},
                  {"one": "7035551212"}])):
            found = TNAuthList.decode(bytes.fromhex(text))
            self.assertEqual((found.as_json(), found.encode().hex()),
                             (want, text))

    def test_constraints(self) -> None:
        """EnhancedJWTClaimConstraints of RFC 9118 section 5"""
        text = ("3040a00e300c160a636f6e666964656e6365a120301e301c160a636f6e66"
                "6964656e6365300e0c04686967680c066d656469756da20c300a16087072"
                "696f72697479")
        found = Constraints.decode(bytes.fromhex(text), True)
        self.assertEqual(found.as_json(), {
            "must_include": ["confidence"], "must_exclude": ["priority"],
            "permitted_values": [{"claim": "confidence",
                                  "values": ["high", "medium"]}]})
        self.assertEqual(found.encode().hex(), text)

    def test_thumbprint(self) -> None:
        """RFC 7638 section 3.1, and the text of RFC 9447"""
        modulus = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z"
            "wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5Js"
            "GY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
            "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
            "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF"
            "Cur-kEgU8awapJzKnqDKgw")
        digest = jose.thumbprint({"kty": "RSA", "n": modulus, "e": "AQAB",
                                  "alg": "RS256", "kid": "2011-04-29"})
        self.assertEqual(jose.encode(digest),
                         "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        self.assertTrue(jose.fingerprint_text(digest).startswith(
            "SHA256 37:36:CB:B1:"))

    def test_merkle(self) -> None:
        """Every proof of every tree up to 33 leaves"""
        tree, roots = merkle.Tree(), [merkle.Tree().root()]
        leaves = [merkle.leaf_hash(bytes([i])) for i in range(33)]
        for leaf in leaves:
            tree.append(leaf)
            roots.append(tree.root())
        for size in range(1, 34):
            for index in range(size):
                self.assertEqual(roots[size], merkle.root_from_inclusion(
                    leaves[index], index, size, tree.inclusion(index, size)))
            for first in range(1, size):
                path = tree.consistency(first, size)
                self.assertTrue(merkle.consistent(
                    first, size, roots[first], roots[size], path))
                self.assertFalse(merkle.consistent(
                    first, size, roots[first], roots[size - 1], path))


class Tables(unittest.TestCase):
    """The tables themselves."""

    def test_size(self) -> None:
        """At least 40 wrong requests"""
        self.assertGreaterEqual(sum(map(len, wrong.TABLES.values())), 40)

    def test_endpoints(self) -> None:
        """Every wrong certificate and token has an endpoint"""
        self.assertLessEqual(issue.WRONG_CERTIFICATES,
                             runner.ENDPOINTS["certificate"])
        self.assertIn("unregistered", runner.ENDPOINTS["token"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
