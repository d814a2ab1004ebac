# unit tests: front
