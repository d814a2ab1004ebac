/* One CMUnitTest per row of a static table: .name = the row's name. */
#ifndef TESTS_UNIT_ROWS_H
#define TESTS_UNIT_ROWS_H

#define ROWS(tests, n, cases, func) \
	do { \
		for (size_t rows_i = 0; rows_i < ARRAY_LEN(cases); rows_i++) \
			(tests)[(n)++] = (struct CMUnitTest){ .name = (cases)[rows_i].name, \
				.test_func = (func), \
				.initial_state = &(cases)[rows_i] }; \
	} while (0)

#endif
