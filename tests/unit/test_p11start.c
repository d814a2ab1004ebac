/* How vesper-hsm starts, and says in one line why it does not. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stir/attr.h"
#include "tests/unit/cm.h"
#include "tests/unit/token_lab.h"

enum { TIME_LIMIT_S = 120 };

/* ---- arguments ---------------------------------------------------------------- */

/* Added after good ones; the last of an option counts. */
static struct usage_case {
	const char *name;
	const char *role, *more[6];
	int status;
	const char *said;
} usage_cases[] = {
	{ "no such role", "front", { "--label", "t" }, 2, "neither signer nor admin" },
	{ "neither label nor serial", "signer", { NULL }, 2, "--label or --serial" },
	{ "unknown option", "signer", { "--label", "t", "--bogus" }, 2, "unknown option" },
	{ "option without a value", "signer", { "--label" }, 2, "without its value" },
	{ "too much", "signer", { "--label", "t", "extra" }, 2, "'extra' is too much" },
	{ "no threads", "signer", { "--label", "t", "--threads", "0" }, 2, "1 to 64" },
	{ "too many threads", "signer", { "--label", "t", "--threads", "65" }, 2, "1 to 64" },
	{ "threads by word", "signer", { "--label", "t", "--threads", "two" }, 2, "1 to 64" },
	{ "negative", "signer", { "--label", "t", "--threads", "-1" }, 2, "1 to 64" },
	{ "a number and more", "signer", { "--label", "t", "--threads", "1x" }, 2, "1 to 64" },
	{ "generation over 32 bits", "signer", { "--label", "t", "--generation", "4294967296" },
	    2, "--generation" },
	{ "a day between canaries", "signer", { "--label", "t", "--canary-s", "86400" }, 2,
	    "--canary-s" },
	{ "a relative module", "signer", { "--label", "t", "--module", "libsofthsm2.so" }, 2,
	    "not an absolute path" },
	{ "no such module", "signer", { "--label", "t", "--module", "/no/such.so" }, 2,
	    "No such file or directory: install the module's package, or correct" },
	{ "a module that is none", "signer", { "--label", "t", "--module", "/etc/passwd" }, 2,
	    "dlopen" },
	{ "a library without PKCS#11", "signer", { "--label", "t", "--module", "/bin/true" }, 2,
	    "module: " },
	{ "a folder", "signer", { "--label", "t", "--module", "/usr/lib" }, 2,
	    "not a regular file" },
	{ "no such token", "signer", { "--label", "u" }, 3, "token_not_found" },
	{ "half a label", "signer", { "--label", "" }, 3, "token_not_found" },
	{ "another serial", "signer", { "--label", "t", "--serial", "00" }, 3,
	    "token_not_found" },
	{ "a PIN in the open", "signer", { "--label", "t", "--pin", LAB_PIN }, 2,
	    "never itself" },
	{ "no PIN file", "signer", { "--label", "t", "--pin", "file:/no/such" }, 2,
	    "pin_source: file:/no/such: No such file or directory: put the PIN there" },
	{ "a folder as PIN", "signer", { "--label", "t", "--pin", "file:/tmp" }, 2,
	    "not a regular file" },
	{ "no credentials directory", "signer", { "--label", "t", "--pin", "credential:pin" },
	    2, "CREDENTIALS_DIRECTORY" },
	{ "a credential with a path", "signer",
	    { "--label", "t", "--pin", "credential:../pin" }, 2, "not a name" },
	{ "no state directory", "signer", { "--label", "t", "--state", "/no/such" }, 2,
	    "none is tried" },
	{ "no folder for the lock", "signer", { "--label", "t", "--lock-file", "/no/such" }, 2,
	    "No such file or directory: create its directory" },
};

static void
usage(void **state)
{
	const struct usage_case *row = *state;
	const char *more[8] = { NULL };
	void *fixture = NULL;
	struct process p;

	lab_setup(&fixture);
	memcpy(more, row->more, sizeof row->more);
	process_start(&p, fixture, row->role, more);
	assert_false(process_hello(&p, NULL));
	assert_int_equal(process_wait(&p), row->status);
	if (!process_said(&p, row->said))
		fail_msg("it did not say '%s'", row->said);
	assert_true(process_said(&p, "<4>vesper-hsm: "));
	assert_false(process_said(&p, LAB_PIN));
	lab_teardown(&fixture);
}

/* ---- files ------------------------------------------------------------------------ */

static const char *const plain[] = { "--label", "t", "--canary-s", "0", NULL };

static int
starts(const struct lab *lab, const char *said)
{
	struct process p;
	int status;

	process_start(&p, lab, "signer", plain);
	if (process_hello(&p, NULL))
		return process_stop(&p);
	status = process_wait(&p);
	if (said != NULL && !process_said(&p, said))
		fail_msg("it did not say '%s'", said);
	return status;
}

static void
pin_files(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int status;
		const char *said;
	} rows[] = {
		{ LAB_PIN "\n", 0604, 2, "others can reach it" },
		{ LAB_PIN "\n", 0620, 2, "others can reach it" },
		{ LAB_PIN "\n", 0601, 2, "others can reach it" },
		{ LAB_PIN "\n", 0640, 0, NULL },
		{ LAB_PIN, 0400, 0, NULL },
		{ "", 0600, 2, "empty" },
		{ "\n", 0600, 2, "empty" },
		{ LAB_PIN "\n" LAB_PIN "\n", 0600, 2, "not one line" },
		{ LAB_PIN "\r\n", 0600, 2, "not one line" },
		{ "\t" LAB_PIN, 0600, 2, "not one line" },
	};
	const struct lab *lab = *state;
	char big[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unlink(lab->pin);
		lab_write(lab->pin, rows[i].text, rows[i].mode);
		assert_int_equal(starts(lab, rows[i].said), rows[i].status);
	}
	memset(big, '1', sizeof big - 1);
	big[sizeof big - 1] = 0;
	unlink(lab->pin);
	lab_write(lab->pin, big, 0600);
	assert_int_equal(starts(lab, "longer than"), 2);
}

static void
the_pin_as_a_credential(void **state)
{
	static const char *const args[] = { "--label", "t", "--pin", "credential:pin", NULL };
	struct lab *lab = *state;
	char dir[LAB_PATH + 32];
	struct process p;

	snprintf(dir, sizeof dir, "CREDENTIALS_DIRECTORY=%s", lab->dir);
	lab->env[0] = dir;
	process_up(&p, lab, "signer", args);
	assert_int_equal(process_stop(&p), 0);
}

static void
copy(const char *from, const char *to, mode_t mode)
{
	char buf[65536];
	AUTO_FD in = open(from, O_RDONLY | O_CLOEXEC);
	AUTO_FD out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t n;

	while ((n = read(in, buf, sizeof buf)) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	assert_int_equal(n, 0);
	assert_int_equal(fchmod(out, mode), 0);
}

static void
a_module_that_others_can_change(void **state)
{
	struct lab *lab = *state;
	const char *real = lab->module;
	char path[LAB_PATH], folder[LAB_PATH], link[LAB_PATH];

	snprintf(folder, sizeof folder, "%.90s/lib", lab->dir);
	snprintf(path, sizeof path, "%.90s/lib/m.so", lab->dir);
	snprintf(link, sizeof link, "%.90s/link.so", lab->dir);
	assert_int_equal(mkdir(folder, 0755), 0);
	copy(real, path, 0755);
	assert_int_equal(symlink(path, link), 0);
	lab->module = path;
	assert_int_equal(starts(lab, NULL), 0);
	lab->module = link;
	assert_int_equal(starts(lab, NULL), 0);
	assert_int_equal(chmod(path, 0757), 0);
	assert_int_equal(starts(lab, "writable by others"), 2);
	assert_int_equal(chmod(path, 0775), 0);
	assert_int_equal(starts(lab, "writable by others"), 2);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(starts(lab, "/lib is writable by others"), 2);
	assert_int_equal(chmod(folder, 01777), 0);
	assert_int_equal(starts(lab, NULL), 0);
	assert_int_equal(
	    chmod(folder, 0775), 0); /* its group is root, or the starter's choice */
	assert_int_equal(starts(lab, NULL), 0);
	if (getuid() != 0)
		return;
	assert_int_equal(chown(folder, 0, 65534), 0);
	assert_int_equal(chmod(folder, 0775), 0);
	assert_int_equal(starts(lab, "/lib is writable by others"), 2);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(starts(lab, "neither root nor the starter"), 2);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(folder, 65534, 65534), 0);
	assert_int_equal(starts(lab, "neither root nor the starter"), 2);
}

/* ---- labels and serials --------------------------------------------------------------- */

static void
serial_of(const struct lab *lab, const char *const args[], char out[17])
{
	struct frame_hello hello;
	struct process p;

	process_start(&p, lab, "signer", args);
	assert_true(process_hello(&p, &hello));
	memcpy(out, hello.token_serial, 17);
	assert_int_equal(process_stop(&p), 0);
}

static void
two_tokens_of_one_label(void **state)
{
	struct lab *lab = *state;
	char serial[17], found[17];
	const char *const both[] = { "--label", "t", "--serial", serial, NULL };
	const char *const only[] = { "--serial", serial, NULL };
	const char *const wrong[] = { "--label", "u", "--serial", serial, NULL };
	struct process p;

	serial_of(lab, plain, serial);
	assert_int_equal(strlen(serial), 16);
	lab_add_token(lab, "t");
	assert_int_equal(starts(lab, "token_ambiguous: 2 tokens match label 't'"), 2);
	serial_of(lab, both, found);
	assert_string_equal(found, serial);
	serial_of(lab, only, found);
	assert_string_equal(found, serial);
	process_start(&p, lab, "signer", wrong);
	assert_int_equal(process_wait(&p), 3);
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest fixed[] = {
		ROW(pin_files),
		ROW(the_pin_as_a_credential),
		ROW(a_module_that_others_can_change),
		ROW(two_tokens_of_one_label),
	};
#undef ROW
	struct CMUnitTest tests[ARRAY_LEN(fixed) + ARRAY_LEN(usage_cases)];
	size_t n = 0;

	if (lab_softhsm() == NULL)
		return 77;
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		tests[n++] = fixed[i];
	for (size_t i = 0; i < ARRAY_LEN(usage_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = usage_cases[i].name,
			.test_func = usage,
			.initial_state = &usage_cases[i] };
	alarm(TIME_LIMIT_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
