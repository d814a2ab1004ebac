/* cmocka needs these in this order. */
#ifndef TESTS_UNIT_CM_H
#define TESTS_UNIT_CM_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
