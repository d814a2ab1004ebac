/*
 * vesper-hsm signer|admin: one process of one token.  Descriptor 3 is its pair
 * to the front; arguments and environment come from the supervisor.
 *
 * Exit status: 0 the peer is gone or it was asked to leave, 2 usage or
 * configuration, 3 token not found, 4 PIN refused or locked, 5 to be rebuilt.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkcs11/admin.h"
#include "pkcs11/isolate.h"
#include "pkcs11/signer.h"

enum { PEER_FD = 3 };

static const char *role_name = "";
static bool quiet;

/* One line in one write, so that lines of several processes do not mix. */
static void
say(const struct fault *f)
{
	char line[512];
	/* A warning: the supervisor has the one error line of an outage. */
	int n = snprintf(
	    line, sizeof line, "<4>vesper-hsm: %s%s: %s\n", role_name, f->reason, f->detail);

	if (n > 0 && !quiet)
		(void)!write(
		    STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

/* An operator should know: what was killed, and why the token is still there. */
static void
say_mended(unsigned tokens)
{
	char line[256];
	int n = snprintf(line, sizeof line,
	    "<4>vesper-hsm: %ssofthsm: token.object of %u token(s) was empty, as a kill "
	    "during a login leaves it: the copy was put back\n",
	    role_name, tokens);

	if (tokens > 0 && n > 0)
		(void)!write(STDERR_FILENO, line, (size_t)n);
}

static enum leave_code
code_of(const struct fault *f)
{
	switch (f->rc) {
	case RC_INVALID: return LEAVE_CONFIG;
	case RC_NOT_FOUND: return LEAVE_NO_TOKEN;
	case RC_DENIED: return LEAVE_PIN;
	case RC_CONFLICT: return LEAVE_ASKED; /* the front went first */
	default: return LEAVE_REBUILD;
	}
}

static enum rc
check_peer(int fd, struct fault *f)
{
	int type = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_SEQPACKET)
		return FAULT(f, RC_INVALID, "usage",
		    "descriptor %d is not the front's socket: vesperd starts this program", fd);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return FAULT(f, RC_IO, "peer", "fcntl: %s", strerror(errno));
	return RC_OK;
}

static enum rc
run(const struct hsm_options *o, uid_t starter, struct fault *f)
{
	static struct hsm hsm; /* the signal thread may still use it while we leave */

	TRY(check_peer(PEER_FD, f));
	leave_limit(o->hang_s * 1000, o->hang_s * 1000);
	TRY(leave_init(PEER_FD, o->generation, say, f));
	/* Before the module is loaded: its at-exit handlers and OpenSSL's end in a crash. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL) !=
	    1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "openssl", "OPENSSL_init_crypto");
	TRY(hsm_start(&hsm, o, starter, PEER_FD, f));
	say_mended(hsm.mended);
	TRY(isolate_harden(f));
	quiet = false; /* it has started: what ends it now is news */
	return o->admin ? admin_run(&hsm, f) : signer_run(&hsm, f);
}

int
main(int argc, char **argv)
{
	uid_t starter = getuid();
	struct hsm_options options = { .threads = 1 };
	struct fault f = { .rc = RC_OK };

	if (options_parse(argc, argv, &options, &f) != RC_OK ||
	    isolate_become(options.user, &f) != RC_OK) {
		say(&f);
		return code_of(&f);
	}
	quiet = options.quiet;
	role_name = options.admin ? "admin: " : "signer: ";
	/* The whole start counts as inside the library; signer and admin end it. */
	(void)leave_enter();
	if (run(&options, starter, &f) != RC_OK)
		leave_exit();
	leave_now(code_of(&f), &f);
}
