"""One whole machine for the demo and the tests: the lab, a SoftHSM token, vesperd.

Everything lives in one directory; nothing but loopback is used.  The demo and
the integration tests start the same world, so what the demo shows is what the
tests test.
"""
