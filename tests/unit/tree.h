/* Removing a directory of a test with all that is in it. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int
tree_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* 0 when nothing is left. */
static inline int
tree_remove(const char *path)
{
	enum { OPEN_FOLDERS = 16 };

	return nftw(path, tree_remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

#endif
