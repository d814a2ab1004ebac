#include "tests/fuzz/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tree.h"

enum { PATH_LEN = 256 };

static char dir[] = "/tmp/vesper-fuzz-XXXXXX";

static void
drop_all(void)
{
	(void)tree_remove(dir);
}

const char *
scratch_dir(void)
{
	static bool made;
	char sub[PATH_LEN];

	if (made)
		return dir;
	snprintf(sub, sizeof sub, "%s/tenants.d", mkdtemp(dir));
	if (mkdir(sub, 0700) != 0 || atexit(drop_all) != 0)
		abort();
	made = true;
	return dir;
}

void
scratch_write(const char *name, struct span text)
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text.ptr, text.len) != (ssize_t)text.len || close(fd) != 0)
		abort();
}

void
scratch_drop(const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
	(void)unlink(path);
}
