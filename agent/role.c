#include "agent/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The leak checker of a sanitizer build traces its own process. */
#ifdef VESPER_SANITIZED
static const bool always_dumpable = true;
#else
static const bool always_dumpable = false;
#endif

/* Room for one descriptor, aligned as a cmsghdr wants it. */
union one_fd {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static enum rc
send_all(int sock, const struct msghdr *m, struct fault *f)
{
	while (sendmsg(sock, m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
			return FAULT(f, RC_BUSY, "control", "the peer does not read");
		return FAULT(f, RC_IO, "control", "sendmsg: %s", strerror(errno));
	}
	return RC_OK;
}

enum rc
control_send(int sock, const struct control *c, int fd, struct fault *f)
{
	struct control copy = *c;
	struct iovec iov = { .iov_base = &copy, .iov_len = sizeof copy };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union one_fd space = { .bytes = { 0 } };
	struct cmsghdr *cm;

	if (fd >= 0) {
		m.msg_control = &space;
		m.msg_controllen = sizeof space;
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(cm), &fd, sizeof fd);
	}
	return send_all(sock, &m, f);
}

/*
 * The padding of the space for one descriptor has room for a second: take what
 * came and close all unless it is the one.  False when there were more.
 */
static bool
take_fd(struct msghdr *m, int *fd)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(m);
	int got[CMSG_SPACE(sizeof(int)) / sizeof(int)];
	size_t n;

	if (cm == NULL || cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
		return true;
	n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof got[0];
	memcpy(got, CMSG_DATA(cm), n * sizeof got[0]);
	if (n == 1) {
		*fd = got[0];
		return true;
	}
	for (size_t i = 0; i < n; i++)
		close(got[i]);
	return n == 0;
}

enum rc
control_recv(int sock, struct control *c, int *fd, struct fault *f)
{
	struct control got;
	struct iovec iov = { .iov_base = &got, .iov_len = sizeof got };
	union one_fd space = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = sizeof space };
	AUTO_FD passed = -1;
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return RC_NOT_FOUND;
	if (n < 0)
		return FAULT(f, RC_IO, "control", "recvmsg: %s", strerror(errno));
	if (n == 0)
		return FAULT(f, RC_IO, "control", "the peer is gone");
	if (!take_fd(&m, &passed))
		return FAULT(f, RC_INVALID, "control", "more than one descriptor");
	if (n != sizeof got || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return FAULT(f, RC_INVALID, "control", "a message of %zd bytes", n);
	*c = got;
	*fd = passed;
	passed = -1;
	return RC_OK;
}

static enum rc
sys(int result, const char *what, struct fault *f)
{
	if (result == 0)
		return RC_OK;
	return FAULT(f, RC_IO, "role", "%s: %s", what, strerror(errno));
}

/* Every way back is tried: what must fail and does not is worse than no switch at all. */
static enum rc
check_irreversible(uid_t uid, gid_t gid, struct fault *f)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	TRY(sys(getresuid(&r, &e, &s), "getresuid", f));
	TRY(sys(getresgid(&rg, &eg, &sg), "getresgid", f));
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid)
		return FAULT(f, RC_BUG, "role", "not wholly user %u", (unsigned)uid);
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0)
		return FAULT(f, RC_BUG, "role", "user %u can go back to root", (unsigned)uid);
	return RC_OK;
}

static enum rc
switch_user(const char *name, struct fault *f)
{
	struct passwd pw, *found = NULL;
	char space[4096];
	int err = getpwnam_r(name, &pw, space, sizeof space, &found);

	if (found == NULL)
		return FAULT(f, RC_NOT_FOUND, "role", "user '%s': %s", name,
		    err != 0 ? strerror(err) : "no such user");
	if (pw.pw_uid == 0 || pw.pw_gid == 0)
		return FAULT(f, RC_DENIED, "role", "a role never runs as root or in its group");
	TRY(sys(initgroups(name, pw.pw_gid), "initgroups", f));
	TRY(sys(setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid), "setresgid", f));
	TRY(sys(setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid), "setresuid", f));
	return check_irreversible(pw.pw_uid, pw.pw_gid, f);
}

enum rc
role_become(const char *name, bool dumpable, struct fault *f)
{
	static const struct rlimit no_core = { 0, 0 };
	pid_t parent = getppid();

	if (name != NULL)
		TRY(switch_user(name, f));
	/* Only now: the kernel clears the signal and the dumpable flag when the uid changes. */
	TRY(sys(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG", f));
	if (getppid() != parent)
		return FAULT(f, RC_CONFLICT, "role", "the supervisor is gone");
	TRY(sys(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L), "PR_SET_NO_NEW_PRIVS", f));
	TRY(sys(setrlimit(RLIMIT_CORE, &no_core), "RLIMIT_CORE", f));
	dumpable = dumpable || always_dumpable;
	return sys(prctl(PR_SET_DUMPABLE, dumpable ? 1L : 0L), "PR_SET_DUMPABLE", f);
}
