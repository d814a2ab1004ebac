#include "pkcs11/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* While the echo is off, these may not end the process before it is on again. */
static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

static volatile sig_atomic_t got;

static void
note(int number)
{
	got = number;
}

struct signals {
	struct sigaction action[ARRAY_LEN(caught)];
	sigset_t mask;
};

/* They are let in while we wait and at no other time, so that none comes just before. */
static void
catch_all(struct signals *was)
{
	struct sigaction now = { .sa_handler = note };
	sigset_t all;

	got = 0;
	sigemptyset(&all);
	for (size_t i = 0; i < ARRAY_LEN(caught); i++) {
		sigaddset(&all, caught[i]);
		(void)sigaction(caught[i], &now, &was->action[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &all, &was->mask);
}

static void
let_go(const struct signals *was)
{
	(void)sigprocmask(SIG_SETMASK, &was->mask, NULL);
	for (size_t i = 0; i < ARRAY_LEN(caught); i++)
		(void)sigaction(caught[i], &was->action[i], NULL);
	if (got != 0)
		(void)raise(got);
}

static void
say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

/* A terminal gives a line at a time. */
static enum rc
read_line(int fd, const struct signals *was, struct pin *out, struct fault *f)
{
	struct pollfd typed = { .fd = fd, .events = POLLIN };
	ssize_t n = -1;

	if (ppoll(&typed, 1, NULL, &was->mask) > 0)
		n = read(fd, out->bytes, sizeof out->bytes);
	if (n < 0)
		return FAULT(f, RC_INVALID, "pin_source", "the terminal: %s", strerror(errno));
	out->len = (size_t)n;
	return pin_check_line(out, "what was typed", f);
}

static enum rc
ask_silently(int fd, const char *what, struct pin *out, struct fault *f)
{
	struct signals was;
	struct termios seen, silent;
	enum rc rc;

	if (tcgetattr(fd, &seen) != 0)
		return FAULT(f, RC_INVALID, "pin_source", "the terminal: %s", strerror(errno));
	silent = seen;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ICANON | ECHONL;
	catch_all(&was);
	if (tcsetattr(fd, TCSAFLUSH, &silent) != 0) {
		let_go(&was);
		return FAULT(f, RC_INVALID, "pin_source", "the terminal: %s", strerror(errno));
	}
	say(fd, what);
	rc = read_line(fd, &was, out, f);
	(void)tcsetattr(fd, TCSAFLUSH, &seen);
	let_go(&was);
	return rc;
}

static enum rc
ask_again(int fd, const struct pin *first, struct fault *f)
{
	__attribute__((cleanup(pin_wipe))) struct pin second = { .len = 0 };

	pin_lock(&second);
	TRY(ask_silently(fd, "once more: ", &second, f));
	if (second.len != first->len ||
	    CRYPTO_memcmp(first->bytes, second.bytes, first->len) != 0)
		return FAULT(f, RC_INVALID, "pin_source", "the two differ: nothing was done");
	return RC_OK;
}

enum rc
ask_pin(const char *what, bool again, struct pin *out, struct fault *f)
{
	AUTO_FD fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char prompt[80];
	enum rc rc;

	if (fd < 0)
		return FAULT(f, RC_INVALID, "pin_source",
		    "%s: there is no terminal to ask at: give it as file:PATH or "
		    "credential:NAME",
		    what);
	snprintf(prompt, sizeof prompt, "%s: ", what);
	pin_lock(out);
	*out = (struct pin){ .len = 0 };
	rc = ask_silently(fd, prompt, out, f);
	if (rc == RC_OK && again)
		rc = ask_again(fd, out, f);
	if (rc != RC_OK)
		pin_wipe(out);
	return rc;
}
