#include "agent/supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/supervisor/breaker.h"
#include "agent/supervisor/hook.h"

enum {
	CHILD_FRONT = 0, /* places in the table; token processes follow */
	CHILD_RENEWER = 1,
	CHILD_TOKENS = 2,
	RETRY_MS = 100, /* a full control socket */
	OUTAGE_LOOK_MS = 250,
	CONTROL_BURST = 64,
};

struct supervisor {
	const struct spawn_context *spawn;
	const char *notify;
	struct child *child;
	size_t children;
	uint32_t generation[CONFIG_MAX_TOKENS];
	struct breaker breaker[CONFIG_MAX_TOKENS];
	struct hooks hooks;
	int64_t hook_ms;		  /* when one of them has run too long; 0: none runs */
	bool pin_told[CONFIG_MAX_TOKENS]; /* its PIN was refused, and that was said */
	int signals;
	bool draining, killed;
	int64_t drain_ms;     /* when it began */
	int64_t pin_check_ms; /* next look at the PIN files */
	bool announce_later;  /* the front's socket was full */
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + 1; /* never 0 */
}

static struct child *
front_of(struct supervisor *s)
{
	return &s->child[CHILD_FRONT];
}

/* Others can be started: their ends have somewhere to go. */
static bool
front_open(const struct supervisor *s)
{
	return s->child[CHILD_FRONT].pid != 0 && s->child[CHILD_FRONT].control >= 0;
}

static bool
is_token_process(const struct child *c)
{
	return c->role == ROLE_SIGNER || c->role == ROLE_ADMIN;
}

/* "signer main/0 generation 3" without the parts that a role does not have. */
struct child_name {
	char text[128];
};

static struct child_name
name_of(const struct supervisor *s, const struct child *c)
{
	struct child_name n;

	if (!is_token_process(c))
		snprintf(n.text, sizeof n.text, "child=%s", child_role_name(c->role));
	else
		snprintf(n.text, sizeof n.text, "child=%s token=%s process=%u generation=%u",
		    child_role_name(c->role), s->spawn->config->token[c->token].name,
		    (unsigned)c->process, (unsigned)c->generation);
	return n;
}

/* ---- systemd ------------------------------------------------------------------ */

static void
notify(const struct supervisor *s, const char *state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	AUTO_FD fd = -1;

	if (s->notify == NULL || strlen(s->notify) >= sizeof a.sun_path)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	memcpy(a.sun_path, s->notify, strlen(s->notify));
	if (a.sun_path[0] == '@') /* abstract */
		a.sun_path[0] = 0;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (const struct sockaddr *)&a,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(s->notify)));
}

/* ---- PIN files ----------------------------------------------------------------- */

static struct pin_mark
mark_pin(const struct supervisor *s, const struct child *c)
{
	const char *ref = s->spawn->config->token[c->token].pin.text;
	const char *name = strchr(ref, ':') + 1;
	char path[4096];
	struct stat st;
	int n;

	if (strncmp(ref, "file:", 5) == 0)
		n = snprintf(path, sizeof path, "%s", name);
	else
		n = snprintf(path, sizeof path, "%s/%s",
		    s->spawn->credentials != NULL ? s->spawn->credentials : "/nonexistent",
		    name);
	if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) != 0)
		return (struct pin_mark){ 0 };
	return (struct pin_mark){ st.st_ino, st.st_size, st.st_ctim };
}

static bool
same_mark(const struct pin_mark *a, const struct pin_mark *b)
{
	return a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

static void
check_pins(struct supervisor *s, int64_t now)
{
	if (now < s->pin_check_ms)
		return;
	s->pin_check_ms = now + SUPERVISOR_PIN_CHECK_MS;
	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		struct child *c = &s->child[i];
		struct pin_mark mark;

		if (!c->held)
			continue;
		mark = mark_pin(s, c);
		if (same_mark(&mark, &c->pin))
			continue;
		log_event(LEVEL_NOTICE, "pin_changed", "%s", name_of(s, c).text);
		child_release(c, now);
	}
}

/* ---- tokens -------------------------------------------------------------------- */

static bool
another_starts(const struct supervisor *s, const struct child *c)
{
	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		const struct child *other = &s->child[i];

		if (other != c && other->role == ROLE_SIGNER && other->token == c->token &&
		    other->pid != 0 && !other->up && !other->stale)
			return true;
	}
	return false;
}

/* When c may be started, were it not for the front; -1: not before something happens. */
static int64_t
start_ms(const struct supervisor *s, const struct child *c)
{
	/* It has nobody to ask before, and the others have the CPUs for themselves. */
	if (c->role == ROLE_RENEWER && !s->child[CHILD_FRONT].up)
		return -1;
	if (!is_token_process(c))
		return c->next_ms;
	return breaker_due_ms(
	    &s->breaker[c->token], c->role == ROLE_SIGNER, another_starts(s, c), c->next_ms);
}

/* One line for an outage, however many processes end in it and how often. */
static void
count_end(struct supervisor *s, const struct child *c, int status, int64_t now)
{
	struct breaker *b = &s->breaker[c->token];
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (s->draining || c->stale || code == 0)
		return;
	/* A refused PIN has a line of its own. */
	if (code != CHILD_EXIT_PIN && breaker_ended(b, now))
		log_event(LEVEL_ERR, "token_trouble",
		    "%s detail=\"it ended by itself; what it said is above, and no more is "
		    "said "
		    "before token_well\"",
		    name_of(s, c).text);
	if (c->role == ROLE_SIGNER && !c->up)
		breaker_start_failed(b, now);
}

static bool
token_steady(const struct supervisor *s, uint32_t token, int64_t now)
{
	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		const struct child *c = &s->child[i];

		if (c->token != token)
			continue;
		if (c->pid == 0 || c->stale || now - c->started_ms < CHILD_STEADY_MS ||
		    (c->role == ROLE_SIGNER && !c->up))
			return false;
	}
	return true;
}

static void
look_at_outages(struct supervisor *s)
{
	int64_t now = now_ms();

	for (uint32_t t = 0; t < s->spawn->config->tokens; t++) {
		struct breaker *b = &s->breaker[t];

		if (b->down_ms != 0 && token_steady(s, t, now))
			log_event(LEVEL_NOTICE, "token_well", "token=%s after_ms=%lld ends=%u",
			    s->spawn->config->token[t].name, (long long)breaker_over_ms(b, now),
			    b->ends);
	}
}

/* The token is there: whoever waits for it need not wait longer. */
static void
signer_came_up(struct supervisor *s, const struct control *m)
{
	int64_t now = now_ms();
	struct child *up = NULL;

	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		struct child *c = &s->child[i];

		if (c->pid != 0 && c->token == m->token && c->generation == m->generation)
			up = c;
	}
	if (up == NULL)
		return;
	child_came_up(up);
	s->pin_told[up->token] = false;
	if (s->breaker[up->token].failures == 0)
		return;
	breaker_came_up(&s->breaker[up->token]);
	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		if (s->child[i].token == up->token && s->child[i].pid == 0 && !s->child[i].held)
			child_release(&s->child[i], now);
	}
}

/* ---- starting ------------------------------------------------------------------ */

static enum rc
make_pair(int *ours, int *theirs, struct fault *f)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return FAULT(f, RC_IO, "spawn", "socketpair: %s", strerror(errno));
	*ours = pair[0];
	*theirs = pair[1];
	TRY(spawn_high_fd(ours, f));
	return spawn_high_fd(theirs, f);
}

static struct control
describe(const struct child *c, enum control_kind kind, bool isolated)
{
	return (struct control){
		.kind = kind,
		.token = c->token,
		.process = c->process,
		.generation = c->generation,
		.role = c->role,
		.pid = (uint32_t)c->pid,
		.restarts = c->restarts,
		.isolated = isolated,
	};
}

/* The front gets its end first: a role that then fails to start is seen there as gone. */
static enum rc
give_pair(struct supervisor *s, struct child *c, int *theirs, struct fault *f)
{
	static const enum control_kind kinds[ROLE__COUNT] = { [ROLE_SIGNER] = CONTROL_SIGNER,
		[ROLE_ADMIN] = CONTROL_ADMIN,
		[ROLE_RENEWER] = CONTROL_RENEWER };
	AUTO_FD ours = -1;
	struct control m;

	TRY(make_pair(&ours, theirs, f));
	if (is_token_process(c))
		c->generation = ++s->generation[c->token];
	m = describe(c, kinds[c->role], s->spawn->as_root);
	return control_send(front_of(s)->control, &m, ours, f);
}

static void
close_control(struct child *c)
{
	if (c->control >= 0)
		close(c->control);
	c->control = -1;
}

static enum rc
start(struct supervisor *s, struct child *c, struct fault *f)
{
	bool talks = c->role == ROLE_FRONT || c->role == ROLE_RENEWER;
	AUTO_FD peer = -1, control = -1;
	pid_t pid = 0;

	if (c->role != ROLE_FRONT)
		TRY(give_pair(s, c, &peer, f));
	close_control(c);
	if (talks)
		TRY(make_pair(&c->control, &control, f));
	c->quiet = is_token_process(c) && breaker_quiet(&s->breaker[c->token]);
	if (is_token_process(c))
		c->pin = mark_pin(s, c); /* before it reads it */
	TRY(spawn_role(s->spawn, c, peer, control, &pid, f));
	child_started(c, pid, now_ms());
	log_event(c->quiet	     ? LEVEL_DEBUG
		  : c->restarts == 0 ? LEVEL_INFO
				     : LEVEL_NOTICE,
	    "started", "%s pid=%ld restarts=%u", name_of(s, c).text, (long)pid,
	    (unsigned)c->restarts);
	return RC_OK;
}

static void
start_due(struct supervisor *s)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < s->children; i++) {
		struct child *c = &s->child[i];
		struct fault f = { 0 };
		enum rc rc;

		int64_t at_ms = start_ms(s, c);

		if (!child_due(c, front_open(s), now) || at_ms < 0 || at_ms > now)
			continue;
		rc = start(s, c, &f);
		if (rc == RC_OK)
			continue;
		close_control(c);
		if (rc == RC_BUSY) { /* the front has to read first */
			c->next_ms = now + RETRY_MS;
			continue;
		}
		log_event(LEVEL_ERR, "start_failed", "%s detail=\"%s\"", name_of(s, c).text,
		    f.detail);
		child_not_started(c, now);
	}
}

/* Tell the front who runs, for its status. */
static void
announce(struct supervisor *s)
{
	s->announce_later = false;
	if (front_of(s)->control < 0)
		return;
	for (size_t i = 0; i < s->children; i++) {
		struct child *c = &s->child[i];
		struct control m = describe(c, CONTROL_CHILD, s->spawn->as_root);
		struct fault f = { 0 };

		if (!c->announce || c->pid == 0)
			continue;
		if (control_send(front_of(s)->control, &m, -1, &f) != RC_OK) {
			s->announce_later = f.rc == RC_BUSY;
			return;
		}
		c->announce = false;
	}
}

/* ---- ending --------------------------------------------------------------------- */

static void
log_end(const struct supervisor *s, const struct child *c, int status)
{
	bool quiet = s->draining || c->stale || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
	enum log_level level = quiet ? LEVEL_NOTICE : LEVEL_WARNING;

	if (c->quiet && !c->up)
		level = LEVEL_DEBUG;
	if (WIFSIGNALED(status))
		log_event(level, "ended", "%s pid=%ld signal=%d", name_of(s, c).text,
		    (long)c->pid, WTERMSIG(status));
	else
		log_event(level, "ended", "%s pid=%ld exit=%d", name_of(s, c).text,
		    (long)c->pid, WEXITSTATUS(status));
}

static void
log_held(const struct supervisor *s, const struct child *c)
{
	const struct config_token *t = &s->spawn->config->token[c->token];

	log_event(LEVEL_ERR, "pin_refused",
	    "token=%s pin=%s detail=\"not tried again: put the right PIN there, or send "
	    "SIGHUP\"",
	    t->name, t->pin.text);
}

static void
front_ended(struct supervisor *s, int64_t now)
{
	close_control(front_of(s));
	for (size_t i = CHILD_FRONT + 1; i < s->children; i++)
		child_orphaned(&s->child[i], now);
	if (s->draining)
		close_control(&s->child[CHILD_RENEWER]);
}

static void
ended(struct supervisor *s, struct child *c, int status)
{
	int64_t now = now_ms();

	log_end(s, c, status);
	if (is_token_process(c))
		count_end(s, c, status, now);
	child_ended(c, status, now);
	if (c->held && !s->pin_told[c->token])
		log_held(s, c);
	if (c->held)
		s->pin_told[c->token] = true;
	close_control(c);
	if (c->role == ROLE_FRONT)
		front_ended(s, now);
	if (c->role == ROLE_RENEWER)
		hook_kill_all(&s->hooks);
}

/* A word that is lost there is a time-out here: the renewer waits no longer than we do. */
static void
tell_hook_end(struct supervisor *s, const struct control *m)
{
	const struct child *c = &s->child[CHILD_RENEWER];
	struct fault f = { 0 };

	log_event(m->status == 0 ? LEVEL_INFO : LEVEL_WARNING, "hook_ended",
	    "serial=%u status=%u", (unsigned)m->serial, (unsigned)m->status);
	if (m->serial != 0 && c->control >= 0 && control_send(c->control, m, -1, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "control_lost", &f);
}

static void
run_hook(struct supervisor *s, const struct control *m, int fd)
{
	struct control end = {
		.kind = CONTROL_HOOK_END, .serial = m->serial, .status = HOOK_NOT_RUN
	};
	struct fault f = { 0 };

	if (!s->draining && m->serial != 0 &&
	    hook_start(&s->hooks, s->spawn, m, fd, now_ms(), &f) == RC_OK) {
		log_event(LEVEL_INFO, "hook_started", "serial=%u name=%s", (unsigned)m->serial,
		    m->name);
		return;
	}
	log_event(LEVEL_ERR, "hook_not_started", "serial=%u detail=\"%s\"", (unsigned)m->serial,
	    s->draining ? "stopping" : f.detail);
	tell_hook_end(s, &end);
}

static void
reap(struct supervisor *s)
{
	struct control end = { 0 };
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (hook_ended(&s->hooks, pid, status, &end)) {
			tell_hook_end(s, &end);
			continue;
		}
		for (size_t i = 0; i < s->children; i++) {
			if (s->child[i].pid == pid)
				ended(s, &s->child[i], status);
		}
	}
}

static void
kill_child(const struct supervisor *s, struct child *c, const char *why)
{
	log_event(
	    LEVEL_WARNING, "kill", "%s pid=%ld why=%s", name_of(s, c).text, (long)c->pid, why);
	(void)kill(c->pid, SIGKILL);
	c->kill_ms = 0;
}

static void
kill_overdue(struct supervisor *s)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < s->children; i++) {
		struct child *c = &s->child[i];

		if (c->pid != 0 && c->kill_ms != 0 && now >= c->kill_ms)
			kill_child(s, c, "does_not_leave");
	}
}

/* ---- the front's messages -------------------------------------------------------- */

/* Generations are unique in a token, so an old message cannot hit a new process. */
static void
kill_asked(struct supervisor *s, const struct control *m)
{
	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		struct child *c = &s->child[i];

		if (c->pid != 0 && c->token == m->token && c->generation == m->generation) {
			kill_child(s, c, "front_asked");
			return;
		}
	}
	log_event(LEVEL_INFO, "kill_ignored", "token=%u generation=%u", (unsigned)m->token,
	    (unsigned)m->generation);
}

static void
front_says(struct supervisor *s, const struct control *m)
{
	if (m->kind == CONTROL_READY) {
		child_came_up(front_of(s));
		log_event(LEVEL_NOTICE, "ready", "pid=%ld", (long)front_of(s)->pid);
		notify(s, "READY=1");
	} else if (m->kind == CONTROL_KILL) {
		kill_asked(s, m);
	} else if (m->kind == CONTROL_UP) {
		signer_came_up(s, m);
	} else {
		log_event(LEVEL_WARNING, "control_unknown", "kind=%u", (unsigned)m->kind);
	}
}

/* Its end is closed, so it is leaving or broken; it does not come back on this socket. */
static void
control_lost(struct child *c)
{
	close_control(c);
	if (c->pid != 0 && c->kill_ms == 0)
		c->kill_ms = now_ms() + CHILD_LEAVE_MS;
}

static void
read_control(struct supervisor *s, struct child *c)
{
	for (int i = 0; i < CONTROL_BURST && c->control >= 0; i++) {
		struct control m = { 0 };
		struct fault f = { 0 };
		int fd = -1;
		enum rc rc = control_recv(c->control, &m, &fd, &f);

		if (rc == RC_NOT_FOUND)
			return;
		if (rc == RC_OK && c->role == ROLE_RENEWER && m.kind == CONTROL_HOOK)
			run_hook(s, &m, fd);
		if (fd >= 0)
			close(fd);
		if (rc == RC_IO)
			control_lost(c);
		else if (rc != RC_OK)
			log_fault(LEVEL_WARNING, "control_invalid", &f);
		else if (c->role == ROLE_FRONT)
			front_says(s, &m);
	}
}

/* ---- signals --------------------------------------------------------------------- */

static void
tell(const struct child *c, enum control_kind kind)
{
	struct control m = { .kind = kind };
	struct fault f = { 0 };

	if (c->pid != 0 && c->control >= 0 && control_send(c->control, &m, -1, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "control_lost", &f);
}

static void
reload(struct supervisor *s)
{
	int64_t now = now_ms();

	log_event(LEVEL_NOTICE, "reload", "%s", "");
	tell(front_of(s), CONTROL_RELOAD);
	tell(&s->child[CHILD_RENEWER], CONTROL_RELOAD);
	for (size_t i = CHILD_TOKENS; i < s->children; i++) {
		if (s->child[i].held)
			child_release(&s->child[i], now);
	}
}

static void
kill_all(struct supervisor *s)
{
	s->killed = true;
	for (size_t i = 0; i < s->children; i++) {
		if (s->child[i].pid != 0)
			kill_child(s, &s->child[i], "stopping");
	}
}

/* A second signal does not wait. */
static void
drain(struct supervisor *s)
{
	if (s->draining) {
		kill_all(s);
		return;
	}
	log_event(LEVEL_NOTICE, "drain", "%s", "");
	notify(s, "STOPPING=1");
	s->draining = true;
	s->drain_ms = now_ms();
	hook_kill_all(&s->hooks);
	front_of(s)->kill_ms = s->drain_ms + SUPERVISOR_FRONT_MS;
	tell(front_of(s), CONTROL_DRAIN);
	tell(&s->child[CHILD_RENEWER], CONTROL_DRAIN);
	if (front_of(s)->pid == 0)
		front_ended(s, s->drain_ms);
}

static void
read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			drain(s);
		else if (info.ssi_signo == SIGHUP && !s->draining)
			reload(s);
	}
	reap(s); /* SIGCHLDs merge: look at every child, whatever came */
}

static void
fill_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
}

enum rc
supervisor_block_signals(struct fault *f)
{
	sigset_t set;

	fill_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return FAULT(f, RC_IO, "start", "sigprocmask: %s", strerror(errno));
	/* An ignored SIGCHLD, inherited, would lose every exit status. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	return RC_OK;
}

/* ---- the loop --------------------------------------------------------------------- */

static void
sooner(int64_t *at, int64_t other)
{
	if (other > 0 && other < *at)
		*at = other;
}

static int
wait_ms(const struct supervisor *s)
{
	int64_t now = now_ms(), at = now + 60000;

	for (size_t i = 0; i < s->children; i++) {
		const struct child *c = &s->child[i];

		if (c->pid != 0)
			sooner(&at, c->kill_ms);
		else if (c->held)
			sooner(&at, s->pin_check_ms);
		else if (!s->draining && (c->role == ROLE_FRONT || front_open(s)))
			sooner(&at, start_ms(s, c));
	}
	for (uint32_t t = 0; t < s->spawn->config->tokens; t++)
		sooner(&at, s->breaker[t].down_ms != 0 ? now + OUTAGE_LOOK_MS : 0);
	if (s->announce_later)
		sooner(&at, now + RETRY_MS);
	sooner(&at, s->hook_ms);
	if (s->draining && !s->killed)
		sooner(&at, s->drain_ms + SUPERVISOR_DRAIN_MS);
	return at <= now ? 0 : (int)(at - now);
}

static size_t
running(const struct supervisor *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->children; i++)
		n += s->child[i].pid != 0;
	return n;
}

static void
wait_once(struct supervisor *s)
{
	struct child *front = front_of(s), *renewer = &s->child[CHILD_RENEWER];
	struct pollfd p[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = front->control, .events = POLLIN },
		{ .fd = renewer->control, .events = POLLIN },
	};

	if (poll(p, ARRAY_LEN(p), wait_ms(s)) <= 0)
		return;
	if (p[1].revents != 0)
		read_control(s, front);
	if (p[2].revents != 0)
		read_control(s, renewer);
	if (p[0].revents != 0)
		read_signals(s);
}

static void
loop(struct supervisor *s)
{
	while (!s->draining || running(s) > 0) {
		if (!s->draining) {
			check_pins(s, now_ms());
			look_at_outages(s);
			start_due(s);
			announce(s);
		} else if (!s->killed && now_ms() >= s->drain_ms + SUPERVISOR_DRAIN_MS) {
			kill_all(s);
		}
		s->hook_ms = hook_overdue(&s->hooks, now_ms());
		wait_once(s);
		kill_overdue(s);
	}
}

/* ---- set-up ------------------------------------------------------------------------ */

static void
add_child(struct supervisor *s, enum role_kind role, uint32_t token, uint32_t process)
{
	struct child *c = &s->child[s->children++];

	c->role = role;
	c->token = token;
	c->process = process;
	c->max_ms = s->spawn->config->token[token].backoff_max_ms;
}

/* Of a token the signers come first: the admin starts as slowly, and no call waits for it. */
static enum rc
make_children(struct supervisor *s, struct fault *f)
{
	const struct config *c = s->spawn->config;
	size_t n = CHILD_TOKENS;

	for (size_t t = 0; t < c->tokens; t++)
		n += c->token[t].processes + 1;
	s->child = calloc(n, sizeof s->child[0]);
	if (s->child == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu children", n);
	for (size_t i = 0; i < n; i++)
		s->child[i].control = -1;
	s->child[CHILD_FRONT].role = ROLE_FRONT;
	s->child[CHILD_RENEWER].role = ROLE_RENEWER;
	s->children = CHILD_TOKENS;
	for (uint32_t t = 0; t < c->tokens; t++) {
		s->breaker[t].max_ms = c->token[t].backoff_max_ms;
		for (uint32_t p = 0; p < c->token[t].processes; p++)
			add_child(s, ROLE_SIGNER, t, p);
		add_child(s, ROLE_ADMIN, t, 0);
	}
	return RC_OK;
}

static enum rc
open_signals(struct supervisor *s, struct fault *f)
{
	sigset_t set;

	fill_signals(&set);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return FAULT(f, RC_IO, "start", "signalfd: %s", strerror(errno));
	return spawn_high_fd(&s->signals, f);
}

static void
supervisor_cleanup(struct supervisor *s)
{
	for (size_t i = 0; i < s->children; i++)
		close_control(&s->child[i]);
	free(s->child);
	if (s->signals >= 0)
		close(s->signals);
}

enum rc
supervisor_run(const struct spawn_context *spawn, const char *notify_socket, struct fault *f)
{
	__attribute__((cleanup(supervisor_cleanup))) struct supervisor s = {
		.spawn = spawn, .notify = notify_socket, .signals = -1
	};

	TRY(make_children(&s, f));
	TRY(open_signals(&s, f));
	loop(&s);
	log_event(LEVEL_NOTICE, "stopped", "%s", "");
	return RC_OK;
}
