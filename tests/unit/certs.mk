# unit tests: certs
