#include "tests/unit/softadmin.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkcs11/frame.h"
#include "stir/es256.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"

enum { MAX_KEYS = 256, MAX_CONNECTIONS = 1024 };

struct softkey {
	EVP_PKEY *key;
	uint8_t point[P256_POINT_LEN], id[KEY_ID_LEN], batch[FRAME_BATCH];
	enum frame_label label;
};

struct connection {
	struct softadmin *s;
	pthread_t thread;
	int fd;
	uint32_t generation;
	bool greeted; /* under lock */
};

struct softadmin {
	pthread_mutex_t lock;
	pthread_cond_t greeted;
	struct softkey key[MAX_KEYS];
	size_t keys;
	struct connection connection[MAX_CONNECTIONS];
	size_t connections, first; /* those before first are joined */
	size_t fail;		   /* this code; 0: none */
	size_t asked, batches, made, signatures;
	size_t room; /* it holds so many keys */
	size_t limp, confuse, stubborn;
};

static struct softkey *
find(struct softadmin *s, const uint8_t id[KEY_ID_LEN])
{
	for (size_t i = 0; i < s->keys; i++) {
		if (memcmp(s->key[i].id, id, KEY_ID_LEN) == 0)
			return &s->key[i];
	}
	return NULL;
}

static uint8_t
generate(struct softadmin *s, const uint8_t batch[FRAME_BATCH], struct frame *f)
{
	struct softkey *k = &s->key[s->keys];

	if (s->keys >= s->room)
		return FRAME_FULL;
	k->key = pki_p256();
	assert_int_equal(p256_point(k->key, k->point, NULL), RC_OK);
	key_id_of_point(k->point, k->id);
	memcpy(k->batch, batch, FRAME_BATCH);
	k->label = FRAME_LABEL_OWNED;
	s->keys++;
	s->made++;
	memcpy(f->key_id, k->id, KEY_ID_LEN);
	memcpy(f->body, k->point, P256_POINT_LEN);
	return FRAME_OK;
}

/* ECDSA of a digest as r||s. */
static void
sign_digest(EVP_PKEY *key, const uint8_t *digest, uint8_t *sig)
{
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new(key, NULL);
	AUTO_OSSL(ECDSA_SIG) *pair = NULL;
	uint8_t der[128];
	const uint8_t *p = der;
	size_t len = sizeof der;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, der, &len, digest, 32), 1);
	pair = d2i_ECDSA_SIG(NULL, &p, (long)len);
	assert_non_null(pair);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + 32, 32), 32);
}

static uint8_t
sign(struct softadmin *s, struct frame *f)
{
	struct softkey *k = find(s, f->key_id);
	AUTO_OSSL(EVP_PKEY) *other = NULL;
	uint8_t sig[64];

	if (k == NULL)
		return FRAME_NO_KEY;
	if (s->confuse != 0)
		other = pki_p256();
	sign_digest(other != NULL ? other : k->key, f->body, sig);
	memcpy(f->body, sig, sizeof sig);
	s->signatures++;
	return FRAME_OK;
}

static uint8_t
destroy(struct softadmin *s, const uint8_t id[KEY_ID_LEN])
{
	struct softkey *k = find(s, id);

	if (k == NULL)
		return FRAME_NO_KEY;
	EVP_PKEY_free(k->key);
	*k = s->key[--s->keys];
	return FRAME_OK;
}

static uint8_t
list(struct softadmin *s, int fd, const struct frame *f)
{
	for (size_t i = 0; i < s->keys; i++) {
		struct frame each = *f;

		struct frame_listed listed = { .label = (uint8_t)s->key[i].label };

		each.code = FRAME_OK;
		memcpy(each.key_id, s->key[i].id, KEY_ID_LEN);
		memcpy(listed.point, s->key[i].point, P256_POINT_LEN);
		memcpy(listed.name, s->key[i].batch, FRAME_BATCH);
		memcpy(each.body, &listed, sizeof listed);
		(void)send(fd, &each, sizeof each, MSG_NOSIGNAL);
	}
	return FRAME_END;
}

static uint8_t
destroy_owned(struct softadmin *s, const struct frame *f)
{
	const struct softkey *k = find(s, f->key_id);

	if (s->stubborn != 0)
		return FRAME_FAILED;
	if (k == NULL)
		return FRAME_NO_KEY;
	if (k->label != FRAME_LABEL_OWNED || memcmp(k->batch, f->body, FRAME_OWNER) != 0)
		return FRAME_KEY_REFUSED;
	return destroy(s, f->key_id);
}

static uint8_t
made(struct softadmin *s, int fd, const struct frame *f)
{
	for (size_t i = 0; i < s->keys; i++) {
		struct frame each = *f;

		if (memcmp(s->key[i].batch, f->body, FRAME_BATCH) != 0)
			continue;
		each.code = FRAME_OK;
		memcpy(each.key_id, s->key[i].id, KEY_ID_LEN);
		(void)send(fd, &each, sizeof each, MSG_NOSIGNAL);
	}
	return FRAME_END;
}

static uint8_t
generate_some(struct softadmin *s, int fd, struct frame *f)
{
	unsigned more = f->body[0];
	uint8_t batch[FRAME_BATCH];

	memcpy(batch, f->body + 1, sizeof batch);
	assert_true(more < FRAME_MAX_MADE);
	if (more > 0)
		s->batches++;
	for (;; more--) {
		f->code = generate(s, batch, f);
		if (f->code != FRAME_OK || more == 0)
			return f->code;
		(void)send(fd, f, sizeof *f, MSG_NOSIGNAL);
	}
}

static uint8_t
tell_stats(const struct softadmin *s, struct frame *f)
{
	struct frame_stats stats = { .keys = (uint32_t)s->keys };

	memcpy(f->body, &stats, sizeof stats);
	return FRAME_OK;
}

static uint8_t
answer(struct softadmin *s, int fd, struct frame *f)
{
	if (f->op == FRAME_GENERATE)
		s->asked++;
	if (s->limp != 0 && f->op != FRAME_GENERATE)
		return FRAME_REBUILD;
	if (s->fail != 0)
		return (uint8_t)s->fail;
	switch (f->op) {
	case FRAME_GENERATE: return generate_some(s, fd, f);
	case FRAME_STATS: return tell_stats(s, f);
	case FRAME_SIGN: return sign(s, f);
	case FRAME_DESTROY: return destroy(s, f->key_id);
	case FRAME_DESTROY_OWNED: return destroy_owned(s, f);
	case FRAME_LIST: return list(s, fd, f);
	case FRAME_MADE: return made(s, fd, f);
	default: return FRAME_BAD_FRAME;
	}
}

static void *
serve(void *arg)
{
	struct connection *c = arg;
	struct frame f = { .version = FRAME_VERSION,
		.op = FRAME_HELLO,
		.code = FRAME_OK,
		.generation = c->generation };

	(void)send(c->fd, &f, sizeof f, MSG_NOSIGNAL);
	pthread_mutex_lock(&c->s->lock);
	c->greeted = true;
	pthread_cond_signal(&c->s->greeted);
	pthread_mutex_unlock(&c->s->lock);
	while (recv(c->fd, &f, sizeof f, 0) == (ssize_t)sizeof f) {
		pthread_mutex_lock(&c->s->lock);
		f.code = answer(c->s, c->fd, &f);
		pthread_mutex_unlock(&c->s->lock);
		if (send(c->fd, &f, sizeof f, MSG_NOSIGNAL) < 0)
			break;
	}
	(void)shutdown(c->fd, SHUT_RDWR); /* the client sees its end */
	return NULL;
}

struct softadmin *
softadmin_new(void)
{
	struct softadmin *s = calloc(1, sizeof *s);

	assert_non_null(s);
	s->room = MAX_KEYS;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->greeted, NULL);
	return s;
}

static void
join_until(struct softadmin *s, size_t end)
{
	for (; s->first < end; s->first++) {
		struct connection *c = &s->connection[s->first];

		(void)shutdown(c->fd, SHUT_RDWR);
		pthread_join(c->thread, NULL);
		close(c->fd);
	}
}

void
softadmin_quiet(struct softadmin *s)
{
	struct connection *last = &s->connection[s->connections - 1];

	join_until(s, s->connections - 1);
	pthread_mutex_lock(&s->lock);
	while (!last->greeted)
		pthread_cond_wait(&s->greeted, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void
softadmin_free(struct softadmin *s)
{
	join_until(s, s->connections); /* a test that failed may have left clients behind */
	for (size_t i = 0; i < s->keys; i++)
		EVP_PKEY_free(s->key[i].key);
	pthread_cond_destroy(&s->greeted);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int
softadmin_connect(struct softadmin *s, uint32_t generation)
{
	struct connection *c = &s->connection[s->connections];
	int pair[2];

	assert_true(s->connections < MAX_CONNECTIONS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*c = (struct connection){ .s = s, .fd = pair[1], .generation = generation };
	assert_int_equal(pthread_create(&c->thread, NULL, serve, c), 0);
	s->connections++;
	return pair[0];
}

/* What the threads that serve change is read and set under the lock. */
static size_t
look(struct softadmin *s, const size_t *at)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = *at;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void
set(struct softadmin *s, size_t *at, size_t n)
{
	pthread_mutex_lock(&s->lock);
	*at = n;
	pthread_mutex_unlock(&s->lock);
}

size_t
softadmin_keys(struct softadmin *s)
{
	return look(s, &s->keys);
}

size_t
softadmin_asked(struct softadmin *s)
{
	return look(s, &s->asked);
}

size_t
softadmin_batches(struct softadmin *s)
{
	return look(s, &s->batches);
}

size_t
softadmin_made(struct softadmin *s)
{
	return look(s, &s->made);
}

size_t
softadmin_signatures(struct softadmin *s)
{
	return look(s, &s->signatures);
}

bool
softadmin_has(struct softadmin *s, const uint8_t key_id[KEY_ID_LEN])
{
	bool has;

	pthread_mutex_lock(&s->lock);
	has = find(s, key_id) != NULL;
	pthread_mutex_unlock(&s->lock);
	return has;
}

void
softadmin_drop(struct softadmin *s, const uint8_t key_id[KEY_ID_LEN])
{
	pthread_mutex_lock(&s->lock);
	(void)destroy(s, key_id);
	pthread_mutex_unlock(&s->lock);
}

void
softadmin_put(struct softadmin *s, enum frame_label label, const uint8_t name[FRAME_BATCH],
    uint8_t key_id[KEY_ID_LEN])
{
	struct frame f = { .op = FRAME_GENERATE };

	pthread_mutex_lock(&s->lock);
	assert_int_equal(generate(s, name, &f), FRAME_OK);
	s->key[s->keys - 1].label = label;
	pthread_mutex_unlock(&s->lock);
	memcpy(key_id, f.key_id, KEY_ID_LEN);
}

void
softadmin_fail(struct softadmin *s, int code)
{
	set(s, &s->fail, (size_t)code);
}

void
softadmin_confuse(struct softadmin *s, bool on)
{
	set(s, &s->confuse, on);
}

void
softadmin_stubborn(struct softadmin *s, bool on)
{
	set(s, &s->stubborn, on);
}

void
softadmin_limp(struct softadmin *s, bool on)
{
	set(s, &s->limp, on);
}

void
softadmin_room(struct softadmin *s, size_t keys)
{
	set(s, &s->room, keys);
}
