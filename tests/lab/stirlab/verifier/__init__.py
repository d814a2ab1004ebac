# The lab's verification service: an independent judge of PASSporTs.
"""`service.verify` runs the steps; the other modules each decide one thing."""
