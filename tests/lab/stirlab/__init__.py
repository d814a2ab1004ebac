# The lab: the other parties of a STIR/VESPER signing agent, for tests.
"""Number authority, claim agent, STI-CA, transparency logs, certificate
repository and notary agent on one loopback address.

Every module has one concern; none keeps global state.  `runner` puts them
together.  The verifier in `stirlab.verifier` shares the codecs with the
parties and nothing else.
"""
