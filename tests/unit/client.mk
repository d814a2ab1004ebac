# unit tests: client
