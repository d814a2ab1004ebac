# whole-machine tests
