/*
 * Compiler attributes and scope-bound cleanup.
 *
 * An owned local is declared AUTO(type) *p = NULL; and freed by type_free()
 * when its scope ends; TAKE(p) hands it over.  There is no "goto out".
 */
#ifndef STIR_ATTR_H
#define STIR_ATTR_H

#include <stddef.h>

#define MUST_CHECK	     __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, va) __attribute__((format(printf, fmt, va)))
#define UNUSED		     __attribute__((unused))

/* Defines the function that AUTO(type) calls; put it below type_free(). */
#define DEFINE_FREEP(type) \
	static inline void type##_freep(struct type **p) \
	{ \
		type##_free(*p); \
	} \
	struct type

#define AUTO(type) __attribute__((cleanup(type##_freep))) struct type

/* The value of p, which is NULL afterwards: ownership moves once. */
#define TAKE(p) \
	__extension__({ \
		__typeof__(p) take_value = (p); \
		(p) = NULL; \
		take_value; \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#include <stdlib.h>
#include <unistd.h>

static inline void
auto_free_cleanup(void *p)
{
	free(*(void **)p);
}

static inline void
auto_fd_cleanup(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* A plain malloc'd pointer, and a file descriptor (-1 is fine). */
#define AUTO_FREE __attribute__((cleanup(auto_free_cleanup)))
#define AUTO_FD	  __attribute__((cleanup(auto_fd_cleanup))) int

#endif
