#!/usr/bin/python3
# Verifies an Identity header value or PASSporT, independent of the agent.
"""verify.py --identity FILE|- [--trust-anchors F] [--ct-logs F] ...

Prints the verdict as JSON; exit status 0 pass, 4 fail, 2 usage.  To use it
from Python: `from stirlab.verifier import service`.
"""
from __future__ import annotations

import argparse
import base64
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from stirlab.verifier import service, transparency  # noqa: E402


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--identity", required=True, metavar="FILE",
                        help="header value or PASSporT; - is standard input")
    parser.add_argument("--lab", metavar="DIR",
                        help="take anchors, logs and TLS CA of this lab")
    parser.add_argument("--trust-anchors", metavar="FILE")
    parser.add_argument("--ct-logs", metavar="FILE")
    parser.add_argument("--tls-ca", metavar="FILE", help="for the x5u")
    parser.add_argument("--at", type=float, metavar="UNIXTIME")
    parser.add_argument("--orig", metavar="TN", help="calling number")
    parser.add_argument("--dest", metavar="TN", help="called number")
    parser.add_argument("--original", metavar="FILE",
                        help="the PASSporT that an rsp or div answers")
    parser.add_argument("--min-scts", type=int, metavar="N",
                        help="default: 1 for delegates, 0 for providers")
    parser.add_argument("--max-age", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--salt", action="append", default=[],
                        metavar="PATH=BASE64", help="opens a commitment")
    parser.add_argument("--vesper", action="store_true",
                        help="also the rules of VESPER -06: x5c, short life,"
                             " every claim named by the certificate")
    parser.add_argument("--lenient", action="store_true",
                        help="another JSON serialisation is a warning only")
    return parser


def _read(name: str) -> bytes:
    with open(name, "rb") as source:
        return source.read()


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.lab:
        for name, file in (("trust_anchors", "trust-anchors.pem"),
                           ("ct_logs", "ct-logs.json"), ("tls_ca", "tls-ca.pem")):
            if getattr(arguments, name) is None:
                setattr(arguments, name, os.path.join(arguments.lab, file))
    try:
        text = (sys.stdin.buffer.read() if arguments.identity == "-"
                else _read(arguments.identity)).decode("ascii")
        original = (_read(arguments.original).decode("ascii")
                    if arguments.original else None)
        anchors = (service.load_certificates(_read(arguments.trust_anchors))
                   if arguments.trust_anchors else [])
        logs = (transparency.load(json.loads(_read(arguments.ct_logs)))
                if arguments.ct_logs else None)
        salts = {}
        for item in arguments.salt:
            path, _, value = item.partition("=")
            salts[path] = base64.b64decode(value + "=" * (-len(value) % 4))
    except (OSError, ValueError, KeyError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    verdict = service.verify(
        text, service.Policy(
            anchors, logs, arguments.min_scts, arguments.max_age,
            lenient=arguments.lenient, vesper=arguments.vesper,
            salts=salts, fetch=service.https_fetch(arguments.tls_ca)),
        arguments.at, arguments.orig, arguments.dest, original)
    print(json.dumps(verdict, indent=1, ensure_ascii=False))
    return 0 if verdict["verdict"] == "pass" else 4


if __name__ == "__main__":
    sys.exit(main())
