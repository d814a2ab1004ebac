# unit tests: token
