# unit tests: renewer
