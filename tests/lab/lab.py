#!/usr/bin/python3
# Starts the lab in a directory and keeps it in the foreground.
"""lab.py --dir DIR [--config FILE] [--address 127.a.b.c]"""
from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from stirlab.runner import Lab, LabError  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Number authority, claim agent, STI-CA, transparency logs,"
                    " repository and notary on one loopback address.")
    parser.add_argument("--dir", required=True, help="keys, state, results")
    parser.add_argument("--config", help="JSON file; see docs/LAB.md",
                        default=os.path.join(HERE, "lab-example.json"))
    parser.add_argument("--address", help="127.a.b.c; random by default")
    arguments = parser.parse_args()
    if arguments.address and not arguments.address.startswith("127."):
        parser.error("the address is one of 127.0.0.0/8")
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    try:
        lab = Lab(arguments.dir, arguments.config, arguments.address)
    except (ValueError, LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    lab.start()
    print(f"lab ready on {lab.address} in {lab.directory}", flush=True)
    while not done.wait(3600):
        continue
    lab.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
