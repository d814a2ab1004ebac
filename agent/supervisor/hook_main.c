/*
 * vesper-hook: becomes the user that a command of the configuration runs as,
 * and the command.  Nothing of what it is given is looked at: its words stand
 * in vesperd.conf, its data is on standard input.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/role.h"

enum { EXIT_CANNOT = 126, EXIT_ABSENT = 127 };

int
main(int argc, char **argv)
{
	const char *user = NULL;
	struct fault f = { 0 };
	int at = 1;

	if (argc > 3 && strcmp(argv[1], "--user") == 0) {
		user = argv[2];
		at = 3;
	}
	if (at + 1 >= argc || strcmp(argv[at], "--") != 0 || argv[at + 1][0] != '/') {
		fprintf(stderr, "usage: vesper-hook [--user NAME] -- /COMMAND ...; vesperd "
				"starts it\n");
		return EXIT_CANNOT;
	}
	if (role_become(user, false, &f) != RC_OK) {
		fprintf(stderr, "vesper-hook: %s\n", f.detail);
		return EXIT_CANNOT;
	}
	execv(argv[at + 1], argv + at + 1);
	fprintf(stderr, "vesper-hook: %s: %s\n", argv[at + 1], strerror(errno));
	return errno == ENOENT ? EXIT_ABSENT : EXIT_CANNOT;
}
